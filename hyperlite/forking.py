"""After a fork the child has copies of the parent's connections, and must not touch them.

Both processes hold the same socket and the same TLS state: a byte sent by the child would end the
parent's connection.  And a lock that another thread held at that moment stays held in the child for
ever.  So the child's copies get new locks, close their descriptors and send nothing.
"""

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """What must be told that it is in the child."""

    def after_fork(self) -> None:
        """Let go of what belongs to the parent."""


_all: "weakref.WeakSet[Forkable]" = weakref.WeakSet()


def watch(one: Forkable) -> None:
    """Have `one.after_fork()` called in each child, while it lives."""
    _all.add(one)


def _in_child() -> None:
    for one in list(_all):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
