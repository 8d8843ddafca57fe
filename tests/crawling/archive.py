"""Reads WARC files with warcio, and with fastwarc."""

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from fastwarc.warc import ArchiveIterator as FastIterator
from warcio import ArchiveIterator
from warcio.checker import Checker


class Record(NamedTuple):
    kind: str
    id: str
    url: str | None
    fields: list[tuple[str, str]]
    block: bytes

    def get(self, name: str) -> list[str]:
        """Return the values of a field."""
        return [value for one, value in self.fields if one == name]

    @property
    def head(self) -> bytes:
        return self.block.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.block.partition(b"\r\n\r\n")[2]


def read(path: Path) -> list[Record]:
    """Read a WARC file with warcio."""
    records = []
    with open(path, "rb") as file:
        for one in ArchiveIterator(file, no_record_parse=True):
            fields = one.rec_headers.headers
            named = dict(fields)
            identifier, url = named["WARC-Record-ID"], named.get("WARC-Target-URI")
            records.append(Record(one.rec_type, identifier, url, fields, one.raw_stream.read()))
    return records


def read_fast(path: Path) -> list[Record]:
    """Read it with fastwarc, which checks the digests of blocks and payloads."""
    records = []
    with open(path, "rb") as file:
        for one in FastIterator(file, parse_http=False):
            fields = [(str(name), str(value)) for name, value in one.headers.items()]
            assert one.verify_block_digest()
            kind, url = str(one.headers["WARC-Type"]), one.headers.get("WARC-Target-URI")
            block = io.BytesIO(one.reader.read()).read()
            records.append(Record(kind, str(one.headers["WARC-Record-ID"]), url, fields, block))
    return records


def warcio(*arguments: Any) -> str:
    """Run the command `warcio`."""
    command = [sys.executable, "-m", "warcio.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check(path: Path) -> None:
    """Check all digests, as `warcio check` does."""
    assert Checker(SimpleNamespace(inputs=[str(path)], verbose=False)).process_all() == 0
