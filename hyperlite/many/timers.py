"""When a run of fetch_many() has to act without an event: later tries, limits of requests, and of time."""

import heapq
import itertools
from collections.abc import Iterator

from ..fetching.task import Task
from .window import Window

# Seconds between two looks at time limits: a tenth of the shortest limit, within these bounds.
LONGEST_TICK = 1.0
SHORTEST_TICK = 0.02


class Timers:
    """Arithmetic of time; it looks at no clock, and every time is monotonic.

    Args:
        now: the time.
    """

    def __init__(self, now: float) -> None:
        self._asleep: list[tuple[float, int, Task]] = []  # a heap
        self._resting: list[tuple[float, int, Window]] = []  # a heap; each window has one entry
        self._held: float | None = None  # until when no window's requests begin
        self._rests = itertools.count()  # so that two entries are never equal
        self._looked = now
        self._tick = LONGEST_TICK

    def put_to_sleep(self, task: Task, until: float) -> None:
        """Keep a task that is to be tried again at the time `until`."""
        heapq.heappush(self._asleep, (until, task.index, task))

    def awake(self, now: float) -> Iterator[Task]:
        """Yield the tasks whose time has come."""
        while self._asleep and self._asleep[0][0] <= now:
            yield heapq.heappop(self._asleep)[2]

    def rest(self, window: Window, until: float) -> None:
        """Keep a window whose requests may not begin before the time `until`."""
        if not window.rests:
            window.rests = True
            heapq.heappush(self._resting, (until, next(self._rests), window))

    def hold(self, until: float) -> None:
        """Take note that no request may begin before the time `until`."""
        self._held = until

    def rested(self, now: float) -> Iterator[Window]:
        """Yield the windows whose time has come."""
        if self._held is not None and self._held <= now:
            self._held = None
        while self._resting and self._resting[0][0] <= now:
            window = heapq.heappop(self._resting)[2]
            window.rests = False
            yield window

    def quicken(self, *limits: float | None) -> None:
        """Look at time limits often enough for these seconds; None: no limit."""
        for seconds in limits:
            if seconds is not None:
                self._tick = max(SHORTEST_TICK, min(self._tick, seconds / 10))

    def is_time_to_look(self, now: float) -> bool:
        """Tell whether to look at time limits now, and take note that this is done."""
        if now - self._looked < self._tick:
            return False
        self._looked = now
        return True

    def timeout(self, now: float, *, looks: bool) -> float | None:
        """Return the seconds until something is to be done; None: never.

        Args:
            now: the time.
            looks: there are time limits to look at.
        """
        ends = [self._asleep[0][0]] if self._asleep else []
        if self._resting:
            ends.append(self._resting[0][0])
        if self._held is not None:
            ends.append(self._held)
        if looks:
            ends.append(self._looked + self._tick)
        return max(0.0, min(ends) - now) if ends else None
