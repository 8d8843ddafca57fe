"""How much lies unread on all streams of a connection, and when that is given credit before it is read.

A body that has come lies in its stream's inbox, and its credit is returned as it is read. So a stream whose
reader is slow fills its window and stops; its siblings go on. But a response may depend on siblings that no
thread reads:

- A request that is queued waits for the siblings that hold the slots to end.
- A request whose body is under way may wait for the server to get rid of another answer.
- A server may hold back an answer until the others are read. Apache begins with six workers for a connection,
  and each of them waits for the window of what it sends. Only silence shows that.

The stalled siblings then get credit beyond their windows, `max_buffered` bytes in all. Where the waiting
thread is the one that should have read, it would wait for itself for ever, and that is an error.

There is no clock, lock or engine here; the connection's lock guards the object.
"""

from collections.abc import Callable, Collection

from .engine.windows import STREAM_WINDOW
from .stream import Stream

# Unread bytes to be taken beyond the stream windows, where progress needs it.
MAX_BUFFERED = 64 << 20
# Seconds of polling, in which nothing comes, after which an answer may be one that the server holds back
# until others are read. Most answers take less: slowness need not cost memory.
STALLED = 0.5

# Returns how many bytes the peer may still send on a stream, by its wire id.
WindowLeft = Callable[[int], int]


class Unread:
    """The unread bytes of all streams.

    Args:
        max_buffered: bytes that may be credited before they are read.

    Attributes:
        total: bytes in all inboxes.
        advanced: of these, the bytes that were credited before they are read.
    """

    __slots__ = ("_stalled", "advanced", "max_buffered", "total")

    def __init__(self, max_buffered: int) -> None:
        self.max_buffered = max_buffered
        self.total = 0
        self.advanced = 0
        self._stalled = -1  # how many responses had come when the server last held one back

    @property
    def is_full(self) -> bool:
        """Whether so much lies unread that no request is started unless a thread waits for its response."""
        return self.total > self.max_buffered

    def take(self, stream: Stream, size: int) -> int:
        """Take note that so much of a body was read; returns for how many bytes credit is due."""
        stream.inbox.taken += size
        self.total -= size
        if stream.inbox.advanced:
            prepaid = min(size, stream.inbox.advanced)
            stream.inbox.advanced -= prepaid
            self.advanced -= prepaid
            size -= prepaid
        return size

    def put_back(self, stream: Stream, size: int) -> None:
        """Take note that a read was undone. The credit for it stays given."""
        stream.inbox.taken -= size
        self.total += size
        stream.inbox.advanced += size
        self.advanced += size

    def discard(self, stream: Stream) -> None:
        """Throw away what lies unread of a stream."""
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
            waiting: streams, for any of which the thread waits; none: it waits for something else.
            streams: all that are open.
            window_left: asked for each of them.
            answered: how many responses have come on the connection.
            quiet: seconds of polling in which nothing came.

        Returns:
            Seconds of silence that are missing; 0: it needs it now; None: it does not.
        """
        # What lies unread of a window that is full: all but what was read and is not credited yet.
        much = self.total - self.advanced >= STREAM_WINDOW // 2
        started = next((one for one in waiting if one.wire_id and not one.sending), None)
        if not waiting or (started is not None and (started.status or not much)):
            return None
        if started is None or self._stalled == answered:
            return 0.0
        if not any(self._room(stream) and window_left(stream.wire_id) <= 0 for stream in streams):
            return None
        if quiet < STALLED:
            return STALLED - quiet
        self._stalled = answered
        return 0.0

    def _room(self, stream: Stream) -> int:
        """Return how many unread bytes of a stream, which no thread waits for, can be credited."""
        held = stream.inbox.size - stream.inbox.advanced
        return 0 if stream.waiters or self.advanced + held > self.max_buffered else held

    def advance(self, stream: Stream) -> int:
        """Take note that a stream gets all the credit that it can; returns for how many bytes."""
        size = self._room(stream)
        stream.inbox.advanced += size
        self.advanced += size
        return size

    def is_deadlocked(
        self, waiting: Collection[Stream], streams: Collection[Stream], window_left: WindowLeft, thread: int
    ) -> bool:
        """Tell whether a thread waits for itself: no stream can go on before this thread has read one.

        Args:
            waiting: the streams that it waits for.
            streams: all that are open.
            window_left: asked for each of them, after they got what credit there is.
            thread: its identifier.
        """
        return (
            bool(streams)
            and not any(one.wire_id for one in waiting)
            and not any(
                stream.waiters or stream.thread != thread or window_left(stream.wire_id) > 0
                for stream in streams
            )
        )
