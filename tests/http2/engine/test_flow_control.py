"""An engine and its windows: what is credited, and how windows grow."""

from collections.abc import Sequence

import pytest
from hyperframe.frame import (
    PingFrame,
    WindowUpdateFrame,
)

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine.events import ConnectionFailed, DataReceived, Event, StreamFailed
from hyperlite.http2.engine.frames import MAX_FRAME
from hyperlite.http2.engine.windows import (
    CREDIT_SHARE,
    GROWTH,
    MAX_STREAM_WINDOW,
    STREAM_WINDOW,
)
from tests.peer import EnginePeer

from .conftest import Make
from .script import GET, POST


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
        """No caller reads it. RFC 9113 section 6.1 has it count, its length byte included."""
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


class TestFramesInARow:
    """Frames of one stream that come together are one piece of its body; each is judged all the same."""

    @pytest.fixture
    def peer(self, make: Make) -> EnginePeer:
        peer = make(stream_window=1000)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        return peer

    @staticmethod
    def body_of(events: Sequence[Event]) -> bytes:
        return b"".join(event.data for event in events if isinstance(event, DataReceived))

    def row(self, peer: EnginePeer, *sizes: int, end_stream: bool = False) -> bytes:
        frames = [peer.frames.data(1, bytes([65 + n]) * size) for n, size in enumerate(sizes)]
        return b"".join(frames) + (peer.frames.data(1, b"", end_stream=True) if end_stream else b"")

    def test_all_of_them_come(self, peer: EnginePeer) -> None:
        peer.send_headers(1)
        events = peer.send_raw(self.row(peer, 100, 200, 300, end_stream=True))
        assert self.body_of(events) == b"A" * 100 + b"B" * 200 + b"C" * 300
        assert [event.end_stream for event in events if isinstance(event, DataReceived)][-1]

    def test_each_goes_to_its_stream(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        for wire_id in (1, 3):
            peer.send_headers(wire_id)
        row = [peer.frames.data(wire_id, b"%d" % wire_id * 100) for wire_id in (1, 1, 3, 3, 1)]
        events = peer.send_raw(b"".join(row))
        bodies = [(event.wire_id, event.data) for event in events if isinstance(event, DataReceived)]
        assert b"".join(data for wire_id, data in bodies if wire_id == 1) == b"1" * 300
        assert b"".join(data for wire_id, data in bodies if wire_id == 3) == b"3" * 200

    def test_they_may_come_in_pieces(self, peer: EnginePeer) -> None:
        peer.send_headers(1)
        row = self.row(peer, 100, 200, 300)
        events = [*peer.engine.receive(row[:150], row[150:160], row[160:320]), *peer.send_raw(row[320:])]
        assert self.body_of(events) == b"A" * 100 + b"B" * 200 + b"C" * 300

    def test_one_beyond_the_window_ends_the_connection(self, peer: EnginePeer) -> None:
        peer.send_headers(1)
        events = peer.send_raw(self.row(peer, 400, 400, 400))
        assert self.body_of(events) == b"A" * 400 + b"B" * 400
        assert isinstance(events[-1], ConnectionFailed)
        assert events[-1].error_code == ErrorCode.FLOW_CONTROL_ERROR

    def test_one_beyond_the_announced_length_fails_the_stream(self, peer: EnginePeer) -> None:
        peer.send_headers(1, [(":status", "200"), ("content-length", "500")])
        events = peer.send_raw(self.row(peer, 200, 200, 200))
        assert self.body_of(events) == b"A" * 200 + b"B" * 200
        assert isinstance(events[-1], StreamFailed)

    def test_those_before_the_header_block_fail_the_stream(self, peer: EnginePeer) -> None:
        events = peer.send_raw(self.row(peer, 200, 200))
        assert [type(event) for event in events] == [StreamFailed]
