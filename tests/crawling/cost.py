"""What a URL of a crawl costs, beside one of `fetch_many()` alone: `make bench-crawl`; or one long crawl.

The three take turns, in one process, with a server in another.  CPU time is that of all of its threads.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import hyperlite
from tests.crawling import long, shares
from tests.crawling.child import resolve
from tests.many.servers import child

HOSTS, PER_HOST = 50, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="URLs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--urls", type=int, help="instead, crawl so many once, in a process of its own")
    parser.add_argument("--workers", action="store_true", help="instead, beside the same on two processes")
    options = parser.parse_args()
    if options.workers:
        shares.compare(options.count, options.rounds)
    elif options.urls:
        with tempfile.TemporaryDirectory() as folder:
            long.crawl(options.urls, Path(folder))
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Crawl the same by each way, in turns."""
    with child({"alpn": "h2", "delay": 0.0}) as (_, (url,)), tempfile.TemporaryDirectory() as folder:
        port = url.rstrip("/").rpartition(":")[2]
        urls = [f"https://h{number % HOSTS}.test:{port}/page/{number}" for number in range(options.count)]
        ways: dict[str, Callable[[], None]] = {
            "fetch_many() alone": lambda: alone(urls),
            "fetch_many(), JSON Lines": lambda: with_lines(urls, Path(folder)),
            "crawl()": lambda: crawl(urls),
        }
        costs: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                start, began = cpu(), time.monotonic()
                way()
                costs[name].append((cpu() - start) / len(urls) * 1e6)
                rate = len(urls) / (time.monotonic() - began)
                print(f"{name:<25} {costs[name][-1]:6.0f} µs a URL, {rate:7,.0f}/s", flush=True)
    first = statistics.median(costs["fetch_many() alone"])
    for name, found in costs.items():
        print(f"{name:<25} median {statistics.median(found):6.0f} µs, {statistics.median(found) / first:.2f}")


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def alone(urls: list[str]) -> None:
    with hyperlite.ConnectionPool(verify=False, resolver=resolve) as pool:
        assert all(outcome.ok for outcome in pool.fetch_many(urls, concurrency=PER_HOST))


def with_lines(urls: list[str], folder: Path) -> None:
    with (
        hyperlite.ConnectionPool(verify=False, resolver=resolve) as pool,
        open(folder / "pages.jsonl", "w", encoding="utf-8") as file,
    ):
        for outcome in pool.fetch_many(urls, concurrency=PER_HOST):
            page = outcome.result()
            record = {
                "url": outcome.request,
                "final_url": page.url,
                "status": page.status,
                "http_version": page.http_version,
                "headers": dict(page.headers.items()),
                "timings": page.timings._asdict(),
                "attempts": outcome.attempts,
                "body": page.text,
            }
            file.write(json.dumps(record) + "\n")


def crawl(urls: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "pages.jsonl"
        summary = hyperlite.crawl(urls, output=output, per_host=PER_HOST, verify=False, resolver=resolve)
    assert summary.fetched == len(urls)


if __name__ == "__main__":
    main()
