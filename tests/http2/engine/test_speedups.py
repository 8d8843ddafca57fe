"""The compiled decoder: what no comparison with another decoder shows, and how it is found.

Its fields, errors and tables are compared in test_hpack_decoder.py and test_hpack_agreement.py.
"""

import gc
import os
import subprocess
import sys
import tracemalloc
from types import ModuleType
from typing import Any

import hpack
import pytest

from hyperlite.http2.engine import speedups
from hyperlite.http2.engine.hpack_decoder import MemoDecoder
from hyperlite.http2.engine.hpack_huffman import encode_huffman
from hyperlite.http2.engine.speedups import compiled_decoder
from tests.http2.engine.decoders import COMPILED, DECODERS, Kind, needs_compiled, table_of
from tests.http2.engine.test_hpack_agreement import Composer, number

LIMIT = 1 << 18


def literal(name: bytes, value: bytes, *, pattern: int = 0x40, huffman: bool = False) -> bytes:
    """Return the code of a field whose name is spelled out."""
    code = bytes((pattern,))
    for text in (name, value):
        said = encode_huffman(text) if huffman else text
        code += number(0x80 if huffman else 0, 7, len(said)) + said
    return code


@pytest.mark.parametrize("kind", [COMPILED])
class TestCalls:
    @pytest.mark.parametrize("block", [None, "text", bytearray(b"\x88"), memoryview(b"\x88"), 5])
    def test_a_block_is_bytes(self, kind: Kind, block: Any) -> None:
        with pytest.raises(TypeError, match="a block is bytes, not"):
            kind(LIMIT).decode(block)

    def test_a_subclass_of_bytes_may_have_a_finalizer_and_is_refused(self, kind: Kind) -> None:
        class Block(bytes):
            pass

        with pytest.raises(TypeError, match="not Block"):
            kind(LIMIT).decode(Block(b"\x88"))

    @pytest.mark.parametrize("limit", ["1", None, 1.5])
    def test_a_limit_is_a_number(self, kind: Kind, limit: Any) -> None:
        with pytest.raises(TypeError):
            kind(limit)

    @pytest.mark.parametrize("limit", [1 << 31, 1 << 63, 1 << 100])
    def test_a_limit_may_be_larger_than_memory(self, kind: Kind, limit: int) -> None:
        assert kind(limit).decode(b"\x88") == [(b":status", b"200")]

    @pytest.mark.parametrize("limit", [0, -1, -(1 << 100)])
    def test_a_limit_may_leave_room_for_nothing(self, kind: Kind, limit: int) -> None:
        assert kind(limit).decode(b"") == []
        with pytest.raises(hpack.OversizedHeaderListError):
            kind(limit).decode(b"\x88")

    def test_the_list_may_be_changed_by_its_owner_without_harm(self, kind: Kind) -> None:
        """It should not be; but the decoder's memory and table do not depend on it."""
        decoder = kind(LIMIT)
        block = b"\x88" + literal(b"x-one", b"1") + literal(b"x-two", b"2")
        fields: Any = decoder.decode(block)
        fields[:] = [None] * 2
        for _ in range(300):
            decoder.decode(block)
        assert table_of(decoder)[:2] == [(b"x-two", b"2"), (b"x-one", b"1")]

    def test_it_is_of_no_use_to_a_subclass(self, kind: Any) -> None:
        with pytest.raises(TypeError):
            type("Subclass", (kind,), {})
        with pytest.raises(TypeError):
            kind.decode = None

    def test_nothing_is_lost_of_what_it_allocates(self, kind: Kind) -> None:
        """Blocks of all kinds, most of them broken: each object that was made goes away with the decoder."""

        def work(start: int) -> None:
            for seed in range(start, start + 40):
                composer = Composer(seed)
                composer.broken = True
                decoder = kind(composer.dice.choice((300, LIMIT)))
                for _ in range(40):
                    try:
                        decoder.decode(composer.block())
                    except hpack.HPACKError:
                        composer.shapes = [composer.shape()]

        work(0)
        gc.collect()
        tracemalloc.start()
        work(0)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert held < 20_000


@pytest.mark.parametrize("kind", DECODERS)
class TestStrings:
    @pytest.mark.parametrize("size", [0, 1, 1279, 1280, 1281, 2047, 2048, 2049, 3277, 100_000])
    @pytest.mark.parametrize("letter", [b"a", b"Z", b"\n", b"\xff"])
    def test_of_any_length(self, kind: Kind, size: int, letter: bytes) -> None:
        """The compiled decoder has room for 2,048 on the stack; a letter has 5 to 30 bits."""
        value = letter * size
        for huffman in (False, True):
            block = literal(b"x", value, huffman=huffman)
            assert kind(LIMIT).decode(block) == [(b"x", value)]

    def test_of_every_byte(self, kind: Kind) -> None:
        decoder = kind(LIMIT)
        for text in [*(bytes([one, two]) for one in range(256) for two in (0, one, 255)), bytes(range(256))]:
            assert decoder.decode(literal(b"x", text, pattern=0, huffman=True)) == [(b"x", text)]

    @pytest.mark.parametrize("name", [b"cookie\0", b"set-cookie\0x", b"\0cookie", b"upgrade\0", b"x\0"])
    def test_a_name_does_not_end_at_a_zero(self, kind: Kind, name: bytes) -> None:
        decoder = kind(LIMIT)
        assert decoder.decode(b"\x88" + literal(name, b"1")) == [(b":status", b"200"), (name, b"1")]
        assert not decoder.regular

    def test_a_length_is_no_reason_to_allocate(self, kind: Kind) -> None:
        tracemalloc.start()
        for length in (100, 1 << 20, 1 << 31, (1 << 35) - 1):
            for huffman in (0, 0x80):
                with pytest.raises(hpack.HPACKDecodingError):
                    kind(LIMIT).decode(b"\x00\x01x" + number(huffman, 7, length))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100_000

    def test_the_static_table(self, kind: Kind) -> None:
        plain, decoder = hpack.Decoder(), kind(LIMIT)
        for index in range(1, 62):
            block = bytes((0x80 | index,)) + number(0, 4, index) + b"\x01v"
            assert decoder.decode(block) == plain.decode(block, raw=True)


class TestFinding:
    @pytest.fixture
    def other(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        module: Any = ModuleType("hyperlite_speedups")
        module.Decoder, module.INTERFACE = MemoDecoder, 1
        monkeypatch.setitem(sys.modules, "hyperlite_speedups", module)
        monkeypatch.delenv("HYPERLITE_SPEEDUPS", raising=False)
        return module

    def test_it_is_taken_where_it_is_installed(self, other: Any) -> None:
        assert speedups._find() is other.Decoder

    def test_it_can_be_turned_off(self, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HYPERLITE_SPEEDUPS", "0")
        assert speedups._find() is None

    @pytest.mark.parametrize("interface", [0, 2])
    def test_one_for_another_hyperlite_is_not_taken(self, other: Any, interface: int) -> None:
        other.INTERFACE = interface
        assert speedups._find() is None

    def test_nothing_is_said_where_it_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "hyperlite_speedups", None)
        assert speedups._find() is None

    @needs_compiled
    def test_the_engine_uses_it(self) -> None:
        program = (
            "from hyperlite.http2.engine import make_engine; print(type(make_engine()._decoder).__module__)"
        )
        for value, module in [("1", "hyperlite_speedups"), ("0", MemoDecoder.__module__)]:
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", program],
                env={
                    **os.environ,
                    "HYPERLITE_SPEEDUPS": value,
                    "PYTHONPATH": ":".join(filter(None, sys.path)),
                },
                capture_output=True,
                text=True,
                check=True,
            )
            assert (done.stdout.strip(), done.stderr) == (module, "")

    @needs_compiled
    def test_an_interpreter_within_has_its_own(self) -> None:
        """Nothing of the module is shared: its tables go with the interpreter that made them."""
        program = """if True:
            import sys
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            code = "import hyperlite_speedups as s; assert s.Decoder(99).decode(b'\\\\x88')"
            for _ in range(3):
                inner = interpreters.create()
                try:
                    interpreters.run_string(inner, code)
                finally:
                    interpreters.destroy(inner)
            exec(code)
        """
        assert compiled_decoder is not None
        subprocess.run([sys.executable, "-c", program], check=True)
