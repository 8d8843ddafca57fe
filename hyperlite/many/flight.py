"""A request of fetch_many() while it is under way on HTTP/2."""

import time
from collections import deque
from collections.abc import Callable

from ..errors import BodyTooLarge, RequestTimeout
from ..fetching.hop import REDIRECT_BODY, REDIRECT_TIME
from ..fetching.task import Task
from ..http2.connection import HTTP2Connection
from ..http2.stream import Stream
from ..messages.replay import Tried
from ..messages.response import HTTP20Response
from ..observing import ConnectionInfo
from ..origins.lease import Lease
from .window import Window

# Once so many bytes of a stream lie unread, they are read, which opens its window: an eighth of that.
DRAIN = 128 << 10


class Flight:
    """A request under way on HTTP/2. It is the waiter of its own stream.

    Args:
        touched: the flight appends itself here, in any thread, when its stream has changed.
        wake: called after that.
        task: what is fetched.
        window: counts the request.
        lease: its share of the connection.
        http2: the HTTP/2 connection. `lease.connection` forgets it when it is closed; the flight does not.
        stream: not submitted yet.
        now: the monotonic time.
    """

    __slots__ = (
        "_body_deadline",
        "_parts",
        "_touched",
        "_wake",
        "counted",
        "head",
        "http2",
        "lease",
        "noted",
        "reused",
        "since",
        "stream",
        "task",
        "window",
    )

    def __init__(
        self,
        touched: "deque[Flight]",
        wake: Callable[[], None],
        task: Task,
        window: Window,
        lease: Lease,
        http2: HTTP2Connection,
        stream: Stream,
        now: float,
    ) -> None:
        self._touched = touched
        self._wake = wake
        self.task: Task = task
        self.window: Window = window
        self.lease: Lease = lease
        self.http2: HTTP2Connection = http2
        self.stream: Stream = stream
        self.reused: bool = lease.connection.used
        self._parts: list[bytes] = []  # of a body longer than DRAIN
        self.head: int = 0  # bytes in the header fields of its response
        self.counted: int = 0  # bytes of its response that the budget has counted
        self.since: float = now  # when the stream last changed
        self.noted: bool = False
        # -- for a response that a redirect or another try follows --
        self._body_deadline: float | None = None
        stream.waiters += (self,)

    @property
    def tried(self) -> Tried:
        """What a failure of the request says about the connection."""
        return Tried(self.reused, self.http2.answered > self.stream.answered_before)

    @property
    def dialled(self) -> ConnectionInfo | None:
        """The connection, if the request was among the first on it; else None."""
        return None if self.reused else self.lease.connection.info

    def release(self) -> None:
        """Take note that the stream has changed: what a waiter is told (see `Waiter`)."""
        if not self.noted:
            self.noted = True
            self._touched.append(self)
            self._wake()

    @property
    def is_superseded(self) -> bool:
        """Whether the response is one that another hop follows, even if its body fails."""
        if self._body_deadline is None and self.stream.status >= 300 and self.task.goes_on(self._response()):
            self._body_deadline = time.monotonic() + REDIRECT_TIME
        return self._body_deadline is not None

    def count(self) -> int:
        """Return how many bytes of the response have come since the last call."""
        stream, inbox = self.stream, self.stream.inbox
        if stream.status and not self.head:
            head = 1
            for name, value in inbox.fields:
                head += len(name) + len(value)
            self.head = head
        arrived = self.head + inbox.taken + inbox.size
        fresh, self.counted = arrived - self.counted, arrived
        return fresh

    def drain(self) -> None:
        """Read the body if much of it lies unread; cancel the stream if the body is too long."""
        stream, inbox = self.stream, self.stream.inbox
        if not self.is_superseded:
            if inbox.size < DRAIN:
                return
            limit = self.task.options.max_body
        else:
            limit = REDIRECT_BODY
        if inbox.taken + inbox.readable <= limit:
            while readable := inbox.readable:
                self._parts.append(self.http2.read(stream, readable))
        else:  # not read first: a read would send credit for a stream that is reset
            complaint = f"the body is longer than {limit} bytes (max_body=)"
            self.http2.cancel(stream, BodyTooLarge(complaint))

    def finish(self) -> tuple[HTTP20Response, bytes, Exception | None]:
        """Return the response, its body, and why the body is incomplete, or None."""
        parts, stream = self._parts, self.stream
        if not stream.inbox.complete:
            cut = RequestTimeout("the body was not waited for: another response follows")
            return self._response(), b"", stream.error or cut
        parts.append(self.http2.read_rest(stream))
        stream.waiters = ()
        return self._response(), parts[0] if len(parts) == 1 else b"".join(parts), None

    def _response(self) -> HTTP20Response:
        """Return the response, from which nothing is read."""
        response = HTTP20Response.from_stream(self.stream, self.task.method)
        response.fp = None
        return response

    def check_timeouts(self, now: float) -> None:
        """Cancel the stream if nothing has come within the timeout, or if a deadline is over."""
        task, timeout = self.task, self.task.options.timeout
        if task.course.deadline is not None and now >= task.course.deadline:
            complaint = f"not fetched within the deadline of {task.options.deadline:g} s"
        elif timeout is not None and now - self.since >= timeout:
            what = "no more of the body" if self.stream.status else "no response"
            complaint = f"{what} came within {timeout:g} s"
        elif self._body_deadline is not None and now >= self._body_deadline:
            complaint = "the body was not waited for: another response follows"
            self.http2.cancel(self.stream, RequestTimeout(complaint))
            return
        else:
            return
        self.http2.cancel(self.stream, RequestTimeout(complaint))
        self.http2.distrust(now - self.since)

    def end(self) -> None:
        """Give the stream up unless its body was read. A finalizer may call this, so it does not wait."""
        self.stream.waiters = ()
        if not self.stream.inbox.exhausted:
            self.http2.abandon(self.stream)


def tell_sent(flights: list[Flight]) -> None:
    """Tell observers that these requests were sent, or queued."""
    for flight in flights:
        if (watch := flight.task.watch) is not None:
            watch.sent(flight.lease.connection.info, flight.stream, reused=flight.reused)
