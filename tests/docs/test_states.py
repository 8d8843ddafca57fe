"""The tables of states are true: a real object goes through each row. The pages show them as they are."""

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hyperlite.http1.connection import HTTP1Connection
from hyperlite.http1.exchange import HTTP1Exchange
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.http2.engine import make_engine
from hyperlite.http2.stream import Stream
from hyperlite.messages.request import NO_HEADERS, Request
from hyperlite.testing.hostile.frames import FrameFactory
from hyperlite.transports import Speaker

from .diagrams import PAGES, ROOT, drawn
from .states import CONNECTION, EXCHANGE, STREAM, TABLES, Row, of_connection, of_exchange, of_stream

PACKAGE = ROOT / "hyperlite"


def request(**options: Any) -> Request:
    return Request("GET", "/", None, NO_HEADERS, b"http", b"localhost", 65536, **options)


def names(rows: list[Row]) -> list[str]:
    return [f"{row.state}, {row.event}" for row in rows]


class Line:
    """An HTTP/2 connection, and the other end of its socket."""

    def __init__(self) -> None:
        ours, self.peer = socket.socketpair()
        self.frames = FrameFactory()
        self.connection = HTTP2Connection(ours, make_engine(), timeout=0)
        self.say(self.frames.settings() + self.frames.settings_ack())

    def say(self, data: bytes) -> None:
        self.peer.sendall(data)
        self.connection.pump()

    def submit(self, stream: Stream | None = None) -> Stream:
        stream = stream or Stream(1, request())
        self.connection.submit([stream])
        return stream

    def close(self) -> None:
        self.connection.leave()
        self.peer.close()


class Lines:
    """Streams of HTTP/2, driven into a state and out of it."""

    def __init__(self) -> None:
        self.all: list[Line] = []

    def line(self) -> Line:
        self.all.append(Line())
        return self.all[-1]

    def queued(self) -> Stream:
        line = self.line()
        line.say(line.frames.settings(max_concurrent_streams=0))
        return line.submit()

    def waiting(self) -> Stream:
        return self.line().submit()

    def body(self) -> Stream:
        stream = self.waiting()
        self.say("headers")
        return stream

    def say(self, frame: str, *args: Any, **options: Any) -> None:
        line = self.all[-1]
        line.say(getattr(line.frames, frame)(1, *args, **options))

    def again(self, stream: Stream) -> None:
        self.say("rst", 7)
        stream.reset()  # as the thread does that sends it again
        line = self.line()
        line.say(line.frames.settings(max_concurrent_streams=0))
        line.submit(stream)


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines = Lines()
    yield lines
    for line in lines.all:
        line.close()


STREAM_STEPS: list[Callable[[Lines, Stream], object]] = [
    lambda lines, _: lines.all[-1].say(lines.all[-1].frames.settings(max_concurrent_streams=1)),
    lambda lines, stream: lines.all[-1].connection.drop(stream),
    lambda lines, _: lines.say("headers", [(":status", "103")]),
    lambda lines, _: lines.say("headers"),
    lambda lines, _: lines.say("headers", end_stream=True),
    lambda lines, stream: lines.again(stream),
    lambda lines, _: lines.say("rst", 2),
    lambda lines, _: lines.say("data", b"some"),
    lambda lines, _: lines.say("data", b"the last", end_stream=True),
    lambda lines, _: lines.say("rst", 2),
]


@pytest.mark.parametrize(("row", "step"), [*zip(STREAM, STREAM_STEPS, strict=True)], ids=names(STREAM))
def test_a_stream(lines: Lines, row: Row, step: Callable[[Lines, Stream], object]) -> None:
    stream = getattr(lines, row.state)()
    assert of_stream(stream) == row.state
    step(lines, stream)
    assert of_stream(stream) == row.after


# -- the connection -----------------------------------------------------------------------------------


def connection_in(lines: Lines, state: str) -> Line:
    line = lines.line()
    if state != "idle":
        line.submit()
    if state == "draining":
        line.connection.drain()
    return line


CONNECTION_STEPS: list[Callable[[Line], object]] = [
    lambda line: line.submit(),
    lambda line: line.say(line.frames.headers(1, end_stream=True)),
    lambda line: line.say(line.frames.goaway(0)),
    lambda line: line.say(line.frames.goaway(1)),
    lambda line: line.say(line.frames.headers(1, end_stream=True)),
    lambda line: line.say(line.frames.raw(0, 0, 0, b"DATA on stream 0")),
    lambda line: (line.peer.close(), line.connection.pump()),
]


@pytest.mark.parametrize(
    ("row", "step"), [*zip(CONNECTION, CONNECTION_STEPS, strict=True)], ids=names(CONNECTION)
)
def test_a_connection(lines: Lines, row: Row, step: Callable[[Line], object]) -> None:
    line = connection_in(lines, row.state)
    assert of_connection(line.connection) == row.state
    step(line)
    assert of_connection(line.connection) == row.after


# -- HTTP/1.1 -----------------------------------------------------------------------------------------


class Queue:
    """An HTTP/1.1 connection, and the other end of its socket."""

    def __init__(self) -> None:
        ours, self.peer = socket.socketpair()
        self.connection = HTTP1Connection(
            lambda *_: ours, Speaker("localhost", 80, 80), ours, timeout=5, max_buffered=0
        )

    def submit(self, **options: Any) -> HTTP1Exchange:
        exchange = HTTP1Exchange(1, request(**options))
        self.connection.submit([exchange])
        return exchange

    def queued(self) -> HTTP1Exchange:
        return self.submit()

    def open(self) -> HTTP1Exchange:
        exchange = self.submit(end_stream=False)
        self.connection.wait_sent(exchange)
        return exchange

    def sent(self) -> HTTP1Exchange:
        exchange = self.submit()
        self.connection.wait_sent(exchange)
        return exchange

    def answered(self) -> HTTP1Exchange:
        exchange = self.sent()
        self.answer(exchange)
        return exchange

    def answer(self, exchange: HTTP1Exchange) -> None:
        self.peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
        self.connection.wait_head(exchange)

    def hang_up(self, exchange: HTTP1Exchange) -> None:
        self.peer.close()
        with contextlib.suppress(OSError):
            self.connection.wait_head(exchange)


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = Queue()
    yield queue
    queue.connection.close()
    queue.peer.close()


EXCHANGE_STEPS: list[Callable[[Queue, HTTP1Exchange], object]] = [
    lambda queue, exchange: queue.connection.wait_sent(exchange),
    lambda queue, exchange: queue.connection.wait_sent(exchange),
    lambda queue, exchange: queue.connection.drop(exchange),
    lambda queue, exchange: queue.connection.end(exchange),
    lambda queue, exchange: queue.answer(exchange),
    lambda queue, exchange: queue.answer(exchange),
    lambda queue, exchange: queue.hang_up(exchange),
    lambda queue, exchange: exchange.response.read(),  # type: ignore[union-attr]
]


@pytest.mark.parametrize(("row", "step"), [*zip(EXCHANGE, EXCHANGE_STEPS, strict=True)], ids=names(EXCHANGE))
def test_an_exchange(queue: Queue, row: Row, step: Callable[[Queue, HTTP1Exchange], object]) -> None:
    opened = "open request" in row.event
    exchange = queue.submit(end_stream=False) if opened else getattr(queue, row.state)()
    assert of_exchange(exchange) == row.state
    step(queue, exchange)
    assert of_exchange(exchange) == row.after


# -- the pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_the_diagrams_are_those_of_the_tables(page: Path) -> None:
    """`python -m tests.docs.diagrams` writes them."""
    text = page.read_text()
    assert drawn(text) == text


def test_each_table_is_drawn() -> None:
    text = "".join(page.read_text() for page in PAGES.glob("*.md"))
    assert all(f"<!-- states: {name} -->" in text for name in TABLES)


@pytest.mark.parametrize(
    "page",
    [ROOT / "CONTRIBUTING.md", PAGES.with_suffix(".md"), *sorted(PAGES.glob("*.md"))],
    ids=lambda page: page.stem,
)
def test_each_room_that_a_page_names_is_there(page: Path) -> None:
    """In the tables, in the text and in the diagrams: `http2/streams`, `net/`."""
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    named = re.findall(r"(?<![\w/.])([a-z0-9_]+(?:/[a-z0-9_]+)+|[a-z0-9_]+/)(?![\w/.])", page.read_text())
    rooms = [name for name in named if name.split("/")[0] in packages]
    assert rooms
    gone = [name for name in rooms if not any((PACKAGE / f"{name}{end}").exists() for end in ("", ".py"))]
    assert not gone


def test_each_module_is_in_the_table_of_rooms() -> None:
    """Some rows stand for all modules of a package: `http2/engine/`."""
    table = PAGES.with_suffix(".md").read_text().partition("By package")[0]
    named = set(re.findall(r"`([a-z0-9_/]+)`", table))
    whole = tuple(name for name in named if name.endswith("/"))
    modules = [path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py")]
    missing = {name for name in modules if name not in named and not name.startswith(whole)}
    assert {name for name in missing if not name.endswith("__init__")} == set()
