"""The driver of a crawl on an executor: it opens the state, and gives tasks to workers.

::

    state ── leases ──> tasks ──> executor ──> workers ──> parts, sidecars ──> state
                                                  ╰── one is lost: see `Losses` ──╯

Rule: a lane is given out again when the lease for it is over.  A task that waits in the executor's queue has
one, too; so nothing is given out twice, however long that takes.
"""

import contextlib
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait

from .executors import Workers, is_lost
from .lanes import Lanes
from .leases import Given, Lease, Leases, Ready
from .losses import MARGIN, Ended, sidecar_of
from .pace import Paced
from .progress import Tally
from .records import Recorder
from .settling import Settlement, outstanding
from .state import State
from .storage import SIDECAR, STOP, Storage
from .tasks import Report, Setting, Task

# URLs of a task, and lanes of it; lanes of one whose hosts may keep a worker waiting.
URLS, LANES, SLOW_LANES = 5000, 50, 200
# Seconds to wait for workers at a time; and for those that are to end early.
PAUSE, PATIENCE = 0.5, 10.0


class _UnderWay:
    """A task that was submitted; when it is looked for, and the time at which it was seen to have begun."""

    __slots__ = ("began", "due", "hosts", "is_slow", "lease", "paced")

    def __init__(self, lease: Lease, task: Task, hosts: int) -> None:
        self.lease: Lease = lease
        self.paced: list[Paced] = task.paced
        self.is_slow: bool = task.is_slow
        self.hosts: int = hosts
        self.due: float = time.monotonic() + lease.seconds + MARGIN
        self.began: float | None = None


class Dispatcher:
    """One run of a crawl, on workers.

    Args:
        state: of the crawl.
        storage: which the workers share.
        workers: make the attempts.
        setting: of all tasks.
        recorder: makes the records of URLs that no worker can fetch.
        tally: counts.
    """

    def __init__(
        self,
        state: State,
        storage: Storage,
        workers: Workers,
        setting: Setting,
        recorder: Recorder,
        tally: Tally,
    ) -> None:
        self._state = state
        self._storage = storage
        self._workers = workers
        self._setting = setting
        self._recorder = recorder
        self._tally = tally
        self._settlement = Settlement(state, storage, recorder, tally.note)
        self._under_way: dict[Future[Report], _UnderWay] = {}
        self._losses = outstanding(state, storage)
        self._lanes = Lanes()
        self._is_stopped = False

    def run(self) -> None:
        """Fetch what is left.

        Raises:
            OSError: the state or the storage cannot be written. BrokenExecutor: the executor cannot be used.
        """
        counted = {part.name for part in self._state.counted()}
        kept = counted | {lease.name for lease in self._losses.leases}
        self._recorder.begin(kept)
        self._storage.remove_others(kept)
        try:
            while self._step():
                pass
        except BaseException:
            with contextlib.suppress(Exception):  # what has come is written down, unless that is what fails
                self._end_early()
            raise
        if not self._losses:
            self._storage.remove_others({part.name for part in self._state.counted()})

    def _step(self) -> bool:
        """Give out what can be given out, and write down what has come; tell whether there is more to do."""
        if self._tally.is_over:
            self._stop()
            more = False
        else:
            more = self._fill()
        more = more or bool(self._under_way or self._losses)
        if more:
            self._settle([*self._wait(PAUSE), *self._losses.over()])
        self._tally.hosts = sum(one.hosts for one in self._under_way.values())
        self._tally.report()
        return more

    # -- giving out -------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Submit as many tasks as there is room for; tell whether there is more to do."""
        count = self._workers.count
        room = count + 1 + count // 4 - len(self._under_way)
        if room <= 0:
            return True
        busy = self._losses.lanes.union(*(one.lease.lanes for one in self._under_way.values()))
        slow_under_way = sum(one.is_slow for one in self._under_way.values())
        given: list[tuple[Given, bool]] = []
        with self._state.transaction() as database:
            leases = Leases(database)
            ready = self._lanes.sort(leases, busy, room * LANES)
            given += [(self._give(leases, lanes), False) for lanes in _groups(ready.fast, room)]
            has_room = len(given) < room and slow_under_way < max(count // 4, 1)
            if has_room and (slow := self._lanes.turn_of_slow(ready, LANES)):
                given.append((self._give(leases, slow[:SLOW_LANES]), True))
            suspect = ready.suspect
            if self._workers.break_together:  # nothing else may be blamed for what these do
                suspect = [] if given or self._under_way else suspect[:1]
            room -= len(given)
            given += [(self._give(leases, [lane]), True) for lane in suspect[: max(room, 0)]]
        for one, is_slow in given:
            self._submit(one, is_slow=is_slow)
        return ready.is_any

    def _give(self, leases: Leases, lanes: Sequence[Ready]) -> Given:
        return leases.give(lanes, max(URLS // len(lanes), 1), self._setting.lease)

    def _submit(self, given: Given, *, is_slow: bool) -> None:
        lease, hosts = given.lease, {item[2] for item in given.items}
        task = Task(lease.shard, lease.attempt, given.items, self._lanes.paced(hosts), is_slow, self._setting)
        try:
            future = self._workers.submit(task)
        except BrokenExecutor as error:
            self._losses.add(lease, is_blamed=False)
            self._renew(error)
        else:
            self._under_way[future] = _UnderWay(lease, task, len(hosts))

    # -- taking -----------------------------------------------------------------------------------

    def _wait(self, timeout: float) -> list[Ended]:
        """Wait for tasks; return those that are over."""
        if not self._under_way:
            time.sleep(timeout)
            return []
        done = wait(self._under_way, timeout, FIRST_COMPLETED).done
        broken: BaseException | None = None
        ended: list[Ended] = []
        while done:
            for future in done:
                one = self._under_way.pop(future)
                error = self._take(future, one, ended)
                broken = broken or error
            # When an executor breaks, all of its futures end.
            done = wait(self._under_way, PATIENCE).done if broken is not None else set()
        if broken is not None:
            self._renew(broken)
        self._look_for_overdue()
        return ended

    def _take(self, future: Future[Report], one: _UnderWay, ended: list[Ended]) -> BrokenExecutor | None:
        """Take what a future has; return the error if the executor has broken."""
        try:
            report = future.result()
        except CancelledError:
            self._losses.add(one.lease, is_blamed=False)
            return None
        except Exception as error:
            if not is_lost(error):
                raise
            self._losses.add(one.lease, is_blamed=True)
            return error if isinstance(error, BrokenExecutor) else None
        if report.error is not None:
            raise report.error
        if not report.is_done:  # it was begun before, by a worker that is lost now
            self._losses.add(one.lease, is_blamed=True)
            return None
        sidecar = sidecar_of(self._storage, one.lease)
        if sidecar is None:
            raise OSError(
                f"a worker has written {one.lease.name}{SIDECAR}, which is not there:"
                f" all workers must share {self._setting.storage}"
            )
        self._workers.note_begun()
        self._lanes.learn(one.lease, sidecar, one.paced)
        ended.append(Ended(one.lease, sidecar))
        return None

    def _look_for_overdue(self) -> None:
        """Give up tasks that have begun so long ago that their leases are over, if they hang."""
        now = time.monotonic()
        for future, one in list(self._under_way.items()):
            if now < one.due:
                continue
            if one.began is not None:
                future.cancel()
                del self._under_way[future]
                self._losses.add(one.lease, is_blamed=True, began=one.began)
            elif self._storage.has_begun(one.lease.name):
                one.began = now
            one.due = now + one.lease.seconds + MARGIN

    def _settle(self, ended: Sequence[Ended]) -> None:
        self._tally.urls += self._settlement.settle(ended)

    def _renew(self, error: BaseException) -> None:
        """Replace the executor, and give up what it had."""
        for one in self._under_way.values():
            self._losses.add(one.lease, is_blamed=True)
        self._under_way.clear()
        self._workers.renew(error)

    # -- ending -----------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Have workers end early."""
        if not self._is_stopped:
            self._is_stopped = True
            self._storage.write(STOP, b"")

    def _end_early(self) -> None:
        """Have workers end early, and write down what they have."""
        self._stop()
        for future in list(self._under_way):
            if future.cancel():
                self._losses.add(self._under_way.pop(future).lease, is_blamed=False)
        until = time.monotonic() + PATIENCE
        while self._under_way and time.monotonic() < until:
            self._settle(self._wait(PAUSE))
        self._settle(self._losses.over())


def _groups(lanes: Sequence[Ready], most: int) -> Iterable[Sequence[Ready]]:
    """Yield lanes in so many groups of about the same size."""
    size = min(max(-(-len(lanes) // most), 1), LANES)
    for start in range(0, min(len(lanes), size * most), size):
        yield lanes[start : start + size]
