"""The idle connections of a pool: the one that was unused for longest is closed when there are too many.

::

    a request ends ──> note() ──> a heap, by the time at which each became idle
                                    │ too many
                                    └──> the oldest is taken out: closed, or back with a later time

A connection that a request takes stays in the heap, because taking it out would cost each request the same
again.  So there may be fewer idle connections than entries, and never more.  What has become of a connection
is seen when its entry is the oldest.
"""

import heapq
import itertools
import threading
from typing import Protocol

from ..net.forking import watch
from .connection import PooledConnection


class Owner(Protocol):
    """The origin of a connection; see `Origin`."""

    def close_if_idle(self, connection: PooledConnection, since: float) -> float | None:
        """Close a connection that is idle since that time; otherwise return since when it is, or None."""

    def keeps(self, connection: PooledConnection) -> bool:
        """Tell whether the connection may take a request; once it may not, it never may again."""


class IdleConnections:
    """The connections of a pool that may be idle.

    Args:
        limit: how many may be.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers = itertools.count()  # so that two entries are never equal
        self._lock = threading.Lock()
        # -- guarded by _lock --
        self._heap: list[tuple[float, int, PooledConnection, Owner]] = []
        watch(self)

    def note(self, connection: PooledConnection, owner: Owner) -> None:
        """Take note of a connection that has become idle, and has no entry; close one if there are too many.

        No lock of an origin may be held.
        """
        self._push(connection.idle_since, connection, owner)
        self.reduce(self._limit)

    def reduce(self, limit: int) -> None:
        """Close connections, those unused for longest first, until `limit` are left, or all are in use."""
        while True:
            with self._lock:
                if len(self._heap) <= limit:
                    return
                since, _, connection, owner = heapq.heappop(self._heap)
            later = owner.close_if_idle(connection, since)
            if later is not None:
                self._push(later, connection, owner)

    def forget_gone(self) -> None:
        """Forget connections that take no further requests: they are closed, or about to be."""
        with self._lock:
            self._heap = [entry for entry in self._heap if entry[3].keeps(entry[2])]
            heapq.heapify(self._heap)

    def _push(self, since: float, connection: PooledConnection, owner: Owner) -> None:
        with self._lock:
            heapq.heappush(self._heap, (since, next(self._numbers), connection, owner))

    def after_fork(self) -> None:
        """In the child: the connections are the parent's."""
        self._lock = threading.Lock()
        self._heap = []
