"""A crawl on executors: threads, processes, loky, Dask."""

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster
from loky import get_reusable_executor

import hyperlite
from hyperlite.crawling.report import report_of
from hyperlite.crawling.state import State
from tests.conftest import Serve

from . import archive
from .child import resolve
from .conftest import MakeSite
from .site import Site
from .test_hosts import Busy


def spawned(count: int = 2) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, multiprocessing.get_context("forkserver"))


@pytest.fixture(scope="module")
def dask() -> Iterator[Client]:
    """Return a client of a cluster of two processes, with a scheduler."""
    options = {"processes": True, "dashboard_address": ":0", "silence_logs": 50}
    with LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(params=["threads", "processes", "loky", "dask"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "dask":
        yield request.getfixturevalue("dask").get_executor()
    elif request.param == "loky":
        made = get_reusable_executor(2)
        yield made
        made.shutdown()
    else:
        with ThreadPoolExecutor(2) if request.param == "threads" else spawned() as one:
            yield one


def crawl(site: Site, urls: list[str] | None = None, **given: object) -> hyperlite.CrawlSummary:
    options = {"output": site.output, "verify": False, "resolver": resolve} | given
    return hyperlite.crawl(site.urls if urls is None else urls, **options)  # type: ignore[arg-type]


def test_each_url_is_fetched_once(make_site: MakeSite, executor: Executor) -> None:
    site = make_site(12, 50)
    summary = crawl(site, executor=executor)
    assert (summary.urls, summary.left, summary.statuses) == (600, 0, {200: 588, 500: 12})
    site.check_output()
    assert site.refetched() == 0
    files = sum(target == "/robots.txt" for *_, target in site.server.log)
    assert files == 12
    crawl(site, executor=executor)  # there is nothing left to do
    assert site.refetched() == 0
    assert all(path.suffix == ".jsonl" for path in (site.state / "parts").iterdir())
    with closing(State(site.state, read_only=True)) as state:
        workers = report_of(state, "crawl").runs[0].workers
    assert sum(worker.urls for worker in workers) == 600
    assert len(workers) <= 2


def test_no_host_sees_more_than_its_limit(serve: Serve, tmp_path: Path, executor: Executor) -> None:
    """Over all workers, also where redirects lead from the hosts of one to those of another."""
    busy = Busy(6)
    server = serve(routes=busy.answer)
    urls = [f"https://h{host}.test:{server.port}/{page}" for page in range(60) for host in range(6)]
    options: dict[str, Any] = {"resolver": resolve, "verify": False, "proxies": False, "per_host": 3}
    summary = hyperlite.crawl(urls, output=tmp_path / "out", executor=executor, **options)
    assert summary.statuses == {200: len(urls)}
    assert sum(busy.seen.values()) - len(urls) * 6 // 5 < 100, "and robots.txt"
    assert max(busy.most.values()) == 3


def test_redirects_from_one_worker_to_another_have_their_records(serve: Serve, tmp_path: Path) -> None:
    """In a WARC file each hop has a pair of records; each URL has one metadata record that names it."""
    busy = Busy(6)
    server = serve(routes=busy.answer)
    urls = [f"https://h{host}.test:{server.port}/{page}" for page in range(50) for host in range(6)]
    output = tmp_path / "out.warc.gz"
    with ThreadPoolExecutor(2) as executor:
        options: dict[str, Any] = {"resolver": resolve, "verify": False, "proxies": False}
        summary = hyperlite.crawl(urls, output=output, executor=executor, **options)
    assert summary.statuses == {200: 300}
    archive.check(output)
    records = archive.read(output)
    kinds = Counter(record.kind for record in records if record.kind != "revisit")
    assert kinds["response"] == kinds["request"] == 300 + 60
    whole = [
        record for record in records if record.kind == "metadata" and b"number: 0\r\n" not in record.block
    ]
    assert sorted(str(record.url) for record in whole) == sorted(urls)
    moved = [record for record in records if b"goesOnWith: https://h" in record.block]
    assert 0 < len(moved) <= 60


# -- processes that end -----------------------------------------------------------------------------


def die_at_13(page: hyperlite.FetchResponse) -> list[str]:
    """Follow no link; end the process at one page."""
    if page.url.endswith("/h1/13"):
        os.kill(os.getpid(), signal.SIGKILL)
    return []


@pytest.mark.long
def test_a_url_that_ends_its_worker_fails_alone(make_site: MakeSite) -> None:
    """A ProcessPoolExecutor that breaks is replaced by another one like it."""
    site = make_site(3, 40)
    summary = crawl(site, executor=spawned(), follow=die_at_13)
    assert summary.errors == {"WorkerLost": 1}
    assert (summary.fetched, summary.left) == (119, 0)
    records = site.records()
    assert len({record["url"] for record in records}) == len(records) == 120
    (failed,) = [record for record in records if record["error"]]
    assert failed["url"].endswith("/h1/13")
    assert failed["error"].startswith("WorkerLost: its worker was lost")


@pytest.mark.long
def test_workers_that_are_killed(make_site: MakeSite) -> None:
    """Each time, the executor is made anew, and what the workers had is fetched again."""
    site = make_site(20, 60)
    made: list[ProcessPoolExecutor] = []

    def make() -> ProcessPoolExecutor:
        made.append(spawned())
        return made[-1]

    site.kill(lambda: min(made[-1]._processes), 200, 500, 900)
    summary = crawl(site, executor=make)
    assert (summary.left, summary.fetched, len(made)) == (0, 1200, 4)
    site.check_output()


@pytest.mark.long
def test_a_worker_of_dask_that_is_killed(make_site: MakeSite, dask: Client) -> None:
    """Dask begins its tasks again, which do nothing: the crawl sees that the lock is gone, and goes on."""
    site = make_site(20, 60)
    worker = min(dask.run(os.getpid).values())
    site.kill(lambda: worker, 300)
    summary = crawl(site, executor=dask.get_executor())
    assert (summary.left, summary.failed) == (0, 0)
    site.check_output()


def test_an_executor_that_cannot_be_made_anew(make_site: MakeSite) -> None:
    """The error says what is needed; then the crawl goes on."""
    site = make_site(4, 110)
    with pytest.raises(BrokenProcessPool, match="Give crawl\\(\\) a function that makes one"):
        crawl(site, executor=get_reusable_executor(2), follow=die_at_13)
    crawl(site, executor=lambda: get_reusable_executor(2), per_host=4)
    site.check_output()


@pytest.mark.long
def test_a_driver_that_is_killed_with_its_workers(make_site: MakeSite) -> None:
    """The next one goes on at once: it sees that the processes are gone, and so their leases."""
    site = make_site(10, 60)
    for share in (0.2, 0.6):
        done = site.crawl(kill_at=int(share * len(site.urls)), executor="processes")
        assert done.returncode == -signal.SIGKILL
        assert not site.output.exists()
    start = time.monotonic()
    done = site.crawl(executor="processes")
    assert (done.returncode, done.stdout, done.stderr) == (0, "600 0 0\n", "")
    assert time.monotonic() - start < 60, "and not the 300 of a lease"
    site.check_output()


def test_ctrl_c_writes_down_what_workers_have(make_site: MakeSite) -> None:
    site = make_site(10, 60)
    done = site.crawl(kill_at=300, kill_by=signal.SIGINT, executor="processes")
    assert done.returncode == 1
    assert done.stderr.startswith("KeyboardInterrupt")
    with closing(State(site.state, read_only=True)) as state:
        assert state.summary().left < 400
    done = site.crawl()  # without workers
    assert (done.returncode, done.stdout, done.stderr) == (0, "600 0 0\n", "")
    site.check_output()
    assert site.refetched() <= 2 * 10 * 8  # what was under way
