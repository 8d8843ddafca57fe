"""How fast one host is asked: slower while it is overloaded, and not at all when that does not help.

::

    429, 503, a timeout ──> a page may be so: nothing changes, unless Retry-After says when
    another in a row    ──> one at a time, a second apart, or what Retry-After says; doubled each time
    an answer           ──> half as slow, until the host is asked as at first
    ROUNDS in a row     ──> the host is given up

Arithmetic alone: the pool's `Limits` keep what is decided here.
"""

import dataclasses

from ..origins.limits import Limits
from .refusals import HostGivenUp

# Answers that mean "later" (RFC 6585 section 4, RFC 9110 section 15.6.4).
LATER = frozenset({429, 503})
# How often in a row a host is overloaded before it is given up: the pauses are then a quarter of a minute in
# all, or what the host has asked for.
ROUNDS = 6
# Seconds between two requests, when a host is slowed down for the first time; and the most of them.
FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0
# What a worker knows of an overloaded site: scheme, host and port; and what `Pace.kept()` returns.
Paced = tuple[str, str, int, float, int, str | None]
# Below this delay, a host is asked as at first.
NO_DELAY = 0.25


class Pace:
    """The pace of one host.

    Args:
        usual: the limits for a host that is not overloaded.

    Attributes:
        usual: the same.
        limits: those for now.
        given_up: why the host is not asked any more; None: it is.
    """

    def __init__(self, usual: Limits) -> None:
        self.usual: Limits = usual
        self.limits: Limits = usual
        self.given_up: HostGivenUp | None = None
        self._delay = 0.0  # beside the usual one
        self._rounds = 0  # in a row
        self._slowed = float("-inf")  # the time at which the host was last slowed down

    def slow_down(self, reason: str, now: float, began: float, asked: float | None = None) -> None:
        """Take note that the host is overloaded.

        Args:
            reason: what it has answered, in words.
            now: the monotonic time.
            began: that at which the request began.  The answers to requests that were under way together say
                the same, and are one round.
            asked: the seconds that the host has asked to wait, or None.
        """
        if began < self._slowed or self.given_up is not None:
            return
        self._rounds += 1
        self._slowed = now
        if self._rounds > 1:
            self._delay = max(self._delay * 2, FIRST_DELAY, self.usual.delay or 0.0)
        self._delay = min(max(self._delay, asked or 0.0), LONGEST_DELAY)
        if self._rounds >= ROUNDS:
            self.given_up = HostGivenUp(f"the host was overloaded {ROUNDS} times in a row: {reason}")
        self._apply()

    def speed_up(self, began: float) -> None:
        """Take note that the host has answered; `began` as for `slow_down()`."""
        if began < self._slowed:
            return
        self._rounds = 0
        if not self._delay:
            return
        self._delay = self._delay / 2 if self._delay / 2 >= NO_DELAY else 0.0
        self._apply()

    def change(self, usual: Limits) -> None:
        """Change the limits for a host that is not overloaded."""
        self.usual = usual
        self._apply()

    def kept(self) -> tuple[float, int, str | None] | None:
        """Return what another worker is to know of a host; None: it is asked as at first."""
        if not self._delay and not self._rounds and self.given_up is None:
            return None
        return self._delay, self._rounds, None if self.given_up is None else str(self.given_up)

    def recall(self, delay: float, rounds: int, given_up: str | None) -> None:
        """Go on from what another worker has kept."""
        self._delay, self._rounds = delay, rounds
        self.given_up = None if given_up is None else HostGivenUp(given_up)
        self._apply()

    def _apply(self) -> None:
        if not self._delay:
            self.limits = self.usual
            return
        delay = max(self._delay, self.usual.delay or 0.0)
        self.limits = dataclasses.replace(self.usual, delay=delay, under_way=1)


def with_crawl_delay(limits: Limits, delay: float | None) -> Limits:
    """Return limits that keep a Crawl-delay, too."""
    if not delay or delay <= (limits.delay or 0.0):
        return limits
    return dataclasses.replace(limits, delay=delay)
