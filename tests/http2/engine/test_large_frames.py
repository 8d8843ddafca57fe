"""Frames larger than 16,384 bytes: taken up to what our SETTINGS allow, and DATA as it comes."""

import struct

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine.events import (
    ConnectionFailed,
    DataReceived,
    ResponseReceived,
    SettingsReceived,
    StreamFailed,
    TrailersReceived,
)
from hyperlite.http2.engine.frames import DEFAULT_FRAME, MAX_FRAME
from hyperlite.http2.engine.guard import MAX_USELESS
from tests.peer import EnginePeer

from .conftest import Make, request

GET = request("GET")
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8
LARGE = 3 * DEFAULT_FRAME


def header(length: int, flags: int = 0, wire_id: int = 1) -> bytes:
    """Return the nine bytes before a DATA frame's payload."""
    return struct.pack(">LBL", length << 8 | DataFrame.type, flags, wire_id)


@pytest.fixture
def under_way(peer: EnginePeer) -> EnginePeer:
    """A connection on which stream 1 is being answered."""
    peer.engine.open(GET, end_stream=True)
    peer.send_headers(1)
    peer.said()
    return peer


@pytest.mark.parametrize("size", [28_000, 60_000])
def test_a_field_in_one_continuation(peer: EnginePeer, size: int) -> None:
    """Tomcat makes the frame as large as the field is, whatever we announce."""
    peer.engine.open(GET, end_stream=True)
    field = b"x-large", bytes(range(0x21, 0x7F)) * (size // 94)
    first, second = peer.frames.block([(":status", "200")]), peer.frames.block([field], huffman=False)
    assert len(second) > DEFAULT_FRAME
    assert peer.send_frame(HeadersFrame.type, END_STREAM, 1, first) == []
    assert peer.send_frame(ContinuationFrame.type, END_HEADERS, 1, second) == [
        ResponseReceived(1, 200, [(b":status", b"200"), field], None, True)
    ]


def test_a_header_block_is_no_longer_than_before(make: Make) -> None:
    peer = make(max_header_list=100_000)
    peer.greet()
    peer.engine.open(GET, end_stream=True)
    assert peer.send_frame(HeadersFrame.type, 0, 1, bytes(MAX_FRAME)) == []
    (failed,) = peer.send_frame(ContinuationFrame.type, 0, 1, bytes(100_001 - MAX_FRAME))
    assert isinstance(failed, ConnectionFailed)
    assert "max_header_list" in failed.reason


def test_data_is_told_as_it_comes(under_way: EnginePeer) -> None:
    """A reader may have no time to wait for all of a frame, nor is it kept twice."""
    size = 2 * DEFAULT_FRAME + 100
    window = under_way.engine.window_left(1)
    assert under_way.send_raw(header(size, END_STREAM) + b"a" * (DEFAULT_FRAME - 1)) == []
    assert under_way.send_raw(b"ab") == [DataReceived(1, b"a" * DEFAULT_FRAME + b"b", False)]
    assert under_way.engine.window_left(1) == window - DEFAULT_FRAME - 1
    assert under_way.send_raw(b"c" * DEFAULT_FRAME) == [DataReceived(1, b"c" * DEFAULT_FRAME, False)]
    assert under_way.send_raw(b"d" * 98) == []
    assert under_way.send_raw(b"e") == [DataReceived(1, b"d" * 98 + b"e", True)]


def test_what_follows_in_the_same_piece(under_way: EnginePeer) -> None:
    under_way.send_raw(header(LARGE) + b"a" * DEFAULT_FRAME)
    rest, trailers = b"b" * (LARGE - DEFAULT_FRAME), [("x-sum", "1")]
    last = under_way.frames.headers(1, trailers, end_stream=True)
    assert under_way.send_raw(rest + last) == [
        DataReceived(1, rest, False),
        TrailersReceived(1, [(b"x-sum", b"1")]),
    ]


def test_padded_data_is_waited_for(under_way: EnginePeer) -> None:
    """Where its padding begins is known when all has come."""
    payload = b"\xff" + b"a" * (LARGE - 256) + bytes(255)
    whole = header(LARGE, PADDED) + payload
    assert under_way.send_raw(whole[:-1]) == []
    assert under_way.send_raw(whole[-1:]) == [DataReceived(1, b"a" * (LARGE - 256), False)]


def test_a_part_too_much(peer: EnginePeer) -> None:
    """The stream fails with the part that shows it; what else comes of the frame is late."""
    peer.engine.open(GET, end_stream=True)
    peer.send_headers(1, [(":status", "200"), ("content-length", "1000")])
    (failed,) = peer.send_raw(header(LARGE) + b"a" * DEFAULT_FRAME)
    assert isinstance(failed, StreamFailed)
    assert peer.send_raw(b"a" * (LARGE - DEFAULT_FRAME) + peer.frames.settings()) == [SettingsReceived()]
    assert [frame.error_code for frame in peer.said_of(RstStreamFrame)] == [ErrorCode.PROTOCOL_ERROR]


def test_a_reset_between_two_parts(under_way: EnginePeer) -> None:
    under_way.send_raw(header(LARGE) + b"a" * DEFAULT_FRAME)
    under_way.engine.reset(1, ErrorCode.CANCEL)
    assert under_way.send_raw(b"a" * DEFAULT_FRAME) == []
    assert under_way.send_raw(b"a" * DEFAULT_FRAME + under_way.frames.settings()) == [SettingsReceived()]


def test_more_than_the_stream_s_window(make: Make) -> None:
    peer = make(stream_window=2 * DEFAULT_FRAME)
    peer.greet()
    peer.engine.open(GET, end_stream=True)
    peer.send_headers(1)
    assert len(peer.send_raw(header(LARGE) + bytes(DEFAULT_FRAME))) == 1
    assert len(peer.send_raw(bytes(DEFAULT_FRAME))) == 1
    (failed,) = peer.send_raw(bytes(DEFAULT_FRAME))
    assert isinstance(failed, ConnectionFailed)
    assert failed.error_code == ErrorCode.FLOW_CONTROL_ERROR


@pytest.mark.parametrize("kind", [SettingsFrame.type, 0xEE, GoAwayFrame.type])
def test_a_flood_of_large_frames_ends_after_as_many_bytes(peer: EnginePeer, kind: int) -> None:
    payload = (struct.pack(">HL", 3, 100) * (MAX_FRAME // 6 + 1))[: MAX_FRAME // 6 * 6]
    payload = bytes(8) + payload[8:] if kind == GoAwayFrame.type else payload
    sent = 0
    while not any(isinstance(event, ConnectionFailed) for event in peer.send_frame(kind, 0, 0, payload)):
        peer.said()
        sent += 1
        assert sent <= MAX_USELESS // 4
    assert sent >= 5


def test_no_credit_for_a_stream_that_is_reset(under_way: EnginePeer) -> None:
    """HAProxy loses the request behind both. What the connection is due comes all the same."""
    engine = under_way.engine
    under_way.send_body(1, bytes(1 << 19), end_stream=False)
    engine.credit(1, 1 << 19)
    engine.reset(1, ErrorCode.CANCEL)
    assert [type(frame) for frame in under_way.said()] == [RstStreamFrame]


def test_credit_of_the_connection_for_a_stream_that_is_reset(make: Make, connection_window: int) -> None:
    peer = make(stream_window=connection_window)
    peer.greet()
    peer.engine.open(GET, end_stream=True)
    peer.send_headers(1)
    peer.said()
    peer.send_body(1, bytes(connection_window * 3 // 4), end_stream=False)
    peer.engine.credit(1, connection_window * 3 // 4)
    peer.engine.reset(1, ErrorCode.CANCEL)
    frames = peer.said()
    assert [frame.stream_id for frame in frames if isinstance(frame, WindowUpdateFrame)] == [0]
    assert isinstance(frames[-1], RstStreamFrame)
