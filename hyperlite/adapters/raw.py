"""What `response.raw` is: urllib3's own response class, reading from hyperlite's."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import ResponseNotChunked

from ..response import HTTP20Response

if TYPE_CHECKING:
    from .borrowed import Borrowed

# Bytes at most that `stream()` yields at a time, as in urllib3.
PIECE = 65536

_VERSIONS = {20: "HTTP/2", 11: "HTTP/1.1", 10: "HTTP/1.0"}


class HTTP20Raw(HTTPResponse):
    """A urllib3.HTTPResponse; only how pieces of unknown number arrive is different beneath."""

    _connection: "Borrowed | None"  # type: ignore[assignment]

    @classmethod
    def of(cls, raw: HTTP20Response, **options: Any) -> "HTTP20Raw":
        """Return the response that reads from `raw`; `options` are urllib3's."""
        return cls(
            body=raw,
            headers=HTTPHeaderDict(raw.headers.items()),
            status=raw.status,
            version=raw.version,
            version_string=_VERSIONS.get(raw.version, "HTTP/?"),
            reason=raw.reason,
            original_response=raw,
            **options,
        )

    def stream(
        self, amt: int | None = PIECE, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the body in pieces of at most `amt` bytes.

        Where no length is announced, they come as they arrive, as chunks do with urllib3.

        Args:
            amt: bytes; None: whatever has arrived.
            decode_content: undo the content coding.
        """
        if self.chunked or (self.length_remaining is None and self.version == 20):
            return self._arriving(amt, decode_content)
        return super().stream(amt, decode_content)

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
        """Leave the connection to the next one who uses the pool: a finalizer may not wait."""
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.abandon()
