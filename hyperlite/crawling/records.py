"""Records: a line of JSON for each URL; or a function of the program's, which takes outcomes.

A record has the same fields, whether there is a response or not::

    {"url": …, "final_url": …, "status": 200, "http_version": "HTTP/2", "headers": {"content-type":
     ["text/html"]}, "timings": {…}, "attempts": 1, "error": null, "time": …, "size": …, "truncated": false,
     "body": …, "body_file": null}
"""

import base64
import json
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, Literal, Protocol, TypeAlias, get_args

from ..fetching import charsets
from ..fetching.outcome import Outcome
from ..fetching.response import FetchResponse
from ..observing import Timings
from .bodies import Bodies, Kept
from .parts import Result
from .shards import Entry
from .summary import error_text

BodyKind: TypeAlias = Literal["text", "base64", "file", "none"]
BODY_KINDS: tuple[str, ...] = get_args(BodyKind)
# Bytes of a body that is held in memory; a longer one goes to a file.
IN_MEMORY = 8 << 20
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Recorder(Protocol):
    """What takes the outcomes of a crawl."""

    def begin(self, counted: Collection[str]) -> None:
        """Begin a run: remove what earlier attempts have left behind, but for those that count."""
        ...

    def take(self, outcome: Outcome[Entry]) -> Result:
        """Take an outcome, and return what the state is to know of it."""
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

    def __init__(self, function: Callable[[Outcome[Any]], object], max_body: int) -> None:
        self._function = function
        self.in_memory: int = max_body

    def begin(self, counted: Collection[str]) -> None:
        """Do nothing: the function keeps what it is called with."""

    def take(self, outcome: Outcome[Entry]) -> Result:
        """See `Recorder`."""
        self._function(outcome)
        response = outcome.response
        error = None if response is not None else error_text(outcome.error)
        return _result(outcome.request, response, outcome.attempts, error, None, 0)

    def take_stream(
        self, entry: Entry, response: FetchResponse, body: Iterable[bytes], attempts: int
    ) -> Result:
        """Take nothing: the function is called with bodies in memory."""
        raise NotImplementedError


class LineRecorder:
    """Makes a line of JSON of each outcome.

    Args:
        body: how bodies are written: as text, in base64, to files, or not at all.
        bodies: the files of bodies.
        max_body: bytes of a body to keep.
    """

    streams = True
    in_memory = IN_MEMORY

    def __init__(self, body: BodyKind, bodies: Bodies, max_body: int) -> None:
        self._body = body
        self._bodies = bodies
        self._max_body = max_body

    def begin(self, counted: Collection[str]) -> None:
        """See `Recorder`."""
        self._bodies.remove_others(counted)

    def take(self, outcome: Outcome[Entry]) -> Result:
        """See `Recorder`."""
        entry, response = outcome.request, outcome.response
        if response is None:
            error = error_text(outcome.error)
            line = _line(_record(str(entry), outcome.attempts, error))
            return _result(entry, None, outcome.attempts, error, line, 0)
        body = response.body
        if self._body == "file":
            return self._filed(entry, response, outcome.attempts, self._bodies.keep(entry, [body]))
        record = _record(str(entry), outcome.attempts, None) | _head(response)
        record["size"] = len(body)
        if len(body) > self._max_body:
            body = body[: self._max_body]
            record |= {"size": len(body), "truncated": True}
        if self._body == "text":
            content_type = record["headers"].get("content-type")
            record["body"] = charsets.text(body, content_type and content_type[0])
        elif self._body == "base64":
            record["body"] = base64.b64encode(body).decode()
        return _result(entry, response, outcome.attempts, None, _line(record), len(body))

    def take_stream(
        self, entry: Entry, response: FetchResponse, body: Iterable[bytes], attempts: int
    ) -> Result:
        """See `Recorder`."""
        if self._body == "none":
            record = _record(str(entry), attempts, None) | _head(response) | {"truncated": True}
            return _result(entry, response, attempts, None, _line(record), 0)
        return self._filed(entry, response, attempts, self._bodies.keep(entry, body))

    def _filed(self, entry: Entry, response: FetchResponse, attempts: int, kept: Kept) -> Result:
        """Make a record of a response whose body is in a file."""
        record = _record(str(entry), attempts, None) | _head(response)
        record |= {
            "size": kept.size,
            "truncated": kept.truncated,
            "body_file": self._bodies.shown(kept.path),
        }
        return _result(entry, response, attempts, None, _line(record), kept.size, kept)


def _record(url: str, attempts: int, error: str | None) -> dict[str, Any]:
    return {
        "url": url,
        "final_url": None,
        "status": None,
        "http_version": None,
        "headers": {},
        "timings": None,
        "attempts": attempts,
        "error": error,
        "time": round(time.time(), 3),
        "size": None,
        "truncated": False,
        "body": None,
        "body_file": None,
    }


def _head(response: FetchResponse) -> dict[str, Any]:
    """Return what a record has of a response, but for its body."""
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.raw_items():
        headers.setdefault(name.lower(), []).append(value)
    times = zip(Timings._fields, response.timings, strict=True)
    return {
        "final_url": response.url,
        "status": response.status,
        "http_version": response.http_version,
        "headers": headers,
        "timings": {name: value and round(value, 6) for name, value in times},
    }


def _result(
    entry: Entry,
    response: FetchResponse | None,
    tries: int,
    error: str | None,
    line: bytes | None,
    size: int,
    kept: Kept | None = None,
) -> Result:
    if response is None:
        return Result(entry, 0, tries, error, line, size, None, None)
    return Result(entry, response.status, tries, error, line, size, response.http_version, kept and kept.path)


def _line(record: dict[str, Any]) -> bytes:
    return _encode(record).encode("utf-8", "replace") + b"\n"
