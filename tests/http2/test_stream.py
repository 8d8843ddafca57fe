"""stream.py: what of a body may be read."""

import threading
from collections.abc import Callable

import pytest

from hyperlite.errors import StreamReset
from hyperlite.http2.stream import Stream
from hyperlite.messages.replay import FIRST, Tries
from hyperlite.messages.request import NO_HEADERS, Request


@pytest.fixture
def stream() -> Stream:
    return Stream(5, Request("GET", "/", None, NO_HEADERS, b"https", b"host", 1024))


class TestReadable:
    """The last byte of an announced length is held back until the stream's end has come too."""

    def test_without_an_announced_length_all_of_it(self, stream: Stream) -> None:
        stream.inbox.put(b"abc")
        assert stream.inbox.readable == 3

    def test_of_an_incomplete_body_all_of_it(self, stream: Stream) -> None:
        stream.inbox.length = 10
        stream.inbox.put(b"abc")
        assert stream.inbox.readable == 3

    def test_of_the_last_bytes_all_but_one(self, stream: Stream) -> None:
        stream.inbox.length = 3
        stream.inbox.put(b"abc")
        assert stream.inbox.readable == 2

    def test_of_the_last_bytes_all_when_the_end_is_there(self, stream: Stream) -> None:
        stream.inbox.length = 3
        stream.inbox.put(b"abc")
        stream.inbox.complete = True
        assert stream.inbox.readable == 3

    def test_what_was_taken_counts(self, stream: Stream) -> None:
        stream.inbox.length = 5
        stream.inbox.put(b"abc")
        stream.inbox.taken = 2
        assert stream.inbox.readable == 2

    def test_the_last_byte_alone(self, stream: Stream) -> None:
        stream.inbox.length = 3
        stream.inbox.put(b"c")
        stream.inbox.taken = 2
        assert stream.inbox.readable == 0

    @pytest.mark.parametrize("length", [None, 0, 5])
    def test_nothing(self, stream: Stream, length: int | None) -> None:
        stream.inbox.length = length
        assert stream.inbox.readable == 0


class TestState:
    def test_a_new_stream_belongs_to_the_thread_that_asked_for_it(self, stream: Stream) -> None:
        assert stream.thread == threading.get_ident()
        assert (stream.tries, stream.answered_before, stream.transport, stream.waiters) == (
            FIRST,
            0,
            None,
            (),
        )

    def test_a_new_stream_waits(self, stream: Stream) -> None:
        assert (stream.stream_id, stream.wire_id, stream.settled, stream.inbox.exhausted) == (
            5,
            0,
            False,
            False,
        )

    def test_settled_by_a_status(self, stream: Stream) -> None:
        stream.status = 200
        assert stream.settled

    def test_settled_by_a_failure(self, stream: Stream) -> None:
        stream.error = StreamReset("reset")
        assert stream.settled

    def test_exhausted_only_when_all_was_read(self, stream: Stream) -> None:
        stream.inbox.complete = True
        assert stream.inbox.exhausted
        stream.inbox.put(b"a")
        assert not stream.inbox.exhausted

    def test_reset_forgets_the_last_connection(self, stream: Stream) -> None:
        stream.wire_id, stream.status, stream.error, stream.inbox.complete = (
            7,
            200,
            StreamReset("reset"),
            True,
        )
        stream.inbox.put(b"abc")
        stream.tries = Tries(2)
        stream.reset()
        assert (stream.wire_id, stream.status, stream.error, stream.inbox.complete) == (0, 0, None, False)
        assert stream.inbox.size == 0
        assert (stream.stream_id, stream.tries) == (5, Tries(2))

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            (lambda stream: None, "queued"),
            (lambda stream: setattr(stream, "wire_id", 7), "on wire 7: waiting for the response"),
            (lambda stream: setattr(stream, "status", 404), "status 404, body under way"),
            (lambda stream: setattr(stream.inbox, "complete", True), "complete"),
            (lambda stream: setattr(stream, "error", StreamReset("gone")), "failed: gone"),
            (lambda stream: stream.inbox.put(b"abc"), "3 bytes unread"),
        ],
    )
    def test_repr(self, stream: Stream, change: Callable[[Stream], None], text: str) -> None:
        change(stream)
        assert text in repr(stream)
        assert repr(stream).startswith("<Stream 5 ")
