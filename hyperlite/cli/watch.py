"""The options that show what is said on the wire, and the observers that they make."""

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .text import width, write

if TYPE_CHECKING:  # help does without it
    from ..observing import Observer


def declare_watching(group: Any) -> None:
    """Add the options."""
    group.add_argument(
        "-v", "--verbose", action="store_true", help="show connections, certificates and heads"
    )
    group.add_argument(
        "--frames", action="store_true", help="show each frame of HTTP/2, and its header fields"
    )
    group.add_argument("--timing", action="store_true", help="show at the end where the time went")
    group.add_argument(
        "--show-secrets", action="store_true", help="do not hide passwords, cookies and tokens in all that"
    )


@contextlib.contextmanager
def watching(options: argparse.Namespace) -> "Iterator[list[Observer]]":
    """Give the observers that the options ask for; write the report of `--timing` at the end."""
    found: list[Observer] = []
    timing = None
    if options.verbose:
        from .verbose import Verbose  # noqa: PLC0415  each where it is asked for

        found.append(Verbose(write, secrets=options.show_secrets, verified=not options.insecure))
    if options.frames:
        from .frames import FrameLines  # noqa: PLC0415

        found.append(FrameLines(write, secrets=options.show_secrets))
    if options.timing:
        from .timing import Timing  # noqa: PLC0415

        timing = Timing()
        found.append(timing)
    try:
        yield found
    finally:
        if timing is not None:
            timing.report(write, width())
