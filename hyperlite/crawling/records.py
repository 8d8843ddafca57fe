"""Records: a line of JSON for each URL; or a function of the program's, which takes outcomes.

A record has the same fields, whether there is a response or not::

    {"url": …, "final_url": …, "status": 200, "http_version": "HTTP/2", "headers": {"content-type":
     ["text/html"]}, "timings": {…}, "attempts": 1, "error": null, "time": …, "size": …, "truncated": false,
     "body": …, "body_file": null}
"""

import base64
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from json.encoder import encode_basestring as _quoted
from typing import Any, Literal, Protocol, TypeAlias, get_args

from ..fetching import charsets
from ..fetching.failures import Stage, named
from ..fetching.outcome import Failed, Outcome
from ..fetching.reader import too_large
from ..fetching.response import FetchResponse
from ..messages.fields import decoded
from ..observing import Timings
from .bodies import Bodies, Kept
from .parts import Result
from .shards import Entry
from .summary import error_text

BodyKind: TypeAlias = Literal["text", "base64", "file", "none"]
# Header fields: values by name, in lower case.
Fields: TypeAlias = dict[str, list[str]]
BODY_KINDS: tuple[str, ...] = get_args(BodyKind)
# The ending of parts that have lines of JSON.
LINES = ".jsonl"
# Bytes of a body that is held in memory; a longer one goes to a file.
IN_MEMORY = 8 << 20
# Bytes that a body in memory may have in any case: a robots.txt is read whatever is kept of pages.
SMALL = 1 << 20


class Recorder(Protocol):
    """What takes the outcomes of a crawl."""

    def begin(self, counted: Collection[str]) -> None:
        """Begin a run: remove what earlier attempts have left behind, but for those that count."""
        ...

    def take(self, outcome: Outcome[Entry]) -> Result:
        """Take an outcome, and return what the state is to know of it."""
        ...

    def take_hops(self, entry: Entry, history: Sequence[FetchResponse], target: str) -> bytes:
        """Take the redirects of a URL that another worker goes on with; return records of them."""
        ...

    @property
    def ending(self) -> str:
        """The ending of the names of parts."""
        ...

    @property
    def decodes(self) -> bool:
        """Whether it takes bodies decoded; otherwise in their content coding, as they came."""
        ...

    @property
    def in_memory(self) -> int:
        """How many bytes a body in memory may have."""
        ...

    @property
    def streams(self) -> bool:
        """Whether `take_stream()` takes responses with longer bodies."""
        ...

    def take_stream(
        self, entry: Entry, response: FetchResponse, body: Iterable[bytes], attempts: int
    ) -> Result:
        """Take a response whose body is still to be read; in any thread."""
        ...


class CallingRecorder:
    """Calls a function with each outcome.  What it raises ends the run."""

    streams = False
    decodes = True
    ending = LINES

    def __init__(self, function: Callable[[Outcome[Any]], object], max_body: int) -> None:
        self._function = function
        self._max_body = max_body
        self.in_memory: int = max(max_body, SMALL)

    def begin(self, counted: Collection[str]) -> None:
        """Do nothing: the function keeps what it is called with."""

    def take(self, outcome: Outcome[Entry]) -> Result:
        """See `Recorder`."""
        response = outcome.response
        if response is not None and len(response.body) > self._max_body:
            failure = named(too_large(self._max_body), "GET", response._url, Stage.READING)
            outcome = Failed(outcome.request, outcome.index, failure, attempts=outcome.attempts)
            response = None
        self._function(outcome)
        error = None if response is not None else error_text(outcome.error)
        size = 0 if response is None else len(response.body)
        return result_of(outcome.request, response, outcome.attempts, error, None, size)

    def take_stream(
        self, entry: Entry, response: FetchResponse, body: Iterable[bytes], attempts: int
    ) -> Result:
        """Take nothing: the function is called with bodies in memory."""
        raise NotImplementedError

    def take_hops(self, entry: Entry, history: Sequence[FetchResponse], target: str) -> bytes:
        """Take nothing: the function is called in the process of the crawl, which asks all hosts itself."""
        raise NotImplementedError


class LineRecorder:
    """Makes a line of JSON of each outcome.

    Args:
        body: how bodies are written: as text, in base64, to files, or not at all.
        bodies: the files of bodies.
        max_body: bytes of a body to keep.

    Attributes:
        body: how they are written.
    """

    streams = True
    decodes = True
    ending = LINES
    in_memory = IN_MEMORY

    def __init__(self, body: BodyKind, bodies: Bodies, max_body: int) -> None:
        self.body: BodyKind = body
        self._bodies = bodies
        self._max_body = max_body

    def begin(self, counted: Collection[str]) -> None:
        """See `Recorder`."""
        self._bodies.remove_others(counted)

    def take(self, outcome: Outcome[Entry]) -> Result:
        """See `Recorder`."""
        entry, response, attempts = outcome.request, outcome.response, outcome.attempts
        if response is None:
            error = error_text(outcome.error)
            return result_of(entry, None, attempts, error, _line(entry, attempts, error=error), 0)
        body = response.body
        if self.body == "file":
            return self._filed(entry, response, attempts, self._bodies.keep(entry, [body]))
        truncated = len(body) > self._max_body
        if truncated:
            body = body[: self._max_body]
        fields = _fields(response)
        shown = self._shown(body, fields.get("content-type"))
        line = _line(entry, attempts, response, fields, size=len(body), truncated=truncated, body=shown)
        return result_of(entry, response, attempts, None, line, len(body))

    def take_stream(
        self, entry: Entry, response: FetchResponse, body: Iterable[bytes], attempts: int
    ) -> Result:
        """See `Recorder`."""
        if self.body == "none":
            line = _line(entry, attempts, response, truncated=True)
            return result_of(entry, response, attempts, None, line, 0)
        return self._filed(entry, response, attempts, self._bodies.keep(entry, body))

    def take_hops(self, entry: Entry, history: Sequence[FetchResponse], target: str) -> bytes:
        """See `Recorder`: lines have no redirects."""
        return b""

    def _shown(self, body: bytes, content_type: list[str] | None) -> str | None:
        if self.body == "text":
            return charsets.text(body, content_type[0] if content_type else None)
        return base64.b64encode(body).decode() if self.body == "base64" else None

    def _filed(self, entry: Entry, response: FetchResponse, attempts: int, kept: Kept) -> Result:
        """Make a record of a response whose body is in a file."""
        file = self._bodies.shown(kept.path)
        line = _line(entry, attempts, response, size=kept.size, truncated=kept.truncated, body_file=file)
        return result_of(entry, response, attempts, None, line, kept.size, kept)


def _line(
    url: str,
    attempts: int,
    response: FetchResponse | None = None,
    fields: Fields | None = None,
    *,
    error: str | None = None,
    size: int | None = None,
    truncated: bool = False,
    body: str | None = None,
    body_file: str | None = None,
) -> bytes:
    """Return a record.  It is put together here, which costs half of what `json.dumps()` does."""
    head = _NO_HEAD if response is None else _head(response, fields or _fields(response))
    return (
        f'{{"url":{_quoted(url)},{head},"attempts":{attempts},"error":{_text(error)},"time":{time.time():.3f},'
        f'"size":{"null" if size is None else size},"truncated":{"true" if truncated else "false"},'
        f'"body":{_text(body)},"body_file":{_text(body_file)}}}\n'
    ).encode("utf-8", "replace")


_TIMINGS = ",".join([f'"{name}":%s' for name in Timings._fields])
_NO_HEAD = '"final_url":null,"status":null,"http_version":null,"headers":{},"timings":null'


def _fields(response: FetchResponse) -> Fields:
    """Return the header fields; of HTTP/2 without a message, which would cost more than all the rest."""
    stream = response.raw._stream
    pairs = response.headers.raw_items() if stream is None else decoded(stream.inbox.fields)
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(name.lower(), []).append(value)
    return fields


def _head(response: FetchResponse, fields: Fields) -> str:
    """Return what a record has of a response, but for its body."""
    headers = ",".join(
        [f"{_quoted(name)}:[{','.join(map(_quoted, values))}]" for name, values in fields.items()]
    )
    timings = _TIMINGS % tuple(["null" if one is None else f"{one:.6f}" for one in response.timings])
    return (
        f'"final_url":{_quoted(response.url)},"status":{response.status},'
        f'"http_version":"{response.http_version}","headers":{{{headers}}},"timings":{{{timings}}}'
    )


def _text(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def result_of(
    entry: Entry,
    response: FetchResponse | None,
    tries: int,
    error: str | None,
    line: bytes | None,
    size: int,
    kept: Kept | None = None,
) -> Result:
    """Return what the state is to know of an outcome; see `Result`."""
    if response is None:
        return Result(entry, 0, tries, error, line, size, None, None)
    file, seconds = kept and kept.path, response.timings.last_byte
    return Result(entry, response.status, tries, error, line, size, response.http_version, file, seconds)
