"""A response's body, as the file that http.client reads from: what both protocols have in common.

http.client's methods see plain bytes and an end, however the protocol frames them.  A body that is cut off
raises; whichever method reads it, it never looks complete.

Rule: a read that fails loses nothing.  The bytes that it had taken are in its error, or the next read gets
them.
"""

import io
from abc import abstractmethod
from operator import index
from typing import TYPE_CHECKING, Any

from ..errors import IncompleteBody

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ALL = 1 << 62  # more bytes than any body has


def writable(buffer: "WriteableBuffer") -> memoryview:
    """Return the bytes of a buffer to read into; TypeError for one that cannot be written."""
    view = memoryview(buffer).cast("B")
    if view.readonly:
        raise TypeError(f"readinto() needs a buffer that can be written, not {type(buffer).__name__}")
    return view


class BodyFile(io.BufferedIOBase):
    """A body. Each protocol has a subclass that gets the bytes."""

    def readable(self) -> bool:
        """Return true: a body can be read."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, fewer only at the end; all that is left with -1 or None.

        Raises:
            IncompleteBody: the body ended too early; BodyReset if its stream was reset, MalformedBody if it
                broke HTTP. The error carries what was read before.
            HTTP2Error: on HTTP/2, the stream failed during a read of a part. The next read gets what had
                come.
            RequestTimeout: nothing came in time. The next read gets what had come.
            TypeError: `size` is no integer.
        """
        wanted = ALL if size is None or index(size) < 0 else size
        if not wanted:
            return self._nothing()
        parts: list[bytes] = []
        missing = wanted
        try:
            while missing and (piece := self._take(missing)):
                parts.append(piece)
                missing -= len(piece)
        except BaseException as error:
            self._give_back(b"".join(parts), wanted, error)
            raise
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read into a buffer until it is full, or to the end; returns how many bytes. Raises: see `read`."""
        view = writable(buffer)
        if not view:
            return len(self._nothing())
        count = 0
        try:
            while count < len(view) and (more := self._take_into(view[count:])):
                count += more
        except BaseException as error:
            self._give_back(bytes(view[:count]), len(view), error)
            raise
        return count

    def read1(self, size: int = -1, /) -> bytes:
        """Read what has come, at most `size` bytes; wait only if nothing has."""
        if not index(size):
            return self._nothing()
        return self._take_some(ALL if size < 0 else size)

    def peek(self, _size: int = 0, /) -> bytes:
        """Return what comes next without taking it; b"" only at the end."""
        piece = self._take_some(io.DEFAULT_BUFFER_SIZE)
        if piece:
            self._put_back(piece)
        return piece

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, at most `size` bytes of it."""
        limit = ALL if size is None or index(size) < 0 else size
        line = bytearray()
        try:
            while len(line) < limit and not line.endswith(b"\n") and (ahead := self.peek()):
                length = ahead.find(b"\n") + 1 or len(ahead)
                line += self._take_some(min(length, limit - len(line)))
        except BaseException as error:
            self._give_back(bytes(line), 0, error)
            raise
        return bytes(line)

    # -- what each protocol does in its own way ---------------------------------------------------

    @abstractmethod
    def _take(self, limit: int) -> bytes:
        """Take at most `limit` bytes, as many at once as can be had quickly; b"" only at the end."""

    @abstractmethod
    def _take_into(self, view: memoryview) -> int:
        """Do as `_take` does, into a buffer; returns how many bytes."""

    @abstractmethod
    def _take_some(self, limit: int) -> bytes:
        """Take at most `limit` bytes of those that have come; wait only if there are none."""

    @abstractmethod
    def _put_back(self, data: bytes) -> None:
        """Undo a read: the next read gets these bytes."""

    @abstractmethod
    def _give_back(self, data: bytes, wanted: int, error: BaseException) -> None:
        """Put back the bytes that a failed read had taken, or raise an error that carries them.

        Args:
            data: the bytes that the read had taken.
            wanted: how many bytes it was to read.
            error: the read's.
        """

    def _nothing(self) -> bytes:
        """Return nothing, as the caller asked."""
        return b""


def incomplete(
    reason: str, came: int, length: int | None, kind: type[IncompleteBody] = IncompleteBody, **options: Any
) -> IncompleteBody:
    """Return the error of a body that was cut off.

    Args:
        reason: why.
        came: how many bytes of it came.
        length: how many were announced; None: no length was announced.
        kind: the class of the error.
        options: further arguments for that class.
    """
    of = "" if length is None else f" of {length}"
    expected = None if length is None else max(0, length - came)
    return kind(f"{reason} after {came}{of} bytes of the body", expected=expected, **options)
