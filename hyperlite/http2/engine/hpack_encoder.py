"""Two encoders of header blocks (RFC 7541), each with bounded memory and in linear time.

The native engine has `MemoEncoder`, which remembers what it has encoded.  The reference engine has
`BoundedEncoder`, which is hpack's own, made safe for a client.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar

import hpack

from ...messages.fields import SECRET, Field
from .hpack_huffman import encode_huffman
from .hpack_table import ENTRY_OVERHEAD, NAME_NUMBERS, NUMBERS, STATIC_TABLE, TABLE_SIZE

# A server may allow 4 GiB (SETTINGS_HEADER_TABLE_SIZE); section 4.2 lets the encoder use less than it allows.
# Go and nghttp2 use 4,096 as well.
MAX_TABLE = TABLE_SIZE
# Bytes that one connection remembers. A program's fields are some dozens, of 50 bytes each.
MEMORY = 64 << 10
# What an entry costs besides its bytes, about.
OVERHEAD = 300
# The number of the first entry of the dynamic table.
_FIRST_DYNAMIC = len(STATIC_TABLE) + 1
# Lengths from this on take more than one byte.
_LONG = 0x7F
# The beginnings of a `:path`, by its length. Its Huffman code would cost more than the bytes that it saves.
_PATHS = [bytes((0x04, length)) for length in range(_LONG)]


class _LinearHuffman:
    """The Huffman code for hpack's encoder, whose own takes 260 ms for 40 KB of cookies."""

    encode: ClassVar[Callable[[bytes], bytes]] = staticmethod(encode_huffman)


class BoundedEncoder(hpack.Encoder):
    """An encoder whose table grows no larger than `MAX_TABLE`, whatever the peer would take.

    Secrets never enter it, here or at the next hop (RFC 7541 section 7.1.3).
    """

    def __init__(self) -> None:
        super().__init__()
        self.huffman_coder: _LinearHuffman = _LinearHuffman()  # type: ignore[assignment]

    def encode(self, headers: Iterable[Field], huffman: bool = True) -> bytes:  # type: ignore[override]
        """Return the header block of a field list."""
        marked = [hpack.NeverIndexedHeaderTuple(*field) if field[0] in SECRET else field for field in headers]
        return super().encode(marked, huffman)

    @property
    def header_table_size(self) -> int:
        """The size of the dynamic table, in bytes by the count of RFC 7541 section 4.1."""
        return self.header_table.maxsize

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        size = min(value, MAX_TABLE)
        if size != self.header_table.maxsize:
            self.header_table.maxsize = size
            # RFC 7541 section 4.2: of several changes the smallest and the last are told. hpack tells all,
            # one of which may be more than the peer allows by now.
            smallest = min([size, *self.table_size_changes])
            self.table_size_changes: list[int] = [size] if smallest == size else [smallest, size]


class MemoEncoder:
    """An encoder of header blocks, whose table stands still as soon as it holds what repeats.

    A field enters the table when it comes for the second time, and only while there is room: nothing
    is ever evicted, so that what was encoded once can be said again in the same bytes.  `:path` never
    enters it, secrets go as literals that no hop may index (RFC 7541 section 7.1.3).
    """

    def __init__(self) -> None:
        self._max_size = TABLE_SIZE
        self._size_updates: list[int] = []
        self._forget()

    def _forget(self) -> None:
        """Begin with an empty table."""
        self._table: dict[Field, int] = {}  # by the order of insertion, the first is 0
        self._size = 0
        self._seen: set[Field] = set()
        self._memory: dict[Field, bytes] = {}
        self._remembered = 0

    @property
    def header_table_size(self) -> int:
        """The size of the dynamic table, in bytes by the count of RFC 7541 section 4.1."""
        return self._max_size

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        """Take note of what the peer allows (SETTINGS_HEADER_TABLE_SIZE); more than 4,096 is not used."""
        size = min(value, MAX_TABLE)
        if size != self._max_size:
            self._max_size = size
            self._size_updates = [0, size] if size else [0]  # the peer's table is emptied like ours
            self._forget()

    def encode(self, fields: Iterable[Field]) -> bytes:
        """Return the header block of a field list."""
        codes = []
        if self._size_updates:
            codes = [_number(0x20, 5, size) for size in self._size_updates]
            self._size_updates.clear()
        memory = self._memory
        for field in fields:
            code = memory.get(field)
            if code is None:
                name, value = field
                if name == b":path" and len(value) < _LONG:
                    code = _PATHS[len(value)] + value
                else:
                    code = self._encode(field)
                    memory = self._memory
            codes.append(code)
        return b"".join(codes)

    def _encode(self, field: Field) -> bytes:
        name, value = field
        if name == b":path":
            return b"\x04" + _number(0, 7, len(value)) + value
        index = NAME_NUMBERS.get(name, 0)
        if name in SECRET:
            return self._literal(0x10, 4, index, field)
        if field in NUMBERS:
            return self._remember(field, _number(0x80, 7, NUMBERS[field]))
        if field in self._table:
            age = len(self._table) - 1 - self._table[field]
            return self._remember(field, _number(0x80, 7, _FIRST_DYNAMIC + age))
        if field not in self._seen:
            self._see(field)
            return self._literal(0, 4, index, field)
        size = len(name) + len(value) + ENTRY_OVERHEAD
        if self._size + size > self._max_size:
            return self._remember(field, self._literal(0, 4, index, field))
        self._table[field] = len(self._table)
        self._size += size
        self._memory = {}  # the entries before it have other numbers now
        self._remembered = 0
        return self._literal(0x40, 6, index, field)

    def _literal(self, pattern: int, bits: int, index: int, field: Field) -> bytes:
        name, value = field
        code = _number(pattern, bits, index)
        return code + (b"" if index else self._string(name)) + self._string(value)

    def _string(self, text: bytes) -> bytes:
        code = encode_huffman(text)
        if len(code) < len(text):
            return _number(0x80, 7, len(code)) + code
        return _number(0, 7, len(text)) + text

    def _see(self, field: Field) -> None:
        if len(self._seen) * OVERHEAD > MEMORY:
            self._seen.clear()
        if len(field[1]) < self._max_size:
            self._seen.add(field)

    def _remember(self, field: Field, code: bytes) -> bytes:
        self._remembered += len(field[0]) + len(field[1]) + OVERHEAD
        if self._remembered > MEMORY:
            self._memory = {}
            self._remembered = 0
        self._memory[field] = code
        return code


def _number(pattern: int, bits: int, number: int) -> bytes:
    """Return a number (RFC 7541 section 5.1) with the pattern before its prefix."""
    limit = (1 << bits) - 1
    if number < limit:
        return bytes((pattern | number,))
    code = bytearray((pattern | limit,))
    number -= limit
    while number >= 0x80:
        code.append(number & 0x7F | 0x80)
        number >>= 7
    code.append(number)
    return bytes(code)
