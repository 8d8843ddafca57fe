"""stream.py: the inbox, and what of a body may be read."""

import threading
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hyperlite.errors import StreamReset
from hyperlite.http2.stream import FULL_PIECE, SMALL_PIECE, Inbox, Stream
from hyperlite.messages.request import NO_HEADERS, Request


def drained(inbox: Inbox, limit: int = 1 << 30) -> list[bytes]:
    taken = []
    while inbox.size:
        taken.append(inbox.take(limit))
    return taken


def filled(*pieces: bytes) -> Inbox:
    inbox = Inbox()
    for piece in pieces:
        inbox.put(piece)
    return inbox


class TestInbox:
    def test_it_is_empty_at_first(self) -> None:
        assert (Inbox().size, Inbox().peek()) == (0, b"")

    def test_a_piece_comes_out_as_it_went_in(self) -> None:
        """Without a copy: a large DATA frame is touched once."""
        piece = b"x" * 16384
        assert filled(piece).take(16384) is piece

    def test_pieces_come_out_in_order(self) -> None:
        pieces = [b"a" * SMALL_PIECE, b"b" * SMALL_PIECE]
        assert drained(filled(*pieces)) == [b"".join(pieces)]
        assert drained(filled(*pieces), SMALL_PIECE) == pieces

    @pytest.mark.parametrize("limit", [1, SMALL_PIECE - 1, SMALL_PIECE, SMALL_PIECE + 1, 3 * SMALL_PIECE + 5])
    def test_as_much_as_is_asked_for(self, limit: int) -> None:
        whole = b"".join(bytes([65 + number]) * (SMALL_PIECE + number) for number in range(8))
        inbox = filled(*(bytes([65 + number]) * (SMALL_PIECE + number) for number in range(8)))
        taken = drained(inbox, limit)
        assert b"".join(taken) == whole
        assert all(len(piece) == limit for piece in taken[:-1])
        assert inbox.size == 0

    def test_size_is_what_is_left(self) -> None:
        inbox = filled(b"abc", b"d" * 5000)
        assert inbox.size == 5003
        inbox.take(2)
        assert inbox.size == 5001

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 100])
    def test_taking_less_than_a_piece(self, limit: int) -> None:
        taken = drained(filled(b"abcdefg"), limit)
        assert b"".join(taken) == b"abcdefg"
        assert all(len(piece) == limit for piece in taken[:-1])

    def test_what_is_taken_is_bytes(self) -> None:
        """Of the gathered pieces too, and of parts of them."""
        inbox = filled(*[b"a"] * 10)
        assert [type(inbox.take(limit)) for limit in (1, 3, 100)] == [bytes] * 3
        assert inbox.size == 0

    def test_small_pieces_are_gathered(self) -> None:
        inbox = filled(*[b"a"] * 1000)
        assert [len(piece) for piece in inbox._pieces] == [1, 999]

    def test_a_gathered_piece_grows_only_so_far(self) -> None:
        inbox = filled(*[b"a"] * (3 * FULL_PIECE))
        assert max(len(piece) for piece in inbox._pieces) <= FULL_PIECE + SMALL_PIECE

    def test_small_pieces_between_large_ones_stay_in_order(self) -> None:
        large = b"L" * SMALL_PIECE
        inbox = filled(large, b"a", b"b", large, b"c", large)
        assert b"".join(drained(inbox)) == large + b"ab" + large + b"c" + large

    def test_gathering_goes_on_while_the_front_is_read(self) -> None:
        inbox = filled(b"0", b"a", b"b")
        assert inbox.take(1) == b"0"
        assert inbox.take(1) == b"a"
        inbox.put(b"c")
        assert inbox.take(10) == b"bc"

    def test_a_caller_s_piece_is_never_changed(self) -> None:
        taken = filled(b"a").take(1)
        inbox = filled(taken)
        inbox.put(b"b")
        assert taken == b"a"
        assert b"".join(drained(inbox)) == b"ab"

    @pytest.mark.parametrize("size", [1, 7, 100])
    def test_a_body_of_small_frames_costs_about_its_bytes(self, size: int) -> None:
        body = 200_000
        inbox = Inbox()
        tracemalloc.start()
        try:
            for at in range(0, body, size):
                inbox.put(bytes([at % 251]) * size)
            cost, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert inbox.size >= body
        assert cost < 1.5 * body


class TestPutBack:
    def test_it_is_next(self) -> None:
        inbox = filled(b"abc")
        inbox.put_back(inbox.take(2))
        assert drained(inbox, 2) == [b"ab", b"c"]

    def test_before_a_piece_of_which_some_was_taken(self) -> None:
        inbox = filled(b"abcdef")
        inbox.take(2)
        inbox.put_back(b"XY")
        assert b"".join(drained(inbox)) == b"XYcdef"

    def test_into_an_empty_inbox(self) -> None:
        inbox = filled(b"abc")
        inbox.put_back(inbox.take(3))
        assert (inbox.size, inbox.peek()) == (3, b"abc")

    def test_nothing(self) -> None:
        inbox = Inbox()
        inbox.put_back(b"")
        assert (inbox.size, inbox.peek()) == (0, b"")

    def test_what_comes_later_comes_after_it(self) -> None:
        inbox = filled(b"a")
        inbox.put_back(inbox.take(1))
        inbox.put(b"b")
        assert b"".join(drained(inbox)) == b"ab"


class TestPeek:
    def test_it_takes_nothing(self) -> None:
        inbox = filled(b"abc")
        assert (inbox.peek(), inbox.peek(), inbox.size) == (b"abc", b"abc", 3)

    def test_it_begins_where_reading_does(self) -> None:
        inbox = filled(b"abc")
        inbox.take(1)
        assert inbox.peek() == b"bc"

    def test_it_sees_the_first_piece(self) -> None:
        assert filled(b"a" * SMALL_PIECE, b"b" * SMALL_PIECE).peek() == b"a" * SMALL_PIECE


def test_clear() -> None:
    inbox = filled(b"abc", b"d" * 5000)
    inbox.take(1)
    inbox.clear()
    assert (inbox.size, inbox.peek()) == (0, b"")
    inbox.put(b"new")
    assert drained(inbox) == [b"new"]


class InboxMachine(RuleBasedStateMachine):
    """An inbox is a queue of bytes, whatever sizes go in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox = Inbox()
        self.model = bytearray()
        self.count = 0

    def fresh(self, size: int) -> bytes:
        """Return bytes unlike those before and after them."""
        self.count += size
        return bytes((self.count + number) % 251 for number in range(size))

    @rule(size=st.sampled_from([1, 2, 10, SMALL_PIECE - 1, SMALL_PIECE, SMALL_PIECE + 1, 5000]))
    def put(self, size: int) -> None:
        piece = self.fresh(size)
        self.inbox.put(piece)
        self.model += piece

    @rule(times=st.integers(1, 40))
    def put_many_small_ones(self, times: int) -> None:
        for _ in range(times):
            self.put(600)

    @precondition(lambda self: self.model)
    @rule(limit=st.sampled_from([1, 2, 100, 4096, 1 << 20]))
    def take(self, limit: int) -> None:
        taken = self.inbox.take(limit)
        assert type(taken) is bytes
        assert 0 < len(taken) <= limit
        assert self.model.startswith(taken)
        del self.model[: len(taken)]

    @rule(limit=st.sampled_from([0, 1, 2, 100, 4096, 1 << 20]))
    def take_into(self, limit: int) -> None:
        buffer = bytearray(limit)
        count = self.inbox.take_into(memoryview(buffer))
        assert count == min(limit, len(self.model))
        assert buffer[:count] == self.model[:count]
        del self.model[:count]

    @precondition(lambda self: self.model)
    @rule(limit=st.sampled_from([1, 3, 100, 1 << 20]))
    def take_and_put_back(self, limit: int) -> None:
        self.inbox.put_back(self.inbox.take(limit))

    @rule(size=st.integers(0, 5))
    def put_back_something_else(self, size: int) -> None:
        piece = self.fresh(size)
        self.inbox.put_back(piece)
        self.model[:0] = piece

    @rule()
    def clear(self) -> None:
        self.inbox.clear()
        self.model.clear()

    @invariant()
    def they_agree(self) -> None:
        assert self.inbox.size == len(self.model)
        peeked = self.inbox.peek()
        assert self.model.startswith(peeked)
        assert bool(peeked) == bool(self.model)


TestInboxMachine = InboxMachine.TestCase


@pytest.fixture
def stream() -> Stream:
    return Stream(5, Request("GET", "/", None, NO_HEADERS, b"https", b"host", 1024))


class TestReadable:
    """The last byte of an announced length is held back until the stream's end has come too."""

    def test_without_an_announced_length_all_of_it(self, stream: Stream) -> None:
        stream.inbox.put(b"abc")
        assert stream.readable == 3

    def test_of_an_incomplete_body_all_of_it(self, stream: Stream) -> None:
        stream.length = 10
        stream.inbox.put(b"abc")
        assert stream.readable == 3

    def test_of_the_last_bytes_all_but_one(self, stream: Stream) -> None:
        stream.length = 3
        stream.inbox.put(b"abc")
        assert stream.readable == 2

    def test_of_the_last_bytes_all_when_the_end_is_there(self, stream: Stream) -> None:
        stream.length = 3
        stream.inbox.put(b"abc")
        stream.complete = True
        assert stream.readable == 3

    def test_what_was_taken_counts(self, stream: Stream) -> None:
        stream.length = 5
        stream.inbox.put(b"abc")
        stream.taken = 2
        assert stream.readable == 2

    def test_the_last_byte_alone(self, stream: Stream) -> None:
        stream.length = 3
        stream.inbox.put(b"c")
        stream.taken = 2
        assert stream.readable == 0

    @pytest.mark.parametrize("length", [None, 0, 5])
    def test_nothing(self, stream: Stream, length: int | None) -> None:
        stream.length = length
        assert stream.readable == 0


class TestState:
    def test_a_new_stream_belongs_to_the_thread_that_asked_for_it(self, stream: Stream) -> None:
        assert stream.thread == threading.get_ident()
        assert (stream.tries, stream.answered_before, stream.transport, stream.waiters) == (0, 0, None, ())

    def test_a_new_stream_waits(self, stream: Stream) -> None:
        assert (stream.stream_id, stream.wire_id, stream.settled, stream.exhausted) == (5, 0, False, False)

    def test_settled_by_a_status(self, stream: Stream) -> None:
        stream.status = 200
        assert stream.settled

    def test_settled_by_a_failure(self, stream: Stream) -> None:
        stream.error = StreamReset("reset")
        assert stream.settled

    def test_exhausted_only_when_all_was_read(self, stream: Stream) -> None:
        stream.complete = True
        assert stream.exhausted
        stream.inbox.put(b"a")
        assert not stream.exhausted

    def test_reset_forgets_the_last_connection(self, stream: Stream) -> None:
        stream.wire_id, stream.status, stream.error, stream.complete = 7, 200, StreamReset("reset"), True
        stream.inbox.put(b"abc")
        stream.tries = 2
        stream.reset()
        assert (stream.wire_id, stream.status, stream.error, stream.complete) == (0, 0, None, False)
        assert stream.inbox.size == 0
        assert (stream.stream_id, stream.tries) == (5, 2)

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            (lambda stream: None, "queued"),
            (lambda stream: setattr(stream, "wire_id", 7), "on wire 7: waiting for the response"),
            (lambda stream: setattr(stream, "status", 404), "status 404, body under way"),
            (lambda stream: setattr(stream, "complete", True), "complete"),
            (lambda stream: setattr(stream, "error", StreamReset("gone")), "failed: gone"),
            (lambda stream: stream.inbox.put(b"abc"), "3 bytes unread"),
        ],
    )
    def test_repr(self, stream: Stream, change: Callable[[Stream], None], text: str) -> None:
        change(stream)
        assert text in repr(stream)
        assert repr(stream).startswith("<Stream 5 ")
