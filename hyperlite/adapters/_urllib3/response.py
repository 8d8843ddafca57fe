"""What `response.raw` is: urllib3's own response class, reading from hyperlite's."""

import http.client as http_client
import io
from collections.abc import Generator
from typing import Any

from urllib3 import HTTPHeaderDict, HTTPResponse, Retry
from urllib3.exceptions import ProtocolError, ResponseNotChunked
from urllib3.response import BytesQueueBuffer

from ...messages.head import HeadCutOff
from ...messages.response import VERSIONS, HTTP20Response
from .seams import Connection

# Bytes at most that `stream()` yields at a time, as in urllib3.
PIECE = 65536


# What urllib3 2.3 to 2.8 have of each response, besides what is the same for all of them here.
_OWN = {
    "_connection",
    "_decoded_buffer",
    "_fp",
    "_original_response",
    "_pool",
    "_request_url",
    "_retries",
    "_sock_shutdown",
    "decode_content",
    "headers",
    "length_remaining",
    "reason",
    "status",
}


class HTTP20Raw(HTTPResponse):
    """A urllib3.HTTPResponse that also streams a body of unknown length on HTTP/2 as it arrives."""

    # What urllib3's constructor makes of all responses on HTTP/2 alike: see `plain()`.
    _body = None
    _decoder = None
    _decoder_initialized = False
    _fp_bytes_read = 0
    _has_decoded_content = False
    _uncached_read_occurred = False
    auto_close = True
    chunk_left = None
    chunked = False
    enforce_content_length = True
    msg = None
    version = 20
    version_string = VERSIONS[20]

    # What is ours.
    _is_cut_off = False

    _connection: Connection | None  # type: ignore[assignment]

    @classmethod
    def of(cls, raw: HTTP20Response, **options: Any) -> "HTTP20Raw":
        """Return the response that reads from `raw`; `options` are urllib3's."""
        self = cls(
            body=raw,
            headers=HTTPHeaderDict(raw.headers.raw_items()),
            status=raw.status,
            version=raw.version,
            version_string=VERSIONS.get(raw.version, "HTTP/?"),
            reason=raw.reason,
            original_response=raw,
            **options,
        )
        if self.length_remaining is None and not raw.will_close:
            self._fp = Chunks(raw)  # type: ignore[assignment]  # it is the response, with two names more
        return self

    @classmethod
    def cut_off(cls, error: HeadCutOff, **options: Any) -> "HTTP20Raw":
        """Return a response whose header block was cut off, and whose body is an error.

        Args:
            error: what had come of it.
            options: urllib3's.
        """
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in error.fields]
        return cls(
            body=_CutOff(error),
            headers=HTTPHeaderDict(fields),
            status=error.status,
            version=11,
            version_string=VERSIONS[11],
            reason=http_client.responses.get(error.status, ""),
            **options,
        )

    @classmethod
    def plain(
        cls, raw: HTTP20Response, connection: Connection, *, url: str, retries: Retry, decode_content: bool
    ) -> "HTTP20Raw":
        """Return the response that reads from `raw`, of whose body nothing was read.

        On HTTP/2 without urllib3's constructor, which costs as much as sending the request, unless that is
        of a release whose responses have attributes that are not known here.

        Args:
            raw: what is read from.
            connection: of the request; it is given back at the end.
            url: what was in the request line.
            retries, decode_content: as for urllib3.HTTPResponse.
        """
        method = raw._method  # type: ignore[attr-defined]
        if raw.version != 20 or retries.history or not _IS_KNOWN:
            return cls.of(
                raw,
                preload_content=False,
                decode_content=decode_content,
                pool=connection.pool,
                connection=connection,
                retries=retries,
                request_method=method,
                request_url=url,
                sock_shutdown=connection.shut_down,
            )
        self = cls.__new__(cls)
        fields: dict[str, list[str]] = {}
        for name, value in raw.headers.raw_items():
            key = name.lower()
            if key in fields:
                fields[key].append(value)
            else:
                fields[key] = [name, value]
        self.headers = headers = HTTPHeaderDict.__new__(HTTPHeaderDict)
        headers._container = fields
        self.status = status = raw.status
        self.reason = http_client.responses.get(status, "")
        self.decode_content = decode_content
        self.length_remaining = 0 if method == "HEAD" or status in {204, 304} else raw.length
        self._request_url = url
        self._retries = retries
        self._fp = raw if self.length_remaining is not None else Chunks(raw)  # type: ignore[assignment]
        self._original_response = raw
        self._pool = connection.pool
        self._connection = connection
        self._sock_shutdown = connection.shut_down
        self._decoded_buffer = BytesQueueBuffer()
        return self

    def summary(self) -> "Summary | HTTP20Raw":
        """Return the object of which requests makes its response: a `Summary`, unless cookies are set."""
        return Summary(self) if _IS_KNOWN and "set-cookie" not in self.headers else self

    def stream(
        self, amt: int | None = PIECE, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the body in pieces of at most `amt` bytes.

        Where no length is announced, they come as they arrive, as chunks do with urllib3.

        Args:
            amt: bytes; None: whatever has arrived.
            decode_content: undo the content coding.

        Raises:
            ProtocolError: the body was cut off, each time that it is asked for.
        """
        if self._is_cut_off:  # and closed since, as after its end
            raise ProtocolError("Connection broken: the body was cut off before")
        try:
            if self.chunked or (self.length_remaining is None and self.version == 20):
                yield from self._arriving(amt, decode_content)
            elif not amt or self.tell() or "content-encoding" in self.headers:
                yield from super().stream(amt, decode_content)
            elif self.length_remaining is not None and self.length_remaining <= amt:
                if piece := self._rest():
                    yield piece
            else:
                while not self.isclosed():
                    if piece := self.read(amt, decode_content=False):
                        yield piece
        except ProtocolError:
            self._is_cut_off = True
            raise

    def _rest(self) -> bytes:
        """Return the rest of a body that has no content coding."""
        raw = self._fp  # or what others have put around it, as CacheControl does
        if type(raw) is not HTTP20Response or raw._stream is None or not raw._stream.inbox.complete:
            return self.read(decode_content=False)
        data = raw.read()  # which cannot fail, so there is nothing of urllib3's to be done about it
        self._fp_bytes_read += len(data)
        self._uncached_read_occurred = True
        self.length_remaining = 0
        self.release_conn()
        return data

    def read_chunked(
        self, amt: int | None = None, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the body as it arrives; the chunks of HTTP/1.1 are unwrapped already.

        Raises:
            ResponseNotChunked: the response does not say that it is chunked.
        """
        if not self.chunked:
            raise ResponseNotChunked(
                "Response is not chunked. Header 'transfer-encoding: chunked' is missing."
            )
        return self._arriving(amt, decode_content)

    def _arriving(self, amt: int | None, decode_content: bool | None) -> Generator[bytes, None, None]:
        if amt == 0:
            return
        while piece := self.read1(amt, decode_content):
            yield piece

    def __del__(self) -> None:
        """Leave the connection to the next thread that uses the pool: a finalizer must not wait."""
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.abandon()


class Summary:
    """A response without cookies, in the form from which requests makes its own at the least cost.

    The fields are pairs already, and requests finds nothing where it looks for cookies.

    Args:
        raw: the response, which sets no cookies.
    """

    _original_response = None

    def __init__(self, raw: HTTP20Raw) -> None:
        self._raw = raw
        self.status = raw.status
        self.reason = raw.reason
        self.headers = [
            (values[0], values[1] if len(values) == 2 else ", ".join(values[1:]))
            for values in raw.headers._container.values()
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class Chunks:
    """What `raw._fp` is where no length is announced: the response, with http.client's names for chunks.

    Programs look there for whether a body streams (docker-py does, on its `_fp.chunked`), and for how much of
    it they can read without waiting.  hyperlite unwraps the chunks of HTTP/1.1, and HTTP/2 has none, so the
    response itself says that there are none.

    Args:
        raw: the response.
    """

    chunked = True

    def __init__(self, raw: HTTP20Response) -> None:
        self._raw = raw
        self.read = raw.read  # which is asked for once for each piece
        self.read1 = raw.read1

    @property
    def chunk_left(self) -> int | None:
        """How many bytes can be read without waiting; None at the end."""
        body: Any = self._raw.fp
        return None if body is None else body.chunk_left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class _CutOff(io.RawIOBase):
    """A body whose every read raises the error: the connection ended within the header block."""

    def __init__(self, error: HeadCutOff) -> None:
        self._error = error

    def read(self, _size: int | None = -1, /) -> bytes:
        raise self._error

    read1 = read


def _is_known() -> bool:
    """Tell whether this release of urllib3 makes responses as `plain()` does."""
    headers = HTTPHeaderDict([("a", "1"), ("a", "2")])
    if vars(headers) != {"_container": {"a": ["a", "1", "2"]}}:
        return False
    response = HTTPResponse(io.BytesIO(), headers, 200, 20, VERSIONS[20], preload_content=False)
    made, alike = vars(response), vars(HTTP20Raw)
    return made.keys() >= _OWN and all(
        name in _OWN or (name in alike and alike[name] == value) for name, value in made.items()
    )


_IS_KNOWN = _is_known()
