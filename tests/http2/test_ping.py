"""PING: a question to the connection itself."""

import http.client
from collections.abc import Callable

import pytest
from hyperframe.frame import HeadersFrame, PingFrame

import hyperlite
from hyperlite.errors import ConnectionLost, RequestTimeout
from tests.conftest import Connect, Serve
from tests.inside import http2_of
from tests.peer import Peer

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection


def test_the_answer_is_timed(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    pinging = peer.background(conn.ping)
    frame = peer.want(PingFrame)
    assert ("ACK" in frame.flags, len(frame.opaque_data)) == (False, 8)
    peer.ping(frame.opaque_data, ack=True)
    assert 0 < pinging.result() < 5


def test_two_at_once_are_told_apart(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    tasks = [peer.background(conn.ping), peer.background(conn.ping)]
    payloads = [peer.want(PingFrame).opaque_data for _ in tasks]
    assert payloads[0] != payloads[1]
    for payload in reversed(payloads):
        peer.ping(payload, ack=True)
    assert all(task.result() > 0 for task in tasks)


def test_another_answer_is_none(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    pinging = peer.background(conn.ping, 0.2)
    peer.want(PingFrame)
    peer.ping(b"nonsense", ack=True)
    with pytest.raises(RequestTimeout, match=r"PING was not acknowledged within 0\.2 s"):
        pinging.result()


def test_the_connection_goes_on_without_an_answer(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    with pytest.raises(RequestTimeout):
        conn.ping(0.1)
    peer.want(PingFrame)
    stream_id = conn.request("GET", "/")
    peer.want(HeadersFrame, 3)
    peer.answer(3, b"alive")
    assert conn.getresponse(stream_id).read() == b"alive"


def test_the_connection_ends_instead(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    pinging = peer.background(conn.ping)
    peer.want(PingFrame)
    peer.close()
    with pytest.raises(ConnectionLost):
        pinging.result()


def test_it_does_not_hold_up_streams(peer: Peer, conn: CONN) -> None:
    stream_id = begin(peer, conn)
    pinging = peer.background(conn.ping)
    payload = peer.want(PingFrame).opaque_data
    peer.answer(1, b"first")
    assert conn.getresponse(stream_id).read() == b"first"
    peer.ping(payload, ack=True)
    pinging.result()


@pytest.mark.parametrize("when", ["never opened", "closed", "ended by the server"])
def test_it_needs_a_connection(peer: Peer, conn: CONN, when: str) -> None:
    if when != "never opened":
        acquaint(peer, conn)
    if when == "closed":
        conn.close()
    elif when == "ended by the server":
        stream_id = conn.request("GET", "/")
        peer.close()
        with pytest.raises(ConnectionLost):
            conn.getresponse(stream_id)
    with pytest.raises(http.client.NotConnected):
        conn.ping()


def test_one_that_is_interrupted(serve: Serve, connect: Connect, interrupt_soon: Callable[[], None]) -> None:
    """Its answer is not waited for any more."""
    conn = connect(serve(latency=5.0, secure=False), secure=False, timeout=20)
    conn.request("GET", "/")
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        conn.ping()
    assert http2_of(conn)._receiver.pings == {}
