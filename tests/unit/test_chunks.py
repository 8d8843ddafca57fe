"""chunks.py: what a caller framed by hand is unwrapped, however it is cut, and nonsense is refused."""

import pytest

from hyperlite.chunks import MAX_LINE, Dechunker, unwrap

WHOLE = b'5\r\nhello\r\n6;name="a b"\r\n world\r\n0\r\n\r\n'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_cut_anywhere(size: int) -> None:
    pieces = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]
    assert b"".join(unwrap(pieces, [])) == b"hello world"


def test_a_memoryview() -> None:
    assert b"".join(unwrap([memoryview(WHOLE)], [])) == b"hello world"


def test_done_is_told_at_the_end_and_not_before() -> None:
    chunks = Dechunker()
    assert b"".join(chunks.feed(WHOLE[:-1])) == b"hello world"
    assert not chunks.done
    assert list(chunks.feed(WHOLE[-1:])) == []
    assert chunks.done


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_trailers(size: int) -> None:
    whole = b"3\r\nabc\r\n0\r\nA: 1\r\nB:2 \r\n\r\n"
    trailers: list[tuple[bytes, bytes]] = []
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert b"".join(unwrap(pieces, trailers)) == b"abc"
    assert trailers == [(b"a", b"1"), (b"b", b"2")]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"hello", "last chunk is missing"),
        (b"hello\r\n", "hexadecimal"),
        (b"\r\n", "hexadecimal"),
        (b"+5\r\nhello\r\n0\r\n\r\n", "hexadecimal"),
        (b"0x5\r\nhello\r\n0\r\n\r\n", "hexadecimal"),
        (b"5_0\r\nhello\r\n0\r\n\r\n", "hexadecimal"),
        (b"4\r\nhello\r\n0\r\n\r\n", "longer than its size"),
        (b"5\r\nhello\r\n", "last chunk is missing"),
        (b"5\r\nhel", "last chunk is missing"),
        (b"0\r\n", "last chunk is missing"),
        (b"0\r\nname\r\n\r\n", "no colon"),
        (b"0\r\nna me: value\r\n\r\n", "header name"),
        (b"0\r\nHost: value\r\n\r\n", "'host' may not be a trailer"),
        (b"0\r\nname: " + b"x" * MAX_LINE, "bytes of trailer"),
        (b"0\r\n\r\nmore", "behind its last chunk"),
        (b"", "last chunk is missing"),
        (b"5;" + b"x" * MAX_LINE, "last chunk is missing"),
        (b"x" * MAX_LINE, "hexadecimal"),
    ],
    ids=repr,
)
def test_nonsense(body: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        b"".join(unwrap([body], []))
