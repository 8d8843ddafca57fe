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
import functools
import os
import platform
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Protocol

from .durable import is_locked, lock
from .state import State

BEGUN, SIDECAR, STOP = ".begun", ".json", "stop"


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

    def is_gone(self, name: str) -> bool:
        """Tell whether the process that has begun an attempt is known to have ended."""
        ...

    def forget(self, name: str) -> None:
        """Remove what an attempt has left beside its part, when it is over and cannot begin again."""
        ...

    def workplace(self) -> contextlib.AbstractContextManager[Path]:
        """Return a folder in which a worker writes a part."""
        ...

    def keep(self, path: Path) -> None:
        """Keep a file of the workplace under its name."""
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

    def names(self) -> list[str]:
        """Return the names of all files."""
        ...

    def remove(self, names: Collection[str]) -> None:
        """Remove files, if they are there."""
        ...

    def is_stopped(self) -> bool:
        """Tell whether the driver wants workers to end early; where that is cheap to know."""
        ...


class Folder:
    """A folder: of one machine, or one that machines share.

    Args:
        path: where it is; it is there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, name: str) -> Mark | None:
        """See `Storage`.  The mark is locked while the process lives, and names the machine."""
        try:
            descriptor = self._make(name)
        except FileExistsError:
            return None
        lock(descriptor)
        os.write(descriptor, machine())
        return os.fdopen(descriptor, "wb")

    def forbid(self, name: str) -> bool:
        """See `Storage`."""
        try:
            os.close(self._make(name))
        except FileExistsError:
            return False
        return True

    def _make(self, name: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        return os.open(self._path / f"{name}{BEGUN}", flags, 0o644)

    def is_gone(self, name: str) -> bool:
        """See `Storage`.  It is known of processes on this machine, whose locks end with them."""
        try:
            file = open(self._path / f"{name}{BEGUN}", "rb+")  # noqa: SIM115  it is closed below
        except FileNotFoundError:
            return True
        with file:
            return bool(machine()) and file.read() == machine() and not is_locked(file.fileno())

    def forget(self, name: str) -> None:
        """See `Storage`."""
        self.remove([f"{name}{BEGUN}", f"{name}{SIDECAR}"])

    @contextlib.contextmanager
    def workplace(self) -> Iterator[Path]:
        """See `Storage`: this folder."""
        yield self._path

    def keep(self, path: Path) -> None:
        """See `Storage`: it is there already."""

    def write(self, name: str, data: bytes) -> None:
        """See `Storage`."""
        (self._path / name).write_bytes(data)

    def read(self, name: str) -> bytes | None:
        """See `Storage`."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def open(self, name: str) -> IO[bytes]:
        """See `Storage`."""
        return open(self._path / name, "rb")

    def names(self) -> list[str]:
        """See `Storage`."""
        return os.listdir(self._path)

    def remove(self, names: Collection[str]) -> None:
        """See `Storage`."""
        for name in names:
            (self._path / name).unlink(missing_ok=True)

    def is_stopped(self) -> bool:
        """See `Storage`."""
        return (self._path / STOP).exists()


@functools.cache
def machine() -> bytes:
    """Return what tells this machine, since its start, from others; empty: nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return b""
    return f"{platform.node()} {boot}".encode()


def storage_at(place: str) -> Storage:
    """Return the storage at a place: a folder's path."""
    return Folder(Path(place))


def storage_of(state: State) -> Storage:
    """Return the storage of a crawl."""
    return storage_at((state.get("settings") or {}).get("storage") or str(state.parts))
