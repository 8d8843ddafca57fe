"""What many threads with one session take, against a server in a process of its own."""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hyperlite.adapters.requests import HTTP20Adapter
from tests.benchmarks import sessions
from tests.benchmarks.sites import serve
from tests.many.servers import child

from .conftest import MakeSession

THREADS, COUNT, DELAY = 50, 5000, 0.05
IDEAL = COUNT / THREADS * DELAY

pytestmark = pytest.mark.throughput


def test_50_threads(make_session: MakeSession):
    """5,000 GETs of 50 ms on one connection."""
    adapter = HTTP20Adapter()
    session = make_session(adapter)
    session.trust_env = False
    busy = hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.75 * (os.cpu_count() or 1)
    with child({"alpn": "h2", "delay": DELAY}) as (ca_file, [url]):
        session.verify = ca_file

        def run() -> float:
            start = time.monotonic()
            with ThreadPoolExecutor(THREADS) as executor:
                bodies = executor.map(lambda n: len(session.get(f"{url}?n={n}").content), range(COUNT))
                assert set(bodies) == {1000}
            return time.monotonic() - start

        took = run()
        for _ in range(2):  # what else the machine does makes it slower, never faster
            if took >= 1.2 * IDEAL:
                took = run()
        assert adapter.pool.stats()["dialled"] <= 2
        if took >= 1.2 * IDEAL and busy:
            pytest.skip(f"{took:.2f} s, but others had the machine's cores")
        assert took < 1.2 * IDEAL


@pytest.mark.parametrize("threads", [1, THREADS])
def test_cpu(threads: int):
    """Of a small GET, beside requests over its own adapter."""
    options = argparse.Namespace(block=200, rounds=5)
    with serve("nginx") as site:
        assert sessions.compare(options, site, threads=threads, trust_env=False) <= sessions.BAR
