"""http2/unread.py: what lies unread, and what of it gets credit before it is read."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from hyperlite.http2.engine.windows import STREAM_WINDOW
from hyperlite.http2.stream import Stream, Upload
from hyperlite.http2.unread import STALLED, Unread
from hyperlite.messages.request import NO_HEADERS, Request

LIMIT = 2 * STREAM_WINDOW
OURS, OTHERS = 1, 2  # threads
StreamOf = Callable[..., Stream]


@pytest.fixture
def unread() -> Unread:
    return Unread(LIMIT)


@pytest.fixture
def make(unread: Unread) -> StreamOf:
    """Makes a stream, of which so many bytes lie unread."""

    def stream(wire_id: int, size: int = 0, *, thread: int = OURS) -> Stream:
        made = Stream(wire_id, Request("GET", "/", None, NO_HEADERS, b"https", b"a.test", 1024))
        made.wire_id, made.thread = wire_id, thread
        if size:
            made.inbox.put(bytes(size))
            unread.total += size
        return made

    return stream


def full(_wire_id: int) -> int:
    """All windows are used up."""
    return 0


def wide(_wire_id: int) -> int:
    """The peer may go on sending."""
    return 1


class TestReading:
    def test_credit_is_due_for_what_is_read(self, unread: Unread, make: StreamOf) -> None:
        stream = make(1, 100)
        assert unread.take(stream, 60) == 60
        assert (unread.total, unread.advanced, stream.inbox.taken) == (40, 0, 60)

    def test_what_was_credited_before_is_not_credited_again(self, unread: Unread, make: StreamOf) -> None:
        stream = make(1, 100)
        assert unread.advance(stream) == 100
        stream.inbox.put(bytes(50))
        unread.total += 50
        assert unread.take(stream, 120) == 20
        assert (unread.total, unread.advanced, stream.inbox.advanced) == (30, 0, 0)

    def test_what_is_put_back_was_credited(self, unread: Unread, make: StreamOf) -> None:
        stream = make(1, 100)
        unread.take(stream, 60)
        unread.put_back(stream, 60)
        assert (unread.total, unread.advanced, stream.inbox.advanced, stream.inbox.taken) == (100, 60, 60, 0)
        assert unread.take(stream, 100) == 40

    def test_what_is_discarded_is_unread_no_longer(self, unread: Unread, make: StreamOf) -> None:
        stream, sibling = make(1, 100), make(3, 7)
        unread.advance(stream)
        unread.discard(stream)
        assert (unread.total, unread.advanced, stream.inbox.size, sibling.inbox.size) == (7, 0, 0, 7)

    def test_it_is_full_past_the_limit(self, unread: Unread, make: StreamOf) -> None:
        make(1, LIMIT)
        assert not unread.is_full
        make(3, 1)
        assert unread.is_full


class TestCreditBeyondTheWindow:
    def test_as_much_as_fits(self, unread: Unread, make: StreamOf) -> None:
        first, second = make(1, LIMIT - 1), make(3, 2)
        assert [unread.advance(first), unread.advance(second)] == [LIMIT - 1, 0]
        assert unread.advanced == LIMIT - 1

    def test_none_where_a_thread_waits_for_more(self, unread: Unread, make: StreamOf) -> None:
        stream = make(1, 100)
        stream.waiters = (SimpleNamespace(release=None),)
        assert unread.advance(stream) == 0

    def test_none_twice(self, unread: Unread, make: StreamOf) -> None:
        stream = make(1, 100)
        assert [unread.advance(stream), unread.advance(stream)] == [100, 0]


class TestPatience:
    def test_what_is_queued_needs_it_at_once(self, unread: Unread, make: StreamOf) -> None:
        assert unread.patience([make(0)], [make(1, 1)], full, 0, 0.0) == 0

    def test_what_is_still_being_sent_needs_it_at_once(self, unread: Unread, make: StreamOf) -> None:
        upload = make(1)
        upload.upload = Upload()
        upload.upload.piece = memoryview(b"body")
        assert unread.patience([upload], [upload, make(3, 1)], full, 0, 0.0) == 0

    def test_a_ping_does_not_need_it(self, unread: Unread) -> None:
        assert unread.patience([], [], full, 0, 99.0) is None

    def test_a_response_that_has_begun_does_not_need_it(self, unread: Unread, make: StreamOf) -> None:
        begun, sibling = make(1), make(3, STREAM_WINDOW)
        begun.status = 200
        assert unread.patience([begun], [begun, sibling], full, 0, 99.0) is None

    def test_an_answer_may_be_held_back_while_much_lies_unread(self, unread: Unread, make: StreamOf) -> None:
        asked = make(1)
        assert unread.patience([asked], [asked], full, 0, 99.0) is None
        streams = [asked, make(3, STREAM_WINDOW)]
        assert unread.patience([asked], streams, wide, 0, 99.0) is None
        assert unread.patience([asked], streams, full, 0, STALLED / 4) == STALLED * 3 / 4
        assert unread.patience([asked], streams, full, 0, STALLED) == 0

    def test_once_it_was_held_back_no_silence_is_needed_until_the_next(
        self, unread: Unread, make: StreamOf
    ) -> None:
        asked = make(1)
        streams = [asked, make(3, STREAM_WINDOW)]
        assert unread.patience([asked], streams, full, 5, STALLED) == 0
        assert unread.patience([asked], streams, full, 5, 0.0) == 0
        assert unread.patience([asked], streams, full, 6, 0.0) == STALLED


class TestDeadlock:
    def test_a_thread_that_waits_for_what_it_should_read(self, unread: Unread, make: StreamOf) -> None:
        assert unread.is_deadlocked([make(0)], [make(1, 1), make(3, 1)], full, OURS)

    def test_not_where_the_peer_can_go_on(self, unread: Unread, make: StreamOf) -> None:
        assert not unread.is_deadlocked([make(0)], [make(1, 1)], wide, OURS)

    def test_not_where_another_thread_may_read(self, unread: Unread, make: StreamOf) -> None:
        assert not unread.is_deadlocked([make(0)], [make(1, 1), make(3, 1, thread=OTHERS)], full, OURS)

    def test_not_where_a_thread_reads(self, unread: Unread, make: StreamOf) -> None:
        read = make(1, 1)
        read.waiters = (SimpleNamespace(release=None),)
        assert not unread.is_deadlocked([make(0)], [read], full, OURS)

    def test_not_where_one_has_a_slot(self, unread: Unread, make: StreamOf) -> None:
        assert not unread.is_deadlocked([make(0), make(1)], [make(1, 1)], full, OURS)

    def test_not_where_nothing_is_open(self, unread: Unread, make: StreamOf) -> None:
        assert not unread.is_deadlocked([make(0)], [], full, OURS)
