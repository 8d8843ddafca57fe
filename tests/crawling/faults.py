"""A crawl of 20,000 URLs of 50 hosts that is killed twenty times, and whose disk is full: `make
crawl-faults`.

It ends with an error unless each URL is in the output once, with what its server sent, and each kill has
cost at most 1,000 requests, by the server's log.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .site import Site

AT_RISK = 1000
HOSTS = 50
# The share of the URLs at which each kill comes; those with a name come within that step instead (see
# `child`).
KILLS: list[float | tuple[str, int]] = [
    ("commit", 2), 0.05, ("committed", 3), 0.1, ("insert", 40), 0.2, 0.25, ("write", 60), 0.3, 0.35,
    0.4, ("fsync", 80), 0.5, ("commit", 8), 0.6, 0.7, 0.8, 0.95, ("replace", 1), ("replaced", 1),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="URLs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), HOSTS, options.count // HOSTS)
        with site.server:
            kills(site)
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), HOSTS, options.count // HOSTS)
        with site.server:
            full_disk(site)


def kills(site: Site) -> None:
    """Kill the crawl, again and again, and let it finish."""
    print(f"{len(site.urls):,} URLs of {HOSTS} hosts; SIGKILL …")
    for kill in KILLS:
        before, start = site.refetched(), time.monotonic()
        if isinstance(kill, float):
            done = site.crawl(kill_at=int(kill * len(site.urls)))
        else:
            done = site.crawl(die=kill)
        again = site.refetched() - before
        where = f"at {kill:.0%}" if isinstance(kill, float) else f"within {kill[0]} {kill[1]}"
        way = len(site.asked()) / len(site.urls)
        print(
            f"{where:>18}: {way:4.0%} asked for, {again:4} again, {time.monotonic() - start:5.1f} s",
            flush=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert again <= AT_RISK
    before = site.refetched()
    finish(site)
    assert site.refetched() - before <= AT_RISK
    print(
        f"all are in the output once; {site.refetched():,} requests were made again, for {len(KILLS)} kills"
    )


def full_disk(site: Site) -> None:
    """Have the state on a small file system, which is full; then on one that is larger; and so on."""
    with tmpfs(site.state, 4) as grow:
        for size in (4, 8, 12, 16, 64):
            grow(size)
            before = site.refetched()
            done = site.crawl()
            way = len(site.asked()) / len(site.urls)
            print(f"{size:>15} MB: {way:4.0%} asked for", flush=True)
            assert site.refetched() - before <= AT_RISK
            if size < 64:
                assert "[Errno 28]" in done.stderr, done
            else:
                assert done.returncode == 0, done.stderr
        site.check_output()
    print(f"all are in the output once; {site.refetched():,} requests were made again, for 4 full disks")


def finish(site: Site) -> None:
    done = site.crawl()
    assert done.returncode == 0, done.stderr
    site.check_output()


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Any]:
    """Mount a file system of so many megabytes; yields a function that changes its size."""
    if os.geteuid() != 0:
        sys.exit("only root may mount the file system that is full")

    def grow(megabytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(folder)], check=True)

    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "crawl", str(folder)], check=True)
    try:
        yield grow
    finally:
        subprocess.run(["umount", str(folder)], check=True)


if __name__ == "__main__":
    main()
