"""What an import loads: no more than it needs, since a program that starts pays for each module."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
before = set(sys.modules)
{statement}
print(*sorted(set(sys.modules) - before))
"""
# Packages, and modules in no package, of hyperlite's own.
COMMON = {"errors", "http2", "logs", "messages", "net", "stock"}
CONNECTION = COMMON | {
    "as_ready", "connection", "http1", "observing", "pending", "putting", "telling", "transports", "watching"
}  # fmt: skip
POOL = COMMON | {"fetching", "http1", "observing", "origins", "pool", "telling", "transports"}
LOADED = {
    "import hyperlite": set(),
    "import hyperlite.errors": {"errors"},
    "from hyperlite import HTTP20Connection": CONNECTION,
    "import hyperlite.client": COMMON | {"client", "client_classes", "client_names", "strict_socket"},
    "from hyperlite import ConnectionPool": POOL,
    "from hyperlite import fetch_many": POOL,
    "import hyperlite.testing": {"testing"},
}
# They come with the first HTTP/2 connection, the first context, the first wrong argument, or an extra.
LATER = {
    "brotli",
    "certifi",
    "difflib",
    "h2",
    "hpack",
    "hyperframe",
    "hyperlite_speedups",
    "idna",
    "requests",
    "trustme",
    "urllib3",
    "zstandard",
}


def loaded(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter loads for a statement, besides those it has anyhow."""
    command = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_the_package_itself_needs_nothing_that_takes_long() -> None:
    assert loaded("import hyperlite") & {"asyncio", "email", "http", "socket", "ssl", "threading"} == set()


@pytest.mark.parametrize("statement", LOADED)
def test_which_rooms_are_loaded(statement: str) -> None:
    names = loaded(statement)
    assert {name.split(".")[1] for name in names if name.startswith("hyperlite.")} == LOADED[statement]
    assert {name.partition(".")[0] for name in names} & LATER == set()
    assert "hyperlite.fetching.links" not in names
