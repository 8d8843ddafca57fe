"""windows.py: how much a peer may send, as arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hyperlite.http2.engine.windows import (
    CONNECTION_WINDOW,
    CREDIT_SHARE,
    DEFAULT_WINDOW,
    MAX_STREAM_WINDOW,
    STREAM_WINDOW,
    InboundWindow,
)

LARGEST = 2**31 - 1


def test_the_numbers_are_what_the_protocol_allows() -> None:
    assert DEFAULT_WINDOW == 65535
    assert DEFAULT_WINDOW < STREAM_WINDOW < MAX_STREAM_WINDOW < CONNECTION_WINDOW <= LARGEST


def test_a_hundred_full_streams_do_not_fill_the_connection() -> None:
    assert 50 * MAX_STREAM_WINDOW < CONNECTION_WINDOW
    assert 1000 * STREAM_WINDOW < CONNECTION_WINDOW


class TestConsumed:
    def test_less_than_an_eighth_is_saved_up(self) -> None:
        window = InboundWindow(104)
        window.left -= 12
        assert window.consumed(12) == 0
        assert window.left == 92

    def test_an_eighth_is_given_back(self) -> None:
        window = InboundWindow(104)
        window.left -= 13
        assert window.consumed(13) == 13
        assert window.left == 104

    def test_small_amounts_add_up_to_one_increment(self) -> None:
        window = InboundWindow(100)
        window.left -= 100
        assert [window.consumed(5) for _ in range(5)] == [0, 0, 15, 0, 0]
        assert window.left == 15

    def test_what_was_given_back_is_not_given_again(self) -> None:
        window = InboundWindow(100)
        window.left -= 60
        assert window.consumed(60) == 60
        assert window.consumed(0) == 0

    @pytest.mark.parametrize(("size", "first"), [(1, 1), (8, 1), (9, 2), (101, 13)])
    def test_odd_sizes(self, size: int, first: int) -> None:
        window = InboundWindow(size)
        window.left -= size
        given_back = [window.consumed(1) for _ in range(first)]
        assert given_back == [0] * (first - 1) + [first]

    def test_a_window_of_nothing(self) -> None:
        assert InboundWindow(0).consumed(0) == 0


class TestReceived:
    def test_more_than_was_allowed_shows(self) -> None:
        window = InboundWindow(100)
        window.left -= 101
        assert window.left == -1


class TestWiden:
    def test_the_increment_is_the_difference(self) -> None:
        window = InboundWindow(100)
        assert window.widen(150) == 50
        assert (window.size, window.left) == (150, 150)

    def test_by_one(self) -> None:
        window = InboundWindow(100)
        assert window.widen(101) == 1
        assert (window.size, window.left) == (101, 101)

    def test_what_was_saved_up_goes_with_it(self) -> None:
        window = InboundWindow(100)
        window.left -= 12
        assert window.consumed(12) == 0
        assert window.widen(150) == 62
        assert window.left == 150
        assert window.consumed(0) == 0

    @pytest.mark.parametrize("size", [100, 99, 0])
    def test_a_window_never_narrows(self, size: int) -> None:
        window = InboundWindow(100)
        assert window.widen(size) == 0
        assert (window.size, window.left) == (100, 100)


class TestGrow:
    def test_before_a_windowful_has_come_it_stays(self) -> None:
        window = InboundWindow(100)
        window.left -= 99
        assert window.grow(1000) == 0
        assert window.size == 100

    def test_after_a_windowful_it_is_four_times_as_wide(self) -> None:
        window = InboundWindow(100)
        window.left -= 100
        window.consumed(100)
        assert window.grow(1000) == 300
        assert (window.size, window.left) == (400, 400)

    def test_it_takes_a_whole_new_windowful_to_grow_again(self) -> None:
        window = InboundWindow(100)
        window.left -= 100
        window.consumed(100)
        window.grow(1000)
        window.left -= 399
        assert window.grow(1000) == 0
        window.left -= 1
        assert window.grow(1000) == 600

    def test_up_to_the_limit(self) -> None:
        window = InboundWindow(100)
        window.left -= 100
        assert window.grow(150) == 50
        window.left -= 150
        assert window.grow(150) == 0
        assert window.size == 150


def test_the_default_reaches_its_limit_in_two_steps() -> None:
    window = InboundWindow(STREAM_WINDOW)
    sizes = []
    for _ in range(6):
        window.left = 0
        window.consumed(window.size)
        window.grow(MAX_STREAM_WINDOW)
        sizes.append(window.size >> 20)
    assert sizes == [4, 16, 16, 16, 16, 16]


class WindowMachine(RuleBasedStateMachine):
    """A peer that sends what it may, a reader that consumes what came, and both sides' books."""

    LIMIT = 400

    def __init__(self) -> None:
        super().__init__()
        self.window = InboundWindow(50)
        self.peer_may_send = 50  # what was advertised, less what was sent
        self.unread = 0

    @precondition(lambda self: self.peer_may_send)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(0, self.peer_may_send))
        self.window.left -= size
        self.peer_may_send -= size
        self.unread += size

    @precondition(lambda self: self.unread)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(1, self.unread))
        self.unread -= size
        self.peer_may_send += self.window.consumed(size)

    @rule()
    def starve(self) -> None:
        self.peer_may_send += self.window.grow(self.LIMIT)

    @rule(size=st.integers(0, LIMIT))
    def widen(self, size: int) -> None:
        self.peer_may_send += self.window.widen(size)

    @invariant()
    def the_books_agree(self) -> None:
        assert self.window.left == self.peer_may_send

    @invariant()
    def left_and_unread_never_exceed_the_window(self) -> None:
        assert 0 <= self.window.left <= self.window.size <= self.LIMIT
        assert self.window.left + self.unread <= self.window.size

    @invariant()
    def a_reader_that_has_read_all_never_starves(self) -> None:
        if not self.unread:
            assert self.window.left * 2 > self.window.size


TestWindowMachine = WindowMachine.TestCase


@given(size=st.integers(1, 1 << 20), pieces=st.lists(st.integers(1, 1 << 14), max_size=50))
def test_a_reader_as_fast_as_the_peer_sends_few_increments(size: int, pieces: list[int]) -> None:
    window = InboundWindow(size)
    increments = 0
    for piece in pieces:
        window.left -= piece
        increments += bool(window.consumed(piece))
    assert increments <= CREDIT_SHARE * sum(pieces) / size
