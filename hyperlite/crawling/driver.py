"""The driver: one run of a crawl, on one loop of `fetch_many()`.

::

    state ── turn ──> shards ──> loop ──> results ── turn ──> state
             ╰── the same transaction writes down what was fetched, and gives out what comes next

Rule: at most `AT_RISK` URLs were asked for and are not written down.  Only those are fetched again after the
end of the process, at whatever moment that comes.
"""

import contextlib
import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from ..pool import ConnectionPool
from . import loop
from .loop import Loop
from .parts import Parts
from .progress import Tally
from .records import Recorder
from .rules import Rules
from .state import State, Turn, Turned

# A turn comes after so many outcomes, or bytes of records, or URLs that were found, or seconds; and with
# fewer outcomes, or one URL that was found, if nothing waits.
TURN, TURN_BYTES, TURN_FOUND, TURN_SECONDS = 250, 16 << 20, 20_000, 2.0
TURN_EARLY = 64


class Pending(NamedTuple):
    """A turn under way: what comes of it, None if there is none, and how many results it writes down."""

    future: Future[Turned] | None
    size: int


NONE = Pending(None, 0)


class Driver:
    """One run of a crawl.

    What comes goes on while a turn is written down, by a thread of its own.

    Args:
        state: of the crawl.
        recorder: takes the outcomes.
        pool: which fetches.
        rules: say what may be asked for, and what follows.
        per_host: how many requests to a host are under way at most.
        tally: counts.
    """

    def __init__(
        self,
        state: State,
        recorder: Recorder,
        pool: ConnectionPool,
        rules: Rules,
        per_host: int,
        tally: Tally,
    ) -> None:
        self._state = state
        self._recorder = recorder
        self._tally = tally
        self._parts = Parts(state.parts, recorder.ending)
        self._loop = Loop(recorder, pool, rules, per_host, tally.note)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="hyperlite-crawl")
        self._turn = NONE
        self._last_turn = time.monotonic()

    def run(self) -> None:
        """Fetch what is left.

        Raises:
            OSError: the state or a part cannot be written. What the recorder raises.
        """
        counted = {part.name for part in self._state.counted()}
        self._parts.remove_others(counted)
        self._recorder.begin(counted)
        try:
            with self._loop.run:
                self._cycle()
        except BaseException:
            self._loop.close()
            with contextlib.suppress(Exception):  # what has come is written down, unless that is what fails
                self._end_turn()
                self._begin_turn()
                self._end_turn()
            raise
        finally:
            self._loop.close()
            self._writer.shutdown()
            self._parts.close()

    def _cycle(self) -> None:
        self._begin_turn()
        loop_ = self._loop
        while True:
            if not self._tally.is_over:
                self._loop.ask(loop.AT_RISK - self._turn.size)
            if loop_.under_way:
                loop_.take()
                turn = self._turn.future
                if turn is not None and turn.done():
                    self._end_turn()
                if self._turn is NONE and self._is_time():
                    self._begin_turn()
            elif self._turn is not NONE:
                self._end_turn()
            elif loop_.has_large:
                loop_.take_large(block=True)
            elif loop_.results or loop_.rules.found:
                self._begin_turn()
            else:
                return

    # -- turns ------------------------------------------------------------------------------------

    def _is_time(self) -> bool:
        """Tell whether to write down what there is."""
        count, found = len(self._loop.results), len(self._loop.rules.found)
        return (
            count >= TURN
            or self._loop.size >= TURN_BYTES
            or found >= TURN_FOUND
            or ((count >= TURN_EARLY or found > 0) and not self._loop.frontier.waiting)
            or time.monotonic() - self._last_turn >= TURN_SECONDS
        )

    def _begin_turn(self) -> None:
        """Begin to write down what has come."""
        frontier, rules = self._loop.frontier, self._loop.rules
        frontier.forget_lanes()
        found, rules.found = rules.found, []
        results = self._loop.take_results()
        self._last_turn = time.monotonic()
        turn = Turn(results, [], found, time.time())
        future = self._writer.submit(self._write_down, turn, frontier.wanting(), frontier.busy, frontier.room)
        self._turn = Pending(future, len(results))
        future.add_done_callback(self._loop.wake)

    def _write_down(self, turn: Turn, wanting: Mapping[int, int], busy: Collection[int], room: int) -> Turned:
        written = self._parts.write(turn.results)
        return self._state.turn(turn._replace(written=written), wanting, busy, room)

    def _end_turn(self) -> None:
        """Wait until it is written down, and take what comes next."""
        if self._turn.future is not None:
            added, given = self._turn.future.result()
            self._tally.urls += added
            for shard, entries in given:
                self._loop.frontier.add(shard, entries)
            self._tally.hosts = self._loop.frontier.hosts
            self._turn = NONE
