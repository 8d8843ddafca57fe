"""HTTP20Response: http.client's HTTPResponse, whose bytes come from a stream.

On HTTP/1.1 it is the inherited class and nothing else.  On HTTP/2 the inherited methods read from a
`Body` in the place of the socket's file, so that `read`, `readinto`, `read1`, `peek`, `readline` and
iteration do exactly what those of the running Python do.

Rule: a response holds its own way to the transport and never goes through `conn.sock`; callers
such as urllib.request take that away before the body is read.
"""

import http.client as http_client
import io
import socket
from collections.abc import Callable
from http import HTTPStatus
from operator import index
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .. import stock
from ..errors import (
    BodyReset,
    ConnectionLost,
    HTTP2Error,
    IncompleteBody,
    MalformedBody,
    MalformedResponse,
    StreamReset,
)
from ..http2.connection import HTTP2Connection
from ..http2.socket_facade import RawBody
from ..http2.stream import Stream
from ..net.timeouts import soonest
from .fields import to_message
from .spelling import spelled_message

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

T = TypeVar("T")

HTTP_2 = 20  # as http.client has 10 and 11

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_ALL = 1 << 62  # more than any body
# http.client's own; None: a program had replaced it, and wants its own to be called.
_INHERITED_READ = stock.HTTPResponse.read if stock.is_own(stock.HTTPResponse.read) else None


def writable(buffer: "Buffer") -> memoryview:
    """Return the bytes of a buffer to read into; TypeError for one that cannot be written."""
    view = memoryview(buffer).cast("B")
    if view.readonly:
        raise TypeError(f"readinto() needs a buffer that can be written, not {type(buffer).__name__}")
    return view


class Body(io.BufferedIOBase):
    """The body of a response on HTTP/2, as the file that http.client reads from."""

    def __init__(self, mux: HTTP2Connection, stream: Stream) -> None:
        self._mux = mux
        self._stream = stream
        self._raw: RawBody | None = None  # once it was asked for

    def readable(self) -> bool:
        """Return true: a body can be read."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, fewer only at the end; all that is left with -1 or None.

        Raises:
            IncompleteBody: the end was asked for and the connection was lost before it, or the stream
                was reset (BodyReset) or broke HTTP (MalformedBody); it carries what had come.
            HTTP2Error: a part was asked for, and the stream failed; RequestTimeout: nothing came in
                time. What had come is not lost: it is what is read next.
            TypeError: `size` is no integer.
        """
        wanted = _ALL if size is None or index(size) < 0 else size
        if not wanted:
            return self._nothing()
        stream = self._stream
        before = stream.taken
        to_the_end = wanted == _ALL or (stream.length is not None and stream.taken + wanted >= stream.length)
        parts: list[bytes] = []
        missing = wanted
        try:
            while missing and (piece := self._mux.read(stream, missing)):
                if stream.exhausted and not parts:
                    return piece
                parts.append(piece)
                missing -= len(piece)
            return b"".join(parts)
        except BaseException as error:
            self._give_back(b"".join(parts), before, to_the_end, error)
            raise

    def readinto(self, buffer: "Buffer", /) -> int:
        """Read into a buffer until it is full, or to the end; returns how many bytes. Raises: see `read`."""
        view = writable(buffer)
        if not view:
            return len(self._nothing())
        stream = self._stream
        before, count = stream.taken, 0
        to_the_end = stream.length is not None and before + len(view) >= stream.length
        try:
            while count < len(view) and (more := self._mux.read_into(stream, view[count:])):
                count += more
        except BaseException as error:
            self._give_back(bytes(view[:count]), before, to_the_end, error)
            raise
        return count

    def _give_back(self, so_far: bytes, before: int, to_the_end: bool, error: BaseException) -> None:
        """See to it that a read which failed loses nothing of what had come.

        Whoever reads on finds it, and then the same error if it is one that lasts; but the error of one who
        wanted all that there is carries it.
        """
        if to_the_end and isinstance(error, ConnectionLost | StreamReset):
            raise self._incomplete(so_far, before, error) from error
        self._mux.put_back(self._stream, so_far)

    def read1(self, size: int = -1, /) -> bytes:
        """Read what has arrived, at most `size` bytes; waits only if that is nothing."""
        if not index(size):
            return self._nothing()
        return self._mux.read(self._stream, _ALL if size < 0 else size)

    def _nothing(self) -> bytes:
        """Return nothing; where that is the whole body, not before the stream's end has confirmed it."""
        if self._stream.length == 0:
            self._mux.read(self._stream, 1)
        return b""

    def peek(self, _size: int = 0, /) -> bytes:
        """Return what comes next without taking it; b"" only at the end."""
        piece = self._mux.read(self._stream, io.DEFAULT_BUFFER_SIZE)
        if piece:
            self._mux.put_back(self._stream, piece)
        return piece

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, at most `size` bytes of it."""
        limit = _ALL if size is None or index(size) < 0 else size
        line = bytearray()
        try:
            while len(line) < limit and not line.endswith(b"\n") and (ahead := self.peek()):
                length = ahead.find(b"\n") + 1 or len(ahead)
                line += self._mux.read(self._stream, min(length, limit - len(line)))
            return bytes(line)
        except BaseException:
            self._mux.put_back(self._stream, bytes(line))
            raise

    def fileno(self) -> int:
        """Return the descriptor of the socket, which other streams share."""
        return self._mux.fileno()

    @property
    def raw(self) -> RawBody:
        """The body without this file, as io.BufferedReader has it; its `_sock` is the socket."""
        if self._raw is None:
            self._raw = RawBody(self._mux, self._stream)
        return self._raw

    @property
    def chunk_left(self) -> int:
        """How many bytes have arrived and were not read."""
        return self._stream.inbox.size

    def close(self) -> None:
        """End the stream, if it has not ended: it is reset, and what lies unread is dropped."""
        if not self.closed:
            super().close()
            stream = self._stream
            # All that was announced is read: its end, and trailers perhaps, are only on their way.
            if not stream.exhausted and (stream.length is None or stream.taken < stream.length):
                self._mux.drop(stream)

    def __del__(self) -> None:
        """Have the stream reset by the next one who uses the connection: a finalizer may not wait."""
        stream: Stream | None = getattr(self, "_stream", None)  # None: __init__ was interrupted
        if stream is not None and not self.closed and not stream.exhausted:
            self._mux.abandon(stream)

    def _incomplete(self, so_far: bytes, before: int, error: HTTP2Error) -> IncompleteBody:
        length, came = self._stream.length, before + len(so_far)
        missing = None if length is None else max(0, length - came)
        of = "" if length is None else f" of {length}"
        kind = IncompleteBody
        if isinstance(error, StreamReset):
            kind = MalformedBody if isinstance(error, MalformedResponse) else BodyReset
        return kind(
            f"{error} after {came}{of} bytes of the body",
            partial=so_far,
            expected=missing,
            error_code=error.error_code,
            stream_id=self._stream.stream_id,
        )


class Lazy(Generic[T]):
    """An attribute that is made when it is first asked for, and can be assigned like any other.

    functools.cached_property is the same, and takes a lock in Python 3.11.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, response: None, owner: type) -> "Lazy[T]": ...

    @overload
    def __get__(self, response: "HTTP20Response", owner: type) -> T: ...

    def __get__(self, response: "HTTP20Response | None", owner: type) -> "Lazy[T] | T":
        if response is None:
            return self
        value = vars(response)[self._name] = self._make(response)
        return value

    if TYPE_CHECKING:  # at run time there is none, or each reading would go through `__get__`

        def __set__(self, response: "HTTP20Response", value: T) -> None: ...


class HTTP20Response(stock.HTTPResponse):
    """What a server answered; in all that http.client documents it is `http.client.HTTPResponse`.

    Beyond it:

    Attributes:
        version: 20 on HTTP/2, 11 or 10 on HTTP/1.
        stream_id: the id that `request()` returned for it.
        sock: of a 101 (Switching Protocols), if a request of `HTTP20Connection` or a pool asked for it: the
            socket, on which the other protocol goes on; no byte behind the head was read. Else None.
    """

    # What is the same for all responses on HTTP/2; those on HTTP/1.1 have their own.
    version = HTTP_2
    debuglevel = 0
    chunked = False
    will_close = False
    stream_id: int | None = None
    sock: socket.socket | None = None
    _stream: Stream | None = None

    @classmethod
    def from_stream(cls, stream: Stream, method: str) -> "HTTP20Response":
        """Return the response of a stream whose header block has arrived."""
        self = cls.__new__(cls)
        self._method = method  # type: ignore[attr-defined]  # http.client's own name; callers read it
        self._fill(stream)
        return self

    def _fill(self, stream: Stream) -> None:
        """Take over what the header block says, as http.client's `begin()` does."""
        self._stream = stream
        self.stream_id = stream.stream_id
        self.status = stream.status
        self.length = stream.length

    @Lazy
    def fp(self) -> "io.BufferedReader | Any":
        """The file that the inherited methods read from; None at the end.

        A response that is complete is mostly read without it: to make it, and to drop it, costs as much as
        all the rest of a response.
        """
        if self._stream is None or self._stream.transport is None:
            raise AttributeError("fp")
        return Body(self._stream.transport, self._stream)

    @Lazy
    def code(self) -> int:
        """The same as `status`."""
        return self.status

    @Lazy
    def reason(self) -> str:
        """The standard phrase for the status: HTTP/2 has none of its own."""
        return _REASONS.get(self.status, "")

    @Lazy
    def headers(self) -> http_client.HTTPMessage:
        """The header fields: an HTTPMessage, made when it is first asked for; names as on HTTP/1.1."""
        assert self._stream is not None
        return spelled_message(self._stream.response_fields)

    @Lazy
    def msg(self) -> http_client.HTTPMessage:
        """The same object as `headers`."""
        return self.headers

    def read(self, amt: int | None = None) -> bytes:
        """Read as http.client does."""
        stream = self._stream
        before = 0 if stream is None else stream.taken
        try:
            if amt is None and (data := self._whole()) is not None:
                return data
            data = super().read(amt)
            self._close_at_end(amt is not None and len(data) < amt)
            return data
        except BaseException as error:
            self._account(before, error)
            raise

    def _whole(self) -> bytes | None:
        """Return the body, if nothing of it was read and all of it is there: that is all there is to do."""
        stream = self._stream
        if (
            stream is None
            or not stream.complete
            or "fp" in vars(self)
            or stock.HTTPResponse.read is not _INHERITED_READ
        ):
            return None
        assert stream.transport is not None
        data = stream.transport.read_rest(stream)
        if self.length is not None:
            self.length = 0
        self.fp = None
        return data

    def readinto(self, b: "Buffer") -> int:
        """Read as http.client does."""
        return self._accounted(self._readinto, b)

    def _readinto(self, b: "Buffer") -> int:
        count = super().readinto(b)
        self._close_at_end(count < len(memoryview(b)))
        return count

    def read1(self, n: int = -1) -> bytes:
        """Read as http.client does."""
        return self._accounted(super().read1, n)

    def readline(self, limit: int = -1) -> bytes:  # type: ignore[override]
        """Read as http.client does."""
        return self._accounted(super().readline, limit)

    def peek(self, n: int = -1) -> bytes:
        """Look ahead as http.client does."""
        piece = self._accounted(super().peek, n)
        self._close_at_end(not piece)
        return piece

    def _accounted(self, call: Callable[[Any], T], argument: Any) -> T:
        """Read; see `_account`."""
        stream = self._stream
        if stream is None:
            return call(argument)
        before = stream.taken
        try:
            return call(argument)
        except BaseException as error:
            self._account(before, error)
            raise

    def _account(self, before: int, error: BaseException) -> None:
        """End the body if a read was interrupted (KeyboardInterrupt) and has lost what it had taken.

        Reading on would not show that bytes are missing. An error of HTTP carries them, or has put them back.

        Args:
            before: how many bytes had been read before the read.
            error: what the read has raised.
        """
        stream = self._stream
        if stream is None or stream.transport is None or stream.taken == before:
            return
        if not isinstance(error, http_client.HTTPException):
            stream.transport.drop(stream, _torn(stream))
            self.length = None  # so that the next read asks the stream
            if self.fp is None:
                del self.fp

    @property
    def _taken(self) -> int:
        """How many bytes of the body were read."""
        return 0 if self._stream is None else self._stream.taken

    def _close_at_end(self, short: bool) -> None:
        """Close after a read that met the end, as chunks on HTTP/1.1 do: it is known without asking again."""
        if short and self._stream is not None and self.fp is not None and self._stream.exhausted:
            self._close_conn()  # type: ignore[attr-defined]

    def _end_by(self, deadline: float) -> None:
        """Let no read of the body last longer than to a monotonic time; an earlier deadline stays."""
        if (stream := self._stream) is not None:
            stream.request.deadline = soonest(stream.request.deadline, deadline)

    @property
    def trailers(self) -> http_client.HTTPMessage:
        """The trailer fields (RFC 9110 section 6.5), which come after the body: empty before it is read.

        Their names are as they came: in lower case on HTTP/2.
        """
        return to_message(self._stream.trailers if self._stream else ())

    @property
    def informational(self) -> list[tuple[int, http_client.HTTPMessage]]:
        """The 1xx responses that came before this one: (status, header fields) each."""
        seen = self._stream.informational if self._stream else ()
        return [(status, spelled_message(fields)) for status, fields in seen]

    @property
    def pushes(self) -> "list[HTTP20Push]":
        """What the server promised to answer unasked, so far (RFC 9113 section 8.4), in its order.

        A promise comes before the part of the body that refers to it. Empty without `enable_push`, and on
        HTTP/1.1. What nobody has taken is refused when this response is closed before its end, or dropped.
        """
        promised = self._stream.pushes if self._stream else ()
        return [HTTP20Push(stream, self) for stream in promised or ()]

    def __repr__(self) -> str:
        if "status" not in vars(self):  # nor has it, perhaps, anything else: `__init__` may have failed
            return f"<{type(self).__name__}, not begun>"
        where = f"HTTP/2 stream {self.stream_id}" if self._stream else "HTTP/1.1"
        state = "closed" if self.isclosed() else "open"
        return f"<{type(self).__name__} {self.status} {self.reason}, {where}, {state}>"

    def __del__(self) -> None:
        """Leave the stream to its `Body` or the mux: closing here could wait, in the middle of anything."""
        stream = self._stream
        if stream is None:
            if "fp" in vars(self):  # or else `__init__` has failed
                super().__del__()
            return
        if (
            not (stream.complete and not stream.inbox.size)
            and "fp" not in vars(self)
            and stream.transport is not None
        ):
            stream.transport.abandon(stream)
        if stream.pushes:  # which nobody can get at any more
            for pushed in stream.pushes:
                if pushed.transport is not None:
                    pushed.transport.abandon(pushed)


class HTTP20Push:
    """A response that a server promised unasked (RFC 9113 section 8.4).

    Attributes:
        method, scheme, authority, path: of the request that it answers.
        request_headers: that request's other header fields.
    """

    def __init__(self, stream: Stream, parent: HTTP20Response) -> None:
        pseudo = {name: value.decode("latin-1") for name, value in stream.request.fields[:4]}
        self._stream = stream
        self._parent = parent  # which would otherwise refuse it when it is dropped
        self.method = pseudo[b":method"]
        self.scheme = pseudo[b":scheme"]
        self.authority = pseudo[b":authority"]
        self.path = pseudo[b":path"]
        self.request_headers: http_client.HTTPMessage = to_message(stream.request.fields)

    def getresponse(self) -> HTTP20Response:
        """Return the promised response, when its header block has arrived.

        Raises:
            http.client.ResponseNotReady: it was taken, or cancelled.
            RequestTimeout: nothing came within the timeout. HTTP2Error: the stream or the connection
                failed.
        """
        stream, mux = self._stream, self._mux()
        try:
            mux.wait_head(stream)
        except BaseException:
            mux.cancel(stream)
            raise
        stream.pushed_to.remove(stream)
        return type(self._parent).from_stream(stream, self.method)

    def cancel(self) -> None:
        """Refuse the response: its stream is reset.

        Raises:
            http.client.ResponseNotReady: it was taken, or cancelled.
        """
        mux = self._mux()
        self._stream.pushed_to.remove(self._stream)
        mux.drop(self._stream)

    def _mux(self) -> HTTP2Connection:
        if self._stream not in self._stream.pushed_to or self._stream.transport is None:
            raise http_client.ResponseNotReady(f"the promised response to {self.path!r} was taken")
        return self._stream.transport

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.scheme}://{self.authority}{self.path}>"


def _torn(stream: Stream) -> IncompleteBody:
    """Return the error for a stream of whose body a read has lost something."""
    length, taken = stream.length, stream.taken
    of = "" if length is None else f" of {length}"
    return IncompleteBody(
        f"an interrupted read has lost what had come after {taken}{of} bytes of the body",
        expected=None if length is None else max(0, length - taken),
        stream_id=stream.stream_id,
    )
