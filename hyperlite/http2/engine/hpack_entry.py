"""Fields as a decoder of header blocks has them: with their size, and what the response rules say of them."""

import hpack

from ...messages.fields import SECRET, Field, is_response_value
from ...messages.response_rules import is_regular_name
from .hpack_table import ENTRY_OVERHEAD, STATIC_TABLE

# A field, what it costs in a table and in a header list, and its marks: 0 for nearly all.
Entry = tuple[Field, int, int]
# A response may not have it as a regular field (RFC 9113 section 8.2).
BAD_MARK = 1
# It is remembered nowhere.
SECRET_MARK = 2

# Names whose marks are known, for all connections: how many, and how long they may be.
NAMES = 1024
NAME_LENGTH = 128
_marks: dict[bytes, int] = {}
# Bytes of a number behind its prefix, as in hpack: 2 ** 32 has five.
_MOST_BYTES = 5


def mark_of(name: bytes) -> int:
    """Return the marks that each field of a name has."""
    mark = _marks.get(name)
    if mark is None:
        mark = (0 if is_regular_name(name) else BAD_MARK) | (SECRET_MARK if name in SECRET else 0)
        if len(name) <= NAME_LENGTH:
            if len(_marks) >= NAMES:
                _marks.clear()
            _marks[name] = mark
    return mark


def make_entry(name: bytes, value: bytes) -> Entry:
    """Return a field as an entry."""
    mark = mark_of(name)
    if not is_response_value(value):
        mark |= BAD_MARK
    return (name, value), len(name) + len(value) + ENTRY_OVERHEAD, mark


# By their numbers, the first of which is 1.
STATIC_ENTRIES = (make_entry(b"", b""), *(make_entry(name, value) for name, value in STATIC_TABLE))
# The number of the first entry of the dynamic table.
FIRST_DYNAMIC = len(STATIC_ENTRIES)


def integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
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
