"""How streams of an HTTP/2 connection end before their time: time limits, cancelling, giving up.

A stream is open, complete or failed.  What ends it here fails it, unless it is complete or failed already.
"""

import struct
import time

from ..errors import ConnectionLost, HTTP2Error, RequestTimeout
from ..messages.request import UNSET
from ..net.timeouts import soonest
from ..net.tls import session_of
from .receive import Arrivals
from .stream import Stream


class Ending(Arrivals):
    """The streams of a connection, and the ends that their callers put to them."""

    def due(self, stream: Stream, since: float) -> float | None:
        """Return the monotonic time at which `expire` is to be called; None: never. For `since` see there."""
        timeout, deadline = self.timeout_of(stream), stream.request.deadline
        return deadline if timeout is None else soonest(since + timeout, deadline)

    def expire(self, stream: Stream, since: float) -> bool:
        """Fail a request whose time is over, unless it was answered by then; tell whether it is.

        Args:
            stream: its header block is waited for.
            since: the monotonic time from which its timeout counts; infinity: that does not count.
        """
        late, timeout = is_late(stream), self.timeout_of(stream)
        if not late and (timeout is None or time.monotonic() - since < timeout):
            return False
        self.pump()
        if stream.settled or stream.transport is not self:
            return stream.settled
        complaint = "no response came"
        if late or timeout is None:
            self.cancel(stream, overdue(stream, complaint))
        else:
            error = RequestTimeout(f"{complaint} within {timeout:g} s", stream_id=stream.stream_id)
            self.cancel(stream, error)
            self.distrust(timeout)
        return True

    def timeout_of(self, stream: Stream) -> float | None:
        """Return the seconds that each wait for a stream may last, or None."""
        timeout: float | None = stream.request.timeout
        return self.timeout if timeout is UNSET else timeout

    def distrust(self, waited: float) -> None:
        """After a timeout: a silent connection takes no further requests, and finishes what is under way."""
        with self._aftermath, self._lock:
            silent = self._liveness.is_silent(time.monotonic(), waited)
            if silent and not self._draining and self._closed is None:
                self._draining = True
                error = ConnectionLost("a request timed out on a silent connection", retry_safe=True)
                self._refuse_queue_locked(error)

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

    def drop(self, stream: Stream, error: HTTP2Error | None = None) -> None:
        """Give a stream up, which nothing will read any more, nor send again.

        One that is open is cancelled. What lies unread is thrown away, with the promises that were not taken;
        a complete stream that loses bytes so has failed: reading on would not show that they are missing.

        Args:
            stream: which.
            error: what a further read of the body raises, whatever the stream's state was before.
        """
        with self._aftermath, self._lock:
            self._check_locked()
            self._drop_locked(stream)
            if error is not None:
                stream.complete, stream.error = False, error
            self._push_locked()
        if self._out:
            self._linger()

    def abandon(self, stream: Stream) -> None:
        """Drop a stream from a finalizer, which may run in the middle of anything and may not wait.

        Where the lock is taken, the thread that holds it, perhaps this very one, does it when it lets go.
        """
        self._abandoned.append(stream)
        self._settle()

    def abandon_all(self) -> None:
        """Do nothing: the streams that are under way keep their connection, and it closes with the last."""

    def rouse(self) -> None:
        """Have the thread that polls look again at what it waits for, when the peer answers a PING."""
        with self._aftermath, self._lock:
            if self._baton.held and self._check_locked():
                self._pinged += 1
                self._busy = True
                self._engine.ping(struct.pack(">Q", self._pinged))
                self._busy = False
                self._push_locked()
        if self._out:
            self._linger()

    def drain(self) -> None:
        """Take no further requests, and close when the last of those under way is over."""
        with self._aftermath, self._lock:
            self._draining = True
            self.session = session_of(self.sock) or self.session
            self._close_if_idle_locked()

    def leave(self) -> None:
        """Close at once, without a word about what is under way: the server may go on with it."""
        with self._aftermath, self._lock:
            self._check_locked()
            self._shut_locked(ConnectionLost("the connection was closed"))

    def shut_down(self) -> None:
        """Break the connection off: what is under way on it fails, and is not sent again."""
        reason = "the socket was shut down"
        with self._aftermath, self._lock:
            self._check_locked()
            self._draining = True
            for stream in [*self._queue, *self._streams.values()]:
                self._cancel_locked(stream, ConnectionLost(reason, stream_id=stream.stream_id))
            self._shut_locked(ConnectionLost(reason))


def is_refused(stream: Stream) -> bool:
    """Tell whether a refusal has come where 100 Continue was waited for."""
    return stream.request.expects and stream.status >= 300


def is_late(stream: Stream) -> bool:
    """Tell whether the deadline of a stream's request is over."""
    deadline = stream.request.deadline
    return deadline is not None and time.monotonic() >= deadline


def overdue(stream: Stream, complaint: str) -> RequestTimeout:
    """Return the error for a stream whose request's deadline is over."""
    return RequestTimeout(f"{complaint} before the deadline", stream_id=stream.stream_id)
