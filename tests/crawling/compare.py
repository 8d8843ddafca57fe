"""The programs docs/examples/crawl_with_….py beside one another: `make compare-crawls`.

They crawl the same site of 50 hosts, in turns, round after round, each in a process of its own.  The servers
are processes, too, so their CPU time is not counted.  Then each program is killed half-way by SIGKILL, and
run again.  The output of each is checked: what is missing, twice, or torn.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .lines import code_lines
from .site import OTHERS, check

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
NAMES = ("hyperlite", "aiohttp", "httpx", "scrapy")
HOSTS, SERVERS = 50, 2


class Used(NamedTuple):
    """What a run took: seconds of CPU time and of a clock, and megabytes at its peak."""

    cpu: float
    wall: float
    memory: float


class Found(NamedTuple):
    """What is in an output: records, those without a response, URLs missing, URLs there twice, torn lines."""

    records: int
    failed: int
    missing: int
    twice: int
    torn: int


class Sites:
    """The site, on servers of their own processes, and the list of its URLs.

    Args:
        folder: for the list.
        count: how many URLs there are.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._each = count // HOSTS
        self._servers: list[subprocess.Popen[str]] = []
        self.ca_file = folder / "ca.pem"
        self.list = folder / "urls.txt"
        self.urls: list[str] = []

    def __enter__(self) -> "Sites":
        command = [sys.executable, "-m", "tests.crawling.compare_servers", str(self._each)]
        authorities = b""
        by_server: list[list[str]] = []
        for number in range(SERVERS):
            started = subprocess.Popen(
                [*command, str(number), str(SERVERS), str(HOSTS)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            )  # fmt: skip
            self._servers.append(started)
            assert started.stdout is not None
            ca_file, urls = json.loads(started.stdout.readline())
            authorities += Path(ca_file).read_bytes()
            by_server.append(urls)
        self.ca_file.write_bytes(authorities)
        self.urls = [url for urls in zip(*by_server, strict=True) for url in urls]
        self.list.write_text("\n".join(self.urls))
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.communicate()

    def asked(self) -> Counter[str]:
        """Return how often each page was asked for, but for what redirects lead to."""
        asked: Counter[str] = Counter()
        for server in self._servers:
            assert server.stdin is not None
            assert server.stdout is not None
            print(file=server.stdin, flush=True)
            asked.update(json.loads(server.stdout.readline()))
        return Counter({page: times for page, times in asked.items() if not page.endswith(OTHERS)})


class Program:
    """One of the programs.

    Args:
        name: of the library.
        python: that has it.
        sites: to crawl.
        folder: for its output.
    """

    def __init__(self, name: str, python: str, sites: Sites, folder: Path) -> None:
        self.name = name
        self.path = EXAMPLES / f"crawl_with_{name}.py"
        self._sites = sites
        self._output = folder / "pages.jsonl"
        self._command = [python, str(self.path), str(sites.list), str(self._output)]
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "crawling" / "names"), str(ROOT)]),
            "SSL_CERT_FILE": str(sites.ca_file),
            "NO_PROXY": "*",
        }

    def run(self, *, kill: int | None = None) -> Used:
        """Run it; with `kill`, until so many further pages were asked for.  The output stays."""
        before = self._sites.asked().total()
        begun = time.monotonic()
        child = subprocess.Popen(self._command, env=self._environment, stderr=subprocess.DEVNULL)
        if kill is not None:
            while self._sites.asked().total() - before < kill and child.poll() is None:
                time.sleep(0.02)
            child.kill()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        expected = 0 if kill is None else -signal.SIGKILL
        if child.returncode != expected:
            print(f"{self.name}: its exit status is {child.returncode}, not {expected}")
        peak = used.ru_maxrss / 1024
        return Used(used.ru_utime + used.ru_stime, time.monotonic() - begun, peak)

    def found(self) -> Found:
        """Look at the output; what is a record has to be true."""
        urls: Counter[str] = Counter()
        failed = torn = 0
        if self._output.exists():
            with open(self._output, "rb") as file:
                for line in file:
                    try:
                        record = json.loads(line)
                    except ValueError:
                        torn += 1
                        continue
                    urls[record["url"]] += 1
                    if record["error"] is None:
                        check(record)
                    else:
                        failed += 1
        missing = set(self._sites.urls) - set(urls)
        return Found(urls.total(), failed, len(missing), urls.total() - len(urls), torn)

    def killed(self) -> str:
        """Kill it half-way, run it again, and say what has become of the URLs."""
        count, before = len(self._sites.urls), self._sites.asked().total()
        self.run(kill=count // 2)
        self.run()
        again = max(self._sites.asked().total() - before - count, 0)
        found = self.found()
        wrong = [f"{many:,} {what}" for what, many in found._asdict().items() if what != "records" and many]
        return ", ".join([*(wrong or ["all once"]), f"{again:,} fetched again"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crawling.compare", description=__doc__)
    parser.add_argument("python", help="a Python that has scrapy, aiohttp and httpx")
    parser.add_argument("--count", type=int, default=5_000, help="URLs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--names", default=",".join(NAMES), help="which programs")
    options = parser.parse_args()
    names = options.names.split(",")
    costs: dict[str, list[Used]] = {name: [] for name in names}
    kills: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as first, Sites(Path(first), options.count) as sites:
        for number in range(options.rounds + 1):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                with program(name, options.python, sites) as one:
                    if number == options.rounds:
                        kills[name] = one.killed()
                        print(f"{name:<10} killed half-way, and run again: {kills[name]}", flush=True)
                    else:
                        used = one.run()
                        found = one.found()
                        costs[name].append(used)
                        print(
                            f"{name:<10} CPU {used.cpu:6.1f} s, {used.wall:6.1f} s, {used.memory:4.0f} MiB,"
                            f" load {os.getloadavg()[0]:.1f}; {found}",
                            flush=True,
                        )
                        assert found == (len(sites.urls), found.failed, 0, 0, 0)
        print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} processors, Python {sys.version.split()[0]}")
    print(table(costs, kills, len(sites.urls)))


@contextlib.contextmanager
def program(name: str, python: str, sites: Sites) -> Iterator[Program]:
    """Yield a program with a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield Program(name, sys.executable if name == "hyperlite" else python, sites, Path(folder))


def table(costs: dict[str, list[Used]], kills: dict[str, str], count: int) -> str:
    """Return the medians, as a table in Markdown."""
    rows = [
        ["", "CPU a URL", "URLs a second", "peak of memory", "lines of code", "after `kill -9` half-way"],
        ["---"] * 6,
    ]
    for name, found in costs.items():
        cpu, wall, memory = (statistics.median(column) for column in zip(*found, strict=True))
        lines = code_lines(EXAMPLES / f"crawl_with_{name}.py")
        figures = f"{cpu / count * 1e6:,.0f} µs", f"{count / wall:,.0f}", f"{memory:.0f} MiB", str(lines)
        rows.append([name, *figures, kills[name]])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
