"""A body that is read piece by piece: what comes is decoded, and what was decoded and not taken is kept.

Rule: a read hands out what has come.  It waits only if it has nothing, so a body that trickles is read as it
trickles, through any coding that its server flushes.  `read()` and `read_all()` wait for more, as of a file.
"""

import io
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import BodyTooLarge
from ..messages.response import HTTP20Response
from . import decoding
from .lines import Parser

T = TypeVar("T")

# Bytes of a body that are read at a time, and that iteration yields at most.
PIECE = 65536


class Reader:
    """Reads the body of a response.

    Args:
        raw: the response.
        whole: its body, if all of it is in memory, as it came.
        coding: its Content-Encoding; None: its bytes are taken as they come.

    Attributes:
        begun: a part of the body was handed out.
        ended: the rest was handed out as well.
        parser: takes the body apart into lines or events, since the caller has asked for these.

    Raises:
        DecodingError: there are too many codings.
    """

    __slots__ = ("_ahead", "_at", "_raw", "_unpacked", "begun", "ended", "parser")

    def __init__(self, raw: HTTP20Response, whole: bytes | None = None, coding: str | None = None) -> None:
        self._raw = raw
        self._unpacked: Callable[[int], bytes] | None = None
        if coding is not None:
            source = raw.read1 if whole is None else io.BytesIO(whole).read
            self._unpacked = decoding.decoder(coding, source)
        self._ahead = b""  # decoded
        self._at = 0  # how much of it was taken
        self.begun: bool = False
        self.ended: bool = False
        self.parser: Parser[Any] | None = None

    def parse_with(self, parser: Parser[T]) -> Parser[T]:
        """Return the parser that takes the body apart from now on: this one, or the one of its kind so far.

        Raises:
            ValueError: one of another kind does.
        """
        if self.parser is None:
            self.parser = parser
        elif type(self.parser) is not type(parser):
            raise ValueError("the body is being read by iter_lines() or iter_events() already")
        return self.parser

    @property
    def decodes(self) -> bool:
        """Whether the body has a coding that is decoded."""
        return self._unpacked is not None

    def read1(self, size: int) -> bytes:
        """Read what has come, at most `size` bytes of it; wait if nothing has. b"" is the end."""
        if self._at < len(self._ahead):
            data = self._ahead[self._at : self._at + size]
            self._at += len(data)
            return data
        return self._raw.read1(size) if self._unpacked is None else self._unpacked(size)

    def read(self, size: int) -> bytes:
        """Read `size` bytes; fewer only at the end."""
        if self._unpacked is None and self._at == len(self._ahead):
            return self._raw.read(size)
        parts: list[bytes] = []
        while size and (piece := self.read1(size)):
            parts.append(piece)
            size -= len(piece)
        return b"".join(parts)

    def readline(self, limit: int) -> bytes:
        r"""Read a line with its end, b"\n"; at most `limit` bytes of it."""
        parts: list[bytes] = []
        while limit:
            if self._at == len(self._ahead):
                self._ahead, self._at = self.read1(PIECE), 0
                if not self._ahead:
                    break
            end = self._ahead.find(b"\n", self._at, self._at + limit) + 1
            piece = self._ahead[self._at : end or self._at + limit]
            self._at += len(piece)
            parts.append(piece)
            if end:
                break
            limit -= len(piece)
        return b"".join(parts)

    def read_all(self, most: int, meter: Callable[[int], None] | None = None) -> bytes:
        """Read the rest.

        Args:
            most: bytes that it may have.
            meter: called with the size of each piece that was read; the next piece is read when it returns.

        Raises:
            BodyTooLarge: it has more.
        """
        if self._unpacked is None and self._at == len(self._ahead):
            length = self._raw.length
            if length is not None and length > most:
                raise too_large(most)
            if meter is None:
                body = self._raw.read(None if length is not None else most + 1)
                if len(body) > most:
                    raise too_large(most)
                return body
        parts: list[bytes] = []
        left = most
        while piece := self.read(min(PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                raise too_large(most)
            parts.append(piece)
            if meter is not None:
                meter(len(piece))
        return b"".join(parts)


def too_large(most: int, what: str = "the body") -> BodyTooLarge:
    """Return the error of a body, or a part of it, that is longer than so many bytes."""
    return BodyTooLarge(
        f"{what} is longer than {most} bytes: read it in pieces with stream=True, or pass max_body="
    )


def coding_of(raw: HTTP20Response) -> str | None:
    """Return Content-Encoding; without making a message of all header fields, which may not be needed."""
    stream = raw._stream
    if stream is None:
        return raw.getheader("content-encoding")
    coding = None
    for name, value in stream.inbox.fields:
        if name == b"content-encoding":
            coding = value if coding is None else coding + b", " + value
    return None if coding is None else coding.decode("latin-1")
