"""The driver: one run of a crawl, on one loop of `fetch_many()`.

::

    state ── turn ──> shards ──> frontier ──> rules ──> fetch_many() ──> rules ──> records ── turn ──> state
             │                      ╰──── robots.txt, redirects, further tries ────╯               │
             ╰── the same transaction writes down what was fetched, and gives out what comes next ──╯

Rule: at most `AT_RISK` URLs were asked for and are not written down.  Only those are fetched again after the
end of the process, at whatever moment that comes.
"""

import contextlib
import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from ..fetching.outcome import Outcome
from ..many.run import FetchRun
from ..pool import ConnectionPool
from .asks import Ask, RobotsFile, Wake
from .frontier import Frontier
from .large import LargeBodies
from .parts import Parts, Result
from .progress import Tally
from .records import Recorder
from .rules import Rules, refused
from .shards import Entry
from .state import State, Turn, Turned

AT_RISK = 1000
# A turn comes after so many outcomes, or bytes of records, or URLs that were found, or seconds; and with
# fewer outcomes, or one URL that was found, if nothing waits.
TURN, TURN_BYTES, TURN_FOUND, TURN_SECONDS = 250, 16 << 20, 20_000, 2.0
TURN_EARLY = 64
# With so many URLs that were found and are not written down, nothing further is begun.
MOST_FOUND = 100_000
# Bytes of responses that the run holds.
MAX_BUFFERED = 64 << 20


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
        self._rules = rules
        self._tally = tally
        self._parts = Parts(state.parts, recorder.ending)
        self._frontier = Frontier(per_host)
        self._large = LargeBodies(pool, recorder)
        self._run: FetchRun[Ask | Wake] = pool.fetch_many(
            concurrency=per_host,
            max_buffered=MAX_BUFFERED,
            max_body=recorder.in_memory,
            redirects=0,  # the rules follow them
            decode=recorder.decodes,
        )
        self._under_way = 0  # in the run
        self._begun = 0  # URLs that were asked for, of which the result is not known yet
        self._results: list[Result] = []  # of which the turn under way knows nothing
        self._size = 0  # bytes of their records
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
            with self._run:
                self._cycle()
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

    def _cycle(self) -> None:
        self._begin_turn()
        while True:
            self._ask()
            if self._under_way:
                self._take(next(self._run))
                self._take_large(block=False)
                turn = self._turn.future
                if turn is not None and turn.done():
                    self._end_turn()
                if self._turn is NONE and self._is_time():
                    self._begin_turn()
            elif self._turn is not NONE:
                self._end_turn()
            elif self._large:
                self._take_large(block=True)
            elif self._results or self._rules.found:
                self._begin_turn()
            else:
                return

    def _ask(self) -> None:
        """Ask for as much as may be asked for now; what follows an answer adds nothing to the risk."""
        frontier, rules = self._frontier, self._rules
        if len(rules.found) >= MOST_FOUND:
            return
        risk = self._begun + len(self._results) + self._turn.size
        while self._under_way < AT_RISK and not self._tally.is_over:
            ask = frontier.next(fresh=risk < AT_RISK)
            if ask is None:
                return
            is_fresh = isinstance(ask, Entry)
            first = ask if isinstance(ask, RobotsFile) else rules.before(ask)
            if isinstance(first, Exception):
                frontier.release(ask.host)
                self._begun += is_fresh
                self._note(self._recorder.take(refused(ask, first)))
                risk += is_fresh
                continue
            if first is not ask:
                frontier.put_back(ask)
            elif is_fresh:
                self._begun += 1
                risk += 1
            if rules.is_contacting(ask.host):
                frontier.hold(ask.host)
            self._run.add(first)
            self._under_way += 1

    def _take(self, outcome: Outcome[Ask | Wake]) -> None:
        """Take an outcome, and do what follows it."""
        ask, frontier = outcome.request, self._frontier
        if isinstance(ask, Wake):
            return
        self._under_way -= 1
        is_over = True
        for following in self._rules.after(outcome):
            if isinstance(following, str):
                frontier.push(following)
                if self._rules.is_contacting(following.host):
                    frontier.hold(following.host)
            elif isinstance(ask, RobotsFile) or not self._large.takes(following, ask):
                self._note(self._recorder.take(following))
            else:
                is_over = False
        if is_over:
            frontier.release(ask.host)
        site = ask.origin[1] if isinstance(ask, RobotsFile) else ask.host
        frontier.narrow(site, self._rules.width(ask))
        for host in self._rules.contacted():
            if not self._rules.is_contacting(host):  # anew, as another robots.txt leads there
                frontier.free(host)

    def _take_large(self, *, block: bool) -> None:
        """Take what has become of URLs with long bodies."""
        for host, result in self._large.done(block=block):
            self._frontier.release(host)
            self._note(result)

    def _note(self, result: Result) -> None:
        """Keep what has become of a URL until the next turn writes it down."""
        self._frontier.close(result.entry)
        self._begun -= 1
        self._results.append(result)
        self._size += len(result.line or b"")
        self._tally.note(result)

    # -- turns ------------------------------------------------------------------------------------

    def _is_time(self) -> bool:
        """Tell whether to write down what there is."""
        count, found = len(self._results), len(self._rules.found)
        return (
            count >= TURN
            or self._size >= TURN_BYTES
            or found >= TURN_FOUND
            or ((count >= TURN_EARLY or found > 0) and not self._frontier.waiting)
            or time.monotonic() - self._last_turn >= TURN_SECONDS
        )

    def _begin_turn(self) -> None:
        """Begin to write down what has come."""
        self._frontier.forget_lanes()
        frontier, results = self._frontier, self._results
        found, self._rules.found = self._rules.found, []
        self._results, self._size = [], 0
        self._last_turn = time.monotonic()
        turn = Turn(results, [], found, time.time())
        future = self._writer.submit(self._write_down, turn, frontier.wanting(), frontier.busy, frontier.room)
        self._turn = Pending(future, len(results))
        future.add_done_callback(self._wake)

    def _write_down(self, turn: Turn, wanting: Mapping[int, int], busy: Collection[int], room: int) -> Turned:
        written = self._parts.write(turn.results)
        return self._state.turn(turn._replace(written=written), wanting, busy, room)

    def _wake(self, _: object) -> None:
        """Have `next()` return, in which the driver may wait for a slow host."""
        with contextlib.suppress(ValueError):  # the run is over
            self._run.add(Wake())

    def _end_turn(self) -> None:
        """Wait until it is written down, and take what comes next."""
        if self._turn.future is not None:
            added, given = self._turn.future.result()
            self._tally.urls += added
            for shard, entries in given:
                self._frontier.add(shard, entries)
            self._tally.hosts = self._frontier.hosts
            self._turn = NONE
