"""The result of fetch()."""

import contextlib
import http.client as http_client
import io
import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import HTTPStatusError, again
from ..messages.fields import Header, to_message
from ..messages.response import VERSIONS, HTTP20Response
from ..messages.urls import URL
from ..observing import Timings, timings
from ..origins.lease import Lease
from . import charsets
from .checks import whole
from .event_stream import MAX_EVENT, Events, ServerSentEvent
from .failures import Stage, named
from .kept import Head, restored, state_of
from .lines import MAX_LINE, Lines, Parser, parsed
from .reader import PIECE, Reader, coding_of, too_large
from .request import Asked, FetchRequest

if TYPE_CHECKING:
    import os

    from .saving import Progress, Resume, SavedFile

T = TypeVar("T")


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
        timings: where the time of its request went: see `Timings`.
        elapsed: seconds from the call to the whole response; with `stream=True`, to its header.
        raw: the `HTTP20Response` beneath, for its other attributes: `trailers`, `informational`, ….
        request: what was asked, as a FetchRequest: after redirects, the last request.
        ok, links: whether the status is below 400; the Link fields, by relation.

    One that is not being streamed can be pickled and copied; the other one then has no connection.

    With `stream=True`, the body is read from the network: by iteration and `read1()` as it comes, by `read()`
    and `readline()` as from a file, each from where the last one stopped; by `iter_lines()` as text, by
    `iter_events()` as server-sent events; or `body` reads all of it. Then `close()`, or the end of a
    `with` block, gives the connection back. A body is never cut short without an error: `body` raises after a
    part was read, iteration raises after the end, and all raise after a failure or after `close()`.
    """

    # Defaults that nearly all responses keep, and that are not set in each.
    elapsed: float = 0.0
    _headers: http_client.HTTPMessage | None = None
    _failure: Exception | None = None  # the error that further reads raise
    _again: Callable[[list[Header]], "FetchResponse"] | None = None  # streamed: makes the request again
    _raised: bool = False  # in an HTTPStatusError, which can be copied while its response is being streamed
    _reader: Reader | None = None  # what reads the body, once it was asked for, or if the body has a coding

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
        if decode and (coding := coding_of(raw)):
            try:
                self._unpack(coding)
            except BaseException as error:
                raise self.fail(error) from error.__cause__
        if self._body is not None and len(self._body) > max_body:
            raise too_large(max_body)

    def _unpack(self, coding: str) -> None:
        """Have the body decoded when it is read."""
        reader = Reader(self.raw, self._body, coding)
        if reader.decodes:
            self._reader, self._body = reader, None

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
    def timings(self) -> Timings:
        """Where the time of its request went; a redirect, or an earlier try, has times of its own."""
        return timings(*self._asked[3:], self.raw._marks)

    @property
    def request(self) -> FetchRequest:
        """What was asked, as it was sent: after redirects, the last request."""
        method, headers, body = self._asked[:3]
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
        error.response, self._raised = self, True
        raise self._named(error)

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """The first link of each relation in the Link fields (RFC 8288): its `url`, and its parameters."""
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
        """Read `size` bytes, fewer only at the end, and b"" behind it; with -1, read the rest.

        No more than `size` bytes are decoded, however well the body is packed.

        Raises:
            ValueError: `body` has read it, or the response was closed before the end of its body.
            Otherwise as `body`.
        """
        if size >= 0:
            return self._read(Reader.read, size)
        data = self._read(Reader.read_all, self._max_body)
        if self._reader is not None and not self._reader.ended:
            self._end(self._reader)
        return data

    def read1(self, size: int = -1) -> bytes:
        """Read what has come, at most `size` bytes, or 64 KiB; wait only if nothing has. b"" is the end.

        Raises:
            As `read()`.
        """
        return self._read(Reader.read1, PIECE if size < 0 else size)

    def readline(self, limit: int = -1) -> bytes:
        r"""Read a line with its end, b"\n", at most `limit` bytes of it. b"" is the end of the body.

        Raises:
            BodyTooLarge: without a limit, the line is longer than `max_body`. Otherwise as `read()`.
        """
        if limit >= 0:
            return self._read(Reader.readline, limit)
        line = self._read(Reader.readline, self._max_body + 1)
        if len(line) > self._max_body:
            raise self.fail(too_large(self._max_body, "a line of the body"))
        return line

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body, or what was left of it, as it comes: pieces of at most 64 KiB, each at once.

        Raises:
            ValueError: all of it was read before, or the response was closed before its end.
            Otherwise as `read()`.
        """
        if self._body is not None:
            yield self._body
            return
        if self._begun and self._reader is not None and self._reader.ended:
            raise ValueError(f"the body of {self.url} was read to its end already")
        while piece := self.read1():
            yield piece

    def iter_lines(self, *, max_line: int = MAX_LINE) -> Iterator[str]:
        r"""Yield the lines of the body as text, each as soon as it has come, without its end.

        A line ends with \n, \r\n or \r, and with the body; with nothing else that `str.splitlines()` knows.
        The charset is that of the Content-Type, or UTF-8; invalid bytes become U+FFFD. Bytes and lines do not
        mix: after the first line `read()` raises, and another `iter_lines()` goes on.

        Args:
            max_line: characters that a line may have.

        Raises:
            BodyTooLarge: a line is longer. Otherwise as `read()`.
        """
        limit = whole(max_line, "max_line", least=1)
        codec = charsets.codec(self.headers.get("content-type") or "")
        return self._parsed(lambda: Lines(codec, limit))

    def iter_events(self, *, max_event: int = MAX_EVENT) -> Iterator[ServerSentEvent]:
        """Yield the events of an event stream (WHATWG HTML, section 9.2), each as soon as it has come.

        The body is UTF-8, whatever its Content-Type says. An event that is incomplete at the end is dropped.
        Another `iter_events()` goes on where this one stopped. To reconnect is up to the program.

        Args:
            max_event: characters that an event may have, and each line of it.

        Raises:
            BodyTooLarge: an event is longer. Otherwise as `read()`.
        """
        limit = whole(max_event, "max_event", least=1)
        return self._parsed(lambda: Events(limit))

    def save(
        self, path: "str | os.PathLike[str]", *, resume: "Resume" = False, progress: "Progress | None" = None
    ) -> "SavedFile":
        """Save the body to a file, which changes when all has come; in flat memory with `stream=True`.

        Args:
            resume: with True, what comes is in `path.part` until then, with its URL, validator and length in
                `path.part.json`, and the next call goes on.  The header of a response with the whole says
                what the file is now.  If the part belongs to that, the body is given up, and the request is
                made again with `Range` and `If-Range`; otherwise the body is what is saved.  A body in
                memory is saved as it is.  With "later" it begins anew, and keeps what comes for a next call.
            progress: called after each piece with how many bytes are in the file, those of earlier calls
                included, and how many in all, or None.  What it raises ends the download.

        Raises:
            ValueError: `resume` is set, and this is no answer to a GET by `fetch(…, stream=True)`, or its
                status is neither 200 nor 206 with what the part lacks.  HTTPStatusError: it is 400 or more.
            BlockingIOError: another thread or process is resuming the same file.
            OSError: the file cannot be written.  Otherwise as `body`.

        A part that may be of another file causes an `UnvalidatedResumeWarning`.
        """
        from .saving import save  # noqa: PLC0415  few programs save files

        if self._body is None:
            self._begin()
        return save(self, path, self._again, resume=self._body is None and resume, progress=progress)

    @property
    def _packed(self) -> bool:
        """Whether the body has a coding that is decoded when it is read."""
        return self._reader is not None and self._reader.decodes

    def _parsed(self, make: Callable[[], Parser[T]]) -> Iterator[T]:
        """Yield what a parser makes of the body."""
        if self._body is not None:
            source = io.BytesIO(self._body)
            yield from parsed(make(), lambda _: source.read(PIECE), self._named)
            return
        reader = self._open()
        if self._begun and reader.ended and (reader.parser is None or not reader.parser.ready):
            raise ValueError(f"the body of {self.url} was read to its end already")
        yield from parsed(
            reader.parse_with(make()), lambda parser: self._read(Reader.read1, PIECE, parser), self.fail
        )

    @property
    def _begun(self) -> bool:
        """Whether a part of the body was handed out."""
        return self._reader is not None and self._reader.begun

    @property
    def _ended(self) -> bool:
        """Whether all of it was handed out, piece by piece."""
        return self._reader is not None and self._reader.ended

    def _read(
        self, call: Callable[[Reader, int], bytes], size: int, parser: Parser[Any] | None = None
    ) -> bytes:
        """Read a piece of the body by a method of its reader, for a parser if there is one."""
        reader = self._open()
        if reader.parser is not parser:
            raise ValueError(f"the body of {self.url} is being read by iter_lines() or iter_events()")
        if reader.ended:
            return b""
        try:
            data = call(reader, size)
        except BaseException as error:
            raise self.fail(error) from error.__cause__
        if data:
            reader.begun = True
            self._tell(len(data))
        elif size:
            self._end(reader)
        return data

    def _open(self) -> Reader:
        """Return what reads the body from the network.

        Raises:
            ValueError: `body` or `raw` has read it, or a part of it. Or the error of an earlier read.
        """
        if self._body is not None:
            raise ValueError("the body was read as a whole: it is in `body`")
        if self._failure is not None:
            raise again(self._failure)
        if not (self._begun or self._ended):
            self._begin()
        if self._reader is None:
            self._reader = Reader(self.raw)
        return self._reader

    def _begin(self) -> None:
        """Check that nothing of the body was read yet: ValueError, or the error of an earlier read."""
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

    def _end(self, reader: Reader) -> None:
        reader.ended = True
        self._finish(reusable=True)

    def load(self, meter: Callable[[int], None] | None = None) -> bytes:
        """Read the whole body into memory, and return it.

        Args:
            meter: called with the size of each piece that was read; the next piece is read when it returns.

        Raises:
            As `body`.
        """
        if self._body is None:
            self._begin()
            reader = self._reader or Reader(self.raw)
            try:
                body = reader.read_all(self._max_body, meter)
            except BaseException as error:
                raise self.fail(error) from error.__cause__
            self._body = body
            self._tell(len(body))
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
            self._failure = self._named(too_large(limit))
        self.close()

    # -- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Give the connection back; the rest of the body stays unread. That of a 101 is closed."""
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
            self._reader = None  # and the source of its bytes
        self.close()
        return error

    def _tell(self, size: int) -> None:
        if self._lease is not None and self._lease.watch is not None:
            self._lease.watch.body(size)

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
            if lease.watch is not None:
                lease.watch.over(self._failure, self.raw._marks)
        if self._body is not None:
            self._reader = None

    def __reduce__(self) -> tuple[Any, ...]:
        state = state_of(vars(self))
        if self._body is None and not (self._failure or self._ended):
            if not self._from_raw or self._is_empty():
                with contextlib.suppress(Exception):  # which is then what the copy's `body` raises
                    state["_body"] = self.load()
            elif self._raised:
                state["_failure"] = ValueError(f"the body of {self.url} was not read before it was copied")
            else:
                raise TypeError(
                    f"the response of {self.url} is being streamed: read its `body` before it is copied"
                )
        head, url = Head.of(self.raw, self._asked[0], self.headers), self._url._replace(user=None)
        return restored, (type(self), head, url, state, (self._begun, self._ended))

    def __enter__(self) -> "FetchResponse":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<FetchResponse {self.status} {self.reason}, {self.http_version}, {self.url}>"
