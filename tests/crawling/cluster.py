"""A crawl of 20,000 URLs on workers, which are killed ten times, and so is its driver: `make cluster-faults`.

For each kind of executor and of storage.  It ends with an error unless each URL is in the output once, with
what its server sent, and no host has seen more requests at a time than its limit, by the server's own count.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from distributed import Client, LocalCluster
from moto.server import ThreadedMotoServer

from hyperlite.testing.server import Request, Response

from .site import Site

HOSTS, PER_HOST, KILLS = 50, 8, 10
# Seconds of a lease: a worker that is lost with parts on S3 costs them.
LEASE = 10.0
EXECUTORS, STORAGES = ("threads", "processes", "loky", "dask"), ("folder", "s3")


class Counted(Site):
    """A site whose hosts count how many requests each has at a time."""

    def __init__(self, folder: Path, hosts: int, each: int) -> None:
        self._lock = threading.Lock()
        self._now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        super().__init__(folder, hosts, each)

    def _answer(self, request: Request) -> Response:
        host = request.authority
        with self._lock:
            self._now[host] += 1
            self.most[host] = max(self.most[host], self._now[host])
        try:
            return super()._answer(request)
        finally:
            with self._lock:
                self._now[host] -= 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="URLs")
    parser.add_argument("--executor", choices=EXECUTORS, action="append", help="this one alone (repeat it)")
    parser.add_argument("--storage", choices=STORAGES, action="append", help="the same")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    for storage in options.storage or STORAGES:
        for executor in options.executor or EXECUTORS:
            with tempfile.TemporaryDirectory() as folder, bucket(storage) as place:
                run(Path(folder), executor, place, options.count, chance)


@contextlib.contextmanager
def bucket(storage: str) -> Iterator[str | None]:
    """Return where workers write; None: in the state."""
    if storage == "folder":
        yield None
        return
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    boto3.client("s3").create_bucket(Bucket="crawl")
    yield "s3://crawl/faults"
    server.stop()


@contextlib.contextmanager
def cluster(executor: str) -> Iterator[Client | None]:
    """Return the client of a cluster of two processes, if that is the executor."""
    if executor != "dask":
        yield None
        return
    options = {"processes": True, "dashboard_address": ":0", "silence_logs": 50}
    with LocalCluster(n_workers=2, threads_per_worker=1, **options) as made, Client(made) as client:
        yield client


def run(folder: Path, executor: str, place: str | None, count: int, chance: random.Random) -> None:
    """Crawl, and kill on the way: the driver at odd times, and a worker at even ones."""
    site = Counted(folder, HOSTS, count // HOSTS)
    at = sorted(chance.sample(range(count // 20, count * 19 // 20), KILLS))
    start = time.monotonic()
    with site.server, cluster(executor) as client:
        given: dict[str, Any] = {"executor": executor, "per_host": PER_HOST, "lease": LEASE}
        if place is not None:
            given["storage"] = place
        if client is not None:
            given["scheduler"] = client.scheduler.address
        done = killed(site, given, client, at)
        assert done.returncode == 0, done.stderr
        site.check_output()
        assert max(site.most.values()) <= PER_HOST, site.most
    print(
        f"{executor:>9}, {'S3' if place else 'folder':<6}: {KILLS} kills, {count:,} URLs each once;"
        f" {site.refetched():,} requests again, at most {max(site.most.values())} at a time to a host,"
        f" {time.monotonic() - start:.0f} s",
        flush=True,
    )


def killed(
    site: Site, given: dict[str, Any], client: Client | None, at: list[int]
) -> subprocess.CompletedProcess[str]:
    """Run the crawl until it ends by itself."""
    left = list(at)
    while True:
        command = [sys.executable, "-m", "tests.crawling.child", site.arguments(**given)]
        with tempfile.TemporaryFile("w+") as errors:  # a pipe would stay open in workers that outlive it
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
            over = threading.Event()
            killer = threading.Thread(target=kill, args=(site, child.pid, client, left, over))
            killer.start()
            status = child.wait()
            over.set()
            killer.join()
            errors.seek(0)
            if status != -signal.SIGKILL:
                return subprocess.CompletedProcess(command, status, "", errors.read())


def kill(site: Site, driver: int, client: Client | None, left: list[int], over: threading.Event) -> None:
    """Kill when so many pages were asked for: a worker, if there is one, and the driver in turns."""
    while left and not over.wait(0.005):
        if site.seen < left[0]:
            continue
        left.pop(0)
        workers = processes(driver) if client is None else list(client.run(os.getpid).values())
        victim = random.choice(workers) if workers and len(left) % 2 else driver
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        if victim == driver:
            return


def processes(driver: int) -> list[int]:
    """Return the workers of a driver: the youngest generation of its children that asks for something."""
    found, last = [driver], []
    while found:
        last, found = found, [child for one in found for child in children(one)]
    return [one for one in last if one != driver and b"tracker" not in command_of(one)]


def command_of(process: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{process}/task").iterdir()
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    return []


if __name__ == "__main__":
    main()
