"""Storage that is a folder: of one machine, or one that machines share; see `storage`."""

import contextlib
import functools
import os
import platform
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from .durable import is_locked, lock
from .shards import is_part_name
from .storage import BEGUN, BODIES, SIDECAR, STOP, Mark

# What a mark says that a driver has made.
_FORBIDDEN = b"driver"


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

    def has_begun(self, name: str) -> bool:
        """See `Storage`."""
        return (self._path / f"{name}{BEGUN}").exists()

    def forbid(self, name: str) -> bool:
        """See `Storage`."""
        try:
            descriptor = self._make(name)
        except FileExistsError:
            return (self._path / f"{name}{BEGUN}").read_bytes() == _FORBIDDEN
        os.write(descriptor, _FORBIDDEN)
        os.close(descriptor)
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
        for ending in (BEGUN, SIDECAR):
            (self._path / f"{name}{ending}").unlink(missing_ok=True)

    @contextlib.contextmanager
    def workplace(self) -> Iterator[Path]:
        """See `Storage`: this folder."""
        yield self._path

    def keep(self, path: Path, name: str) -> None:
        """See `Storage`: it is there already."""

    def bodies(self, workplace: Path) -> tuple[Path, str]:
        """See `Storage`."""
        return workplace / BODIES, str(self._path / BODIES)

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

    def remove_others(self, attempts: Collection[str]) -> None:
        """See `Storage`."""
        bodies = self._path / BODIES
        for path in [*self._path.iterdir(), *(bodies.iterdir() if bodies.is_dir() else ())]:
            attempt = path.name.partition(".")[0]
            if attempt in attempts or not (is_part_name(attempt) or path.name == STOP):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

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
