"""What all servers of the benchmarks serve, and how one of them is run."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from hyperlite.testing.bookstore import books
from tests.real.servers import Site

from .servers import STARTERS
from .sizes import BODIES, FILES, LARGE, MEBIBYTE, SIZES, SMALL

SERVERS = list(STARTERS)

# What is raised for a server that is not installed: in a test it skips, or fails where CI has to have it.
Missing = (pytest.skip.Exception, pytest.fail.Exception)


def make_files(root: Path) -> None:
    """Write what is served: one small file, 3,000 different ones, larger ones and the bookstore."""
    dice = Random(3000)
    (root / "small").write_bytes(b"x" * SMALL)
    for name in ("file", "book", "upload", "bytes"):
        (root / name).mkdir()
    for number in range(FILES):
        (root / "file" / str(number)).write_bytes(dice.randbytes(dice.choice(SIZES)))
    for size in BODIES:
        (root / "bytes" / str(size)).write_bytes(dice.randbytes(size))
    (root / "index.html").write_text(json.dumps(list(books())))
    for number in books():
        (root / "book" / str(number)).write_text(json.dumps(books()[number]))
    (root / "mebibyte").write_bytes(bytes(range(256)) * (MEBIBYTE // 256))
    with (root / "large").open("wb") as file:
        file.truncate(LARGE)


@contextmanager
def serve(name: str) -> Iterator[Site]:
    """Run one of SERVERS, with its files in a new directory.

    Raises one of Missing when it is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="hyperlite-bench-") as name_of_directory:
        directory = Path(name_of_directory)
        directory.chmod(0o755)  # a server that gives up root's rights still has to read
        root = directory / "root"
        root.mkdir()
        make_files(root)
        with STARTERS[name](directory, root) as site:
            yield site
