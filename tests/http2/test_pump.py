"""Driving a connection from outside: one thread may look after many."""

import select

import pytest
from hyperframe.frame import HeadersFrame, PingFrame

import hyperlite
from tests.peer import TIMEOUT, Peer

from .conftest import acquaint

CONN = hyperlite.HTTP20Connection


def readable(conn: CONN) -> bool:
    """Wait for something to be read on a connection's descriptor."""
    return bool(select.select([conn._transports.current.fileno()], [], [], TIMEOUT)[0])


def test_a_pump_reads_what_has_come(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    stream_id = conn.request("GET", "/")
    peer.want(HeadersFrame, 3)
    peer.answer(3, b"pumped")
    assert readable(conn)
    conn._transports.current.pump()
    peer.reset_tcp()  # from here on, nothing could be read any more
    assert conn.getresponse(stream_id).read() == b"pumped"


def test_a_pump_answers(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    peer.ping(b"12345678")
    assert readable(conn)
    conn._transports.current.pump()
    frame = peer.want(PingFrame)
    assert ("ACK" in frame.flags, frame.opaque_data) == (True, b"12345678")


def test_a_pump_does_not_wait(peer: Peer) -> None:
    conn = peer.connect(timeout=None)
    acquaint(peer, conn)
    conn._transports.current.pump()
    assert peer.silent()


def test_a_pump_writes_what_was_left_over(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn, initial_window_size=2**31 - 1)
    peer.window_update(0, 2**30)
    conn._transports.current.pump()
    assert not conn._transports.current.wants_write
    conn.request("GET", "/")  # for which the connection stays open
    conn.timeout = conn._transports.current.timeout = 0.2
    with pytest.raises(TimeoutError):
        conn.request("POST", "/", bytes(20_000_000))  # which the peer does not read
    assert conn._transports.current.wants_write
    draining = peer.background(peer.want_eof)
    while conn._transports.current.wants_write:
        conn._transports.current.pump()
    conn.close()
    draining.result()


def test_a_pump_sees_the_end(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    mux = conn._transports.current
    peer.close()
    assert readable(conn)
    mux.pump()
    assert mux.closed
    assert mux.fileno() == -1
    mux.pump()
