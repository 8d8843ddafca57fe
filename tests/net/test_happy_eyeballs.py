"""Connecting to one of several addresses."""

import contextlib
import errno
import socket
import time
from collections.abc import Iterator

import pytest

import hyperlite
from hyperlite.net import happy_eyeballs
from tests.conftest import MakePool

INET, INET6, TCP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM


def _as_answer(*targets: tuple[str, int]) -> list[tuple[object, ...]]:
    return [(INET6 if ":" in host else INET, TCP, 6, "", (host, port)) for host, port in targets]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port on which a connection is neither made nor refused: the queue of the listener is full."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket())
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        yield sock.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port on which no socket listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def _resolve(monkeypatch: pytest.MonkeyPatch, *targets: tuple[str, int]) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: _as_answer(*targets))


def test_families_take_turns():
    answer = _as_answer(("::1", 1), ("::2", 1), ("::3", 1), ("127.0.0.1", 1), ("127.0.0.2", 1))
    hosts = [address[4][0] for address in happy_eyeballs.interleave(answer)]
    assert hosts == ["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"]
    assert happy_eyeballs.interleave([]) == []


def test_a_dead_address_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket, black_hole: int
):
    port = listener.getsockname()[1]
    _resolve(monkeypatch, ("127.0.0.1", black_hole), ("127.0.0.1", port))
    start = time.monotonic()
    with happy_eyeballs.create_connection(("example", 443), timeout=10) as sock:
        assert sock.getpeername()[1] == port
        assert sock.gettimeout() == 10
    assert time.monotonic() - start < 9


def test_one_that_refuses_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket, closed: int
):
    monkeypatch.setattr(happy_eyeballs, "ATTEMPT_DELAY", 30)
    _resolve(monkeypatch, *[("127.0.0.1", closed)] * 5, listener.getsockname())
    with happy_eyeballs.create_connection(("example", 443), timeout=20) as sock:
        assert sock.getpeername() == listener.getsockname()


def test_all_refuse(monkeypatch: pytest.MonkeyPatch, closed: int):
    _resolve(monkeypatch, ("127.0.0.1", closed), ("::1", closed))
    with pytest.raises(OSError) as caught:
        happy_eyeballs.create_connection(("example", 443), timeout=10)
    assert caught.value.errno in {errno.ECONNREFUSED, errno.EADDRNOTAVAIL, errno.ENETUNREACH}


def test_none_answers_in_time(monkeypatch: pytest.MonkeyPatch, black_hole: int):
    _resolve(monkeypatch, ("127.0.0.1", black_hole), ("127.0.0.1", black_hole))
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        happy_eyeballs.create_connection(("example", 443), timeout=0.3)
    assert time.monotonic() - start > 0.25


def test_a_source_address(monkeypatch: pytest.MonkeyPatch, listener: socket.socket):
    with happy_eyeballs.create_connection(listener.getsockname(), 10, ("127.0.0.2", 0)) as sock:
        assert sock.getsockname()[0] == "127.0.0.2"


def test_an_unknown_name(monkeypatch: pytest.MonkeyPatch, make_pool: MakePool):
    asked = []

    def getaddrinfo(*args: object) -> object:
        asked.append(args)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(socket.gaierror):
        make_pool().fetch("https://nowhere.invalid/")
    assert len(asked) == 1, "it would not be there the next time either"


def test_a_connections_deadline_is_for_all_addresses_together(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket, black_hole: int
):
    """Each has the timeout for itself, but none is tried when the time of the exchange is over."""
    resolve = socket.getaddrinfo
    answer = _as_answer(("127.0.0.1", black_hole), listener.getsockname())
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *asked: answer if asked[0] == "example" else resolve(*asked)
    )
    with hyperlite.HTTP20Connection("example", 80, secure=False, timeout=30) as conn:
        with pytest.raises(hyperlite.RequestTimeout, match="not connected in time"):
            conn.request("GET", "/", deadline=0.2)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        conn.timeout = 0.2
        assert conn.request("GET", "/", deadline=30) == 1, "the next address is tried in time"


def test_another_create_connection_gets_the_name(monkeypatch: pytest.MonkeyPatch, listener: socket.socket):
    """It may know names that the resolver does not, or connect in a way of its own."""
    asked = []
    connect = socket.create_connection

    def create(address: tuple[str, int], *rest: object) -> socket.socket:
        asked.append(address)
        return connect(listener.getsockname(), *rest)

    monkeypatch.setattr(socket, "create_connection", create)
    with hyperlite.HTTP20Connection("unknown.invalid", 80, secure=False, timeout=10) as conn:
        conn.request("GET", "/", deadline=10)
    assert asked == [("unknown.invalid", 80)]
