"""guard.py: floods end, and honest traffic, however odd, is none."""

from collections.abc import Callable

import pytest
from hyperframe.frame import ContinuationFrame, GoAwayFrame, HeadersFrame, PriorityFrame

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine.events import ConnectionFailed
from hyperlite.http2.engine.guard import MAX_BLOCK_FRAMES, MAX_REMEMBERED, MAX_USELESS
from hyperlite.testing.hostile.frames import FrameFactory
from tests.peer import EnginePeer

from .conftest import Make, request

GET = request("GET")
POST = request("POST")

# What a frame of each kind is, sent again and again on a stream whose response is under way.
FLOODS: dict[str, Callable[[FrameFactory], bytes]] = {
    "PING": lambda frames: frames.ping(),
    "PING acknowledged": lambda frames: frames.ping(ack=True),
    "SETTINGS": lambda frames: frames.settings(max_concurrent_streams=100),
    "SETTINGS acknowledged": lambda frames: frames.settings_ack(),
    "GOAWAY": lambda frames: frames.goaway(1),
    "PRIORITY": lambda frames: frames.raw(PriorityFrame.type, 0, 1, bytes(5)),
    "RST_STREAM of a stream that is over": lambda frames: frames.rst(3, 8),
    "WINDOW_UPDATE": lambda frames: frames.window_update(1, 1),
    "WINDOW_UPDATE of the connection": lambda frames: frames.window_update(0, 1),
    "WINDOW_UPDATE of a stream that is over": lambda frames: frames.window_update(3, 1),
    "unknown": lambda frames: frames.raw(0xEE, 0, 1, b"x"),
    "empty DATA": lambda frames: frames.data(1),
    "DATA of padding": lambda frames: frames.data(1, padding=255),
    "DATA of one byte": lambda frames: frames.data(1, b"x"),
    "late DATA of one byte": lambda frames: frames.data(3, b"x"),
    "late HEADERS": lambda frames: frames.headers(3),
}


@pytest.fixture
def under_way(make: Make) -> EnginePeer:
    """A connection on which stream 1 is being answered and stream 3 was reset."""
    peer = make(stream_window=16 << 20)
    peer.greet()
    for wire_id in (1, 3):
        peer.engine.open(POST, end_stream=False)
        peer.send_headers(wire_id)
    peer.engine.reset(3, ErrorCode.CANCEL)
    return peer


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_ends(under_way: EnginePeer, kind: str) -> None:
    piece = FLOODS[kind](under_way.frames) * 100
    for _ in range(2 * MAX_USELESS // 100):
        if events := [event for event in under_way.send_raw(piece) if isinstance(event, ConnectionFailed)]:
            break
    assert events[0].error_code == ErrorCode.ENHANCE_YOUR_CALM
    assert "flood" in events[0].reason
    assert under_way.said_of(GoAwayFrame)[0].error_code == ErrorCode.ENHANCE_YOUR_CALM


class TestHonest:
    """Each of these sends more frames than a flood may have."""

    TIMES = MAX_USELESS + 2000

    def feed(self, peer: EnginePeer, data: bytes) -> None:
        events = peer.send_raw(data)
        assert not any(isinstance(event, ConnectionFailed) for event in events), events[-1]

    def test_ping_once_a_second_for_days(self, under_way: EnginePeer) -> None:
        for _ in range(self.TIMES):
            under_way.engine.pause()
            self.feed(under_way, under_way.frames.ping())
            under_way.engine.take()

    def test_tokens_of_a_letter_with_pauses(self, under_way: EnginePeer) -> None:
        for _ in range(self.TIMES):
            under_way.engine.pause()
            self.feed(under_way, under_way.frames.data(1, b"x"))
            under_way.engine.credit(1, 1)

    @pytest.mark.parametrize("line", [b"1\n", b"00001\n", b"8 letter"], ids=len)
    @pytest.mark.parametrize("wire_id", [1, 3], ids=["under way", "given up"])
    def test_short_lines_without(self, under_way: EnginePeer, line: bytes, wire_id: int) -> None:
        piece = under_way.frames.data(wire_id, line) * 100
        for _ in range(self.TIMES // 100):
            self.feed(under_way, piece)

    def test_a_thousand_frames_of_one_byte(self, under_way: EnginePeer) -> None:
        self.feed(under_way, under_way.frames.data(1, b"x") * 1000)

    def test_a_download_with_a_ping_for_each_frame(self, under_way: EnginePeer) -> None:
        piece = (under_way.frames.data(1, bytes(1024)) + under_way.frames.ping()) * 10
        for _ in range(self.TIMES // 10):
            self.feed(under_way, piece)
            under_way.engine.credit(1, 10_240)
            under_way.engine.take()

    def test_an_upload_with_two_window_updates_for_each_frame(self, under_way: EnginePeer) -> None:
        frames = under_way.frames
        for _ in range(self.TIMES):
            assert under_way.engine.send(1, bytes(1024), end_stream=False) == 1024
            self.feed(under_way, frames.window_update(1, 1024) + frames.window_update(0, 1024))
            under_way.engine.take()

    def test_a_conversation_of_small_messages(self, under_way: EnginePeer) -> None:
        frames = under_way.frames
        answer = (
            frames.window_update(1, 5) + frames.window_update(0, 5) + frames.ping() + frames.data(1, b"yes")
        )
        for _ in range(self.TIMES):
            assert under_way.engine.send(1, b"hello", end_stream=False) == 5
            self.feed(under_way, answer)
            under_way.engine.take()

    def test_empty_answers_to_many_requests(self, make: Make) -> None:
        peer = make()
        peer.greet()
        for _ in range(3000):
            wire_id = peer.engine.open(GET, end_stream=True)
            self.feed(peer, peer.frames.headers(wire_id) + peer.frames.data(wire_id, end_stream=True))
            peer.engine.take()

    def test_a_hundred_answers_that_come_too_late(self, make: Make) -> None:
        """A program that gives up a hundred downloads gets what was under way of them."""
        peer = make()
        peer.greet()
        for _ in range(100):
            wire_id = peer.engine.open(GET, end_stream=True)
            peer.engine.reset(wire_id, ErrorCode.CANCEL)
            self.feed(peer, peer.frames.headers(wire_id) + peer.frames.data(wire_id, bytes(1024)) * 1024)
            peer.engine.take()


class TestMemory:
    def test_streams_that_were_reset_are_remembered_to_a_number(self, make: Make) -> None:
        peer = make()
        peer.greet()
        for _ in range(MAX_REMEMBERED + 500):
            peer.engine.reset(peer.engine.open(GET, end_stream=True), ErrorCode.CANCEL)
        assert len(peer.engine._guard._cut_short) == MAX_REMEMBERED  # type: ignore[attr-defined]
        peer.engine.take()
        assert peer.send_headers(1) == []  # forgotten, and yet no reason to end the connection
        assert peer.send_data(1, bytes(1000)) == []

    @pytest.mark.parametrize("fragment", [b"", b"\0\1a\1b"])
    def test_a_header_block_has_so_many_frames(self, under_way: EnginePeer, fragment: bytes) -> None:
        under_way.send_frame(HeadersFrame.type, 0, 1, b"")
        for _ in range(MAX_BLOCK_FRAMES - 2):
            assert under_way.send_frame(ContinuationFrame.type, 0, 1, fragment) == []
        (event,) = under_way.send_frame(ContinuationFrame.type, 0, 1, fragment)
        assert isinstance(event, ConnectionFailed)
        assert event.error_code == ErrorCode.ENHANCE_YOUR_CALM

    def test_a_header_block_that_is_too_large_names_the_argument(self, make: Make) -> None:
        peer = make(max_header_list=20_000)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.send_frame(HeadersFrame.type, 0, 1, bytes(16_000))
        (event,) = peer.send_frame(ContinuationFrame.type, 0, 1, bytes(16_000))
        assert isinstance(event, ConnectionFailed)
        assert "max_header_list" in event.reason
