"""Storage that workers share: where they write parts, and what tells that an attempt has begun, and is over.

::

    00017-a2.begun    made before anything else is done, by the worker; or by the driver: it never begins
    00017-a2.jsonl    the part
    00017-a2.json     the sidecar: what has become of each URL; written last, so the attempt is over then

Rule: `.begun` is made by one alone.  An executor may start a task twice, as Dask does when a worker is lost,
or late, when the driver has given it up: only that which has made the file goes on.

Rule: nothing is renamed, and a sidecar that is not whole is none.
"""

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, Protocol

BEGUN, SIDECAR, STOP, BODIES = ".begun", ".json", "stop", "bodies"


class Mark(Protocol):
    """The right to make an attempt, until it is closed."""

    def close(self) -> None:
        """Take note that the attempt is over."""
        ...


class Storage(Protocol):
    """Storage that workers share."""

    def begin(self, name: str) -> Mark | None:
        """Begin an attempt; None: it has begun before, or never begins."""
        ...

    def forbid(self, name: str) -> bool:
        """Have an attempt never begin; false: it has begun."""
        ...

    def has_begun(self, name: str) -> bool:
        """Tell whether an attempt has begun, or was forbidden."""
        ...

    def is_gone(self, name: str) -> bool:
        """Tell whether the process that has begun an attempt is known to have ended."""
        ...

    def forget(self, name: str) -> None:
        """Remove what an attempt has left beside its part, when it is over and cannot begin again."""
        ...

    def workplace(self) -> contextlib.AbstractContextManager[Path]:
        """Return a folder in which a worker writes a part."""
        ...

    def keep(self, path: Path, name: str) -> None:
        """Keep a file of the workplace, under a name."""
        ...

    def bodies(self, workplace: Path) -> tuple[Path, str]:
        """Return the folder in which a worker writes bodies, and what records call it."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a file; None: there is none."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open a file to be read."""
        ...

    def remove_others(self, attempts: Collection[str]) -> None:
        """Remove what there is of all attempts but these."""
        ...

    def is_stopped(self) -> bool:
        """Tell whether the driver wants workers to end early; where that is cheap to know."""
        ...
