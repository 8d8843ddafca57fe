"""messages/buffer.py: a queue of bytes, whatever sizes go in and out."""

import tracemalloc

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hyperlite.messages.buffer import FULL_PIECE, SMALL_PIECE, Buffer


def drained(buffer: Buffer, limit: int = 1 << 30) -> list[bytes]:
    taken = []
    while buffer.size:
        taken.append(buffer.take(limit))
    return taken


def filled(*pieces: bytes) -> Buffer:
    buffer = Buffer()
    for piece in pieces:
        buffer.put(piece)
    return buffer


class TestBuffer:
    def test_it_is_empty_at_first(self) -> None:
        assert (Buffer().size, Buffer().peek()) == (0, b"")

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
        buffer = filled(*(bytes([65 + number]) * (SMALL_PIECE + number) for number in range(8)))
        taken = drained(buffer, limit)
        assert b"".join(taken) == whole
        assert all(len(piece) == limit for piece in taken[:-1])
        assert buffer.size == 0

    def test_size_is_what_is_left(self) -> None:
        buffer = filled(b"abc", b"d" * 5000)
        assert buffer.size == 5003
        buffer.take(2)
        assert buffer.size == 5001

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 100])
    def test_taking_less_than_a_piece(self, limit: int) -> None:
        taken = drained(filled(b"abcdefg"), limit)
        assert b"".join(taken) == b"abcdefg"
        assert all(len(piece) == limit for piece in taken[:-1])

    def test_what_is_taken_is_bytes(self) -> None:
        """Of the gathered pieces too, and of parts of them."""
        buffer = filled(*[b"a"] * 10)
        assert [type(buffer.take(limit)) for limit in (1, 3, 100)] == [bytes] * 3
        assert buffer.size == 0

    def test_small_pieces_are_gathered(self) -> None:
        buffer = filled(*[b"a"] * 1000)
        assert [len(piece) for piece in buffer._pieces] == [1, 999]

    def test_a_gathered_piece_grows_only_so_far(self) -> None:
        buffer = filled(*[b"a"] * (3 * FULL_PIECE))
        assert max(len(piece) for piece in buffer._pieces) <= FULL_PIECE + SMALL_PIECE

    def test_small_pieces_between_large_ones_stay_in_order(self) -> None:
        large = b"L" * SMALL_PIECE
        buffer = filled(large, b"a", b"b", large, b"c", large)
        assert b"".join(drained(buffer)) == large + b"ab" + large + b"c" + large

    def test_gathering_goes_on_while_the_front_is_read(self) -> None:
        buffer = filled(b"0", b"a", b"b")
        assert buffer.take(1) == b"0"
        assert buffer.take(1) == b"a"
        buffer.put(b"c")
        assert buffer.take(10) == b"bc"

    def test_a_caller_s_piece_is_never_changed(self) -> None:
        taken = filled(b"a").take(1)
        buffer = filled(taken)
        buffer.put(b"b")
        assert taken == b"a"
        assert b"".join(drained(buffer)) == b"ab"

    @pytest.mark.parametrize("size", [1, 7, 100])
    def test_a_body_of_small_frames_costs_about_its_bytes(self, size: int) -> None:
        body = 200_000
        buffer = Buffer()
        tracemalloc.start()
        try:
            for at in range(0, body, size):
                buffer.put(bytes([at % 251]) * size)
            cost, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert buffer.size >= body
        assert cost < 1.5 * body


class TestPutBack:
    def test_it_is_next(self) -> None:
        buffer = filled(b"abc")
        buffer.put_back(buffer.take(2))
        assert drained(buffer, 2) == [b"ab", b"c"]

    def test_before_a_piece_of_which_some_was_taken(self) -> None:
        buffer = filled(b"abcdef")
        buffer.take(2)
        buffer.put_back(b"XY")
        assert b"".join(drained(buffer)) == b"XYcdef"

    def test_into_an_empty_buffer(self) -> None:
        buffer = filled(b"abc")
        buffer.put_back(buffer.take(3))
        assert (buffer.size, buffer.peek()) == (3, b"abc")

    def test_what_was_a_part_goes_back_without_a_copy(self) -> None:
        """To look ahead in a large piece, line after line, must not copy it each time."""
        piece = b"x" * 16384
        buffer = filled(piece)
        buffer.put_back(buffer.take(100))
        assert buffer.take(16384) is piece

    def test_nothing(self) -> None:
        buffer = Buffer()
        buffer.put_back(b"")
        assert (buffer.size, buffer.peek()) == (0, b"")

    def test_what_comes_later_comes_after_it(self) -> None:
        buffer = filled(b"a")
        buffer.put_back(buffer.take(1))
        buffer.put(b"b")
        assert b"".join(drained(buffer)) == b"ab"


class TestPeek:
    def test_it_takes_nothing(self) -> None:
        buffer = filled(b"abc")
        assert (buffer.peek(), buffer.peek(), buffer.size) == (b"abc", b"abc", 3)

    def test_it_begins_where_reading_does(self) -> None:
        buffer = filled(b"abc")
        buffer.take(1)
        assert buffer.peek() == b"bc"

    def test_it_sees_the_first_piece(self) -> None:
        assert filled(b"a" * SMALL_PIECE, b"b" * SMALL_PIECE).peek() == b"a" * SMALL_PIECE


def test_clear() -> None:
    buffer = filled(b"abc", b"d" * 5000)
    buffer.take(1)
    buffer.clear()
    assert (buffer.size, buffer.peek()) == (0, b"")
    buffer.put(b"new")
    assert drained(buffer) == [b"new"]


class BufferMachine(RuleBasedStateMachine):
    """A buffer is a queue of bytes, whatever sizes go in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = Buffer()
        self.model = bytearray()
        self.count = 0

    def fresh(self, size: int) -> bytes:
        """Return bytes unlike those before and after them."""
        self.count += size
        return bytes((self.count + number) % 251 for number in range(size))

    @rule(size=st.sampled_from([1, 2, 10, SMALL_PIECE - 1, SMALL_PIECE, SMALL_PIECE + 1, 5000]))
    def put(self, size: int) -> None:
        piece = self.fresh(size)
        self.buffer.put(piece)
        self.model += piece

    @rule(times=st.integers(1, 40))
    def put_many_small_ones(self, times: int) -> None:
        for _ in range(times):
            self.put(600)

    @precondition(lambda self: self.model)
    @rule(limit=st.sampled_from([1, 2, 100, 4096, 1 << 20]))
    def take(self, limit: int) -> None:
        taken = self.buffer.take(limit)
        assert type(taken) is bytes
        assert 0 < len(taken) <= limit
        assert self.model.startswith(taken)
        del self.model[: len(taken)]

    @rule(limit=st.sampled_from([0, 1, 2, 100, 4096, 1 << 20]))
    def take_into(self, limit: int) -> None:
        into = bytearray(limit)
        count = self.buffer.take_into(memoryview(into))
        assert count == min(limit, len(self.model))
        assert into[:count] == self.model[:count]
        del self.model[:count]

    @precondition(lambda self: self.model)
    @rule(limit=st.sampled_from([1, 3, 100, 1 << 20]))
    def take_and_put_back(self, limit: int) -> None:
        self.buffer.put_back(self.buffer.take(limit))

    @rule(size=st.integers(0, 5))
    def put_back_something_else(self, size: int) -> None:
        piece = self.fresh(size)
        self.buffer.put_back(piece)
        self.model[:0] = piece

    @rule()
    def clear(self) -> None:
        self.buffer.clear()
        self.model.clear()

    @invariant()
    def they_agree(self) -> None:
        assert self.buffer.size == len(self.model)
        peeked = self.buffer.peek()
        assert self.model.startswith(peeked)
        assert bool(peeked) == bool(self.model)


TestBufferMachine = BufferMachine.TestCase
