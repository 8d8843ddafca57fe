"""hyperlite.client: what the server provably did not process is sent again there, too."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hyperframe.frame import HeadersFrame

import hyperlite.messages.replay
from hyperlite import client
from hyperlite.errors import ErrorCode, StreamReset
from hyperlite.testing.certificates import certificates
from tests.http2.conftest import path_of
from tests.peer import TIMEOUT, Peer, Task


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperlite.messages.replay, "BACKOFF", 0.001)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(tls=certificates().server_context(("h2", "http/1.1"))) as peer:
        yield peer


@pytest.fixture
def conn(peer: Peer) -> Iterator[client.HTTPSConnection]:
    context = certificates().client_context()
    conn = client.HTTPSConnection("localhost", peer.port, timeout=TIMEOUT, context=context)
    yield conn
    conn.close()


def ask(conn: client.HTTPSConnection, *args: Any, **options: Any) -> tuple[int, bytes]:
    conn.request(*(args or ("GET", "/")), **options)
    response = conn.getresponse()
    return response.status, response.read()


def greet(peer: Peer) -> None:
    peer.accept()
    peer.greet()


@pytest.mark.parametrize("body", [None, b"body", "body", b""])
def test_a_refused_stream_is_sent_again_on_its_connection(
    peer: Peer, conn: client.HTTPSConnection, body: Any
) -> None:
    answer = peer.background(ask, conn, "POST", "/", body)
    greet(peer)
    for wire_id in (1, 3, 5):
        assert path_of(peer.want(HeadersFrame, wire_id)) == "/"
        if body:
            assert peer.want_end(wire_id) == b"body"
        if wire_id < 5:
            peer.rst(wire_id, ErrorCode.REFUSED_STREAM)
    peer.answer(5, b"answer")
    assert answer.result() == (200, b"answer")
    assert len(peer.wires) == 1


def test_what_lies_above_the_last_stream_is_sent_again_on_another(
    peer: Peer, conn: client.HTTPSConnection
) -> None:
    answer = peer.background(ask, conn, "POST", "/", b"body")
    greet(peer)
    peer.want(HeadersFrame, 1)
    assert peer.want_end(1) == b"body"
    before = conn.sock
    peer.goaway(0)
    greet(peer)
    peer.want(HeadersFrame, 1)
    assert peer.want_end(1) == b"body"
    peer.answer(1, b"answer")
    assert answer.result() == (200, b"answer")
    assert conn.sock is not before
    again = peer.background(ask, conn)
    peer.want(HeadersFrame, 3)
    peer.answer(3, b"more")
    assert again.result() == (200, b"more")
    assert len(peer.wires) == 2


def test_not_without_auto_open(peer: Peer, conn: client.HTTPSConnection) -> None:
    connecting = peer.background(conn.connect)
    greet(peer)
    connecting.result()
    conn.auto_open = 0
    answer = peer.background(ask, conn)
    peer.want(HeadersFrame, 1)
    peer.rst(1, ErrorCode.REFUSED_STREAM)
    with pytest.raises(StreamReset) as caught:
        answer.result()
    assert caught.value.retry_safe


@pytest.mark.parametrize("body", [iter([b"bo", b"dy"]), [b"bo", b"dy"]], ids=["iterator", "list"])
def test_not_a_body_that_came_in_pieces(peer: Peer, conn: client.HTTPSConnection, body: Any) -> None:
    answer = peer.background(ask, conn, "POST", "/", body)
    greet(peer)
    peer.want(HeadersFrame, 1)
    assert peer.want_end(1) == b"body"
    peer.rst(1, ErrorCode.REFUSED_STREAM)
    with pytest.raises(StreamReset):
        answer.result()


def test_not_what_may_have_been_processed(peer: Peer, conn: client.HTTPSConnection) -> None:
    answer = peer.background(ask, conn)
    greet(peer)
    peer.want(HeadersFrame, 1)
    peer.rst(1, ErrorCode.INTERNAL_ERROR)
    with pytest.raises(StreamReset):
        answer.result()


def test_not_for_ever(peer: Peer, conn: client.HTTPSConnection) -> None:
    answer = peer.background(ask, conn)
    for _ in range(2):  # after three refusals it goes to another connection
        greet(peer)
        for wire_id in (1, 3, 5):
            peer.want(HeadersFrame, wire_id)
            peer.rst(wire_id, ErrorCode.REFUSED_STREAM)
    with pytest.raises(StreamReset) as caught:
        answer.result()
    assert caught.value.retry_safe


def test_in_http1_where_http2_is_spoken_no_more(peer: Peer, conn: client.HTTPSConnection) -> None:
    answer = peer.background(ask, conn, "POST", "/", b"body")
    greet(peer)
    peer.want(HeadersFrame, 1)
    peer.tls = certificates().server_context(("http/1.1",))
    peer.goaway(0)
    peer.accept()
    data = b""
    while not data.endswith(b"body"):
        data += peer.sock.recv(65536)
    assert data.startswith(b"POST / HTTP/1.1\r\n")
    peer.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    assert answer.result() == (200, b"hello")


def test_where_no_server_listens_any_more(peer: Peer, conn: client.HTTPSConnection) -> None:
    answer = peer.background(ask, conn)
    greet(peer)
    peer.want(HeadersFrame, 1)
    peer.stop_listening()
    peer.goaway(0)
    with pytest.raises(ConnectionRefusedError):
        answer.result()


def test_a_connection_that_is_dropped_needs_no_garbage_collector(peer: Peer) -> None:
    context = certificates().client_context()
    conn = client.HTTPSConnection("localhost", peer.port, timeout=TIMEOUT, context=context)
    connecting = Task(conn.connect)
    peer.accept()
    connecting.result()
    del connecting
    conn.sock.connection.close()
    seen = weakref.ref(conn)
    gc.disable()
    try:
        del conn
        assert seen() is None
    finally:
        gc.enable()


def test_after_a_try_that_may_have_been_processed_nothing_is_safe(
    peer: Peer, conn: client.HTTPSConnection
) -> None:
    """No answer to a PING: a GET is sent again, and then refused."""
    answer = peer.background(ask, conn)
    greet(peer)
    peer.want(HeadersFrame, 1)
    peer.answer(1, b"hello")
    assert answer.result() == (200, b"hello")
    mux = conn.sock.connection
    mux.table.liveness.heard -= 100
    mux.table.liveness.ping_timeout = 0.1
    answer = peer.background(ask, conn)
    for wire_ids in ((1, 3, 5), (1, 3)):
        greet(peer)
        for wire_id in wire_ids:
            peer.want(HeadersFrame, wire_id)
            peer.rst(wire_id, ErrorCode.REFUSED_STREAM)
    with pytest.raises(StreamReset) as caught:
        answer.result()
    assert not caught.value.retry_safe
