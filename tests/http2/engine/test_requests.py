"""An engine, requests out: how many streams, opening, sending, closing."""

import random
from collections.abc import Callable

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine.events import (
    ConnectionFailed,
    ResponseReceived,
    SettingsReceived,
    WindowOpened,
)
from hyperlite.http2.engine.frames import MAX_FRAME
from hyperlite.testing.hostile.frames import FrameFactory
from tests.peer import EnginePeer

from .conftest import Make, request
from .script import ALTSVC, GET, LARGEST, POST, UNKNOWN, failure, goes_on, of

DEFAULT_FRAME = 16384


class TestConcurrency:
    def test_before_the_settings_a_hundred(self, fresh: EnginePeer) -> None:
        assert fresh.engine.peer.max_concurrent_streams == 100

    @pytest.mark.parametrize("limit", [0, 1, 100, 2**32 - 1])
    def test_what_the_settings_say(self, fresh: EnginePeer, limit: int) -> None:
        fresh.greet(max_concurrent_streams=limit)
        assert fresh.engine.peer.max_concurrent_streams == limit

    def test_settings_that_say_nothing_mean_no_limit(self, fresh: EnginePeer) -> None:
        fresh.greet()
        assert fresh.engine.peer.max_concurrent_streams >= LARGEST

    def test_it_may_change(self, fresh: EnginePeer) -> None:
        fresh.greet(max_concurrent_streams=10)
        fresh.send_settings(max_concurrent_streams=2)
        assert fresh.engine.peer.max_concurrent_streams == 2
        fresh.send_settings(initial_window_size=100)
        assert fresh.engine.peer.max_concurrent_streams == 2

    def test_of_a_setting_that_repeats_the_last_counts(self, fresh: EnginePeer) -> None:
        fresh.greet([(SettingsFrame.MAX_CONCURRENT_STREAMS, 5), (SettingsFrame.MAX_CONCURRENT_STREAMS, 3)])
        assert fresh.engine.peer.max_concurrent_streams == 3

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
