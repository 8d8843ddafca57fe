"""The order in which fetch_many() yields outcomes: the order of the requests, or as they come.

In order, an outcome that comes before its turn is held, and keeps its place in the window of its origin.  So
a window may be full of held outcomes, and the request whose outcome comes next begins beyond it.
"""

from collections import deque
from typing import Any

from ..fetching.outcome import Outcome
from ..fetching.task import Task
from .window import Window

# An outcome, and the window in which it has a place; None: it has none.
Done = tuple[Outcome[Any], Window | None]


class OutcomeQueue:
    """Outcomes on their way to the caller; true if one is ready.

    Args:
        kept: yield outcomes in the order of the requests.

    Attributes:
        taken: how many outcomes the caller has taken.
        ready: the outcomes that can be taken now.
    """

    def __init__(self, kept: bool) -> None:
        self.taken: int = 0
        self._kept = kept
        self.ready: deque[Done] = deque()
        self._early: dict[int, Done] = {}
        self._queued: dict[int, Window] = {}  # the window of each request not begun yet
        self._next = 0

    def __bool__(self) -> bool:
        return bool(self.ready)

    def note_queued(self, task: Task, window: Window) -> None:
        """Take note of the window in which a request is queued."""
        if self._kept:
            self._queued[task.index] = window

    def note_begun(self, task: Task) -> None:
        """Take note that a request has begun."""
        if self._kept:
            self._queued.pop(task.index, None)

    @property
    def awaited(self) -> int | None:
        """The index of the request whose outcome comes next; None if there is no order."""
        return self._next if self._kept else None

    @property
    def awaited_window(self) -> Window | None:
        """The window in which the awaited request is queued; None if it has begun."""
        return self._queued.get(self._next)

    def waits_for(self, task: Task) -> bool:
        """Tell whether this request's outcome is the next one in the order."""
        return self._kept and task.index == self._next

    def put(self, outcome: Outcome[Any], window: Window | None) -> Window | None:
        """Add an outcome; return the window in which the request awaited next is queued, or None."""
        if not self._kept:
            self.ready.append((outcome, window))
            return None
        self._early[outcome.index] = outcome, window
        while self._next in self._early:
            self.ready.append(self._early.pop(self._next))
            self._next += 1
        return self._queued.get(self._next)

    def take(self) -> Done:
        """Take the first outcome that is ready."""
        self.taken += 1
        return self.ready.popleft()
