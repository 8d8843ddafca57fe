"""Chunks that a caller framed by hand (RFC 9112 section 7.1), unwrapped: HTTP/2 has none."""

from collections.abc import Iterable, Iterator

_HEXADECIMAL = frozenset(b"0123456789abcdefABCDEF")
# Of one chunk's size with its extensions, or one trailer line. http.client reads 65,536 of a line.
MAX_LINE = 65536


class Dechunker:
    """Takes a chunked body, however its bytes are cut, and tells what is in it.

    Attributes:
        done: the last chunk, and the end behind it, have come.
    """

    def __init__(self) -> None:
        self.done = False
        self._pending = bytearray()  # bytes that are not a whole line yet
        self._missing = -1  # bytes of the current chunk; 0: the line end behind it; -1: a size comes next

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Yield the bytes of the body among these.

        Raises:
            ValueError: they are no chunks, or something follows the last one.
        """
        self._pending += data
        while self._pending:
            if self.done:
                raise ValueError("more of a body behind its last chunk")
            if self._missing > 0:
                piece = bytes(self._pending[: self._missing])
                del self._pending[: len(piece)]
                self._missing -= len(piece)
                yield piece
            elif self._missing == 0:  # the line end behind a chunk
                if len(self._pending) < 2:
                    return
                if not self._pending.startswith(b"\r\n"):
                    raise ValueError("a chunk of the body is longer than its size says")
                del self._pending[:2]
                self._missing = -1
            elif not self._take_size():
                return

    def _take_size(self) -> bool:
        line, found, rest = bytes(self._pending[:MAX_LINE]).partition(b"\r\n")
        digits = line.partition(b";")[0].strip()
        if not found and len(line) < MAX_LINE:
            return False
        if not digits or not _HEXADECIMAL.issuperset(digits):
            raise ValueError(f"chunk size {digits[:20]!r} is no hexadecimal number")
        size = int(digits, 16)
        if size:
            self._missing = size
            del self._pending[: len(line) + 2]
            return True
        if len(rest) < 2:
            return False
        if not rest.startswith(b"\r\n"):
            raise ValueError("trailer fields behind hand-made chunks are not sent on HTTP/2")
        del self._pending[: len(line) + 4]
        self.done = True
        return True


def unwrap(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """Yield what is in the chunks of a body; ValueError if they are none, or the last is missing."""
    chunks = Dechunker()
    for piece in pieces:
        yield from chunks.feed(piece)
    if not chunks.done:
        raise ValueError("the body is said to be chunked, and its last chunk is missing")
