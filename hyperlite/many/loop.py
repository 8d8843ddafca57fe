"""fetch_many(): one loop in the calling thread for all HTTP/2 connections, threads for the rest.

::

    requests ──> queued ──> under way ──> held ──> taken by the caller
               (per origin) ╰───── a window of `concurrency` ─────╯

- Each origin has a window (schedule.py).  Requests under way and outcomes that the caller has not taken fill
  it together, so the run does not fetch far ahead of its caller.  Each outcome that is taken frees a place.
- The loop drives HTTP/2 streams: when a socket is ready, the loop pumps its connection, and each flight whose
  stream has changed appends itself to `_touched` (a flight is a waiter, see net/leader.py).
- Dialling, HTTP/1.1 and bodies that are files would block.  They run on threads, which post their results
  and ring the bell.
- All this goes on only while the caller waits for the next outcome.

Rule: the threads touch nothing here but `Workers.posts` and the bell.

Rule: each request that was read has exactly one outcome, also after an exception of any class in the work for
it (`_settle`), or for its connection (`_fail_connection`).  A run ends early only by an error of the iterable
or of `progress`, by an interrupt, or by the end of the generator.
"""

import contextlib
import time
from collections import deque
from collections.abc import Generator, Iterable
from typing import Any

from ..errors import ConnectionLost, RedirectError, RequestTimeout, again
from ..fetching.arguments import Progress
from ..fetching.failures import Stage
from ..fetching.hop import Fetcher
from ..fetching.options import Options
from ..fetching.outcome import Failed, Fetched, Outcome
from ..fetching.proxy_rules import environment
from ..fetching.response import FetchResponse
from ..fetching.task import Task
from ..http2.connection import HTTP2Connection
from ..http2.stream import Stream
from ..messages.replay import UNSENT, Tried
from ..net.protocols import HTTP11
from ..net.timeouts import soonest
from ..origins.lease import Lease, Lessor
from .allowance import Allowance
from .backpressure import Backpressure
from .blocking import BlockingWork
from .budget import Budget, weight
from .feed import Feed
from .flight import Flight, tell_sent
from .outcomes import OutcomeQueue
from .poller import Poller
from .schedule import Schedule
from .source import Source
from .timers import Timers
from .window import Window

# Seconds between two looks whether other callers of the pool have given a connection back: they do not ring.
STUCK_TICK = 0.05


class Loop:
    """One run of fetch_many(), whose arguments are described at `ConnectionPool.fetch_many()`."""

    def __init__(
        self,
        fetcher: Fetcher,
        requests: Iterable[Any],
        concurrency: int,
        ordered: bool,
        progress: Progress | None,
        options: Options,
    ) -> None:
        self._fetcher = fetcher
        if options.proxies is None:
            options = options._replace(proxies=environment())
        self._progress = progress
        self._source = Source(requests, concurrency, options)
        self._outcomes = OutcomeQueue(ordered)
        self._timers = Timers(time.monotonic())
        allowance = Allowance(fetcher, self._timers)
        self._schedule = Schedule(concurrency, self._outcomes, allowance, self._is_busy)
        # -- under way --
        self._unfinished = 0
        self._stuck: dict[Window, float] = {}  # since when other callers have all connections of these
        self._flights: dict[int, Flight] = {}  # on HTTP/2, by index
        self._ended: dict[Lessor, list[Lease]] = {}  # leases to be given back, all at once
        self._touched: deque[Flight] = deque()

    # -- the generator ----------------------------------------------------------------------------

    def outcomes(self, max_buffered: int) -> Generator[Outcome[Any], None, None]:
        """Yield an outcome for each request; for `max_buffered` see `ConnectionPool.fetch_many()`."""
        self._poller = Poller()
        wake = self.feed.wake = self._poller.wake
        self._budget = Budget(max_buffered, wake)
        self._blocking = BlockingWork(self._fetcher, self._schedule, self._budget, self._settle, wake)
        self._backpressure = Backpressure(
            self._budget, self._outcomes, self._poller, self._flights, self._blocking.jobs
        )
        ready, feed = self._outcomes.ready, self.feed
        try:
            while not self.feed.over:
                feed.has_news = False
                self._take_in()
                if not ready or self._schedule.worth_it:
                    self._start()
                if ready:
                    for _ in range(min(self._schedule.batch, len(ready))):
                        outcome, failure = self._hand_over()
                        yield outcome
                        if failure is not None:
                            raise failure
                        if feed.over:
                            break
                elif self._unfinished or not self._source.has_ended():
                    self._turn()
                else:
                    return self._source.finish()
        finally:
            self._close()

    @property
    def feed(self) -> Feed:
        """What the caller adds."""
        return self._source.feed

    def is_idle(self) -> bool:
        """See `FetchRun.idle`."""
        if not (self._unfinished or self._outcomes.ready or self.feed.over):
            self._take_in()
        return not (self._unfinished or self._outcomes.ready)

    def _take_in(self) -> None:
        """Read requests from the source, as far ahead as `Source` allows."""
        for item in self._source.take(self._schedule.queued, several=self._schedule.several):
            self._unfinished += 1
            if isinstance(item, Failed):
                self._deliver(None, item)
            else:
                self._enqueue(item)

    def _hand_over(self) -> tuple[Outcome[Any], Exception | None]:
        """Take the next outcome, and the error that `progress` has raised, which is raised after it.

        The body is decoded only now, so that only one decoded body is held at a time.
        """
        outcome, window = self._outcomes.take()
        self._budget.free(outcome.index)
        if outcome.response is not None:
            try:
                outcome.response.load()
            except Exception as error:
                outcome = Failed(outcome.request, outcome.index, error, attempts=outcome.attempts)
        if window is not None:
            window.busy -= 1
            self._schedule.note(window)
        if self._progress is not None:
            try:
                self._progress(self._outcomes.taken, self._source.total)
            except Exception as failure:
                return outcome, failure
        return outcome, None

    def _enqueue(self, task: Task, *, first: bool = False) -> None:
        """Put a task into the queue of its origin's window."""
        try:
            self._schedule.add(task, self._fetcher.origin, first=first)
        except Exception as error:  # the pool was closed meanwhile
            self._deliver(None, Failed(task.item, task.index, error, attempts=task.course.attempts))

    # -- starting ---------------------------------------------------------------------------------

    def _start(self) -> None:
        """Begin the requests that have room; if the run is full, only one that the caller waits for."""
        if self._budget.full:
            if (urgent := self._schedule.urgent()) is not None:
                self._try_to_begin(urgent, 1)
            return
        while (window := self._schedule.next()) is not None:
            while (room := self._schedule.room(window)) and self._try_to_begin(window, room):
                pass

    def _try_to_begin(self, window: Window, room: int) -> bool:
        """Begin requests of a window, `room` at most; false if they must wait."""
        try:
            return self._begin(window, room)
        except Exception as error:  # its deadline passed while the caller was busy; the pool is closed; …
            self._settle(window, self._schedule.take(window), None, error, UNSENT)
            return True

    def _is_busy(self) -> bool:
        """Tell whether any request or dial is under way."""
        return bool(self._flights) or self._blocking.busy

    def _begin(self, window: Window, room: int) -> bool:
        """Begin the first request of a window, and more on the same connection; false if it must wait.

        An exception is the failure of the first request, which is still in the queue.
        """
        if not self._schedule.allows(window):
            return False
        task = window.queue[0]
        origin = window.origin = self._fetcher.origin(task)  # as the TLS context is now
        dialled = window.dialled.pop() if window.dialled else None
        if dialled is not None:
            if dialled.origin is origin and dialled.connection.http2 is not None and task.repeatable:
                self._send(window, origin.extend(dialled, room))
                return True
            dialled.end()
        if origin.protocol == HTTP11 or not task.repeatable:
            if window.jobs >= origin.max_connections:
                return False
            for permit in self._schedule.allowance.permits(window, 1):
                self._blocking.fetch(window, permit)
            return True
        leases = origin.try_lease(room, insist=not window.in_flight and not window.dialling)
        if leases is not None:
            self._send(window, leases)
            return True
        task.begin()
        if not (window.dial_refused and window.in_flight):
            self._blocking.dial(window, room, task.patience())
        if not window.in_flight and not window.dialling:
            self._stuck.setdefault(window, time.monotonic())
        return False

    def _send(self, window: Window, leases: list[Lease]) -> None:
        """Send requests on the HTTP/2 connection that was leased for them."""
        connection = leases[0].connection
        if self._schedule.allowance.is_limited:
            leases = self._allowed(window, leases)
        http2 = connection.http2
        flights: list[Flight] = []
        touched, wake, now = self._touched, self._poller.wake, time.monotonic()
        watch = self._fetcher.watch if self._fetcher.is_watched else None
        try:
            # None: the pool was closed at this moment.
            while http2 is not None and leases and window.queue and window.queue[0].repeatable:
                task = self._schedule.take(window)
                try:
                    if task.course.deadline is not None:
                        task.patience()
                    request = connection.make_request(task.method, task.url.target, task.body, task.fields())
                    stream = Stream(0, request)
                    if watch is not None:
                        watch(task)
                except Exception as error:
                    self._settle(window, task, None, error, UNSENT)
                    continue
                flight = Flight(touched, wake, task, window, leases.pop(), http2, stream, now)
                flights.append(flight)
                window.in_flight += 1
                self._flights[task.index] = flight  # first: submit() may be interrupted
        finally:
            self._give_back(window.origin, leases)
        if http2 is None or not flights:
            return
        try:
            accepted = http2.submit([flight.stream for flight in flights])
            if accepted:
                self._poller.watch(http2)
                tell_sent(flights)
        except Exception as error:
            self._fail_connection(http2, error)
            return
        if accepted:
            for options in {id(flight.task.options): flight.task.options for flight in flights}.values():
                self._timers.quicken(options.timeout, options.deadline)
        else:
            self._put_back(window, flights)

    def _allowed(self, window: Window, leases: list[Lease]) -> list[Lease]:
        """Return as many of the leases as the limits allow, and give the others back."""
        permits = self._schedule.allowance.permits(window, len(leases))
        self._give_back(window.origin, leases[len(permits) :])
        leases = leases[: len(permits)]
        for lease, permit in zip(leases, permits, strict=True):
            lease.permit = permit
        return leases

    def _put_back(self, window: Window, flights: list[Flight]) -> None:
        """Put requests back into the queue, since their connection takes no more."""
        for flight in reversed(flights):
            del self._flights[flight.task.index]
            window.in_flight -= 1
            self._schedule.put_back(window, flight.task)
        self._give_back(window.origin, [flight.lease for flight in flights])
        self._discard(flights[0].lease)

    # -- waiting ----------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Wait until something happens, and act on it."""
        self._apply_backpressure()
        for http2, error in self._poller.poll(self._poll_timeout(), self._is_hurried):
            self._pump(http2, error)
            self._attend_all()
            self._apply_backpressure()
        self._blocking.collect()
        now = self._attend_all()
        while self._ended:
            self._give_back(*self._ended.popitem())
        for task in self._timers.awake(now):
            self._enqueue(task, first=True)
        for window in [*self._stuck, *self._timers.rested(now)]:
            if window.queue:
                self._schedule.note(window)
        if self._timers.is_time_to_look(now):
            self._check_timeouts(now)

    def _is_hurried(self) -> bool:
        """Tell whether there is work to do before the next poll waits."""
        return (
            bool(self._touched) or self.feed.has_news or self._blocking.hurries or self._backpressure.hurries
        )

    def _poll_timeout(self) -> float | None:
        """Return the seconds that the next poll may last; None: no limit."""
        if self._source.wants(self._schedule.queued, several=self._schedule.several):
            return 0
        looks = bool(self._flights) or self._schedule.allowance.is_limited
        timeout = self._timers.timeout(time.monotonic(), looks=looks)
        return soonest(STUCK_TICK, timeout) if self._stuck else timeout

    def _check_timeouts(self, now: float) -> None:
        for window, since in list(self._stuck.items()):
            if window.in_flight or window.dialling or not window.queue:
                del self._stuck[window]
                continue
            timeout, deadline = window.queue[0].options.timeout, window.queue[0].course.deadline
            if (timeout is not None and now - since >= timeout) or (deadline is not None and now >= deadline):
                complaint = f"no connection to {window.origin.key} was free for {now - since:.3g} s"
                task = self._schedule.take(window)
                self._settle(window, task, None, RequestTimeout(complaint), UNSENT)
        if self._schedule.allowance.is_limited:
            for window in self._schedule.late(now):
                complaint = "the limits allowed no further request within the deadline"
                self._settle(window, self._schedule.take(window), None, RequestTimeout(complaint), UNSENT)
        for flight in list(self._flights.values()):
            if not self._budget.allows(flight.task.index):
                flight.since = now  # the run is full: the peer waits for us, not we for the peer
            try:
                flight.check_timeouts(now)
            except Exception as error:
                self._end(flight, error)

    # -- connections ------------------------------------------------------------------------------

    def _pump(self, http2: HTTP2Connection, error: Exception | None) -> None:
        """Send and receive on a connection, without waiting."""
        try:
            if error is not None:
                raise error
            http2.pump(receive=self._poller.reads(http2))
        except Exception as failure:
            self._fail_connection(http2, failure)

    def _fail_connection(self, http2: HTTP2Connection, error: Exception) -> None:
        """Fail the requests on a connection after an unforeseen error."""
        self._poller.forget(http2)
        lost = ConnectionLost(f"the connection cannot be used any more: {error!r}")
        lost.__cause__ = error
        flights = [flight for flight in self._flights.values() if flight.http2 is http2]
        for flight in flights:
            self._discard(flight.lease)
            self._end(flight, again(lost))

    def _discard(self, lease: Lease) -> None:
        """Send no further requests on a connection."""
        with contextlib.suppress(Exception):  # the requests under way on it have failures of their own
            lease.origin.discard(lease.connection)

    def _give_back(self, origin: Lessor, leases: list[Lease]) -> None:
        """End leases. An error of closing a connection fails no request."""
        with contextlib.suppress(Exception):
            origin.release(leases)

    # -- results ----------------------------------------------------------------------------------

    def _apply_backpressure(self) -> None:
        """Choose which requests go on while the run is full; attend those that may be read again."""
        for flight in self._backpressure.look():
            self._attend(flight, time.monotonic())

    def _attend_all(self) -> float:
        """Attend all flights whose streams have changed; return the time."""
        now = time.monotonic()
        while self._touched:
            self._attend(self._touched.popleft(), now)
        return now

    def _attend(self, flight: Flight, now: float) -> None:
        """Act on a change of a flight's stream: count, read or end it."""
        flight.noted = False
        flight.since = now
        index, stream = flight.task.index, flight.stream
        if self._flights.get(index) is not flight:
            return
        self._budget.charge(index, flight.count())
        if stream.inbox.complete:
            self._end(flight, None)
        elif stream.error is not None:
            self._end(flight, stream.error)
        elif not self._budget.allows(index):
            self._backpressure.stall(flight)
        else:
            try:
                flight.drain()
            except Exception as error:
                self._end(flight, error)

    def _end(self, flight: Flight, error: Exception | None) -> None:
        """End a flight whose stream is complete, or has failed with `error`, and settle its request."""
        window, task = flight.window, flight.task
        del self._flights[task.index]
        window.in_flight -= 1
        self._ended.setdefault(flight.lease.origin, []).append(flight.lease)
        response: FetchResponse | None = None
        try:
            if error is None or flight.is_superseded:
                response = self._fetcher.received(task, flight.dialled, *flight.finish())
        except Exception as failure:
            error = error or failure
        if flight.stream.waiters:  # its response was not read to the end
            with contextlib.suppress(Exception):  # if the connection fails now, the result counts
                flight.end()
        if error is not None and flight.stream.status:
            error = task.named(error, Stage.READING)
        self._settle(window, task, response, error, UNSENT if response is not None else flight.tried)

    def _settle(
        self,
        window: Window,
        task: Task,
        response: FetchResponse | None,
        error: Exception | None,
        tried: Tried,
    ) -> None:
        """Decide what follows a response or an error: another try, another hop, or the outcome."""
        pause: float | None = None
        try:
            if response is None:
                assert error is not None
                pause = self._fetcher.retry(task, error, tried)
            elif response.status >= 300:
                pause = self._fetcher.follow(task, response)
            if pause is not None:
                self._budget.end_hop(task.index, 0 if response is None else weight(response))
        except Exception as refusal:
            if refusal is not error:
                refusal.__context__ = error
            response, error, pause = None, refusal, None
        if pause is None:
            if response is not None:
                response.elapsed = time.monotonic() - task.course.started
                self._deliver(window, Fetched(task.item, task.index, response, attempts=task.course.attempts))
                return
            assert error is not None
            if not isinstance(error, RedirectError):  # this error holds the redirects' responses
                self._budget.free(task.index)
            failure = task.named(error, Stage.ASKING if tried.sent else Stage.CONNECTING)
            self._deliver(window, Failed(task.item, task.index, failure, attempts=task.course.attempts))
            return
        window.busy -= 1
        self._schedule.note(window)
        if pause:
            self._timers.put_to_sleep(task, time.monotonic() + pause)
        else:
            self._enqueue(task, first=True)

    def _deliver(self, window: Window | None, outcome: Outcome[Any]) -> None:
        self._unfinished -= 1
        awaited_window = self._outcomes.put(outcome, window)
        if window is not None:
            self._schedule.note(window)  # a connection has room again, though the outcome may be held
        if awaited_window is not None:
            self._schedule.note(awaited_window)

    # -- the end ----------------------------------------------------------------------------------

    def give_back(self) -> None:
        """Give back the connections of requests that were given up."""
        self._fetcher.collect()

    def _close(self) -> None:
        """Give up the requests under way. A finalizer may call this, so nothing here waits."""
        self.feed.cancel()
        for flight in self._flights.values():
            with contextlib.suppress(Exception):  # an error of one connection must not keep the others
                flight.end()
            flight.lease.abandon()
        self._flights.clear()
        for leases in self._ended.values():
            for lease in leases:
                lease.abandon()
        self._ended.clear()
        self._schedule.abandon()
        self._budget.close()
        self._blocking.close()
        self._poller.close()
