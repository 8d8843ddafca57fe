"""Sites to crawl."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .site import Site

MakeSite = Callable[[int, int], Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    with ExitStack() as stack:

        def make(hosts: int, each: int) -> Site:
            site = Site(tmp_path, hosts, each)
            stack.enter_context(site.server)
            return site

        yield make
