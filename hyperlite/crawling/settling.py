"""What has become of tasks, written into the state."""

import time
from collections.abc import Callable, Sequence

from ..fetching.outcome import Failed
from .leases import GUILTY, Leases
from .losses import Ended, Losses
from .parts import Parts, Result
from .records import Recorder
from .refusals import WorkerLost
from .shards import Shard
from .state import State, Turn
from .storage import Storage

# Seconds between two looks.
PAUSE = 0.5


class Settlement:
    """Ends leases.

    Args:
        state: of the crawl.
        storage: which has the parts.
        recorder: makes the records of URLs that no worker can fetch.
        note: is called with each result.
    """

    def __init__(
        self, state: State, storage: Storage, recorder: Recorder, note: Callable[[Result], object]
    ) -> None:
        self._state = state
        self._storage = storage
        self._recorder = recorder
        self._note = note

    def settle(self, ended: Sequence[Ended]) -> int:
        """End leases, in one transaction; return how many URLs were added to the crawl."""
        if not ended:
            return 0
        added, results, guilty = 0, [], []
        with self._state.transaction() as database:
            leases = Leases(database)
            for lease, sidecar, is_blamed in ended:
                if sidecar is not None:
                    shard = Shard(lease.shard, 0, lease.attempt)
                    shard.size, shard.records = sidecar.size, sidecar.records
                    fetched = sidecar.outcomes(shard)
                    written = [shard] if shard.size else []
                    handed = list(sidecar.handovers(shard))
                    added += self._state.write_down(
                        Turn(fetched, written, sidecar.links(), time.time(), handed, sidecar.figures)
                    )
                    leases.note_worker(self._state.run, sidecar)
                    results += fetched
                cut = () if sidecar is None else sidecar.cut
                guilty += leases.end(lease, is_lost=is_blamed, cut=cut)
        for one in ended:
            if one.sidecar is not None:
                self._storage.forget(one.lease.name)
        for number in guilty:
            results.append(self._fail(number))
        for result in results:
            self._note(result)
        return added

    def _fail(self, number: int) -> Result:
        """Give up a URL with which workers were lost."""
        with self._state.transaction() as database:
            entry = Leases(database).entry(number)
        error = WorkerLost(f"its worker was lost, or ran out of time, {GUILTY} times and more in a row")
        result = self._recorder.take(Failed(entry, 0, error, attempts=GUILTY))
        with self._storage.workplace() as folder:
            parts = Parts(folder, self._recorder.ending)
            written = parts.write([result])
            parts.close()
            path = parts.path(entry.shard.name)
            self._storage.keep(path, path.name)
        with self._state.transaction():
            self._state.write_down(Turn([result], written, [], time.time()))
        return result


def outstanding(state: State, storage: Storage) -> Losses:
    """Return the leases that earlier drivers have left behind."""
    losses = Losses(storage)
    with state.transaction() as database:
        for lease in Leases(database).outstanding():
            losses.add(lease, is_blamed=False)
    return losses


def settle_outstanding(settlement: Settlement, losses: Losses) -> None:
    """Wait until all leases of earlier drivers are over."""
    while losses:
        settlement.settle(losses.over())
        if losses:
            time.sleep(PAUSE)
