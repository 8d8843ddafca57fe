"""Streams above the last one of a GOAWAY: the peer never takes notice of them (RFC 9113 section 6.8)."""

import http.client

import pytest
from hyperframe.frame import RstStreamFrame

import hyperlite
from hyperlite.errors import ConnectionGoingAway, ErrorCode
from tests.peer import Peer


def three(peer: Peer, conn: hyperlite.HTTP20Connection) -> list[int]:
    """Send three requests; their wire ids are 1, 3 and 5."""
    ids = conn.request_many([("GET", f"/{number}") for number in (1, 2, 3)])
    peer.accept()
    peer.greet()
    peer.want_requests(3)
    return ids


def test_excluded_streams_are_not_reset(peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
    """To Go's server and h2o they are idle: on RST_STREAM these end the connection."""
    ids = three(peer, conn)
    conn.auto_open = 0
    peer.goaway(3)
    with pytest.raises(ConnectionGoingAway):
        conn.getresponse(ids[2])
    for wire_id in (1, 3):
        peer.answer(wire_id, b"late")
    assert [conn.getresponse(stream_id).read() for stream_id in ids[:2]] == [b"late", b"late"]
    conn.close()
    assert not [frame for frame in peer.want_eof() if isinstance(frame, RstStreamFrame)]


def test_what_still_comes_on_an_excluded_stream(peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
    ids = three(peer, conn)
    conn.auto_open = 0
    peer.goaway(3)
    peer.answer(5, b"nevertheless")
    peer.answer(1, b"one")
    assert conn.getresponse(ids[0]).read() == b"one"
    with pytest.raises(ConnectionGoingAway):
        conn.getresponse(ids[2])


def test_an_excluded_stream_that_is_being_answered_is_reset(
    peer: Peer, conn: hyperlite.HTTP20Connection
) -> None:
    """The peer cannot but know it."""
    ids = three(peer, conn)
    conn.auto_open = 0
    peer.send_headers(5)
    peer.goaway(3)
    with pytest.raises(http.client.IncompleteRead):
        conn.getresponse(ids[2]).read()
    assert peer.want(RstStreamFrame, 5).error_code == ErrorCode.CANCEL
