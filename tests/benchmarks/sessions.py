"""`make bench-adapter`: a requests.Session over HTTP20Adapter beside one over requests' own HTTPAdapter.

First the CPU time of a small GET, of nginx with TLS, one at a time and by many threads, and whose it is:
a session whose adapter answers by itself shows what is requests' own, and the connection alone, asked for
the same, what is hyperlite's.  What runs alone is cheaper than among the rest, which is charged for that.
Then many threads that share a session, fetching what takes the server a
while: how long they take beside what the server takes.

The rounds are interleaved, and medians shown.  The CPU time is this process's, user and system; the
servers are processes of their own.
"""

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPMessage
from types import SimpleNamespace
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

try:
    from requests_futures.sessions import FuturesSession
except ImportError:  # the tests do without
    FuturesSession = None

from hyperlite.adapters.requests import HTTP20Adapter
from tests.many.servers import child
from tests.real.servers import Site

from .sites import Missing, serve

Get = Callable[[str], object]
Run = Callable[[Sequence[str]], object]
DELAY = 0.05
# What sends requests elsewhere, or has it trust others.
ELSEWHERE = [name for name in os.environ if name.lower().endswith(("_proxy", "_ca_bundle"))]
BAR, WALL_BAR = 0.75, 1.2
# nginx's header fields for a small file.
FIELDS = {
    "server": "nginx/1.22.1",
    "date": "Sat, 01 Aug 2026 12:00:00 GMT",
    "content-type": "text/plain",
    "content-length": "600",
    "last-modified": "Sat, 01 Aug 2026 12:00:00 GMT",
    "etag": '"66ab8d00-258"',
    "cache-control": "max-age=60",
    "accept-ranges": "bytes",
}
MESSAGE = HTTPMessage()
for name, value in FIELDS.items():
    MESSAGE[name] = value


class Canned(HTTPAdapter):
    """Answers by itself: what is left is requests' own cost."""

    status, reason, headers, _original_response = 200, "OK", FIELDS, SimpleNamespace(msg=MESSAGE)

    def get_connection_with_tls_context(self, *_: object, **__: object) -> Any:
        return self

    def cert_verify(self, *_: object) -> None:
        pass

    def urlopen(self, **_: object) -> Any:
        return self

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield b"x" * 600

    def release_conn(self) -> None:
        pass


@contextmanager
def session_over(adapter: BaseAdapter, ca: str, *, trust_env: bool = False) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.verify, session.trust_env = ca, trust_env
        session.mount("https://", adapter)
        yield session


def whole(session: requests.Session) -> Get:
    return lambda url: session.get(url).content


def by_turns(get: Get) -> Run:
    return lambda urls: [get(url) for url in urls]


def by_threads(get: Get, threads: int) -> Run:
    def work(urls: Sequence[str]) -> None:
        for url in urls:
            get(url)

    def run(urls: Sequence[str]) -> None:
        workers = [threading.Thread(target=work, args=(urls[number::threads],)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return run


def by_futures(session: requests.Session, threads: int) -> Run:
    def run(urls: Sequence[str]) -> None:
        with FuturesSession(session=session, max_workers=threads) as futures:
            for promise in [futures.get(url) for url in urls]:
                assert promise.result().content

    return run


# -- whose the CPU time is ---------------------------------------------------------------------------


def cpu(runs: dict[str, Run], urls: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Return microseconds of CPU a request, of each round."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = time.process_time()
            run(urls)
            if number:  # the first is the warm-up
                taken[name].append((time.process_time() - start) / len(urls) * 1e6)
    return taken


def compare(options: argparse.Namespace, site: Site, *, threads: int, trust_env: bool) -> float:
    """Print what a small GET costs over either adapter, and what of it is whose; returns the ratio."""
    urls = [
        f"https://localhost:{site.port}/small?id={k}"
        for k in range(options.block * (5 if threads > 1 else 1))
    ]
    with ExitStack() as stack:
        adapters = {
            "HTTPAdapter": HTTPAdapter(pool_maxsize=threads),
            "HTTP20Adapter": HTTP20Adapter(),
            "requests": Canned(),
        }
        gets: dict[str, Get] = {
            name: whole(stack.enter_context(session_over(adapter, site.ca_file, trust_env=trust_env)))
            for name, adapter in adapters.items()
        }
        conn = stack.enter_context(site.connect())

        def ask(url: str) -> None:
            stream_id = conn.request("GET", url[url.index("/small") :])
            assert len(conn.getresponse(stream_id).read()) == 600

        gets["connection"] = ask
        runs = {
            name: by_threads(get, threads) if threads > 1 else by_turns(get) for name, get in gets.items()
        }
        taken = cpu(runs, urls, options.rounds if threads > 1 else 4 * options.rounds)
    middle = {name: statistics.median(each) for name, each in taken.items()}
    pairs = zip(taken["HTTP20Adapter"], taken["HTTPAdapter"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    how = f"{threads} threads" if threads > 1 else "one at a time"
    print(f"\n{how}, {'the default session' if trust_env else 'trust_env=False'}: us of CPU a request")
    adapter = middle["HTTP20Adapter"] - middle["requests"] - middle["connection"]
    for name, value in [
        ("requests over HTTPAdapter", middle["HTTPAdapter"]),
        ("  requests itself", middle["requests"]),
        ("  the rest: urllib3, http.client, TLS", middle["HTTPAdapter"] - middle["requests"]),
        ("requests over HTTP20Adapter", middle["HTTP20Adapter"]),
        ("  requests itself", middle["requests"]),
        ("  HTTP20Connection, TLS", middle["connection"]),
        ("  the rest: the adapter, urllib3's parts", adapter),
    ]:
        print(f"  {name:42} {value:7.1f}")
    holds = "holds" if ratio <= BAR else "DOES NOT HOLD"
    print(f"  HTTP20Adapter / HTTPAdapter: {ratio:.3f} (bar {BAR}: {holds})", flush=True)
    return ratio


# -- how long many threads take -----------------------------------------------------------------------


def race(options: argparse.Namespace) -> None:
    """Print how long many threads take for what the server is slow to answer."""
    n, threads = options.n, options.threads
    ideal = n / threads * DELAY
    print(f"\n{threads} threads, {n} GETs of {DELAY * 1000:.0f} ms; the server alone: {ideal:.2f} s")
    ours = HTTP20Adapter()
    adapters = {"h2": ours, "http/1.1": HTTPAdapter(pool_maxsize=threads)}
    with (
        child(*({"alpn": alpn, "delay": DELAY} for alpn in adapters)) as (ca, addresses),
        ExitStack() as stack,
    ):
        runs: dict[str, tuple[Run, list[str]]] = {}
        for adapter, address in zip(adapters.values(), addresses, strict=True):
            session = stack.enter_context(session_over(adapter, ca))
            urls = [f"{address}?n={number}" for number in range(n)]
            name = type(adapter).__name__
            runs[f"{name}, threads"] = by_threads(whole(session), threads), urls
            if FuturesSession is not None:
                runs[f"{name}, requests-futures"] = by_futures(session, threads), urls
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for run, urls in runs.values():
            run(urls[:threads])
        for _ in range(min(3, options.rounds)):
            for name, (run, urls) in runs.items():
                start = time.perf_counter()
                run(urls)
                taken[name].append(time.perf_counter() - start)
        dialled = ours.pool.stats()["dialled"]
    for name, walls in taken.items():
        wall = statistics.median(walls)
        line = f"  {name:34} {wall:6.2f} s, {wall / ideal:.2f} x the server's"
        if name.startswith("HTTP20"):
            line += f" (bar {WALL_BAR}: {'holds' if wall <= WALL_BAR * ideal else 'DOES NOT HOLD'})"
        print(line)
    print(f"  connections of HTTP20Adapter: {dialled}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        prog="make bench-adapter", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=50)
    parser.add_argument("--n", type=int, default=5000, help="requests of the slow server (5000)")
    parser.add_argument("--rounds", type=int, default=9, help="whose median is shown (9)")
    parser.add_argument(
        "--block", type=int, default=200, help="small GETs in a round; with threads 5 times that (200)"
    )
    parser.add_argument("--only", choices=["cpu", "wall"], help="one of the two parts")
    options = parser.parse_args(arguments)
    for name in ELSEWHERE:
        os.environ.pop(name, None)
    if options.only != "wall":
        try:
            with serve("nginx") as site:
                for trust_env in (False, True):
                    for threads in (1, options.threads):
                        compare(options, site, threads=threads, trust_env=trust_env)
        except Missing as error:
            parser.error(str(error))
    if options.only != "cpu":
        race(options)


if __name__ == "__main__":
    threading.stack_size(1 << 20)
    main()
