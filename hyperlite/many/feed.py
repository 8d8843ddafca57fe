"""What the caller of fetch_many() adds to a run while the run goes on."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from ..net.forking import OwnLock

CLOSED = "this run of fetch_many() takes nothing more: close() was called"
ENDED = "this run of fetch_many() is over"


class Feed:
    """The items that were added and not read yet, and whether more may come.

    Any thread may call `add()`, `close()` and `cancel()` at any time, also a signal handler.

    Args:
        waits: more may come, though nothing was added yet.

    Attributes:
        items: the items.
        added: how many there were.
        over: the run has ended.
        has_news: one of these calls was made since the loop last looked.
        wake: what these calls do to wake the loop.
    """

    def __init__(self, *, waits: bool) -> None:
        self.items: deque[Any] = deque()
        self.added: int = 0
        self._waits = waits
        self.over: bool = False
        self.has_news: bool = False
        self.wake: Callable[[], None] = _wake_nothing
        self._closed = False
        # A run does not end between the look whether it is over and the addition of an item.
        self._lock = OwnLock(threading.RLock)

    @property
    def waits(self) -> bool:
        """Whether the run goes on until `close()`, although nothing may be left."""
        return self._waits and not self._closed

    def add(self, item: Any) -> None:
        """Add an item.

        Raises:
            ValueError: the run takes nothing more.
        """
        with self._lock.own:
            if self.over or self._closed:
                raise ValueError(CLOSED if self._closed else ENDED)
            self._waits = True
            self.added += 1
            self.items.append(item)
        self._tell()

    def close(self) -> None:
        """Take note that nothing more will be added."""
        self._closed = True
        self._tell()

    def cancel(self) -> None:
        """End the run. A finalizer may call this, so it does not wait."""
        self.over = True
        self.items.clear()
        self._tell()

    def has_ended(self, *, failed: bool) -> bool:
        """Tell whether nothing is left and nothing more may come; in that case, add nothing any more.

        Args:
            failed: the run ends even if more may be added.
        """
        with self._lock.own:
            if self.items or (self.waits and not failed):
                return self.over
            self.over = True
            return True

    def _tell(self) -> None:
        self.has_news = True
        self.wake()


def _wake_nothing() -> None:
    """Stand for the loop that has not begun: it looks before it waits."""
