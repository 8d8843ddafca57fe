"""One run of a crawl: in this process, or on an executor."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..fetching.checks import kind
from ..pool import ConnectionPool
from .dispatcher import Dispatcher
from .driver import Driver
from .executors import Workers
from .manners import Manners, bound
from .places import storage_at
from .progress import CrawlProgress, Tally
from .records import Recorder
from .rules import Rules
from .settling import Settlement, outstanding, settle_outstanding
from .state import State
from .tasks import Setting

# Arguments of `crawl()` that are objects of this process: a copy of them elsewhere would be of no use.
_AT_HOME = ("observers", "handler")


def run(
    state: State,
    recorder: Recorder,
    pool: ConnectionPool,
    made: Manners,
    setting: Setting,
    workers: Workers | None,
    progress: Callable[[CrawlProgress], object] | None,
) -> None:
    """Fetch what is left.

    Args:
        state: of the crawl.
        recorder: takes the outcomes.
        pool: which fetches, in this process.
        made: how hosts are treated.
        setting: of tasks.
        workers: which fetch; None: this process does.
        progress: is called now and then.
    """
    before = state.summary()
    tally = Tally(before.urls, before.urls - before.left, progress, made.stop_after, made.stop_after_bytes)
    policy = bound(made.policy, state)
    place = setting.storage or str(state.parts.absolute())
    storage = storage_at(place)
    if workers is None:
        settle_outstanding(Settlement(state, storage, recorder, tally.note), outstanding(state, storage))
        rules = Rules(dataclasses.replace(policy, packed=not recorder.decodes), pool, made.guard)
        Driver(state, recorder, pool, rules, setting.per_host, tally).run()
    else:
        setting = setting._replace(storage=place, domains=policy.domains)
        Dispatcher(state, storage, workers, setting, recorder, tally).run()
    tally.report()


def check_portable(workers: Workers, options: Mapping[str, Any]) -> None:
    """Check that the arguments of a crawl can be sent to workers.

    Raises:
        TypeError: one of them cannot.
    """
    if workers.share_memory:
        return
    for name, value in options.items():
        if name in _AT_HOME and value:
            raise TypeError(f"{name}= is of this process, and the workers are others: leave executor= out")
        try:
            workers.packed(value)
        except Exception as error:
            raise TypeError(
                f"{name}= cannot be sent to the workers: {kind(value)} cannot be pickled ({error})"
            ) from error


def place_of(storage: object) -> str:
    """Return the absolute path of the folder that workers share, or its URL; empty: it is in the state.

    Raises:
        ImportError: fsspec, or what it needs for such a URL, is missing.
    """
    if storage is None:
        return ""
    if not isinstance(storage, str | os.PathLike):
        raise TypeError(f"storage is the path of a folder, or a URL, not {kind(storage)}")
    if isinstance(storage, str) and "://" in storage:
        storage_at(storage)
        return storage
    path = Path(storage).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return str(path)
