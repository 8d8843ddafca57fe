"""How many bytes of responses a run of fetch_many() holds.

The budget counts the bytes that have come and that the caller has not taken: those of responses under way, of
outcomes, and of the redirects that led to them.  A run that holds its limit is *full*.  Then only the
*favoured* requests go on, and their bytes may exceed the limit.
"""

import threading
from collections.abc import Callable, Collection
from functools import partial

from ..errors import StreamReset
from ..fetching.response import FetchResponse
from ..net.forking import watch
from ..net.timeouts import remaining, soonest

# Seconds after which a waiting thread looks again: a finalizer may have been unable to wake it.
LOOK = 0.5


class Budget:
    """The bytes that a run holds, by the index of the request.

    Args:
        limit: bytes at which the run is full.
        wake: called by a thread that begins to wait, so that the loop chooses the favoured requests again.

    Attributes:
        waiting: how many threads wait until their requests may go on.
        has_new_waiter: a thread has begun to wait since the loop last looked.
    """

    def __init__(self, limit: int, wake: Callable[[], None]) -> None:
        self._limit = limit
        self._wake = wake
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._favoured: frozenset[int] = frozenset()
        self._closed = False
        self.has_new_waiter: bool = False
        # -- guarded by _lock --
        self.waiting: int = 0
        self._held = 0
        self._arrived: dict[int, int] = {}  # bytes of the current or last hop
        self._kept: dict[int, int] = {}  # bytes of the earlier hops
        watch(self)

    def after_fork(self) -> None:
        """In the child: the lock is free."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    @property
    def full(self) -> bool:
        """Whether the run holds its limit."""
        return self._held >= self._limit

    def allows(self, index: int) -> bool:
        """Tell whether a request may receive more."""
        return self._held < self._limit or index in self._favoured

    def charge(self, index: int, size: int) -> None:
        """Count bytes that have come for a request."""
        with self._lock:
            self._charge_locked(index, size)

    def end_hop(self, index: int, keep: int) -> None:
        """Take note that another hop or try follows; `keep` bytes of this one stay in memory."""
        with self._lock:
            if keep:
                self._kept[index] = self._kept.get(index, 0) + keep
            self._free_locked(self._arrived.pop(index, 0) - keep)

    def free(self, index: int) -> None:
        """Take note that the caller has the outcome of a request: its bytes no longer count."""
        with self._lock:
            self._free_locked(self._arrived.pop(index, 0) + self._kept.pop(index, 0))

    def favour(self, indices: Collection[int]) -> None:
        """While the run is full, let only these requests go on."""
        if self._favoured != indices:
            self._favoured = frozenset(indices)
            with self._lock:
                self._changed.notify_all()

    def meter(self, index: int, deadline: float | None) -> Callable[[int], None]:
        """Return a function that a thread calls with the size of each piece; it waits while the run is full.

        Args:
            index: of the request.
            deadline: the monotonic time at which that wait ends at the latest; or None.
        """
        return partial(self._charge_and_wait, index, deadline)

    def close(self) -> None:
        """Make the waiting threads give up. A finalizer may call this, so it does not wait."""
        self._closed = True
        if self._changed.acquire(blocking=False):
            self._changed.notify_all()
            self._changed.release()

    def _charge_and_wait(self, index: int, deadline: float | None, size: int) -> None:
        with self._lock:
            self._charge_locked(index, size)
            while not (self._closed or self.allows(index)):
                left = remaining(deadline)
                if left is not None and not left:
                    return  # the next read raises the timeout
                self.waiting += 1
                self.has_new_waiter = True
                self._wake()
                try:
                    self._changed.wait(soonest(LOOK, left))
                finally:
                    self.waiting -= 1
            if self._closed:
                raise StreamReset("the request was cancelled")

    def _charge_locked(self, index: int, size: int) -> None:
        self._held += size
        self._arrived[index] = self._arrived.get(index, 0) + size

    def _free_locked(self, size: int) -> None:
        self._held -= size
        if self.waiting and not self.full:
            self._changed.notify_all()


def weight(response: FetchResponse, *, body: bool = True) -> int:
    """Return how many bytes of a response are in memory: its header fields and, if `body`, its body."""
    fields = sum(len(name) + len(value) for name, value in response.headers.items())
    return fields + (response.buffered if body else 0)
