"""All exceptions of hyperlite.

Old `except` clauses keep working: each error is an `http.client.HTTPException`, and if the
standard library has a class for the same failure, it is that class too::

    http.client.HTTPException
    └── HTTP2Error                    error_code, stream_id, retry_safe
        ├── ConnectionLost            is a RemoteDisconnected (ConnectionResetError): the socket ended
        │   └── ConnectionGoingAway   GOAWAY: the server took no notice of this request
        ├── ProtocolError             the peer broke HTTP/2: the whole connection is closed
        │   ├── NotHTTP2              the peer speaks another protocol
        │   └── NotHTTP1              is a BadStatusLine: it speaks HTTP/2 alone, or wants TLS
        ├── StreamReset               is a ConnectionResetError: one stream ended, the others go on
        │   └── MalformedResponse     the response broke HTTP; its stream was reset
        ├── IncompleteBody            is an IncompleteRead: the body ended too early
        │   └── BodyReset             is a StreamReset: because its stream was reset
        │       └── MalformedBody     is a MalformedResponse: because it broke HTTP
        ├── RequestTimeout            is a TimeoutError
        ├── BufferLimitExceeded       unread bytes exceed max_buffered
        ├── InadequateSecurity        is an ssl.SSLError: HTTP/2 over a cipher that RFC 9113 forbids
        ├── DecodingError             the body is not valid in its content coding
        │   └── BodyTooLarge          it exceeds max_body
        ├── RedirectError             a redirect that is not followed; it carries the response
        │   └── TooManyRedirects
        └── HTTPStatusError           raise_for_status(): a status of 400 or more; it carries the response

What `fetch()` and `ConnectionPool` raise when a request fails is also a `FetchError`, beside its own class.

Wrong arguments raise what http.client raises for them: ValueError, TypeError, InvalidURL,
and calls out of order CannotSendRequest or ResponseNotReady.
"""

import copy
import enum
import errno
import functools
import http.client as http_client
import ssl
from typing import Any

__all__ = [
    "BodyReset",
    "BodyTooLarge",
    "BufferLimitExceeded",
    "ConnectionGoingAway",
    "ConnectionLost",
    "DecodingError",
    "ErrorCode",
    "FetchError",
    "HTTP2Error",
    "HTTPStatusError",
    "InadequateSecurity",
    "IncompleteBody",
    "MalformedBody",
    "MalformedResponse",
    "NotHTTP1",
    "NotHTTP2",
    "ProtocolError",
    "RedirectError",
    "RequestTimeout",
    "StreamReset",
    "TooManyRedirects",
    "UnvalidatedResumeWarning",
]


class ErrorCode(enum.IntEnum):
    """The error codes of RFC 9113 section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


def code_name(code: int) -> str:
    """Return the RFC's name of an error code, or its number in hexadecimal if it has none."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error code {code:#x}"


class HTTP2Error(http_client.HTTPException):
    """The base of every error of hyperlite's own.

    Attributes:
        error_code: the HTTP/2 error code (RFC 9113 section 7) that was received or sent, or None.
        stream_id: the id that `request()` returned, if the error belongs to one request; otherwise None.
        retry_safe: true if the server has provably not processed the request: it can be sent again,
            whatever its method, and will not happen twice. It covers each try of the request, and each
            hop of a fetch.
    """

    error_code: int | None = None
    stream_id: int | None = None
    retry_safe: bool = False

    def __init__(
        self,
        message: str,
        *,
        error_code: int | None = None,
        stream_id: int | None = None,
        retry_safe: bool = False,
    ) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.stream_id = stream_id
        self.retry_safe = retry_safe

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def for_stream(self, stream_id: int, *, retry_safe: bool | None = None) -> "HTTP2Error":
        """Return a copy for one request: each stream of a failed connection gets one."""
        copy = type(self)(
            str(self),
            error_code=self.error_code,
            stream_id=stream_id,
            retry_safe=self.retry_safe if retry_safe is None else retry_safe,
        )
        copy.__cause__ = self.__cause__
        return copy


class ConnectionLost(HTTP2Error, http_client.RemoteDisconnected):
    """The connection ended, by the peer or by the network, while a request was under way."""


class ConnectionGoingAway(ConnectionLost):
    """The server announced by GOAWAY that it will not process this request (RFC 9113 section 6.8)."""


class ProtocolError(HTTP2Error):
    """The peer broke HTTP/2: the connection was closed with `error_code`."""


class NotHTTP2(ProtocolError):
    """The peer answered in another protocol, or did not choose HTTP/2 although only that may be spoken."""


class NotHTTP1(ProtocolError, http_client.BadStatusLine):
    """The peer answered an HTTP/1.1 request in HTTP/2, or in TLS: the port takes nothing else.

    Attributes:
        line: the beginning of the answer.
    """

    line: str


class StreamReset(HTTP2Error, ConnectionResetError):
    """A stream was reset by RST_STREAM (RFC 9113 section 6.4); other streams are unharmed."""

    errno: int | None = errno.ECONNRESET  # xmlrpc.client tries requests again by this number


class MalformedResponse(StreamReset):
    """The response broke a rule of HTTP (RFC 9113 section 8.1.1), and its stream was reset."""

    errno: int | None = None  # another try would fail in the same way


class IncompleteBody(HTTP2Error, http_client.IncompleteRead):
    """The body ended too early.

    Attributes:
        partial: the bytes that `read()` had collected, as on any `http.client.IncompleteRead`.
        expected: how many bytes were still to come, or None if no length was announced.
    """

    def __init__(
        self,
        message: str,
        *,
        partial: bytes = b"",
        expected: int | None = None,
        error_code: int | None = None,
        stream_id: int | None = None,
        retry_safe: bool = False,
    ) -> None:
        # Not by super(): IncompleteRead's own __init__ takes other arguments.
        http_client.HTTPException.__init__(self, message)
        self.partial = partial
        self.expected = expected
        self.error_code = error_code
        self.stream_id = stream_id
        self.retry_safe = retry_safe

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r}, {len(self.partial)} bytes read)"

    def __str__(self) -> str:
        return HTTP2Error.__str__(self)


class BodyReset(IncompleteBody, StreamReset):
    """The stream was reset before the body's end; `partial` has the bytes that `read()` had collected."""


class MalformedBody(BodyReset, MalformedResponse):
    """The body, or its trailers, broke a rule of HTTP; `partial` has the bytes that `read()` got."""


class RequestTimeout(HTTP2Error, TimeoutError):
    """Something did not happen within its timeout, or before a deadline."""


class BufferLimitExceeded(HTTP2Error):
    """To go on, more than `max_buffered` unread bytes would have to be in memory."""


class InadequateSecurity(HTTP2Error, ssl.SSLError):
    """HTTP/2 was negotiated with a TLS version or cipher that RFC 9113 section 9.2 forbids."""


class DecodingError(HTTP2Error):
    """A body cannot be decoded: it is damaged or cut short, or has too many codings."""


class BodyTooLarge(DecodingError):
    """A body is longer than `max_body` bytes: read it in pieces, or pass a larger `max_body`.

    Or a line or an event of it is longer than `max_line` or `max_event` allows.
    """


class RedirectError(HTTP2Error):
    """A redirect is not followed: it leads from https to http or to no http URL, or its body is used up.

    Attributes:
        response: the redirect, as a FetchResponse.
    """

    response: Any = None


class TooManyRedirects(RedirectError):
    """A redirect is not followed because `redirects` of them were followed before."""


class HTTPStatusError(HTTP2Error):
    """A response has a status of 400 or more; `FetchResponse.raise_for_status()` raises it.

    Attributes:
        response: the response, as a FetchResponse.
    """

    response: Any = None


class UnvalidatedResumeWarning(UserWarning):
    """`FetchResponse.save(path, resume=True)` goes on with a part that may be of another file.

    Nothing tells: `path.part.json` is missing, or the server sends no strong validator. It is a warning and
    no attribute of the result, because most programs do not look at that, and the file may be damaged. A
    filter of warnings can make it an error; the part then stays as it is.
    """


class FetchError(Exception):
    """A request of `fetch()`, `fetch_many()` or `ConnectionPool.request()` has failed.

    Each such error is of two classes: this one, and the class of what has happened (ConnectionRefusedError,
    ssl.SSLCertVerificationError, StreamReset, …), with the attributes and `args` of that.  `str()` says
    what the request was.

    Attributes:
        url: what was asked for, without credentials; after redirects, the URL of the last request.
        method: of the request.
        host, port: of the origin.
        stage: how far the request had come: "connecting", "asking" or "reading" (the body).
    """

    url: str
    method: str
    host: str
    port: int
    stage: str


class _Named(FetchError):
    """The first base of each class that `_class_of_both()` makes; the second is what has happened."""

    _text: str

    def __str__(self) -> str:
        return self._text

    def __reduce__(self) -> tuple[Any, ...]:
        kind = type(self).__bases__[1]
        return _fetch_error, (kind, super().__reduce__()[1], self.args, vars(self))


@functools.cache
def _class_of_both(kind: type[Exception]) -> Any:
    """Return the class of errors that are of this class, and a FetchError; it looks like the first."""
    return type(kind.__name__, (_Named, kind), {"__module__": kind.__module__, "__doc__": kind.__doc__})


def _fetch_error(
    kind: type[Exception], arguments: tuple[Any, ...], args: tuple[Any, ...], attributes: dict[str, Any]
) -> Exception:
    made: Exception = _class_of_both(kind)(*arguments)  # type: ignore[arg-type]  # a class has a hash
    made.args = args  # some constructors put a text around their argument
    vars(made).update(attributes)
    return made


def as_fetch_error(
    error: Exception, text: str, *, url: str, method: str, host: str, port: int, stage: str
) -> Exception:
    """Return an error as a FetchError, with its traceback.

    Args:
        error: of a class of the standard library or of this module.
        text: what `str()` returns.
        url, method, host, port, stage: the attributes.
    """
    arguments: Any = error.__reduce__()[1]
    about = {"url": url, "method": method, "host": host, "port": port, "stage": stage, "_text": text}
    made = _fetch_error(type(error), arguments, error.args, vars(error) | about)
    if isinstance(error, OSError) and isinstance(made, OSError):
        made.strerror = error.strerror
    made.__cause__, made.__context__ = error.__cause__, error.__context__
    made.__suppress_context__ = error.__suppress_context__
    return made.with_traceback(error.__traceback__)


def again(error: Exception) -> Exception:
    """Return a copy of an error without its traceback, to be raised once more.

    One object raised many times would collect all tracebacks, and keep their frames alive.
    """
    try:
        return copy.copy(error)
    except Exception:  # an exception class with a constructor of its own
        return error
