"""Hosts that have one page each: many more than there are connections, or files that are kept."""

from collections import Counter

import pytest

import hyperlite
from hyperlite.crawling import loop, sites

from .conftest import MakeSite


def test_a_robots_txt_is_asked_for_once_for_each_host(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its host comes next when it is known, before others are forgotten for their files."""
    monkeypatch.setattr(loop, "AT_RISK", 10)
    monkeypatch.setattr(sites, "MAX_SITES", 20)
    site = make_site(150, 2)
    asked: Counter[str] = Counter()

    def resolve(host: str, _port: int) -> list[str]:
        asked[host] += 1
        return ["127.0.0.1"]

    summary = hyperlite.crawl(site.urls, output=site.output, verify=False, resolver=resolve)
    assert (summary.fetched, summary.hosts) == (300, 150)
    site.check_output()
    files = sum(target == "/robots.txt" for *_, target in site.server.log)
    assert files == 150
    assert site.refetched() == 0
    assert len(asked) == 150
