"""What a target is, and how an input is taken apart."""

from collections.abc import Callable
from typing import NamedTuple

Run = Callable[[bytes], None]


class Broken(AssertionError):
    """A promise was broken."""


class Target(NamedTuple):
    """Code that is fuzzed.

    Attributes:
        run: takes an input.
        longest: bytes that an input may have.
        words: which the fuzzer puts into inputs, with "|" between them, escaped as in a literal.
    """

    run: Run
    longest: int = 4096
    words: bytes = b""


class Feed:
    """An input, taken apart from its beginning; behind its end all numbers are 0, and no bytes come."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._place

    def take(self, size: int) -> bytes:
        """Return the next bytes: so many, or as many as there are."""
        found = self._data[self._place : self._place + size]
        self._place += len(found)
        return found

    def number(self, size: int = 1) -> int:
        """Return the next bytes as a number."""
        return int.from_bytes(self.take(size), "big")

    def choice(self, count: int) -> int:
        """Return a number below `count`, by the next byte."""
        return self.number() % count

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(self.left)


def pieces(data: bytes, sizes: bytes) -> list[bytes]:
    """Return bytes cut into pieces of these sizes, over and over; uncut if there are none."""
    sizes = bytes(size for size in sizes if size)
    if not sizes:
        return [data]
    cut: list[bytes] = []
    place = 0
    while place < len(data):
        size = sizes[len(cut) % len(sizes)]
        cut.append(data[place : place + size])
        place += size
    return cut


def check(promise: object, text: str) -> None:
    """Raise `Broken` unless a promise is kept."""
    if not promise:
        raise Broken(text)
