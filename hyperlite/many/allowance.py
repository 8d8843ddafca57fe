"""What the limits of the pool allow a run of fetch_many(): asked before requests begin, without waiting."""

import math
import time

from ..fetching.hop import Fetcher
from ..origins.limits import Permit
from .timers import Timers
from .window import Window

# Seconds after which a run looks again whether a request of another caller has ended.
TICK = 0.05
# Seconds after which it looks again in any case: the limits may have been changed.
LOOK = 0.5


class Allowance:
    """The limits, as a run sees them; they may come and change while it goes on.

    Args:
        fetcher: has the limits of the pool.
        timers: are told when to look again.
    """

    def __init__(self, fetcher: Fetcher, timers: Timers) -> None:
        self._fetcher = fetcher
        self._timers = timers

    @property
    def is_limited(self) -> bool:
        """Whether the pool has limits."""
        return self._fetcher.throttle is not None

    def holds_back(self) -> bool:
        """Tell whether the limits for all requests together allow none now."""
        throttle = self._fetcher.throttle
        if throttle is None or not (wait := throttle.wait(None)):
            return False
        self._timers.hold(_look_again(wait))
        return True

    def holds_back_window(self, window: Window) -> bool:
        """Tell whether the limits of its origin allow a window no request now; then it rests for a while."""
        throttle = self._fetcher.throttle
        if throttle is None or not (wait := throttle.wait(window.place)):
            return False
        self._timers.rest(window, _look_again(wait))
        return True

    def permits(self, window: Window, count: int) -> list[Permit | None]:
        """Return permits for `count` requests of a window, or for as many as the limits allow."""
        throttle = self._fetcher.throttle
        return [None] * count if throttle is None else [*throttle.take(window.place, count)]


def _look_again(wait: float) -> float:
    """Return the time at which to look again after a wait of so many seconds was asked for."""
    return time.monotonic() + (min(wait, LOOK) if math.isfinite(wait) else TICK)
