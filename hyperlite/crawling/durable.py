"""Files that survive the end of the process, and of the machine.

Rule: what is written is on the disk before it counts.  A lock dies with its process, however that ends: it
is the operating system's (flock).
"""

import contextlib
import errno
import importlib.util
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# None: Windows, where nothing keeps two runs apart.
_fcntl: Any = importlib.import_module("fcntl") if importlib.util.find_spec("fcntl") else None

# One fsync takes milliseconds, in which a disk can do many: a journal is written for all of them at once.
THREADS = 8


class Lock:
    """The right to change the files in a folder: of one process at a time, and gone when that ends.

    Args:
        path: an empty file beside what the lock guards. It stays.
        complaint: the text of the error if another process has the lock.

    Raises:
        BlockingIOError: another process has it. OSError: the file system has no locks.
    """

    def __init__(self, path: Path, complaint: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        if _fcntl is None:
            return
        try:
            _fcntl.flock(self._descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise BlockingIOError(errno.EAGAIN, complaint, str(path)) from None
        except OSError as error:
            self.release()
            raise OSError(
                error.errno, "this file system has no locks: keep the state on a local disk", str(path)
            ) from error

    def release(self) -> None:
        """Let go of the lock."""
        os.close(self._descriptor)


def lock(descriptor: int) -> None:
    """Lock a file, which nothing else has locked, until it is closed or the process ends."""
    if _fcntl is not None:
        with contextlib.suppress(
            OSError
        ):  # a file system without locks: nothing is known of the process then
            _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)


def is_locked(descriptor: int) -> bool:
    """Tell whether another process, or descriptor, has a file locked; true if that cannot be known."""
    if _fcntl is None:
        return True
    try:
        _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def append(path: Path, pieces: Iterable[bytes]) -> int:
    """Write at the end of a file, and return its descriptor, for `settle()`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def settle(descriptors: Sequence[int], threads: ThreadPoolExecutor) -> None:
    """Wait until the disk has what was written to these files, and close them."""
    list(
        threads.map(_settle, [descriptors[first::THREADS] for first in range(min(THREADS, len(descriptors)))])
    )


def settle_files(paths: Iterable[Path], threads: ThreadPoolExecutor) -> None:
    """Wait until the disk has these files; each thread has one of them open at a time."""
    list(threads.map(_settle_path, paths))


def settle_folder(path: Path) -> None:
    """Wait until the disk has the names in a folder, where the system can do that."""
    with contextlib.suppress(PermissionError):  # Windows opens no folders
        _settle_path(path)


def _settle_path(path: Path) -> None:
    _settle([os.open(path, os.O_RDONLY)])


def _settle(descriptors: Iterable[int]) -> None:
    with contextlib.ExitStack() as closing:
        for descriptor in descriptors:
            closing.callback(os.close, descriptor)
        for descriptor in descriptors:
            os.fsync(descriptor)
