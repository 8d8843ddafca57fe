"""Where each body goes: standard output, or the file that `-o` or `-O` names."""

import os
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from .exits import Exit, Failure
from .options import UsageError


class Target(NamedTuple):
    """A URL, and where what is there goes.

    Attributes:
        url: as the caller has given it.
        path: of a file; None: standard output.
    """

    url: str
    path: str | None

    @property
    def name(self) -> str:
        """What stands for it where there is little room; it has no password."""
        parts = urlsplit(self.url)
        return os.path.basename(self.path or "") or os.path.basename(parts.path) or parts.hostname or ""


def targets(urls: Sequence[str], outputs: Sequence[str | None], *, all_by_name: bool) -> list[Target]:
    """Return the URLs with where they go: the first `-o` or `-O` belongs to the first URL, and so on.

    Args:
        urls: of the command line.
        outputs: what `-o` names, or None for each `-O`, in their order.
        all_by_name: `--remote-name-all`: URLs without a `-o` have a `-O`.

    Raises:
        UsageError: there are more outputs than URLs, or two URLs would go to one file.
        Failure: a URL has no name for `-O`.
    """
    if len(outputs) > len(urls):
        raise UsageError(f"there are {len(outputs)} of -o and -O for {len(urls)} URLs")
    found: list[Target] = []
    for place, url in enumerate(urls):
        if place < len(outputs):
            name = outputs[place]
            path = _name_in(url) if name is None else name
        else:
            path = _name_in(url) if all_by_name else "-"
        if path != "-" and is_plain(path) and any(_is_same(path, before.path) for before in found):
            raise UsageError(f"two URLs would be saved as {path}")
        found.append(Target(url, None if path == "-" else path))
    return found


def _name_in(url: str) -> str:
    """Return the last part of a URL's path, as it stands there."""
    name = urlsplit(url).path.rpartition("/")[2]
    if name in {"", ".", ".."} or os.path.basename(name) != name or "\\" in name:
        from ..messages.urls import without_credentials  # noqa: PLC0415  help does without it

        shown = without_credentials(url)
        raise Failure(f"{shown}: it has no name to save a file by (-O): use -o FILE", Exit.WRITE)
    return f"./{name}" if name == "-" else name


def _is_same(path: str, other: str | None) -> bool:
    """Tell whether two paths are of one file."""
    return other is not None and os.path.abspath(path) == os.path.abspath(other)


def is_plain(path: str) -> bool:
    """Tell whether a path is of a file that can be written elsewhere, and moved there when it is whole.

    A link, a device or a pipe is written to as it is.
    """
    return os.path.isfile(path) and not os.path.islink(path) if os.path.lexists(path) else True
