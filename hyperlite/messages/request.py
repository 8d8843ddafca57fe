"""A caller's request, checked once, in a form that either protocol can send, and send again.

The rules are those of http.client's `request()`: which header fields it adds by itself, which
objects are bodies, and when the length of a body is known.
"""

import http.client as http_client
import io
from collections.abc import Container, Iterator, Sequence
from typing import Any

from .announced import NOTHING, Announced
from .chunked import unwrap
from .fields import (
    PATH,
    Field,
    Headers,
    HeaderValue,
    asks_for_upgrade,
    header_fields,
    header_items,
    request_fields,
    target_bytes,
    trailer_fields,
)

# As http.client: bodies are expected with these methods, so their absence is stated too.
_METHODS_EXPECTING_BODY = frozenset({"PATCH", "POST", "PUT"})
# Methods that may be repeated although the request may have been processed (RFC 9110 section 9.2.1: safe).
SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

# Seconds to wait for 100 Continue before the body is sent without it
# (RFC 9110 section 10.1.1 has no number). curl waits 1 s, and so do most users of Go's ExpectContinueTimeout.
EXPECT_WAIT = 1.0

# The timeout of a request that has none of its own: the connection's.
UNSET: Any = object()
# How urgent a response is (RFC 9218): 0 (most) to 7, alone or with whether an incomplete response is of use.
Priority = int | tuple[int, bool]

# Digits of a content-length: no body is longer than 2 ** 63 bytes.
MAX_LENGTH_DIGITS = 19

_CONTINUE = b"100-continue"
_ACCEPT_ENCODING = (b"accept-encoding", b"identity")
_NONE: list[Field] = []  # shared by all requests; it stays empty
_USUAL = [_ACCEPT_ENCODING]


class Request:
    """One request to one origin.

    Attributes:
        method, url: as the caller gave them; an empty URL becomes "/", as in http.client.
        headers: the caller's (name, value) pairs, as they were when the request was made.
        announced: counts a body that is not in memory, and compares it with the header fields.
        checked: the same pairs in the same order, checked and encoded.
        bare: nothing follows the header block.
        fields: the HTTP/2 field list.
        body: the whole body, if it is in memory; such a request can be sent again.
        pieces: the body piece by piece, if it is a file or an iterable; it can be sent once.
        open: the body is to come by `send()`, and its end by `end()`.
        expects: the body is to wait for 100 Continue (RFC 9110 section 10.1.1), and has not been asked for.
        trailers: the fields that are sent behind the body.
        upgrades: it asks to go on in another protocol, so it is sent over HTTP/1.1.
        timeout: seconds that each step may last, None for no limit; `UNSET`: the connection's.
        deadline: the monotonic time by which the whole exchange must be over, or None.
        needs_end: the caller ends the body by `end()`, also where its length or its last chunk shows the end.
    """

    needs_end = True

    __slots__ = (
        "announced",
        "bare",
        "body",
        "checked",
        "deadline",
        "expects",
        "fields",
        "headers",
        "method",
        "open",
        "pieces",
        "timeout",
        "trailers",
        "upgrades",
        "url",
    )

    def __init__(
        self,
        method: str,
        url: str,
        body: Any,
        headers: Headers,
        scheme: bytes,
        authority: bytes,
        blocksize: int,
        encode_chunked: bool = False,
        end_stream: bool = True,
        trailers: Headers | None = None,
        priority: Priority | None = None,
        timeout: Any = UNSET,
        deadline: float | None = None,
    ) -> None:
        self.method: str = method
        self.url: str = url or "/"
        self.trailers: list[Field] = _NONE
        self.expects: bool = False
        self.open: bool = False
        self.upgrades: bool = False
        self.timeout: Any = timeout
        self.deadline: float | None = deadline
        self.headers: Sequence[tuple[str | bytes, HeaderValue]] = _NONE
        self.checked: list[Field] = _NONE
        given = self.checked
        if headers is not NO_HEADERS:
            self.headers = items = header_items(headers)
            given = self.checked = header_fields(items)
        if priority is not None:
            given = [*given, (b"priority", priority_value(priority))]
        self.body: bytes | None = None
        self.pieces: Iterator[bytes | memoryview] | None = None
        self.announced: Announced = NOTHING
        self.bare: bool = body is None and end_stream and trailers is None
        if self.bare and method == "GET" and not given:
            given = _USUAL
        else:
            names = dict(given)
            if b"upgrade" in names:
                self.upgrades = asks_for_upgrade(given)
            length, chunked = None, False
            if b"content-length" in names or b"transfer-encoding" in names:
                given, length, chunked = framed(given)
            if not self.bare:
                self.open = not end_stream
                self.trailers = [] if trailers is None else trailer_fields(trailers)
                self._add_body(body, given, names, blocksize, by_hand=chunked and not encode_chunked)
            if length is not None:
                self._announce(length)
            given = self._added(names) + given
        self.fields: list[Field] = request_fields(method, url, scheme, authority, given)

    def _add_body(
        self, body: Any, given: list[Field], names: Container[bytes], blocksize: int, *, by_hand: bool
    ) -> None:
        """Take the body."""
        if self.open:
            if body is not None:
                raise ValueError("with end_stream=False send() gives the body: pass none to request()")
            self.pieces = iter(())
        elif body is not None:
            self.body, self.pieces = split_body(body, blocksize)
            if by_hand:  # in chunks, as http.client has it: without encode_chunked the caller has framed them
                self._unwrap()
        self._look_ahead(given, names)

    def _look_ahead(self, given: list[Field], names: Container[bytes]) -> None:
        """Set whether something follows the header block, and whether it waits for 100 Continue."""
        follows = bool(self.body) or self.pieces is not None
        if b"expect" in names and follows:
            self.expects = any(name == b"expect" and value.lower() == _CONTINUE for name, value in given)
        self.bare = not (follows or self.trailers)

    def _announce(self, length: int) -> None:
        """Have the body counted against the length that the caller has stated, if it is not in chunks."""
        if self.pieces is not None:
            self.announced = Announced(length)
        elif len(self.body or b"") != length:
            raise http_client.CannotSendRequest(
                f"the body has {len(self.body or b'')} bytes, and its content-length says {length}"
            )

    def _unwrap(self) -> None:
        """Take a body out of its chunks."""
        if self.body is not None:
            self.body = b"".join(unwrap([self.body], self.trailers))
        elif self.pieces is not None:
            self.pieces = unwrap(self.pieces, self.trailers)

    @classmethod
    def from_fields(
        cls, method: str, url: str, headers: list[Field], *, scheme: bytes, authority: bytes
    ) -> "Request":
        """Return a request whose header fields are complete and checked, and whose body is written later.

        Raises:
            ValueError: as `framed`.
        """
        self = cls.__new__(cls)
        self.method = method
        self.url = url or "/"
        self.bare = False
        self.body = None
        self.pieces = iter(())
        headers, length, chunked = framed(headers)
        self.announced = Announced(length, chunked=chunked)
        self.open = True
        self.expects = self.upgrades = False
        self.trailers = self.announced.trailers
        self.timeout = UNSET
        self.deadline = None
        self.fields = request_fields(method, url, scheme, authority, headers)
        return self

    def complete(self, body: bytes | None) -> None:
        """Take the whole body that was to be written later: it, or the header block, ends the stream."""
        self.body, self.pieces = body, None
        self.bare = not (body or self.trailers)

    def like(self, url: str) -> "Request":
        """Return the same request, which has no body, for another target of the same origin.

        Raises:
            http.client.InvalidURL, UnicodeEncodeError: the target may not be sent.
        """
        path = target_bytes(url or "/")
        other = Request.__new__(Request)
        other.method, other.url = self.method, url or "/"
        other.headers, other.checked = self.headers, self.checked
        other.bare, other.body, other.pieces, other.trailers = True, None, None, _NONE
        other.announced = NOTHING
        other.open = other.expects = False
        other.upgrades = self.upgrades
        other.timeout, other.deadline = self.timeout, self.deadline
        other.fields = fields = self.fields.copy()
        fields[PATH] = b":path", path
        return other

    @classmethod
    def promised(cls, fields: list[Field]) -> "Request":
        """Return the request of a push (RFC 9113 section 8.4)."""
        pseudo = dict(fields[:4])
        self = cls.from_fields(pseudo[b":method"].decode("ascii"), "/", [], scheme=b"https", authority=b"")
        self.url = pseudo[b":path"].decode("latin-1")
        self.fields = fields
        return self

    @property
    def repeatable(self) -> bool:
        """Whether the request can be sent more than once."""
        return self.pieces is None

    def _added(self, names: Container[bytes]) -> list[Field]:
        """Return the fields that http.client adds by itself to those of these names."""
        added: list[Field] = []
        if b"accept-encoding" not in names:
            added.append(_ACCEPT_ENCODING)
        if b"content-length" not in names and b"transfer-encoding" not in names and self.pieces is None:
            if self.body is not None:
                added.append((b"content-length", b"%d" % len(self.body)))
            elif str(self.method).upper() in _METHODS_EXPECTING_BODY:
                added.append((b"content-length", b"0"))
        return added


def priority_value(priority: Priority) -> bytes:
    """Return the value of the `priority` field (RFC 9218 section 4); ValueError for an urgency above 7."""
    urgency, incremental = priority if isinstance(priority, tuple) else (priority, False)
    if not isinstance(urgency, int):
        raise TypeError(f"an urgency is int, not {type(urgency).__name__}")
    if not 0 <= urgency <= 7:
        raise ValueError(f"urgency {urgency} is not between 0 and 7 (RFC 9218 section 4.1)")
    return b"u=%d%b" % (urgency, b", i" if incremental else b"")


def framed(fields: list[Field]) -> tuple[list[Field], int | None, bool]:
    """Return a request's fields, the length of the body that they announce, and whether it is in chunks.

    Servers differ in which of two lengths they believe, and whether they believe chunks or a length.  With
    the wrong one they take a part of the body for the next request (RFC 9112 section 11.2).  Of lengths that
    agree, one is kept (RFC 9110 section 8.6).

    Raises:
        ValueError: a length is no number, two contradict each other, or one comes beside chunks; or there
            is a transfer coding other than one `chunked` (RFC 9112 section 6.1).
    """
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    for value in lengths:
        if not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
            raise ValueError(f"content-length {value[:40]!r} is no number")
    if codings and [value.lower() for value in codings] != [b"chunked"]:
        raise ValueError(f"transfer-encoding {b', '.join(codings)[:100]!r}: a request has chunked, or none")
    if not lengths:
        return fields, None, bool(codings)
    if codings:
        raise ValueError("a content-length and chunks among the headers: the body can have one of them")
    length = int(lengths[0])
    if any(int(value) != length for value in lengths):
        raise ValueError(f"content-length {b', '.join(lengths)[:100]!r}: the values contradict each other")
    if len(lengths) > 1:
        fields = [field for field in fields if field[0] != b"content-length"]
        fields.append((b"content-length", lengths[0]))
    return fields, length, False


# Classes of bodies that can be sent repeatedly.
IN_MEMORY = (bytes, str, bytearray, memoryview)


def split_body(body: Any, blocksize: int) -> tuple[bytes | None, Iterator[bytes | memoryview] | None]:
    """Return a body as (bytes, None) or (None, pieces); (None, None) if there is none."""
    if body is None:
        return None, None
    if isinstance(body, bytes):
        return body, None
    if isinstance(body, str):
        return _encode(body), None
    if hasattr(body, "read"):
        return None, _blocks(body, blocksize)
    try:
        return bytes(memoryview(body)), None  # a copy: the caller may change it before it is sent again
    except TypeError:
        pass
    try:
        return None, _pieces(iter(body))
    except TypeError:
        raise TypeError(
            f"body should be a bytes-like object, a str, a file or an iterable of bytes, not {type(body)!r}"
        ) from None


def _encode(text: str) -> bytes:
    """Encode a str body in Latin-1, as http.client does; otherwise raise."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise UnicodeEncodeError(
            error.encoding,
            error.object,
            error.start,
            error.end,
            f"body ({text[error.start : error.end]:.20}) is not valid Latin-1. "
            f"Use body.encode('utf-8') if you want to send it encoded in UTF-8.",
        ) from None


def _blocks(file: Any, blocksize: int) -> Iterator[bytes]:
    """Read a file to its end; text as Latin-1, as http.client does."""
    is_text = isinstance(file, io.TextIOBase)
    while block := file.read(blocksize):
        try:
            yield block.encode("latin-1") if is_text else block
        except UnicodeEncodeError as error:
            error.reason = 'the body is a text file, which goes out as Latin-1: open it in binary mode ("rb")'
            raise


def _pieces(parts: Iterator[Any]) -> Iterator[memoryview]:
    for part in parts:
        try:
            yield memoryview(part).cast("B")
        except TypeError:
            raise TypeError(f"a piece of the body should be bytes-like, not {type(part)!r}") from None


# http.client's own default is a mutable {}; this one must not change.
NO_HEADERS: Headers = http_client.HTTPMessage()
