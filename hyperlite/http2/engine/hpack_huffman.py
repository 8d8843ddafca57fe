"""The Huffman code of HPACK (RFC 7541 section 5.2, appendix B), both ways in time that grows with the length.

The code is canonical: codes of one length stand in the order of their bytes, and shorter codes before longer
ones.  So the lengths say all of it.
"""

from typing import Any

import hpack

# The bytes, by the number of bits of their codes. The last code of 30 bits is that of EOS, which is no byte.
_BY_LENGTH: tuple[tuple[int, bytes], ...] = (
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b'!"()?'),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\x00$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, b"\\\xc3\xd0"),
    (20, b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2"),
    (21, b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6"),
    (
        22,
        (
            b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4"
            b"\xe8\xe9"
        ),
    ),
    (
        23,
        (
            b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7"
            b"\xbc\xbf\xc5\xe7\xef"
        ),
    ),
    (24, b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed"),
    (25, b"\xc7\xcf\xea\xeb"),
    (26, b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff"),
    (27, b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe"),
    (
        28,
        (
            b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d"
            b"\x1e\x1f\x7f\xdc\xf9"
        ),
    ),
    (30, b"\n\r\x16"),
)
# Bits of padding at most: fewer than a byte, all of them ones.
_PADDING = 7


def _codes() -> list[str]:
    """Return the code of each byte as digits: to join these is linear, to shift one long number is not."""
    codes = [""] * 256
    code, last = 0, 0
    for length, symbols in _BY_LENGTH:
        code <<= length - last
        last = length
        for byte in symbols:
            codes[byte] = format(code, f"0{length}b")
            code += 1
    return codes


_CODES = _codes()


def encode_huffman(text: bytes) -> bytes:
    """Return the code of a string, padded with ones to whole bytes."""
    if not text:
        return b""
    digits = "".join([_CODES[byte] for byte in text])
    digits += "1" * (-len(digits) % 8)
    return int(digits, 2).to_bytes(len(digits) // 8, "big")


# A state of the automaton that decodes. For each byte it has a step: the row of the next state, and the
# letters that are complete with it; None: that step was never taken yet. Behind the 256 steps stands the
# state's node in the tree of codes, which says what has come of a code that is not complete.
_Row = list[Any]
_STATE = 256


class _Tree:
    """The tree of codes, and a row for each node that was ever met: 65,536 steps at most, in all."""

    def __init__(self) -> None:
        # Of each node where its two branches lead: to another node, or to a byte, as ~byte. None: EOS.
        self._nodes: list[list[int | None]] = [[None, None]]
        for byte, code in enumerate(_CODES):
            node = 0
            for digit in code[:-1]:
                branch = self._nodes[node][int(digit)]
                if branch is None:
                    branch = self._nodes[node][int(digit)] = len(self._nodes)
                    self._nodes.append([None, None])
                node = branch
            self._nodes[node][int(code[-1])] = ~byte
        # The nodes at which a string may end: nothing has come but padding.
        self.ends = {0}
        node = 0
        for _ in range(_PADDING):
            branch = self._nodes[node][1]
            assert branch is not None
            node = branch
            self.ends.add(node)
        self._rows: dict[int, _Row] = {}
        self.root = self._row(0)

    def _row(self, node: int) -> _Row:
        """Return the row of a node."""
        return self._rows.get(node) or self._rows.setdefault(node, [*[None] * _STATE, node])

    def step(self, row: _Row, byte: int) -> tuple[_Row, bytes]:
        """Make a step; HPACKDecodingError where it leads to EOS, which is no byte."""
        node = row[_STATE]
        out = bytearray()
        for bit in range(7, -1, -1):
            branch = self._nodes[node][byte >> bit & 1]
            if branch is None:
                raise hpack.HPACKDecodingError("Invalid Huffman string")
            if branch < 0:
                out.append(~branch)
                branch = 0
            node = branch
        step = row[byte] = self._row(node), bytes(out)
        return step


_tree: _Tree | None = None


def _grown() -> _Tree:
    """Make the tree, when the first string comes: the import stays light."""
    global _tree  # noqa: PLW0603  the same for all threads, whichever of them makes it
    _tree = tree = _Tree()
    return tree


def decode_huffman(data: bytes) -> bytes:
    """Return what a Huffman code stands for; HPACKDecodingError if it is none."""
    tree = _tree or _grown()
    row = tree.root
    out = []
    for byte in data:
        row, letters = row[byte] or tree.step(row, byte)
        out.append(letters)
    if row[_STATE] not in tree.ends:
        raise hpack.HPACKDecodingError("Incomplete Huffman string")
    return b"".join(out)
