"""What a URL costs on workers, beside a crawl in one process: `make bench-crawl ARGS=--workers`.

CPU time of the workers is read from the system while they live, after they have imported what they need;
that of the driver is all that its process takes, from the copy of the input to the output.
"""

import importlib
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import hyperlite
from hyperlite.crawling import worker
from tests.crawling.child import resolve
from tests.many.servers import child

HOSTS, PER_HOST, WORKERS = 50, 8, 2
_TICK = os.sysconf("SC_CLK_TCK")


def compare(count: int, rounds: int) -> None:
    """Crawl so many URLs, in one process and on two workers, in turns."""
    with child({"alpn": "h2", "delay": 0.0}) as (_, (url,)), workers() as executor:
        port = url.rstrip("/").rpartition(":")[2]
        urls = [f"https://h{number % HOSTS}.test:{port}/page/{number}" for number in range(count)]
        alone, whole, shares = [], [], []
        for _ in range(rounds):
            before = own()
            crawl(urls, None)
            alone.append((own() - before) / count * 1e6)
            before, theirs = own(), of_workers(executor)
            crawl(urls, executor)
            driver, theirs = own() - before, of_workers(executor) - theirs
            whole.append((driver + theirs) / count * 1e6)
            shares.append(driver / (driver + theirs))
            print(
                f"one process {alone[-1]:.0f} µs a URL; on {WORKERS} workers {whole[-1]:.0f} µs, of which the"
                f" driver {shares[-1]:.1%}",
                flush=True,
            )
    first, second = statistics.median(alone), statistics.median(whole)
    share = statistics.median(shares)
    print(f"median: {first:.0f} µs in one process, {second:.0f} µs on workers: {second / first:.2f}")
    print(
        f"the driver takes {share:.1%}, {share * second:.0f} µs a URL: enough for {1 / share - 1:.0f} workers"
    )


def workers() -> ProcessPoolExecutor:
    """Return processes that have imported what they need."""
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(WORKERS, context, importlib.import_module, (worker.__name__,))
    list(executor.map(time.sleep, [1.0] * WORKERS))
    return executor


def own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def of_workers(executor: ProcessPoolExecutor) -> float:
    """Return the seconds of CPU that the processes of an executor have taken."""
    used = 0.0
    for process in executor._processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / _TICK
    return used


def crawl(urls: list[str], executor: ProcessPoolExecutor | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "pages.jsonl"
        options = {"per_host": PER_HOST, "verify": False, "resolver": resolve}
        summary = hyperlite.crawl(urls, output=output, executor=executor, **options)  # type: ignore[arg-type]
    assert summary.fetched == len(urls)
