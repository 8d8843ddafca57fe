"""Responses on a queued HTTP/1.1 connection, which can be read into memory to make way for the next."""

import http.client as http_client
import io
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .response import HTTP20Response

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

PIECE = 65536


class QueuedResponse(HTTP20Response):
    """An HTTP/1.1 response before which, or behind which, others wait.

    One thread may read it while another, whose response comes behind it, needs the connection and
    reads what is left of it into memory; `_guard` keeps the two apart.
    """

    # Who waits for the connection to be free: told of it, and whether the body was read to its end.
    when_closed: "Callable[[QueuedResponse, bool], None] | None" = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard = threading.RLock()

    def make_way(self, limit: int, timeout: float | None) -> "tuple[bool, Kept | None]":
        """Read what is left of the body into memory, at most `limit` bytes of it.

        An error on the way is kept for the one who reads.  A longer body goes on reading from its
        connection, which is then its own.

        Returns:
            Whether it was done: not if another thread reads the body and did not pause for
            `timeout` seconds.  And what was kept, None if the body was at its end.
        """
        if not self._guard.acquire(timeout=-1 if timeout is None else timeout):
            return False, None
        try:
            self.when_closed = None
            return True, self._keep(limit) if self.fp is not None else None
        finally:
            self._guard.release()

    def _keep(self, limit: int) -> "Kept":
        pieces: list[bytes] = []
        size = 0
        error: Exception | None = None
        rest: HTTP20Response | None = None
        if self.length is None or self.length <= limit:
            try:
                while size <= limit and (piece := super().read(PIECE)):
                    pieces.append(piece)
                    size += len(piece)
            except http_client.IncompleteRead as incomplete:
                pieces.append(incomplete.partial)
                error = incomplete
            except (http_client.HTTPException, OSError) as failure:
                error = failure
                self.fp.close()  # the error's traceback would keep it open
        if self.fp is not None and error is None:
            rest = HTTP20Response.__new__(HTTP20Response)
            rest.__dict__.update(self.__dict__)
        elif self.fp is None and self.length and error is None:
            error = http_client.IncompleteRead(b"", self.length)  # read(n) ends short without a word
        self.fp = kept = Kept(b"".join(pieces), error, rest)
        self.chunked = False
        self.length = None if error or rest else size
        return kept

    def read(self, amt: int | None = None) -> bytes:
        """Read as http.client does."""
        with self._guard:
            return super().read(amt)

    def read1(self, n: int = -1) -> bytes:
        """Read as http.client does."""
        with self._guard:
            return super().read1(n)

    def readinto(self, b: "Buffer") -> int:
        """Read as http.client does."""
        with self._guard:
            return super().readinto(b)

    def readline(self, limit: int = -1) -> bytes:  # type: ignore[override]
        """Read as http.client does."""
        with self._guard:
            return super().readline(limit)

    def peek(self, n: int = -1) -> bytes:
        """Look ahead as http.client does."""
        with self._guard:
            return super().peek(n)

    def close(self) -> None:
        """End the response; before its end, that costs the connection."""
        with self._guard:
            if self.fp is not None:
                self._tell(complete=False)
            super().close()

    def __del__(self) -> None:
        """Close quietly: in a finalizer no further request may be sent."""
        self.when_closed = None
        super().__del__()

    def _close_conn(self) -> None:
        super()._close_conn()  # type: ignore[misc]
        self._tell(complete=True)

    def _tell(self, *, complete: bool) -> None:
        told, self.when_closed = self.when_closed, None
        if told is not None:
            told(self, complete)


class Kept(io.BytesIO):
    """What was read of a body ahead of its reader; then comes the error that ended it, or the rest."""

    def __init__(self, body: bytes, error: Exception | None, rest: HTTP20Response | None) -> None:
        super().__init__(body)
        self.size = len(body)
        self._error = error
        self._rest = rest

    @property
    def has_rest(self) -> bool:
        """Whether the body is longer than what was kept."""
        return self._rest is not None

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as a file does."""
        everything = size is None or size < 0
        data = super().read(size)
        if everything or not data:
            data += self._go_on().read(None if everything else size)
        return data

    def read1(self, size: int | None = -1, /) -> bytes:
        """Read what is there at once."""
        return super().read1(size) or self._go_on().read1(-1 if size is None else size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, as far as it was kept."""
        return super().readline(size) or self._go_on().readline(-1 if size is None else size)

    def readinto(self, buffer: "Buffer", /) -> int:
        """Read into a buffer."""
        return super().readinto(buffer) or self._go_on().readinto(buffer)

    def peek(self, size: int = 0, /) -> bytes:
        """Return what comes next without taking it."""
        return self.getvalue()[self.tell() :] or self._go_on().peek(size)

    def close(self) -> None:
        """Forget it, and the rest with it."""
        super().close()
        self.size = 0
        if self._rest is not None:
            self._rest.close()

    def _go_on(self) -> Any:
        """Return what the body goes on with."""
        if self._error is not None:
            raise self._error
        return self._rest if self._rest is not None else _NOTHING


class _Nothing(io.BytesIO):
    """The end of a body."""

    def peek(self, _size: int = 0, /) -> bytes:
        return b""


_NOTHING = _Nothing()
