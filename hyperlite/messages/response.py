"""HTTP20Response: http.client's HTTPResponse, whose bytes come from a stream.

On HTTP/1.1 it does what the inherited class does.  On HTTP/2 the inherited methods read from a `BodyFile`
instead of the socket's file, so that `read`, `readinto`, `read1`, `peek`, `readline` and iteration do exactly
what those of the running Python do.

Rule: a response has its own reference to the transport and never uses `conn.sock`: callers such as
urllib.request remove that before the body is read.
"""

import http.client as http_client
import io
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .. import stock
from .body_file import incomplete
from .exchange import Answer, Promise
from .fields import to_message
from .marks import NOT_YET, Marks
from .spelling import spelled_message

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

T = TypeVar("T")

HTTP_2 = 20  # as http.client has 10 and 11
# What `version` says, in words.
VERSIONS = {HTTP_2: "HTTP/2", 11: "HTTP/1.1", 10: "HTTP/1.0"}

_REASONS = {status.value: status.phrase for status in HTTPStatus}
# http.client's own method; None: a program had replaced it, and its replacement must be called.
_INHERITED_READ = stock.HTTPResponse.read if stock.is_own(stock.HTTPResponse.read) else None
_CLOSE_CONN = stock.HTTPResponse._close_conn  # type: ignore[attr-defined]
_INHERITED_CLOSE_CONN = _CLOSE_CONN if stock.is_own(_CLOSE_CONN) else None


class Lazy(Generic[T]):
    """An attribute that is made when it is first read, and can be assigned like any other.

    functools.cached_property does the same, but takes a lock in Python 3.11.
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

    if TYPE_CHECKING:  # at run time there is no `__set__`, or each read would go through `__get__`

        def __set__(self, response: "HTTP20Response", value: T) -> None: ...


class HTTP20Response(stock.HTTPResponse):
    """The response of a server: an `http.client.HTTPResponse` in all that http.client documents.

    It has more:

    Attributes:
        version: 20 on HTTP/2, 11 or 10 on HTTP/1.
        stream_id: the id that `request()` returned for it.
        sock: the socket of a 101 (Switching Protocols) that a request of `HTTP20Connection` or a pool asked
            for. The other protocol goes on there; no byte behind the head was read. Otherwise None.
    """

    # These are the same for all responses on HTTP/2; responses on HTTP/1.1 set their own.
    version = HTTP_2
    debuglevel = 0
    chunked = False
    will_close = False
    stream_id: int | None = None
    sock: socket.socket | None = None
    _stream: Answer | None = None

    @classmethod
    def from_stream(cls, stream: Answer, method: str) -> "HTTP20Response":
        """Return the response of a stream whose header block has arrived."""
        self = cls.__new__(cls)
        self._method = method  # type: ignore[attr-defined]  # http.client's own name; callers read it
        self._fill(stream)
        return self

    def _fill(self, stream: Answer) -> None:
        """Set the attributes that the header block gives, as http.client's `begin()` does."""
        self._stream = stream
        self.stream_id = stream.stream_id
        self.status: int = stream.status
        self.length = stream.inbox.length

    @Lazy
    def fp(self) -> "io.BufferedReader | Any":
        """The file that the inherited methods read from; None at the end.

        A complete response is usually read without it: making and dropping it costs as much as all other
        work for a response.
        """
        if self._stream is None or self._stream.transport is None:
            raise AttributeError("fp")
        return self._stream.transport.open_body(self._stream)

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
        return spelled_message(self._stream.inbox.fields)

    @Lazy
    def msg(self) -> http_client.HTTPMessage:
        """The same object as `headers`."""
        return self.headers

    def read(self, amt: int | None = None) -> bytes:
        """Read as http.client does."""
        stream = self._stream
        before = 0 if stream is None else stream.inbox.taken
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
        """Return the body if all of it has come and nothing of it was read: no file is needed then."""
        stream, own = self._stream, vars(self)
        if (
            stream is None
            or not stream.inbox.complete
            or "fp" in own
            or "_close_conn" in own
            or stock.HTTPResponse.read is not _INHERITED_READ
            or type(self)._close_conn is not _INHERITED_CLOSE_CONN  # type: ignore[attr-defined]
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
        return self._accounted(self._peek, n)

    def _peek(self, n: int) -> bytes:
        piece = super().peek(n)
        self._close_at_end(not piece)
        return piece

    def _accounted(self, call: Callable[[Any], T], argument: Any) -> T:
        """Read; see `_account`."""
        stream = self._stream
        if stream is None:
            return call(argument)
        before = stream.inbox.taken
        try:
            return call(argument)
        except BaseException as error:
            self._account(before, error)
            raise

    def _account(self, before: int, error: BaseException) -> None:
        """End the body if a read was interrupted (KeyboardInterrupt) and has lost what it had taken.

        Otherwise further reads would not show that bytes are missing. An error of HTTP needs none of this: it
        carries the bytes, or has put them back.

        Args:
            before: how many bytes had been read before the read.
            error: what the read has raised.
        """
        stream = self._stream
        if stream is None or stream.transport is None or stream.inbox.taken == before:
            return
        if not isinstance(error, http_client.HTTPException):
            reason = "an interrupted read has lost what had come"
            torn = incomplete(reason, stream.inbox.taken, stream.inbox.length, stream_id=stream.stream_id)
            stream.transport.drop(stream, torn)
            self.length = None  # so that the next read asks the stream, which raises
            if self.fp is None:
                del self.fp

    @property
    def _marks(self) -> Marks:
        """When the request was sent, when the response began, and when it was complete; see `Marks`."""
        return NOT_YET if self._stream is None else self._stream.marks

    @property
    def _broken(self) -> BaseException | None:
        """Why the body cannot be read to its end; None: it can, or the caller has closed the response."""
        return None if self._stream is None or self._stream.inbox.complete else self._stream.error

    @property
    def _taken(self) -> int:
        """How many bytes of the body were read."""
        return 0 if self._stream is None else self._stream.inbox.taken

    def _close_at_end(self, short: bool) -> None:
        """Close after a read that reached the end, as http.client does with chunks."""
        if short and self._stream is not None and self.fp is not None and self._stream.inbox.exhausted:
            self._close_conn()  # type: ignore[attr-defined]

    def _end_by(self, deadline: float) -> None:
        """Set a monotonic time at which reads of the body end; an earlier deadline stays."""
        if (stream := self._stream) is not None:
            before = stream.request.deadline
            stream.request.deadline = deadline if before is None else min(before, deadline)

    @property
    def trailers(self) -> http_client.HTTPMessage:
        """The trailer fields (RFC 9110 section 6.5), which come after the body: empty before it is read.

        Their names are as the server sent them: in lower case on HTTP/2.
        """
        return to_message(self._stream.inbox.trailers if self._stream else ())

    @property
    def informational(self) -> list[tuple[int, http_client.HTTPMessage]]:
        """The 1xx responses that came before this one: (status, header fields) each."""
        seen = self._stream.inbox.informational if self._stream else ()
        return [(status, spelled_message(fields)) for status, fields in seen]

    @property
    def pushes(self) -> list[Promise]:
        """The pushes that the server has promised so far (RFC 9113 section 8.4), in its order.

        A promise comes before the part of the body that refers to it. Empty without `enable_push`, and on
        HTTP/1.1. Untaken ones are refused when this response is closed before its end, or dropped.
        """
        stream = self._stream
        return stream.transport.promises(stream, self) if stream is not None and stream.transport else []

    def __repr__(self) -> str:
        if "status" not in vars(self):  # other attributes may be missing too: `__init__` may have failed
            return f"<{type(self).__name__}, not begun>"
        protocol = VERSIONS.get(self.version, "HTTP/1.1")
        where = f"{protocol} stream {self.stream_id}" if self._stream else protocol
        state = "closed" if self.isclosed() else "open"
        return f"<{type(self).__name__} {self.status} {self.reason}, {where}, {state}>"

    def __del__(self) -> None:
        """Leave the stream to its body or its transport: to close it could wait, and a finalizer may not."""
        stream = self._stream
        if stream is None:
            if "fp" in vars(self):  # or else `__init__` has failed
                super().__del__()
            return
        inbox = stream.inbox
        if not inbox.exhausted and "fp" not in vars(self) and stream.transport is not None:
            stream.transport.abandon(stream)
        for pushed in inbox.pushes or ():  # no caller can reach them any more
            if pushed.transport is not None:
                pushed.transport.abandon(pushed)
