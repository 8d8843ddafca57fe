"""Records: a line of JSON for each URL; or a function of the program's, which takes outcomes.

A record has the same fields, whether there is a response or not::

    {"url": …, "final_url": …, "status": 200, "http_version": "HTTP/2", "headers": {"content-type":
     ["text/html"]}, "timings": {…}, "attempts": 1, "error": null, "time": …, "size": …, "truncated": false,
     "body": …}
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, get_args

from ..fetching import charsets
from ..fetching.outcome import Outcome
from ..fetching.response import FetchResponse
from ..observing import Timings
from .parts import Result
from .shards import Entry
from .summary import error_text

BodyKind: TypeAlias = Literal["text", "base64", "none"]
BODY_KINDS: tuple[str, ...] = get_args(BodyKind)
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Recorder(Protocol):
    """What takes the outcomes of a crawl."""

    def take(self, outcome: Outcome[Entry]) -> Result:
        """Take an outcome, and return what the state is to know of it."""
        ...


class CallingRecorder:
    """Calls a function with each outcome.  What it raises ends the run."""

    def __init__(self, function: Callable[[Outcome[Any]], object]) -> None:
        self._function = function

    def take(self, outcome: Outcome[Entry]) -> Result:
        """See `Recorder`."""
        self._function(outcome)
        entry, response = outcome.request, outcome.response
        if response is None:
            return Result(entry, 0, outcome.attempts, error_text(outcome.error), None)
        return Result(entry, response.status, outcome.attempts, None, None)


class LineRecorder:
    """Makes a line of JSON of each outcome.

    Args:
        body: how bodies are written: as text, in base64, or not at all.
    """

    def __init__(self, body: BodyKind) -> None:
        self._body = body

    def take(self, outcome: Outcome[Entry]) -> Result:
        """See `Recorder`."""
        entry, response = outcome.request, outcome.response
        if response is None:
            error = error_text(outcome.error)
            record = _record(str(entry), outcome.attempts, error)
            return Result(entry, 0, outcome.attempts, error, _line(record))
        record = _record(str(entry), outcome.attempts, None)
        headers: dict[str, list[str]] = {}
        for name, value in response.headers.raw_items():
            headers.setdefault(name.lower(), []).append(value)
        body = response.body
        record |= {
            "final_url": response.url,
            "status": response.status,
            "http_version": response.http_version,
            "headers": headers,
            "timings": _timings(response),
            "size": len(body),
            "body": self._shown(body, headers),
        }
        return Result(entry, response.status, outcome.attempts, None, _line(record))

    def _shown(self, body: bytes, headers: dict[str, list[str]]) -> str | None:
        if self._body == "text":
            return charsets.text(body, headers["content-type"][0] if "content-type" in headers else None)
        return base64.b64encode(body).decode() if self._body == "base64" else None


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
    }


def _timings(response: FetchResponse) -> dict[str, float | None]:
    times = zip(Timings._fields, response.timings, strict=True)
    return {name: value and round(value, 6) for name, value in times}


def _line(record: dict[str, Any]) -> bytes:
    return _encode(record).encode("utf-8", "replace") + b"\n"
