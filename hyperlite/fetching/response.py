"""The result of fetch()."""

import contextlib
import http.client as http_client
import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import BodyTooLarge, HTTPStatusError, again
from ..messages.fields import Header, to_message
from ..messages.request import IN_MEMORY
from ..messages.response import VERSIONS, HTTP20Response
from ..messages.urls import URL
from ..origins.lease import Lease
from . import charsets, decoding
from .failures import Stage, named
from .kept import Head, KeptResponse
from .request import FetchRequest

# Method, header fields and body of a request.
Asked = tuple[str, list[Header], Any]
# Bytes that iteration yields at a time.
PIECE = 65536


class FetchResponse:
    """The answer to `fetch()`.

    Attributes:
        status: the status code.
        reason: the standard phrase for it; on HTTP/1.1 what the server sent.
        headers: an `http.client.HTTPMessage`: asked for by names in any case, repeats kept. It shows names as
            the server has sent them, on HTTP/2 in lower case.
        url: its URL, after redirects and with the request's fragment, without credentials.
        history: the redirects that led to it, oldest first, each a FetchResponse.
        http_version: "HTTP/2", "HTTP/1.1" or "HTTP/1.0".
        elapsed: seconds from the call to the whole response; with `stream=True`, to its header.
        raw: the `HTTP20Response` beneath, for its other attributes: `trailers`, `informational`, ….
        request: what was asked, as a FetchRequest: after redirects, the last request.
        ok: whether the status is below 400.
        links: the Link fields, by relation.

    One that is not being streamed can be pickled and copied; the other one then has no connection.

    With `stream=True`, `read()` and iteration read the body from the network, each from where the last one
    stopped; or `body` reads all of it. Then `close()`, or the end of a `with` block, gives the connection
    back. A body is never cut short without an error: `body` raises after a part was read, iteration raises
    after the end, and both raise after a failure or after `close()`.
    """

    # Defaults that nearly all responses keep, and that are not set in each.
    elapsed: float = 0.0
    _headers: http_client.HTTPMessage | None = None
    _begun = False  # a part of the body was handed out by read()
    _ended = False  # the rest was handed out as well
    _failure: Exception | None = None  # the error that further reads raise
    _unpacked: Callable[[int], bytes] | None = None  # reads and decodes the body

    def __init__(
        self,
        raw: HTTP20Response,
        *,
        asked: Asked,
        url: URL,
        history: "list[FetchResponse]",
        decode: bool,
        max_body: int,
        lease: Lease | None = None,
        whole: bytes | None = None,
    ) -> None:
        self.raw = raw
        self.status: int = raw.status
        self._asked = asked
        self._url = url
        self.history = history
        self._max_body = max_body
        self._lease = lease
        self._body = whole
        self._length = raw.length
        self._from_raw = whole is None
        if decode and (coding := _coding(raw)):
            try:
                self._unpack(coding)
            except BaseException as error:
                raise self.fail(error) from error.__cause__
        if self._body is not None and len(self._body) > max_body:
            raise self._too_large()

    def _unpack(self, coding: str) -> None:
        """Have the body decoded when it is read."""
        source = self.raw.read if self._body is None else io.BytesIO(self._body).read
        self._unpacked = decoding.decoder(coding, source)
        if self._unpacked is not None:
            self._body = None

    @property
    def url(self) -> str:
        """The URL that it came from, without credentials."""
        return str(self._url)

    @property
    def reason(self) -> str:
        """The standard phrase for the status; on HTTP/1.1 the server's."""
        return self.raw.reason

    @property
    def headers(self) -> http_client.HTTPMessage:
        """The header fields, their names as the server has sent them: on HTTP/2 in lower case."""
        if self._headers is None:
            stream = self.raw._stream
            self._headers = self.raw.headers if stream is None else to_message(stream.inbox.fields)
        return self._headers

    @property
    def http_version(self) -> str:
        """The protocol of the response: "HTTP/2", "HTTP/1.1" or "HTTP/1.0"."""
        return VERSIONS.get(self.raw.version, "HTTP/1.1")

    @property
    def request(self) -> FetchRequest:
        """What was asked, as it was sent: after redirects, the last request."""
        method, headers, body = self._asked
        return FetchRequest(self.url, method, headers=list(headers), body=body)

    @property
    def ok(self) -> bool:
        """Whether the status is below 400: no error of the client's, and none of the server's."""
        return self.status < 400

    def raise_for_status(self) -> "FetchResponse":
        """Return this response; HTTPStatusError, which has it as `response`, if the status is 400 or more."""
        if self.ok:
            return self
        error = HTTPStatusError(f"{self.status} {self.reason}".rstrip())
        error.response = self
        raise self._named(error)

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """The links of the Link fields (RFC 8288), by relation: `links["next"]["url"]` is absolute.

        Each has its `url` and its parameters (`title`, …). Of several with one relation the first counts.
        """
        from .links import links  # noqa: PLC0415  few programs ask for them

        return links(self.headers.get_all("link", ()), self._url)

    # -- the body ---------------------------------------------------------------------------------

    @property
    def body(self) -> bytes:
        """The whole body, decoded from its content coding (unless `decode=False`).

        Raises:
            ValueError: a part of it was read by `read()`, iteration or `raw`, or it was closed unread.
            DecodingError: it is not valid in its coding. BodyTooLarge: it exceeds `max_body`.
            HTTP2Error, OSError: the connection or the stream failed, or the body ended too early. A
                further read raises the same error.
        """
        return self.load()

    @property
    def buffered(self) -> int:
        """How many bytes of the decoded body are in memory."""
        return 0 if self._body is None else len(self._body)

    @property
    def text(self) -> str:
        """The body as text, by the charset of its Content-Type, or UTF-8; invalid bytes become U+FFFD.

        A charset that is unknown, or that a server may not safely choose (UTF-7), is ignored.
        """
        return charsets.text(self.body, self.headers.get("content-type"))

    def json(self) -> Any:
        """Parse the body as JSON; ValueError if it is invalid, or nested too deeply for Python."""
        body = self.body
        try:
            return json.loads(body)
        except RecursionError:
            raise ValueError(f"the JSON of {self.url} is nested too deep") from None
        except ValueError as error:
            raise self._named(error) from None

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes from the network, b"" at the end; with -1, read the rest.

        No more than `size` bytes are decoded, however well the body is packed.

        Raises:
            ValueError: `body` has read it, or the response was closed before the end of its body.
            Otherwise as `body`.
        """
        if self._body is not None:
            raise ValueError("the body was read as a whole: it is in `body`")
        if self._failure is not None:
            raise again(self._failure)
        if self._ended:
            return b""
        if not self._begun:
            self._begin()
        try:
            data = self._read_all() if size < 0 else self._read(size)
        except BaseException as error:
            raise self.fail(error) from error.__cause__
        if data:
            self._begun = True
        if size < 0 or (not data and size):
            self._ended = True
            self._finish(reusable=True)
        return data

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body, or what `read()` has left of it, in pieces of at most 64 KiB.

        Raises:
            ValueError: all of it was read before, or the response was closed before its end.
            Otherwise as `read()`.
        """
        if self._body is not None:
            yield self._body
            return
        if self._ended and self._begun:
            raise ValueError(f"the body of {self.url} was read to its end already")
        while piece := self.read(PIECE):
            yield piece

    def _begin(self) -> None:
        """Check that nothing of the body was read yet.

        Raises:
            ValueError: a part was read before. Or the error of an earlier read.
        """
        if self._failure is not None:
            raise again(self._failure)
        if self._begun:
            raise ValueError(f"the body of {self.url}, or a part of it, was read already")
        if not self._from_raw:
            return
        raw = self.raw
        closed = "fp" in vars(raw) and raw.fp is None and self._length != 0 and not self._ended
        if raw._taken or closed:
            raise ValueError(f"the body of {self.url}, or a part of it, was read already by way of `raw`")

    def load(self, meter: Callable[[int], None] | None = None) -> bytes:
        """Read the whole body into memory, and return it.

        Args:
            meter: called with the size of each piece that was read; the next piece is read when it returns.

        Raises:
            As `body`.
        """
        if self._body is None:
            self._begin()
            try:
                body = self._read_all(meter)
            except BaseException as error:
                raise self.fail(error) from error.__cause__
            self._body = body
            self._finish(reusable=True)
        return self._body

    def keep(self, limit: int) -> None:
        """Read the body into memory if it has at most `limit` bytes; otherwise reading it is an error."""
        self._max_body = min(limit, self._max_body)
        self.load()

    def pass_over(self, limit: int, seconds: float) -> None:
        """Close, because another response follows; keep the body if it is short and comes soon.

        So the connection can be used again at little cost. If the body is not kept, `body` raises an error.

        Args:
            limit: bytes that are kept at most.
            seconds: how long to wait for all of it at most.
        """
        if self._body is None:
            self.raw._end_by(time.monotonic() + seconds)
            with contextlib.suppress(Exception):
                self.keep(limit)
        elif len(self._body) > limit:
            self._max_body, self._body = limit, None
            self._failure = self._named(self._too_large())
        self.close()

    def _read_all(self, meter: Callable[[int], None] | None = None) -> bytes:
        if self._unpacked is None:
            length = self.raw.length
            if length is not None and length > self._max_body:
                raise self._too_large()
            if meter is None:
                body = self.raw.read(None if length is not None else self._max_body + 1)
                if len(body) > self._max_body:
                    raise self._too_large()
                return body
        parts: list[bytes] = []
        left = self._max_body
        while piece := self._read(min(PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                raise self._too_large()
            parts.append(piece)
            if meter is not None:
                meter(len(piece))
        return b"".join(parts)

    def _read(self, size: int) -> bytes:
        """Read a decoded piece of the body."""
        return self.raw.read(size) if self._unpacked is None else self._unpacked(size)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"the body is longer than {self._max_body} bytes: "
            "read it in pieces with stream=True, or pass max_body="
        )

    # -- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Give the connection back; the rest of the body stays unread.

        The connection of a 101 is closed: see `HTTP20Response.sock`.
        """
        whole = self._body is not None or self.raw.isclosed()
        if not (whole or self._ended or self._failure or self._is_empty()):
            self._failure = ValueError(f"the response of {self.url} was closed before its body was read")
        self.raw.close()
        if self.raw.sock is not None:
            self.raw.sock.close()
        self._finish(reusable=whole)

    def fail(self, error: BaseException) -> BaseException:
        """Close after a failed read, and return the error with which every later read fails."""
        if isinstance(error, Exception):
            error = self._named(error)
            self._failure, self._body = again(error), None
            self._unpacked = None  # and the source of its bytes
        self.close()
        return error

    def _named(self, error: Exception) -> Exception:
        """Return an error of reading the body as a `FetchError`."""
        return named(error, self._asked[0], self._url, Stage.READING)

    def _is_empty(self) -> bool:
        """Tell whether an unread body is empty."""
        stream = self.raw._stream
        return self._length == 0 or (stream is not None and stream.inbox.exhausted and not self._begun)

    def _finish(self, *, reusable: bool) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            self.raw.close()
            lease.end(reusable=reusable)
        if self._body is not None:
            self._unpacked = None  # it refers to this response: no garbage collection is needed then

    def __reduce__(self) -> tuple[Any, ...]:
        if self._body is None and not (self._failure or self._ended):
            if self._from_raw:
                raise TypeError(
                    f"the response of {self.url} is being streamed: read its `body` before it is copied"
                )
            with contextlib.suppress(Exception):  # which is then what the copy's `body` raises
                self.load()
        method, headers, body = self._asked
        asked = method, headers, body if isinstance(body, IN_MEMORY) else None
        left_out = {"raw", "_asked", "_headers", "_lease", "_unpacked", "_url"}
        state = {name: value for name, value in vars(self).items() if name not in left_out}
        state["_asked"] = asked
        return _restored, (Head.of(self.raw, method, self.headers), self._url._replace(user=None), state)

    def __enter__(self) -> "FetchResponse":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<FetchResponse {self.status} {self.reason}, {self.http_version}, {self.url}>"


def _restored(head: Head, url: URL, state: dict[str, Any]) -> FetchResponse:
    """Return a response that was pickled or copied."""
    made = FetchResponse.__new__(FetchResponse)
    vars(made).update(state, raw=KeptResponse.from_head(head), _headers=head.message, _lease=None, _url=url)
    return made


def _coding(raw: HTTP20Response) -> str | None:
    """Return Content-Encoding; without making a message of all header fields, which may not be needed."""
    stream = raw._stream
    if stream is None:
        return raw.getheader("content-encoding")
    values = [value for name, value in stream.inbox.fields if name == b"content-encoding"]
    return b", ".join(values).decode("latin-1") if values else None
