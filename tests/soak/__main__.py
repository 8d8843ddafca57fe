"""`python -m tests.soak --requests 1000000` makes requests of all kinds, and watches what the process holds.

In rounds: answered, cancelled, timed out, dropped unread, uploaded; by `HTTP20Connection`, `fetch()`,
`fetch_many()` and `HTTP20Adapter`, on both protocols, by several threads; each round reconnects.  After each
round descriptors, threads, hyperlite's objects and memory are counted.  Those of the last rounds must be
those of the first ones, which come after a time to warm up.  The server is a process of its own.
"""

import argparse
import contextlib
import gc
import http.client
import os
import random
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import requests

import hyperlite
from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response, Server

THREADS = 4
# Requests that a thread makes of each kind in a round.
BATCH = 25
# Rounds that warm up, and MiB that the process may have grown by afterwards.
WARM_UP, GROWTH = 3, 12.0
FAILURES = (http.client.HTTPException, OSError, requests.RequestException)


class Held(NamedTuple):
    """What the process holds after a round."""

    descriptors: int
    threads: int
    memory: float  # MiB
    objects: int


def held() -> Held:
    """Take stock."""
    gc.collect()
    status = Path("/proc/self/status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
    kinds = Counter(str(type(one).__module__).partition(".")[0] for one in gc.get_objects())
    return Held(len(os.listdir("/proc/self/fd")), threading.active_count(), memory, kinds["hyperlite"])


def answer(request: Request) -> Response:
    """Answer with as many bytes as the path says, after a delay if it says so."""
    size = int(request.target.rpartition("/")[2] or 0)
    delay = 0.3 if request.target.startswith("/slow") else 0
    return Response(body=b"x" * size, delay=delay)


class Soak:
    """The ways to make requests, which threads share."""

    def __init__(self, port: int, authority: str, protocol: str) -> None:
        self.url = f"https://localhost:{port}"
        self.made = 0
        self.lock = threading.Lock()
        self.conn = hyperlite.HTTP20Connection(
            "localhost",
            port,
            timeout=20,
            protocols=[protocol],
            context=hyperlite.create_context(cafile=authority),
        )
        self.pool = hyperlite.ConnectionPool(
            timeout=20, verify=authority, proxies=False, protocols=[protocol]
        )
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = authority
        self.session.mount("https://", HTTP20Adapter(protocols=[protocol]))

    def count(self, requests: int) -> None:
        """Count requests."""
        with self.lock:
            self.made += requests

    def answered(self, dice: random.Random) -> None:
        """Read whole answers."""
        size = dice.choice([0, 10, 1000, 70_000])
        with self.conn.getresponse(self.conn.request("GET", f"/{size}")) as response:
            assert len(response.read()) == size
        assert len(self.pool.fetch(self.url + f"/{size}").body) == size
        assert len(self.session.get(self.url + f"/{size}").content) == size
        self.count(3)

    def uploaded(self, dice: random.Random) -> None:
        """Upload."""
        body = bytes(dice.choice([0, 1000, 200_000]))
        with self.conn.getresponse(self.conn.request("POST", "/10", body)) as response:
            assert len(response.read()) == 10
        assert len(self.pool.fetch(self.url + "/10", "POST", body=body).body) == 10
        self.count(2)

    def dropped(self, dice: random.Random) -> None:
        """Drop answers unread, or read in part."""
        response = self.conn.getresponse(self.conn.request("GET", "/200000"))
        response.read(dice.choice([1, 100, 20_000]))
        del response
        self.pool.fetch(self.url + "/200000", stream=True)
        with self.session.get(self.url + "/200000", stream=True):
            pass
        self.count(3)

    def cancelled(self, _: random.Random) -> None:
        """Cancel requests that were sent."""
        self.conn.cancel(self.conn.request("GET", "/slow/10"))
        run = self.pool.fetch_many([self.url + "/slow/10"] * 3)
        run.close()
        self.count(4)

    def timed_out(self, _: random.Random) -> None:
        """Let requests run out of time."""
        try:
            self.pool.fetch(self.url + "/slow/10", timeout=0.02)
        except FAILURES:
            self.count(1)
        else:
            raise AssertionError("it was not slow")

    def many(self, dice: random.Random) -> None:
        """Make many at a time."""
        urls = [self.url + f"/{dice.choice([0, 100, 5000])}" for _ in range(20)]
        for outcome in self.pool.fetch_many(urls):
            assert outcome.result().status == 200
        self.count(len(urls))

    def round(self, seed: int) -> None:
        """Make a round of requests by several threads, and reconnect."""
        kinds = [self.answered, self.uploaded, self.dropped, self.cancelled, self.timed_out, self.many]

        def work(number: int) -> None:
            dice = random.Random(f"{seed} {number}")
            plan = kinds * BATCH
            dice.shuffle(plan)
            for kind in plan:
                kind(dice)

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(work, range(THREADS)))
        self.conn.close()

    def close(self) -> None:
        """Close all."""
        self.conn.close()
        self.pool.close()
        self.session.close()


@contextlib.contextmanager
def serving(protocol: str) -> Iterator[tuple[int, str]]:
    """Run a server in a process of its own; yields its port, and the file of its authority."""
    command = [sys.executable, "-m", "tests.soak", "--serve", protocol]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port, authority = process.stdout.readline().split()
        try:
            yield int(port), authority
        finally:
            process.communicate()


def serve(protocol: str) -> None:
    """Be that server, until the input ends."""
    with Server(answer, alpn=(protocol,)) as server:
        print(server.port, certificates().ca_file, flush=True)
        while sys.stdin.read(1):
            pass


def soak(protocol: str, most: int, tell: Callable[[str], None]) -> list[str]:
    """Make so many requests on a protocol; return what has grown."""
    history: list[Held] = []
    with serving(protocol) as (port, authority):
        one = Soak(port, authority, protocol)
        began = time.monotonic()
        while one.made < most or len(history) < 2 * WARM_UP:
            one.round(len(history))
            history.append(held())
            seconds = time.monotonic() - began
            tell(f"{protocol:8} {one.made:9,} requests {seconds:7.0f} s  {history[-1]}")
        one.close()
    first, last = history[WARM_UP : 2 * WARM_UP], history[-WARM_UP:]
    grown = []
    for name, allowed in (("descriptors", 4), ("threads", 4), ("memory", GROWTH), ("objects", 200)):
        before, after = (min(getattr(stock, name) for stock in part) for part in (first, last))
        if after > before + allowed:
            grown.append(f"{protocol}: {name} from {before} to {after}")
    return grown


def main() -> int:
    """Run it; returns the exit status: 1 if anything has grown."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000, help="in all, half on each protocol")
    parser.add_argument("--serve", metavar="PROTOCOL", help="be the server, for another process")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    warnings.simplefilter("error")
    grown: list[str] = []
    for protocol in ("h2", "http/1.1"):
        grown += soak(protocol, options.requests // 2, lambda text: print(text, flush=True))
    print("\n".join(grown) or "nothing has grown")
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(main())
