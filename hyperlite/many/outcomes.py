"""The order in which fetch_many() yields what is done: that of the requests, or as it comes.

In order, an outcome that is done before its turn is held, and takes up room in the window of its origin.  So
the one request that all others wait for has room in any window.
"""

from collections import deque
from typing import Any

from ..fetching.outcome import Outcome
from ..fetching.task import Task
from .window import Window

# With the window in which it takes up room, if it has got so far.
Done = tuple[Outcome[Any], Window | None]


class OutcomeQueue:
    """Outcomes on their way to the caller; true if there is one to be taken.

    Args:
        kept: the requests' own order is.

    Attributes:
        taken: how many outcomes the caller has taken.
        ready: those that can be taken.
    """

    def __init__(self, kept: bool) -> None:
        self.taken = 0
        self._kept = kept
        self.ready: deque[Done] = deque()
        self._early: dict[int, Done] = {}
        self._queued: dict[int, Window] = {}  # where a request waits to be begun
        self._next = 0

    def __bool__(self) -> bool:
        return bool(self.ready)

    def note_queued(self, task: Task, window: Window) -> None:
        """Take note of where a request waits to be begun."""
        if self._kept:
            self._queued[task.index] = window

    def note_begun(self, task: Task) -> None:
        """Take note that it waits no more."""
        if self._kept:
            self._queued.pop(task.index, None)

    @property
    def awaited(self) -> int | None:
        """The index of the request before which nothing can be taken; None if there is no order."""
        return self._next if self._kept else None

    @property
    def awaited_window(self) -> Window | None:
        """Where the request that is awaited waits to be begun, if it does."""
        return self._queued.get(self._next)

    def waits_for(self, task: Task) -> bool:
        """Tell whether nothing can be taken before this request is done."""
        return self._kept and task.index == self._next

    def put(self, outcome: Outcome[Any], window: Window | None) -> Window | None:
        """Add an outcome; returns where the request waits to be begun that is wanted next, if it does."""
        if not self._kept:
            self.ready.append((outcome, window))
            return None
        self._early[outcome.index] = outcome, window
        while self._next in self._early:
            self.ready.append(self._early.pop(self._next))
            self._next += 1
        return self._queued.get(self._next)

    def take(self) -> Done:
        """Take the first of those that are ready."""
        self.taken += 1
        return self.ready.popleft()
