"""The decoders of header blocks: the one in Python, and the compiled one where it is installed."""

import os
from collections.abc import Callable
from typing import Any

import hpack
import pytest

from hyperlite.http2.engine.hpack_decoder import MOST_ENTRIES, MemoDecoder
from hyperlite.http2.engine.speedups import Decoder, compiled_decoder
from hyperlite.messages.fields import Field

Kind = Callable[[int], Decoder]

# With HYPERLITE_SPEEDUPS=1 a compiled decoder that is missing is a failure.
needs_compiled = pytest.mark.skipif(
    compiled_decoder is None and os.environ.get("HYPERLITE_SPEEDUPS") != "1",
    reason="the compiled decoder is not installed, or turned off: make speedups",
)
COMPILED = pytest.param(compiled_decoder, id="compiled", marks=needs_compiled)
DECODERS = [pytest.param(MemoDecoder, id="pure"), COMPILED]


def table_of(decoder: Decoder) -> list[Field]:
    """Return what a decoder has in its dynamic table, the youngest first."""
    if compiled_decoder is None or type(decoder) is not compiled_decoder:
        pure: Any = decoder
        pure._insert()
        return [entry[0] for entry in reversed(pure._entries)]
    table: list[Field] = []
    for number in range(62, 62 + MOST_ENTRIES):
        try:
            table += decoder.decode(bytes([0x80 | number]) if number < 127 else bytes([0xFF, number - 127]))
        except hpack.InvalidTableIndexError:
            break
    return table
