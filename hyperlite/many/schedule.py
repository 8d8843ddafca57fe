"""Which request of fetch_many() is begun next: a window for each origin, and the origins in turn."""

import time
from collections import deque
from collections.abc import Callable

from ..fetching.task import Task
from ..origins.origin import Origin
from .allowance import Allowance
from .outcomes import OutcomeQueue
from .window import Route, Window

# Origins with requests under way at a time: each has a connection open.
MAX_ORIGINS = 200
# While outcomes wait to be taken, a window is refilled when 1/BATCH of it is free, or MAX_BATCH requests fit:
# one write for many. In between, the loop does nothing else: small steps cost more, as each finds the data of
# other steps in the processor's caches.
BATCH = 2
MAX_BATCH = 128


class Schedule:
    """The windows of a run.

    Args:
        concurrency: how wide a window is.
        outcomes: knows which outcome comes next.
        allowance: knows what the limits of the pool allow.
        is_busy: tells whether anything is under way.

    Attributes:
        allowance: the same.
        queued: how many requests have not begun yet.
        batch: how many outcomes the caller takes before further requests begin.
    """

    def __init__(
        self, concurrency: int, outcomes: OutcomeQueue, allowance: Allowance, is_busy: Callable[[], bool]
    ) -> None:
        self.allowance: Allowance = allowance
        self.queued: int = 0
        self.batch: int = max(1, min(concurrency // BATCH, MAX_BATCH))
        self._concurrency = concurrency
        self._outcomes = outcomes
        self._is_busy = is_busy
        self._windows: dict[Route, Window] = {}
        self._startable: dict[Window, None] = {}  # in which a request may be able to begin
        self._inactive: deque[Window] = deque()  # which wait until one of MAX_ORIGINS is done
        self._active = 0
        self._seen = 0  # origins, ever

    @property
    def several(self) -> bool:
        """Whether there is more than one origin."""
        return self._seen > 1

    @property
    def worth_it(self) -> bool:
        """Whether enough requests can begin to do it before the caller takes the ready outcomes."""
        return any(self._concurrency - window.busy >= self.batch for window in self._startable)

    def add(self, task: Task, origin_of: Callable[[Task], Origin], *, first: bool) -> None:
        """Queue a request in its origin's window, `first` or last; raises what `origin_of` raises."""
        url = task.url
        route = url.scheme, url.host, url.port, task.proxy, task.upgrades
        window = self._windows.get(route)
        if window is None:
            window = self._windows[route] = Window(route, origin_of(task))
            self._seen += 1
        self._outcomes.note_queued(task, window)
        if first:
            window.queue.appendleft(task)
        else:
            window.queue.append(task)
        self.queued += 1
        self._startable[window] = None

    def take(self, window: Window) -> Task:
        """Take the first request of a window, and start its clock."""
        self.queued -= 1
        window.busy += 1
        task = window.queue.popleft()
        self._outcomes.note_begun(task)
        task.begin()
        return task

    def take_late(self, window: Window, waited: float | None) -> list[Task]:
        """Take the requests whose timeout is not above `waited` seconds, or is over; None: all of them."""
        taken: list[Task] = []
        for _ in range(len(window.queue)):
            if waited is None or _is_over(window.queue[0], waited):
                taken.append(self.take(window))
            else:
                window.queue.rotate(-1)
        return taken

    def late(self, now: float) -> list[Window]:
        """Return the windows whose first request has a deadline that is over."""
        heads = [(window, window.queue[0].course) for window in self._windows.values() if window.queue]
        return [window for window, head in heads if head.deadline is not None and now >= head.deadline]

    def put_back(self, window: Window, task: Task) -> None:
        """Undo `take()`."""
        self.queued += 1
        window.busy -= 1
        self._outcomes.note_queued(task, window)
        window.queue.appendleft(task)

    def note(self, window: Window) -> None:
        """Mark a window for `next()`; forget it if it has no requests left."""
        if window.queue:
            self._startable[window] = None
        elif not window.busy and not window.dialling:
            while window.dialled:
                window.dialled.pop().end()
            self._windows.pop(window.route, None)
            self._startable.pop(window, None)
            self._deactivate(window)

    def next(self) -> Window | None:
        """Return a window in which a request may be able to begin; None if there is none."""
        if self.allowance.holds_back():
            return None
        if not self._startable and self._inactive and not self._is_busy():
            self._admit()  # the active windows hold outcomes that wait for one of these
        while self._startable:
            window, _ = self._startable.popitem()
            if window.queue and (window.active or self._activate(window)):
                return window
        return None

    def allows(self, window: Window) -> bool:
        """Tell whether the limits allow a request of a window; otherwise `next()` returns it again later."""
        if self.allowance.holds_back_window(window):
            if not (window.busy or window.dialling or window.dialled):
                self._deactivate(window)  # while it rests, another one may begin
            return False
        if self.allowance.holds_back():
            self._startable[window] = None
            return False
        return True

    def urgent(self) -> Window | None:
        """Return a window whose first request has to begin although the run is full; or None.

        In order, that is the awaited request; otherwise any request, if nothing is under way.
        """
        if self._outcomes.awaited is None:
            return (
                None if self._is_busy() else next((one for one in self._windows.values() if one.queue), None)
            )
        window = self._outcomes.awaited_window
        if window is not None:
            task = next(task for task in window.queue if self._outcomes.waits_for(task))
            window.queue.remove(task)
            window.queue.appendleft(task)
        return window

    def room(self, window: Window) -> int:
        """Return how many requests of a window may begin now."""
        if not window.queue:
            return 0
        room = min(self._concurrency - window.busy, len(window.queue))
        if room > 0:
            return room
        first = window.queue[0]
        # A request that has begun before keeps its place; for the awaited one there is always room.
        return int(bool(first.course.started) or self._outcomes.waits_for(first))

    def abandon(self) -> None:
        """Abandon the connections that were dialled and not used. A finalizer may call this."""
        for window in self._windows.values():
            for lease in window.dialled:
                lease.abandon()

    def _activate(self, window: Window) -> bool:
        """Count a window among MAX_ORIGINS; false: it has to wait until another one is done."""
        if self._active >= MAX_ORIGINS and self._is_busy():
            if not window.waiting:
                window.waiting = True
                self._inactive.append(window)
            return False
        window.active = True
        self._active += 1
        return True

    def _deactivate(self, window: Window) -> None:
        """Count a window no more, as nothing of it is under way."""
        if window.active:
            window.active = False
            self._active -= 1
            self._admit()

    def _admit(self) -> None:
        """Let the next waiting window begin."""
        if self._inactive:
            window = self._inactive.popleft()
            window.waiting = False
            self._startable[window] = None


def _is_over(task: Task, waited: float) -> bool:
    """Tell whether a request has no time left after it has waited for `waited` seconds."""
    timeout = task.options.timeout
    late = task.course.deadline is not None and time.monotonic() >= task.course.deadline
    return late or (timeout is not None and timeout <= waited)
