"""A request of fetch_many() while it is under way on HTTP/2."""

import threading
import time
from collections.abc import Callable
from typing import cast

from .errors import BodyTooLarge, RequestTimeout
from .mux import Mux
from .origins import Lease
from .response import HTTP20Response
from .stream import Stream
from .tasks import Task
from .window import Window

# Unread bytes of a stream from which on they are taken, and its window opened: an eighth of the window.
DRAIN = 128 << 10


class Flight:
    """A request on HTTP/2; it waits for its own stream.

    Args:
        touched: called, by any thread, when something has happened to it.
        task: what is fetched.
        window: that it is part of.
        lease: the share of a connection that it has.
        mux: of the connection, which lets go of it when it is closed.
        stream: its own, not submitted yet.
    """

    __slots__ = (
        "_parts",
        "_touched",
        "lease",
        "mux",
        "noted",
        "reused",
        "since",
        "stream",
        "task",
        "window",
    )

    def __init__(
        self,
        touched: "Callable[[Flight], None]",
        task: Task,
        window: Window,
        lease: Lease,
        mux: Mux,
        stream: Stream,
    ) -> None:
        self._touched = touched
        self.task = task
        self.window = window
        self.lease = lease
        self.mux = mux
        self.stream = stream
        self.reused = lease.connection.used
        self._parts: list[bytes] = []  # of a body that exceeds DRAIN
        self.since = time.monotonic()  # when something happened last
        self.noted = False
        stream.waiters += (cast("threading.Lock", self),)

    @property
    def progress(self) -> bool:
        """Whether the connection has brought a response to any request since this one was sent."""
        return self.mux.answered > self.stream.answered_before

    def release(self) -> None:
        """Take note that something happened: to the mux, this is a lock on which a thread sleeps."""
        if not self.noted:
            self.noted = True
            self._touched(self)

    def drain(self) -> None:
        """Take much that has come, so that more can; a body that is too large ends the stream."""
        if self.stream.inbox.size < DRAIN:
            return
        while readable := self.stream.readable:
            self._parts.append(self.mux.read(self.stream, readable))
        limit = self.task.options.max_body
        if self.stream.taken > limit:
            complaint = f"the body of {self.task.url} is longer than {limit} bytes"
            self.mux.cancel(self.stream, BodyTooLarge(complaint))

    def finish(self) -> tuple[HTTP20Response, bytes]:
        """Return the response, all of which has arrived, and its body."""
        parts, stream = self._parts, self.stream
        while not stream.exhausted:
            parts.append(self.mux.read(stream, stream.inbox.size))
        response = HTTP20Response.from_stream(stream, self.task.method)
        response.fp = None  # closed, as nothing is left to be read
        return response, parts[0] if len(parts) == 1 else b"".join(parts)

    def look_at_the_clock(self, now: float) -> None:
        """End the stream if nothing has come for too long, or if the time for all of it is over."""
        task, timeout = self.task, self.task.options.timeout
        if task.deadline is not None and now >= task.deadline:
            complaint = f"{task.url} was not fetched within {task.options.deadline:g} s"
        elif timeout is not None and now - self.since >= timeout:
            complaint = f"nothing came from {task.url} for {timeout:g} s"
        else:
            return
        self.mux.cancel(self.stream, RequestTimeout(complaint))
        self.mux.distrust(now - self.since)

    def end(self) -> None:
        """Give the stream up, unless all of it was taken, without waiting: a finalizer may call."""
        self.stream.waiters = ()
        if not self.stream.exhausted:
            self.mux.abandon(self.stream)
