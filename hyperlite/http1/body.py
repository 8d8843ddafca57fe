"""The body of a response on HTTP/1.1, as the file that http.client reads from.

A body ends with its length, with its last chunk, or with the connection (RFC 9112 section 6.3).  This module
unwraps all three, so that http.client's methods see what they see on HTTP/2.
"""

import http.client as http_client
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..errors import (
    ConnectionLost,
    ErrorCode,
    IncompleteBody,
    MalformedBody,
    MalformedResponse,
    RequestTimeout,
)
from ..messages.body_file import BodyFile, incomplete
from ..messages.buffer import Buffer
from ..messages.chunked import ChunkLines
from ..messages.fields import Field
from ..messages.head import BlockReader, Framing, LineReader, malformed
from ..messages.response_rules import MAX_KEPT
from .timed_socket import Paused
from .wire import Wire

T = TypeVar("T", bytes, memoryview)

# Bytes to read at a time if it is not known how many there are.
PIECE = 65536
# The monotonic time by which a read that is not to wait must be over.
ALREADY = 0.0
# If it is known: a read returns so many bytes in one piece, without a copy.
# An announced length alone costs no memory: the operating system gives pages when they are filled.
LARGE_PIECE = 1 << 25
# Bytes that chunks may cost beyond 16 each and one for each byte that they carry; Go allows as much.
MAX_OVERHEAD = 16384


class ChunkReader:
    """Reads the lines between the chunks of a body, and the trailer fields behind the last chunk.

    Attributes:
        trailers: the fields behind the last chunk, once they have come (RFC 9112 section 7.1.2).
    """

    def __init__(self, lines: LineReader) -> None:
        self._lines = lines
        self._between = ChunkLines()
        self._overhead = 0
        self._trailer_block = BlockReader(lines, "trailer", bare_lf=False)
        self.trailers: Sequence[Field] = ()

    def next_size(self) -> int:
        """Return the size of the next chunk; 0 if there is none. After `Paused`, call it again.

        Raises:
            ConnectionLost: the connection ended before the last chunk.
            MalformedResponse, http.client.LineTooLong: a line is no chunk's, or no trailer field.
        """
        while not self._between.last:
            line = self._lines.read("chunk size")
            if not line.endswith(b"\n"):
                raise ConnectionLost("the connection ended between two chunks")
            try:
                size = self._between.take(line)
            except ValueError as error:
                raise malformed(str(error)) from None
            self._overhead = max(0, self._overhead + len(line) - (size and 16 + 2 * size))
            if self._overhead > MAX_OVERHEAD:
                reason = "more chunk extensions and chunk sizes than body"
                raise malformed(reason, ErrorCode.ENHANCE_YOUR_CALM)
            if size:
                return size
        self.trailers = self._trailer_block.read(MAX_KEPT)
        return 0


class HTTP1Body(BodyFile):
    """The body of a response, read from a `Wire`.

    Args:
        wire, lines: where it comes from.
        framing: how long it is.
        require_close_notify: a TLS connection that ends without close_notify does not end a body.
        stream_id: of the exchange, for errors.

    Attributes:
        complete: it has been read from the wire to its end.
        clean: the connection can be used again; see `release`.
        stalled: a read has timed out, and nothing has come since.
    """

    def __init__(
        self, wire: Wire, lines: LineReader, framing: Framing, *, require_close_notify: bool, stream_id: int
    ) -> None:
        self._wire = wire
        self._file = wire.file
        self._chunks = ChunkReader(lines) if framing.chunked else None
        self._length = framing.length
        # Bytes left, of the current chunk or of all of it; None: until the connection ends.
        self._left = 0 if framing.chunked else framing.length
        self._require_close_notify = require_close_notify
        self._stream_id = stream_id
        self._taken = 0  # from the wire
        self._ahead = Buffer()
        self.error: Exception | None = None
        self.complete: bool = self._length == 0
        self.stalled: bool = False
        self.clean: bool = False

    # -- the file ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Do nothing, whether it is closed or not: `http.client.HTTPResponse.close()` calls it."""

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._file.fileno()

    @property
    def raw(self) -> Any:
        """The raw file beneath, as in http.client: programs read the certificate from its `_sock`."""
        return self._file.raw

    @property
    def chunk_left(self) -> int:
        """How many unread bytes the current chunk has, or are in memory."""
        return self._ahead.size or self._left or 0

    def close(self) -> None:
        """Forget what was not read, and let go of the connection."""
        if not self.closed:
            super().close()
            if not hasattr(self, "clean"):  # __init__ was interrupted
                return
            if self._ahead.size:
                self._ahead = Buffer()
            if not self._file.closed:  # by release()
                self._file.close()

    # -- for the connection -----------------------------------------------------------------------

    @property
    def left(self) -> int | None:
        """How many bytes are still to come from the wire; None if that is not known."""
        return self._left if self._chunks is None else None

    @property
    def trailers(self) -> Sequence[Field]:
        """The fields behind the body; none before the body was read to its end."""
        return () if self._chunks is None else self._chunks.trailers

    @property
    def handed_out(self) -> int:
        """How many bytes its reader has got."""
        return self._taken - self._ahead.size

    @property
    def held(self) -> int:
        """How many bytes are in memory."""
        return self._ahead.size

    def hold(self, limit: int) -> None:
        """Read the rest into memory, if it is not more than `limit` bytes and does not stall.

        An error on the way is kept for the thread that reads.

        Raises:
            Paused: the thread has no more time for it.
        """
        while self.error is None and not (self.complete or self._file.closed) and self._ahead.size <= limit:
            try:
                self._ahead.put(self._receive(PIECE, self._file.read1))
            except RequestTimeout:
                return
            except (http_client.HTTPException, OSError) as error:
                self._fail(error)

    def tear(self, *, lost: bool = False) -> None:
        """End the body because a read was interrupted (KeyboardInterrupt) and may have lost bytes.

        Args:
            lost: the read has lost bytes, so the bytes in memory behind them must not be read.
        """
        if lost:
            self._ahead.clear()
        self._fail(self._incomplete("an interrupted read has lost bytes"))

    def release(self) -> bool:
        """Let go of the connection, if the end was reached; tell whether it can be used again.

        It cannot if bytes lie behind the end of the body.
        """
        if self.complete and not self._file.closed:
            self.clean = not self._wire.has_more()
            self._file.close()
        return self.clean

    # -- reading ----------------------------------------------------------------------------------

    def read1(self, size: int = -1, /) -> bytes:
        """Read what has come, at most `size` bytes and 64 KiB of it; wait only if nothing has.

        A record of TLS and a chunk may be small. So this goes on until no more can be had without waiting.
        """
        data = super().read1(size)
        room = min(PIECE if size < 0 else size, PIECE) - len(data)
        if not data or room <= 0 or self.complete:
            return data
        pieces = [data]
        before, self._wire.read_until = self._wire.read_until, ALREADY
        try:
            while room and (piece := self._take(room)):
                pieces.append(piece)
                room -= len(piece)
        except (Paused, http_client.HTTPException):
            pass  # nothing more has come; or the next read raises the error
        finally:
            self._wire.read_until = before
        return b"".join(pieces)

    def _take(self, limit: int) -> bytes:
        """Take all bytes that were asked for, if it is known that there are so many."""
        if self._left is None:
            return self._take_some(limit)
        return self._ahead.take(limit) if self._ahead.size else self._next(limit, self._wire.fill)

    def _take_into(self, view: memoryview) -> int:
        if self._ahead.size:
            return self._ahead.take_into(view)
        return len(self._next(len(view), lambda size: self._wire.fill_into(view[:size])))

    def _take_some(self, limit: int) -> bytes:
        limit = min(limit, PIECE)
        return self._ahead.take(limit) if self._ahead.size else self._next(limit, self._file.read1)

    def _put_back(self, data: bytes) -> None:
        self._ahead.put_back(data)

    def _give_back(self, data: bytes, _wanted: int, error: BaseException) -> None:
        if isinstance(error, IncompleteBody):
            raise self._with_partial(error, data) from error.__cause__
        self._ahead.put_back(data)

    def _next(self, limit: int, take: Callable[[int], T]) -> T | bytes:
        """Return the next bytes from the wire, or raise the error that has ended the body; see `_receive`."""
        if self.error is None:
            try:
                return self._receive(limit, take)
            except IncompleteBody as error:
                self._fail(error)
        assert self.error is not None
        if isinstance(self.error, IncompleteBody):
            raise self._with_partial(self.error, b"") from self.error.__cause__
        raise self.error

    def _receive(self, limit: int, take: Callable[[int], T]) -> T | bytes:
        """Return the next bytes from the wire, b"" only at the end.

        Args:
            limit: at most so many bytes.
            take: reads at most so many bytes. An error behind the first byte is raised by its next call.
        """
        try:
            if self._chunks is not None and not self._left and not self.complete:
                self._left = self._chunks.next_size()
                self.complete = not self._left
            if self.complete:
                return b""
            limit = min(limit, LARGE_PIECE)
            data = take(limit if self._left is None else min(limit, self._left))
            if not data:
                return self._take_end()
            self._taken += len(data)
            self.stalled = False
            if self._left is not None:
                self._left -= len(data)
                self.complete = not self._left and self._chunks is None
            return data
        except MalformedResponse as error:
            raise self._incomplete(str(error), kind=MalformedBody) from error
        except http_client.LineTooLong as error:
            raise self._incomplete(f"malformed response: {error}", kind=MalformedBody) from error
        except RequestTimeout as error:
            self.stalled = True
            if self._wire.is_over:
                self._fail(error)
            raise
        except IncompleteBody:
            raise
        except (ConnectionLost, OSError) as error:
            raise self._incomplete(f"the connection failed: {error}") from error
        except Paused:
            raise
        except BaseException:
            self.tear()
            raise

    def _take_end(self) -> bytes:
        """End the body with the connection, or raise if it is incomplete."""
        if self._left is not None:
            raise self._incomplete("the connection ended")
        if self._wire.ragged and self._require_close_notify:
            raise self._incomplete(
                "the TLS connection ended without close_notify, so there may have been more "
                "(require_close_notify=False accepts this as the end)"
            )
        self.complete = True
        return b""

    # -- errors -----------------------------------------------------------------------------------

    def _fail(self, error: Exception) -> None:
        """Keep an error for all further reads, and let go of the connection."""
        self.error = error
        self._file.close()

    def _incomplete(self, reason: str, kind: type[IncompleteBody] = IncompleteBody) -> IncompleteBody:
        return incomplete(reason, self._taken, self._length, kind, stream_id=self._stream_id)

    def _with_partial(self, error: IncompleteBody, partial: bytes) -> IncompleteBody:
        """Return a copy of an error with the bytes that this read got; the next read raises it without."""
        return type(error)(str(error), partial=partial, expected=error.expected, stream_id=error.stream_id)
