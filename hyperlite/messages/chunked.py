"""Chunks (RFC 9112 section 7.1): the lines between them, and bodies that a caller has put into chunks.

`http1.body` reads a server's chunks from the wire, and the `Dechunker` takes a caller's from memory.  Both
give the lines between the chunks to `ChunkLines`, which checks them.
"""

import re
from collections.abc import Iterable, Iterator
from copy import copy

from .fields import Field, trailer_fields

# At most 16 digits. What follows them contains nothing that another reader could take for the end of the
# line: no control characters, and no LF without its CR. The grammar has no spaces behind the digits, but
# Apache 1.3 pads with them, and Go and curl accept them.
_size_line = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n").fullmatch
# Bytes of one chunk's size with its extensions, or of all trailer fields. http.client reads 65,536 of a line.
MAX_LINE = 65536


class ChunkLines:
    """Takes the lines between the chunks: a size before each chunk, and an empty line behind it.

    Attributes:
        behind: the next line is the empty one behind a chunk, of two bytes.
        last: the size of the last chunk has come. Trailer fields follow, and an empty line.
    """

    __slots__ = ("behind", "last")

    def __init__(self) -> None:
        self.behind: bool = False
        self.last: bool = False

    def take(self, line: bytes) -> int:
        """Take the next line, and return how many bytes of a chunk follow it.

        Args:
            line: with its end. Chunk extensions are ignored (RFC 9112 section 7.1.1).

        Raises:
            ValueError: another kind of line must come next.
        """
        if self.behind:
            if line != b"\r\n":
                raise ValueError("a chunk of the body is longer than its size says")
            self.behind = False
            return 0
        match = _size_line(line)
        if match is None:
            raise ValueError(f"chunk size {line[:40]!r} is no hexadecimal number on a line of its own")
        size = int(match[1], 16)
        self.behind, self.last = size > 0, size == 0
        return size


class Dechunker:
    """Takes a chunked body, in pieces that may be cut anywhere, and returns its content.

    Attributes:
        done: the last chunk, and the end behind it, have come.
        trailers: the fields that came behind the last chunk (RFC 9112 section 7.1.2).
    """

    def __init__(self) -> None:
        self.done: bool = False
        self.trailers: list[Field] = []
        self._pending = bytearray()  # bytes that are not a whole line yet
        self._missing = 0  # bytes of the current chunk
        self._lines = ChunkLines()

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Yield the bytes of the body among these.

        Raises:
            ValueError: they are not in chunks, or something follows the last chunk, or a trailer field may
                not be sent.
        """
        self._pending += data
        while self._pending:
            if self.done:
                raise ValueError("bytes follow the last chunk of the body")
            if self._missing:
                piece = bytes(self._pending[: self._missing])
                del self._pending[: len(piece)]
                self._missing -= len(piece)
                yield piece
            elif not (self._take_trailers() if self._lines.last else self._take_line()):
                return

    def take(self, data: bytes | memoryview) -> list[bytes]:
        """Return the bytes of the body among these; if this raises, nothing was taken.

        Raises:
            As `feed`.
        """
        before = bytearray(self._pending), self._missing, self.done, copy(self._lines)
        trailers = len(self.trailers)
        try:
            return list(self.feed(data))
        except ValueError:
            self._pending, self._missing, self.done, self._lines = before
            del self.trailers[trailers:]
            raise

    def _take_line(self) -> bool:
        """Take the next line between two chunks, if it has come."""
        end = 2 if self._lines.behind else self._pending.find(b"\n", 0, MAX_LINE) + 1
        if len(self._pending) < (end or MAX_LINE):
            return False
        self._missing = self._lines.take(bytes(self._pending[: end or MAX_LINE]))
        del self._pending[: end - 2 if self._lines.last else end]  # each trailer field is between two CR LF
        return True

    def _take_trailers(self) -> bool:
        """Take the trailer fields behind the last chunk's size, if all and the empty line have come."""
        end = self._pending.find(b"\r\n\r\n")
        if end < 0:
            if len(self._pending) > MAX_LINE:
                raise ValueError(f"more than {MAX_LINE} bytes of trailer fields")
            return False
        for line in bytes(self._pending[:end]).split(b"\r\n")[1:]:
            name, colon, value = line.partition(b":")
            if not colon:
                raise ValueError(f"trailer field {line[:20]!r} has no colon")
            self.trailers += trailer_fields({name: value})
        del self._pending[: end + 4]
        self.done = True
        return True


def unwrap(pieces: Iterable[bytes | memoryview], trailers: list[Field]) -> Iterator[bytes]:
    """Yield the content of a body in chunks, and add the fields behind the chunks to `trailers`.

    Raises:
        ValueError: the body is not in chunks, or the last chunk is missing.
    """
    chunks = Dechunker()
    for piece in pieces:
        yield from chunks.feed(piece)
    trailers += chunks.trailers
    if not chunks.done:
        raise ValueError("the header fields announce chunks, and the last chunk is missing")
