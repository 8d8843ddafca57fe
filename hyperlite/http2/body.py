"""The body of a response on HTTP/2, as the file that http.client reads from."""

from ..errors import BodyReset, ConnectionLost, IncompleteBody, MalformedBody, MalformedResponse, StreamReset
from ..messages.body_file import ALL, BodyFile, incomplete
from .socket_facade import RawBody
from .stream import Stream, StreamTransport


class HTTP2Body(BodyFile):
    """A body that comes in on a stream.

    Args:
        transport: the connection.
        stream: on which it comes.
    """

    def __init__(self, transport: StreamTransport, stream: Stream) -> None:
        self._transport = transport
        self._stream = stream
        self._raw: RawBody | None = None  # once it was asked for

    def fileno(self) -> int:
        """Return the descriptor of the socket, which other streams share."""
        return self._transport.fileno()

    @property
    def raw(self) -> RawBody:
        """The body without this file, as io.BufferedReader has it; its `_sock` is the socket."""
        if self._raw is None:
            self._raw = RawBody(self._transport, self._stream)
        return self._raw

    @property
    def chunk_left(self) -> int:
        """How many bytes have arrived and were not read."""
        return self._stream.inbox.size

    def close(self) -> None:
        """Reset the stream if it has not ended, and drop the unread bytes."""
        if not self.closed:
            super().close()
            inbox = self._stream.inbox
            # If all announced bytes are read, only the end or trailers are still to come: no reset.
            if not inbox.exhausted and (inbox.length is None or inbox.taken < inbox.length):
                self._transport.drop(self._stream)

    def __del__(self) -> None:
        """Leave the reset to the next thread that uses the connection: a finalizer must not wait."""
        stream: Stream | None = getattr(self, "_stream", None)  # None: __init__ was interrupted
        if stream is not None and not self.closed and not stream.inbox.exhausted:
            self._transport.abandon(stream)

    def _take(self, limit: int) -> bytes:
        return b"" if self._stream.inbox.exhausted else self._transport.read(self._stream, limit)

    _take_some = _take

    def _take_into(self, view: memoryview) -> int:
        return self._transport.read_into(self._stream, view)

    def _put_back(self, data: bytes) -> None:
        self._transport.put_back(self._stream, data)

    def _give_back(self, data: bytes, wanted: int, error: BaseException) -> None:
        """Put the bytes of a failed read back; or into the error, if the read wanted the whole body."""
        stream = self._stream
        length, came = stream.inbox.length, stream.inbox.taken
        to_the_end = wanted == ALL or (length is not None and came - len(data) + wanted >= length)
        if not (to_the_end and isinstance(error, ConnectionLost | StreamReset)):
            self._put_back(data)
            return
        kind = IncompleteBody
        if isinstance(error, StreamReset):
            kind = MalformedBody if isinstance(error, MalformedResponse) else BodyReset
        raise incomplete(
            str(error),
            came,
            length,
            kind,
            partial=data,
            error_code=error.error_code,
            stream_id=stream.stream_id,
        ) from error

    def _nothing(self) -> bytes:
        """Return b""; if the whole body is empty, wait for the stream's end, which confirms it."""
        if self._stream.inbox.length == 0:
            self._take(1)
        return b""
