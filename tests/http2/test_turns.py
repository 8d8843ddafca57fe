"""http2/turns.py: which stream's body is made into frames next; http2/receive.py: refusals that add up."""

from typing import Any

import pytest

from hyperlite.http2.receive import MAX_REFUSED, Refusals
from hyperlite.http2.stream import Stream
from hyperlite.http2.turns import BODY_TURN, SMALL_BODY, WRITE_AHEAD, Turns
from hyperlite.messages.request import NO_HEADERS, Request


class Engine:
    """Takes as much of each body as its window allows."""

    def __init__(self) -> None:
        self.window = 1 << 30
        self.sent: list[tuple[int, int, bool]] = []

    def send(self, wire_id: int, data: Any, *, end_stream: bool) -> int:
        size = min(len(data), self.window)
        self.window -= size
        self.sent.append((wire_id, size, end_stream))
        return size


@pytest.fixture
def engine() -> Any:
    return Engine()


@pytest.fixture
def turns() -> Turns:
    return Turns()


def make(wire_id: int, body: bytes = b"body") -> Stream:
    stream = Stream(wire_id, Request("POST", "/", body, NO_HEADERS, b"https", b"a.test", 1024))
    stream.wire_id = wire_id
    return stream


class TestBehindTheHeaderBlock:
    def test_a_small_body_goes_out_at_once(self, turns: Turns, engine: Any) -> None:
        stream = make(1, b"body")
        turns.begin(stream, engine, 0)
        assert engine.sent == [(1, 4, True)]
        assert stream.upload is None
        assert not turns.senders

    @pytest.mark.parametrize(("size", "ahead"), [(SMALL_BODY + 1, 0), (1, WRITE_AHEAD)])
    def test_what_is_large_or_would_wait_for_the_socket_takes_turns(
        self, turns: Turns, engine: Any, size: int, ahead: int
    ) -> None:
        stream = make(1, bytes(size))
        turns.begin(stream, engine, ahead)
        assert not engine.sent
        assert turns.senders == {1: stream}

    def test_what_the_window_does_not_take_waits(self, turns: Turns, engine: Any) -> None:
        engine.window = 3
        stream = make(1, b"body")
        turns.begin(stream, engine, 0)
        assert stream.upload is not None
        assert bytes(stream.upload.piece or b"") == b"y"

    def test_a_piece_that_waited_is_the_first(self, turns: Turns, engine: Any) -> None:
        stream = make(0)
        turns.put(stream, b"piece", last=False)
        assert not turns.senders
        stream.wire_id = 1
        turns.begin(stream, engine, 0)
        assert turns.senders == {1: stream}


class TestTurns:
    def test_each_stream_in_turn(self, turns: Turns, engine: Any) -> None:
        for wire_id in (1, 3):
            turns.put(make(wire_id), bytes(2 * BODY_TURN), last=True)
        turns.feed(engine, 0)
        turns.feed(engine, 0)
        assert engine.sent == [
            (1, BODY_TURN, False), (3, BODY_TURN, False), (1, BODY_TURN, True), (3, BODY_TURN, True)
        ]  # fmt: skip
        assert not turns.senders

    def test_no_more_than_the_socket_is_to_take(self, turns: Turns, engine: Any) -> None:
        turns.put(make(1), b"body", last=True)
        turns.feed(engine, WRITE_AHEAD)
        assert not engine.sent

    def test_a_piece_that_is_not_the_last_leaves_the_stream_open(self, turns: Turns, engine: Any) -> None:
        stream = make(1)
        turns.put(stream, b"piece", last=False)
        turns.feed(engine, 0)
        assert engine.sent == [(1, 5, False)]
        assert stream.upload is not None
        assert not stream.sending

    def test_what_is_forgotten_is_not_sent(self, turns: Turns, engine: Any) -> None:
        stream = make(1)
        turns.put(stream, b"piece", last=False)
        turns.forget(stream)
        turns.feed(engine, 0)
        assert not engine.sent
        assert stream.upload is None


class TestRefusals:
    def test_several_one_after_the_other_are_too_many(self) -> None:
        refusals = Refusals()
        noted = [refusals.note(100 * n, 100 * n + 50, 0) for n in range(MAX_REFUSED)]
        assert noted == [False] * (MAX_REFUSED - 1) + [True]

    def test_those_side_by_side_count_once(self) -> None:
        refusals = Refusals()
        assert not any(refusals.note(n, 1000, 0) for n in range(10))

    def test_an_answer_begins_the_count_anew(self) -> None:
        refusals = Refusals()
        assert not any(refusals.note(100 * n, 100 * n + 50, answered=n) for n in range(10))
