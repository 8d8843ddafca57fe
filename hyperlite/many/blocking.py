"""What threads do for a run of fetch_many(): dialling, HTTP/1.1, bodies that are files."""

import contextlib
import math
from collections.abc import Callable
from functools import partial

from ..errors import again
from ..fetching.hop import Fetcher
from ..fetching.response import FetchResponse
from ..fetching.task import Task
from ..messages.replay import UNSENT, Tried
from ..origins.lease import Attempt, Lease
from ..origins.limits import Permit
from .budget import Budget, weight
from .schedule import Schedule
from .window import Window
from .workers import MAX_THREADS, Workers

# Decides what follows a response or an error: see `Loop._settle()`.
Settle = Callable[[Window, Task, FetchResponse | None, Exception | None, Tried], None]


class BlockingWork:
    """The dials and requests of a run that threads do.

    Args:
        fetcher: does a hop.
        schedule, budget: of the run.
        settle: called in the loop with the result of a request.
        wake: called by a thread that has finished something.

    Attributes:
        jobs: the requests under way, by index.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        schedule: Schedule,
        budget: Budget,
        settle: Settle,
        wake: Callable[[], None],
    ) -> None:
        self._fetcher = fetcher
        self._schedule = schedule
        self._budget = budget
        self._settle = settle
        self._workers = Workers(MAX_THREADS, wake)
        self.jobs: dict[int, tuple[Attempt, Window]] = {}
        self._dials = 0

    @property
    def busy(self) -> bool:
        """Whether a request or a dial is under way."""
        return bool(self.jobs or self._dials)

    @property
    def hurries(self) -> bool:
        """Whether results wait for `collect()`."""
        return bool(self._workers.posts)

    def collect(self) -> None:
        """In the loop: process the results of the threads.

        Raises:
            As `Workers.collect()`.
        """
        self._workers.collect()

    def fetch(self, window: Window, permit: Permit | None) -> None:
        """Take the first request of a window, and have a thread fetch it.

        Args:
            window: of the request.
            permit: allows it; None: there are no limits.
        """
        task = self._schedule.take(window)
        window.jobs += 1
        attempt = Attempt()
        self.jobs[task.index] = attempt, window
        self._workers.run(
            partial(self._fetch, task, attempt, permit),
            partial(self._fetched, window, task, attempt),
        )

    def _fetch(self, task: Task, attempt: Attempt, permit: Permit | None) -> FetchResponse:
        """On a thread: fetch one hop."""
        meter = self._budget.meter(task.index, task.course.deadline)
        response = self._fetcher.hop(task, attempt, permit=permit, stream=False, meter=meter)
        self._budget.charge(task.index, weight(response, body=False))
        return response

    def _fetched(
        self,
        window: Window,
        task: Task,
        attempt: Attempt,
        response: FetchResponse | None,
        error: Exception | None,
    ) -> None:
        window.jobs -= 1
        del self.jobs[task.index]
        self._settle(window, task, response, error, attempt.tried)

    def dial(self, window: Window, wanted: int, timeout: float | None) -> None:
        """Dial as many connections as the wanted requests would fill; one if the protocol is unknown."""
        window.dial_refused = False
        needed = 1 if window.origin.protocol is None else math.ceil(wanted / 100)
        for _ in range(min(needed - window.dialling, window.origin.vacancies)):
            window.dialling += 1
            self._dials += 1
            self._workers.run(
                partial(window.origin.expand, timeout),
                partial(self._dialled, window, timeout),
            )

    def _dialled(
        self, window: Window, timeout: float | None, lease: Lease | None, error: Exception | None
    ) -> None:
        window.dialling -= 1
        self._dials -= 1
        if lease is not None:
            window.dialled.append(lease)
        if error is not None and (window.in_flight or window.jobs or window.dialling):
            window.dial_refused = True
        elif error is not None:
            # After a timeout, requests that have more time stay in the queue, and the next dial is theirs.
            limit = timeout if isinstance(error, TimeoutError) else None
            for task in self._schedule.take_late(window, limit):
                self._settle(window, task, None, again(error), UNSENT)
        self._schedule.note(window)

    def close(self) -> None:
        """Break off the requests under way. A finalizer may call this, so it does not wait."""
        self._workers.close()
        for attempt, _ in self.jobs.values():
            with contextlib.suppress(Exception):
                attempt.break_off()
