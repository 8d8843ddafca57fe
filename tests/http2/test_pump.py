"""Driving a connection from outside: one thread may look after many."""

import select

import pytest
from hyperframe.frame import HeadersFrame, PingFrame

import hyperlite
from tests.inside import http2_of
from tests.peer import TIMEOUT, Peer

from .conftest import acquaint

CONN = hyperlite.HTTP20Connection


def readable(conn: CONN) -> bool:
    """Wait for something to be read on a connection's descriptor."""
    return bool(select.select([http2_of(conn).fileno()], [], [], TIMEOUT)[0])


def test_a_pump_reads_what_has_come(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    stream_id = conn.request("GET", "/")
    peer.want(HeadersFrame, 3)
    peer.answer(3, b"pumped")
    assert readable(conn)
    http2_of(conn).pump()
    peer.reset_tcp()  # from here on, nothing could be read any more
    assert conn.getresponse(stream_id).read() == b"pumped"


def test_a_pump_answers(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    peer.ping(b"12345678")
    assert readable(conn)
    http2_of(conn).pump()
    frame = peer.want(PingFrame)
    assert ("ACK" in frame.flags, frame.opaque_data) == (True, b"12345678")


def test_a_pump_does_not_wait(peer: Peer) -> None:
    conn = peer.connect(timeout=None)
    acquaint(peer, conn)
    http2_of(conn).pump()
    assert peer.silent()


def test_a_pump_writes_what_was_left_over(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn, initial_window_size=2**31 - 1)
    peer.window_update(0, 2**30)
    http2_of(conn).pump()
    assert not http2_of(conn).wants_write
    conn.request("GET", "/")  # for which the connection stays open
    conn.timeout = http2_of(conn).timeout = 0.2
    with pytest.raises(TimeoutError):
        conn.request("POST", "/", bytes(20_000_000))  # which the peer does not read
    assert http2_of(conn).wants_write
    draining = peer.background(peer.want_eof)
    while http2_of(conn).wants_write:
        http2_of(conn).pump()
    conn.close()
    draining.result()


def test_a_pump_sees_the_end(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    mux = http2_of(conn)
    peer.close()
    assert readable(conn)
    mux.pump()
    assert mux.closed
    assert mux.fileno() == -1
    mux.pump()
