"""How many bytes of responses a run of fetch_many() holds, and which requests go on when that is too many.

It counts the bytes that have arrived and that the caller has not taken: of responses under way, of outcomes,
and of the redirects that led to them.  A run that holds its limit is *full*: only the *favoured* requests go
on, and their bytes count beyond the limit.
"""

import threading
from collections.abc import Callable, Collection
from functools import partial

from ..errors import StreamReset
from ..fetching.response import FetchResponse
from ..net.forking import watch
from ..net.timeouts import remaining, soonest

# Seconds after which a thread that waits looks by itself: a finalizer may not be able to wake it.
LOOK = 0.5


class Budget:
    """The bytes that a run holds, by the index of the request.

    Args:
        limit: bytes from which on it is full.
        wake: called by a thread that begins to wait, so that the loop chooses anew what is favoured.

    Attributes:
        waiting: threads that read no further.
        has_new_waiter: one has begun to wait since the loop last looked.
    """

    def __init__(self, limit: int, wake: Callable[[], None]) -> None:
        self._limit = limit
        self._wake = wake
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._favoured: frozenset[int] = frozenset()
        self._closed = False
        self.has_new_waiter = False
        # -- guarded by _lock --
        self.waiting = 0
        self._held = 0
        self._arrived: dict[int, int] = {}  # of the hop that is under way, or that was the last
        self._kept: dict[int, int] = {}  # of the hops before it
        watch(self)

    def after_fork(self) -> None:
        """In the child: the lock is free."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    @property
    def full(self) -> bool:
        """Whether as much is held as may be."""
        return self._held >= self._limit

    def allows(self, index: int) -> bool:
        """Tell whether more may come for a request."""
        return self._held < self._limit or index in self._favoured

    def has_begun(self, index: int) -> bool:
        """Tell whether something has come for a request: what comes by a thread has a connection then."""
        return index in self._arrived

    def charge(self, index: int, size: int) -> None:
        """Count bytes that have come for a request."""
        with self._lock:
            self._charge_locked(index, size)

    def end_hop(self, index: int, keep: int) -> None:
        """Take note that another hop, or another try, follows, and that so many bytes are kept."""
        with self._lock:
            if keep:
                self._kept[index] = self._kept.get(index, 0) + keep
            self._free_locked(self._arrived.pop(index, 0) - keep)

    def free(self, index: int) -> None:
        """Take note that the caller has taken what came of a request."""
        with self._lock:
            self._free_locked(self._arrived.pop(index, 0) + self._kept.pop(index, 0))

    def favour(self, indices: Collection[int]) -> None:
        """Have these requests go on, and no others, while it is full."""
        if self._favoured != indices:
            self._favoured = frozenset(indices)
            with self._lock:
                self._changed.notify_all()

    def meter(self, index: int, deadline: float | None) -> Callable[[int], None]:
        """Return what a thread calls for each piece that it has read; the call waits while it is full.

        Args:
            index: of the request.
            deadline: the monotonic time at which the wait ends in any case.
        """
        return partial(self._charge_and_wait, index, deadline)

    def close(self) -> None:
        """Have the threads that wait give up. A finalizer may call: this does not wait."""
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
                    return  # the next read says so
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
    """Return how many bytes of a response are held: its header fields, and its body."""
    fields = sum(len(name) + len(value) for name, value in response.headers.items())
    return fields + (response.buffered if body else 0)
