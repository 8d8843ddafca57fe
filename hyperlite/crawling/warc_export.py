"""A WARC file, written from the parts that count."""

import sys
import zlib
from collections.abc import Iterator
from typing import IO

from .parts import PIECE, Counted
from .places import storage_of
from .reading import pieces
from .state import State
from .storage import Storage
from .warc import WarcRecorder
from .warc_records import HOPS, NUMBER, RecordWriter

ENDING = WarcRecorder.ending
# Bytes of gzip that are unpacked at a time; zlib makes at most a thousand times as many of them.
_PACKED = 16 << 10
# The beginning of each metadata record, and of the first line in its block.
_METADATA = b"WARC/1.1\r\nWARC-Type: metadata\r\n"
_NUMBER = f"\r\n\r\n{NUMBER}".encode()


def write_warc(state: State, file: IO[bytes], name: str, *, packed: bool) -> int:
    """Write the records that there are; return how many URLs have some.

    Args:
        state: of the crawl.
        file: which takes them.
        name: of the output.
        packed: each record is a gzip member.

    Raises:
        OSError: a part cannot be read. ImportError: warcio is missing.
    """
    target = file if packed else _Unpacking(file)
    RecordWriter(target).info(name, _facts(state))  # type: ignore[arg-type]
    storage = storage_of(state)
    urls = 0
    for part in state.counted():
        whole = not part.dropped
        for piece in pieces(storage, part, ENDING) if whole else _current(state, storage, part):
            target.write(piece)
        urls += part.records - part.dropped
    return urls


def _facts(state: State) -> dict[str, str]:
    """Return what the file says of its crawl."""
    _, _, _, noted = state.runs()[-1]
    version = sys.modules[__package__.partition(".")[0]].__version__
    return {
        "software": f"hyperlite/{version}",
        "robots": "ignore" if noted.get("ignore_robots") else "obey",
        "http-header-user-agent": noted.get("user_agent") or "",
    }


class _Unpacking:
    """A file that unpacks what is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._member = zlib.decompressobj(wbits=31)

    def write(self, data: bytes) -> None:
        """Write packed bytes."""
        for start in range(0, len(data), _PACKED):
            rest = data[start : start + _PACKED]
            while rest:
                self._file.write(self._member.decompress(rest))
                rest = self._member.unused_data
                if self._member.eof:
                    self._member = zlib.decompressobj(wbits=31)

    def flush(self) -> None:
        """Do nothing: the file is flushed when all is written."""


def _current(state: State, storage: Storage, part: Counted) -> Iterator[bytes]:
    """Yield the records of those URLs whose last ones are in this part."""
    start = 0
    name = f"{part.name}{ENDING}"
    with storage.open(name) as file:
        for number, end in _urls(storage, name, part.size):
            file.seek(start)
            left = end - start if number == HOPS or state.part_of_number(number) == part.number else 0
            while left and (piece := file.read(min(left, PIECE))):
                left -= len(piece)
                yield piece
            start = end


def _urls(storage: Storage, name: str, size: int) -> Iterator[tuple[int, int]]:
    """Yield the number of each URL of a part, and where the last of its records ends."""
    at = 0
    with storage.open(name) as file:
        packed = b""
        while at < size:
            member, head = zlib.decompressobj(wbits=31), b""
            while not member.eof:
                packed = packed or file.read(_PACKED)
                if not packed:
                    raise OSError(f"{name} is shorter than the state says: the disk has lost some of it")
                data = member.decompress(packed)
                at += len(packed) - len(member.unused_data)
                packed = member.unused_data
                if len(head) < len(_METADATA) or head.startswith(_METADATA):
                    head += data
            if head.startswith(_METADATA):
                yield int(head.partition(_NUMBER)[2].partition(b"\r\n")[0]), at
