"""Records of a WARC 1.1 file (ISO 28500:2017), written by warcio: each a gzip member of its own.

::

    warcinfo                            how the file was made; the first record of an export
    response or revisit, then request   for each hop of a URL
    metadata                            one for each URL, behind its hops: what has become of it

Rule: only `warcio`'s writer is used.  Its module `capture_http` would replace names of http.client.
"""

import importlib
import io
import uuid
from collections.abc import Iterable
from typing import IO, Any, NamedTuple
from urllib.parse import quote

from .captures import Capture

PROFILE = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
FORMAT = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
# Begins the line of a metadata record that has the number of its URL in the state.
NUMBER = "number: "
# In the place of that number, where the record is of redirects alone: another record has what they led to.
HOPS = 0
# Characters that a URI may have (RFC 3986), and "%".
_URI = "!#$%&'()*+,/:;=?@[]~"


class Original(NamedTuple):
    """A response record, to which revisit records refer."""

    record: str
    url: str
    date: str


class _Head:
    """A head for warcio's writer, which would write bytes that are not ASCII in other ways than they came."""

    def __init__(self, head: bytes) -> None:
        self.headers_buff = head

    def compute_headers_buffer(self, _header_filter: Any = None) -> None:
        """Do nothing: there are the bytes."""


class RecordWriter:
    """Writes records.

    Args:
        file: which takes them.

    Raises:
        ImportError: warcio is missing.
    """

    def __init__(self, file: IO[bytes]) -> None:
        try:
            warcio: Any = importlib.import_module("warcio")  # an extra, without types
        except ImportError:
            raise ImportError("WARC needs a package: hyperlite-http[warc]") from None
        self._fields_of = warcio.StatusAndHeaders
        self._writer: Any = warcio.WARCWriter(file, gzip=True, warc_version="1.1")

    def info(self, name: str, facts: dict[str, str]) -> None:
        """Write a warcinfo record.

        Args:
            name: of the file.
            facts: fields of its block.
        """
        described = {"format": "WARC File Format 1.1", "conformsTo": FORMAT} | facts
        self._writer.write_record(self._writer.create_warcinfo_record(_one_line(name), described))

    def response(
        self, capture: Capture, body: IO[bytes], size: int, truncated: str | None = None
    ) -> Original:
        """Write a response record; return what a revisit record has of it.

        Args:
            capture: the response.
            body: can be read repeatedly.
            size: bytes of it.
            truncated: why it is not complete; None: it is.
        """
        cut = [] if truncated is None else [("WARC-Truncated", truncated)]
        record = self._write("response", capture, [*capture.network, *cut], capture.response, body, size)
        return Original(record, capture.url, capture.date)

    def revisit(self, capture: Capture, original: Original, digest: str) -> str:
        """Write a revisit record: the head of a response whose body another record has.  Returns its id.

        Args:
            capture: the response.
            original: that record.
            digest: of the body.
        """
        refers = [
            ("WARC-Profile", PROFILE),
            ("WARC-Refers-To", original.record),
            ("WARC-Refers-To-Target-URI", original.url),
            ("WARC-Refers-To-Date", original.date),
            ("WARC-Payload-Digest", digest),
            ("WARC-Truncated", "length"),
        ]
        return self._write("revisit", capture, [*capture.network, *refers], capture.response)

    def request(self, capture: Capture, response: str) -> None:
        """Write the request record beside a response record."""
        if capture.request:
            concurrent = [("WARC-Concurrent-To", response)]
            self._write("request", capture, [*capture.network, *concurrent], capture.request)

    def metadata(self, url: str, date: str, responses: Iterable[str], facts: dict[str, object]) -> None:
        """Write the metadata record of a URL.

        Args:
            url: as it was given.
            date: of its first request, in the form of `WARC-Date`.
            responses: the ids of the records of its responses.
            facts: fields of its block; those that are None are left out.
        """
        lines = [f"{name}: {_one_line(str(value))}\r\n" for name, value in facts.items() if value is not None]
        block = "".join(lines).encode("utf-8", "replace")
        concurrent = [("WARC-Concurrent-To", one) for one in responses]
        capture = Capture(quote(url, _URI, errors="replace"), date, [], b"", b"")
        self._write("metadata", capture, concurrent, b"", io.BytesIO(block), len(block))

    def _write(
        self,
        kind: str,
        capture: Capture,
        fields: list[tuple[str, str]],
        head: bytes,
        body: IO[bytes] | None = None,
        size: int = 0,
    ) -> str:
        """Write a record, and return its id; warcio adds digests, Content-Type and Content-Length."""
        identifier = f"<urn:uuid:{uuid.uuid4()}>"
        first = [("WARC-Type", kind), ("WARC-Record-ID", identifier), ("WARC-Target-URI", capture.url)]
        named = self._fields_of("", [*first, ("WARC-Date", capture.date), *fields], protocol="WARC/1.1")
        record = self._writer.create_warc_record(
            capture.url,
            kind,
            payload=body or io.BytesIO(),
            length=size,
            warc_headers=named,
            http_headers=_Head(head) if head else None,
        )
        self._writer.write_record(record)
        return identifier


def _one_line(text: str) -> str:
    """Return a text without line ends and other control characters."""
    return "".join([one if one.isprintable() else quote(one, errors="replace") for one in text])
