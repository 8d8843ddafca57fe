"""The decoders of header blocks beside hpack's: the same fields, the same errors, the same tables.

The blocks are recorded ones of real servers, composed ones in which values and fields change from block to
block as with a server, and ones that are broken on purpose.  A connection is a sequence of blocks up to the
first error.  HYPERLITE_HPACK_BLOCKS says how many blocks there are to be: the default takes some seconds.
"""

import base64
import inspect
import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import hpack
import pytest

from hyperlite.errors import MalformedResponse
from hyperlite.http2.engine import hpack_decoder
from hyperlite.http2.engine.hpack_huffman import encode_huffman
from hyperlite.http2.engine.speedups import Decoder
from hyperlite.messages.fields import Field
from hyperlite.messages.response_rules import Message
from tests.http2.engine.decoders import DECODERS, Kind, table_of

BLOCKS = int(os.environ.get("HYPERLITE_HPACK_BLOCKS", "6000"))
RECORDED = Path(__file__).with_name("recorded_blocks.txt")
PART = 500  # blocks of one test
LIMITS = [300, 2000, 1 << 16]

STATIC = [*range(1, 62), 8, 8, 8, 54, 55]
NAMES = [
    b"x-request-id", b"server-timing", b"cf-ray", b"set-cookie", b"cookie", b"connection", b"X-Upper",
    b":path", b"x-a", b"content-security-policy", b"", b"n" * 126, b"n" * 127,
]  # fmt: skip
VALUES = [
    b"", b"0", b"nginx", b"600", b"text/html", b"max-age=60", b"Sat, 21 Nov 2026 06:00:00 GMT", b" padded ",
    b"a\0b", b"a\r\nb", b"\xff\xfe", b"p" * 126, b"p" * 127, b"policy " * 60, b"q" * 600, b"long" * 1200,
]  # fmt: skip


def recorded() -> dict[str, list[bytes]]:
    """Return the recorded blocks, by connection."""
    connections: dict[str, list[bytes]] = {}
    for line in RECORDED.read_text().splitlines():
        if line.startswith("= "):
            blocks = connections[line[2:]] = []
        elif not line.startswith("#"):
            blocks.append(base64.b64decode(line))
    return connections


def number(pattern: int, bits: int, value: int) -> bytes:
    """Return a number (RFC 7541 section 5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((pattern | value,))
    code = [pattern | limit]
    value -= limit
    while value >= 0x80:
        code.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*code, value))


class Composer:
    """Composes blocks as servers do, and as they do not."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.broken = self.dice.random() < 0.5
        self.plain = self.dice.random() < 0.5  # refers to no table, like nginx
        self.shapes = [self.shape() for _ in range(self.dice.choice((1, 1, 2, 4)))]
        self.last = b""

    def string(self, text: bytes) -> bytes:
        code = encode_huffman(text) if self.dice.random() < 0.8 else text
        code = number(0x80 if code is not text else 0, 7, len(code)) + code
        if self.broken and self.dice.random() < 0.003:
            code = number(0x80, 7, 4) + self.dice.choice((b"\xff" * 4, b"\0\0\0\0", b"\x1f\xff\xff\xf0"))
        return code

    def value(self) -> bytes:
        if self.dice.random() < 0.5:
            return b"%x" % self.dice.getrandbits(self.dice.choice((8, 32, 128, 400)))
        return self.dice.choice(VALUES if self.broken else VALUES[:7])

    def head(self) -> bytes:
        """Return what a field begins with, up to its value."""
        kind, bits = self.dice.choice(((0x40, 6), (0x00, 4), (0x00, 4), (0x10, 4)))
        way = self.dice.random()
        if way < 0.45:
            return number(kind, bits, self.dice.choice(STATIC))
        if way < 0.55 and not self.plain:
            return number(kind, bits, 62 + self.dice.randrange(6))
        names = NAMES if self.broken else NAMES[:4]
        return bytes((kind,)) + self.string(self.dice.choice(names))

    def field(self) -> tuple[bytes, bytes | None]:
        if self.dice.random() < 0.25:
            index = self.dice.choice(STATIC)
            if not self.plain and self.dice.random() < 0.7:
                index = 62 + self.dice.randrange(40 if self.broken else 5)
            return number(0x80, 7, index), None
        return self.head(), self.string(self.value())

    def shape(self) -> list[tuple[bytes, bytes | None]]:
        fields = [self.field() for _ in range(self.dice.randrange(12))]
        return [(self.dice.choice((b"\x88", b"\x8d", b"\x89")), None), *fields]

    def block(self) -> bytes:
        """Return the next block: one of the shapes with some values new, or now and then the last again."""
        if not self.last or self.dice.random() < 0.65:
            self.last = self.new_block()
        return self.last

    def new_block(self) -> bytes:
        dice, shape = self.dice, self.dice.choice(self.shapes)
        changed = dice.choice((0, 0, 0.2, 0.6))
        for place, (head, value) in enumerate(shape):
            if value is not None and dice.random() < changed:
                shape[place] = head, self.string(self.value())
        if dice.random() < 0.05:
            shape.insert(dice.randrange(len(shape) + 1), self.field())
        if dice.random() < 0.03 and len(shape) > 1:
            shape.pop(dice.randrange(1, len(shape)))
        code = b"".join([head + (value or b"") for head, value in shape])
        if dice.random() < 0.02:
            sizes = dice.choice(([0], [60], [500], [4096], [4097], [0, 4096]))
            code = b"".join([number(0x20, 5, size) for size in sizes]) + code
        if self.broken and dice.random() < 0.03:
            return self.mutate(code)
        return code

    def mutate(self, code: bytes) -> bytes:
        """Return a block with something wrong, in most cases."""
        at = self.dice.randrange(len(code) + 1)
        return self.dice.choice(
            (
                code[:at],
                code[:at] + bytes((self.dice.randrange(256),)) + code[at + 1 :],
                code[:at] + self.dice.randbytes(3) + code[at:],
                code[at:],
                code + code[:at],
            )
        )


def reference(decoder: hpack.Decoder, block: bytes) -> list[Field] | str:
    """Return what hpack makes of a block: its fields, or the kind of error."""
    try:
        return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    except hpack.HPACKError as error:
        return kind_of(error)


def kind_of(error: hpack.HPACKError) -> str:
    if isinstance(error, (hpack.OversizedHeaderListError, hpack.InvalidTableSizeError)):
        return type(error).__name__
    return "no HPACK"


def is_regular(fields: list[Field]) -> bool:
    """Tell whether the response rules take all fields but the first, each checked by itself: as trailers."""
    message = Message()
    message.block([(b":status", b"200")], end_stream=False)
    try:
        message.block(fields[1:], end_stream=True)
    except MalformedResponse:
        return False
    return True


def agree(blocks: Iterator[bytes], limit: int, dice: random.Random, kind: Kind) -> int:
    """Compare the decoders on one connection, up to the first error; return how many blocks that were."""
    theirs, ours = hpack.Decoder(max_header_list_size=limit), kind(limit)
    history: list[bytes] = []
    for block in blocks:
        history.append(block)
        expected = reference(theirs, block)
        try:
            got: list[Field] | str = ours.decode(block)
        except hpack.HPACKError as error:
            got = kind_of(error)
        assert got == expected, history
        if isinstance(expected, str):
            break
        assert ours.regular == is_regular(expected), history
        if dice.random() < 0.1:
            same_tables(theirs, ours)
    else:
        same_tables(theirs, ours)
    return len(history)


def same_tables(theirs: hpack.Decoder, ours: Decoder) -> None:
    table = [(bytes(name), bytes(value)) for name, value in theirs.header_table.dynamic_entries]
    assert table_of(ours) == table


by_each = pytest.mark.parametrize("kind", DECODERS)
of_each_server = pytest.mark.parametrize("name", recorded())


@by_each
@of_each_server
def test_recorded(name: str, kind: Kind) -> None:
    blocks = recorded()[name]
    assert agree(iter(blocks * 4), 1 << 16, random.Random(1), kind) == 4 * len(blocks)


@by_each
@pytest.mark.parametrize("part", range(-(-BLOCKS // PART)))
def test_composed(part: int, kind: Kind) -> None:
    done = 0
    for seed in itertools.count(part * 1_000_000):
        composer = Composer(seed)
        limit = composer.dice.choice(LIMITS)
        length = composer.dice.choice((20, 60, 200))
        done += agree((composer.block() for _ in range(length)), limit, composer.dice, kind)
        if done >= PART:
            return


@by_each
@of_each_server
def test_recorded_with_something_changed(name: str, kind: Kind) -> None:
    blocks = recorded()[name]
    for seed in range(BLOCKS // 300):
        dice = random.Random(seed)
        composer = Composer(seed)
        changed = [composer.mutate(block) if dice.random() < 0.1 else block for block in blocks * 2]
        agree(iter(changed), dice.choice(LIMITS), dice, kind)


# -- defects that the comparison must find -------------------------------------------------------------

MUTANTS = {
    "a block that came before enters no table": ("self._inserted += inserted", "pass"),
    "a block that came before is valid for any table": ("version != self._version", "False"),
    "a run enters no table": ("inserted += run.entries", "pass"),
    "a run costs nothing": ("room -= run.size", "pass"),
    "what fills a hole enters no table": ("if hole.indexed:", "if False:"),
    "what fills a hole costs its name alone": ("hole.size + len(value)", "hole.size"),
    "a value is not checked": (
        "return text, 0 if is_response_value(text) else BAD_MARK, stop",
        "return text, 0, stop",
    ),
    "a value that is remembered is not checked": (
        "known = text, 0 if is_response_value(text) else BAD_MARK",
        "known = text, 0",
    ),
    "what fills a hole is not marked": ("hole.mark | bad", "hole.mark"),
    "a literal without indexing enters the table": (
        "if first >= 0x40:\n                    adds",
        "if True:\n                    adds",
    ),
    "what waits to be inserted is not counted": ("elif self._inserted or index", "elif index"),
    "a truncated string is a string": ("if stop > len(block):", "if False:"),
    "a table size update is repeated with its block": ("self._refers = adds = True", "pass"),
    "a table size update is not obeyed": ("self._max_size = size\n            while", "while"),
    "what a smaller table has no room for stays": ("while self._size > size:", "while False:"),
    "a table size update may be anything": (
        "if size > TABLE_SIZE:\n                raise",
        "if False:\n                raise",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_defect_is_found(name: str) -> None:
    source = inspect.getsource(hpack_decoder)
    old, new = MUTANTS[name]
    assert source.count(old) == 1, f"{old!r} is {source.count(old)} times in {hpack_decoder.__name__}"
    changed = ModuleType(hpack_decoder.__name__)
    changed.__package__ = hpack_decoder.__package__
    exec(compile(source.replace(old, new), f"mutant of {hpack_decoder.__file__}", "exec"), vars(changed))
    with pytest.raises(AssertionError):
        for seed in range(2000):
            composer = Composer(seed)
            limit = composer.dice.choice(LIMITS)
            blocks = (composer.block() for _ in range(60))
            agree(blocks, limit, composer.dice, changed.MemoDecoder)
