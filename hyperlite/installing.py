"""`install()` replaces http.client by `hyperlite.client`, for programs that cannot be changed."""

import http
import sys
from types import TracebackType


class Installation:
    """Undoes `install()`: by `undo()`, or as a context manager at the end of the block."""

    def __init__(self) -> None:
        from . import client  # noqa: PLC0415  an import of hyperlite alone does not need it
        from .net.protocols import environment  # noqa: PLC0415

        environment()  # a wrong value raises now, and not in the first connection
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
    """Replace `http.client` by `hyperlite.client`.

    From then on `import http.client` and `from http import client` give `hyperlite.client`, and so does the
    name `http.client` in modules that had imported it before (`urllib.request`, `xmlrpc.client`, …).  Two
    things stay as they were: names that a module had taken out of http.client before (`from http.client
    import HTTPSConnection`), and openers of `urllib.request` that exist already, `urlopen()`'s own included.
    From Python 3.12 on these openers hold a context that offers HTTP/1.1 alone, and hyperlite respects that
    offer.

    `HTTPSConnection` speaks the protocols that the variable HYPERLITE_PROTOCOLS names: `h2`, `http/1.1`, or
    both with a comma between them.  Without the variable it speaks both.

    Raises:
        ValueError: that variable names something else.

    Returns:
        An object that undoes it: by its `undo()`, or as `with hyperlite.install(): …`.
    """
    return Installation()
