"""Everything that hyperlite raises, and nothing else.

Old `except` clauses keep working: each error is an `http.client.HTTPException`, and where the
standard library has a class for the same trouble, it is that class too::

    http.client.HTTPException
    └── HTTP2Error                    error_code, stream_id, retry_safe
        ├── ConnectionLost            is a RemoteDisconnected (ConnectionResetError): the socket ended
        │   └── ConnectionGoingAway   GOAWAY: the server took no notice of this request
        ├── ProtocolError             the peer broke HTTP/2: the whole connection is closed
        │   ├── NotHTTP2              the peer speaks something else
        │   └── NotHTTP1              is a BadStatusLine: it speaks HTTP/2 alone, or wants TLS
        ├── StreamReset               is a ConnectionResetError: one stream ended, its siblings live on
        │   └── MalformedResponse     the response broke HTTP; we reset its stream
        ├── IncompleteBody            is an IncompleteRead: the body ended before its end
        │   └── BodyReset             is a StreamReset: because its stream was reset
        │       └── MalformedBody     is a MalformedResponse: because it broke HTTP
        ├── RequestTimeout            is a TimeoutError
        ├── BufferLimitExceeded       more lies unread than max_buffered allows
        ├── InadequateSecurity        is an ssl.SSLError: HTTP/2 over a cipher that RFC 9113 forbids
        ├── DecodingError             the body is not what its content coding says
        │   └── BodyTooLarge          it would be longer than max_body allows
        └── RedirectError             a redirect that is not followed; it carries the response
            └── TooManyRedirects

Wrong arguments raise what http.client raises for them: ValueError, TypeError, InvalidURL,
and calls out of order CannotSendRequest or ResponseNotReady.
"""

import copy
import enum
import errno
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
    "HTTP2Error",
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
    """Return the RFC's name of an error code, or its number in hexadecimal where it has none."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error code {code:#x}"


class HTTP2Error(http_client.HTTPException):
    """The base of every error of hyperlite's own.

    Attributes:
        error_code: the HTTP/2 error code (RFC 9113 section 7) that was received or sent, or None.
        stream_id: the id that `request()` returned, where the error belongs to one request, or None.
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
        """Return a copy that speaks of one request: a failed connection fails each of its streams so."""
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
    """The peer answered in another protocol, or did not choose HTTP/2 where no other may be spoken."""


class NotHTTP1(ProtocolError, http_client.BadStatusLine):
    """The peer answered an HTTP/1.1 request in HTTP/2, or in TLS: the port takes nothing else.

    Attributes:
        line: what the answer began with.
    """

    line: str


class StreamReset(HTTP2Error, ConnectionResetError):
    """A stream was reset by RST_STREAM (RFC 9113 section 6.4); other streams are unharmed."""

    errno: int | None = errno.ECONNRESET  # by which xmlrpc.client knows what may be tried again


class MalformedResponse(StreamReset):
    """The response broke a rule of HTTP (RFC 9113 section 8.1.1), and its stream was reset."""

    errno = None  # it would only come again


class IncompleteBody(HTTP2Error, http_client.IncompleteRead):
    """The body ended before its end.

    Attributes:
        partial: what `read()` had collected of it, as on any `http.client.IncompleteRead`.
        expected: how many bytes were still to come, or None where no length was announced.
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

    __str__ = HTTP2Error.__str__


class BodyReset(IncompleteBody, StreamReset):
    """The stream was reset before the body's end; `partial` has what `read()` had collected."""


class MalformedBody(BodyReset, MalformedResponse):
    """The body, or what followed it, broke a rule of HTTP; `partial` has what `read()` had collected."""


class RequestTimeout(HTTP2Error, TimeoutError):
    """Something did not happen within its timeout, or before a deadline."""


class BufferLimitExceeded(HTTP2Error):
    """Progress would need more unread data in memory than `max_buffered` bytes."""


class InadequateSecurity(HTTP2Error, ssl.SSLError):
    """HTTP/2 was negotiated with a TLS version or cipher that RFC 9113 section 9.2 forbids."""


class DecodingError(HTTP2Error):
    """A body's content coding cannot be undone: it is damaged, cut short, or one of too many."""


class BodyTooLarge(DecodingError):
    """A body would be longer than `max_body` bytes; read it in pieces, or pass a larger bound."""


class RedirectError(HTTP2Error):
    """A redirect is not followed: it leads from https to http, to no http at all, or the body is spent.

    Attributes:
        response: the redirect, as a FetchResponse.
    """

    response: Any = None


class TooManyRedirects(RedirectError):
    """A redirect is not followed because `redirects` of them were followed before."""


def again(error: Exception) -> Exception:
    """Return a copy of an error without its traceback, to be raised once more.

    One object raised many times would gather the tracebacks of all, and keep their frames alive.
    """
    try:
        return copy.copy(error)
    except Exception:  # an exception class with a constructor of its own
        return error
