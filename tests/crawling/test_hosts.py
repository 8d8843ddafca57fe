"""What hosts see of a crawl: never more requests at a time than their limit."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.testing.server import Exchange, Request, Response, streaming
from tests.conftest import Serve


class Busy:
    """Hosts that count how many requests each has at a time; every fifth page is elsewhere."""

    def __init__(self, hosts: int) -> None:
        self.hosts = hosts
        self._lock = threading.Lock()
        self._now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()

    @property
    def answer(self) -> Any:
        """What answers for all of them."""

        @streaming
        def answer(exchange: Exchange) -> None:
            host = exchange.request.authority.partition(":")[0]
            with self._lock:
                self._now[host] += 1
                self.seen[host] += 1
                self.most[host] = max(self.most[host], self._now[host])
            time.sleep(0.005)  # the requests have to meet
            with self._lock:
                self._now[host] -= 1
            path = exchange.request.path.removeprefix("/")
            if path.isdigit() and int(path) % 5 == 0:
                other = f"h{(int(host[1:-5]) + int(path)) % self.hosts}.test"
                place = exchange.request.authority.replace(host, other)
                exchange.start(302, [("location", f"https://{place}/moved"), ("content-length", "0")])
            else:
                exchange.start(404 if path == "robots.txt" else 200, [("content-length", "0")])
            exchange.end()

        return answer


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
@pytest.mark.parametrize("ignore_robots", [False, True])
def test_no_host_sees_more_than_its_limit(serve: Serve, tmp_path: Path, protocol: str, ignore_robots: bool):
    """By what the hosts see themselves, with redirects from one to another and robots.txt."""
    busy = Busy(6)
    server = serve(routes=busy.answer, alpn=(protocol,))
    urls = [f"https://h{host}.test:{server.port}/{page}" for page in range(40) for host in range(6)]
    summary = hyperlite.crawl(
        urls,
        output=tmp_path / "out",
        resolver=lambda *_: ["127.0.0.1"],
        verify=False,
        proxies=False,
        per_host=3,
        ignore_robots=ignore_robots,
    )
    assert summary.statuses == {200: len(urls)}
    assert sum(busy.seen.values()) == len(urls) * 6 // 5 + (0 if ignore_robots else 6)
    assert max(busy.most.values()) == 3


def test_a_site_sees_no_higher_rate(serve: Serve, tmp_path: Path):
    """With robots.txt, redirects and all pages: by when the site got the requests."""
    times: list[float] = []

    def answer(request: Request) -> Response:
        times.append(time.monotonic())
        if request.path == "/robots.txt":
            return Response(404)
        if request.path.endswith("5"):
            return Response(302, headers=[("location", "/moved")])
        return Response(body=b"page")

    server = serve(routes=answer)
    urls = [f"https://a.test:{server.port}/{page}" for page in range(40)]
    options = {"resolver": lambda *_: ["127.0.0.1"], "verify": False, "proxies": False}
    hyperlite.crawl(urls, output=tmp_path / "out", rate=25, **options)
    assert len(times) == 45
    assert times[-1] - times[0] >= 0.5, "25 at once, and the others a second later, as the site sees it"
    times.clear()
    hyperlite.crawl(urls[:10], output=tmp_path / "other", delay=0.05, **options)
    assert times[-1] - times[0] >= 0.3, "of 0.55"
