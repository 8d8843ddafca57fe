"""How many requests a pool makes: in a second, one after the other, and at a time.

::

    a request ──> begin() ──> waits until all its limiters allow it ──> Permit ──> Lease ──> end()

A permit stands for a request under way.  It goes along with the lease of a connection, and ends with it.
"""

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields

from ..net.forking import watch
from ..net.timeouts import deadline_after, remaining, soonest

# Seconds after which a waiting thread looks again: finalizers wake no thread.
LOOK = 0.5
# Fewer limiters than these are not looked through for those that are not needed any more.
FEW = 256

# Scheme, host and port.
Place = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests are made; None: no limit.

    Redirects and further tries count as requests.

    Attributes:
        per_second: how many begin in a second at most.  0.5: one in two seconds.
        delay: seconds from the beginning of one to the beginning of the next, at least.
        under_way: how many are under way at a time, from the beginning to the end of the response.

    Raises:
        ValueError, TypeError: one of them is no number of the kind.
    """

    per_second: float | None = None
    delay: float | None = None
    under_way: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if field.name == "under_way":
                if isinstance(value, bool) or not isinstance(value, int):
                    raise TypeError(f"under_way is a whole number, not {value!r}")
                if value < 1:
                    raise ValueError(f"under_way must be at least 1, not {value}")
            elif not isinstance(value, int | float) or isinstance(value, bool):
                raise TypeError(f"{field.name} is a number, not {value!r}")
            elif not 0 < value < math.inf and not (field.name == "delay" and value == 0):
                raise ValueError(f"{field.name} must be above 0, not {value!r}")


class Limiter:
    """Arithmetic of limits; it looks at no clock, and every time is monotonic.

    Args:
        limits: that it keeps; they may be replaced at any time.

    Attributes:
        limits: the same.
        under_way: the numbers of the requests under way.  A number can be taken out twice, so no interrupt
            makes the count wrong.
        resumes: the time before which no further request begins.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits: Limits = limits
        self.resumes: float = -math.inf
        self.under_way: set[int] = set()
        self._begun: deque[float] = deque()  # when the latest requests began

    def wait(self, now: float) -> float:
        """Return the seconds until another request may begin; infinite: not before one ends."""
        limits = self.limits
        if limits.under_way is not None and len(self.under_way) >= limits.under_way:
            return math.inf
        earliest = max(now, self.resumes)
        if self._begun and limits.delay is not None:
            earliest = max(earliest, self._begun[-1] + limits.delay)
        if limits.per_second is not None and len(self._begun) >= (burst := self._burst):
            earliest = max(earliest, self._begun[-burst] + burst / limits.per_second)
        return earliest - now

    def begin(self, now: float, number: int) -> None:
        """Take note that a request begins."""
        self.under_way.add(number)
        begun, burst = self._begun, self._burst
        begun.append(now)
        while len(begun) > burst or (len(begun) > 1 and begun[0] < now - 1):  # a burst is over in a second
            begun.popleft()

    def end(self, number: int) -> None:
        """Take note that a request has ended."""
        self.under_way.discard(number)

    def is_like_new(self, now: float) -> bool:
        """Tell whether what has been under way makes no difference any more."""
        limits = self.limits
        past = max(limits.delay or 0.0, self._burst / limits.per_second if limits.per_second else 0.0)
        idle = not self._begun or self._begun[-1] + past <= now
        return idle and not self.under_way and self.resumes <= now

    @property
    def _burst(self) -> int:
        """How many requests may begin at once: those of a second, or one."""
        return max(1, int(self.limits.per_second or 1))


class Permit:
    """A request under way. It ends once; a further end does nothing."""

    __slots__ = ("_limiters", "_number", "_throttle")

    def __init__(self, throttle: "Throttle", number: int, limiters: tuple[Limiter, Limiter]) -> None:
        self._throttle = throttle
        self._number = number
        self._limiters: tuple[Limiter, ...] = limiters

    def end(self) -> None:
        """Take note that the request has ended."""
        self._throttle.end(self._number, self._limiters)
        self._limiters = ()

    def abandon(self) -> None:
        """End from a finalizer, which may run at any moment and must not wait."""
        if self._limiters:
            self._throttle.abandoned.append((self._number, self._limiters))
            self._limiters = ()

    def __del__(self) -> None:
        """End with a request that was interrupted before it had a connection."""
        if hasattr(self, "_limiters"):  # or else __init__ was interrupted
            self.abandon()


class Throttle:
    """The limits of a pool, for all of its requests and for those to each origin; threads share it.

    Args:
        of_all: the limits for all requests together.
        of_each: the limits for those to each origin.
        clock: tells the monotonic time.

    Attributes:
        abandoned: what finalizers have ended, which may not take the lock.
    """

    def __init__(self, of_all: Limits, of_each: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of_each = of_each
        self.abandoned: deque[tuple[int, tuple[Limiter, ...]]] = deque()
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        # -- guarded by _changed --
        self._all = Limiter(of_all)
        self._limiters: dict[Place, Limiter] = {}
        self._own: dict[Place, Limits] = {}  # of the origins that have limits of their own
        self._many = FEW  # limiters after which those that are not needed are looked for
        self._waiting = 0  # threads
        self._is_threads_turn = False
        watch(self)

    def set_limits(self, limits: Limits, place: Place | None, pause: float = 0.0) -> None:
        """Change the limits of an origin; None: those for all requests together.

        The next request begins after a pause of so many seconds.
        """
        with self._changed:
            limiter = self._all if place is None else self._limiter_locked(place)
            limiter.limits = limits
            limiter.resumes = self._clock() + pause
            if place is not None:
                if limits == self._of_each:  # so nothing is kept of origins that have no limits of their own
                    self._own.pop(place, None)
                else:
                    self._own[place] = limits
            self._changed.notify_all()

    def begin(self, place: Place, *, deadline: float | None, timeout: float | None) -> Permit | None:
        """Wait until a request to an origin may begin.

        Args:
            place: the origin.
            deadline: the monotonic time until which to wait, or None.
            timeout: seconds to wait at most for the end of another request, or None.

        Returns:
            The permit; None: one of the times is over.
        """
        with self._changed:
            self._waiting += 1
            limit: float | None = None  # until when to wait for the end of another request
            try:
                while wait := self._wait_locked(place):
                    if math.isfinite(wait):
                        limit = None
                    elif limit is None:
                        limit = deadline_after(timeout)
                    left = soonest(remaining(deadline), remaining(limit))
                    if left is not None and not left:
                        return None
                    self._changed.wait(soonest(min(wait, LOOK), left))
            finally:
                self._waiting -= 1
            self._is_threads_turn = False
            return self._permit_locked(place)

    def take(self, place: Place, count: int) -> list[Permit]:
        """Begin as many requests to an origin as may begin now, up to `count`, without waiting."""
        permits: list[Permit] = []
        with self._changed:
            while len(permits) < count and not self._wait_locked(place) and not self._yields_locked():
                permits.append(self._permit_locked(place))
            self._is_threads_turn = bool(permits and self._waiting)
        return permits

    def wait(self, place: Place | None) -> float:
        """Return the seconds until a request may begin as far as an origin, or all together, are concerned.

        Args:
            place: the origin; None: for all requests together.

        Returns:
            0.0: at once. Infinite: that is not known.
        """
        with self._changed:
            self._collect_locked()
            if place is not None:
                return self._limiter_locked(place).wait(self._clock())
            return math.inf if self._yields_locked() else self._all.wait(self._clock())

    def end(self, number: int, limiters: tuple[Limiter, ...]) -> None:
        """Take note that a request has ended: one that its limiters have counted."""
        with self._changed:
            for limiter in limiters:
                limiter.end(number)
            if self._waiting:
                self._changed.notify_all()

    def _yields_locked(self) -> bool:
        """Tell whether threads that wait go first: a run of `fetch_many()` and they take turns."""
        return self._is_threads_turn and self._waiting > 0

    def _wait_locked(self, place: Place) -> float:
        self._collect_locked()
        now = self._clock()
        return max(self._all.wait(now), self._limiter_locked(place).wait(now))

    def _permit_locked(self, place: Place) -> Permit:
        limiters = self._all, self._limiter_locked(place)
        number, now = next(self._numbers), self._clock()
        permit = Permit(self, number, limiters)
        for limiter in limiters:
            limiter.begin(now, number)
        return permit

    def _collect_locked(self) -> None:
        """Take note of the requests that finalizers have ended."""
        while self.abandoned:
            number, limiters = self.abandoned[0]
            for limiter in limiters:
                limiter.end(number)
            self.abandoned.popleft()

    def _limiter_locked(self, place: Place) -> Limiter:
        limiter = self._limiters.get(place)
        if limiter is None:
            if len(self._limiters) >= self._many:
                self._forget_locked()
            limiter = self._limiters[place] = Limiter(self._own.get(place, self._of_each))
        return limiter

    def _forget_locked(self) -> None:
        """Forget limiters that would allow a request now as a new one would."""
        now = self._clock()
        kept = {place: one for place, one in self._limiters.items() if not one.is_like_new(now)}
        self._limiters = kept
        self._many = max(FEW, 2 * len(kept))

    def after_fork(self) -> None:
        """In the child: the lock is free, and the requests under way are the parent's."""
        self._changed = threading.Condition()
        self._waiting = 0
        self._all = Limiter(self._all.limits)
        self._limiters = {}


def checked_limits(limits: object, name: str) -> Limits:
    """Return limits that a caller has given; None stands for none."""
    if limits is None:
        return Limits()
    if not isinstance(limits, Limits):
        raise TypeError(f"{name} is a hyperlite.Limits, not {type(limits).__name__}")
    return limits


def throttle_for(limits: object, origin_limits: object) -> Throttle | None:
    """Return what keeps the limits that a caller has given for all requests, and for those to each origin."""
    if limits is None and origin_limits is None:
        return None
    return Throttle(checked_limits(limits, "limits"), checked_limits(origin_limits, "origin_limits"))
