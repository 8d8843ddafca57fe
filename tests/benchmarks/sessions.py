"""`python -m tests.benchmarks.sessions`: a requests.Session over hyperlite, beside one over requests' own.

Many threads share one session and fetch what takes the server a while; then one thread alone fetches what
takes it no time.  What lies below is measured by itself, so that it can be seen whose the cost is.  The
server is a process of its own; the CPU time is this process's, user and system.
"""

# ruff: noqa: PLC0415  whoever lacks requests-futures can do without

import argparse
import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

import hyperlite
from hyperlite.adapters.requests import HTTP20Adapter
from tests.pool.servers import child

Get = Callable[[str], object]
DELAY = 0.05


class Canned(BaseAdapter):
    """Answers by itself: what is left is requests' own cost."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url or "", request
        response.raw, response._content = urllib3.HTTPResponse(b""), b"x"
        return response

    def close(self) -> None:
        pass


@contextmanager
def session_over(adapter: BaseAdapter, ca: str) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.verify, session.trust_env = ca, False
        session.mount("https://", adapter)
        yield session


def whole(session: requests.Session) -> Get:
    return lambda url: session.get(url).content


def by_threads(get: Get, urls: Sequence[str], threads: int) -> None:
    with ThreadPoolExecutor(threads) as executor:
        for _ in executor.map(get, urls):
            pass


def by_turns(get: Get, urls: Sequence[str]) -> None:
    for url in urls:
        get(url)


def by_futures(session: requests.Session, urls: Sequence[str], threads: int) -> None:
    from requests_futures.sessions import FuturesSession

    with FuturesSession(session=session, max_workers=threads) as futures:
        for promise in [futures.get(url) for url in urls]:
            assert promise.result().content


def timed(name: str, n: int, run: Callable[[], None], rounds: int, note: Callable[[], str]) -> None:
    """Run it a few times; the best counts: what else the machine does makes it slower, never faster."""
    wall = cpu = float("inf")
    for _ in range(rounds):
        start = time.perf_counter(), time.process_time()
        run()
        wall, cpu = min(wall, time.perf_counter() - start[0]), min(cpu, time.process_time() - start[1])
    print(f"{name:44} {wall:7.2f} s {cpu / n * 1e6:6.0f} us/request  {note()}", flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sessions", description=__doc__)
    parser.add_argument("--threads", type=int, default=50)
    parser.add_argument("-n", type=int, default=5000, help="requests (5000)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ideal = options.n / options.threads * DELAY
    print(f"{options.threads} threads, {options.n} GETs of {DELAY * 1000:.0f} ms; ideal: {ideal:.2f} s")
    kinds = [{"alpn": alpn, "delay": delay} for delay in (DELAY, 0.0) for alpn in ("h2", "http/1.1")]
    with child(*kinds) as (ca, [slow_h2, slow_h1, fast_h2, fast_h1]):
        threaded(options, ca, slow_h2, slow_h1)
        print(f"one thread, {options.n // 5} GETs of 0 ms")
        alone(options, ca, fast_h2, fast_h1)


def threaded(options: argparse.Namespace, ca: str, h2: str, h1: str) -> None:
    n, threads, rounds = options.n, options.threads, options.rounds
    adapter = HTTP20Adapter()

    def dialled() -> str:
        return f"{adapter.pool.stats()['dialled']} connections"

    urls = [f"{h2}?n={number}" for number in range(n)]
    with session_over(adapter, ca) as session:
        timed(
            "requests, HTTP20Adapter", n, lambda: by_threads(whole(session), urls, threads), rounds, dialled
        )
        try:
            timed(
                "requests-futures, HTTP20Adapter",
                n,
                lambda: by_futures(session, urls, threads),
                rounds,
                dialled,
            )
        except ImportError:
            print("left out: requests-futures")
    with hyperlite.ConnectionPool(verify=ca) as pool:
        get = lambda url: pool.fetch(url).body  # noqa: E731
        timed("of it: hyperlite", n, lambda: by_threads(get, urls, threads), rounds, str)
    urls = [f"{h1}?n={number}" for number in range(n)]
    with session_over(HTTPAdapter(pool_maxsize=threads), ca) as session:
        timed("requests, HTTPAdapter", n, lambda: by_threads(whole(session), urls, threads), rounds, str)
    with urllib3.PoolManager(ca_certs=ca, maxsize=threads) as manager:
        get = lambda url: manager.request("GET", url).data  # noqa: E731
        timed("of it: urllib3", n, lambda: by_threads(get, urls, threads), rounds, str)
    with session_over(Canned(), ca) as session:
        timed("of both: requests", n, lambda: by_threads(whole(session), urls, threads), rounds, str)


def alone(options: argparse.Namespace, ca: str, h2: str, h1: str) -> None:
    n = options.n // 5
    for name, adapter, url in (
        ("requests, HTTP20Adapter", HTTP20Adapter(), h2),
        ("requests, HTTPAdapter", HTTPAdapter(), h1),
        ("of both: requests", Canned(), h1),
    ):
        with session_over(adapter, ca) as session:
            urls = [url] * n
            timed(name, n, functools.partial(by_turns, whole(session), urls), options.rounds, str)


if __name__ == "__main__":
    threading.stack_size(1 << 20)
    main()
