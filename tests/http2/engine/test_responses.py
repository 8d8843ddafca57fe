"""An engine, responses in: header blocks, however they are cut, and DATA."""

import itertools
import struct

import pytest
from hyperframe.frame import (
    HeadersFrame,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperlite.errors import ErrorCode
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
from hyperlite.testing.hostile.frames import FrameFactory
from tests.peer import EnginePeer

from .conftest import Make, request
from .script import (
    GET,
    POST,
    UNKNOWN,
    goes_on,
    of,
)


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
        peer.reader.decoder.max_allowed_table_size = size
        for number in range(3):
            peer.engine.open(request("GET", (b"x-a", b"1"), (b"x-b", b"%d" % number)), end_stream=True)
        blocks = peer.said_of(HeadersFrame)
        assert [frame.fields[4:] for frame in blocks] == [[("x-a", "1"), ("x-b", str(n))] for n in range(3)]

    def test_the_server_s_table_size_is_no_reason_to_fill_our_memory(self, peer: EnginePeer) -> None:
        """It may allow 4 GiB; RFC 7541 section 4.2 lets the encoder use less. Go and nghttp2: 4,096."""
        peer.said()
        peer.send_settings(header_table_size=2**32 - 1)
        decoder = peer.reader.decoder
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
