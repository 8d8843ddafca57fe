"""Outcomes as records of a WARC file; see `warc_records`.

A body that a record of the same part has already is not written again: a revisit record refers to that one.

Rule: a revisit record stands behind the record to which it refers, in the same part, so it counts only if
that does.  A record that a later run may replace is not referred to.
"""

import base64
import hashlib
import io
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple
from weakref import WeakKeyDictionary

from ..fetching.decoding import accept_encoding
from ..fetching.headers import Headers, pairs
from ..fetching.outcome import Outcome
from ..fetching.response import FetchResponse
from .captures import Capture, Requests, warc_date
from .parts import Result
from .records import IN_MEMORY, result_of
from .shards import Entry, Shard
from .summary import error_text
from .warc_records import HOPS, NUMBER, Original, RecordWriter

ENDINGS = (".warc", ".warc.gz")
# Names of files in the folder of the parts that have a long body on its way into one.
LONG = "long-"


class _Long(NamedTuple):
    """A body in a file: its bytes, and why it is not complete, or None."""

    file: IO[bytes]
    size: int
    truncated: str | None


class WarcRecorder:
    """Makes WARC records of each outcome, with bodies as they came: in their content coding.

    Args:
        folder: of the parts.
        max_body: bytes of a body to keep.

    Attributes:
        requests: an observer, which the pool needs.

    Raises:
        ImportError: warcio is missing.
    """

    streams = True
    decodes = False
    ending = ".warc.gz"
    in_memory = IN_MEMORY

    def __init__(self, folder: Path, max_body: int) -> None:
        RecordWriter(io.BytesIO())  # before anything is fetched
        self._folder = folder
        self._max_body = max_body
        self.requests: Requests = Requests()
        # By the hash of a body.  That is not SHA-1, which a server can make two bodies have in common.
        self._bodies: WeakKeyDictionary[Shard, dict[bytes, Original]] = WeakKeyDictionary()

    def begin(self, counted: Collection[str]) -> None:
        """See `Recorder`; the parts remove what does not count."""

    def take(self, outcome: Outcome[Entry]) -> Result:
        """See `Recorder`."""
        entry, response = outcome.request, outcome.response
        file = io.BytesIO()
        if response is None:
            error = error_text(outcome.error)
            facts = {"error": error}
            _describe(RecordWriter(file), entry, outcome.attempts, warc_date(time.time()), [], facts)
            return result_of(entry, None, outcome.attempts, error, file.getvalue(), 0)
        size = self._write(file, entry, response, outcome.attempts)
        return result_of(entry, response, outcome.attempts, None, file.getvalue(), size)

    def take_stream(
        self, entry: Entry, response: FetchResponse, body: Iterable[bytes], attempts: int
    ) -> Result:
        """See `Recorder`.  The body goes to a file, because its digest stands before it."""
        with tempfile.TemporaryFile(dir=self._folder) as whole:
            size, truncated = 0, None
            for piece in body:
                kept = piece[: self._max_body - size]
                whole.write(kept)
                size += len(kept)
                if len(kept) < len(piece):
                    truncated = "length"
                    break
            whole.seek(0)
            path = self._folder / f"{LONG}{entry.number}"
            with open(path, "wb") as file:
                self._write(file, entry, response, attempts, _Long(whole, size, truncated))
        return result_of(entry, response, attempts, None, b"", size)._replace(long=path)

    def _write(
        self,
        file: IO[bytes],
        entry: Entry,
        response: FetchResponse,
        attempts: int,
        long: "_Long | None" = None,
    ) -> int:
        """Write the records of a URL that has a response; return the bytes of its body."""
        writer = RecordWriter(file)
        stays = response.status < 500 and response.status != 429  # see `State.retry_failed()`
        written: list[str] = []
        dates: list[str] = []
        if long is None:
            size = self._write_hops(writer, entry, [*response.history, response], written, dates, stays=stays)
        else:
            self._write_hops(writer, entry, response.history, written, dates, stays=stays)
            size, capture = long.size, self.requests.capture(response)
            written.append(writer.response(capture, *long).record)
            writer.request(capture, written[-1])
            dates.append(capture.date)
        last = response.timings.last_byte
        facts = {"fetchTimeMs": None if last is None else round(1000 * last), "finalUrl": response.url}
        _describe(writer, entry, attempts, dates[0], written, facts)
        return size

    def _write_hops(
        self,
        writer: RecordWriter,
        entry: Entry,
        hops: Iterable[FetchResponse],
        written: list[str],
        dates: list[str],
        *,
        stays: bool,
    ) -> int:
        """Write a pair of records for each response; return the bytes of the last body.

        Args:
            writer: writes them.
            entry: whose responses they are.
            hops: the responses, in memory.
            written, dates: get the id of the record of each response, and its date.
            stays: no later run replaces the records.
        """
        known = self._bodies.setdefault(entry.shard, {})
        size = 0
        for one in hops:
            capture = self.requests.capture(one)
            body, truncated = self._payload(one)
            size = len(body)
            record = _write_response(writer, capture, body, truncated, known, stays=stays)
            writer.request(capture, record)
            written.append(record)
            dates.append(capture.date)
        return size

    def take_hops(self, entry: Entry, history: Sequence[FetchResponse], target: str) -> bytes:
        """See `Recorder`: pairs of records, and a metadata record that no number of a URL is in."""
        file = io.BytesIO()
        writer = RecordWriter(file)
        written: list[str] = []
        dates: list[str] = []
        self._write_hops(writer, entry, history, written, dates, stays=False)
        writer.metadata(entry, dates[0], written, {NUMBER[:-2]: HOPS, "goesOnWith": target})
        return file.getvalue()

    def _payload(self, response: FetchResponse) -> tuple[bytes, str | None]:
        """Return a body as far as it is kept, and why it is not complete, or None."""
        try:
            body = response.body
        except Exception:  # that of a redirect, for which nothing waits
            return b"", "unspecified"
        return body[: self._max_body], "length" if len(body) > self._max_body else None


def _write_response(
    writer: RecordWriter,
    capture: Capture,
    body: bytes,
    truncated: str | None,
    known: dict[bytes, Original],
    *,
    stays: bool,
) -> str:
    """Write a record of a response whose body is in memory, and return its id.

    Args:
        writer: writes it.
        capture: the response.
        body: of the response.
        truncated: why the body is not complete; None: it is.
        known: records of the part, by the hashes of their bodies.
        stays: no later run replaces the record.
    """
    key = hashlib.sha256(body).digest()
    if body and truncated is None and (original := known.get(key)) is not None:
        return writer.revisit(capture, original, _digest(body))
    original = writer.response(capture, io.BytesIO(body), len(body), truncated=truncated)
    if body and truncated is None and stays:
        known[key] = original
    return original.record


def _describe(
    writer: RecordWriter,
    entry: Entry,
    attempts: int,
    date: str,
    written: list[str],
    facts: Mapping[str, object],
) -> None:
    first = {NUMBER[:-2]: entry.number, "attempts": attempts, "depth": entry.depth}
    writer.metadata(entry, date, written, {**first, **facts})


def _digest(body: bytes) -> str:
    """Return a digest as WARC files have them: SHA-1, in base32."""
    return "sha1:" + base64.b32encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()


def with_codings(headers: Headers | None) -> list[tuple[str, Any]]:
    """Return header fields that ask for a body in a content coding, though the pool does not decode it."""
    given = pairs(headers)
    if not any(name.lower() == "accept-encoding" for name, _ in given):
        given.append(("Accept-Encoding", accept_encoding()))
    return given


def is_warc(path: Any) -> bool:
    """Tell whether a file of this name is a WARC file."""
    return str(path).lower().endswith(ENDINGS)
