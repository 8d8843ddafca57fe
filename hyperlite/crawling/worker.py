"""A worker: one attempt at a task, in whatever process the executor has.

::

    task ──> begin ──> loop ──> part ──> sidecar ──> report

Rule: after its lease, which is counted from the receipt of the task, an attempt asks for nothing, and nothing
of it is under way.  The driver counts from a later time, and gives the URLs out again after it.
"""

import contextlib
import dataclasses
import math
import os
import pickle
import platform
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..pool import ConnectionPool
from .bodies import Bodies
from .figures import Figures
from .loop import AT_RISK, Loop
from .manners import manners
from .parts import Parts
from .places import storage_at
from .recorders import as_recorded, recorder_for
from .rules import Rules
from .shards import Entry
from .storage import BODIES, SIDECAR, Storage
from .tasks import Item, Report, Sidecar, Task, rows

# URLs are begun in this share of a lease. The rest is for what is under way.
BEGINNING = 1 / 3
# Seconds between two looks at the time.
TICK = 0.25
# Seconds after which a task ends that has brought less than this many results in them, and none at all, or
# for few of its hosts: those that are left are asked by tasks that may be slow.
TAIL, FEW, SHARE = 3.0, 100, 1 / 4
# Seconds for what is under way, when the driver wants the task to end early.
GRACE = 2.0
# A part is written after so many bytes of records.
PIECE = 16 << 20


def attempt(given: Task | bytes) -> Report:
    """Make an attempt at a task; what executors call.

    Args:
        given: the task, perhaps pickled.
    """
    received = _clock()
    task: Task = pickle.loads(given) if isinstance(given, bytes) else given  # noqa: S301  the driver's
    try:
        storage = storage_at(task.setting.storage)
        mark = storage.begin(task.name)
        if mark is None:
            return Report(is_done=False)
        with contextlib.closing(mark):
            with storage.workplace() as folder:
                sidecar = _Attempt(task, storage, folder, received).run()
            storage.write(f"{task.name}{SIDECAR}", sidecar.encoded())
    except Exception as error:
        return Report(is_done=False, error=_portable(error))
    return Report(is_done=True)


def _clock() -> float:
    """Return a time in seconds, which goes on while the machine is suspended, if the system has such."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def machine_and_process() -> str:
    """Return what this worker is called."""
    return f"{platform.node()} {os.getpid()}"


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent to the driver."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  made here
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


class _Attempt:
    """An attempt at a task.

    Args:
        task: the task.
        storage: to which the part belongs.
        folder: in which it is written.
        received: the time at which the task was received.
    """

    def __init__(self, task: Task, storage: Storage, folder: Path, received: float) -> None:
        setting = task.setting
        self._task = task
        self._storage = storage
        self._received = received
        at: tuple[Path, str | None] = storage.bodies(folder)
        if setting.bodies:
            at = Path(setting.bodies), None
        bodies = Bodies(at[0], at[1], setting.max_body)
        self._recorder = recorder_for(setting.body, bodies, setting.max_body, folder)
        self._made = manners(as_recorded(setting.options, self._recorder))  # type: ignore[arg-type]
        self._shard, self._entries = task.entries()
        self._parts = Parts(folder, self._recorder.ending)
        self._open = set(self._entries)
        self._results: list[object] = []
        self._figures = Figures()
        self._cut: list[Entry] = []
        self._slow: list[Entry] = []
        self._stopped = math.inf  # when the driver wanted it to end early
        self._looked = 0.0, 0  # when it was looked whether this is the tail, and how many results there were

    def run(self) -> Sidecar:
        """Make it."""
        setting, made = self._task.setting, self._made
        policy = dataclasses.replace(
            made.policy,
            packed=not self._recorder.decodes,
            domains=setting.domains,
            hosts=frozenset(item[2] for item in self._task.items),
        )
        cpu = time.thread_time()
        until = time.monotonic() + setting.lease - self._elapsed()
        with ConnectionPool(**made.pool) as pool:
            rules = Rules(policy, pool, made.guard)
            loop = Loop(
                self._recorder,
                pool,
                rules,
                setting.per_host,
                lambda result: self._open.discard(result.entry),
                until,
                made.pool.get("deadline"),
            )
            try:
                rules.recall(self._task.paced)
                loop.frontier.add(self._shard, self._entries)
                with loop.run, self._ticking(loop):
                    self._cycle(loop)
            finally:
                loop.close()
            self._write(loop)
            self._parts.close()
        if self._shard.size:
            path = self._parts.path(self._shard.name)
            self._storage.keep(path, path.name)
        return self._sidecar(loop, time.thread_time() - cpu)

    def _cycle(self, loop: Loop) -> None:
        """Fetch, until nothing is left, or it is time to end."""
        lease = self._task.setting.lease
        while True:
            elapsed = self._elapsed()
            if elapsed >= lease:
                self._cut = [entry for entry in self._open if hasattr(entry, "asked")]
                return
            if elapsed - self._stopped >= GRACE:
                return
            begins = elapsed < min(lease * BEGINNING, self._stopped)
            try:
                loop.ask(AT_RISK + len(loop.results) if begins else 0)
                if loop.under_way:
                    loop.take()
                elif loop.has_large:
                    loop.take_large(block=True)
                else:
                    return
            except (InterruptedError, StopIteration, ValueError):
                if self._elapsed() < lease:
                    raise
                continue  # the run was cancelled, or a long body, at the end of the lease
            if loop.size >= PIECE:
                self._write(loop)
            if self._is_tail(loop, elapsed):
                self._slow = [*self._open]
                return

    def _elapsed(self) -> float:
        return _clock() - self._received

    def _is_tail(self, loop: Loop, elapsed: float) -> bool:
        """Tell whether a few hosts keep the worker waiting; see `TAIL`."""
        then, before = self._looked
        if elapsed - then < TAIL:
            return False
        count = len(self._entries) - len(self._open)
        self._looked = elapsed, count
        if self._task.is_slow or count - before >= FEW:
            return False
        hosts = len({item[2] for item in self._task.items})
        return count == before or loop.frontier.hosts <= hosts * SHARE

    def _write(self, loop: Loop) -> None:
        """Write what there is to the part; keep of it what the sidecar needs."""
        results = loop.take_results()
        self._parts.write(results)
        for one in results:
            if one.file is not None:
                self._storage.keep(one.file, f"{BODIES}/{self._shard.name}/{one.file.name}")
        self._results += rows(results)
        self._figures.add(Figures.of(results))
        hops, loop.hops = b"".join(loop.hops), []
        if hops:
            self._parts.add(self._shard, hops)

    def _sidecar(self, loop: Loop, cpu: float) -> Sidecar:
        rules, items = loop.rules, [Item(*item) for item in self._task.items]
        lanes = {item.number: item.lane for item in items}
        by_host = {item.host: item.lane for item in items}
        rest: Counter[int] = Counter()
        for host, seconds in rules.rests().items():
            if (lane := by_host.get(host)) is not None:
                rest[lane] = max(rest[lane], seconds)  # type: ignore[assignment]
        handed = [(one.entry.number, one.entry.home, one.moved) for one in loop.handovers]
        return Sidecar(
            worker=machine_and_process(),
            seconds=self._elapsed(),
            cpu=cpu,
            size=self._shard.size,
            records=self._shard.records,
            figures=str(self._figures),
            results=self._results,
            found=list(dict.fromkeys(rules.found)),
            handed=handed,
            cut=sorted({entry.home for entry in self._cut}),
            slow=sorted({lanes[entry.number] for entry in self._slow}),
            rest=list(rest.items()),
            paced=rules.paced(),
        )

    @contextlib.contextmanager
    def _ticking(self, loop: Loop) -> Iterator[None]:
        """Wake a loop now and then, so that it looks at the time; and end it with the lease."""
        over = threading.Event()

        def tick() -> None:
            while not over.wait(TICK):
                if self._elapsed() >= self._task.setting.lease:
                    loop.run.cancel()
                    return
                if self._stopped == math.inf and self._storage.is_stopped():
                    self._stopped = self._elapsed()
                loop.wake()

        thread = threading.Thread(target=tick, name="hyperlite-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
