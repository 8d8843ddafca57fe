"""The body that the header fields of a request announce, and how much of it has been sent."""

import http.client as http_client
from collections.abc import Iterable

from .chunked import Dechunker
from .fields import Field


class Announced:
    """Checks that a body that comes piece by piece is what was announced: a length, chunks, or nothing.

    On HTTP/1.1 a server reads further bytes as another request. On HTTP/2 some servers then close the
    connection, with all requests under way on it.

    Args:
        length: bytes that the body must have; None: any number.
        chunked: the caller frames the body in chunks by hand.

    Attributes:
        left: bytes that were announced and not counted yet; None: no length was announced.
        ends: the length, or the last chunk, will show where the body ends.
        trailers: the fields that have come behind the last chunk.
    """

    __slots__ = ("_chunks", "ends", "left", "trailers")

    def __init__(self, length: int | None = None, *, chunked: bool = False) -> None:
        self.left = length
        self._chunks = Dechunker() if chunked else None
        self.ends: bool = chunked or length is not None
        self.trailers: list[Field] = [] if self._chunks is None else self._chunks.trailers

    def check_fits(self, size: int) -> None:
        """Raise CannotSendRequest if so many further bytes exceed what was announced."""
        if self.left is not None and size > self.left:
            raise http_client.CannotSendRequest("the body is longer than its content-length")

    def count(self, size: int) -> None:
        """Take note of a piece of the body that is about to be sent; raises as `check_fits`."""
        if self.left is not None:
            self.check_fits(size)
            self.left -= size

    def contents(self, piece: bytes | memoryview) -> Iterable[bytes | memoryview]:
        """Return the part of the body in a piece that the caller sends.

        Raises:
            ValueError: the piece is not in chunks; nothing of it was taken.
        """
        return (piece,) if self._chunks is None else self._chunks.take(piece)

    @property
    def is_whole(self) -> bool:
        """Whether the length, or the last chunk, shows that the body has come to its end."""
        return self.left == 0 if self._chunks is None else self._chunks.done

    def check_whole(self) -> None:
        """Raise CannotSendRequest if less of the body was sent than was announced."""
        if self.ends and not self.is_whole:
            missing = f"{self.left} bytes of its content-length" if self.left else "the last chunk is"
            raise http_client.CannotSendRequest(f"the request is not complete: {missing} missing")


# For a body that is in memory, or whose length no field announces: there is nothing to count.
NOTHING = Announced()
