"""A kept connection that the server closes while the next request is on its way to it."""

import gc
import http.client
import socket
import ssl
import struct
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import hyperlite
from hyperlite.http1.response import QueuedResponse
from tests.inside import exchange_of

from .conftest import Script, Talk, Wire, response, says


def leaves(how: Callable[[Wire], None], first: bytes = b"first") -> Script:
    """Answer one request, and leave in some way when the next has come."""

    def script(wire: Wire) -> None:
        wire.head()
        wire.send(response(first))
        wire.head()
        how(wire)

    return script


def resets(wire: Wire) -> None:
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.sock.close()


WAYS: dict[str, Callable[[Wire], None]] = {
    "close_notify": lambda wire: wire.close(),
    "ragged": lambda wire: wire.close(notify=False),
    "reset": resets,
}


def first(conn: hyperlite.HTTP20Connection) -> None:
    assert conn.getresponse(conn.request("GET", "/")).read() == b"first"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_safe_is_sent_again(talk: Talk, way: str, method: str) -> None:
    conn = talk(leaves(WAYS[way]), says(response(b"again")))
    first(conn)
    answer = conn.getresponse(conn.request(method, "/"))
    assert answer.read() == (b"" if method == "HEAD" else b"again")
    assert conn.server.connections == 2


@pytest.mark.parametrize("way", WAYS)
def test_a_post_is_not(talk: Talk, way: str) -> None:
    conn = talk(leaves(WAYS[way]), says(response(b"again")))
    first(conn)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        conn.getresponse(conn.request("POST", "/", b"once"))
    assert conn.server.connections == 1
    assert conn.getresponse(conn.request("GET", "/")).read() == b"again"


def test_only_once(talk: Talk) -> None:
    def leave(wire: Wire) -> None:
        wire.head()

    conn = talk(leaves(WAYS["ragged"]), leave, says(response(b"third")))
    first(conn)
    with pytest.raises(ConnectionError):
        conn.getresponse(conn.request("GET", "/"))
    assert conn.server.connections == 2


def test_not_on_a_connection_that_brought_nothing(talk: Talk) -> None:
    conn = talk(lambda wire: wire.head() and None, says(response(b"second")))
    with pytest.raises(ConnectionError):
        conn.getresponse(conn.request("GET", "/"))
    assert conn.server.connections == 1


@pytest.mark.parametrize("beginning", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_not_when_the_answer_has_begun(talk: Talk, beginning: bytes) -> None:
    conn = talk(leaves(lambda wire: wire.send(beginning)), says(response(b"again")))
    first(conn)
    with pytest.raises(http.client.HTTPException):
        conn.getresponse(conn.request("GET", "/"))
    assert conn.server.connections == 1


def test_all_that_are_queued_arrive(talk: Talk) -> None:
    conn = talk(leaves(WAYS["ragged"]))
    ids = [conn.request("GET", "/") for _ in range(5)]
    assert [conn.getresponse(stream_id).read() for stream_id in ids] == [b"first"] * 5
    assert conn.server.connections == 5


def answers(*bodies: bytes) -> Script:
    """Answer requests, one after the other."""

    def script(wire: Wire) -> None:
        for body in bodies:
            wire.head()
            wire.send(response(body))
        wire.wait()

    return script


def test_reading_at_once_what_has_made_way_does_not_cost_the_connection(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread takes a response into memory; before it is back, another one has read it to its end."""
    make_way = QueuedResponse.make_way
    read: list[bytes] = []

    def make_way_and_lose_time(self: QueuedResponse, *args: Any) -> Any:
        outcome = make_way(self, *args)
        read.append(self.read())
        return outcome

    monkeypatch.setattr(QueuedResponse, "make_way", make_way_and_lose_time)
    conn = talk(answers(b"first", b"second", b"third"))
    for _ in range(3):
        last = conn.getresponse(conn.request("GET", "/"))
    assert last.read() == b"third"
    assert read == [b"first", b"second"]
    assert conn.server.connections == 1


def test_without_auto_open_it_is_an_error(talk: Talk) -> None:
    conn = talk(leaves(WAYS["ragged"]), says(response(b"again")))
    first(conn)
    conn.auto_open = 0
    with pytest.raises(http.client.NotConnected):
        conn.getresponse(conn.request("GET", "/"))
    assert conn.server.connections == 1


def test_close_gives_up_what_was_answered_and_not_taken(talk: Talk) -> None:
    conn = talk(says(response(b"x" * 100_000), close=False))
    conn.request("GET", "/")
    assert list(conn.as_ready()) == [1]
    exchange: Any = exchange_of(conn, 1)
    conn.close()
    assert exchange.response.isclosed()


def test_a_response_that_is_dropped_in_a_cycle_closes_its_socket(talk: Talk) -> None:
    """Such as an error makes, whose traceback knows the frame that knows the error."""
    conn = talk(says(response(b"x" * 100_000), close=False))
    gc.collect()
    gc.disable()  # what it has not seen it finalizes in the order in which it was made: the socket first
    try:
        cycle: list[Any] = [conn.getresponse(conn.request("GET", "/"))]
        cycle.append(cycle)
        sock: Any = conn.sock
        conn.close()
        assert sock.fileno() != -1
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            del cycle, sock
            gc.collect()
        assert not complaints
    finally:
        gc.enable()


def test_the_next_connection_resumes_the_tls_session(talk: Talk) -> None:
    conn = talk(says(response(b"one"), close=False))
    assert conn.getresponse(conn.request("GET", "/")).read() == b"one"
    conn.close()
    conn.request("GET", "/")
    sock: Any = conn.sock
    assert sock.session_reused


def test_a_session_is_not_looked_at_while_another_thread_may_read(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL's state is one for all: such a look fails now and then, or gets a session that is none."""
    conn = talk(says(response(b"one"), close=False))
    answer = conn.getresponse(conn.request("GET", "/"))
    monkeypatch.setattr(ssl.SSLSocket, "session", property(lambda _: pytest.fail("it was looked at")))
    conn.close()
    assert answer.read() == b"one"
