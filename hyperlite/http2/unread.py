"""How many bytes lie unread on a connection, and when the peer gets credit for them before they are read.

Bytes of a body lie in the stream's inbox, and the peer gets new credit as they are read. So a stream with a
slow reader fills its window and stops, while the other streams go on. But a response may depend on other
streams that no thread reads:

- A queued request waits until one of the streams that hold the slots ends.
- A request whose body is being sent may wait until the server has sent another answer.
- A server may hold an answer back until others are read. Apache begins with six workers for a connection, and
  each of them waits for the window of its answer. Only silence shows this.

The stalled streams then get credit beyond their windows, `max_buffered` bytes in all. If the waiting thread
is the one that should have read them, it would wait for itself for ever; that is an error.

There is no clock, lock or engine here; the connection's lock guards the object.
"""

from collections.abc import Callable, Collection

from .engine.windows import STREAM_WINDOW
from .stream import Stream

# Unread bytes to accept beyond the stream windows, where a wait depends on it.
MAX_BUFFERED = 64 << 20
# After so many seconds of polling without a byte, the server may be holding an answer back until others are
# read. Most answers take less time, so a slow server costs no memory.
STALLED = 0.5

# Returns how many bytes the peer may still send on a stream, by its wire id.
WindowLeft = Callable[[int], int]


class Unread:
    """The unread bytes of all streams.

    Args:
        max_buffered: bytes that may be credited before they are read.

    Attributes:
        total: bytes in all inboxes.
        advanced: bytes among them for which the peer has credit already.
    """

    __slots__ = ("_stalled", "advanced", "max_buffered", "total")

    def __init__(self, max_buffered: int) -> None:
        self.max_buffered: int = max_buffered
        self.total: int = 0
        self.advanced: int = 0
        self._stalled = -1  # how many responses had come when the server last held one back

    @property
    def is_full(self) -> bool:
        """Whether so much lies unread that only requests that a thread waits for are started."""
        return self.total > self.max_buffered

    def take(self, stream: Stream, size: int) -> int:
        """Take note that `size` bytes of a body were read; return for how many of them credit is due."""
        stream.inbox.taken += size
        self.total -= size
        if stream.inbox.advanced:
            prepaid = min(size, stream.inbox.advanced)
            stream.inbox.advanced -= prepaid
            self.advanced -= prepaid
            size -= prepaid
        return size

    def put_back(self, stream: Stream, size: int) -> None:
        """Take note that a read was undone. The peer keeps the credit for it."""
        stream.inbox.taken -= size
        self.total += size
        stream.inbox.advanced += size
        self.advanced += size

    def discard(self, stream: Stream) -> None:
        """Throw away the unread bytes of a stream."""
        self.total -= stream.inbox.size
        self.advanced -= stream.inbox.advanced
        stream.inbox.advanced = 0
        stream.inbox.clear()

    def patience(
        self,
        waiting: Collection[Stream],
        streams: Collection[Stream],
        window_left: WindowLeft,
        answered: int,
        quiet: float,
    ) -> float | None:
        """Return when a wait needs credit for unread bytes.

        Args:
            waiting: the thread waits for any of these streams; empty: it waits for something else.
            streams: all open streams.
            window_left: see `WindowLeft`.
            answered: how many responses have come on the connection.
            quiet: seconds of polling in which nothing came.

        Returns:
            0: it needs credit now. Otherwise the seconds of silence to wait first; None: it needs none.
        """
        # A full window lies unread but for the bytes that were read and whose credit was not sent yet.
        much = self.total - self.advanced >= STREAM_WINDOW // 2
        for one in waiting:
            if one.wire_id and not one.sending:
                if one.status or not much:
                    return None
                break
        else:
            return 0.0 if waiting else None
        if self._stalled == answered:
            return 0.0
        if not any(self._room(stream) and window_left(stream.wire_id) <= 0 for stream in streams):
            return None
        if quiet < STALLED:
            return STALLED - quiet
        self._stalled = answered
        return 0.0

    def _room(self, stream: Stream) -> int:
        """Return for how many unread bytes of a stream credit may be given; 0 if a thread waits for it."""
        held = stream.inbox.size - stream.inbox.advanced
        return 0 if stream.waiters or self.advanced + held > self.max_buffered else held

    def advance(self, stream: Stream) -> int:
        """Take note that a stream gets all the credit that it may have; return for how many bytes."""
        size = self._room(stream)
        stream.inbox.advanced += size
        self.advanced += size
        return size

    def is_deadlocked(
        self, waiting: Collection[Stream], streams: Collection[Stream], window_left: WindowLeft, thread: int
    ) -> bool:
        """Tell whether a thread waits for itself: no stream can go on until this thread reads one.

        Args:
            waiting: the streams that the thread waits for.
            streams: all open streams, after they have got the credit that they may have.
            window_left: see `WindowLeft`.
            thread: the thread's identifier.
        """
        return (
            bool(streams)
            and not any(one.wire_id for one in waiting)
            and not any(
                stream.waiters or stream.thread != thread or window_left(stream.wire_id) > 0
                for stream in streams
            )
        )
