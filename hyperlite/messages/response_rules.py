"""What makes a response valid: one `Message` per stream, the same for every engine (RFC 9113 section 8.1).

A `Message` takes what arrives on its stream and raises `MalformedResponse` if that makes no valid response.
This is a *stream* error: the engine resets the stream, and the other streams go on.

::

        1xx                     final header block              trailers or END_STREAM
    ┌────────┐  ┌─────────┐ ────────────────────> ┌──────┐ ─────────────────────────> ┌──────┐
    └────────┴> │ WAITING │                       │ BODY │                            │ DONE │
                └─────────┘ ──────────────────────┴──────┴── END_STREAM ────────────> └──────┘

Rule: only this file decides whether a response is complete.
"""

import enum
from collections.abc import Sequence

from ..errors import ErrorCode, MalformedResponse
from .fields import CONNECTION_FIELDS, Field, is_field_name, is_response_value

# A server may send any number of 1xx responses; each costs us a header block and some memory.
# Go gives up when their size exceeds the header limit, urllib3 never. No real use needs 100.
MAX_INFORMATIONAL = 100
# Bytes of all the 1xx responses before one response; on HTTP/1.1 also of the trailer fields behind it. As
# many as one header block may have on HTTP/2, where RFC 9113 section 10.5.1 says how they are measured.
MAX_KEPT = 256 << 10
# Bytes of all the fields that belong to one promised response, by the same measure: those of the request that
# the peer answers unasked, and those of the answer. The peer alone decides how many such responses there are.
MAX_PUSHED_FIELDS = 16 << 10
# Fields of one header block. http.client reads 100, curl 5,000 in a response, nghttp2 no number.
MAX_FIELDS = 1000

# Statuses whose responses never have a body (RFC 9110 sections 15.3.5 and 15.4.5).
_NO_BODY = (204, 304)
# Three digits, the first of which is not 0 (RFC 9110 section 15).
_STATUSES = {b"%d" % status: status for status in range(100, 1000)}


class Block(enum.Enum):
    """The kinds of header blocks."""

    INFORMATIONAL = "1xx"
    RESPONSE = "response"
    TRAILERS = "trailers"


class _State(enum.Enum):
    WAITING = "waiting for the final header block"
    BODY = "reading the body"
    DONE = "complete"


# Module-level names: looking a member up in its class takes as long as the rest of a check.
_WAITING, _BODY, _DONE = _State


class Message:
    """Checks one response.

    Attributes:
        complete: whether the whole response has been seen.
        status: the final status code, 0 until it came.
        length: bytes of the body; 0 if no body may follow, None if no length was announced.

    Args:
        head: the request's method was HEAD, so no body may follow whatever the fields say.
        max_fields: how many fields one header block may have.
        promise: the fields of the request, if the peer answers it unasked.
    """

    __slots__ = (
        "_head",
        "_informational",
        "_kept",
        "_max_fields",
        "_pushed",
        "_received",
        "_state",
        "complete",
        "length",
        "status",
    )

    def __init__(
        self, head: bool = False, max_fields: int = MAX_FIELDS, promise: Sequence[Field] | None = None
    ) -> None:
        self.status: int = 0
        self._head = head
        self._max_fields = max_fields
        self._state = _WAITING
        self._informational = 0
        self._kept = (
            0 if promise is None else field_size(promise)
        )  # bytes of 1xx fields; of a push, of all fields
        self._pushed = promise is not None
        self._received = 0
        self.complete: bool = False
        self.length: int | None = None

    @property
    def room(self) -> int | None:
        """How many bytes of the body may still come now; None: the length was not announced."""
        if self._state is not _BODY:
            return 0
        return None if self.length is None else self.length - self._received

    def check_block(self, *, end_stream: bool) -> None:
        """Raise MalformedResponse if no header block may come now; called before the block is decoded."""
        if self._state is _DONE:
            raise _malformed("a header block after END_STREAM", ErrorCode.STREAM_CLOSED)
        if self._state is _BODY and not end_stream:
            raise _malformed("a second header block that does not end the stream")

    def block(self, fields: Sequence[Field], *, end_stream: bool, regular: bool = False) -> Block:
        """Take a header block and return its kind; MalformedResponse if it is invalid here."""
        if self._state is not _WAITING:
            self.check_block(end_stream=end_stream)
        if len(fields) > self._max_fields:
            raise _malformed(
                f"more than {self._max_fields} header fields (max_response_headers)",
                ErrorCode.ENHANCE_YOUR_CALM,
            )
        if self._pushed:
            self._keep(fields, MAX_PUSHED_FIELDS, "fields of a promised response")
        if self._state is _BODY:
            _check_fields(fields)
            self._end()
            return Block.TRAILERS
        status, announced = _judge(fields, regular)
        if status < 200:
            return self._inform(status, fields, end_stream)
        self.status = status
        self.length = announced if not self._head and status not in _NO_BODY else 0
        self._state = _BODY
        if end_stream:
            self._end(headers_only=True)
        return Block.RESPONSE

    def data(self, size: int, *, end_stream: bool) -> None:
        """Take `size` bytes of the body; MalformedResponse if they contradict the announced length."""
        if self._state is not _BODY:
            if self._state is _WAITING:
                raise _malformed("DATA before the response's header block")
            raise _malformed("DATA after END_STREAM", ErrorCode.STREAM_CLOSED)
        self._received = received = self._received + size
        if self.length is not None and received > self.length:
            if self._head or self.status in _NO_BODY:
                raise _malformed(f"a body in answer to {'HEAD' if self._head else f'status {self.status}'}")
            raise _malformed(f"more body than content-length: {self.length} announced")
        if end_stream:
            self._end()

    def _inform(self, status: int, fields: Sequence[Field], end_stream: bool) -> Block:
        self._informational += 1
        if self._informational > MAX_INFORMATIONAL:
            raise _malformed(f"more than {MAX_INFORMATIONAL} 1xx responses", ErrorCode.ENHANCE_YOUR_CALM)
        if not self._pushed:
            self._keep(fields, MAX_KEPT, "1xx responses")
        if end_stream:
            raise _malformed(f"the stream ended with an informational response ({status})")
        if status == 101:
            raise _malformed("101 Switching Protocols on HTTP/2 (RFC 9113 section 8.6)")
        return Block.INFORMATIONAL

    def _keep(self, fields: Sequence[Field], limit: int, what: str) -> None:
        """Count the bytes of fields that are kept although the caller may never read them."""
        self._kept += field_size(fields)
        if self._kept > limit:
            raise _malformed(f"more than {limit} bytes of {what}", ErrorCode.ENHANCE_YOUR_CALM)

    def _end(self, *, headers_only: bool = False) -> None:
        if self.length is not None and self._received < self.length:
            where = "END_STREAM with the header block" if headers_only else "END_STREAM"
            raise _malformed(f"{where} after {self._received} of {self.length} bytes of content-length")
        self._state = _DONE
        self.complete = True


def field_size(fields: Sequence[Field]) -> int:
    """Return how large a list of fields is by the measure of RFC 9113 section 10.5.1."""
    return sum(len(name) + len(value) + 32 for name, value in fields)


def _malformed(reason: str, error_code: ErrorCode = ErrorCode.PROTOCOL_ERROR) -> MalformedResponse:
    return MalformedResponse(f"malformed response: {reason}", error_code=error_code)


# The fields that were checked last: an engine may give the same list for the same block.
_judged: tuple[Sequence[Field], int, int | None] = ((), 0, None)


def _judge(fields: Sequence[Field], regular: bool) -> tuple[int, int | None]:
    """Return the status and the announced length of a response with these fields."""
    global _judged  # noqa: PLW0603  shared by all threads: the tuple is replaced as a whole
    last, status, announced = _judged
    if fields is not last:
        status = _status(fields)
        if not regular:
            _check_fields(fields[1:])
        announced = content_length(fields)
        _judged = fields, status, announced
    return status, announced


def _status(fields: Sequence[Field]) -> int:
    """Return the status code, in the one pseudo-header field of a response (RFC 9113, 8.3.2)."""
    if not fields or fields[0][0] != b":status":
        raise _malformed("no :status at the start of the header block")
    status = _STATUSES.get(fields[0][1])
    if status is None:
        raise _malformed(f"status {bytes(fields[0][1])!r}")
    return status


def is_regular_name(name: bytes) -> bool:
    """Tell whether a response may have a regular field of this name (RFC 9113 sections 8.2.1 and 8.2.2)."""
    return is_field_name(name) is not None and name not in CONNECTION_FIELDS


def _check_fields(fields: Sequence[Field]) -> None:
    """Check regular fields against RFC 9113 sections 8.2.1, 8.2.2 and 8.3."""
    for name, value in fields:
        if not is_regular_name(name):
            if name in CONNECTION_FIELDS:
                raise _malformed(f"connection-specific field {bytes(name)!r} (RFC 9113 section 8.2.2)")
            if name.startswith(b":"):
                raise _malformed(f"pseudo-header field {bytes(name)!r} out of place")
            raise _malformed(f"field name {bytes(name)!r}")
        if not is_response_value(value):
            raise _malformed(f"value of field {bytes(name)!r}: {bytes(value)!r}")


def content_length(fields: Sequence[Field]) -> int | None:
    """Return the announced length; repeats of one number are one number (RFC 9110 section 8.6).

    Raises MalformedResponse for a value that is no number, or for different numbers.
    """
    length: int | None = None
    for name, value in fields:
        if name != b"content-length":
            continue
        if length is None and value.isdigit() and len(value) <= 19:  # nearly always
            length = int(value)
            continue
        for part in value.split(b","):
            digits = part.strip(b" \t")
            if not digits.isdigit() or len(digits) > 19:
                raise _malformed(f"content-length {bytes(value)!r}")
            number = int(digits)
            if length is not None and length != number:
                raise _malformed(f"two values of content-length: {length} and {number}")
            length = number
    return length


def is_promise(fields: Sequence[Field]) -> bool:
    """Tell whether a peer may promise to answer such a request (RFC 9113 section 8.4): a safe one, whole."""
    pseudo = dict(fields[:4])
    regular = fields[4:]
    return (
        pseudo.keys() == {b":method", b":scheme", b":authority", b":path"}
        and pseudo[b":method"] in (b"GET", b"HEAD")
        and all(is_field_name(name) and is_response_value(value) for name, value in regular)
        and all(is_response_value(value) for value in pseudo.values())
    )
