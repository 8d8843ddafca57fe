"""fetch_many(): one loop in the calling thread for all HTTP/2 connections, threads for the rest.

::

    requests ──> parked ──> under way ──> held ──> taken by the caller
               (per origin) ╰───── a window of `concurrency` ─────╯

- Each origin has a window.  What is under way and what waits to be taken fill it together, so nothing
  is fetched that nobody takes; it slides with each outcome that is taken.
- HTTP/2 streams are driven here: when one of the sockets has something, its mux is pumped, and each
  stream to which something happened notes itself in `touched` (it is its own waiter, see baton.py).
- Dialling, HTTP/1.1 and bodies that are files would block, and run on threads; these post what came
  of it and ring the bell.
- All this goes on only while the caller waits for the next outcome.

Rule: threads touch nothing here but `_posts` and the bell.
"""

import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .errors import RequestTimeout, again
from .fetching import FetchResponse, Outcome
from .flights import Flight, Window
from .intake import Intake
from .order import Order
from .origins import Lease, Origin
from .poller import Poller
from .pooled import Attempt
from .proxies import environment
from .stream import Stream
from .tasks import FAILURES, Task
from .workers import Workers

if TYPE_CHECKING:
    from .pool import ConnectionPool

# Threads at most: for dialling, and for as many HTTP/1.1 requests at once.
MAX_THREADS = 128
# Origins that are talked to at once: each has a connection open.
MAX_ORIGINS = 200
# A window is refilled, while outcomes wait to be taken, when such a part of it is free: one write for many.
BATCH = 2
# Outcomes that are taken between two looks at that.
OFTEN = 8
# Seconds between two looks at who has timed out: at most, and as a part of the shortest timeout.
LONGEST_TICK = 1.0
SHORTEST_TICK = 0.02
# Seconds after which to look whether others have given a connection back: they do not ring.
STUCK_TICK = 0.05

Progress = Callable[[int, int | None], object]


def fetch_many(
    pool: "ConnectionPool",
    requests: Iterable[Any],
    concurrency: int,
    ordered: bool,
    progress: Progress | None,
    options: dict[str, Any],
) -> Iterator[Outcome]:
    """Return the generator that `ConnectionPool.fetch_many()` describes; what is wrong is raised at once."""
    if concurrency < 1:
        raise ValueError("concurrency must be at least 1")
    return Loop(pool, requests, concurrency, ordered, progress, options).outcomes()


class Loop:
    """One run of fetch_many()."""

    def __init__(
        self,
        pool: "ConnectionPool",
        requests: Iterable[Any],
        concurrency: int,
        ordered: bool,
        progress: Progress | None,
        defaults: dict[str, Any],
    ) -> None:
        self._pool = pool
        options = pool.options(**defaults)
        if options.proxies is None:
            options = options._replace(proxies=environment())
        self._concurrency = concurrency
        self._progress = progress
        self._intake = Intake(requests, concurrency, options)
        self._parked = 0
        # -- what goes on --
        self._windows: dict[Origin, Window] = {}
        self._startable: dict[Window, None] = {}  # in which something can perhaps be started
        self._stuck: dict[Window, float] = {}  # where others have all connections; since when
        self._inactive: deque[Window] = deque()  # which wait to be among the MAX_ORIGINS
        self._active = 0
        self._origins_seen = 0
        self._flights: dict[Flight, None] = {}
        self._landed: dict[Origin, list[Lease]] = {}  # leases to be given back, all at once
        self._attempts: dict[Attempt, None] = {}  # on threads
        self._dials = 0
        self._asleep: list[tuple[float, int, Task]] = []  # a heap: what is tried again later
        self._unfinished = 0
        # -- what is done --
        self._order = Order(ordered)
        self._done = 0
        # -- waiting --
        self.touched: deque[Flight] = deque()
        self._posts: deque[Callable[[], None]] = deque()
        self._looked = time.monotonic()  # for timeouts
        self._tick = LONGEST_TICK

    # -- the generator ----------------------------------------------------------------------------

    def outcomes(self) -> Iterator[Outcome]:
        """Yield an outcome for each request."""
        self._workers = Workers(MAX_THREADS)
        self._poller = Poller()
        try:
            while True:
                if not self._order or self._done % OFTEN == 0:
                    self._take_in()
                    if self._startable and (not self._order or self._worth_it()):
                        self._start()
                if self._order:
                    outcome, window = self._order.take()
                    if window is not None:
                        window.busy -= 1
                        self._note(window)
                    self._done += 1
                    if self._progress is not None:
                        self._progress(self._done, self._intake.total)
                    yield outcome
                elif self._inactive and not self._is_busy():
                    self._admit()
                elif self._unfinished:
                    self._turn()
                elif self._intake.exhausted:
                    return self._intake.finish()
        finally:
            self._close()

    def _take_in(self) -> None:
        """Read requests, as far ahead as there is use for it."""
        for item in self._intake.take(self._parked, several=self._origins_seen > 1):
            self._unfinished += 1
            if isinstance(item, Outcome):
                self._deliver(None, item)
            else:
                self._park(item)

    def _park(self, task: Task, *, first: bool = False) -> None:
        """Put a task where it waits for its origin."""
        try:
            origin = self._pool.origin(task)
        except ValueError as error:  # the pool was closed meanwhile
            self._deliver(None, Outcome(task.item, task.index, error=error))
            return
        window = self._windows.get(origin)
        if window is None:
            window = self._windows[origin] = Window(origin)
            self._origins_seen += 1
        self._order.park(task, window)
        if first:
            window.parked.appendleft(task)
        else:
            window.parked.append(task)
        self._parked += 1
        self._note(window)

    def _note(self, window: Window) -> None:
        """Have a look at a window soon; or forget it, if nothing is left of it."""
        if window.parked:
            self._startable[window] = None
        elif not window.busy and not window.dialling:
            self._windows.pop(window.origin, None)
            self._startable.pop(window, None)
            if window.active:
                window.active = False
                self._active -= 1
                self._admit()

    def _worth_it(self) -> bool:
        """Tell whether enough can be started to do so while there are outcomes to be taken."""
        batch = max(1, self._concurrency // BATCH)
        return any(self._concurrency - window.busy >= batch for window in self._startable)

    # -- starting ---------------------------------------------------------------------------------

    def _start(self) -> None:
        """Start what can be started."""
        while self._startable:
            window, _ = self._startable.popitem()
            if window.parked and (window.active or self._activate(window)):
                self._launch(window)

    def _activate(self, window: Window) -> bool:
        """Count an origin among those that are talked to, or have it wait until another one is done."""
        if self._active >= MAX_ORIGINS and self._is_busy():
            if not window.waiting:
                window.waiting = True
                self._inactive.append(window)
            return False
        window.active = True
        self._active += 1
        return True

    def _is_busy(self) -> bool:
        """Tell whether anything goes on; if not, all wait for one that comes before them in the order."""
        return bool(self._flights or self._attempts or self._dials)

    def _admit(self) -> None:
        """Have the next of those that wait to be talked to started."""
        if self._inactive:
            window = self._inactive.popleft()
            window.waiting = False
            self._startable[window] = None

    def _launch(self, window: Window) -> None:
        origin = window.origin
        while window.parked:
            room = self._concurrency - window.busy
            if room <= 0:
                first = window.parked[0]
                if not (first.started or self._order.waits_for(first)):
                    return
                room = 1  # it had its place before, or all others wait for it
            if origin.protocol == "http/1.1" or not window.parked[0].repeatable:
                if window.jobs >= origin.max_connections:
                    return
                self._job(window, self._unpark(window))
                continue
            wanted = min(room, len(window.parked))
            try:
                leases = origin.try_lease(wanted, insist=not window.flying and not window.dialling)
            except ValueError as error:  # the pool was closed meanwhile
                self._settle(window, self._unpark(window), None, error, reused=False)
                continue
            if leases is None:
                window.parked[0].begin()
                self._dial(window, wanted)
                if not window.flying and not window.dialling:
                    self._stuck.setdefault(window, time.monotonic())
                return
            self._send(window, leases)

    def _unpark(self, window: Window) -> Task:
        self._parked -= 1
        window.busy += 1
        task = window.parked.popleft()
        self._order.unpark(task)
        task.begin()
        return task

    def _dial(self, window: Window, wanted: int) -> None:
        """Have as many further connections dialled as would be filled: one while nothing is known."""
        if window.grounded and window.flying:
            return
        window.grounded = False
        needed = 1 if window.origin.protocol is None else math.ceil(wanted / 100)
        for _ in range(min(needed - window.dialling, window.origin.vacancies)):
            window.dialling += 1
            self._dials += 1
            self._workers.run(partial(self._dial_on_thread, window, window.parked[0].patience()))

    def _dial_on_thread(self, window: Window, timeout: float | None) -> None:
        failure: Exception | None = None
        try:
            window.origin.expand(timeout)
        except Exception as error:
            failure = error
        self._post(partial(self._dialled, window, failure))

    def _dialled(self, window: Window, error: Exception | None) -> None:
        window.dialling -= 1
        self._dials -= 1
        if error is not None and (window.flying or window.jobs or window.dialling):
            window.grounded = True
        elif error is not None:
            for _ in range(len(window.parked)):
                task = self._unpark(window)
                self._settle(window, task, None, again(error), reused=False)
        self._note(window)

    def _send(self, window: Window, leases: list[Lease]) -> None:
        """Send requests on the HTTP/2 connection that was leased for them."""
        connection = leases[0].connection
        mux = connection.mux
        flights: list[Flight] = []
        try:
            while mux is not None and leases and window.parked and window.parked[0].repeatable:
                task = self._unpark(window)
                try:
                    stream = Stream(0, connection.make(task))
                except FAILURES as error:
                    self._settle(window, task, None, cast("Exception", error), reused=False)
                    continue
                flights.append(Flight(self, task, window, leases.pop(), mux, stream))
                self._flights[flights[-1]] = None  # now: whoever is interrupted while it is sent gives it up
        finally:
            window.origin.release(leases)
        if not flights or mux is None:
            return
        if not mux.submit([flight.stream for flight in flights]):
            window.origin.release([flight.lease for flight in flights])
            window.origin.discard(connection)
            for flight in reversed(flights):
                del self._flights[flight]
                self._parked += 1
                window.busy -= 1
                window.parked.appendleft(flight.task)
            return
        window.flying += len(flights)
        for flight in flights:
            timeout = flight.task.options.timeout
            for seconds in (timeout, flight.task.options.deadline):
                if seconds is not None:
                    self._tick = max(SHORTEST_TICK, min(self._tick, seconds / 10))
        self._poller.watch(mux)

    # -- on threads -------------------------------------------------------------------------------

    def _job(self, window: Window, task: Task) -> None:
        """Have one request done by a thread."""
        window.jobs += 1
        attempt = Attempt()
        self._attempts[attempt] = None
        self._workers.run(partial(self._do_on_thread, window, task, attempt))

    def _do_on_thread(self, window: Window, task: Task, attempt: Attempt) -> None:
        response: FetchResponse | None = None
        failure: Exception | None = None
        try:
            response = self._pool.hop(task, attempt, stream=False)
        except Exception as error:
            failure = error
        self._post(partial(self._job_done, window, task, attempt, response, failure))

    def _job_done(
        self,
        window: Window,
        task: Task,
        attempt: Attempt,
        response: FetchResponse | None,
        error: Exception | None,
    ) -> None:
        window.jobs -= 1
        del self._attempts[attempt]
        self._settle(window, task, response, error, reused=attempt.reused, progress=attempt.progress)

    def _post(self, message: Callable[[], None]) -> None:
        """Leave a message from a thread."""
        self._posts.append(message)
        self.wake()

    def wake(self) -> None:
        """Ring, if somebody is there to hear it."""
        self._poller.wake()

    # -- waiting ----------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Wait for something to happen, and deal with it."""
        self._poller.poll(self._patience(), lambda: bool(self._posts or self.touched))
        while self._posts:
            self._posts.popleft()()
        now = time.monotonic()
        while self.touched:
            self._attend(self.touched.popleft(), now)
        while self._landed:
            origin, leases = self._landed.popitem()
            origin.release(leases)
        while self._asleep and self._asleep[0][0] <= now:
            self._park(heapq.heappop(self._asleep)[2], first=True)
        for window in self._stuck:
            self._note(window)
        if now - self._looked >= self._tick:
            self._looked = now
            self._look_at_the_clock(now)

    def _patience(self) -> float | None:
        """Return how long to wait at most."""
        if self._intake.wants(self._parked, several=self._origins_seen > 1):
            return 0
        now = time.monotonic()
        limits = [self._asleep[0][0] - now] if self._asleep else []
        if self._flights:
            limits.append(self._looked + self._tick - now)
        if self._stuck:
            limits.append(STUCK_TICK)
        return max(0.0, min(limits)) if limits else None

    def _look_at_the_clock(self, now: float) -> None:
        for window, since in list(self._stuck.items()):
            if window.flying or window.dialling or not window.parked:
                del self._stuck[window]
                continue
            timeout, deadline = window.parked[0].options.timeout, window.parked[0].deadline
            if (timeout is not None and now - since >= timeout) or (deadline is not None and now >= deadline):
                complaint = f"no connection to {window.origin.key} was free for {now - since:.3g} s"
                self._settle(window, self._unpark(window), None, RequestTimeout(complaint), reused=False)
        for flight in list(self._flights):
            flight.look_at_the_clock(now)

    # -- what came of it --------------------------------------------------------------------------

    def _attend(self, flight: Flight, now: float) -> None:
        """See what has happened to a stream."""
        flight.noted = False
        flight.since = now
        stream = flight.stream
        if flight not in self._flights:
            return
        if stream.complete:
            self._land(flight, None)
        elif stream.error is not None:
            self._land(flight, stream.error)
        else:
            flight.drain()

    def _land(self, flight: Flight, error: Exception | None) -> None:
        """Make a response of a stream that is over."""
        del self._flights[flight]
        flight.stream.waiters = ()
        window, task = flight.window, flight.task
        window.flying -= 1
        response: FetchResponse | None = None
        if error is None:
            try:
                response = self._pool.received(task, *flight.finish())
            except FAILURES as failure:
                error = cast("Exception", failure)
        self._landed.setdefault(window.origin, []).append(flight.lease)
        self._settle(window, task, response, error, reused=flight.reused, progress=flight.progress)

    def _settle(
        self,
        window: Window,
        task: Task,
        response: FetchResponse | None,
        error: Exception | None,
        *,
        reused: bool,
        progress: bool = False,
    ) -> None:
        """Decide whether that was all: an outcome, or another hop, or another try."""
        pause: float | None
        if response is not None and response.status < 300:
            pause = None
        elif response is not None:
            try:
                pause = self._pool.follow(task, response)
            except FAILURES as refusal:
                pause, response, error = None, None, cast("Exception", refusal)
        else:
            assert error is not None
            pause = self._pool.retry(task, error, reused=reused, progress=progress)
        if pause is None:
            if response is not None:
                response.elapsed = time.monotonic() - task.started
            self._deliver(window, Outcome(task.item, task.index, response, error))
            return
        window.busy -= 1
        self._note(window)
        if pause:
            heapq.heappush(self._asleep, (time.monotonic() + pause, task.index, task))
        else:
            self._park(task, first=True)

    def _deliver(self, window: Window | None, outcome: Outcome) -> None:
        self._unfinished -= 1
        held_up = self._order.put(outcome, window)
        if window is not None:
            self._note(window)  # a connection has room again, though the outcome may be held
        if held_up is not None:
            self._note(held_up)

    # -- the end ----------------------------------------------------------------------------------

    def _close(self) -> None:
        """Give up what is under way. It may be a finalizer that calls: nothing here waits."""
        for flight in self._flights:
            flight.abandon()
        self._flights.clear()
        for leases in self._landed.values():
            for lease in leases:
                lease.abandon()
        self._landed.clear()
        self._workers.close()
        for attempt in self._attempts:
            attempt.break_off()
        self._poller.close()
