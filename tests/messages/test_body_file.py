"""messages/body_file.py: whichever way a body is read, and wherever a read fails, no byte is lost."""

from collections.abc import Callable

import pytest

from hyperlite.errors import IncompleteBody
from hyperlite.messages.body_file import BodyFile, incomplete, writable
from hyperlite.messages.buffer import Buffer

TEXT = b"one\ntwo\n\nthree, which is longer\nfour"


class Scripted(BodyFile):
    """A body that comes in such pieces; an exception among them is raised when its turn comes."""

    def __init__(self, *script: bytes | BaseException) -> None:
        self._script = list(script)
        self._buffer = Buffer()

    def _ready(self) -> bool:
        if not self._buffer.size and self._script:
            step = self._script.pop(0)
            if isinstance(step, BaseException):
                raise step
            self._buffer.put(step)
        return bool(self._buffer.size)

    def _take(self, limit: int) -> bytes:
        return self._buffer.take(limit) if self._ready() else b""

    _take_some = _take

    def _take_into(self, view: memoryview) -> int:
        return self._buffer.take_into(view) if self._ready() else 0

    def _put_back(self, data: bytes) -> None:
        self._buffer.put_back(data)

    def _give_back(self, data: bytes, _wanted: int, error: BaseException) -> None:
        if isinstance(error, IncompleteBody):
            raise incomplete("cut off", len(data), None, partial=data) from error
        self._put_back(data)


def cut(size: int) -> list[bytes]:
    return [TEXT[at : at + size] for at in range(0, len(TEXT), size)]


def read_into(body: BodyFile) -> bytes:
    buffer = bytearray(100)
    return bytes(buffer[: body.readinto(buffer)])


def peeked(body: BodyFile) -> bytes:
    """Look ahead before each read: what is seen is what is read."""
    text = b""
    while ahead := body.peek():
        piece = body.read(len(ahead))
        assert piece == ahead
        text += piece
    return text


WAYS: dict[str, Callable[[BodyFile], bytes]] = {
    "read()": lambda body: body.read(),
    "read(None)": lambda body: body.read(None),
    "read(7)": lambda body: b"".join(iter(lambda: body.read(7), b"")),
    "read1()": lambda body: b"".join(iter(body.read1, b"")),
    "read1(3)": lambda body: b"".join(iter(lambda: body.read1(3), b"")),
    "readinto": lambda body: b"".join(iter(lambda: read_into(body), b"")),
    "readline()": lambda body: b"".join(iter(body.readline, b"")),
    "readline(4)": lambda body: b"".join(iter(lambda: body.readline(4), b"")),
    "iteration": b"".join,
    "peek": peeked,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_every_way_reads_all_of_it(way: str, size: int) -> None:
    assert WAYS[way](Scripted(*cut(size))) == TEXT


def test_as_much_as_was_asked_for() -> None:
    body = Scripted(*cut(2))
    assert [len(body.read(10)) for _ in range(5)] == [10, 10, 10, len(TEXT) - 30, 0]
    assert Scripted(*cut(2)).read1(10) == TEXT[:2]
    assert body.read(0) == body.read1(0) == b""


@pytest.mark.parametrize("size", [1, 3, 100])
def test_lines(size: int) -> None:
    assert Scripted(*cut(size)).readlines() == TEXT.splitlines(keepends=True)
    assert Scripted(*cut(size)).readline(2) == TEXT[:2]


@pytest.mark.parametrize("way", ["read()", "read(7)", "readinto", "readline()", "readline(4)", "iteration"])
@pytest.mark.parametrize("error", [TimeoutError, KeyboardInterrupt])
def test_what_a_read_had_taken_that_failed_is_read_next(way: str, error: type[BaseException]) -> None:
    """The script fails in each place in turn."""
    for place in range(1, 8):
        pieces = cut(5)
        body = Scripted(*pieces[:place], error(), *pieces[place:])
        text = b""
        with pytest.raises(error):
            while piece := body.readline() if "line" in way else body.read(13):
                text += piece
        assert text + WAYS[way](body) == TEXT


def test_the_error_of_a_body_that_was_cut_off_carries_what_was_read() -> None:
    for read in (lambda body: body.read(), read_into, lambda body: body.readline()):
        with pytest.raises(IncompleteBody, match="after 6 bytes of the body") as raised:
            read(Scripted(b"abc", b"def", IncompleteBody("the connection ended")))
        assert raised.value.partial == b"abcdef"


def test_only_what_can_be_written_is_read_into() -> None:
    with pytest.raises(TypeError, match="needs a buffer that can be written, not bytes"):
        Scripted(b"abc").readinto(b"xyz")  # type: ignore[arg-type]
    assert len(writable(memoryview(bytearray(8)).cast("I"))) == 8
    assert Scripted(b"abc").readinto(bytearray()) == 0


def test_how_much_is_missing() -> None:
    error = incomplete("it ended", 3, 10, stream_id=5)
    assert str(error) == "it ended after 3 of 10 bytes of the body"
    assert (error.expected, error.stream_id, error.partial) == (7, 5, b"")
    assert incomplete("it ended", 3, None).expected is None
