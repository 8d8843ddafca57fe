"""messages/chunked.py: chunks framed by hand are unwrapped, however they are cut; nonsense is refused."""

import pytest

from hyperlite.messages.chunked import MAX_LINE, ChunkLines, Dechunker, unwrap

WHOLE = b'5\r\nhello\r\n6;name="a b"\r\n world\r\n0\r\n\r\n'

# They are refused in a caller's chunks and in a server's.
BAD_SIZE_LINES = [
    b"\r5\r\n",
    b" 5\r\n",
    b"\t5\r\n",
    b"\r\n5\r\n",
    b"5\n",
    b"5\r",
    b"5\r\r\n",
    b"5 5\r\n",
    b"5\x0b\r\n",
    b"5\0\r\n",
    b"5;a\rb\r\n",
    b"5;a\nb\r\n",
    b"5;a\0\r\n",
    b"5;a\x7f\r\n",
    b"5;a\x0b\r\n",
    b"5;a\n",
    b"5,a\r\n",
    b"-5\r\n",
    b"\xb2\r\n",
    b";5\r\n",
    b"5h\r\n",
    b"0" * 16 + b"5\r\n",
]


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"5\r\n", 5),
        (b"005 ;a\r\n", 5),
        (b"5 \t\r\n", 5),
        (b'fF;a="\xe9 ;b"\r\n', 255),
        (b"0" * 16 + b"\r\n", 0),
    ],
    ids=repr,
)
def test_a_size_line(line: bytes, size: int) -> None:
    assert ChunkLines().take(line) == size


@pytest.mark.parametrize("line", BAD_SIZE_LINES, ids=repr)
def test_no_size_line(line: bytes) -> None:
    with pytest.raises(ValueError, match="chunk size"):
        ChunkLines().take(line)


def test_lines_in_their_order() -> None:
    lines = ChunkLines()
    assert [lines.take(line) for line in (b"5\r\n", b"\r\n", b"6;a\r\n", b"\r\n")] == [5, 0, 6, 0]
    assert not lines.last
    assert lines.take(b"0\r\n") == 0
    assert lines.last


@pytest.mark.parametrize("line", [b"\n", b"x\r\n", b"5\r\n"], ids=repr)
def test_another_line_than_the_end_of_a_chunk(line: bytes) -> None:
    lines = ChunkLines()
    lines.take(b"5\r\n")
    with pytest.raises(ValueError, match="longer than its size"):
        lines.take(line)


def test_what_is_refused_was_not_taken() -> None:
    chunks = Dechunker()
    assert chunks.take(b"5\r\nhel") == [b"hel"]
    with pytest.raises(ValueError, match="longer than its size"):
        chunks.take(b"lo, world")  # two bytes behind the chunk show it
    assert chunks.take(b"lo\r\n0\r\n\r\n") == [b"lo"]
    assert chunks.done


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
        *[(line + b"hello\r\n0\r\n\r\n", "hexadecimal") for line in BAD_SIZE_LINES],
        (b"4\r\nhello\r\n0\r\n\r\n", "longer than its size"),
        (b"5\r\nhello\n0\r\n\r\n", "longer than its size"),
        (b"5\r\nhello\r0\r\n\r\n", "longer than its size"),
        (b"5\r\nhello\r\n", "last chunk is missing"),
        (b"5\r\nhel", "last chunk is missing"),
        (b"0\r\n", "last chunk is missing"),
        (b"0\r\nname\r\n\r\n", "no colon"),
        (b"0\r\nna me: value\r\n\r\n", "header name"),
        (b"0\r\nHost: value\r\n\r\n", "'host' may not be a trailer"),
        (b"0\r\nname: " + b"x" * MAX_LINE, "bytes of trailer"),
        (b"0\r\n\r\nmore", "follow the last chunk"),
        (b"", "last chunk is missing"),
        (b"5;" + b"x" * MAX_LINE, "hexadecimal"),
        (b"x" * MAX_LINE, "hexadecimal"),
    ],
    ids=repr,
)
def test_nonsense(body: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        b"".join(unwrap([body], []))
