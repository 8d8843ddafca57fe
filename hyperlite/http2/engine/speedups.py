"""The compiled decoder of header blocks, if the distribution hyperlite-http-speedups is installed.

`HYPERLITE_SPEEDUPS=0` in the environment turns it off.  hyperlite's decoder in Python is the reference: for
any input the compiled one returns the same fields, or raises the same class of error.
"""

import importlib
import os
from collections.abc import Callable
from typing import Protocol

# What the module in C must say of itself: one that was built for another hyperlite is not used.
INTERFACE = 1


class Decoder(Protocol):
    """A decoder of header blocks (RFC 7541), for one connection."""

    @property
    def regular(self) -> bool:
        """Whether a response may have the fields of the last block, but for the first, behind its status."""
        ...

    def decode(self, block: bytes, /) -> list[tuple[bytes, bytes]]:
        """Return the fields of a block, in a list that is not to be changed.

        Raises:
            hpack.OversizedHeaderListError: they are larger than the decoder's limit.
            hpack.HPACKDecodingError: the block is no HPACK; the connection is of no further use.
        """
        ...


def _find() -> Callable[[int], Decoder] | None:
    if os.environ.get("HYPERLITE_SPEEDUPS") == "0":
        return None
    try:
        compiled = importlib.import_module("hyperlite_speedups")
    except ImportError:  # it is not installed, or not for this Python
        return None
    return compiled.Decoder if compiled.INTERFACE == INTERFACE else None


compiled_decoder: Callable[[int], Decoder] | None = _find()
"""Makes a decoder whose header lists have at most so many bytes (RFC 9113 section 10.5.1); None: not here."""
