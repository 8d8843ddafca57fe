"""The executor of a crawl: any of `concurrent.futures`, renewed when it breaks.

An executor that was given as an object is the caller's, and is not shut down.  One that a function makes is
the crawl's: it is made anew when it breaks, and is shut down at the end.
"""

import contextlib
import importlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, TypeAlias

from ..fetching.checks import kind
from .tasks import Report, Task
from .worker import attempt

ExecutorArgument: TypeAlias = Executor | Callable[[], Executor]
# How often in a row an executor may break before any of its tasks begins.
MOST_BROKEN = 5


class Workers:
    """The workers of a crawl, behind an executor.

    Args:
        given: an executor, or a function that makes one.

    Raises:
        TypeError: it is neither.
    """

    def __init__(self, given: ExecutorArgument) -> None:
        self._make: Callable[[], Executor] | None = None
        self._is_ours = False
        self._broken = 0
        if isinstance(given, Executor):
            self._executor = given
        elif callable(given):
            self._make, self._is_ours = given, True
            self._executor = _made(given)
        else:
            raise TypeError(f"executor is an Executor, or a function that makes one, not {kind(given)}")

    @property
    def count(self) -> int:
        """How many there are, as far as that can be known."""
        most: int | None = getattr(self._executor, "_max_workers", None)
        if most is None and (client := getattr(self._executor, "_client", None)) is not None:  # Dask's
            most = sum(client.nthreads().values())
        return max(most or os.cpu_count() or 1, 1)

    @property
    def share_memory(self) -> bool:
        """Whether they are threads of this process."""
        return isinstance(self._executor, ThreadPoolExecutor)

    @property
    def break_together(self) -> bool:
        """Whether all tasks under way fail when one process ends."""
        return not hasattr(self._executor, "_client")

    def submit(self, task: Task) -> Future[Report]:
        """Have a worker make an attempt at a task.

        Raises:
            BrokenExecutor: the executor is broken.
        """
        if self.share_memory:
            return self._executor.submit(attempt, task)
        return self._executor.submit(attempt, self.packed(task))

    def packed(self, value: object) -> bytes:
        """Pickle something; with cloudpickle where that is there, which knows functions by their code.

        But not for the standard library's processes, which may not have it.
        """
        if not isinstance(self._executor, ProcessPoolExecutor):
            with contextlib.suppress(ImportError):
                import cloudpickle  # type: ignore[import-untyped]  # noqa: PLC0415

                packed: bytes = cloudpickle.dumps(value)
                return packed
        return pickle.dumps(value)

    def renew(self, error: BaseException) -> None:
        """Replace the executor, which has broken.

        Raises:
            BrokenExecutor: it cannot be replaced, or breaks again and again.
        """
        self._broken += 1
        if self._broken >= MOST_BROKEN:
            raise error
        old = self._executor
        if self._make is None and type(old) is ProcessPoolExecutor:
            self._make, self._is_ours = _another_like(old), True
        if self._make is None:
            raise type(error)(
                f"the executor, a {type(old).__name__}, broke. Give crawl() a function that makes one,"
                " such as executor=lambda: get_reusable_executor(4), and it is made anew"
            ) from error
        old.shutdown(wait=True)
        self._executor = _made(self._make)

    def note_begun(self) -> None:
        """Take note that a task has begun: the executor works."""
        self._broken = 0

    def close(self) -> None:
        """Shut the executor down, if it is the crawl's own."""
        if self._is_ours:
            self._executor.shutdown(wait=True)
            if (client := getattr(self._executor, "_client", None)) is not None:  # Dask's
                client.close()


def is_lost(error: BaseException) -> bool:
    """Tell whether an error of a future says that its worker is lost, and not that its task has failed."""
    return isinstance(error, BrokenExecutor) or type(error).__module__.partition(".")[0] == "distributed"


def _made(make: Callable[[], Executor]) -> Executor:
    executor = make()
    if not isinstance(executor, Executor):
        raise TypeError(f"executor makes an Executor, not {kind(executor)}")
    return executor


def _another_like(old: ProcessPoolExecutor) -> Callable[[], Executor]:
    workers: Any = old
    options = {
        "max_workers": workers._max_workers,
        "mp_context": workers._mp_context,
        "initializer": workers._initializer,
        "initargs": workers._initargs,
    }
    return lambda: ProcessPoolExecutor(**options)


# -- processes of this machine --------------------------------------------------------------------


def processes(count: int) -> Callable[[], Executor]:
    """Return a function that makes an executor of so many processes, which end with this one.

    They are not forked from this process, whose threads would hold locks in them for ever.
    """
    context: Any = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        context.set_forkserver_preload([attempt.__module__])
    return lambda: ProcessPoolExecutor(count, context, _begin_process)


def _begin_process() -> None:
    """Leave Ctrl-C to the driver, which ends the tasks; and end with it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="hyperlite-parent", daemon=True).start()


# -- a Dask cluster ---------------------------------------------------------------------------------


def dask(scheduler: str) -> Callable[[], Executor]:
    """Return a function that makes an executor of a cluster, by the address of its scheduler.

    Raises:
        ImportError: distributed is missing.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise ImportError("Dask needs a package: hyperlite-http[dask]") from None

    def connect() -> Executor:
        # Each task is one of its kind: that need not be found out.
        executor: Executor = distributed.Client(scheduler, set_as_default=False).get_executor(pure=False)
        return executor

    return connect
