"""Pools that trust the embedded server, and are closed at the end of the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from hyperlite import ConnectionPool
from hyperlite.testing.certificates import certificates

MakePool = Callable[..., ConnectionPool]


@pytest.fixture
def make_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePool]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with ExitStack() as stack:

        def make(**options: object) -> ConnectionPool:
            options.setdefault("verify", certificates().ca_file)
            options.setdefault("timeout", 10)
            return stack.enter_context(ConnectionPool(**options))

        yield make


@pytest.fixture
def pool(make_pool: MakePool) -> ConnectionPool:
    return make_pool()
