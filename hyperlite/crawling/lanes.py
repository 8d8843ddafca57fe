"""What a driver knows of lanes and hosts, as workers have told."""

import time
from collections.abc import Collection, Iterable
from typing import NamedTuple

from .leases import ALONE, Lease, Leases, Ready
from .pace import Paced
from .tasks import Sidecar

# Seconds for which lanes that are slow wait for others of their kind.
GATHERING = 10.0


class Sorted(NamedTuple):
    """Lanes with something to do that no worker is at.

    Attributes:
        fast: those that may be given out.
        slow: those that keep a worker waiting.
        suspect: those with which workers were lost.
        is_any: whether there is any, though its hosts may be left alone for now.
    """

    fast: list[Ready]
    slow: list[Ready]
    suspect: list[Ready]
    is_any: bool


class Lanes:
    """What is known of lanes and hosts."""

    def __init__(self) -> None:
        self._resting: dict[int, float] = {}  # until when a lane is left alone
        self._slow: set[int] = set()
        self._slow_since = 0.0  # since when there are such lanes
        self._paced: dict[str, list[Paced]] = {}  # by host
        self._last = -1  # the lane that was looked at last

    def learn(self, lease: Lease, sidecar: Sidecar, before: Iterable[Paced]) -> None:
        """Take note of what a worker tells; `before` is what it was told."""
        now = time.monotonic()
        for one in before:
            self._paced.pop(one[1], None)
        for paced in sidecar.paced:
            self._paced.setdefault(paced[1], []).append(tuple(paced))
        for lane, seconds in sidecar.rest:
            self._resting[lane] = now + seconds
        self._slow -= lease.lanes
        if sidecar.slow and not self._slow:
            self._slow_since = now
        self._slow.update(sidecar.slow)

    def paced(self, hosts: Iterable[str]) -> list[Paced]:
        """Return what is known of these hosts, if they are overloaded."""
        return [one for host in hosts for one in self._paced.get(host, ())]

    def sort(self, leases: Leases, busy: Collection[int], most: int) -> Sorted:
        """Return what may be given out.

        Args:
            leases: know which lanes have something to do.
            busy: the lanes that workers are at.
            most: of the fast ones.
        """
        now = time.monotonic()
        self._resting = {lane: until for lane, until in self._resting.items() if until > now}
        found = Sorted([], [], [], is_any=False)
        for one in leases.ready(self._last):
            if one.lane in busy:
                continue
            found = found._replace(is_any=True)
            if one.lane in self._resting:
                continue
            if one.tries >= ALONE:
                found.suspect.append(one)
            elif one.lane in self._slow:
                found.slow.append(one)
            else:
                found.fast.append(one)
                self._last = one.lane
                if len(found.fast) >= most:
                    break
        return found

    def turn_of_slow(self, ready: Sorted, many: int) -> list[Ready]:
        """Return the lanes that keep a worker waiting, if it is their turn: as many as possible at a time."""
        waited = time.monotonic() - self._slow_since
        if ready.slow and (not ready.fast or len(ready.slow) >= many or waited >= GATHERING):
            self._slow_since += waited
            return ready.slow
        return []
