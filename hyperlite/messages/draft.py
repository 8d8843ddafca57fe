"""A request that is put together in http.client's steps: putrequest(), putheader(), endheaders().

::

    Draft ── put() ──> Draft ── request() ──> PutRequest ── send() … ──> its framing shows the end

Rule: a part is checked when it comes.  If it is wrong, the draft stays as it was.
"""

import http.client as http_client
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from .announced import NOTHING, Announced
from .chunked import Dechunker
from .fields import Field, HeaderValue, asks_for_upgrade, name_bytes, request_fields, value_bytes
from .request import UNSET, Request, framed, split_body

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Draft:
    """The head of a request that was begun and not sent.

    Args:
        method, url: as for `Request`.
        scheme, authority: of the connection's origin.
        skip_host: the caller puts `Host`; if it does not, the request is still for `authority`.
        skip_accept_encoding: no `Accept-Encoding: identity` is added.

    Raises:
        ValueError, http.client.InvalidURL: the method or the URL may not be sent.
    """

    __slots__ = ("_authority", "_method", "_put", "_scheme", "_skip_host", "_url")

    def __init__(
        self,
        method: str,
        url: str,
        scheme: bytes,
        authority: bytes,
        *,
        skip_host: bool = False,
        skip_accept_encoding: bool = False,
    ) -> None:
        request_fields(method, url, scheme, authority, ())  # which checks them
        self._method, self._url = method, url
        self._scheme, self._authority = scheme, authority
        self._skip_host = skip_host
        self._put: list[tuple[str | bytes, Field]] = []  # each name as the caller spells it, and the field
        if not skip_accept_encoding:
            self.put("Accept-Encoding", "identity")

    def put(self, name: str | bytes, *values: HeaderValue) -> None:
        """Add a header field; several values become one, with spaces between them.

        Raises:
            ValueError: the field may not be sent, or contradicts an earlier one.
            TypeError: the name or a value is of a wrong type.
        """
        field = name_bytes(name), value_bytes(b" ".join([value_bytes(value) for value in values]))
        if field[0] == b"host":
            if not self._skip_host:
                raise ValueError("putrequest() has put Host already: skip_host=True leaves it to putheader()")
            if any(known == b"host" for _, (known, _) in self._put):
                raise ValueError("a second Host: servers differ in which of two they believe")
        elif field[0] in _FRAMING:
            framed([*(known for _, known in self._put), field])
        self._put.append((name, field))

    def request(
        self, body: Any, blocksize: int, *, encode_chunked: bool, deadline: float | None
    ) -> "PutRequest":
        """Return the request; the draft is as it was before.

        Args:
            body, encode_chunked: as for `endheaders()`.
            blocksize: bytes of a file to read at a time.
            deadline: as for `Request`.

        Raises:
            As `PutRequest`.
        """
        return PutRequest(
            self._method,
            self._url,
            self._put,
            self._scheme,
            self._authority,
            body,
            blocksize,
            encode_chunked=encode_chunked,
            deadline=deadline,
        )


class PutRequest(Request):
    """A request with the fields that the caller has put and those that http.client's `putrequest()` adds.

    Its header fields announce the body: a length, or chunks that the caller frames by hand.  `send()` gives
    the rest of the body, and the framing shows where it ends.  A body that was not announced must be given
    whole.  If it is in memory it gets a content-length, without which an HTTP/1.1 server would not see it.

    Args:
        put: for each field, its name as the caller has spelled it, and the checked field.
        body: the whole body, or its beginning; None: there is none yet.
        encode_chunked: `body` is the whole body, and is not in chunks.
        Others: as for `Request`.

    Raises:
        http.client.CannotSendRequest: the body is longer than its content-length.
        ValueError: the fields say that the body is in chunks, and it is not.
        TypeError: `body` cannot be a body.
    """

    needs_end = False

    __slots__ = ()

    def __init__(
        self,
        method: str,
        url: str,
        put: list[tuple[str | bytes, Field]],
        scheme: bytes,
        authority: bytes,
        body: Any,
        blocksize: int,
        *,
        encode_chunked: bool,
        deadline: float | None,
    ) -> None:
        self.method: str = method
        self.url: str = url or "/"
        self.headers: Sequence[tuple[str | bytes, HeaderValue]] = [(name, value) for name, (_, value) in put]
        self.checked: list[Field] = [field for _, field in put]
        self.trailers: list[Field] = []
        self.timeout: Any = UNSET
        self.deadline: float | None = deadline
        given, length, chunked = framed(self.checked)
        self.expects = False
        self.upgrades: bool = asks_for_upgrade(self.checked)
        by_hand = chunked and not (encode_chunked and body is not None)
        self.body, pieces = split_body(body, blocksize)
        self.pieces: Iterator[bytes | memoryview] | None = pieces
        self.open: bool = by_hand or (length is not None and self.pieces is not None)
        if by_hand:
            self._take_chunks()
        elif length is not None and self.pieces is None:
            self.open = len(self.body or b"") < length  # what is missing comes by `send()`
            if not self.open:
                self._announce(length)
        elif self.body is not None and not chunked:
            given = [*given, (b"content-length", b"%d" % len(self.body))]
        self.announced: Announced = Announced(length, chunked=by_hand) if self.open else NOTHING
        if self.open:
            self.body, self.pieces, self.trailers = None, iter(()), self.announced.trailers
        self._look_ahead(given, dict(given))
        self.fields: list[Field] = request_fields(method, url, scheme, authority, given)

    def _take_chunks(self) -> None:
        """Unwrap a body in chunks if it is whole and in memory; otherwise pass it to `send()`."""
        if self.body is not None:
            chunks = Dechunker()
            parts = chunks.take(self.body)
            if chunks.done and not chunks.trailers:  # which the head would have to announce on HTTP/1.1
                self.body, self.open = b"".join(parts), False


class Drafts(threading.local):
    """The request that each thread has begun and not sent. It disappears with its thread."""

    draft: Draft | None = None

    def refuse_another(self) -> None:
        """Raise CannotSendRequest if this thread has begun a request."""
        if self.draft is not None:
            raise http_client.CannotSendRequest(
                "this thread has begun a request with putrequest(): endheaders() sends it, cancel() drops it"
            )
