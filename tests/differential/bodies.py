"""Request bodies of every kind, made afresh for each call."""

import array
import io
import mmap
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import Any

DATA = b"hello"


class Reader:
    """An object that has a read() and nothing else."""

    def __init__(self) -> None:
        self._file = io.BytesIO(DATA)

    def read(self, n: int) -> bytes:
        return self._file.read(n)


@contextmanager
def _file(mode: str = "w+b", position: int = 0) -> Iterator[Any]:
    encoding = None if "b" in mode else "latin-1"
    with tempfile.TemporaryFile(mode, encoding=encoding) as file:
        file.write(DATA if "b" in mode else "caf\xe9")
        file.seek(position)
        yield file


def _mmap() -> mmap.mmap:
    mapped = mmap.mmap(-1, len(DATA))
    mapped[:] = DATA
    return mapped


def _failing() -> Iterator[bytes]:
    yield DATA
    raise ZeroDivisionError("the body's own")


def _plain(make: Callable[[], Any]) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: nullcontext(make())


GOOD = {
    "None": _plain(lambda: None),
    "b''": _plain(lambda: b""),
    "bytes": _plain(lambda: DATA),
    "one byte": _plain(lambda: b"x"),
    "100 kB": _plain(lambda: b"x" * 100_000),
    "str": _plain(lambda: "hello"),
    "empty str": _plain(lambda: ""),
    "Latin-1 str": _plain(lambda: "caf\xe9"),
    "bytearray": _plain(lambda: bytearray(DATA)),
    "memoryview": _plain(lambda: memoryview(DATA)),
    "array": _plain(lambda: array.array("B", DATA)),
    "array of 16 bits": _plain(lambda: array.array("H", [1, 2, 3])),
    "mmap": lambda: closing(_mmap()),
    "BytesIO": _plain(lambda: io.BytesIO(DATA)),
    "empty BytesIO": _plain(io.BytesIO),
    "StringIO": _plain(lambda: io.StringIO("caf\xe9")),
    "file": _file,
    "file from its middle": lambda: _file(position=2),
    "text file": lambda: _file("w+"),
    "reader": _plain(Reader),
    "list": _plain(lambda: [b"he", b"llo"]),
    "tuple": _plain(lambda: (b"he", b"llo")),
    "empty list": _plain(list),
    "generator": _plain(lambda: (piece for piece in (b"he", b"llo"))),
    "empty generator": _plain(lambda: iter(())),
    "empty pieces": _plain(lambda: iter([b"", b"hello", b"", b"!"])),
    "large pieces": _plain(lambda: iter([b"x" * 70_000] * 3)),
    "bytearray pieces": _plain(lambda: iter([bytearray(b"he"), bytearray(b"llo")])),
}

BAD = {
    "int": _plain(lambda: 5),
    "zero": _plain(lambda: 0),
    "float": _plain(lambda: 1.5),
    "object": _plain(object),
    "str beyond Latin-1": _plain(lambda: "\u20ac"),
    "StringIO beyond Latin-1": _plain(lambda: io.StringIO("\u20ac")),
    "list of str": _plain(lambda: ["hello"]),
    "list of int": _plain(lambda: [1, 2]),
    "list of None and bytes": _plain(lambda: [None, b"hello"]),
    "dict": _plain(lambda: {"a": 1}),
    "failing generator": _plain(_failing),
}
