"""Leases of which no report will come: when they are over."""

import time
from collections.abc import Callable
from typing import NamedTuple

from .leases import Lease
from .storage import SIDECAR, Storage
from .tasks import Sidecar

# Seconds beside a lease: the clocks of two machines do not go at quite the same speed, and a process may be
# held up between its look at the clock and its next request.
MARGIN = 2.0


class Ended(NamedTuple):
    """A lease that is over.

    Attributes:
        lease: which it is.
        sidecar: what the worker has written; None: nothing counts.
        is_blamed: its worker was lost with its URLs.
    """

    lease: Lease
    sidecar: Sidecar | None
    is_blamed: bool = False


class _Loss(NamedTuple):
    lease: Lease
    until: float
    is_blamed: bool


class Losses:
    """Leases whose workers may be lost, or belonged to a driver that has ended.

    Such a lease is over when

    - the sidecar is there, which a worker writes last; or
    - the attempt never begins, because its mark is made here; or
    - the process that has made the mark has ended, as far as that can be known; or
    - its seconds have passed, and a margin, since it was added here: its worker has received the task before,
      and counts from then.

    Args:
        storage: which the workers share.
        clock: tells the monotonic time.
    """

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._clock = clock
        self._losses: list[_Loss] = []

    def __len__(self) -> int:
        return len(self._losses)

    @property
    def leases(self) -> list[Lease]:
        """These leases."""
        return [loss.lease for loss in self._losses]

    @property
    def lanes(self) -> set[int]:
        """The lanes of these leases."""
        return {lane for loss in self._losses for lane in loss.lease.lanes}

    def add(self, lease: Lease, *, is_blamed: bool, began: float | None = None) -> None:
        """Add a lease whose future has ended without a report, or belonged to another driver.

        Args:
            lease: which it is.
            is_blamed: its URLs may have ended the worker.
            began: a monotonic time before which its worker had received it; None: only now is that sure.
        """
        began = self._clock() if began is None else began
        self._losses.append(_Loss(lease, began + lease.seconds + MARGIN, is_blamed))

    def over(self) -> list[Ended]:
        """Return those that are over, and forget them."""
        ended = [(loss, found) for loss in self._losses if (found := self._look(loss)) is not None]
        for loss, _ in ended:
            self._losses.remove(loss)
        return [found for _, found in ended]

    def _look(self, loss: _Loss) -> Ended | None:
        name = loss.lease.name
        if self._storage.forbid(name):
            return Ended(loss.lease, None)
        is_over = self._storage.is_gone(name) or self._clock() >= loss.until
        # Only now: a worker writes the sidecar before it ends.
        sidecar = sidecar_of(self._storage, loss.lease)
        if sidecar is not None:
            return Ended(loss.lease, sidecar)
        return Ended(loss.lease, None, loss.is_blamed) if is_over else None


def sidecar_of(storage: Storage, lease: Lease) -> Sidecar | None:
    """Return the sidecar of a task; None: it is not there."""
    return Sidecar.decoded(storage.read(f"{lease.name}{SIDECAR}"))
