"""How a stream of an HTTP/2 connection ends before its time: time limits, cancelling, giving up.

A stream is open, complete or failed.  What ends it here fails it, unless it is complete or failed already.
"""

import time

from .arrivals import Arrivals
from .errors import HTTP2Error, RequestTimeout
from .stream import Stream


class Ending(Arrivals):
    """The streams of a connection, and the ends that their callers put to them."""

    def expire(self, stream: Stream) -> bool:
        """Fail a request whose deadline is over, unless it was answered in time; tell whether it is."""
        if not is_late(stream):
            return False
        self.pump()
        if not stream.settled:
            self.cancel(stream, overdue(stream, "no response came"))
        return True

    def cancel(self, stream: Stream, error: HTTP2Error | None = None) -> bool:
        """End a stream before its time: it is reset and fails, and its slot is free.

        A stream is open, complete or failed, and nothing but one that is open can be cancelled: what another
        thread has just completed stays whole.  What had come before can still be read, and then the error.

        Args:
            stream: which.
            error: with which it fails; by default a `StreamReset`.

        Returns:
            Whether it was open.
        """
        with self._aftermath, self._lock:
            self._check_locked()  # a frame that an interrupt has torn is not to be followed by another
            was_open = self._cancel_locked(stream, error)
            self._push_locked()
        if self._out:
            self._linger()
        return was_open

    def drop(self, stream: Stream) -> None:
        """Give a stream up, which nothing will read any more, nor send again.

        One that is open is cancelled. What lies unread is thrown away, with the promises that were not taken;
        a complete stream that loses bytes so has failed: reading on would not show that they are missing.
        """
        with self._aftermath, self._lock:
            self._check_locked()
            self._drop_locked(stream)
            self._push_locked()
        if self._out:
            self._linger()

    def abandon(self, stream: Stream) -> None:
        """Drop a stream from a finalizer, which may run in the middle of anything and may not wait.

        Where the lock is taken, the thread that holds it, perhaps this very one, does it when it lets go.
        """
        self._abandoned.append(stream)
        self._settle()


def is_late(stream: Stream) -> bool:
    """Tell whether the deadline of a stream's request is over."""
    deadline = stream.request.deadline
    return deadline is not None and time.monotonic() >= deadline


def overdue(stream: Stream, complaint: str) -> RequestTimeout:
    """Return the error for a stream whose request's deadline is over."""
    return RequestTimeout(f"{complaint} before the deadline", stream_id=stream.stream_id)
