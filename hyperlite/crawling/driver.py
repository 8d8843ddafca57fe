"""The driver: one run of a crawl, on one loop of `fetch_many()`.

::

    state ── turn ──> shards ──> frontier ── add ──> fetch_many() ──> outcomes ──> records ── turn ──> state
             ╰── the same transaction writes down what was fetched, and gives out what comes next ──╯

Rule: at most `AT_RISK` URLs were asked for and are not written down.  Only those are fetched again after the
end of the process, at whatever moment that comes.
"""

import contextlib
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from ..fetching.outcome import Outcome
from ..many.run import FetchRun
from ..pool import ConnectionPool
from .frontier import Frontier
from .large import LargeBodies
from .parts import Parts, Result
from .progress import Tally
from .records import Recorder
from .shards import Entry
from .state import Given, State, Turn

AT_RISK = 1000
# A turn comes after so many outcomes, or bytes of records, or seconds; and with fewer outcomes if nothing
# waits.
TURN, TURN_BYTES, TURN_SECONDS = 250, 16 << 20, 2.0
TURN_EARLY = 64
# Bytes of responses that the run holds.
MAX_BUFFERED = 64 << 20


class Driver:
    """One run of a crawl.

    What comes goes on while a turn is written down, by a thread of its own.

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
        self._large = LargeBodies(pool, recorder)
        self._under_way = 0  # in the run
        self._results: list[Result] = []  # of which the turn under way knows nothing
        self._size = 0  # bytes of their records
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="hyperlite-crawl")
        self._turn: Future[list[Given]] | None = None
        self._turn_size = 0  # how many results the turn under way writes down
        self._last_turn = time.monotonic()

    def run(self) -> None:
        """Fetch what is left.

        Raises:
            OSError: the state or a part cannot be written. What the recorder raises.
        """
        counted = {part.name for part in self._state.counted()}
        self._parts.remove_others(counted)
        self._recorder.begin(counted)
        run: FetchRun[Entry] = self._pool.fetch_many(
            concurrency=self._per_host, max_buffered=MAX_BUFFERED, max_body=self._recorder.in_memory
        )
        try:
            with run:
                self._cycle(run)
        except BaseException:
            self._large.close()
            with contextlib.suppress(Exception):  # what has come is written down, unless that is what fails
                self._end_turn()
                self._begin_turn()
                self._end_turn()
            raise
        finally:
            self._large.close()
            self._writer.shutdown()
            self._parts.close()

    def _cycle(self, run: FetchRun[Entry]) -> None:
        self._begin_turn()
        while True:
            self._ask(run)
            if self._under_way:
                self._take(next(run))
                self._note(self._large.done(block=False))
                if self._turn is not None and self._turn.done():
                    self._end_turn()
                if self._turn is None and self._is_time():
                    self._begin_turn()
            elif self._turn is not None:
                self._end_turn()
            elif self._large:
                self._note(self._large.done(block=True))
            elif self._results:
                self._begin_turn()
            else:
                return

    def _ask(self, run: FetchRun[Entry]) -> None:
        """Ask for URLs, as many as may be asked for now."""
        risk = self._under_way + len(self._large) + len(self._results) + self._turn_size
        while risk < AT_RISK and (entry := self._frontier.next()) is not None:
            run.add(entry)
            self._under_way += 1
            risk += 1

    def _take(self, outcome: Outcome[Entry]) -> None:
        """Take an outcome."""
        self._under_way -= 1
        if not self._large.takes(outcome):
            self._note([self._recorder.take(outcome)])

    def _note(self, results: Iterable[Result]) -> None:
        """Keep what has become of URLs until the next turn writes it down."""
        for result in results:
            self._frontier.done(result.entry)
            self._results.append(result)
            self._size += len(result.line or b"")
            self._tally.note(result)

    # -- turns ------------------------------------------------------------------------------------

    def _is_time(self) -> bool:
        """Tell whether to write down what there is."""
        count = len(self._results)
        return (
            count >= TURN
            or self._size >= TURN_BYTES
            or (count >= TURN_EARLY and not self._frontier.waiting)
            or time.monotonic() - self._last_turn >= TURN_SECONDS
        )

    def _begin_turn(self) -> None:
        """Begin to write down what has come."""
        self._tally.hosts = self._frontier.hosts
        self._frontier.forget_lanes()
        frontier, results = self._frontier, self._results
        self._turn_size, self._results, self._size = len(results), [], 0
        self._last_turn = time.monotonic()
        self._turn = self._writer.submit(
            self._write_down, results, frontier.wanting(), frontier.busy, frontier.room
        )

    def _write_down(
        self, results: list[Result], wanting: Mapping[int, int], busy: Collection[int], room: int
    ) -> list[Given]:
        turn = Turn(results, self._parts.write(results), [])
        return self._state.turn(turn, wanting, busy, room)

    def _end_turn(self) -> None:
        """Wait until it is written down, and take what comes next."""
        if self._turn is not None:
            for shard, entries in self._turn.result():
                self._frontier.add(shard, entries)
            self._turn, self._turn_size = None, 0
