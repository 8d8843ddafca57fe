"""The output of a crawl, written from what the manifest says: each URL once; whole, or not at all."""

import contextlib
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias, get_args

from .durable import Lock
from .identity import identity
from .parts import Counted
from .places import storage_of
from .placing import placed
from .reading import pieces
from .records import LINES
from .state import State
from .warc import WarcRecorder, is_warc
from .warc_export import write_warc

Compression: TypeAlias = Literal["gzip", "zstd", "none"]
COMPRESSIONS: tuple[str, ...] = get_args(Compression)
_BY_ENDING: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}


def compression_for(output: Path) -> Compression:
    """Return how a file of this name is compressed."""
    return _BY_ENDING.get(output.suffix, "none")


def export(state: State, output: Path, compression: Compression) -> int:
    """Write the records that there are, and return how many there are.

    The file is written beside `output` and then takes its name, so there is never a part of it.  A crawl may
    go on meanwhile: what counts when the export begins is written.

    Raises:
        OSError: it cannot be written; what was there before still is. BlockingIOError: it is being written.
        ImportError: zstd, or WARC, needs a package. ValueError: the records are not of the kind of `output`.
    """
    archived = state.ending == WarcRecorder.ending
    if archived != is_warc(output):
        kind = 'a WARC file, whose name ends in ".warc.gz" or ".warc"' if archived else "JSON Lines"
        raise ValueError(f"the records of this crawl are for {kind}: not for {output.name}")
    if archived and compression != compression_for(output):
        raise ValueError("a WARC file is packed if its name ends in .gz, and not otherwise")
    lock = Lock(state.folder / "export.lock", "this crawl is being exported already")
    try:
        with placed(output) as file:
            return write(state, file, output.name, compression)
    finally:
        lock.release()


def write(state: State, file: IO[bytes], name: str, compression: Compression) -> int:
    """Write the records that there are to a file, of this name, and return how many there are."""
    with state.snapshot():
        if state.ending == WarcRecorder.ending:
            return write_warc(state, file, name, packed=compression == "gzip")
        with _packed(file, compression) as packed:
            return _write(state, packed)


def _write(state: State, file: IO[bytes]) -> int:
    records = 0
    storage = storage_of(state)
    for part in state.counted():
        for piece in pieces(storage, part, LINES):
            file.write(b"".join(_current(state, part, piece)) if part.dropped else piece)
        records += part.records - part.dropped
    return records


def _current(state: State, part: Counted, lines: bytes) -> Iterator[bytes]:
    """Yield those records of a part that are the last ones of their URLs."""
    for line in lines.splitlines(keepends=True):
        key, _ = identity(json.loads(line)["url"])
        if state.part_of(key) == part.number:
            yield line


@contextlib.contextmanager
def _packed(raw: IO[bytes], compression: Compression) -> Iterator[IO[bytes]]:
    """Return a file that compresses what is written."""
    if compression == "none":
        yield raw
        return
    packed: Any
    if compression == "gzip":
        packed = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
    else:
        packed = _zstd().ZstdFile(raw, mode="w")
    with packed:
        yield packed


def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found]  # noqa: PLC0415  Python 3.14
    except ImportError:
        try:
            from backports import zstd  # noqa: PLC0415
        except ImportError:
            raise ImportError("zstd needs a package: hyperlite-http[zstd]") from None
    return zstd
