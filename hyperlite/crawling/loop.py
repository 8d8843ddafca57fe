"""URLs through the rules and one run of `fetch_many()`, to their results: in a driver, and in each worker.

::

    frontier ──> rules ──> fetch_many() ──> rules ──> recorder ──> results
       ╰──── robots.txt, redirects, further tries ────╯
"""

import contextlib
from collections.abc import Callable

from ..fetching.outcome import Outcome
from ..many.run import FetchRun
from ..pool import ConnectionPool
from .asks import Again, Ask, Handover, RobotsFile, Wake
from .frontier import Frontier
from .large import LargeBodies
from .parts import Result
from .records import Recorder
from .rules import Rules, refused
from .shards import Entry

AT_RISK = 1000
# With so many URLs that were found and are not written down, nothing further is begun.
MOST_FOUND = 100_000
# Bytes of responses that the run holds.
MAX_BUFFERED = 64 << 20


class Loop:
    """URLs, from the frontier to their results.

    Args:
        recorder: takes the outcomes.
        pool: which fetches.
        rules: say what may be asked for, and what follows.
        per_host: how many requests to a host are under way at most.
        note: is called with each result.
        until, deadline: of long bodies; see `LargeBodies`.

    Attributes:
        rules: the same.
        frontier: what can be asked for.
        run: to be entered by the caller, in whose `with` block all else is called.
        under_way: how much is, in the run.
        begun: URLs that were asked for, of which the result is not known yet.
        results: what has come, until the caller takes it away.
        handovers: URLs that go on elsewhere; see `Rules`.
        hops: records of the redirects that led there, which are no URL's whole record.
    """

    def __init__(
        self,
        recorder: Recorder,
        pool: ConnectionPool,
        rules: Rules,
        per_host: int,
        note: Callable[[Result], object],
        until: float | None = None,
        deadline: float | None = None,
    ) -> None:
        self._recorder = recorder
        self._note_result = note
        self._large = LargeBodies(pool, recorder, until, deadline)
        self.rules: Rules = rules
        self.frontier: Frontier = Frontier(per_host)
        self.run: FetchRun[Ask | Wake] = pool.fetch_many(
            concurrency=per_host,
            max_buffered=MAX_BUFFERED,
            max_body=recorder.in_memory,
            redirects=0,  # the rules follow them
            decode=recorder.decodes,
        )
        self.under_way: int = 0
        self.begun: int = 0
        self.results: list[Result] = []
        self.handovers: list[Handover] = []
        self.hops: list[bytes] = []
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes of the records of the results."""
        return self._size

    @property
    def has_large(self) -> bool:
        """Whether long bodies are under way."""
        return bool(self._large)

    def ask(self, most: int) -> None:
        """Ask for as much as may be asked for now.

        Args:
            most: no further URL is begun while so many were begun and have no result, or one that is among
                `results`. What follows an answer is asked for in any case.
        """
        frontier, rules = self.frontier, self.rules
        if len(rules.found) >= MOST_FOUND:
            return
        risk = self.begun + len(self.results)
        while self.under_way < AT_RISK:
            ask = frontier.next(fresh=risk < most)
            if ask is None:
                return
            is_fresh = isinstance(ask, Entry)
            page = Again.from_elsewhere(ask) if isinstance(ask, Entry) and ask.moved else ask
            first = page if isinstance(page, RobotsFile) else rules.before(page)
            if isinstance(first, Exception):
                frontier.release(ask.host)
                self.begun += is_fresh
                self._note(self._recorder.take(refused(page, first)))
                risk += is_fresh
                continue
            if first is not page:
                frontier.put_back(ask)
            elif is_fresh:
                self.begun += 1
                risk += 1
            if rules.is_contacting(ask.host):
                frontier.hold(ask.host)
            self.run.add(first)
            self.under_way += 1

    def take(self) -> None:
        """Wait for an outcome, or for `wake()`, and do what follows it."""
        self._take(next(self.run))
        self.take_large(block=False)

    def _take(self, outcome: Outcome[Ask | Wake]) -> None:
        ask, frontier = outcome.request, self.frontier
        if isinstance(ask, Wake):
            return
        self.under_way -= 1
        is_over = True
        for following in self.rules.after(outcome):
            if isinstance(following, str):
                frontier.push(following)
                if self.rules.is_contacting(following.host):
                    frontier.hold(following.host)
            elif isinstance(following, Handover):
                self._hand_over(following)
            elif isinstance(ask, RobotsFile) or not self._large.takes(following, ask):
                self._note(self._recorder.take(following))
            else:
                is_over = False
        if is_over:
            frontier.release(ask.host)
        site = ask.origin[1] if isinstance(ask, RobotsFile) else ask.host
        frontier.narrow(site, self.rules.width(ask))
        for host in self.rules.contacted():
            if not self.rules.is_contacting(host):  # anew, as another robots.txt leads there
                frontier.free(host)

    def take_large(self, *, block: bool) -> None:
        """Take what has become of URLs with long bodies."""
        for host, result in self._large.done(block=block):
            self.frontier.release(host)
            self._note(result)

    def take_results(self) -> list[Result]:
        """Return the results, and forget them."""
        results, self.results, self._size = self.results, [], 0
        return results

    def wake(self, _: object = None) -> None:
        """Have `take()` return, in which the caller may wait for a slow host; in any thread."""
        with contextlib.suppress(ValueError):  # the run is over
            self.run.add(Wake())

    def close(self) -> None:
        """Give up long bodies that are under way."""
        self._large.close()

    def _hand_over(self, handover: Handover) -> None:
        self.frontier.close(handover.entry)
        self.begun -= 1
        self.handovers.append(handover)
        self.hops.append(self._recorder.take_hops(handover.entry, handover.history, handover.moved.url))

    def _note(self, result: Result) -> None:
        self.frontier.close(result.entry)
        self.begun -= 1
        self.results.append(result)
        self._size += len(result.line or b"")
        self._note_result(result)
