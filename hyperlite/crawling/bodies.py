"""Bodies that are written to files of their own: all of them, or those that are too long for memory.

::

    OUT.bodies/00017-a2/3391     the body of URL 3391, as the second attempt at shard 17 has got it
"""

import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from .shards import Entry, is_part_name


class Kept(NamedTuple):
    """A body in a file.

    Attributes:
        path: where it is.
        size: its bytes.
        truncated: it was longer.
    """

    path: Path
    size: int
    truncated: bool


class Bodies:
    """The folder of the bodies.

    Args:
        folder: where it is; it is made when the first body comes.
        place: what records call it; None: by its path from the folder in which the output is.
        most: bytes of a body to keep.
    """

    def __init__(self, folder: Path, place: str | None, most: int) -> None:
        self._folder = folder
        self._place = place
        self._most = most

    def keep(self, entry: Entry, pieces: Iterable[bytes]) -> Kept:
        """Write a body to a file, as far as it is to be kept."""
        folder = self._folder / entry.shard.name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / str(entry.number)
        size = 0
        with open(path, "wb") as file:
            for piece in pieces:
                kept = piece[: self._most - size]
                file.write(kept)
                size += len(kept)
                if len(kept) < len(piece):
                    return Kept(path, size, truncated=True)
        return Kept(path, size, truncated=False)

    def shown(self, path: Path) -> str:
        """Return a path as records have it."""
        if self._place is not None:
            return f"{self._place}/{path.parent.name}/{path.name}"
        return os.path.relpath(path, self._folder.parent)

    def remove_others(self, attempts: Collection[str]) -> None:
        """Remove the bodies of all attempts but these; what a crawl has not written stays."""
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                if folder.name not in attempts and is_part_name(folder.name):
                    shutil.rmtree(folder)
