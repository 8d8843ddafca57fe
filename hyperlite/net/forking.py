"""After a fork the child has copies of the parent's connections, and must not use them.

Both processes hold the same socket and the same TLS state: a byte that the child sends would end the
parent's connection.  A lock that another thread holds during the fork stays held in the child for ever.
So the child's copies get new locks, close their descriptors and send nothing.
"""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol


class Forkable(Protocol):
    """An object that is told when it finds itself in a child process."""

    def after_fork(self) -> None:
        """Let go of what belongs to the parent."""


class OwnLock:
    """A lock that is free in a child process; for objects too many and too short-lived to `watch`.

    Args:
        make: threading.Lock or threading.RLock.
    """

    __slots__ = ("_lock", "_make", "_pid")

    def __init__(self, make: Callable[[], Any] = threading.Lock) -> None:
        self._make = make
        self._pid = os.getpid()
        self._lock = make()

    @property
    def own(self) -> Any:
        """The lock of this process."""
        if self._pid != os.getpid():
            self._lock, self._pid = self._make(), os.getpid()
        return self._lock


# The error's text for a connection in a child process.
FOREIGN = "the connection belongs to the parent of this process"

# By identity: a caller's subclass may say that two of its objects are equal, or that they have no hash.
_all: dict[int, "weakref.ref[Forkable]"] = {}


def watch(one: Forkable) -> None:
    """Have `one.after_fork()` called in each child process, as long as `one` exists.

    Call this when `one` is complete, at the end of its constructor: another thread may fork at any time.
    """
    key = id(one)

    def forget(reference: "weakref.ref[Forkable]", known: "dict[int, weakref.ref[Forkable]]" = _all) -> None:
        if known.get(key) is reference:
            del known[key]

    _all[key] = weakref.ref(one, forget)


def _in_child() -> None:
    """Call `after_fork()` of all objects; then pass their errors to `sys.unraisablehook`."""
    alive = [reference() for reference in list(_all.values())]  # until all have let go of their sockets
    failures: list[BaseException] = []
    for one in alive:
        try:
            if one is not None:
                one.after_fork()
        except BaseException as error:
            failures.append(error)
    if failures:
        raise BaseExceptionGroup("connections of the parent process could not be closed", failures)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
