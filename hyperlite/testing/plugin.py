"""The plugin for pytest, which finds it by its entry point: servers as fixtures, one for each test.

They import what they need when a test asks for them: a project without such tests pays for this file alone.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hyperlite.testing.server import Routes, Server


@pytest.fixture
def http2_server() -> "Iterator[Server]":
    """Give a server without routes, on a free port of localhost, over TLS, that records what it sees.

    `hyperlite.testing.Server` says what it can do. Its certificate is signed by an authority that all servers
    of the process have in common: `ca_file`, `context()`.
    """
    yield from _serve({})


@pytest.fixture
def http2_bookstore() -> "Iterator[Server]":
    """Give the same with 3,000 books: `/` lists their ids, `/book?id=N` is one of `books()`."""
    from hyperlite.testing.bookstore import routes  # noqa: PLC0415

    yield from _serve(dict(routes()))


def _serve(routes: "Routes") -> "Iterator[Server]":
    from hyperlite.testing.server import Server  # noqa: PLC0415

    try:
        server = Server(routes, record=True)
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)
    with server:
        yield server
