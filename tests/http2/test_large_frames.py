"""Frames larger than 16,384 bytes, over a socket."""

import struct

from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, SettingsFrame

import hyperlite
from hyperlite.http2.engine.frames import DEFAULT_FRAME, MAX_FRAME
from hyperlite.testing.hostile.frames import END_HEADERS, END_STREAM
from tests.peer import Peer

SIZE = 28_000


def test_a_field_of_28_kb_in_one_continuation(peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
    """So does Tomcat, whatever we announce."""
    first = conn.request("GET", "/")
    wire = peer.accept()
    wire.greet()
    assert wire.want(SettingsFrame).settings[SettingsFrame.MAX_FRAME_SIZE] == MAX_FRAME
    start = wire.frames.block([(":status", "200")])
    rest = wire.frames.block([("x-large", "v" * SIZE)], huffman=False)
    wire.send_frame(HeadersFrame.type, END_STREAM, 1, start)
    wire.send_frame(ContinuationFrame.type, END_HEADERS, 1, rest)
    response = conn.getresponse(first)
    assert len(response.headers["x-large"]) == SIZE
    second = conn.request("GET", "/")
    wire.answer(3, b"as before")
    assert conn.getresponse(second).read() == b"as before"


def test_a_frame_is_read_before_it_is_complete(peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
    """Of a slow server: a frame four times as large is not four times as long in coming to its reader."""
    stream_id = conn.request("GET", "/")
    wire = peer.accept()
    wire.greet()
    wire.send_headers(1)
    wire.send_raw(struct.pack(">LBL", MAX_FRAME << 8 | DataFrame.type, END_STREAM, 1) + b"a" * DEFAULT_FRAME)
    response = conn.getresponse(stream_id)
    assert response.read(DEFAULT_FRAME) == b"a" * DEFAULT_FRAME
    wire.send_raw(b"b" * (MAX_FRAME - DEFAULT_FRAME))
    assert response.read() == b"b" * (MAX_FRAME - DEFAULT_FRAME)
