"""An engine and a peer that breaks the protocol: errors of the connection and of streams."""

import struct

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine.events import (
    ConnectionFailed,
    DataReceived,
    ResponseReceived,
    StreamFailed,
)
from hyperlite.http2.engine.frames import MAX_FRAME
from tests.peer import EnginePeer

from .conftest import Make
from .script import GET, LARGEST, POST, UNKNOWN, Build, data, failure, goes_on, of, pack_settings

# What breaks the whole connection: a frame, and the code that RFC 9113 has for it.
BREACHES = [
    pytest.param(DataFrame.type, 0, 0, b"x", ErrorCode.PROTOCOL_ERROR, id="DATA on stream 0"),
    pytest.param(HeadersFrame.type, 4, 0, b"\x88", ErrorCode.PROTOCOL_ERROR, id="HEADERS on stream 0"),
    pytest.param(RstStreamFrame.type, 0, 0, bytes(4), ErrorCode.PROTOCOL_ERROR, id="RST_STREAM on stream 0"),
    pytest.param(PriorityFrame.type, 0, 0, bytes(5), ErrorCode.PROTOCOL_ERROR, id="PRIORITY on stream 0"),
    pytest.param(ContinuationFrame.type, 4, 0, b"", ErrorCode.PROTOCOL_ERROR, id="CONTINUATION on stream 0"),
    pytest.param(SettingsFrame.type, 0, 1, b"", ErrorCode.PROTOCOL_ERROR, id="SETTINGS on a stream"),
    pytest.param(PingFrame.type, 0, 1, bytes(8), ErrorCode.PROTOCOL_ERROR, id="PING on a stream"),
    pytest.param(GoAwayFrame.type, 0, 1, bytes(8), ErrorCode.PROTOCOL_ERROR, id="GOAWAY on a stream"),
    pytest.param(RstStreamFrame.type, 0, 1, bytes(3), ErrorCode.FRAME_SIZE_ERROR, id="RST_STREAM of 3"),
    pytest.param(RstStreamFrame.type, 0, 1, bytes(5), ErrorCode.FRAME_SIZE_ERROR, id="RST_STREAM of 5"),
    pytest.param(SettingsFrame.type, 0, 0, bytes(5), ErrorCode.FRAME_SIZE_ERROR, id="SETTINGS of 5"),
    pytest.param(SettingsFrame.type, 1, 0, bytes(6), ErrorCode.FRAME_SIZE_ERROR, id="acknowledgement of 6"),
    pytest.param(PingFrame.type, 0, 0, bytes(7), ErrorCode.FRAME_SIZE_ERROR, id="PING of 7"),
    pytest.param(PingFrame.type, 0, 0, bytes(9), ErrorCode.FRAME_SIZE_ERROR, id="PING of 9"),
    pytest.param(GoAwayFrame.type, 0, 0, bytes(7), ErrorCode.FRAME_SIZE_ERROR, id="GOAWAY of 7"),
    pytest.param(WindowUpdateFrame.type, 0, 0, bytes(3), ErrorCode.FRAME_SIZE_ERROR, id="WINDOW_UPDATE of 3"),
    pytest.param(WindowUpdateFrame.type, 0, 0, bytes(5), ErrorCode.FRAME_SIZE_ERROR, id="WINDOW_UPDATE of 5"),
    pytest.param(WindowUpdateFrame.type, 0, 0, bytes(4), ErrorCode.PROTOCOL_ERROR, id="increment of 0"),
    pytest.param(
        WindowUpdateFrame.type,
        0,
        0,
        struct.pack(">L", LARGEST),
        ErrorCode.FLOW_CONTROL_ERROR,
        id="connection window above 2^31-1",
    ),
    pytest.param(
        SettingsFrame.type, 0, 0, pack_settings(2, 2), ErrorCode.PROTOCOL_ERROR, id="ENABLE_PUSH of 2"
    ),
    pytest.param(
        SettingsFrame.type,
        0,
        0,
        pack_settings(4, 2**31),
        ErrorCode.FLOW_CONTROL_ERROR,
        id="INITIAL_WINDOW_SIZE of 2^31",
    ),
    pytest.param(
        SettingsFrame.type,
        0,
        0,
        pack_settings(5, 16383),
        ErrorCode.PROTOCOL_ERROR,
        id="MAX_FRAME_SIZE of 16383",
    ),
    pytest.param(
        SettingsFrame.type,
        0,
        0,
        pack_settings(5, 2**24),
        ErrorCode.PROTOCOL_ERROR,
        id="MAX_FRAME_SIZE of 2^24",
    ),
    pytest.param(
        PushPromiseFrame.type,
        4,
        1,
        struct.pack(">L", 2) + b"\x82",
        ErrorCode.PROTOCOL_ERROR,
        id="PUSH_PROMISE",
    ),
    pytest.param(DataFrame.type, 8, 1, b"\x05abc", ErrorCode.PROTOCOL_ERROR, id="DATA all padding and more"),
    pytest.param(DataFrame.type, 8, 1, b"", ErrorCode.FRAME_SIZE_ERROR, id="DATA without its pad length"),
    pytest.param(HeadersFrame.type, 12, 1, b"\x05\x88", ErrorCode.PROTOCOL_ERROR, id="HEADERS all padding"),
    pytest.param(
        HeadersFrame.type, 36, 1, bytes(4), ErrorCode.FRAME_SIZE_ERROR, id="HEADERS with half a priority"
    ),
    pytest.param(
        ContinuationFrame.type, 4, 1, b"\x88", ErrorCode.PROTOCOL_ERROR, id="CONTINUATION of nothing"
    ),
    pytest.param(DataFrame.type, 0, 99, b"x", ErrorCode.PROTOCOL_ERROR, id="DATA on an idle stream"),
    pytest.param(HeadersFrame.type, 4, 99, b"\x88", ErrorCode.PROTOCOL_ERROR, id="HEADERS on an idle stream"),
    pytest.param(
        HeadersFrame.type, 4, 1, b"\xff\xff\x7f", ErrorCode.COMPRESSION_ERROR, id="HPACK index 16638"
    ),
    pytest.param(HeadersFrame.type, 4, 1, b"\x80", ErrorCode.COMPRESSION_ERROR, id="HPACK index 0"),
    pytest.param(HeadersFrame.type, 4, 1, b"\x00\x05ab", ErrorCode.COMPRESSION_ERROR, id="HPACK cut off"),
    pytest.param(
        HeadersFrame.type, 4, 1, b"\x88\x20", ErrorCode.COMPRESSION_ERROR, id="HPACK late size update"
    ),
    pytest.param(
        HeadersFrame.type, 4, 1, b"\x3f\xe2\x1f\x88", ErrorCode.COMPRESSION_ERROR, id="HPACK table above 4096"
    ),
    pytest.param(
        HeadersFrame.type, 4, 1, b"\x7f" + b"\xff" * 20, ErrorCode.COMPRESSION_ERROR, id="HPACK huge integer"
    ),
    pytest.param(
        HeadersFrame.type,
        4,
        1,
        b"\x88\x00\x01a\x83\xff\xff\xff",
        ErrorCode.COMPRESSION_ERROR,
        id="HPACK Huffman padding too long",
    ),
]


class TestConnectionErrors:
    @pytest.mark.parametrize(("kind", "flags", "stream_id", "payload", "code"), BREACHES)
    def test_a_breach_ends_the_connection(
        self, peer: EnginePeer, kind: int, flags: int, stream_id: int, payload: bytes, code: ErrorCode
    ) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.said()
        failed = failure(peer.send_frame(kind, flags, stream_id, payload))
        assert failed.error_code == code
        assert code.name in failed.reason
        assert not failed.not_http2
        assert [frame.error_code for frame in peer.said_of(GoAwayFrame)] == [code]
        assert peer.ping() == []
        assert peer.said() == []

    @pytest.mark.parametrize(
        ("kind", "flags", "stream_id", "payload"),
        [
            pytest.param(DataFrame.type, 0, 3, b"x", id="DATA of another stream"),
            pytest.param(HeadersFrame.type, 4, 3, b"\x88", id="HEADERS of another stream"),
            pytest.param(ContinuationFrame.type, 4, 3, b"", id="CONTINUATION of another stream"),
            pytest.param(PingFrame.type, 0, 0, bytes(8), id="PING"),
            pytest.param(SettingsFrame.type, 0, 0, b"", id="SETTINGS"),
            pytest.param(GoAwayFrame.type, 0, 0, bytes(8), id="GOAWAY"),
            pytest.param(WindowUpdateFrame.type, 0, 0, b"\0\0\0\1", id="WINDOW_UPDATE"),
            pytest.param(RstStreamFrame.type, 0, 1, bytes(4), id="RST_STREAM of the same stream"),
            pytest.param(UNKNOWN, 0, 0, b"", id="unknown frame"),
        ],
    )
    def test_nothing_may_come_within_a_header_block(
        self, peer: EnginePeer, kind: int, flags: int, stream_id: int, payload: bytes
    ) -> None:
        """RFC 9113 section 4.3."""
        for _ in range(2):
            peer.engine.open(GET, end_stream=True)
        peer.send_headers(3)
        peer.send_headers(1, end_headers=False)
        failed = failure(peer.send_frame(kind, flags, stream_id, payload))
        assert failed.error_code == ErrorCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("kind", [DataFrame.type, HeadersFrame.type, SettingsFrame.type, UNKNOWN])
    @pytest.mark.parametrize("length", [MAX_FRAME + 1, 2**24 - 1])
    def test_a_frame_that_is_too_large_is_not_waited_for(
        self, peer: EnginePeer, kind: int, length: int
    ) -> None:
        """RFC 9113 section 4.2. Its nine bytes tell; an engine that waited for the rest would hold 16 MB."""
        peer.engine.open(GET, end_stream=True)
        failed = failure(peer.send_raw(struct.pack(">HBBBL", length >> 8, length & 0xFF, kind, 0, 1)))
        assert failed.error_code == ErrorCode.FRAME_SIZE_ERROR
        assert str(length) in failed.reason

    def test_first_settings_that_are_too_large_are_not_waited_for(self, fresh: EnginePeer) -> None:
        assert failure(fresh.send_raw(b"\xff\xff\xff\4\0\0\0\0\0")).error_code == ErrorCode.FRAME_SIZE_ERROR

    def test_a_frame_of_the_largest_size_is_taken(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        assert peer.send_data(1, b"x" * MAX_FRAME) == [DataReceived(1, b"x" * MAX_FRAME, False)]

    def test_what_came_before_the_breach_is_told(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        frames = peer.frames
        events = peer.send_raw(
            frames.headers(1)
            + frames.data(1, b"good", end_stream=True)
            + frames.raw(SettingsFrame.type, 0, 1)
        )
        assert [type(event) for event in events] == [ResponseReceived, DataReceived, ConnectionFailed]

    @pytest.mark.parametrize("kind", ["data", "headers"])
    @pytest.mark.parametrize("end_stream", [False, True])
    def test_frames_after_the_end_of_a_stream(self, peer: EnginePeer, kind: str, end_stream: bool) -> None:
        """RFC 9113 section 5.1: STREAM_CLOSED, of the connection, or of the stream that is gone already."""
        peer.engine.open(GET, end_stream=True)
        peer.answer(1)
        peer.said()
        if events := getattr(peer, f"send_{kind}")(1, end_stream=end_stream):
            assert failure(events).error_code == ErrorCode.STREAM_CLOSED
        else:
            assert {frame.error_code for frame in peer.said_of(RstStreamFrame, 1)} <= {
                ErrorCode.STREAM_CLOSED
            }
            assert goes_on(peer)

    def test_more_data_than_the_stream_s_window(self, make: Make) -> None:
        peer = make(stream_window=1000)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        events = peer.send_data(1, bytes(1001))
        assert [type(event) for event in events] in ([StreamFailed], [ConnectionFailed])
        assert events[0].error_code == ErrorCode.FLOW_CONTROL_ERROR

    def test_padding_counts_against_the_window(self, make: Make) -> None:
        peer = make(stream_window=1000)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        events = peer.send_data(1, bytes(800), padding=200)
        assert [type(event) for event in events] in ([StreamFailed], [ConnectionFailed])
        assert events[0].error_code == ErrorCode.FLOW_CONTROL_ERROR

    def test_a_header_list_that_is_too_large(self, make: Make) -> None:
        peer = make(max_header_list=2000)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        events = peer.send_headers(1, [(":status", "200"), *[("x", "y" * 10)] * 50])
        assert [type(event) for event in events] in ([StreamFailed], [ConnectionFailed])
        assert events[0].error_code == ErrorCode.ENHANCE_YOUR_CALM

    def test_an_hpack_bomb(self, peer: EnginePeer) -> None:
        """4 KB in the table, named thousands of times: megabytes from a few bytes."""
        peer.engine.open(GET, end_stream=True)
        block = peer.frames.block([(":status", "200"), ("x", "y" * 3900)])
        events = peer.send_frame(HeadersFrame.type, 4, 1, block + b"\xbe" * 10_000)
        assert [type(event) for event in events] in ([StreamFailed], [ConnectionFailed])

    def test_a_flood_of_continuations(self, peer: EnginePeer) -> None:
        """A block without an end must not be collected for ever (VU#421644)."""
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1, end_headers=False)
        for _ in range(2000):
            if events := peer.send_raw(peer.frames.continuation(1, b"\0\1a\1b" * 1000, end_headers=False)):
                break
        assert isinstance(events[-1], ConnectionFailed)

    def test_a_flood_of_empty_continuations(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1, end_headers=False)
        for _ in range(2000):
            if events := peer.send_raw(peer.frames.continuation(1, b"", end_headers=False)):
                break
        assert isinstance(events[-1], ConnectionFailed)


def headers(*fields: tuple[str, str], status: str | None = "200", end_stream: bool = False) -> Build:
    block = [*([(":status", status)] if status is not None else []), *fields]
    return lambda frames, wire_id: frames.headers(wire_id, block, end_stream=end_stream)


THREE = ("content-length", "3")


MALFORMED = {
    "no status": [headers(("a", "b"), status=None)],
    "empty block": [headers(status=None)],
    "bad status": [headers(status="+200")],
    "bad status that begins like a 1xx": [headers(status="1xx")],
    "two statuses": [headers((":status", "200"))],
    "upper case": [headers(("Upper", "x"))],
    "upper case, with END_STREAM": [headers(("Upper", "x"), end_stream=True)],
    "line break in a value": [headers(("a", "b\r\nc: d"))],
    "connection field": [headers(("connection", "close"))],
    "bad content-length": [headers(("content-length", "x"))],
    "1xx with END_STREAM": [headers(status="103", end_stream=True)],
    "malformed 1xx": [headers(("Upper", "x"), status="103")],
    "101": [headers(status="101")],
    "DATA before HEADERS": [data(b"x")],
    "empty DATA before HEADERS": [data()],
    "last DATA before HEADERS": [data(end_stream=True)],
    "DATA after a 1xx": [headers(status="100"), data(end_stream=True)],
    "trailers without END_STREAM": [headers(), headers(("a", "b"), status=None)],
    "1xx after the response": [headers(), headers(status="103")],
    "second response": [headers(), headers()],
    "status in trailers": [headers(), headers(end_stream=True)],
    "upper case in trailers": [headers(), headers(("Upper", "x"), status=None, end_stream=True)],
    "more than content-length": [headers(THREE), data(b"four")],
    "less than content-length": [headers(THREE), data(b"12", end_stream=True)],
    "trailers before content-length": [headers(THREE), headers(("a", "b"), status=None, end_stream=True)],
    "END_STREAM before content-length": [headers(THREE, end_stream=True)],
    "204 with a body": [headers(status="204"), data(b"x")],
    "too many fields": [headers(*[("a", "b")] * 1000)],
    "too many 1xx": [headers(status="103")] * 101,
}


CALM = {"too many fields", "too many 1xx"}


class TestStreamErrors:
    """RFC 9113 section 8.1.1: a malformed response costs its own stream and no other."""

    @pytest.mark.parametrize("ended", [True, False], ids=["request sent", "request under way"])
    @pytest.mark.parametrize("case", MALFORMED)
    def test_a_malformed_response_is_reset(self, peer: EnginePeer, case: str, ended: bool) -> None:
        wire_id = peer.engine.open(GET if ended else POST, end_stream=ended)
        sibling = peer.engine.open(GET, end_stream=True)
        peer.send_headers(sibling)
        peer.said()
        *good, bad = [build(peer.frames, wire_id) for build in MALFORMED[case]]
        assert of(StreamFailed, peer.send_raw(b"".join(good))) == []
        (event,) = peer.send_raw(bad)
        assert isinstance(event, StreamFailed)
        code = ErrorCode.ENHANCE_YOUR_CALM if case in CALM else ErrorCode.PROTOCOL_ERROR
        assert (event.wire_id, event.error_code, event.remote) == (wire_id, code, False)
        assert event.reason.startswith("malformed response: ")
        resets = peer.said_of(RstStreamFrame)
        assert {frame.stream_id for frame in resets} <= {wire_id}
        if resets or not (ended and bad[4] & 1):  # a stream that both sides have ended needs none
            assert resets[0].error_code == code
        assert peer.send_data(sibling, b"alive", end_stream=True) == [DataReceived(sibling, b"alive", True)]
        assert goes_on(peer)

    def test_a_stream_that_both_sides_have_ended_is_not_reset(self, peer: EnginePeer) -> None:
        """RFC 9113 section 5.1: nothing is sent on a stream that is closed."""
        peer.engine.open(GET, end_stream=True)
        (event,) = peer.send_headers(1, [(":status", "200"), THREE], end_stream=True)
        assert isinstance(event, StreamFailed)
        assert peer.said_of(RstStreamFrame) == []
        assert failure(peer.send_headers(1)).error_code == ErrorCode.STREAM_CLOSED

    @pytest.mark.parametrize("priority", [b"", bytes(5), struct.pack(">LB", 1, 3)])
    def test_a_first_frame_may_be_nothing_but_padding(self, peer: EnginePeer, priority: bytes) -> None:
        peer.engine.open(GET, end_stream=True)
        flags = 0x8 | (0x20 if priority else 0)
        assert peer.send_frame(HeadersFrame.type, flags, 1, b"\x07" + priority + bytes(7)) == []
        (event,) = peer.send_raw(peer.frames.continuation(1, b"\x88"))
        assert isinstance(event, ResponseReceived)

    @pytest.mark.parametrize("split", [True, False])
    def test_it_may_come_in_several_frames(self, peer: EnginePeer, split: bool) -> None:
        peer.engine.open(GET, end_stream=True)
        events = peer.send_headers(1, [(":status", "200"), ("Upper", "x" * 30)], split=9 if split else 0)
        assert [type(event) for event in events] == [StreamFailed]
        assert goes_on(peer)

    @pytest.mark.parametrize("end_stream", [False, True])
    @pytest.mark.parametrize("kind", ["data", "headers"])
    def test_frames_after_the_end_of_the_response(
        self, peer: EnginePeer, kind: str, end_stream: bool
    ) -> None:
        """While the request is still under way, the stream is half closed: RFC 9113 section 5.1."""
        wire_id = peer.engine.open(POST, end_stream=False)
        peer.answer(wire_id)
        events = getattr(peer, f"send_{kind}")(wire_id, end_stream=end_stream)
        assert [type(event) for event in events] in ([StreamFailed], [ConnectionFailed])
        assert events[0].error_code == ErrorCode.STREAM_CLOSED

    def test_a_window_that_grows_beyond_the_largest(self, peer: EnginePeer) -> None:
        """RFC 9113 section 6.9.1: an error of the stream, if it is the stream's."""
        wire_id = peer.engine.open(POST, end_stream=False)
        (event,) = peer.window_update(wire_id, LARGEST)
        assert isinstance(event, StreamFailed)
        assert (event.wire_id, event.error_code, event.remote) == (
            wire_id,
            ErrorCode.FLOW_CONTROL_ERROR,
            False,
        )
        (frame,) = peer.said_of(RstStreamFrame)
        assert (frame.stream_id, frame.error_code) == (wire_id, ErrorCode.FLOW_CONTROL_ERROR)
        assert goes_on(peer)

    def test_an_increment_of_0_on_a_stream(self, peer: EnginePeer) -> None:
        wire_id = peer.engine.open(POST, end_stream=False)
        (event,) = peer.window_update(wire_id, 0)
        assert isinstance(event, (StreamFailed, ConnectionFailed))
        assert event.error_code == ErrorCode.PROTOCOL_ERROR


class TestRstStream:
    @pytest.mark.parametrize("code", [*ErrorCode, 0xDEAD])
    def test_the_peer_resets_a_stream(self, peer: EnginePeer, code: int) -> None:
        for _ in range(2):
            peer.engine.open(GET, end_stream=True)
        (event,) = peer.rst(1, code)
        assert isinstance(event, StreamFailed)
        assert (event.wire_id, event.error_code, event.remote) == (1, code, True)
        assert "reset by the peer" in event.reason
        assert len(of(ResponseReceived, peer.answer(3))) == 1

    def test_in_the_middle_of_a_body(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        peer.send_data(1, b"x")
        assert len(of(StreamFailed, peer.rst(1, ErrorCode.INTERNAL_ERROR))) == 1

    def test_it_is_not_answered(self, peer: EnginePeer) -> None:
        """RFC 9113 section 5.4.2: no RST_STREAM in response to RST_STREAM."""
        peer.engine.open(GET, end_stream=True)
        peer.said()
        peer.rst(1, ErrorCode.CANCEL)
        peer.rst(1, ErrorCode.CANCEL)
        peer.engine.reset(1, ErrorCode.CANCEL)
        assert peer.said() == []

    def test_after_an_early_response_it_is_told(self, peer: EnginePeer) -> None:
        """RFC 9113 section 8.1: with NO_ERROR it means that the rest of the body is not wanted."""
        wire_id = peer.engine.open(POST, end_stream=False)
        peer.answer(wire_id, b"enough")
        (event,) = peer.rst(wire_id, ErrorCode.NO_ERROR)
        assert (event.wire_id, event.error_code, event.remote) == (wire_id, ErrorCode.NO_ERROR, True)

    @pytest.mark.parametrize("code", [ErrorCode.NO_ERROR, ErrorCode.CANCEL])
    def test_after_the_end_of_the_stream_it_means_nothing(self, peer: EnginePeer, code: ErrorCode) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.answer(1)
        assert peer.rst(1, code) == []
        assert goes_on(peer)

    def test_on_an_idle_stream_it_harms_no_other(self, peer: EnginePeer) -> None:
        """RFC 9113 section 6.4 has a connection error for it; h2 ignores it."""
        peer.engine.open(GET, end_stream=True)
        events = peer.rst(99, ErrorCode.CANCEL)
        assert events == [] or failure(events).error_code == ErrorCode.PROTOCOL_ERROR


class TestStreamsOfThePeer:
    """A client has none: ENABLE_PUSH is 0."""

    def test_a_promise_is_refused(self, peer: EnginePeer) -> None:
        """RFC 9113 section 8.4."""
        peer.engine.open(GET, end_stream=True)
        events = peer.send_raw(peer.frames.push_promise(1, 2, [(":method", "GET"), (":path", "/a")]))
        assert failure(events).error_code == ErrorCode.PROTOCOL_ERROR

    def test_headers_on_an_even_stream(self, peer: EnginePeer) -> None:
        """RFC 9113 section 5.1.1: an unexpected stream identifier is a connection error."""
        peer.engine.open(GET, end_stream=True)
        assert failure(peer.send_headers(2)).error_code == ErrorCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("kind", ["data", "headers", "rst", "window_update"])
    def test_what_follows_on_an_even_stream_raises_nothing(self, peer: EnginePeer, kind: str) -> None:
        """An engine never raises for what a peer sends."""
        peer.engine.open(GET, end_stream=True)
        frames = peer.frames
        more = {
            "data": frames.data(2, b"x"),
            "headers": frames.headers(2, end_stream=True),
            "rst": frames.rst(2),
            "window_update": frames.window_update(2, 5),
        }
        events = peer.send_raw(frames.headers(2) + more[kind])
        assert [type(event) for event in events] in ([], [ConnectionFailed])
