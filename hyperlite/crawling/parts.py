"""Parts: what the attempts at shards have written.

::

    parts/00017-a2.jsonl     the second attempt at shard 17: a record a line
    parts/00017-a2.warc.gz   the same of a crawl that writes a WARC file: a gzip member a record

Rule: a part counts as far as the manifest in the state says, and only that far.  Bytes are on the disk
before the manifest says so.  What an attempt writes after that, when its process is killed or the disk is
full, is never read; the next attempt writes a part of its own.
"""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from .durable import THREADS, append, settle, settle_files, settle_folder
from .shards import Entry, Shard, is_part_name, part_name

# Bytes that are read at a time.
PIECE = 1 << 20


class Result(NamedTuple):
    """What has become of a URL.

    Attributes:
        entry: the URL.
        status: of the response; 0: there is none.
        tries: how often it was asked for.
        error: why there is no response; None: there is one.
        line: its record; None: a function of the program's has taken it.
        size: bytes of the body.
        http_version: of the response, or None.
        file: which has the body, or None.
        seconds: from the request to the whole response, or None.
        long: a file that has the record in the place of `line`, because it is long; or None.
    """

    entry: Entry
    status: int
    tries: int
    error: str | None
    line: bytes | None
    size: int
    http_version: str | None
    file: Path | None
    seconds: float | None = None
    long: Path | None = None


class Counted(NamedTuple):
    """A part of which the manifest says that it counts; see `schema`."""

    number: int
    shard: int
    attempt: int
    size: int
    records: int
    dropped: int

    @property
    def name(self) -> str:
        """The name of its files, without an ending."""
        return part_name(self.shard, self.attempt)


class Parts:
    """The folder of the parts.

    Args:
        folder: where it is.
        ending: of the names of parts.
    """

    def __init__(self, folder: Path, ending: str) -> None:
        self._folder = folder
        self._ending = ending
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hyperlite-fsync")

    def write(self, results: Sequence[Result]) -> list[Shard]:
        """Add records to the parts of their shards; return these shards when the disk has all.

        Raises:
            OSError: it cannot be written; then none of it counts.
        """
        by_shard: dict[Shard, list[Result]] = {}
        for result in results:
            if result.line is not None:
                by_shard.setdefault(result.entry.shard, []).append(result)
        if not by_shard:
            return []
        settle_files([result.file for result in results if result.file], self._threads)
        descriptors: list[int] = []
        fresh = False
        try:
            for shard, own in by_shard.items():
                lines = b"".join([result.line for result in own if result.line and result.long is None])
                long = [result.long for result in own if result.long is not None]
                path = self.path(shard.name)
                descriptors.append(append(path, chain([lines], *map(_pieces, long))))
                fresh = fresh or not shard.records
                shard.size += len(lines) + sum(one.stat().st_size for one in long)
                shard.records += len(own)
        finally:
            settle(descriptors, self._threads)
        if fresh:
            settle_folder(self._folder)
        for path in [result.long for result in results if result.long]:
            path.unlink()
        for folder in {result.file.parent for result in results if result.file}:
            settle_folder(folder)
            settle_folder(folder.parent)
        return list(by_shard)

    def add(self, shard: Shard, data: bytes) -> None:
        """Add to a part what is no URL's whole record."""
        settle([append(self.path(shard.name), [data])], self._threads)
        settle_folder(self._folder)
        shard.size += len(data)

    def path(self, name: str) -> Path:
        """Return the file of a part of this name."""
        return self._folder / f"{name}{self._ending}"

    def remove_others(self, names: Collection[str]) -> None:
        """Remove all parts but these; what a crawl has not written stays."""
        for path in self._folder.iterdir():
            name = path.name.partition(".")[0]
            if name not in names and (is_part_name(name) or name.startswith("long-")):
                path.unlink()

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield a file, piece by piece."""
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            yield piece
