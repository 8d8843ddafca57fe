"""How long a thread waits for a stream, and what becomes of the stream when the time is over.

A wait ends in one of three ways: its condition is met, the stream fails, or it raises RequestTimeout. If the
deadline of the request is over, the stream is reset. If only the timeout of one step is over, the stream goes
on, and the caller may wait again.
"""

import time
from collections.abc import Callable, Collection
from typing import TypeVar

from ..errors import ConnectionLost, HTTP2Error, RequestTimeout
from ..messages.request import UNSET
from ..messages.waiters import Arrivals
from ..net.timeouts import soonest
from .socket_io import SocketIO
from .stream import Stream

T = TypeVar("T")


class Waiting:
    """The waits of one connection. It has no state of its own. Callers do not hold the lock."""

    __slots__ = ("_io", "_table")

    def __init__(self, io: SocketIO) -> None:
        self._io = io
        self._table = io.table

    def timeout_of(self, stream: Stream) -> float | None:
        """Return the seconds that each wait for a stream may last, or None."""
        timeout: float | None = stream.request.timeout
        return self._io.timeout if timeout is UNSET else timeout

    def due(self, stream: Stream, since: float) -> float | None:
        """Return the monotonic time at which to call `expire`; None: never. For `since` see `expire`."""
        timeout, deadline = self.timeout_of(stream), stream.request.deadline
        return deadline if timeout is None else soonest(since + timeout, deadline)

    def expire(self, stream: Stream, since: float) -> bool:
        """Fail a request if its time is over and it has no answer; tell whether it is settled now.

        Bytes that lie in the socket are received first, so an answer that came in time counts.

        Args:
            stream: the request, whose response has no header block yet.
            since: the monotonic time from which its timeout counts; infinity: only its deadline counts.

        Returns:
            Whether the request is answered or has failed; false: its time is not over.
        """
        late, timeout = is_late(stream), self.timeout_of(stream)
        if not late and (timeout is None or time.monotonic() - since < timeout):
            return False
        self.pump()
        if stream.settled or stream.table is not self._table:
            return stream.settled
        complaint = "no response came"
        if late or timeout is None:
            self.cancel(stream, overdue(stream, complaint))
        else:
            error = RequestTimeout(f"{complaint} within {timeout:g} s", stream_id=stream.stream_id)
            self.cancel(stream, error)
            self.distrust(timeout)
        return True

    def pump(self, *, receive: bool = True) -> None:
        """Send what the socket takes, and receive what has come; never wait.

        Args:
            receive: false: only send.
        """
        io, writer = self._io, self._table.writer
        with io.aftermath, io.lock:
            if writer.corked:
                writer.cork(False)
            if receive:
                io.receive_unless_led()
            io.push()

    def cancel(self, stream: Stream, error: HTTP2Error | None = None) -> bool:
        """Reset an open stream and fail it; see `HTTP2Connection.cancel`."""
        io = self._io
        with io.aftermath, io.lock:
            io.check()  # no frame may follow one that an interrupt has torn
            was_open = self._table.cancel(stream, error)
            io.push()
        if self._table.writer.out:
            io.linger()
        return was_open

    def distrust(self, timeout: float) -> None:
        """After a timeout, drain the connection if it is silent: other requests then use another one."""
        io, table = self._io, self._table
        with io.aftermath, io.lock:
            silent = table.liveness.is_silent(time.monotonic(), timeout)
            if silent and not table.draining and table.closed is None:
                table.drain(ConnectionLost("a request timed out on a silent connection", retry_safe=True))

    def wait(
        self,
        stream: Stream,
        attempt: Callable[[], T | None],
        complaint: str,
        limit: float | None = None,
        *,
        shared: bool = False,
        ends: bool = False,
    ) -> T:
        """Wait until `attempt` returns something, for as long as the request's times and `limit` allow.

        Args:
            stream: the stream that has to change. It is reset if its deadline comes first.
            attempt: called under the lock; returns None if it is too early.
            complaint: the beginning of the error's text.
            limit: seconds, or None.
            shared: the silence that other threads have already waited through counts too: see `liveness`.
            ends: the stream is reset whenever this fails or is interrupted.

        Raises:
            RequestTimeout: the time is over. And whatever `attempt` raises.
        """
        try:
            return self._wait(stream, attempt, complaint, limit, shared)
        except BaseException as error:
            if ends or (isinstance(error, RequestTimeout) and is_late(stream)):
                self.cancel(stream, error if isinstance(error, HTTP2Error) else None)
            raise

    def _wait(
        self,
        stream: Stream,
        attempt: Callable[[], T | None],
        complaint: str,
        limit: float | None,
        shared: bool,
    ) -> T:
        """Wait as `wait` does, and reset nothing."""
        timeout, liveness, deadline = self.timeout_of(stream), self._table.liveness, stream.request.deadline
        if limit is not None:
            timeout = soonest(timeout, limit)
        patience = timeout
        if shared and timeout is not None and liveness.waited and stream.wire_id:
            patience = max(0.0, timeout - liveness.silence(stream.inbox.told))
        if deadline is not None:
            left = max(0.0, deadline - time.monotonic())
            if patience is None or left < patience:
                timeout = patience = left
        try:
            return self._io.wait(stream, (stream,), attempt, patience, complaint)
        except RequestTimeout as error:
            if limit is None and timeout is not None:
                stream.inbox.told = liveness.waited
                self.distrust(timeout)
            if is_late(stream):  # the whole exchange, not only this step
                raise overdue(stream, complaint) from error
            if patience != timeout:
                complaint = f"{complaint}: nothing has moved on the connection for {timeout:g} s"
                raise RequestTimeout(complaint, stream_id=stream.stream_id) from error
            raise

    def wait_head(self, stream: Stream) -> bool:
        """Wait for a response's header block; see `HTTP2Connection.wait_head`."""

        def attempt() -> bool | None:
            if stream.status:
                return True
            if stream.table is not self._table:
                return False
            if stream.error is not None:
                raise stream.error
            if not stream.wire_id:
                self.want((stream,))
            return None

        return self.wait(stream, attempt, "no response came", shared=True)

    def wait_any(self, arrivals: Arrivals[Stream], timeout: float | None) -> None:
        """Wait until the response or the failure of at least one stream is there, or `timeout` is over."""

        def attempt() -> bool | None:
            if fresh := arrivals.enlist():
                self.want(fresh)
            return True if arrivals.posted else None

        try:
            self._io.wait(arrivals, arrivals.exchanges.values(), attempt, timeout, "")
        except RequestTimeout:
            return

    def want(self, streams: Collection[Stream]) -> None:
        """Under the lock: start these requests even if much lies unread."""
        if self._table.want(streams):
            self._io.push()


def is_late(stream: Stream) -> bool:
    """Tell whether the deadline of a stream's request is over."""
    deadline = stream.request.deadline
    return deadline is not None and time.monotonic() >= deadline


def overdue(stream: Stream, complaint: str) -> RequestTimeout:
    """Return the error for a stream whose request's deadline is over."""
    return RequestTimeout(f"{complaint} before the deadline", stream_id=stream.stream_id)
