"""An engine: bytes in, events out; calls in, bytes out. By RFC 9113, whichever engine it is."""

import itertools
import random
import struct
from collections.abc import Callable

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine import MAX_HEADER_LIST, make_engine
from hyperlite.http2.engine.events import (
    ConnectionFailed,
    DataReceived,
    Event,
    GoAwayReceived,
    InformationalReceived,
    PingAcknowledged,
    ResponseReceived,
    SettingsReceived,
    StreamFailed,
    TrailersReceived,
    WindowOpened,
)
from hyperlite.http2.engine.frames import MAX_FRAME
from hyperlite.http2.engine.windows import (
    CONNECTION_WINDOW,
    CREDIT_SHARE,
    GROWTH,
    MAX_STREAM_WINDOW,
    STREAM_WINDOW,
)
from tests.peer import PREFACE, EnginePeer, FrameFactory

from .conftest import Make, request

GET = request("GET")
POST = request("POST")
DEFAULT_FRAME = 16384
LARGEST = 2**31 - 1
ALTSVC, ORIGIN, UNKNOWN = 0xA, 0xC, 0xEE


def failure(events: list[Event]) -> ConnectionFailed:
    """Return the failure of the connection, which must be the last event and the only one of its kind."""
    assert isinstance(events[-1], ConnectionFailed), events
    assert sum(isinstance(event, ConnectionFailed) for event in events) == 1
    return events[-1]


def of(kind: type, events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def goes_on(peer: EnginePeer) -> bool:
    """Tell whether a new request is answered: the connection is whole, and its HPACK state too."""
    wire_id = peer.engine.open(GET, end_stream=True)
    events = peer.answer(wire_id, b"alive", fields=[("x-alive", "yes"), ("content-length", "5")])
    return events == [
        ResponseReceived(
            wire_id, 200, [(b":status", b"200"), (b"x-alive", b"yes"), (b"content-length", b"5")], 5, False
        ),
        DataReceived(wire_id, b"alive", True),
    ]


class TestGreeting:
    def test_the_client_s_preface(self, fresh: EnginePeer) -> None:
        assert fresh.engine.take().startswith(PREFACE)

    def test_its_settings(self, fresh: EnginePeer) -> None:
        first = fresh.said()[0]
        assert isinstance(first, SettingsFrame)
        assert first.settings[SettingsFrame.ENABLE_PUSH] == 0
        assert first.settings[SettingsFrame.INITIAL_WINDOW_SIZE] == STREAM_WINDOW
        assert first.settings[SettingsFrame.MAX_HEADER_LIST_SIZE] == MAX_HEADER_LIST
        assert first.settings[SettingsFrame.MAX_FRAME_SIZE] == MAX_FRAME
        assert SettingsFrame.ENABLE_CONNECT_PROTOCOL not in first.settings  # a server's
        # Go's server changes its table while it encodes the response to an upgrade, whatever the size is.
        assert SettingsFrame.HEADER_TABLE_SIZE not in first.settings

    def test_its_settings_are_those_asked_for(self, make: Make) -> None:
        first = make(stream_window=100_000, max_header_list=5000).said()[0]
        assert first.settings[SettingsFrame.INITIAL_WINDOW_SIZE] == 100_000
        assert first.settings[SettingsFrame.MAX_HEADER_LIST_SIZE] == 5000

    def test_the_connection_s_window_is_wide_from_the_start(self, fresh: EnginePeer) -> None:
        assert [frame.window_increment for frame in fresh.said_of(WindowUpdateFrame, 0)] == [
            CONNECTION_WINDOW - 65535
        ]

    def test_a_request_may_be_sent_with_the_preface(self, fresh: EnginePeer) -> None:
        fresh.engine.open(GET, end_stream=True)
        assert [type(frame) for frame in fresh.said()] == [SettingsFrame, WindowUpdateFrame, HeadersFrame]

    def test_the_server_s_settings_are_acknowledged(self, fresh: EnginePeer) -> None:
        fresh.said()
        assert fresh.greet(max_concurrent_streams=7) == [SettingsReceived()]
        (ack,) = fresh.said()
        assert isinstance(ack, SettingsFrame)
        assert "ACK" in ack.flags
        assert ack.settings == {}

    def test_empty_settings_are_settings(self, fresh: EnginePeer) -> None:
        assert fresh.greet() == [SettingsReceived()]
        assert goes_on(fresh)

    @pytest.mark.parametrize(
        "start",
        [
            pytest.param(lambda frames: frames.ping(), id="PING"),
            pytest.param(lambda frames: frames.headers(1), id="HEADERS"),
            pytest.param(lambda frames: frames.window_update(0, 1), id="WINDOW_UPDATE"),
            pytest.param(lambda frames: frames.settings_ack(), id="SETTINGS acknowledgement"),
            pytest.param(lambda frames: frames.goaway(0), id="GOAWAY"),
            pytest.param(lambda frames: frames.raw(UNKNOWN, 0, 0, b"x"), id="unknown"),
        ],
    )
    def test_the_first_frame_must_be_settings(
        self, fresh: EnginePeer, start: Callable[[FrameFactory], bytes]
    ) -> None:
        """RFC 9113 section 3.4."""
        fresh.engine.open(GET, end_stream=True)
        failed = failure(fresh.send_raw(start(fresh.frames)))
        assert failed.error_code == ErrorCode.PROTOCOL_ERROR
        assert "did not begin with SETTINGS" in failed.reason
        assert fresh.said_of(GoAwayFrame)[0].error_code == ErrorCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("line", ["HTTP/1.1 400 Bad Request", "HTTP/1.0 505 No", "HTTP/1.1 200 OK"])
    def test_an_answer_in_http_1_is_named(self, fresh: EnginePeer, line: str) -> None:
        failed = failure(fresh.send_raw(line.encode() + b"\r\nContent-Length: 0\r\n\r\n"))
        assert failed.not_http2
        assert f"answered in HTTP/1 on an HTTP/2 connection: {line} (" in failed.reason

    @pytest.mark.parametrize("size", [9, 12, 1000])
    def test_an_answer_in_http_1_is_not_waited_for(self, fresh: EnginePeer, size: int) -> None:
        """Read as a frame, "HTT" announces 4.7 MB."""
        assert failure(fresh.send_raw((b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 1000)[:size])).not_http2

    @pytest.mark.parametrize(
        "garbage",
        [
            b"SSH-2.0-OpenSSH_9.2\r\n",
            bytes(range(200, 240)),
            b"\0" * 30,
            b"<html>nothing here</html>",
            b"\x15\x03\x03\0\2\x02\x46\0\0\0",
        ],
        ids=["ssh", "random", "zeros", "html", "tls alert"],
    )
    def test_garbage(self, fresh: EnginePeer, garbage: bytes) -> None:
        failed = failure(fresh.send_raw(garbage))
        assert (failed.not_http2, failed.error_code) == (True, ErrorCode.PROTOCOL_ERROR)
        assert repr(garbage[:9])[2:-1] in failed.reason

    def test_less_than_a_frame_header_says_nothing_yet(self, fresh: EnginePeer) -> None:
        assert fresh.send_raw(b"HTTP/1.1") == []

    def test_after_a_failure_nothing_is_read(self, fresh: EnginePeer) -> None:
        fresh.send_raw(fresh.frames.ping())
        fresh.said()
        assert fresh.send_raw(fresh.frames.settings() + fresh.frames.ping()) == []
        assert fresh.said() == []


class TestConcurrency:
    def test_before_the_settings_a_hundred(self, fresh: EnginePeer) -> None:
        assert fresh.engine.max_concurrent_streams == 100

    @pytest.mark.parametrize("limit", [0, 1, 100, 2**32 - 1])
    def test_what_the_settings_say(self, fresh: EnginePeer, limit: int) -> None:
        fresh.greet(max_concurrent_streams=limit)
        assert fresh.engine.max_concurrent_streams == limit

    def test_settings_that_say_nothing_mean_no_limit(self, fresh: EnginePeer) -> None:
        fresh.greet()
        assert fresh.engine.max_concurrent_streams >= LARGEST

    def test_it_may_change(self, fresh: EnginePeer) -> None:
        fresh.greet(max_concurrent_streams=10)
        fresh.send_settings(max_concurrent_streams=2)
        assert fresh.engine.max_concurrent_streams == 2
        fresh.send_settings(initial_window_size=100)
        assert fresh.engine.max_concurrent_streams == 2

    def test_of_a_setting_that_repeats_the_last_counts(self, fresh: EnginePeer) -> None:
        fresh.greet([(SettingsFrame.MAX_CONCURRENT_STREAMS, 5), (SettingsFrame.MAX_CONCURRENT_STREAMS, 3)])
        assert fresh.engine.max_concurrent_streams == 3

    def test_streams_that_are_over_count_no_more(self, fresh: EnginePeer) -> None:
        """The engine must not refuse what its owner has counted right."""
        fresh.greet(max_concurrent_streams=1)
        for _ in range(3):
            assert goes_on(fresh)
        reset = fresh.engine.open(POST, end_stream=False)
        fresh.engine.reset(reset, ErrorCode.CANCEL)
        assert goes_on(fresh)
        refused = fresh.engine.open(GET, end_stream=True)
        fresh.rst(refused, ErrorCode.REFUSED_STREAM)
        assert goes_on(fresh)
        early = fresh.engine.open(POST, end_stream=False)
        fresh.answer(early)
        fresh.engine.reset(early, ErrorCode.NO_ERROR)
        assert goes_on(fresh)


class TestOpen:
    def test_wire_ids_are_odd_and_ascend(self, peer: EnginePeer) -> None:
        assert [peer.engine.open(GET, end_stream=True) for _ in range(4)] == [1, 3, 5, 7]

    @pytest.mark.parametrize("end_stream", [False, True])
    def test_the_fields_go_out_as_they_are(self, peer: EnginePeer, end_stream: bool) -> None:
        fields = request("PUT", (b"x-a", b"1"), (b"x-latin", b"caf\xe9"), (b"x-a", b"2"), (b"empty", b""))
        peer.engine.open(fields, end_stream=end_stream)
        (frame,) = peer.said_of(HeadersFrame)
        assert ("END_STREAM" in frame.flags) is end_stream
        assert frame.fields == [(name.decode(), value.decode("latin-1")) for name, value in fields]

    def test_a_long_header_block_is_continued(self, peer: EnginePeer) -> None:
        value = bytes(random.Random(1).choices(b"!#$%&()*+<=>?@[]^{|}~", k=40_000))
        peer.engine.open(request("GET", (b"x-long", value)), end_stream=True)
        data, lengths = peer.engine.take(), []
        at = 0
        while at < len(data):
            frame, length = Frame.parse_frame_header(memoryview(data)[at : at + 9])
            lengths.append((type(frame), length))
            at += 9 + length
        assert [kind for kind, _ in lengths] == [HeadersFrame] + [ContinuationFrame] * (len(lengths) - 1)
        assert len(lengths) > 2
        assert max(length for _, length in lengths) <= DEFAULT_FRAME

    def test_the_stream_numbers_end(self, make: Make) -> None:
        """RFC 9113 section 5.1.1."""
        peer = make(first_wire_id=2**31 - 3)
        peer.greet()
        assert not peer.engine.exhausted
        assert peer.engine.open(GET, end_stream=True) == 2**31 - 3
        assert not peer.engine.exhausted
        assert peer.engine.open(GET, end_stream=True) == 2**31 - 1
        assert peer.engine.exhausted
        assert len(of(ResponseReceived, peer.answer(2**31 - 1) + peer.answer(2**31 - 3))) == 2

    def test_a_connection_is_not_exhausted_at_first(self, fresh: EnginePeer) -> None:
        assert not fresh.engine.exhausted


class TestResponses:
    def test_headers_alone(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        assert peer.send_headers(1, [(":status", "204"), ("a", "b")], end_stream=True) == [
            ResponseReceived(1, 204, [(b":status", b"204"), (b"a", b"b")], 0, True)
        ]

    def test_headers_and_data(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        assert peer.send_headers(1) == [ResponseReceived(1, 200, [(b":status", b"200")], None, False)]
        assert peer.send_data(1, b"ab") == [DataReceived(1, b"ab", False)]
        assert peer.send_data(1, b"cd", end_stream=True) == [DataReceived(1, b"cd", True)]

    def test_an_empty_data_frame_ends_it(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        assert peer.send_data(1, end_stream=True) == [DataReceived(1, b"", True)]

    def test_trailers(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        peer.send_data(1, b"ab")
        assert peer.send_headers(1, [("x-sum", "1")], end_stream=True) == [
            TrailersReceived(1, [(b"x-sum", b"1")])
        ]

    def test_a_content_length(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        (response,) = peer.send_headers(1, [(":status", "200"), ("content-length", "5")])
        assert response.length == 5

    @pytest.mark.parametrize("padding", [0, 1, 9, 255])
    @pytest.mark.parametrize("body", [b"", b"hello"])
    def test_padding_is_no_part_of_the_content_length(
        self, peer: EnginePeer, padding: int, body: bytes
    ) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1, [(":status", "200"), ("content-length", str(len(body)))])
        assert peer.send_data(1, body, padding=padding, end_stream=True) == [DataReceived(1, body, True)]

    def test_the_response_to_head_has_no_body(self, peer: EnginePeer) -> None:
        peer.engine.open(request("HEAD"), end_stream=True)
        (response,) = peer.send_headers(1, [(":status", "200"), ("content-length", "5")], end_stream=True)
        assert (response.length, response.end_stream) == (0, True)

    def test_informational_responses_come_before(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        assert peer.send_headers(1, [(":status", "100")]) == [
            InformationalReceived(1, 100, [(b":status", b"100")])
        ]
        assert peer.send_headers(1, [(":status", "103"), ("link", "</a>")]) == [
            InformationalReceived(1, 103, [(b":status", b"103"), (b"link", b"</a>")])
        ]
        assert len(of(ResponseReceived, peer.answer(1))) == 1

    def test_streams_are_interleaved(self, peer: EnginePeer) -> None:
        for _ in range(3):
            peer.engine.open(GET, end_stream=True)
        for wire_id in (5, 1, 3):
            peer.send_headers(wire_id)
        events = [
            event for wire_id in (3, 5, 1, 3, 5, 1) for event in peer.send_data(wire_id, b"%d" % wire_id)
        ]
        assert [(event.wire_id, event.data) for event in events] == [
            (wire_id, b"%d" % wire_id) for wire_id in (3, 5, 1, 3, 5, 1)
        ]

    def test_values_are_bytes(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        (response,) = peer.send_headers(1, [(":status", "200"), ("a", b"caf\xe9 \xe2\x82\xac")])
        assert response.fields[1] == (b"a", b"caf\xe9 \xe2\x82\xac")
        assert [type(text) for field in response.fields for text in field] == [bytes] * 4

    def test_data_is_bytes(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        (event,) = peer.send_data(1, b"x" * 100, padding=10)
        assert type(event.data) is bytes

    def test_a_response_before_the_request_is_complete(self, peer: EnginePeer) -> None:
        wire_id = peer.engine.open(POST, end_stream=False)
        events = peer.answer(wire_id, b"no", status=413)
        assert [type(event) for event in events] == [ResponseReceived, DataReceived]
        assert events[-1].end_stream


class TestHeaderBlocks:
    FIELDS = ((":status", "200"), ("server", "a" * 50), ("x-other", "b" * 50))

    def expected(self, end_stream: bool = False) -> list[Event]:
        fields = [(name.encode(), value.encode()) for name, value in self.FIELDS]
        return [ResponseReceived(1, 200, fields, None, end_stream)]

    @pytest.mark.parametrize("split", [1, 2, 7, 60])
    @pytest.mark.parametrize("end_stream", [False, True])
    def test_they_are_put_together(self, make: Make, split: int, end_stream: bool) -> None:
        peer = make()
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        block = FrameFactory().block(self.FIELDS)
        split = max(split, len(block) // 50 + 1)  # no more than 50 frames: more are a flood
        assert peer.send_headers(1, self.FIELDS, split=split, end_stream=end_stream) == self.expected(
            end_stream
        )
        if end_stream:
            assert goes_on(peer)

    def test_with_padding_and_a_priority(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        events = peer.send_headers(1, self.FIELDS, split=20, padding=30, priority=struct.pack(">LB", 0, 15))
        assert events == self.expected()

    @pytest.mark.parametrize("padding", [0, 1, 255])
    def test_padding_alone(self, peer: EnginePeer, padding: int) -> None:
        peer.engine.open(GET, end_stream=True)
        assert peer.send_headers(1, self.FIELDS, padding=padding) == self.expected()

    def test_trailers_are_put_together(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        assert peer.send_headers(1, [("x-sum", "1" * 30)], split=10, end_stream=True) == [
            TrailersReceived(1, [(b"x-sum", b"1" * 30)])
        ]

    def test_informational_blocks_are_put_together(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        assert peer.send_headers(1, [(":status", "103"), ("link", "a" * 30)], split=10) == [
            InformationalReceived(1, 103, [(b":status", b"103"), (b"link", b"a" * 30)])
        ]

    def test_a_continuation_may_be_empty(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1, self.FIELDS, end_headers=False)
        assert peer.send_raw(peer.frames.continuation(1, b"")) == self.expected()

    def test_nothing_is_told_of_half_a_block(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        assert peer.send_headers(1, self.FIELDS, end_headers=False) == []

    def test_a_field_of_the_table_is_known_again(self, peer: EnginePeer) -> None:
        for wire_id in (1, 3):
            peer.engine.open(GET, end_stream=True)
            fields = [("x-one", "1"), ("x-two", "2")][:: 1 if wire_id == 1 else -1]
            (event,) = peer.send_headers(wire_id, [(":status", "200"), *fields])
            assert event.fields[1:] == [(name.encode(), value.encode()) for name, value in fields]

    def test_a_reset_stream_s_block_still_fills_the_table(self, peer: EnginePeer) -> None:
        """RFC 9113 section 4.3: the table is the connection's."""
        peer.engine.open(GET, end_stream=True)
        peer.engine.reset(1, ErrorCode.CANCEL)
        assert peer.send_headers(1, [(":status", "200"), ("x-late", "value")]) == []
        wire_id = peer.engine.open(GET, end_stream=True)
        (event,) = peer.send_headers(wire_id, [(":status", "200"), ("x-late", "value")])
        assert event.fields[1] == (b"x-late", b"value")

    def test_a_reset_between_the_frames_of_a_block(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        block = peer.frames.block([(":status", "200"), ("x-late", "value")])
        peer.send_frame(HeadersFrame.type, 0, 1, block[:5])
        peer.engine.reset(1, ErrorCode.CANCEL)
        assert peer.send_raw(peer.frames.continuation(1, block[5:])) == []
        wire_id = peer.engine.open(GET, end_stream=True)
        (event,) = peer.send_headers(wire_id, [(":status", "200"), ("x-late", "value")])
        assert event.fields[1] == (b"x-late", b"value")

    def test_a_malformed_block_still_fills_the_table(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1, [(":status", "0"), ("x-late", "value")])
        assert goes_on(peer)
        wire_id = peer.engine.open(GET, end_stream=True)
        (event,) = peer.send_headers(wire_id, [(":status", "200"), ("x-late", "value")])
        assert event.fields[1] == (b"x-late", b"value")

    def test_a_block_out_of_place_still_fills_the_table(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        peer.send_headers(1, [("x-late", "value")])  # trailers that do not end the stream
        wire_id = peer.engine.open(GET, end_stream=True)
        (event,) = peer.send_headers(wire_id, [(":status", "200"), ("x-late", "value")])
        assert event.fields[1] == (b"x-late", b"value")

    def test_a_table_size_update_at_the_start_of_a_block(self, peer: EnginePeer) -> None:
        peer.frames.encoder.header_table_size = 0
        peer.engine.open(GET, end_stream=True)
        assert len(peer.send_headers(1, self.FIELDS, end_stream=True)) == 1
        assert goes_on(peer)

    @pytest.mark.parametrize("size", [0, 100, 4096, 2**32 - 1])
    def test_the_server_s_table_size_is_obeyed(self, peer: EnginePeer, size: int) -> None:
        """Its decoder is the judge: blocks must stay decodable whatever it allows us."""
        peer.engine.open(request("GET", (b"x-a", b"1")), end_stream=True)
        peer.said()
        peer.send_settings(header_table_size=size)
        peer._reader.decoder.max_allowed_table_size = size
        for number in range(3):
            peer.engine.open(request("GET", (b"x-a", b"1"), (b"x-b", b"%d" % number)), end_stream=True)
        blocks = peer.said_of(HeadersFrame)
        assert [frame.fields[4:] for frame in blocks] == [[("x-a", "1"), ("x-b", str(n))] for n in range(3)]

    def test_the_server_s_table_size_is_no_reason_to_fill_our_memory(self, peer: EnginePeer) -> None:
        """It may allow 4 GiB; RFC 7541 section 4.2 lets the encoder use less. Go and nghttp2: 4,096."""
        peer.said()
        peer.send_settings(header_table_size=2**32 - 1)
        decoder = peer._reader.decoder
        decoder.max_allowed_table_size = 2**32 - 1
        for number in range(200):
            value = b"%d" % number * 200
            peer.engine.reset(peer.engine.open(request("GET", (b"x-a", value)), end_stream=True), 8)
        assert len(peer.said_of(HeadersFrame)) == 200
        assert decoder.header_table_size <= 65536


class TestCutting:
    """TCP keeps no boundaries: the same bytes give the same events, wherever they are cut."""

    def transcript(self) -> bytes:
        frames = FrameFactory()
        return b"".join(
            [
                frames.settings(max_concurrent_streams=50, initial_window_size=100_000),
                frames.settings_ack(),
                frames.headers(1, [(":status", "103"), ("link", "</a>")]),
                frames.headers(
                    1, [(":status", "200"), ("a", "x" * 40)], padding=7, priority=bytes(5), split=11
                ),
                frames.ping(b"12345678"),
                frames.data(1, b"hello", padding=3),
                frames.headers(3, [(":status", "404"), ("content-length", "0")], end_stream=True),
                frames.raw(UNKNOWN, 0xFF, 1, b"whatever"),
                frames.window_update(0, 1000),
                frames.window_update(5, 1000),
                frames.data(1, b""),
                frames.headers(5, [("a", "no status")]),
                frames.data(5, b"late"),
                frames.ping(b"87654321", ack=True),
                frames.headers(7, [(":status", "200"), ("content-length", "3")]),
                frames.goaway(9, 0, b"bye"),
                frames.data(7, b"four"),
                frames.rst(9, ErrorCode.REFUSED_STREAM),
                frames.data(1, b" world"),
                frames.headers(1, [("x-sum", "11")], end_stream=True),
                frames.settings(header_table_size=100),
                frames.goaway(1, ErrorCode.ENHANCE_YOUR_CALM),
                frames.headers(1, [(":status", "200")]),  # after END_STREAM: the end of the connection
                frames.ping(b"not read"),
            ]
        )

    def play(self, make: Make, pieces: list[bytes]) -> tuple[list[Event], bytes]:
        peer = make()
        for _ in range(5):
            peer.engine.open(GET, end_stream=True)
        events = [event for piece in pieces for event in peer.send_raw(piece)]
        return events, peer.engine.take()

    def test_the_transcript_has_something_of_everything(self, make: Make) -> None:
        events, _ = self.play(make, [self.transcript()])
        assert {type(event) for event in events} == {
            ConnectionFailed,
            DataReceived,
            GoAwayReceived,
            InformationalReceived,
            PingAcknowledged,
            ResponseReceived,
            SettingsReceived,
            StreamFailed,
            TrailersReceived,
            WindowOpened,
        }
        assert isinstance(events[-1], ConnectionFailed)

    def test_byte_by_byte(self, make: Make) -> None:
        transcript = self.transcript()
        whole = self.play(make, [transcript])
        assert self.play(make, [bytes([byte]) for byte in transcript]) == whole

    def test_in_two_at_every_place(self, make: Make) -> None:
        transcript = self.transcript()
        whole = self.play(make, [transcript])
        for at in range(len(transcript)):
            assert self.play(make, [transcript[:at], transcript[at:]]) == whole, f"cut at {at}"

    @settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(cuts=st.lists(st.integers(0, 600), max_size=12))
    def test_at_any_places(self, make: Make, cuts: list[int]) -> None:
        transcript = self.transcript()
        places = [0, *sorted(min(cut, len(transcript)) for cut in cuts), len(transcript)]
        pieces = [transcript[start:end] for start, end in itertools.pairwise(places)]
        assert self.play(make, pieces) == self.play(make, [transcript])


def pack_settings(identifier: int, value: int) -> bytes:
    return struct.pack(">HL", identifier, value)


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
        """RFC 9113 section 4.2. Its nine bytes tell; whoever waited would hold 16 MB."""
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


# What is wrong with one stream alone: the frames that come on it, of which the last shows it.
Build = Callable[[FrameFactory, int], bytes]


def headers(*fields: tuple[str, str], status: str | None = "200", end_stream: bool = False) -> Build:
    block = [*([(":status", status)] if status is not None else []), *fields]
    return lambda frames, wire_id: frames.headers(wire_id, block, end_stream=end_stream)


def data(body: bytes = b"", *, end_stream: bool = False) -> Build:
    return lambda frames, wire_id: frames.data(wire_id, body, end_stream=end_stream)


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


class TestReset:
    def test_it_is_sent(self, peer: EnginePeer) -> None:
        wire_id = peer.engine.open(POST, end_stream=False)
        peer.said()
        peer.engine.reset(wire_id, ErrorCode.CANCEL)
        (frame,) = peer.said()
        assert isinstance(frame, RstStreamFrame)
        assert (frame.stream_id, frame.error_code) == (wire_id, ErrorCode.CANCEL)

    def test_twice_is_once(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.engine.reset(1, ErrorCode.CANCEL)
        peer.engine.reset(1, ErrorCode.CANCEL)
        assert len(peer.said_of(RstStreamFrame)) == 1

    def test_a_stream_that_is_over_is_left_alone(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.answer(1)
        peer.said()
        peer.engine.reset(1, ErrorCode.CANCEL)
        peer.engine.reset(77, ErrorCode.CANCEL)
        assert peer.said() == []

    @pytest.mark.parametrize(
        "late",
        [
            pytest.param(lambda frames: frames.headers(1), id="HEADERS"),
            pytest.param(lambda frames: frames.headers(1, end_stream=True), id="last HEADERS"),
            pytest.param(lambda frames: frames.headers(1, [(":status", "103")]), id="1xx"),
            pytest.param(lambda frames: frames.headers(1, [("Bad", "x")]), id="malformed HEADERS"),
            pytest.param(lambda frames: frames.headers(1, split=1), id="HEADERS and CONTINUATION"),
            pytest.param(lambda frames: frames.data(1, b"late"), id="DATA"),
            pytest.param(lambda frames: frames.data(1, b"late", padding=5, end_stream=True), id="last DATA"),
            pytest.param(lambda frames: frames.rst(1, 8), id="RST_STREAM"),
            pytest.param(lambda frames: frames.window_update(1, 1000), id="WINDOW_UPDATE"),
            pytest.param(lambda frames: frames.raw(PriorityFrame.type, 0, 1, bytes(5)), id="PRIORITY"),
            pytest.param(lambda frames: frames.raw(ALTSVC, 0, 1, b"\0\0x"), id="ALTSVC"),
            pytest.param(lambda frames: frames.raw(UNKNOWN, 0, 1, b"x"), id="unknown"),
        ],
    )
    @pytest.mark.parametrize("answered", [False, True], ids=["before", "in the body"])
    def test_what_was_under_way_is_ignored(
        self, peer: EnginePeer, late: Callable[[FrameFactory], bytes], answered: bool
    ) -> None:
        """RFC 9113 section 5.1: the peer may have sent it before our RST_STREAM arrived."""
        peer.engine.open(GET, end_stream=True)
        if answered:
            peer.send_headers(1)
        peer.engine.reset(1, ErrorCode.CANCEL)
        for _ in range(3):
            assert peer.send_raw(late(peer.frames)) == []
        assert goes_on(peer)

    def test_data_under_way_is_credited_to_the_connection(self, connection_window: int, make: Make) -> None:
        """RFC 9113 section 6.9: or the connection's window would be used up by streams that are gone."""
        peer = make(stream_window=connection_window // 4)
        peer.greet()
        sent = 0
        for _ in range(12):
            wire_id = peer.engine.open(GET, end_stream=True)
            peer.send_headers(wire_id)
            peer.engine.reset(wire_id, ErrorCode.CANCEL)
            for _ in range(connection_window // 4 // MAX_FRAME):
                assert peer.send_data(wire_id, bytes(MAX_FRAME)) == []
                sent += MAX_FRAME
        credited = sum(frame.window_increment for frame in peer.said_of(WindowUpdateFrame, 0))
        assert sent - connection_window // 2 <= credited - (connection_window - 65535) <= sent
        assert goes_on(peer)

    def test_data_of_a_stream_that_we_reset_for_an_error_is_credited_too(
        self, connection_window: int, make: Make
    ) -> None:
        peer = make(stream_window=connection_window // 4)
        peer.greet()
        sent = 0
        for _ in range(8):
            wire_id = peer.engine.open(GET, end_stream=True)  # DATA comes before its header block
            for _ in range(connection_window // 4 // MAX_FRAME):
                peer.send_data(wire_id, bytes(MAX_FRAME))
                sent += MAX_FRAME
        credited = sum(frame.window_increment for frame in peer.said_of(WindowUpdateFrame, 0))
        assert sent - connection_window // 2 <= credited - (connection_window - 65535) <= sent
        assert goes_on(peer)

    def test_more_than_its_window_cannot_be_under_way(self, make: Make) -> None:
        peer = make(stream_window=4 * MAX_FRAME)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        peer.engine.reset(1, ErrorCode.CANCEL)
        for _ in range(4):
            assert peer.send_data(1, bytes(MAX_FRAME)) == []
        (event,) = peer.send_data(1, b"x")
        assert isinstance(event, ConnectionFailed)
        assert event.error_code == ErrorCode.FLOW_CONTROL_ERROR


class TestGoAway:
    def test_it_is_told(self, peer: EnginePeer) -> None:
        assert peer.goaway(7, ErrorCode.ENHANCE_YOUR_CALM, b"too many pings") == [
            GoAwayReceived(7, ErrorCode.ENHANCE_YOUR_CALM, b"too many pings")
        ]

    def test_the_reserved_bit_is_ignored(self, peer: EnginePeer) -> None:
        assert peer.goaway(2**31 + 5) == [GoAwayReceived(5, 0, b"")]

    def test_an_unknown_code(self, peer: EnginePeer) -> None:
        assert peer.goaway(0, 0xDEADBEEF) == [GoAwayReceived(0, 0xDEADBEEF, b"")]

    @pytest.mark.parametrize("code", [ErrorCode.NO_ERROR, ErrorCode.ENHANCE_YOUR_CALM])
    def test_streams_that_the_peer_took_go_on(self, peer: EnginePeer, code: ErrorCode) -> None:
        """RFC 9113 section 6.8."""
        wire_id = peer.engine.open(POST, end_stream=False)
        peer.goaway(wire_id, code)
        peer.said()
        assert peer.engine.send(wire_id, b"the rest", end_stream=True) == 8
        assert [frame.data for frame in peer.said_of(DataFrame)] == [b"the rest"]
        events = peer.answer(wire_id, b"done")
        assert [type(event) for event in events] == [ResponseReceived, DataReceived]

    def test_the_connection_goes_on_too(self, peer: EnginePeer) -> None:
        wire_id = peer.engine.open(POST, end_stream=False)
        peer.goaway(wire_id)
        peer.said()
        assert peer.send_settings(initial_window_size=100_000) == [SettingsReceived()]
        peer.ping(b"12345678")
        assert peer.window_update(0, 10) == [WindowOpened(0)]
        assert peer.window_update(wire_id, 10) == [WindowOpened(wire_id)]
        settings_ack, ping_ack = peer.said()
        assert ("ACK" in settings_ack.flags, type(settings_ack)) == (True, SettingsFrame)
        assert ("ACK" in ping_ack.flags, ping_ack.opaque_data) == (True, b"12345678")

    def test_a_body_is_still_credited(self, make: Make) -> None:
        peer = make(stream_window=1000)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.goaway(1)
        peer.send_headers(1)
        peer.send_data(1, bytes(1000))
        peer.engine.credit(1, 1000)
        assert [frame.window_increment for frame in peer.said_of(WindowUpdateFrame, 1)] == [1000]

    def test_in_two_steps(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        assert peer.goaway(LARGEST) == [GoAwayReceived(LARGEST, 0, b"")]
        assert peer.goaway(1) == [GoAwayReceived(1, 0, b"")]
        assert len(of(ResponseReceived, peer.answer(1))) == 1

    def test_what_it_refuses_can_be_reset(self, peer: EnginePeer) -> None:
        for _ in range(2):
            peer.engine.open(GET, end_stream=True)
        peer.goaway(1)
        peer.engine.reset(3, ErrorCode.CANCEL)
        assert len(of(ResponseReceived, peer.answer(1))) == 1


class TestSending:
    """Bodies, by the peer's windows."""

    def upload(self, peer: EnginePeer) -> int:
        wire_id = peer.engine.open(POST, end_stream=False)
        peer.said()
        return wire_id

    def sizes(self, peer: EnginePeer, wire_id: int) -> list[int]:
        return [len(frame.data) for frame in peer.said_of(DataFrame, wire_id)]

    @pytest.mark.parametrize("form", [bytes, memoryview])
    def test_a_body_with_its_end(self, peer: EnginePeer, form: Callable[[bytes], bytes]) -> None:
        wire_id = self.upload(peer)
        assert peer.engine.send(wire_id, form(b"hello"), end_stream=True) == 5
        (frame,) = peer.said()
        assert (frame.stream_id, frame.data, "END_STREAM" in frame.flags) == (wire_id, b"hello", True)

    def test_a_body_in_pieces(self, peer: EnginePeer) -> None:
        wire_id = self.upload(peer)
        peer.engine.send(wire_id, b"ab", end_stream=False)
        peer.engine.send(wire_id, b"cd", end_stream=True)
        frames = peer.said_of(DataFrame)
        assert [(frame.data, "END_STREAM" in frame.flags) for frame in frames] == [
            (b"ab", False),
            (b"cd", True),
        ]

    def test_an_end_without_data(self, peer: EnginePeer) -> None:
        wire_id = self.upload(peer)
        assert peer.engine.send(wire_id, b"", end_stream=True) == 0
        (frame,) = peer.said()
        assert (frame.data, "END_STREAM" in frame.flags) == (b"", True)

    def test_frames_are_no_larger_than_allowed(self, peer: EnginePeer) -> None:
        wire_id = self.upload(peer)
        assert peer.engine.send(wire_id, bytes(40_000), end_stream=True) == 40_000
        frames = peer.said_of(DataFrame)
        assert [len(frame.data) for frame in frames] == [16384, 16384, 7232]
        assert ["END_STREAM" in frame.flags for frame in frames] == [False, False, True]

    def test_frames_may_be_larger_where_the_peer_says_so(self, peer: EnginePeer) -> None:
        peer.send_settings(max_frame_size=30_000)
        wire_id = self.upload(peer)
        peer.engine.send(wire_id, bytes(40_000), end_stream=True)
        assert max(self.sizes(peer, wire_id)) <= 30_000

    def test_no_more_than_the_stream_s_window(self, peer: EnginePeer) -> None:
        peer.send_settings(initial_window_size=1000)
        wire_id = self.upload(peer)
        assert peer.engine.send(wire_id, bytes(1500), end_stream=True) == 1000
        frames = peer.said_of(DataFrame)
        assert [(len(frame.data), "END_STREAM" in frame.flags) for frame in frames] == [(1000, False)]
        assert peer.engine.send(wire_id, bytes(500), end_stream=True) == 0
        assert peer.said() == []
        assert peer.window_update(wire_id, 200) == [WindowOpened(wire_id)]
        assert peer.engine.send(wire_id, bytes(500), end_stream=True) == 200
        peer.window_update(wire_id, 300)
        assert peer.engine.send(wire_id, bytes(300), end_stream=True) == 300
        frames = peer.said_of(DataFrame)
        assert [(len(frame.data), "END_STREAM" in frame.flags) for frame in frames] == [
            (200, False),
            (300, True),
        ]

    def test_the_default_window(self, fresh: EnginePeer) -> None:
        fresh.greet()
        wire_id = self.upload(fresh)
        assert fresh.engine.send(wire_id, bytes(100_000), end_stream=True) == 65535

    def test_no_more_than_the_connection_s_window(self, peer: EnginePeer) -> None:
        peer.send_settings(initial_window_size=100_000)
        first, second = self.upload(peer), self.upload(peer)
        assert peer.engine.send(first, bytes(60_000), end_stream=True) == 60_000
        assert peer.engine.send(second, bytes(60_000), end_stream=True) == 5535
        assert peer.window_update(0, 1000) == [WindowOpened(0)]
        assert peer.engine.send(second, bytes(54_465), end_stream=True) == 1000

    def test_a_window_of_nothing(self, peer: EnginePeer) -> None:
        peer.send_settings(initial_window_size=0)
        wire_id = self.upload(peer)
        assert peer.engine.send(wire_id, b"x", end_stream=True) == 0
        assert peer.said() == []

    def test_an_end_without_data_needs_no_window(self, peer: EnginePeer) -> None:
        peer.send_settings(initial_window_size=0)
        wire_id = self.upload(peer)
        peer.engine.send(wire_id, b"", end_stream=True)
        assert len(peer.said_of(DataFrame)) == 1

    def test_settings_widen_open_streams(self, peer: EnginePeer) -> None:
        """RFC 9113 section 6.9.2."""
        peer.send_settings(initial_window_size=0)
        wire_id = self.upload(peer)
        assert peer.send_settings(initial_window_size=500) == [SettingsReceived()]
        assert peer.engine.send(wire_id, bytes(1000), end_stream=True) == 500

    def test_settings_narrow_open_streams_below_nothing(self, peer: EnginePeer) -> None:
        """RFC 9113 section 6.9.2: a window may be negative, and what is owed comes first."""
        wire_id = self.upload(peer)
        assert peer.engine.send(wire_id, bytes(20_000), end_stream=False) == 20_000
        peer.send_settings(initial_window_size=5000)  # 5,000 - 20,000 = -15,000
        assert peer.engine.send(wire_id, bytes(100), end_stream=True) == 0
        peer.window_update(wire_id, 15_000)
        assert peer.engine.send(wire_id, bytes(100), end_stream=True) == 0
        peer.window_update(wire_id, 60)
        assert peer.engine.send(wire_id, bytes(100), end_stream=True) == 60

    def test_settings_do_not_change_the_connection_s_window(self, peer: EnginePeer) -> None:
        peer.send_settings(initial_window_size=1_000_000)
        wire_id = self.upload(peer)
        assert peer.engine.send(wire_id, bytes(200_000), end_stream=True) == 65535

    def test_settings_that_overflow_a_window(self, peer: EnginePeer) -> None:
        """RFC 9113 section 6.9.2: a connection error."""
        wire_id = self.upload(peer)
        peer.window_update(wire_id, 100_000)
        events = peer.send_settings(initial_window_size=LARGEST)
        assert failure(events).error_code == ErrorCode.FLOW_CONTROL_ERROR

    def test_a_stream_that_is_over_has_no_window_to_overflow(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.window_update(1, 100_000)
        peer.answer(1)
        assert peer.send_settings(initial_window_size=LARGEST) == [SettingsReceived()]
        assert goes_on(peer)

    @pytest.mark.parametrize("way", ["with its end", "end alone", "trailers"])
    def test_a_stream_that_both_sides_have_ended_is_over(self, peer: EnginePeer, way: str) -> None:
        wire_id = self.upload(peer)
        peer.engine.send(wire_id, b"body", end_stream=way == "with its end")
        if way == "end alone":
            peer.engine.send(wire_id, b"", end_stream=True)
        elif way == "trailers":
            peer.engine.trailers(wire_id, [(b"a", b"b")])
        peer.answer(wire_id)
        peer.said()
        peer.engine.reset(wire_id, ErrorCode.CANCEL)
        assert peer.said() == []

    def test_a_stream_that_only_the_peer_has_ended_can_be_reset(self, peer: EnginePeer) -> None:
        wire_id = self.upload(peer)
        peer.engine.send(wire_id, bytes(100_000), end_stream=True)
        peer.answer(wire_id)
        peer.said()
        peer.engine.reset(wire_id, ErrorCode.NO_ERROR)
        assert [frame.error_code for frame in peer.said_of(RstStreamFrame, wire_id)] == [ErrorCode.NO_ERROR]

    def test_a_window_update_for_a_stream_that_is_over(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.answer(1)
        assert peer.window_update(1, 100) == []
        assert goes_on(peer)

    def test_trailers(self, peer: EnginePeer) -> None:
        wire_id = self.upload(peer)
        peer.engine.send(wire_id, b"body", end_stream=False)
        peer.engine.trailers(wire_id, [(b"x-sum", b"4")])
        data, trailers = peer.said()
        assert "END_STREAM" not in data.flags
        assert (trailers.fields, "END_STREAM" in trailers.flags) == ([("x-sum", "4")], True)
        assert len(of(ResponseReceived, peer.answer(wire_id))) == 1


class TestReceiving:
    """Bodies, by our windows."""

    def download(self, make: Make, window: int = 1000, **options: int) -> EnginePeer:
        peer = make(stream_window=window, **options)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        peer.said()
        return peer

    def credit(self, peer: EnginePeer) -> list[int]:
        return [frame.window_increment for frame in peer.said_of(WindowUpdateFrame, 1)]

    def test_a_stream_begins_with_the_whole_window(self, make: Make) -> None:
        assert self.download(make).engine.window_left(1) == 1000

    def test_data_uses_it_up(self, make: Make) -> None:
        peer = self.download(make)
        peer.send_data(1, bytes(300))
        assert peer.engine.window_left(1) == 700
        peer.send_data(1, bytes(700))
        assert peer.engine.window_left(1) == 0

    def test_what_is_not_read_is_not_credited(self, make: Make) -> None:
        peer = self.download(make)
        peer.send_data(1, bytes(1000))
        assert self.credit(peer) == []

    def test_credit_is_saved_up_to_a_share_of_the_window(self, make: Make) -> None:
        peer = self.download(make)
        share = 1000 // CREDIT_SHARE
        peer.send_data(1, bytes(1000))
        for size in (50, share - 51):
            peer.engine.credit(1, size)
        assert self.credit(peer) == []
        peer.engine.credit(1, 1)
        assert self.credit(peer) == [share]
        assert peer.engine.window_left(1) == share

    def test_all_that_is_credited_is_given(self, make: Make) -> None:
        peer = self.download(make)
        peer.send_data(1, bytes(1000))
        peer.engine.credit(1, 1000)
        assert self.credit(peer) == [1000]
        assert peer.send_data(1, bytes(1000)) == [DataReceived(1, bytes(1000), False)]

    def test_the_padding_is_credited_by_the_engine(self, make: Make) -> None:
        """Nobody will read it. RFC 9113 section 6.1 has it count, its length byte included."""
        peer = self.download(make)
        padding = 1000 // CREDIT_SHARE - 1
        peer.send_data(1, bytes(300), padding=padding - 1)
        assert peer.engine.window_left(1) == 700 - padding
        assert self.credit(peer) == []
        peer.engine.credit(1, 300)
        assert self.credit(peer) == [300 + padding]
        assert peer.engine.window_left(1) == 1000

    def test_padding_alone_is_credited_too(self, make: Make) -> None:
        peer = self.download(make)
        for _ in range(4):
            peer.send_data(1, b"", padding=249)
        assert peer.engine.window_left(1) + sum(self.credit(peer)) >= 1000
        assert peer.engine.window_left(1) > 1000 - 1000 / CREDIT_SHARE

    def test_a_body_of_mostly_padding_never_stalls(self, make: Make) -> None:
        peer = self.download(make)
        for _ in range(100):
            assert peer.send_data(1, b"x", padding=98) == [DataReceived(1, b"x", False)]
            peer.engine.credit(1, 1)
        assert 1000 - 100 * 100 + sum(self.credit(peer)) == peer.engine.window_left(1)
        assert peer.engine.window_left(1) > 1000 - 1000 / CREDIT_SHARE

    def test_a_complete_response_needs_no_credit(self, make: Make) -> None:
        peer = self.download(make)
        peer.send_data(1, bytes(1000), end_stream=True)
        peer.engine.credit(1, 1000)
        assert self.credit(peer) == []

    def test_a_complete_response_to_a_request_under_way_needs_none_either(self, make: Make) -> None:
        peer = make(stream_window=1000)
        peer.greet()
        wire_id = peer.engine.open(POST, end_stream=False)
        peer.send_headers(wire_id)
        peer.send_data(wire_id, bytes(700), padding=200, end_stream=True)
        peer.engine.credit(wire_id, 700)
        peer.engine.grow(wire_id)
        assert self.credit(peer) == []

    @pytest.mark.parametrize("call", ["credit", "grow"])
    def test_a_stream_that_is_gone_needs_none(self, make: Make, call: str) -> None:
        peer = self.download(make)
        peer.send_data(1, bytes(1000))
        peer.engine.reset(1, ErrorCode.CANCEL)
        peer.said()
        getattr(peer.engine, call)(1, *([1000] if call == "credit" else []))
        assert peer.said() == []

    def test_no_credit_after_the_connection_failed(self, make: Make) -> None:
        peer = self.download(make)
        peer.send_data(1, bytes(1000))
        peer.send_frame(PingFrame.type, 0, 0, b"short")
        peer.said()
        peer.engine.credit(1, 1000)
        peer.engine.grow(1)
        peer.engine.reset(1, ErrorCode.CANCEL)
        assert peer.said() == []

    def test_unread_data_of_a_stream_does_not_use_up_the_connection_s_window(
        self, connection_window: int, make: Make
    ) -> None:
        """It is credited on receipt: what is unread on one stream starves no other."""
        peer = make(stream_window=4 * connection_window)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        peer.said()
        sent = credited = 0
        while sent < 3 * connection_window:
            peer.send_data(1, bytes(MAX_FRAME))
            sent += MAX_FRAME
            credited += sum(frame.window_increment for frame in peer.said_of(WindowUpdateFrame, 0))
            assert sent - connection_window // 2 - MAX_FRAME <= credited <= sent
        assert peer.of(WindowUpdateFrame, 1) == []

    def test_the_connection_s_credit_comes_in_large_pieces(self, connection_window: int, make: Make) -> None:
        peer = make(stream_window=4 * connection_window)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        peer.said()
        for _ in range(2 * connection_window // MAX_FRAME):
            peer.send_data(1, bytes(MAX_FRAME))
        assert len(peer.said_of(WindowUpdateFrame, 0)) <= 4


class TestGrow:
    """A stream's window widens while its reader waits."""

    LIMIT = 1000 * GROWTH + 500

    def download(self, make: Make, size: int) -> EnginePeer:
        peer = make(stream_window=1000, max_stream_window=self.LIMIT)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(1)
        self.consume(peer, size)
        return peer

    def consume(self, peer: EnginePeer, size: int) -> None:
        peer.send_data(1, bytes(size))
        peer.engine.credit(1, size)
        peer.said()

    def increments(self, peer: EnginePeer) -> list[int]:
        peer.engine.grow(1)
        return [frame.window_increment for frame in peer.said_of(WindowUpdateFrame, 1)]

    def test_not_before_a_windowful_has_come(self, make: Make) -> None:
        assert self.increments(self.download(make, 999)) == []

    def test_when_a_windowful_has_come(self, make: Make) -> None:
        peer = self.download(make, 1000)
        assert self.increments(peer) == [1000 * GROWTH - 1000]
        assert peer.engine.window_left(1) == 1000 * GROWTH

    def test_only_once_for_it(self, make: Make) -> None:
        peer = self.download(make, 1000)
        self.increments(peer)
        assert self.increments(peer) == []

    def test_the_credit_saved_up_goes_with_it(self, make: Make) -> None:
        peer = self.download(make, 1000)
        self.consume(peer, 10)
        assert self.increments(peer) == [1000 * GROWTH - 1000 + 10]

    def test_up_to_the_limit(self, make: Make) -> None:
        peer = self.download(make, 1000)
        self.increments(peer)
        self.consume(peer, 1000 * GROWTH)
        assert self.increments(peer) == [500]
        self.consume(peer, self.LIMIT)
        assert self.increments(peer) == []

    def test_the_peer_may_use_it(self, make: Make) -> None:
        peer = self.download(make, 1000)
        self.increments(peer)
        body = bytes(1000 * GROWTH)
        assert peer.send_data(1, body) == [DataReceived(1, body, False)]

    def test_a_new_stream_begins_narrow_again(self, make: Make) -> None:
        peer = self.download(make, 1000)
        self.increments(peer)
        assert peer.engine.window_left(peer.engine.open(GET, end_stream=True)) == 1000

    def test_by_default_from_one_mebibyte_to_sixteen(self, make: Make) -> None:
        assert (STREAM_WINDOW, MAX_STREAM_WINDOW) == (1 << 20, 16 << 20)
        peer = make()
        peer.greet()
        wire_id = peer.engine.open(GET, end_stream=True)
        assert peer.engine.window_left(wire_id) == 1 << 20


class TestPing:
    def test_the_peer_s_is_answered(self, peer: EnginePeer) -> None:
        assert peer.ping(b"12345678") == []
        (frame,) = peer.said()
        assert isinstance(frame, PingFrame)
        assert ("ACK" in frame.flags, frame.opaque_data) == (True, b"12345678")

    def test_ours_comes_back(self, peer: EnginePeer) -> None:
        peer.engine.ping(b"abcdefgh")
        (frame,) = peer.said()
        assert ("ACK" in frame.flags, frame.opaque_data) == (False, b"abcdefgh")
        assert peer.ping(b"abcdefgh", ack=True) == [PingAcknowledged(b"abcdefgh")]

    def test_an_answer_that_nobody_asked_for_is_harmless(self, peer: EnginePeer) -> None:
        peer.ping(b"nonsense", ack=True)
        assert peer.said() == []
        assert goes_on(peer)


class TestIgnored:
    """RFC 9113 sections 4.1 and 5.5: what is not known is passed over."""

    @pytest.mark.parametrize(
        ("kind", "flags", "stream_id", "payload"),
        [
            pytest.param(UNKNOWN, 0, 0, b"whatever", id="unknown"),
            pytest.param(UNKNOWN, 0xFF, 1, b"whatever", id="unknown, on a stream"),
            pytest.param(UNKNOWN, 0, 98, b"", id="unknown, on an idle stream"),
            pytest.param(ALTSVC, 0, 0, b"\0\x06origin" + b'h2=":443"', id="ALTSVC"),
            pytest.param(ALTSVC, 0, 1, b'\0\0h2=":443"', id="ALTSVC on a stream"),
            pytest.param(ORIGIN, 0, 0, b"\0\x13https://example.org", id="ORIGIN"),
            pytest.param(PriorityFrame.type, 0, 1, struct.pack(">LB", 0, 10), id="PRIORITY"),
            pytest.param(
                PriorityFrame.type, 0, 98, struct.pack(">LB", 0, 10), id="PRIORITY of an idle stream"
            ),
            pytest.param(
                PriorityFrame.type, 0, 1, struct.pack(">LB", 1, 10), id="PRIORITY that depends on itself"
            ),
            pytest.param(ALTSVC, 0, 0, b"", id="ALTSVC of nothing"),
            pytest.param(ALTSVC, 0, 1, b"\0\x09x", id="ALTSVC cut off"),
            pytest.param(0x10, 0, 0, struct.pack(">L", 1) + b"u=1", id="PRIORITY_UPDATE"),
            pytest.param(SettingsFrame.type, 0, 0, pack_settings(0xABCD, 5), id="unknown setting"),
            pytest.param(SettingsFrame.type, 0, 0, pack_settings(8, 1), id="ENABLE_CONNECT_PROTOCOL"),
            pytest.param(SettingsFrame.type, 0xFE, 0, b"", id="unknown flags"),
            pytest.param(PingFrame.type, 0xFE, 0, bytes(8), id="unknown flags of PING"),
        ],
    )
    @pytest.mark.parametrize("state", ["waiting", "body", "over"])
    def test_frames(
        self, peer: EnginePeer, kind: int, flags: int, stream_id: int, payload: bytes, state: str
    ) -> None:
        peer.engine.open(GET, end_stream=True)
        if state == "body":
            peer.send_headers(1)
        elif state == "over":
            peer.answer(1)
        events = peer.send_frame(kind, flags, stream_id, payload)
        assert [event for event in events if not isinstance(event, SettingsReceived)] == []
        assert goes_on(peer)

    def test_unknown_flags_of_a_stream_s_frames(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        block = peer.frames.block([(":status", "200")])
        (response,) = peer.send_frame(HeadersFrame.type, 0x4 | 0x40 | 0x80 | 0x10, 1, block)
        assert not response.end_stream
        assert peer.send_frame(DataFrame.type, 0xF6, 1, b"x") == [DataReceived(1, b"x", False)]

    def test_the_reserved_bit(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(2**31 + 1)
        assert peer.send_data(2**31 + 1, b"x", end_stream=True) == [DataReceived(1, b"x", True)]


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


class TestClose:
    def test_it_says_goaway(self, peer: EnginePeer) -> None:
        peer.engine.close()
        (frame,) = peer.said()
        assert isinstance(frame, GoAwayFrame)
        assert (frame.last_stream_id, frame.error_code) == (0, ErrorCode.NO_ERROR)

    def test_with_a_code(self, peer: EnginePeer) -> None:
        peer.engine.close(ErrorCode.ENHANCE_YOUR_CALM)
        assert peer.said_of(GoAwayFrame)[0].error_code == ErrorCode.ENHANCE_YOUR_CALM

    def test_only_once(self, peer: EnginePeer) -> None:
        peer.engine.close()
        peer.engine.close(ErrorCode.INTERNAL_ERROR)
        assert len(peer.said_of(GoAwayFrame)) == 1

    def test_before_anything_was_sent(self, fresh: EnginePeer) -> None:
        fresh.engine.close()
        assert isinstance(fresh.said()[-1], GoAwayFrame)

    def test_afterwards_nothing_is_read(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.engine.close()
        peer.said()
        assert peer.answer(1) == []
        assert peer.said() == []

    def test_afterwards_a_reset_is_silent(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.engine.close()
        peer.said()
        peer.engine.reset(1, ErrorCode.CANCEL)
        assert peer.said() == []


def test_take_forgets_what_it_returned(peer: EnginePeer) -> None:
    peer.engine.ping(bytes(8))
    assert len(peer.engine.take()) == 17
    assert peer.engine.take() == b""


def test_nothing_received_is_nothing(peer: EnginePeer) -> None:
    assert peer.send_raw(b"") == []


class TestMakeEngine:
    @pytest.mark.parametrize("name", ["", "H2", "curl"])
    def test_an_unknown_name(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv("HYPERLITE_ENGINE", name)
        with pytest.raises(ValueError, match=f"HYPERLITE_ENGINE='{name}' names no engine"):
            make_engine()

    def test_there_is_a_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HYPERLITE_ENGINE", raising=False)
        assert make_engine().take().startswith(PREFACE)


# -- whatever a peer sends -------------------------------------------------------------------------

Step = bytes | Callable[[EnginePeer], object]
CLOSED = object()  # what closing the engine returns: nobody calls it afterwards


def tame_step(chance: random.Random) -> Step:
    """Return a frame that is good by itself, on any stream, or a call of the engine's owner."""
    frames, wire_id = FrameFactory(), chance.choice([1, 2, 3, 5])
    return chance.choice(
        [
            frames.raw(HeadersFrame.type, 4, wire_id, b"\x88"),
            frames.raw(HeadersFrame.type, 5, wire_id, b"\x88"),
            frames.raw(HeadersFrame.type, 4, wire_id, b"\x48\x03103"),
            frames.raw(HeadersFrame.type, 5, wire_id, b"\0\1a\1b"),
            frames.raw(HeadersFrame.type, 0, wire_id, b"\x88")
            + frames.raw(ContinuationFrame.type, 4, wire_id, b"\0\1a\1b"),
            frames.data(wire_id, b"x"),
            frames.data(wire_id, b"xyz", padding=3, end_stream=True),
            frames.rst(wire_id, 8),
            frames.window_update(wire_id, 1000),
            frames.raw(ALTSVC, 0, wire_id, b"\0\0x"),
            frames.window_update(0, 1000),
            frames.settings(initial_window_size=chance.choice([0, 10, 70_000])),
            frames.settings(max_concurrent_streams=1),
            frames.goaway(3),
            frames.ping(),
            lambda peer: peer.engine.reset(wire_id, 8),
            lambda peer: peer.engine.credit(wire_id, 600_000),
            lambda peer: peer.engine.grow(wire_id),
            lambda peer: peer.engine.ping(bytes(8)),
        ]
    )


def wild_step(chance: random.Random) -> Step:
    """Return any frame, or the end."""
    payloads = [
        b"",
        b"\x88",
        b"\x82",
        b"\xbe",
        b"\0\1a\1b",
        b"\x80",
        b"\x3f",
        chance.randbytes(chance.randrange(20)),
    ]
    frame = FrameFactory().raw(
        chance.randrange(14),
        chance.choice([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF]),
        chance.choice([0, 1, 2, 3, 5, 7, 2**31 + 1]),
        chance.choice(payloads),
    )
    return frame if chance.random() < 0.95 else lambda peer: peer.engine.close() or CLOSED


def play(peer: EnginePeer, steps: list[Step]) -> None:
    """Whatever the steps are, nothing raises, and a failure is the last that is told."""
    for fields, end_stream in [(GET, True), (POST, False), (GET, True)]:
        peer.engine.open(fields, end_stream=end_stream)
    over = False
    for step in steps:
        if not isinstance(step, bytes):
            over = over or step(peer) is CLOSED
            continue
        events = peer.send_raw(step)
        assert not (over and events)
        over = over or bool(of(ConnectionFailed, events))
        assert of(ConnectionFailed, events[:-1]) == []
    peer.said()  # and what it answers can be read


@pytest.mark.parametrize("wild", [0, 2], ids=["good frames", "bad frames at the end"])
def test_no_frames_raise(make: Make, wild: int) -> None:
    """Good frames in any order on any stream, and then any frames at all."""
    for seed in range(1500):
        chance = random.Random(seed)
        steps = [tame_step(chance) for _ in range(chance.randrange(12))] + [
            wild_step(chance) for _ in range(wild)
        ]
        peer = make()
        peer.greet()
        try:
            play(peer, steps)
        except Exception as error:
            error.add_note(f"seed {seed}: {steps!r}")
            raise


def test_no_noise_raises(make: Make) -> None:
    """A good transcript, from some place on overwritten."""
    transcript = TestCutting().transcript()
    for seed in range(500):
        chance = random.Random(seed)
        at, noise = chance.randrange(len(transcript)), chance.randbytes(chance.randrange(1, 60))
        peer = make()
        for _ in range(5):
            peer.engine.open(GET, end_stream=True)
        try:
            peer.send_raw(transcript[:at] + noise + transcript[at + len(noise) :])
            peer.said()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
