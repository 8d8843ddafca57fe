"""hyperlite.client: what becomes of a request whose response is not asked for before `close()`."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame

from hyperlite import client, strict_socket
from hyperlite.testing.certificates import certificates
from tests.peer import TIMEOUT, Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(tls=certificates().server_context(("h2", "http/1.1"))) as peer:
        yield peer


@pytest.fixture
def conn(peer: Peer) -> client.HTTPSConnection:
    context = certificates().client_context()
    return client.HTTPSConnection("localhost", peer.port, timeout=TIMEOUT, context=context)


def whole(conn: client.HTTPSConnection) -> None:
    conn.request("POST", "/", b"body")


def in_steps(conn: client.HTTPSConnection) -> None:
    conn.putrequest("POST", "/")
    conn.putheader("Content-Length", "4")
    conn.endheaders()
    conn.send(b"body")


def in_chunks(conn: client.HTTPSConnection) -> None:
    conn.request("POST", "/", iter([b"bo", b"dy"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)


def of_no_known_length(conn: client.HTTPSConnection) -> None:
    """On http.client it is sent by `endheaders()`, and a body as it comes."""
    conn.putrequest("POST", "/")
    conn.endheaders(b"body")


Ask = Callable[[client.HTTPSConnection], None]


def ask_and_close(conn: client.HTTPSConnection, ask: Ask) -> None:
    ask(conn)
    conn.close()


@pytest.mark.parametrize("ask", [whole, in_steps, in_chunks, of_no_known_length])
def test_a_complete_request_is_the_servers(peer: Peer, conn: client.HTTPSConnection, ask: Ask) -> None:
    """A program that reports something may not care for answers; a server drops what is reset."""
    closing = peer.background(ask_and_close, conn, ask)
    peer.accept()
    peer.greet()
    peer.want(HeadersFrame, 1)
    assert peer.want_end(1) == b"body"
    ping = peer.want(PingFrame)
    assert not closing.done
    peer.ping(ping.opaque_data, ack=True)
    last: Any = peer.want(GoAwayFrame)
    assert last.error_code == 0
    assert peer.want_eof() == []
    closing.result()
    assert conn.sock is None


def test_a_head_that_nothing_followed(peer: Peer, conn: client.HTTPSConnection) -> None:
    def ask(conn: client.HTTPSConnection) -> None:
        conn.putrequest("DELETE", "/")
        conn.endheaders()

    closing = peer.background(ask_and_close, conn, ask)
    peer.accept()
    peer.greet()
    assert "END_STREAM" in peer.want(HeadersFrame, 1).flags
    peer.ping(peer.want(PingFrame).opaque_data, ack=True)
    closing.result()


def test_a_server_that_does_not_say_that_it_has_read_it(
    peer: Peer, conn: client.HTTPSConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strict_socket, "PARTING", 0.01)
    closing = peer.background(ask_and_close, conn, whole)
    peer.accept()
    closing.result()
    peer.want(HeadersFrame, 1)
    peer.want_end(1)
    assert [type(frame) for frame in peer.want_eof()] == [PingFrame, GoAwayFrame]


def test_a_server_that_closes_instead(peer: Peer, conn: client.HTTPSConnection) -> None:
    closing = peer.background(ask_and_close, conn, whole)
    peer.accept()
    peer.want(HeadersFrame, 1)
    peer.want_end(1)
    peer.want(PingFrame)
    peer.close()
    closing.result()


def test_a_request_that_is_not_complete_is_reset(peer: Peer, conn: client.HTTPSConnection) -> None:
    arrived = threading.Event()

    def ask(conn: client.HTTPSConnection) -> None:
        conn.putrequest("POST", "/")
        conn.putheader("Content-Length", "4")
        conn.endheaders()
        conn.send(b"bo")
        assert arrived.wait(10)  # a peer that still greets would find the connection closed

    closing = peer.background(ask_and_close, conn, ask)
    peer.accept()
    peer.greet()
    peer.want(HeadersFrame, 1)
    assert peer.want(DataFrame, 1).data == b"bo"
    arrived.set()
    peer.want(RstStreamFrame, 1)
    peer.want(GoAwayFrame)
    closing.result()
