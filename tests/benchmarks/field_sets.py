"""The header fields of responses: what ten kinds of real sites send, and what changes between responses.

They are data, in field_sets.json.  What each server says by itself is not there: date, server, content-type
and content-length.  A value's holes are filled anew for each response: `<x8>` by 8 hexadecimal digits,
`<a22>` by 22 characters of base64url, `<d5>` by 5 decimal digits, `<m>` by two digits below 60.  server.js
fills them for Node, and this module makes nginx fill them, from the random bytes of its $request_id.
"""

import itertools
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path

Fields = list[tuple[str, str]]

FILE = Path(__file__).with_name("field_sets.json")
SETS: dict[str, Fields] = {
    name: [(field, value) for field, value in each["fields"]]
    for name, each in json.loads(FILE.read_text()).items()
}
# All but the one that is made of ten new values.
SITES = [name for name in SETS if name != "fresh"]

# How many fields a response has, with the four that each server adds.
COUNTS = (5, 20, 55)
ADDED = 4

HOLE = re.compile(r"<(?:([xad])([0-9]+)|m)>")
BASE64URL = string.ascii_letters + string.digits + "-_"
RANDOM_BYTES = 16
# What a byte from 0 to 255 becomes: two characters of a kind; and, by a capital letter, one.
TEXTS = {
    "x": [f"{byte:02x}" for byte in range(256)],
    "X": [f"{byte % 16:x}" for byte in range(256)],
    "a": [BASE64URL[byte % 64] + BASE64URL[byte * 7 % 61] for byte in range(256)],
    "A": [BASE64URL[byte % 64] for byte in range(256)],
    "d": [f"{byte * 100 // 256:02}" for byte in range(256)],
    "D": [f"{byte * 10 // 256}" for byte in range(256)],
    "m": [f"{byte * 60 // 256:02}" for byte in range(256)],
}


def counted(count: int) -> Fields:
    """Return fields, the same for each response, that make it have so many."""
    return [(f"x-field-{number}", f"the value of field {number}") for number in range(count - ADDED)]


def changing(fields: Fields) -> int:
    """Return how many of the fields are new in each response."""
    return sum(bool(HOLE.search(value)) for _, value in fields)


def nginx_maps() -> str:
    """Return what nginx's `http` block needs: a variable for each kind of text and each random byte."""
    lines = ["map_hash_max_size 16384;"]
    for number in range(RANDOM_BYTES):
        lines.append(
            f'map $request_id $byte{number} {{ "~^.{{{2 * number}}}(?<taken{number}>..)" $taken{number}; }}'
        )
        for kind, texts in TEXTS.items():
            entries = " ".join(f"{byte:02x} {text};" for byte, text in enumerate(texts))
            lines.append(f"map $byte{number} ${_variable(kind, number)} {{ {entries} }}")
    return "\n".join(lines)


def nginx_headers(fields: Fields) -> str:
    """Return the directives that add the fields to a response."""
    numbers = itertools.cycle(range(RANDOM_BYTES))
    return "\n".join(f'add_header {name} "{_nginx_value(value, numbers)}";' for name, value in fields)


def _nginx_value(value: str, numbers: Iterator[int]) -> str:
    def filled(hole: re.Match[str]) -> str:
        kind, size = hole[1] or "m", int(hole[2] or 2)
        kinds = [kind] * (size // 2) + [kind.upper()] * (size % 2)
        return "".join(f"${{{_variable(each, next(numbers))}}}" for each in kinds)

    return HOLE.sub(filled, value.replace("\\", "\\\\").replace('"', '\\"'))


def _variable(kind: str, number: int) -> str:
    return f"{'one' if kind.isupper() else 'two'}_{kind.lower()}{number}"
