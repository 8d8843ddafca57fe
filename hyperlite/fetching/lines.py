r"""Lines of text, as they come: a body ends lines with \n, \r\n or \r, wherever its pieces begin and end."""

import codecs
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ..errors import BodyTooLarge

T = TypeVar("T")

# Characters that a line may have. Lines of logs and of JSON are shorter; Go's Scanner takes 64 KiB, asyncio's
# readline() 64 KiB, and both are raised often.
MAX_LINE = 1 << 20


class Parser(Generic[T]):
    """Takes a body apart. Each kind of item has a subclass that fills `ready`.

    Attributes:
        ready: the items that have come and were not taken.
        error: what is to be raised behind them; nothing further is parsed.
        ended: the end of the body was told.
    """

    def __init__(self) -> None:
        self.ready: deque[T] = deque()
        self.error: BodyTooLarge | None = None
        self.ended: bool = False

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body."""
        raise NotImplementedError

    def end(self) -> None:
        """Take the end of the body."""
        self.ended = True

    def refuse(self, reason: str) -> None:
        """Parse nothing further."""
        self.error = BodyTooLarge(reason)


def parsed(
    parser: Parser[T], read: Callable[[Parser[T]], bytes], fail: Callable[[BodyTooLarge], BaseException]
) -> Iterator[T]:
    """Yield the items that a parser makes of a body.

    Args:
        parser: where it is now.
        read: returns the next piece for it; b"" at the end.
        fail: returns what is raised in the place of its error.
    """
    while True:
        while parser.ready:
            yield parser.ready.popleft()
        if parser.error is not None:
            raise fail(parser.error)
        if parser.ended:
            return
        if piece := read(parser):
            parser.feed(piece)
        else:
            parser.end()


class Lines(Parser[str]):
    r"""Lines, without their ends; the last one needs none.

    A line that ends in \r is ready at once, although \n may follow, which then belongs to that end.

    Args:
        codec: how the text is encoded; invalid bytes become U+FFFD, and a byte order mark is removed.
        limit: characters that a line may have.
        option: the argument that raises the limit, for the error.
    """

    def __init__(self, codec: str, limit: int, option: str = "max_line") -> None:
        super().__init__()
        self._codec = codec
        self._decoder = codecs.getincrementaldecoder(codec)("replace")
        self._limit = limit
        self._option = option
        self._line: list[str] = []  # the parts of the line under way
        self._size = 0
        self._started = False
        self._after_cr = False

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body."""
        try:
            text = self._decoder.decode(data)
        except UnicodeError:  # UTF-16 or UTF-32 without a byte order mark: browsers take it for little-endian
            before, _ = self._decoder.getstate()
            self._decoder = codecs.getincrementaldecoder(f"{self._codec}-le")("replace")
            text = self._decoder.decode(before + data)
        self._take(text)

    def end(self) -> None:
        """Take the end of the body."""
        super().end()
        self._take(self._decoder.decode(b"", True))
        if self._size and self.error is None:
            self._finish_line("")

    def _take(self, text: str) -> None:
        if not text or self.error is not None:
            return
        if not self._started:
            self._started = True
            text = text.removeprefix("\ufeff")
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r")
        first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._line.append(first)
        self._size += len(first)
        for part in others:
            if self._size > self._limit:
                break
            self._finish_line(part)
        if self._size > self._limit:
            self._line.clear()
            self.refuse(f"a line of the body is longer than {self._limit} characters ({self._option}=)")

    def _finish_line(self, following: str) -> None:
        """End the line under way, and begin another one with this."""
        self.ready.append("".join(self._line))
        self._line = [following]
        self._size = len(following)
