"""`hyperlite.client` in the place of http.client, for programs that cannot be changed."""

import http
import sys
from types import TracebackType


class Installation:
    """What `install()` has done; as a context manager it undoes it at the end of the block."""

    def __init__(self) -> None:
        from . import client  # noqa: PLC0415  an import of hyperlite alone does not need it
        from .net.protocols import environment  # noqa: PLC0415

        environment()  # what is wrong with it is told now, and not by the first connection
        self._before = sys.modules["http.client"], http.client
        sys.modules["http.client"] = http.client = client

    def undo(self) -> None:
        """Put back what was there before."""
        sys.modules["http.client"], http.client = self._before

    def __enter__(self) -> "Installation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.undo()


def install() -> Installation:
    """Put `hyperlite.client` in the place of `http.client`.

    From then on `import http.client` and `from http import client` give it, and so does the name
    `http.client` in modules that had imported it before (`urllib.request`, `xmlrpc.client`, …).  What
    had been taken out of it by name (`from http.client import HTTPSConnection`) stays as it was.
    So do openers of `urllib.request` that exist already, `urlopen()`'s own too: from Python 3.12 on they hold
    a context that offers HTTP/1.1 alone, and that offer is respected.

    `HTTPSConnection` speaks what the variable HYPERLITE_PROTOCOLS names: `h2`, `http/1.1`, or both with a
    comma between them, as where it is not set.

    Raises:
        ValueError: that variable names something else.

    Returns:
        What undoes it: `with hyperlite.install(): …`, or its `undo()`.
    """
    return Installation()
