"""What has come of a file: `path.part`, until it is whole, and `path.part.json`, which says of what.

Rules: bytes go to the operating system at once, and nothing waits for the disk (fsync).  So the end of a
process loses nothing; after the end of the machine a part is not to be trusted.  No note is ever beside
bytes that are not its own.  The names of both files can be guessed, so no link is followed there, and in a
folder into which every user may write another user's file is no part.
"""

import contextlib
import errno
import importlib.util
import json
import os
import stat
from typing import Any, NamedTuple, Self

from ..net.forking import watch

# None: Windows, where nothing keeps two downloads of one file apart.
_fcntl: Any = importlib.import_module("fcntl") if importlib.util.find_spec("fcntl") else None


# Flags for `os.open()`: a link is an error, and so is, instead of a wait, a pipe without a writer.
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# Bytes of a note that are read: URLs are shorter.
_MAX_NOTE = 1 << 20


class Note(NamedTuple):
    """What a part is a part of; kept beside it.

    Attributes:
        url: what was asked for, before redirects; where these lead may differ each time.
        validator: a strong entity tag, or a date that is one (RFC 9110 sections 8.8.2.2 and 13.1.5), or None.
        length: bytes of the whole; None: that was not announced.
    """

    url: str
    validator: str | None
    length: int | None

    @classmethod
    def read(cls, path: str) -> "Note | None":
        """Read a note; None if there is none. One that cannot be read fits nothing."""
        try:
            with open(path, "rb", opener=_open) as file:
                _check_owner(file.fileno(), path)
                found = json.loads(file.read(_MAX_NOTE))
            note = cls(found["url"], found["validator"], found["length"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, RecursionError):  # it was not written to its end
            return cls("", None, None)
        fits = isinstance(note.url, str) and isinstance(note.validator, str | None)
        return note if fits and isinstance(note.length, int | None) else cls("", None, None)

    def write(self, path: str) -> None:
        """Write the note, in the place of another one."""
        _remove(path)
        with Output(path, os.O_EXCL) as output:
            kept = {"url": self.url, "validator": self.validator, "length": self.length}
            output.write(json.dumps(kept).encode())


class Output:
    """A file that is written, and that takes the place of another one when it is whole.

    Args:
        path: where it is.
        flags: for `os.open()`.
    """

    def __init__(self, path: str, flags: int) -> None:
        self.path = path
        self._open = True
        self.descriptor: int = _open(path, os.O_RDWR | os.O_CREAT | flags)
        self.size: int = os.fstat(self.descriptor).st_size
        os.lseek(self.descriptor, self.size, os.SEEK_SET)

    def write(self, data: bytes) -> None:
        """Write all of this behind what is there; an OSError names the file."""
        left = memoryview(data)
        try:
            while left:
                count = os.write(self.descriptor, left)
                self.size += count
                left = left[count:]
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from None

    def cut(self, size: int) -> None:
        """Keep so many bytes from the beginning."""
        os.ftruncate(self.descriptor, size)
        os.lseek(self.descriptor, size, os.SEEK_SET)
        self.size = size

    def move(self, path: str) -> None:
        """Put the file in the place of another one."""
        if _fcntl is None:  # Windows moves no open file
            self.close()
        os.replace(self.path, path)

    @property
    def is_there(self) -> bool:
        """Whether its path still leads to it."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.lstat(self.path))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Let go of the file."""
        if self._open:
            self._open = False
            os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Part:
    """`path.part`: what has come of a file, for one download at a time; and `path.part.json`, its `Note`.

    Args:
        path: of the file.

    Raises:
        BlockingIOError: another thread or process has it. OSError: it cannot be opened.

    Attributes:
        note: what is known of it; None: nothing.
        output: the part itself.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._note_path = f"{path}.part.json"
        self._finished = False
        self.output: Output = _locked(f"{path}.part")
        try:
            self.note: Note | None = Note.read(self._note_path)
        except BaseException:
            self.output.close()
            raise
        watch(self)

    def begin(self, note: Note) -> None:
        """Start over; in this order, because no note may be beside bytes that are not its own."""
        self.output.cut(0)
        note.write(self._note_path)

    def forget(self) -> None:
        """Drop what an earlier download has left."""
        self.output.cut(0)
        self.note = None
        _remove(self._note_path)

    def finish(self) -> None:
        """Put the part, which is whole, in the place of the file.

        The note goes first: once the part is away, so is the lock, and another download may have a note.

        Raises:
            FileNotFoundError: the part was removed meanwhile; its place may have another download's.
        """
        if not self.output.is_there:
            raise FileNotFoundError(
                errno.ENOENT, "it was removed during the download, which is lost", self.output.path
            )
        _remove(self._note_path)
        self.output.move(self._path)
        self._finished = True

    def after_fork(self) -> None:
        """In the child: let go of its copy, which would keep the part locked when the parent is done."""
        self.output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.output:
            if not (self._finished or self.output.size) and self.output.is_there:
                _remove(self._note_path)
                _remove(self.output.path)


def _open(path: str, flags: int) -> int:
    """Open a regular file, and none to which a link leads."""
    try:
        descriptor = os.open(path, flags | _CAREFUL, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(
            error.errno, "it is a link, which a download does not follow: remove it", path
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file: remove it", path)
    return descriptor


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def _check_owner(descriptor: int, path: str) -> None:
    """Raise an OSError if a file that was there before may be what another user has laid out."""
    found = os.fstat(descriptor)
    shared = os.stat(os.path.dirname(path) or os.curdir).st_mode & stat.S_IWOTH
    if shared and hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_nlink > 1):
        text = "any user may write into this folder, and it is not this user's alone: remove it"
        raise PermissionError(errno.EACCES, text, path)


def _locked(path: str) -> Output:
    """Open a part that no other download has."""
    while True:
        output = Output(path, 0)
        try:
            _check_owner(output.descriptor, path)
            if _fcntl is None:
                return output
            _fcntl.flock(output.descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
            # The download that had it may have put it in the place of the file meanwhile.
            if output.is_there:
                return output
        except BlockingIOError:
            output.close()
            text = "another thread or process is saving to this file"
            raise BlockingIOError(errno.EWOULDBLOCK, text, path) from None
        except BaseException:
            output.close()
            raise
        output.close()
