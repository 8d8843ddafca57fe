"""The encoder is hpack's own, but for its bounds and for secrets."""

import hpack
import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from hyperlite.http2.engine.hpack_encoder import MAX_TABLE, BoundedEncoder
from hyperlite.http2.engine.hpack_huffman import encode_huffman
from hyperlite.messages.fields import SECRET

NAMES = st.binary(min_size=1, max_size=30).filter(lambda name: name not in SECRET)
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=300)), max_size=10)


@given(st.binary(max_size=500))
def test_huffman_is_hpack_s(text: bytes) -> None:
    assert encode_huffman(text) == HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(text)


@given(st.lists(FIELDS, max_size=5))
def test_blocks_are_hpack_s(blocks: list[list[tuple[bytes, bytes]]]) -> None:
    ours, theirs = BoundedEncoder(), hpack.Encoder()
    for fields in blocks:
        assert ours.encode(fields) == theirs.encode(fields)


@pytest.mark.parametrize("name", sorted(SECRET))
def test_secrets_are_never_indexed(name: bytes) -> None:
    encoder, decoder = BoundedEncoder(), hpack.Decoder()
    for _ in range(2):
        (field,) = decoder.decode(encoder.encode([(name, b"secret")]), raw=True)
        assert field == (name, b"secret")
        assert not field.indexable
    assert not encoder.header_table.dynamic_entries


@pytest.mark.parametrize(
    ("allowed", "used"), [([2**32 - 1], MAX_TABLE), ([100], 100), ([0], 0), ([0, 8192], MAX_TABLE)]
)
def test_the_table_is_as_large_as_allowed_but_no_larger_than_ours(allowed: list[int], used: int) -> None:
    encoder, decoder = BoundedEncoder(), hpack.Decoder()
    for size in allowed:
        encoder.header_table_size = size
    for number in range(100):
        field = (b"x-name", b"%d" % number * 30)
        assert list(decoder.decode(encoder.encode([field]), raw=True)) == [field]
    assert encoder.header_table_size == decoder.header_table_size == used


@pytest.mark.parametrize(
    ("changes", "told"), [([100, 0], [0]), ([0, 100], [0, 100]), ([300, 100, 200], [100, 200]), ([50], [50])]
)
def test_of_several_changes_of_the_table_s_size_no_more_is_told_than_is_allowed(
    changes: list[int], told: list[int]
) -> None:
    """RFC 7541 section 4.2; a size above the limit of the moment is an error at the decoder."""
    encoder, decoder = BoundedEncoder(), hpack.Decoder()
    for size in changes:
        encoder.header_table_size = size
    assert encoder.table_size_changes == told
    decoder.max_allowed_table_size = changes[-1]
    assert list(decoder.decode(encoder.encode([(b"a", b"b")]), raw=True)) == [(b"a", b"b")]
    assert decoder.header_table_size == changes[-1]
