"""The driver: one run of a crawl, on one loop of `fetch_many()`.

::

    state ── turn ──> shards ──> frontier ── add ──> fetch_many() ──> outcomes ──> records ── turn ──> state
             ╰── the same transaction writes down what was fetched, and gives out what comes next ──╯

Rule: at most `AT_RISK` URLs were asked for and are not written down.  Only those are fetched again after the
end of the process, at whatever moment that comes.
"""

import contextlib
import time

from ..fetching.outcome import Outcome
from ..many.run import FetchRun
from ..pool import ConnectionPool
from .frontier import Frontier
from .parts import Parts, Result
from .progress import Tally
from .records import Recorder
from .shards import Entry
from .state import State, Turn

AT_RISK = 1000
# A turn comes after so many outcomes, or bytes of records, or seconds; and with fewer outcomes if nothing
# waits.
TURN, TURN_BYTES, TURN_SECONDS = 250, 16 << 20, 2.0
TURN_EARLY = 64
# Bytes of responses that the run holds.
MAX_BUFFERED = 64 << 20


class Driver:
    """One run of a crawl.

    Args:
        state: of the crawl.
        recorder: takes the outcomes.
        pool: which fetches.
        per_host: how many URLs of a host are under way at most.
        tally: counts.
    """

    def __init__(
        self, state: State, recorder: Recorder, pool: ConnectionPool, per_host: int, tally: Tally
    ) -> None:
        self._state = state
        self._recorder = recorder
        self._pool = pool
        self._per_host = per_host
        self._tally = tally
        self._parts = Parts(state.parts)
        self._frontier = Frontier(per_host)
        self._under_way = 0
        self._results: list[Result] = []
        self._size = 0  # bytes of their records
        self._last_turn = time.monotonic()
        self._turning = False

    def run(self) -> None:
        """Fetch what is left.

        Raises:
            OSError: the state or a part cannot be written. What the recorder raises.
        """
        self._parts.remove_others(self._state.counted())
        try:
            run: FetchRun[Entry] = self._pool.fetch_many(
                concurrency=self._per_host, max_buffered=MAX_BUFFERED
            )
            with run:
                self._cycle(run)
        except BaseException:
            if not self._turning:  # or else it is the turn that has failed, and none of it counts
                with contextlib.suppress(Exception):
                    self._turn()
            raise
        finally:
            self._parts.close()

    def _cycle(self, run: FetchRun[Entry]) -> None:
        self._turn()
        frontier = self._frontier
        while True:
            while self._under_way + len(self._results) < AT_RISK and (entry := frontier.next()) is not None:
                run.add(entry)
                self._under_way += 1
            if self._under_way:
                self._take(next(run))
                if self._is_time():
                    self._turn()
            else:
                self._turn()
                if not frontier.waiting:
                    return

    def _take(self, outcome: Outcome[Entry]) -> None:
        """Take an outcome."""
        self._under_way -= 1
        result = self._recorder.take(outcome)
        self._frontier.done(outcome.request)
        self._results.append(result)
        self._size += len(result.line or b"")
        self._tally.note(outcome)

    def _is_time(self) -> bool:
        """Tell whether to write down what there is."""
        count = len(self._results)
        return (
            count >= TURN
            or self._size >= TURN_BYTES
            or (count >= TURN_EARLY and not self._frontier.waiting)
            or time.monotonic() - self._last_turn >= TURN_SECONDS
        )

    def _turn(self) -> None:
        """Write down what has come, and take what comes next."""
        self._turning = True
        turn = Turn(self._results, self._parts.write(self._results), [])
        self._frontier.forget_lanes()
        frontier = self._frontier
        for shard, entries in self._state.turn(turn, frontier.wanting(), frontier.busy, frontier.room):
            frontier.add(shard, entries)
        self._results, self._size = [], 0
        self._last_turn = time.monotonic()
        self._turning = False
