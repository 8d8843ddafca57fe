"""HPACK that remembers: servers, and programs, say the same things over and over (RFC 7541).

The unit of memory is the *field literal*, the bytes of one field as they stand in a block.  A whole
block repeats only when a program fetches one file again and again; the blocks of different files differ in
an etag, a length and a date, and share the rest.  The decoder remembers the field that a literal stands
for.  It still inserts that field into the dynamic table each time, so the table is always that of a decoder
without a memory.

Rules: a memory is one connection's, is bounded in bytes, and holds nothing secret: `SECRET` fields and
what the peer marked as never to be indexed are decoded, and encoded, anew each time.
"""

from collections import deque
from collections.abc import Iterable

import hpack

from ...messages.fields import SECRET, Field
from .hpack_encoder import MAX_TABLE
from .hpack_huffman import decode_huffman, encode_huffman
from .hpack_table import NAME_NUMBERS, NUMBERS, STATIC_TABLE

# Bytes that one connection remembers. The fields of a busy site are some dozens, of 50 bytes each.
MEMORY = 64 << 10
# What an entry costs besides the bytes of its literal, about.
OVERHEAD = 300
# RFC 7541 section 4.1: what an entry of the table costs besides its name and its value.
ENTRY_OVERHEAD = 32
# The size of our table: SETTINGS_HEADER_TABLE_SIZE is never sent (RFC 9113 section 6.5.2).
TABLE_SIZE = 4096
MOST_ENTRIES = TABLE_SIZE // ENTRY_OVERHEAD
# Insertions that may be late.
LATE = 1024

# A field, and what it costs in a table and in a header list.
_Sized = tuple[Field, int]


def _sized(name: bytes, value: bytes) -> _Sized:
    return (name, value), len(name) + len(value) + ENTRY_OVERHEAD


# By their numbers, the first of which is 1.
_STATIC = (_sized(b"", b""), *(_sized(name, value) for name, value in STATIC_TABLE))
# The number of the first entry of the dynamic table, and the first byte of a literal that names it.
_FIRST_DYNAMIC = len(_STATIC)
_DYNAMIC_NAME = 0x40 | _FIRST_DYNAMIC
# Bytes of a number behind its prefix, as in hpack: 2 ** 32 has five.
_MOST_BYTES = 5
# Prefixes that are full: the number goes on in the next byte.
_LONG_INDEX, _LONG_PLAIN_INDEX, _LONG = 0x3F, 0x0F, 0x7F
# The beginnings of a `:path`, by its length. Its Huffman code would cost more than the bytes that it saves.
_PATHS = [bytes((0x04, length)) for length in range(_LONG)]


class _Block:
    """A block that was decoded.

    Attributes:
        inserted: what it put into the table.
        refers: it is valid only for this `version` of the table.
    """

    __slots__ = ("block", "fields", "inserted", "refers", "version")

    def __init__(
        self, block: bytes, fields: list[Field], inserted: list[_Sized], refers: bool, version: int
    ) -> None:
        self.block = block
        self.fields = fields
        self.inserted = inserted
        self.refers = refers
        self.version = version


class MemoDecoder:
    """A decoder of header blocks: for any input what `hpack.Decoder` returns, or the class that it raises.

    Args:
        max_header_list: bytes of one decoded header list, by the measure of RFC 9113 section 10.5.1.
    """

    def __init__(self, max_header_list: int) -> None:
        self._max_header_list = max_header_list
        # -- the dynamic table, the youngest entry first; sizes are those of section 4.1 --
        self._inserted: list[_Sized] = []  # what is still to be inserted, the youngest last
        self._entries: deque[_Sized] = deque()
        self._size = 0
        self._max_size = TABLE_SIZE
        self._version = 0  # of the table: how often it was changed
        # -- what the last block said, and what literals say --
        self._last = _Block(b"", [], [], False, 0)
        self._memory: dict[bytes, _Sized] = {}
        self._older: dict[bytes, _Sized] = {}  # which is dropped when the memory is full, and takes its place
        self._remembered = 0

    def decode(self, block: bytes) -> list[Field]:  # noqa: PLR0912  it runs for each field
        """Return the fields of a block, in a list that is not to be changed.

        Raises:
            hpack.OversizedHeaderListError: they are more than `max_header_list` bytes.
            hpack.HPACKDecodingError: the block is no HPACK; the connection is of no further use.
        """
        last = self._last
        if block == last.block and not (last.refers and (self._inserted or last.version != self._version)):
            self._wait(last.inserted, 0)
            return last.fields
        fields: list[Field] = []
        room = self._max_header_list
        end = len(block)
        before, adds, refers = len(self._inserted), False, False
        try:
            at = self._take_size_updates(block)
            familiar = not at  # nothing is new: no update, no literal
            while at < end:
                first = block[at]
                if first >= 0x80:
                    index = first & 0x7F
                    if index == 0x7F:
                        index, at = _integer(block, at, 7)
                    else:
                        at += 1
                    if 0 < index < _FIRST_DYNAMIC:
                        sized = _STATIC[index]
                    else:
                        refers = True
                        sized = self._entry(index)
                else:
                    # Nearly all literals have a name of the static table, and a short value.
                    length = block[at + 1] & 0x7F
                    stop = at + 2 + length
                    if length == _LONG or not 0x40 < first < _DYNAMIC_NAME:
                        stop = _end_of(block, at, first)
                    known = self._memory.get(block[at:stop])
                    if known is None:
                        familiar = False
                        sized, at = self._literal(block, at, first, stop)
                    else:
                        sized, at = known, stop
                    if first >= 0x40:
                        adds = True
                        self._inserted.append(sized)
                field, size = sized
                fields.append(field)
                room -= size
                if room < 0:
                    raise _oversized(self._max_header_list)
        except IndexError:
            raise hpack.HPACKDecodingError("Truncated header block") from None
        if familiar and not (adds and refers):
            self._keep(block, fields, self._inserted[before:] if adds else [], refers)
        if adds:
            self._wait((), self._max_header_list - room)
        return fields

    def _wait(self, more: "Iterable[_Sized]", size: int) -> None:
        """Have entries wait for their insertion: not too many, and none of a header list of great size."""
        self._inserted += more
        if len(self._inserted) > LATE or size > TABLE_SIZE:
            self._insert()

    def _keep(self, block: bytes, fields: list[Field], inserted: "list[_Sized]", refers: bool) -> None:
        """Keep a block, for the next may be the same: one that fetches the same again gets the same."""
        if not refers or not (self._inserted or any(name in SECRET for name, _ in fields)):
            self._last = _Block(block, fields, inserted, refers, self._version)

    def _insert(self) -> None:
        """Bring the table up to date: the oldest entries make room for new ones (section 4.4).

        This is done when a block refers to the table. Many servers fill it and never refer to it.
        """
        entries = self._entries
        self._version += 1
        for sized in self._inserted[-MOST_ENTRIES:]:  # those before them would have been dropped again
            total = self._size + sized[1]
            while total > self._max_size and entries:
                total -= entries.pop()[1]
            if total <= self._max_size:
                entries.appendleft(sized)
                self._size = total
            else:  # larger than the whole table, which it leaves empty
                self._size = 0
        self._inserted.clear()

    def _entry(self, index: int) -> "_Sized":
        """Return an entry of either table by its number (section 2.3.3)."""
        if 0 < index < _FIRST_DYNAMIC:
            return _STATIC[index]
        if self._inserted:
            self._insert()
        if index and index - _FIRST_DYNAMIC < len(self._entries):
            return self._entries[index - _FIRST_DYNAMIC]
        raise hpack.InvalidTableIndexError(f"Invalid table index {index}")

    def _take_size_updates(self, block: bytes) -> int:
        """Take the updates of the table's size at the start of a block; returns where they end."""
        at = 0
        while at < len(block) and 0x20 <= block[at] < 0x40:
            size, at = _integer(block, at, 5)
            if size > TABLE_SIZE:
                raise hpack.InvalidTableSizeError("Encoder exceeded max allowable table size")
            self._insert()
            self._version += 1
            self._max_size = size
            while self._size > size:
                self._size -= self._entries.pop()[1]
        return at

    def _literal(self, block: bytes, start: int, first: int, stop: int) -> "tuple[_Sized, int]":
        """Decode a literal; returns what it says, and where it ends.

        One that is simple, and ends at `stop` if that is not 0, is remembered.
        """
        if stop and (known := self._older.get(block[start:stop])) is not None:
            self._remember(block[start:stop], known)
            return known, stop
        if 0x20 <= first < 0x40:
            raise hpack.HPACKDecodingError("Table size update not at the start of the block")
        index, at = _integer(block, start, 6 if first >= 0x40 else 4)
        if index:
            name = self._entry(index)[0][0]
        else:
            name, at = _string(block, start + 1)
        value, at = _string(block, at)
        sized = _sized(name, value)
        if stop and name not in SECRET and first & 0xF0 != 0x10:
            self._remember(block[start:at], sized)
        return sized, at

    def _remember(self, literal: bytes, sized: "_Sized") -> None:
        """Remember a literal, in the place of those that have not come for the longest time."""
        self._remembered += len(literal) + len(sized[0][1]) + OVERHEAD
        if self._remembered > MEMORY // 2:
            self._older, self._memory = self._memory, {}
            self._remembered = 0
        self._memory[literal] = sized


def _end_of(block: bytes, at: int, first: int) -> int:
    """Return where a simple literal ends; 0 for one that says different things at different times.

    Simple is one with short strings whose name is spelled out, or an entry of the static table.
    """
    index = first & (_LONG_INDEX if first >= 0x40 else _LONG_PLAIN_INDEX)
    if index == (_LONG_INDEX if first >= 0x40 else _LONG_PLAIN_INDEX) or index >= _FIRST_DYNAMIC:
        # A number of several bytes: those of the static table in the four bits of a literal without
        # indexing (date: 33) are worth the trouble.
        if first >= 0x40 or block[at + 1] + _LONG_PLAIN_INDEX >= _FIRST_DYNAMIC:
            return 0
        at += 1
    at += 1
    if not index:
        length = block[at] & 0x7F
        if length == _LONG:
            return 0
        at += 1 + length
    length = block[at] & 0x7F
    if length == _LONG:
        return 0
    at += 1 + length
    return at if at <= len(block) else 0


def _oversized(limit: int) -> hpack.OversizedHeaderListError:
    return hpack.OversizedHeaderListError(f"a header list of more than {limit} bytes")


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """Return a number (RFC 7541 section 5.1), and where it ends; IndexError if it is not there.

    Raises:
        hpack.HPACKDecodingError: it has no end, or too many bytes.
    """
    full = (1 << bits) - 1
    number = block[at] & full
    if number < full:
        return number, at + 1
    for count, byte in enumerate(block[at + 1 : at + 1 + _MOST_BYTES]):
        number += (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return number, at + 2 + count
    raise hpack.HPACKDecodingError("A number is cut off, or longer than any that is of use")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """Return a string (RFC 7541 section 5.2), and where it ends."""
    huffman = block[at] & 0x80
    length, at = _integer(block, at, 7)
    data = block[at : at + length]
    if len(data) != length:
        raise hpack.HPACKDecodingError("Truncated header block")
    return decode_huffman(data) if huffman else data, at + length


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
