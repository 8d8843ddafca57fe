"""hpack_decoder.py: for any input what hpack says, and for any field list what hpack understands."""

import gc
import random
import tracemalloc
from collections.abc import Sequence
from types import FunctionType, ModuleType

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperlite.http2.engine import hpack_decoder
from hyperlite.http2.engine.hpack_decoder import MemoDecoder
from hyperlite.http2.engine.hpack_encoder import MemoEncoder
from hyperlite.http2.engine.hpack_huffman import decode_huffman, encode_huffman
from hyperlite.http2.engine.hpack_table import STATIC_TABLE
from hyperlite.http2.engine.speedups import Decoder
from hyperlite.messages.fields import SECRET
from tests.http2.engine.decoders import DECODERS, Kind

LIMIT = 1 << 16

NAMES = [
    b":status", b"date", b"etag", b"content-length", b"server", b"x-one", b"x-two", b"set-cookie",
    b"cookie", b"authorization", b"cache-control", b"vary", b":path", b"last-modified",
]  # fmt: skip
VALUES = [
    b"",
    b"200",
    b"404",
    b"gzip",
    b"nginx",
    b"Sat, 21 Nov 2026 06:00:00 GMT",
    b"\x00\xff",
    b"a" * 130,
    b"b" * 3000,
]
FIELD = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.binary(max_size=20))
FIELDS = st.lists(FIELD, max_size=12)


class Plain:
    """hpack's own decoder, as the memo's is asked."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=limit)

    def decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        return [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]


def outcome(decoder: Plain | Decoder, block: bytes) -> object:
    """Return what a decoder makes of a block: the fields, or the kind of error."""
    try:
        return decoder.decode(block)
    except hpack.OversizedHeaderListError:
        return "too large"
    except hpack.InvalidTableSizeError:
        return "table size"
    except hpack.HPACKDecodingError:
        return "no HPACK"


def agree(kind: Kind, blocks: list[bytes], limit: int = LIMIT) -> None:
    """Check that both decoders make the same of a sequence of blocks, up to the first error."""
    plain, ours = Plain(limit), kind(limit)
    for block in blocks:
        expected = outcome(plain, block)
        assert outcome(ours, block) == expected
        if isinstance(expected, str):
            return


@pytest.mark.parametrize("kind", DECODERS)
class TestDecoder:
    @settings(max_examples=400)
    @given(
        st.lists(FIELDS, max_size=8), st.booleans(), st.lists(st.sampled_from([0, 60, 500, 4096]), max_size=8)
    )
    def test_what_hpack_encodes(
        self, kind: Kind, lists: list[list[tuple[bytes, bytes]]], huffman: bool, sizes: list[int]
    ) -> None:
        encoder = hpack.Encoder()
        blocks = []
        for number, fields in enumerate(lists):
            if number < len(sizes):
                encoder.header_table_size = sizes[number]
            mixed = [(name, value, name == b"authorization") for name, value in fields]
            blocks.append(encoder.encode(mixed, huffman=huffman))
        agree(kind, blocks)

    @settings(max_examples=1500)
    @given(st.lists(st.binary(max_size=40), max_size=6))
    def test_any_bytes(self, kind: Kind, blocks: list[bytes]) -> None:
        agree(kind, blocks)

    @settings(max_examples=600)
    @given(st.lists(FIELDS, min_size=1, max_size=4), st.data())
    def test_blocks_with_a_byte_changed(
        self, kind: Kind, lists: list[list[tuple[bytes, bytes]]], data: st.DataObject
    ) -> None:
        encoder = hpack.Encoder()
        blocks = [bytearray(encoder.encode(fields)) for fields in lists] * 2
        for block in blocks:
            if block and data.draw(st.booleans()):
                block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
        agree(kind, [bytes(block) for block in blocks])

    @given(st.lists(FIELDS, max_size=5), st.integers(0, 400))
    def test_the_limit_of_the_list(
        self, kind: Kind, lists: list[list[tuple[bytes, bytes]]], limit: int
    ) -> None:
        encoder = hpack.Encoder()
        agree(kind, [encoder.encode(fields) for fields in lists], limit)

    def test_literals_as_servers_send_them(self, kind: Kind) -> None:
        """nginx repeats its literals with indexing, and never refers to them."""
        encoder = hpack.Encoder()
        literals = [
            encoder._encode_indexed_literal(index, value, b"\x40", True)
            for index, value in [(54, b"nginx"), (33, b"Sat, 21 Nov 2026"), (31, b"text/html"), (28, b"600")]
        ]
        agree(kind, [b"\x88" + b"".join(literals)] * 50)

    def test_literals_that_are_not_indexed_with_a_long_index(self, kind: Kind) -> None:
        agree(kind, [b"\x88\x0f\x12\x03abc\x1f\x12\x03abc\x0f\x2e\x01x\x0f\x2f\x01x"] * 3)
        agree(kind, [b"\x40\x01a\x01b\x0f\x2f\x01x"] * 3)  # 62 is of the dynamic table, and moves

    def test_a_block_that_refers_to_a_table_that_has_changed(self, kind: Kind) -> None:
        """The same byte, 62, is the youngest entry whatever that is."""
        one, two = b"\x40\x01x\x011", b"\x40\x01y\x012"
        agree(
            kind, [one, b"\xbe", b"\xbe", two, b"\xbe", one, b"\xbe", two + b"\xbe", two + b"\xbe", b"\xbf"]
        )
        agree(kind, [one, two, b"\xbf", b"\xbf", b"\x20", b"\xbf"])

    def test_the_limit_is_met_before_what_stands_behind_it(self, kind: Kind) -> None:
        """The field that is too much fills a hole of a template, and an index that is invalid follows it."""

        def block(value: bytes, end: bytes) -> bytes:
            return b"\x88\x62" + bytes((len(value),)) + value + end

        server = b"\x76\x05nginx"
        learnt = [block(b"%d" % number, server) for number in range(4)]
        agree(kind, [*learnt, block(b"e" * 120, b"\x80")], 200)
        agree(kind, [*learnt, block(b"e" * 60, server + b"\x80")], 200)


class TestWhatIsRemembered:
    def test_what_comes_twice_is_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        decoder, encoder = MemoDecoder(LIMIT), hpack.Encoder()
        policy = (b"content-security-policy", b"default-src 'none'; " * 20)
        for status in b"\x88\x89":  # which no template has in common
            decoder.decode(bytes((status,)) + encoder._encode_literal(*policy, b"\0", True))
        monkeypatch.setattr(hpack_decoder, "decode_huffman", None)
        again = decoder.decode(b"\x8d" + encoder._encode_literal(*policy, b"\0", True))
        assert again == [(b":status", b"404"), policy]

    def test_the_values_alone_are_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What blocks have in common is compared, and not decoded."""
        decoder, encoder = MemoDecoder(LIMIT), hpack.Encoder()

        def block(number: int) -> bytes:
            etag = b'"%x"' % (number * 1_000_003)
            fields = [(b"server", b"nginx"), (b"etag", etag), (b"x-frame-options", b"DENY"), (b"x-id", etag)]
            return b"\x88" + b"".join([encoder._encode_literal(*field, b"\0", True) for field in fields])

        for number in range(1000, 1004):
            decoder.decode(block(number))
        decoded = []
        monkeypatch.setattr(
            hpack_decoder, "decode_huffman", lambda code: decoded.append(1) or decode_huffman(code)
        )
        assert decoder.decode(block(2000))[4] == (b"x-id", b'"%x"' % 2_000_006_000)
        assert len(decoded) == 2

    def test_responses_of_several_kinds_on_one_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        decoder, encoder = MemoDecoder(LIMIT), hpack.Encoder()
        kinds = [
            [(b"server", b"nginx"), *[(b"x-%d" % kind, b"a" * kind) for kind in range(first, first + 9)]]
            for first in range(1, 80, 10)
        ]
        blocks = [
            b"\x88" + b"".join([encoder._encode_literal(*field, b"\0", True) for field in kind])
            for kind in kinds
        ]
        for block in blocks * 3:
            decoder.decode(block)
        monkeypatch.setattr(decoder, "_literal", None)
        assert [decoder.decode(block)[1:] for block in blocks] == kinds

    @pytest.mark.parametrize("name", sorted(SECRET))
    def test_secrets_are_not_remembered(self, name: bytes) -> None:
        decoder, encoder = MemoDecoder(LIMIT), hpack.Encoder()
        secret = b"a-secret-of-some-length-" * 4
        for number in range(5):
            field = encoder._encode_literal(name, secret, b"\x40", True)
            never = encoder._encode_literal(b"x-never", secret, b"\x10", True)
            other = encoder._encode_literal(b"x", b"%d" % number, b"\0", True)
            decoder.decode(b"\x88" + other + field + never)
            decoder.decode(field + never + other)
        assert (name, secret) in [entry[0] for entry in decoder._inserted]  # as RFC 7541 has it
        decoder._inserted.clear()
        assert secret not in strings_within(decoder)
        assert encode_huffman(secret) not in b"".join(strings_within(decoder))

    def test_a_block_that_comes_for_ever_is_not_kept_for_ever(self) -> None:
        decoder = MemoDecoder(LIMIT)
        for _ in range(3 * hpack_decoder.LATE):
            assert decoder.decode(b"\x88\x76\x05nginx\x5f\x04text")[1] == (b"server", b"nginx")
            assert len(decoder._inserted) <= hpack_decoder.LATE + 2


def strings_within(thing: object) -> set[bytes]:
    """Return the bytes that an object holds, and all that it refers to."""
    found: set[bytes] = set()
    seen: set[int] = set()
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, bytes):
            found.add(one)
        waiting += gc.get_referents(one)
    return found


def held_after(decoder: Decoder, blocks: Sequence[bytes]) -> int:
    """Return the bytes that are held, of what was allocated while a decoder decoded these blocks."""
    tracemalloc.start()
    for block in blocks:
        decoder.decode(block)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held


@pytest.mark.parametrize("kind", DECODERS)
class TestMemory:
    def test_fields_too_large_for_the_table_are_not_held(self, kind: Kind) -> None:
        """A server may send them for ever, to be indexed and never referred to."""
        decoder, encoder = kind(LIMIT), hpack.Encoder()
        blocks = [
            encoder.encode([(b"x", b"%d" % number * 1000)], huffman=False)
            for number in range(10**4, 10**4 + 300)
        ]
        assert held_after(decoder, blocks) < 100_000

    @pytest.mark.parametrize("way", ["names", "values", "policies", "mixtures", "fields"])
    def test_what_a_peer_varies_for_ever_does_not_add_up(self, way: str, kind: Kind) -> None:
        decoder, dice = kind(LIMIT), random.Random(1)

        def literal(name: bytes, value: bytes) -> bytes:
            return (
                b"\0"
                + bytes((len(name),))
                + name
                + b"\x7f"
                + hpack.hpack.encode_integer(len(value), 7)[1:]
                + value
            )

        def block(number: int) -> bytes:
            values = [b"v" * 200 + b"%d" % dice.getrandbits(64) for _ in range(8)]
            match way:
                case "names":
                    return b"".join(
                        [literal(b"x-%d-%d" % (number, k), value) for k, value in enumerate(values)]
                    )
                case "values":
                    return b"".join([literal(b"x-%d" % k, value) for k, value in enumerate(values)])
                case "policies":  # each comes twice
                    return literal(b"x-policy", b"%d" % (number // 2) * 500) + literal(
                        b"x", b"%d" % number + b"y" * 200
                    )
                case "mixtures":
                    return b"".join([literal(b"x-%d" % dice.randrange(50), b"w" * 200) for _ in range(8)])
            return b"".join([literal(b"x", b"u" * dice.randrange(127, 140)) for _ in range(300)])

        blocks = [block(number) for number in range(800 if way != "fields" else 100)]
        assert held_after(decoder, blocks) < 1_000_000

    def test_an_entry_too_large_empties_the_table(self, kind: Kind) -> None:
        large = b"\x40\x01x\x7f\xa1\x1f" + b"v" * 4128
        agree(kind, [b"\x40\x01a\x01b", b"\xbe", large, b"\x40\x01c\x01d", b"\xbe", b"\xbf"])


def test_the_static_table_is_hpack_s() -> None:
    assert tuple(hpack.table.HeaderTable.STATIC_TABLE) == STATIC_TABLE


class TestHuffman:
    def test_every_byte(self) -> None:
        for text in [bytes([byte]) for byte in range(256)] + [bytes(range(256)), b""]:
            assert decode_huffman(encode_huffman(text)) == text

    @given(st.binary(max_size=60))
    def test_any_bytes(self, data: bytes) -> None:
        def attempt(decode: object) -> object:
            try:
                return decode(data)  # type: ignore[operator]
            except hpack.HPACKDecodingError:
                return "error"

        assert attempt(decode_huffman) == attempt(hpack.huffman_table.decode_huffman)


class TestEncoder:
    @settings(max_examples=300)
    @given(st.lists(FIELDS, max_size=12), st.lists(st.sampled_from([0, 100, 4096, 65536]), max_size=12))
    def test_hpack_understands_it(self, lists: list[list[tuple[bytes, bytes]]], sizes: list[int]) -> None:
        encoder, decoder = MemoEncoder(), Plain()
        for number, fields in enumerate(lists):
            if number < len(sizes):
                encoder.header_table_size = sizes[number]
                decoder._decoder.max_allowed_table_size = sizes[number]
            assert decoder.decode(encoder.encode(fields)) == fields

    def test_many_requests(self) -> None:
        """Whatever repeats, and whatever does not, for a long time."""
        randomness = random.Random(7)
        encoder, decoder = MemoEncoder(), Plain()
        common = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost:8443")]
        for number in range(3000):
            own = [(b"x-%d" % randomness.randrange(80), b"v%d" % randomness.randrange(5)) for _ in range(3)]
            fields = [*common, (b":path", b"/%d" % number), (b"x-request-id", b"%d" % number), *own]
            assert decoder.decode(encoder.encode(fields)) == fields

    def test_what_repeats_is_a_byte_each(self) -> None:
        encoder = MemoEncoder()
        fields = [(b":method", b"GET"), (b":authority", b"localhost:8443"), (b"user-agent", b"someone")]
        assert [len(encoder.encode(fields)) for _ in range(4)][2:] == [3, 3]

    def test_what_does_not_repeat_stays_out_of_the_table(self) -> None:
        encoder = MemoEncoder()
        for number in range(100):
            encoder.encode([(b":path", b"/same"), (b"x-id", b"%d" % number)])
        assert not encoder._table

    @pytest.mark.parametrize("name", sorted(SECRET))
    def test_secrets_are_never_indexed(self, name: bytes) -> None:
        encoder = MemoEncoder()
        for _ in range(4):
            block = encoder.encode([(name, b"secret")])
            (field,) = hpack.Decoder().decode(block, raw=True)
            assert not field.indexable
        assert not encoder._table
        assert not encoder._memory

    def test_the_table_does_not_grow_beyond_4_kib(self) -> None:
        encoder, decoder = MemoEncoder(), Plain()
        encoder.header_table_size = 1 << 32
        assert encoder.header_table_size == 4096
        for number in range(200):
            fields = [(b"x-%d" % number, b"v" * 100)]
            for _ in range(3):
                assert decoder.decode(encoder.encode(fields)) == fields
        assert encoder._size <= 4096
