"""Chunks (RFC 9112 section 7.1): their size lines, and those that a caller framed by hand, unwrapped.

A server's chunks are read by `http1_body`, a caller's by the `Dechunker`; what a size line may be is said
once, for both.
"""

import re
from collections.abc import Iterable, Iterator

from .fields import Field, trailer_fields

# Digits first, at most 16 of them; of what follows them nothing that another reader could take for the end
# of the line: no control characters, and no LF without its CR. Spaces behind the digits are no part of the
# grammar, but Apache 1.3 fills up with them, and Go and curl take them.
_size_line = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n").fullmatch
# Of one chunk's size with its extensions, or of all trailer fields. http.client reads 65,536 of a line.
MAX_LINE = 65536


def chunk_size(line: bytes) -> int:
    """Return what a chunk's size line says, 0 for the last chunk.

    Args:
        line: with its end. Chunk extensions are ignored (RFC 9112 section 7.1.1).

    Raises:
        ValueError: it is no such line.
    """
    match = _size_line(line)
    if match is None:
        raise ValueError(f"chunk size {line[:40]!r} is no hexadecimal number on a line of its own")
    return int(match[1], 16)


class Dechunker:
    """Takes a chunked body, however its bytes are cut, and tells what is in it.

    Attributes:
        done: the last chunk, and the end behind it, have come.
        trailers: the fields that came behind the last chunk (RFC 9112 section 7.1.2).
    """

    def __init__(self) -> None:
        self.done = False
        self.trailers: list[Field] = []
        self._pending = bytearray()  # bytes that are not a whole line yet
        self._missing = -1  # bytes of the current chunk; 0: the line end behind it; -1: a size comes next

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Yield the bytes of the body among these.

        Raises:
            ValueError: they are no chunks, or something follows the last one; or a trailer field that
                may not be sent.
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

    def take(self, data: bytes | memoryview) -> list[bytes]:
        """Return the bytes of the body among these; where that fails, nothing of them was taken.

        Raises:
            As `feed`.
        """
        before = bytearray(self._pending), self._missing, self.done, self.trailers.copy()
        try:
            return list(self.feed(data))
        except ValueError:
            self._pending, self._missing, self.done, self.trailers = before
            raise

    def _take_size(self) -> bool:
        end = self._pending.find(b"\n", 0, MAX_LINE) + 1
        if not end and len(self._pending) < MAX_LINE:
            return False
        size = chunk_size(bytes(self._pending[: end or MAX_LINE]))
        if size:
            self._missing = size
            del self._pending[:end]
            return True
        return self._take_trailers(end)

    def _take_trailers(self, start: int) -> bool:
        """Take what follows the last chunk's size, which ends at `start`: trailer fields, an empty line."""
        end = self._pending.find(b"\r\n\r\n", start - 2)
        if end < 0:
            if len(self._pending) > start + MAX_LINE:
                raise ValueError(f"more than {MAX_LINE} bytes of trailer fields")
            return False
        for line in bytes(self._pending[start:end]).split(b"\r\n") if end > start else ():
            name, colon, value = line.partition(b":")
            if not colon:
                raise ValueError(f"trailer field {line[:20]!r} has no colon")
            self.trailers += trailer_fields({name: value})
        del self._pending[: end + 4]
        self.done = True
        return True


def unwrap(pieces: Iterable[bytes | memoryview], trailers: list[Field]) -> Iterator[bytes]:
    """Yield what is in the chunks of a body, and add the fields behind them to `trailers`.

    Raises:
        ValueError: they are no chunks, or the last is missing.
    """
    chunks = Dechunker()
    for piece in pieces:
        yield from chunks.feed(piece)
    trailers += chunks.trailers
    if not chunks.done:
        raise ValueError("the body is said to be chunked, and its last chunk is missing")
