"""Sites to crawl."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Serve

from .site import Site
from .web import MakeWeb, Web

MakeSite = Callable[[int, int], Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    with ExitStack() as stack:

        def make(hosts: int, each: int) -> Site:
            site = Site(tmp_path, hosts, each)
            stack.enter_context(site.server)
            return site

        yield make


@pytest.fixture
def make_web(serve: Serve, tmp_path: Path) -> MakeWeb:
    return lambda pages: Web(serve, tmp_path, pages)
