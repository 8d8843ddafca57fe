"""hpack's Encoder, made safe for a client: bounded memory, linear time."""

from collections.abc import Iterable

import hpack

from ...messages.fields import SECRET, Field
from .hpack_huffman import encode_huffman

# The size that RFC 7541 starts with. A server may allow 4 GiB (SETTINGS_HEADER_TABLE_SIZE); section 4.2
# lets the encoder use less. Go and nghttp2 use 4,096 as well.
MAX_TABLE = 4096


class _LinearHuffman:
    """The Huffman code for hpack's encoder, whose own takes 260 ms for 40 KB of cookies."""

    encode = staticmethod(encode_huffman)


class BoundedEncoder(hpack.Encoder):
    """An encoder whose table grows no larger than `MAX_TABLE`, whatever the peer would take.

    Secrets never enter it, here or at the next hop (RFC 7541 section 7.1.3).
    """

    def __init__(self) -> None:
        super().__init__()
        self.huffman_coder = _LinearHuffman()  # type: ignore[assignment]

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
            self.table_size_changes = [size] if smallest == size else [smallest, size]
