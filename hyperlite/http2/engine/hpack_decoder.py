"""HPACK that remembers: a server says the same things over and over (RFC 7541).

Three things are remembered, all of one connection: the last block as a whole, for a program that fetches one
file again and again; what blocks have in common (`hpack_templates`); and names, and values that came twice.
What a block does to the dynamic table is still done each time, so the table is always that of a decoder
without a memory.

Rules: a memory is one connection's, is bounded in bytes, and holds nothing secret: `SECRET` fields and fields
that the peer marked as never to be indexed are decoded anew each time.
"""

import hpack

from ...messages.fields import Field, is_response_value
from .hpack_entry import (
    BAD_MARK,
    FIRST_DYNAMIC,
    SECRET_MARK,
    STATIC_ENTRIES,
    Entry,
    integer,
    mark_of,
)
from .hpack_huffman import decode_huffman
from .hpack_table import ENTRY_OVERHEAD, TABLE_SIZE
from .hpack_templates import LESSONS, MAX_VALUE, PATIENCE, Hole, Run, Templates

# Bytes of values that one connection remembers: policies, for example, of up to 2 KiB each.
MEMORY = 64 << 10
# What a value costs besides its bytes, about.
OVERHEAD = 200
# Bytes of a Huffman code from which on a look at the memory costs less than it saves: of any value, and of a
# value that is in all likelihood new.
VALUE, NEW_VALUE = 12, 64
# More bytes than a string has.
NEVER = 1 << 62
# Values of which it is known that they came once.
SEEN = 256
# Names that one connection remembers, and bytes of their codes.
NAMES = 256
NAME_LENGTH = 64
MOST_ENTRIES = TABLE_SIZE // ENTRY_OVERHEAD
# Insertions that may be late.
LATE = 1024
# Bytes of a block that is remembered as a whole.
MAX_BLOCK = 4096

# A length from which on the number goes on in the next byte.
_FULL = 0x7F


class Strings:
    """Values that came at least twice; those that have not come for the longest time are dropped.

    Attributes:
        young: values by their codes, with BAD_MARK if a response may not have them, or 0.
    """

    def __init__(self) -> None:
        self.young: dict[bytes, tuple[bytes, int]] = {}
        # It is dropped when the other is full, and takes its place.
        self._old: dict[bytes, tuple[bytes, int]] = {}
        self._size = 0
        self._seen: set[int] = set()

    def decode(self, code: bytes, start: int) -> tuple[bytes, int]:
        """Return what is known of a code that is not among the young ones.

        Args:
            code: a string as it stands in a block.
            start: how many bytes of that are its length.
        """
        known = self._old.get(code)
        if known is None:
            text = decode_huffman(code[start:])
            known = text, 0 if is_response_value(text) else BAD_MARK
            key = hash(code)
            if key not in self._seen:
                if len(self._seen) >= SEEN:
                    self._seen.clear()
                self._seen.add(key)
                return known
        self._size += len(code) + len(known[0]) + OVERHEAD
        if self._size > MEMORY // 2:
            self._old, self.young = self.young, {}
            self._size = 0
        self.young[code] = known
        return known


# A block that was decoded: its bytes, its fields, what it puts into the table, whether it refers to the table
# and is valid for this version of it alone, and whether its fields are regular: see `MemoDecoder`.
_Block = tuple[bytes, list[Field], list[Entry], bool, int, bool]


class MemoDecoder:
    """A decoder of header blocks: for any input what `hpack.Decoder` returns, or the class that it raises.

    Args:
        max_header_list: bytes of one decoded header list, by the measure of RFC 9113 section 10.5.1.

    Attributes:
        regular: whether all fields of the last block but the first are such as a response may have as regular
            fields (RFC 9113 sections 8.2.1 and 8.2.2).
    """

    def __init__(self, max_header_list: int) -> None:
        self._max_header_list = max_header_list
        self.regular: bool = False
        # -- the dynamic table, the youngest entry last; sizes are those of section 4.1 --
        self._inserted: list[Entry] = []  # what is still to be inserted, the youngest last
        self._entries: list[Entry] = []
        self._size = 0
        self._max_size = TABLE_SIZE
        self._version = 0  # of the table: how often it was changed
        # -- what is remembered --
        self._last: _Block = b"", [], [], False, 0, True
        self._templates = Templates()
        self._names: dict[bytes, tuple[bytes, int]] = {}  # by their codes, with their marks
        self._strings = Strings()
        # -- of the block that is being decoded --
        self._room = 0  # bytes that its header list may still have
        self._marks = 0  # of its fields
        self._refers = False  # to the table

    def decode(self, block: bytes) -> list[Field]:
        """Return the fields of a block, in a list that is not to be changed.

        Raises:
            hpack.OversizedHeaderListError: they are more than `max_header_list` bytes.
            hpack.HPACKDecodingError: the block is no HPACK; the connection is of no further use.
        """
        last, fields, inserted, refers, version, regular = self._last
        if block == last and not (refers and (self._inserted or version != self._version)):
            self._inserted += inserted
            if len(self._inserted) > LATE:
                self._insert()
            self.regular = regular
            return fields
        fields = []
        before = len(self._inserted)
        self._room = self._max_header_list
        self._marks = 0
        self._refers = False
        try:
            at, run = self._follow(block, fields)
            adds = len(self._inserted) > before
            if run is not None:
                known = len(fields)
                adds |= self._decode_rest(block, at, fields)
                if not self._refers:
                    self._templates.learn(run, block, at, fields[known:])
        except IndexError:
            raise _truncated() from None
        self.regular = regular = not self._marks & BAD_MARK
        if not (self._marks & SECRET_MARK or (adds and self._refers)) and len(block) <= MAX_BLOCK:
            inserted = self._inserted[before:] if adds else []
            self._last = block, fields, inserted, self._refers, self._version, regular
        # Entries wait for their insertion, but not too many, and none of a header list of great size.
        if adds and (len(self._inserted) > LATE or self._max_header_list - self._room > TABLE_SIZE):
            self._insert()
        return fields

    def _follow(self, block: bytes, fields: list[Field]) -> tuple[int, Run | None]:
        """Decode what follows a template.

        Returns:
            Where that ends, and the run that was next in the template; None at the end of the block.
        """
        run, inserted = self._templates.root, self._inserted
        room, at, end = self._room, 0, len(block)
        while True:
            if run.length:  # or else a hole follows a hole
                if not block.startswith(run.code, at):
                    break
                at += run.length
                fields += run.fields
                inserted += run.entries
                room -= run.size
                if room < 0:
                    raise _oversized(self._max_header_list)
            if at >= end:
                self._room = room
                if self._templates.lessons < LESSONS:
                    self._templates.lessons += 1
                return at, None
            hole = run.usual
            if hole is None or not block.startswith(hole.head, at):
                hole = run.follow(block, at)
                if hole is None:
                    break
            at += hole.length
            entry = hole.entry
            if entry is not None and block.startswith(hole.code, at):
                at += len(hole.code)
            else:
                entry, at = self._fill(hole, block, at)
            field, size, mark = entry
            if mark:
                self._marks |= mark if fields else mark & SECRET_MARK
            if hole.indexed:
                inserted.append(entry)
            fields.append(field)
            room -= size
            if room < 0:
                raise _oversized(self._max_header_list)
            run = hole.run
        self._room = room
        return at, run

    def _fill(self, hole: Hole, block: bytes, start: int) -> tuple[Entry, int]:
        """Decode a value that follows the head of a field; returns the field, and where it ends."""
        first = block[start]
        at = start + 1 + (first & _FULL)
        if 0x80 <= first < 0x80 | NEW_VALUE and at <= len(block):  # nearly always
            value = decode_huffman(block[start + 1 : at])
            bad = 0 if is_response_value(value) else BAD_MARK
        else:
            value, bad, at = self._value(block, start, NEVER if hole.mark & SECRET_MARK else NEW_VALUE)
        entry = (hole.name, value), hole.size + len(value), hole.mark | bad
        hole.misses = misses = hole.misses + 1
        if misses > PATIENCE and misses % PATIENCE:
            hole.entry = None
        elif at - start <= MAX_VALUE and not hole.mark & SECRET_MARK:
            hole.code, hole.entry = block[start:at], entry
        return entry, at

    def _decode_rest(self, block: bytes, at: int, fields: list[Field]) -> bool:
        """Decode a block from a place on; tell whether something of that enters the table."""
        entries, room, adds, end = self._entries, self._room, False, len(block)
        if not at and (at := self._take_size_updates(block)):
            self._refers = adds = True  # or the same may be said of it
        while at < end:
            first = block[at]
            if first >= 0x80:
                index, at = (first & 0x7F, at + 1) if first != 0xFF else integer(block, at, 7)
                if 0 < index < FIRST_DYNAMIC:
                    entry = STATIC_ENTRIES[index]
                elif self._inserted or index - FIRST_DYNAMIC >= len(entries):
                    entry = self._entry(index)
                else:
                    self._refers = True
                    entry = entries[FIRST_DYNAMIC - 1 - index]
            else:
                entry, at = self._literal(block, at, first)
                if first >= 0x40:
                    adds = True
                    self._inserted.append(entry)
            field, size, mark = entry
            if mark:
                self._marks |= mark if fields else mark & SECRET_MARK
            fields.append(field)
            room -= size
            if room < 0:
                raise _oversized(self._max_header_list)
        self._room = room
        return adds

    def _literal(self, block: bytes, at: int, first: int) -> tuple[Entry, int]:
        """Decode a literal (section 6.2); returns the field, and where it ends."""
        if first >= 0x40:
            index, at = (first & 0x3F, at + 1) if first != 0x7F else integer(block, at, 6)
        elif first < 0x20:
            index, at = (first & 0x0F, at + 1) if first & 0x0F != 0x0F else integer(block, at, 4)
        else:
            raise hpack.HPACKDecodingError("Table size update not at the start of the block")
        if index:
            name = self._entry(index)[0][0]
            mark = mark_of(name)
        else:
            stop = at + 1 + (block[at] & _FULL)
            known = self._names.get(block[at:stop])
            if known is None:
                known, stop = self._name(block, at)
            (name, mark), at = known, stop
        if first & 0xF0 == 0x10:
            mark |= SECRET_MARK
        value, bad, at = self._value(block, at, NEVER if mark & SECRET_MARK else VALUE)
        return ((name, value), len(name) + len(value) + ENTRY_OVERHEAD, mark | bad), at

    def _name(self, block: bytes, start: int) -> tuple[tuple[bytes, int], int]:
        """Return a name that is spelt out, with its marks, and where it ends."""
        name, _, at = self._value(block, start, NEVER)
        known = name, mark_of(name)
        if at - start <= NAME_LENGTH:
            if len(self._names) >= NAMES:
                self._names.clear()
            self._names[block[start:at]] = known
        return known, at

    def _value(self, block: bytes, start: int, worth: int) -> tuple[bytes, int, int]:
        """Return a string (section 5.2), BAD_MARK if it may be no value, or 0, and where it ends.

        Args:
            block: the block.
            start: where the string begins.
            worth: bytes of a Huffman code from which on it is looked for in the memory.
        """
        first = block[start]
        length, at = (first & _FULL, start + 1) if first & _FULL != _FULL else integer(block, start, 7)
        stop = at + length
        if stop > len(block):
            raise _truncated()
        if first < 0x80:
            text = block[at:stop]
        elif length < worth:
            text = decode_huffman(block[at:stop])
        else:
            code = block[start:stop]
            text, bad = self._strings.young.get(code) or self._strings.decode(code, at - start)
            return text, bad, stop
        return text, 0 if is_response_value(text) else BAD_MARK, stop

    # -- the table --------------------------------------------------------------------------------

    def _insert(self) -> None:
        """Bring the table up to date: the oldest entries make room for new ones (section 4.4).

        This is done when a block refers to the table. Many servers fill it and never refer to it.
        """
        entries, total, limit = self._entries, self._size, self._max_size
        self._version += 1
        for entry in self._inserted[-MOST_ENTRIES:]:  # those before them would have been dropped again
            total += entry[1]
            entries.append(entry)
            while total > limit:  # one that is larger than the whole table leaves it empty
                total -= entries.pop(0)[1]
        self._size = total
        self._inserted.clear()

    def _entry(self, index: int) -> Entry:
        """Return an entry of either table by its number (section 2.3.3)."""
        if 0 < index < FIRST_DYNAMIC:
            return STATIC_ENTRIES[index]
        if self._inserted:
            self._insert()
        self._refers = True
        if index and index - FIRST_DYNAMIC < len(self._entries):
            return self._entries[FIRST_DYNAMIC - 1 - index]
        raise hpack.InvalidTableIndexError(f"Invalid table index {index}")

    def _take_size_updates(self, block: bytes) -> int:
        """Take the updates of the table's size at the start of a block; returns where they end."""
        at = 0
        while at < len(block) and 0x20 <= block[at] < 0x40:
            size, at = integer(block, at, 5)
            if size > TABLE_SIZE:
                raise hpack.InvalidTableSizeError("Encoder exceeded max allowable table size")
            self._insert()
            self._version += 1
            self._max_size = size
            while self._size > size:
                self._size -= self._entries.pop(0)[1]
        return at


def _oversized(limit: int) -> hpack.OversizedHeaderListError:
    return hpack.OversizedHeaderListError(f"a header list of more than {limit} bytes")


def _truncated() -> hpack.HPACKDecodingError:
    return hpack.HPACKDecodingError("Truncated header block")
