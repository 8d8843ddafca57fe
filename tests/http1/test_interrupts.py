"""A KeyboardInterrupt on HTTP/1.1, where a lost byte is one of the next response."""

import functools
import gc
import socket
from collections.abc import Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite.http1.body import HTTP1Body
from hyperlite.http1.connection import HTTP1Connection
from hyperlite.http1.exchange import HTTP1Exchange
from hyperlite.http1.kept_socket import KeptSocket
from hyperlite.http1.response import QueuedResponse
from hyperlite.http1.wire import _Reader
from tests.conftest import Connect, Serve
from tests.inside import http1_of
from tests.listener import Listener
from tests.peer import Task

CONN = hyperlite.HTTP20Connection
# Of a socket, or a file on it, that the interrupted call alone knew.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Have what a test leaves finalized within it, and not in another."""
    yield
    gc.collect()


@pytest.fixture
def conn(serve: Serve, connect: Connect) -> CONN:
    return connect(serve(alpn=("http/1.1",)), timeout=5)


@pytest.mark.parametrize(
    ("end", "where", "step"),
    [
        ("close", HTTP1Connection, "_on_closed"),
        ("close", KeptSocket, "hang_up"),
        ("close", _Reader, "close"),
        ("read", HTTP1Connection, "_on_closed"),
        ("read", _Reader, "close"),
    ],
)
def test_a_response_whose_end_was_interrupted(
    conn: CONN, monkeypatch: pytest.MonkeyPatch, end: str, where: type, step: str
) -> None:
    """The connection may have heard nothing of it; it sees for itself that nothing more can be read."""

    def interrupted(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    response = conn.getresponse(conn.request("GET", "/chunks?n=1000"))
    assert isinstance(response, QueuedResponse)
    monkeypatch.setattr(where, step, interrupted)
    if step == "_on_closed":  # it was bound before
        response.when_closed = interrupted
    with pytest.raises(KeyboardInterrupt):
        getattr(response, end)()
    for size in (3, 4):
        assert len(conn.getresponse(conn.request("GET", f"/sized?n={size}")).read()) == size


class Late(Listener):
    """Sends a part of its first answer, and the rest to the next request on the same connection."""

    def serve(self, sock: socket.socket) -> None:
        sock.recv(65536)
        if len(self.opened) == 1:
            sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            if not sock.recv(65536):
                return
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        else:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
        sock.recv(65536)


def test_what_is_left_of_a_closed_response_meets_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interrupt comes when the connection is to be given up."""

    def interrupted(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    options: dict[str, Any] = {"secure": False, "protocols": ("http/1.1",), "timeout": 5}
    with Late() as server, CONN("localhost", server.port, **options) as conn:
        response = conn.getresponse(conn.request("GET", "/"))
        assert response.read(5) == b"hello"
        monkeypatch.setattr(KeptSocket, "hang_up", interrupted)
        with pytest.raises(KeyboardInterrupt):
            response.close()
        assert conn.getresponse(conn.request("GET", "/")).read() == b"good"


def test_a_read_that_was_interrupted(conn: CONN, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had read is nowhere: what comes behind it is not given out as if nothing were missing."""
    response = conn.getresponse(conn.request("GET", "/sized?n=3000"))
    receive = HTTP1Body._receive

    def interrupted(*args: Any) -> None:
        monkeypatch.undo()
        receive(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(HTTP1Body, "_receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        response.read(1000)
    with pytest.raises(hyperlite.IncompleteBody, match="interrupted"):
        response.read(1000)
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"


def test_an_interrupt_is_that_of_its_own_thread(serve: Serve, connect: Connect) -> None:
    """The main thread works for another when it is interrupted: the other gets an error, no interrupt."""
    conn = connect(serve(alpn=("http/1.1",)), timeout=5)
    theirs = Task(conn.request, "GET", "/late").result()
    lane = http1_of(conn)
    receive = HTTP1Connection._receive

    def interrupted(self: HTTP1Connection, exchange: HTTP1Exchange, until: float | None) -> None:
        if exchange.stream_id == theirs:
            raise KeyboardInterrupt
        receive(self, exchange, until)

    lane._receive = functools.partial(interrupted, lane)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        conn.getresponse(conn.request("GET", "/"))
    with pytest.raises(hyperlite.ConnectionLost, match="interrupted"):
        Task(conn.getresponse, theirs).result()
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
