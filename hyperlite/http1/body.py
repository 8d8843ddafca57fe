"""The body of a response on HTTP/1.1, as the file that http.client reads from.

The framing, by length, by chunks or by the end of the connection, is unwrapped here, so that http.client's
methods see plain bytes and an end, as they do on HTTP/2; and a body that is cut off is never taken for one
that has ended, whichever way it is read.
"""

import http.client as http_client
import io
from collections.abc import Callable, Sequence
from operator import index
from typing import TYPE_CHECKING, Any

from ..errors import (
    ConnectionLost,
    ErrorCode,
    IncompleteBody,
    MalformedBody,
    MalformedResponse,
    RequestTimeout,
)
from ..messages.buffer import Buffer
from ..messages.chunked import ChunkLines
from ..messages.fields import Field
from ..messages.response import writable
from ..messages.response_rules import MAX_KEPT
from .head import BlockReader, Framing, LineReader, malformed
from .wire import Paused, Wire

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Bytes that are read at a time where it is not known how many there are.
PIECE = 65536
# And where it is: what is asked for and announced comes in one piece, without a copy, up to this size.
# Nobody has to have that much memory for a length that is only announced: what is not filled is not touched.
LARGE_PIECE = 1 << 25
# Bytes that chunks may cost beyond 16 each and one for each byte that they carry; Go allows as much.
MAX_OVERHEAD = 16384

_ALL = 1 << 62  # more than any body


class Http1Body(io.BufferedIOBase):
    """A body as it comes in on a wire.

    Args:
        wire, lines: where it comes from.
        framing: how long it is.
        require_close_notify: a TLS connection that ends without close_notify does not end a body.
        stream_id: of the exchange, for errors.

    Attributes:
        complete: it has been read from the wire to its end.
        clean: so that the connection can be used again; see `release`.
        stalled: a read has timed out, and nothing has come since.
        trailers: the fields that came behind it.
    """

    def __init__(
        self, wire: Wire, lines: LineReader, framing: Framing, *, require_close_notify: bool, stream_id: int
    ) -> None:
        self._wire = wire
        self._file = wire.file
        self._lines = lines
        self._chunked = framing.chunked
        self._length = framing.length
        # Bytes left, of the current chunk or of all of it; None: until the connection ends.
        self._left = 0 if framing.chunked else framing.length
        self._require_close_notify = require_close_notify
        self._stream_id = stream_id
        self._taken = 0  # from the wire
        self._overhead = 0
        self._chunks = ChunkLines()
        self._trailer_block: BlockReader | None = None
        self._ahead = Buffer()
        self._error: Exception | None = None
        self.complete = self._length == 0
        self.stalled = False
        self.clean = False
        self.trailers: Sequence[Field] = ()

    # -- the file ---------------------------------------------------------------------------------

    def readable(self) -> bool:
        """Return true: a body can be read."""
        return True

    def flush(self) -> None:
        """Do nothing, whether it is closed or not: `http.client.HTTPResponse.close()` calls it."""

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._file.fileno()

    @property
    def raw(self) -> Any:
        """What is beneath, as of http.client's file: programs ask its `_sock` for the certificate."""
        return self._file.raw

    @property
    def chunk_left(self) -> int:
        """How many bytes of the current chunk, or of what another thread has read ahead, were not read."""
        return self._ahead.size or self._left or 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, fewer only at the end; all that is left with -1 or None.

        Raises:
            IncompleteBody: the end came too early; it carries what was read before.
            RequestTimeout: nothing came in time. What had come is what is read next.
        """
        missing = _ALL if size is None or index(size) < 0 else size
        parts: list[bytes] = []
        try:
            while missing and (piece := self._next(missing, self._fill)):
                parts.append(piece)
                missing -= len(piece)
        except IncompleteBody as error:
            raise self._with_partial(error, b"".join(parts)) from error.__cause__
        except BaseException:
            self._ahead.put_back(b"".join(parts))
            raise
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read into a buffer until it is full, or to the end; raises as `read`."""
        if self._ahead.size or (self._length is None and not self._chunked):
            return super().readinto(buffer)  # by way of read()
        view = writable(buffer)
        count = 0

        def take(size: int) -> memoryview:
            return self._wire.fill_into(view[count : count + size])

        try:
            while count < len(view) and (piece := self._next(len(view) - count, take)):
                count += len(piece)
        except IncompleteBody as error:
            raise self._with_partial(error, bytes(view[:count])) from error.__cause__
        except BaseException:
            self._ahead.put_back(bytes(view[:count]))
            raise
        return count

    def read1(self, size: int = -1, /) -> bytes:
        """Read what has come, at most `size` bytes; waits only if that is nothing."""
        if not index(size):
            return b""
        piece: bytes = self._next(PIECE if size < 0 else min(size, PIECE), self._file.read1)
        return piece

    def peek(self, _size: int = 0, /) -> bytes:
        """Return what comes next without taking it; b"" only at the end."""
        if not self._ahead.size:
            piece: bytes = self._next(io.DEFAULT_BUFFER_SIZE, self._file.read1)
            self._ahead.put_back(piece)
            return piece
        return self._ahead.peek()

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, at most `size` bytes of it."""
        limit = _ALL if size is None or index(size) < 0 else size
        line = b""
        try:
            while len(line) < limit and (piece := self._next(limit - len(line), self._line_of, line=True)):
                line += piece
                if piece.endswith(b"\n"):
                    break
        except IncompleteBody as error:
            raise self._with_partial(error, line) from error.__cause__
        except BaseException:
            self._ahead.put_back(line)
            raise
        return line

    def close(self) -> None:
        """Forget what was not read, and let go of the connection."""
        if not self.closed:
            super().close()
            if not hasattr(self, "trailers"):  # __init__ was interrupted
                return
            if self._ahead.size:
                self._ahead = Buffer()
            if not self._file.closed:  # by release()
                self._file.close()

    # -- for the connection -----------------------------------------------------------------------

    @property
    def left(self) -> int | None:
        """How many bytes are to come from the wire, None where that is not known."""
        return None if self._chunked else self._left

    @property
    def handed_out(self) -> int:
        """How many bytes its reader has got."""
        return self._taken - self._ahead.size

    @property
    def held(self) -> int:
        """How many bytes are in memory."""
        return self._ahead.size

    def hold(self, limit: int) -> None:
        """Read what is left into memory, if it is not more than `limit` bytes and does not stall.

        An error on the way is kept for the one who reads.

        Raises:
            Paused: there was no more time for it.
        """
        while self._error is None and not (self.complete or self._file.closed) and self._ahead.size <= limit:
            try:
                self._ahead.put(self._receive(PIECE, self._file.read1))
            except RequestTimeout:
                return
            except (http_client.HTTPException, OSError) as error:
                self._fail(error)

    def tear(self) -> None:
        """End it here, where a read was interrupted (KeyboardInterrupt): what had come may be lost."""
        self._fail(self._incomplete("an interrupted read has lost what had come"))

    def release(self) -> bool:
        """Let go of the connection, if the end was reached; tell whether it can be used again.

        It cannot where something lies behind the end.
        """
        if self.complete and not self._file.closed:
            self.clean = not self._wire.has_more()
            self._file.close()
        return self.clean

    # -- from the wire ----------------------------------------------------------------------------

    def _next(self, limit: int, take: Callable[[int], Any], *, line: bool = False) -> Any:
        """Return what comes next, at most `limit` bytes; b"" only at the end. For `take` see `_receive`."""
        if self._ahead.size:
            if line:
                first = self._ahead.peek()[:limit]
                limit = first.find(b"\n") + 1 or len(first)
            return self._ahead.take(limit)
        if self._error is None:
            try:
                return self._receive(limit, take)
            except IncompleteBody as error:
                self._fail(error)
        assert self._error is not None
        if isinstance(self._error, IncompleteBody):
            raise self._with_partial(self._error, b"") from self._error.__cause__
        raise self._error

    def _fill(self, limit: int) -> bytes:
        """Take all of what was asked for, where it is known that there is so much."""
        return self._file.read1(min(limit, PIECE)) if self._left is None else self._wire.fill(limit)

    def _line_of(self, limit: int) -> bytes:
        ahead = self._file.peek(1)[:limit]
        return self._file.read1(ahead.find(b"\n") + 1 or len(ahead)) if ahead else b""

    def _receive(self, limit: int, take: Callable[[int], Any]) -> Any:
        """Return what comes next from the wire, b"" only at the end.

        Args:
            limit: at most so many bytes.
            take: how to read them, given how many there may be. What fails behind the first byte fails
                again at the next call.
        """
        try:
            if self._chunked and not self._left and not self.complete:
                self._next_chunk()
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
                self.complete = not self._left and not self._chunked
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
        """Deal with the end of the connection."""
        if self._left is not None:
            raise self._incomplete("the connection ended")
        if self._wire.ragged and self._require_close_notify:
            raise self._incomplete(
                "the TLS connection ended without close_notify, so there may have been more "
                "(require_close_notify=False takes it for the end)"
            )
        self.complete = True
        return b""

    def _next_chunk(self) -> None:
        """Read what is between two chunks, or behind the last one (RFC 9112 section 7.1)."""
        if self._trailer_block is None:
            while not (self._left or self._chunks.last):
                self._take_chunk_line(self._lines.read("chunk size"))
            if self._left:
                return
            self._trailer_block = BlockReader(self._lines, "trailer", bare_lf=False)
        self.trailers = self._trailer_block.read(MAX_KEPT)
        self.complete = True

    def _take_chunk_line(self, line: bytes) -> None:
        if not line.endswith(b"\n"):
            raise ConnectionLost("the connection ended between two chunks")
        try:
            self._left = size = self._chunks.take(line)
        except ValueError as error:
            raise malformed(str(error)) from None
        self._overhead = max(0, self._overhead + len(line) - (size and 16 + 2 * size))
        if self._overhead > MAX_OVERHEAD:
            raise malformed("more chunk extensions and chunk sizes than body", ErrorCode.ENHANCE_YOUR_CALM)

    # -- errors -----------------------------------------------------------------------------------

    def _fail(self, error: Exception) -> None:
        """Keep an error that lasts, and let go of the connection."""
        self._error = error
        self._file.close()

    def _incomplete(self, reason: str, kind: type[IncompleteBody] = IncompleteBody) -> IncompleteBody:
        of = "" if self._length is None else f" of {self._length}"
        return kind(
            f"{reason} after {self._taken}{of} bytes of the body",
            expected=None if self._length is None else self._length - self._taken,
            stream_id=self._stream_id,
        )

    def _with_partial(self, error: IncompleteBody, partial: bytes) -> IncompleteBody:
        """Return the error as the one sees it who has got so much; the next one gets it without."""
        return type(error)(str(error), partial=partial, expected=error.expected, stream_id=error.stream_id)
