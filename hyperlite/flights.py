"""What is under way in one run of fetch_many(): by origin, and by request."""

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from .origins import Origin
from .pooled import PooledConnection
from .stream import Stream
from .tasks import Task

if TYPE_CHECKING:
    from .many import Loop


class Window:
    """What there is to fetch from one origin.

    Attributes:
        parked: what is not under way yet.
        busy: what is under way, or was not taken yet; at most `concurrency`.
        flying: what of it is on HTTP/2, in this thread's hands.
        jobs: what of it is on a thread.
        dialling: connections that are being dialled.
        grounded: a further connection could not be dialled; those that are there must do.
        active: it is among the MAX_ORIGINS.
        waiting: to be.
    """

    __slots__ = ("active", "busy", "dialling", "flying", "grounded", "jobs", "origin", "parked", "waiting")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.parked: deque[Task] = deque()
        self.busy = self.flying = self.jobs = self.dialling = 0
        self.grounded = self.active = self.waiting = False


class Flight:
    """A request on HTTP/2; it waits for its own stream."""

    __slots__ = ("_loop", "connection", "noted", "parts", "reused", "since", "stream", "task", "window")

    def __init__(
        self, loop: "Loop", task: Task, window: Window, connection: PooledConnection, stream: Stream
    ) -> None:
        self._loop = loop
        self.task = task
        self.window = window
        self.connection = connection
        self.stream = stream
        self.reused = connection.used
        self.parts: list[bytes] = []  # of a body that exceeds DRAIN
        self.since = time.monotonic()  # when something happened last
        self.noted = False
        stream.waiters += (cast("threading.Lock", self),)

    def release(self) -> None:
        """Take note that something happened: to the mux, this is a lock on which somebody sleeps."""
        if not self.noted:
            self.noted = True
            self._loop.touched.append(self)
            self._loop.wake()
