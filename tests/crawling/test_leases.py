"""Leases: one attempt at a time, which ends before its URLs are given out again."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.crawling import dispatcher, losses, worker
from hyperlite.crawling.folder import Folder
from hyperlite.crawling.leases import Lease
from hyperlite.crawling.losses import MARGIN, Ended, Losses
from hyperlite.crawling.shards import Shard
from hyperlite.crawling.storage import BEGUN, SIDECAR
from hyperlite.crawling.tasks import Item, Setting, Sidecar, Task
from hyperlite.crawling.worker import attempt
from hyperlite.testing.server import Exchange, Request, Response, Server, streaming
from tests.conftest import Serve

from .child import resolve
from .conftest import MakeSite
from .test_executors import crawl, spawned

LEASE = Lease(1, 7, 2, 30.0, frozenset({3}))
NOTHING = Sidecar("w", 0.1, 0.1, 0, 0, "", [], [], [], [], [], [], [])


class Quiet(hyperlite.Observer):
    pass


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lost(tmp_path: Path, clock: Clock) -> Losses:
    made = Losses(Folder(tmp_path), clock)
    made.add(LEASE, is_blamed=True)
    return made


def test_one_that_has_not_begun_never_does(lost: Losses, tmp_path: Path) -> None:
    assert lost.lanes == {3}
    assert lost.over() == [Ended(LEASE, None, is_blamed=False)]
    assert Folder(tmp_path).begin(LEASE.name) is None
    assert not lost
    assert lost.lanes == set()


def test_one_that_goes_on_is_over_by_its_time(lost: Losses, tmp_path: Path, clock: Clock) -> None:
    mark = Folder(tmp_path).begin(LEASE.name)
    assert mark is not None
    clock.now += 30.0
    assert lost.over() == []
    clock.now += MARGIN
    assert lost.over() == [Ended(LEASE, None, is_blamed=True)]
    mark.close()


def test_one_whose_process_has_ended_is_over(lost: Losses, tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        Folder(tmp_path).begin(LEASE.name)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert lost.over() == [Ended(LEASE, None, is_blamed=True)]


def test_one_of_another_machine_is_over_by_its_time(lost: Losses, tmp_path: Path, clock: Clock) -> None:
    for text in (b"", b"another machine"):
        (tmp_path / f"{LEASE.name}{BEGUN}").write_bytes(text)
        assert lost.over() == []
    clock.now += 30.0 + MARGIN
    assert len(lost.over()) == 1


def test_one_with_a_sidecar_is_over(lost: Losses, tmp_path: Path) -> None:
    """If it is whole."""
    folder = Folder(tmp_path)
    mark = folder.begin(LEASE.name)
    whole = NOTHING.encoded()
    for size in range(len(whole)):
        folder.write(f"{LEASE.name}{SIDECAR}", whole[:size])
        assert lost.over() == []
    folder.write(f"{LEASE.name}{SIDECAR}", whole)
    assert lost.over() == [Ended(LEASE, NOTHING)]
    assert mark is not None
    mark.close()


# -- attempts ---------------------------------------------------------------------------------------


def task(folder: Path, server: Server, *pages: str, lease: float = 30.0) -> Task:
    options = {"resolver": resolve, "verify": False, "proxies": False, "ignore_robots": True}
    setting = Setting(str(folder), str(folder / "out"), "text", 1000, 8, options, frozenset(), lease)
    items = [
        Item(number, f"https://a.test:{server.port}/{page}", "a.test", 0, 2, None, None, 5, 3)
        for number, page in enumerate(pages)
    ]
    return Task(7, 2, items, [], is_slow=False, setting=setting)


def sidecar(folder: Path) -> Sidecar:
    found = Sidecar.decoded((folder / f"{LEASE.name}{SIDECAR}").read_bytes())
    assert found is not None
    return found


def test_a_task_is_done_once(serve: Serve, tmp_path: Path) -> None:
    """However often an executor begins it: Dask does so again when a worker is lost."""
    server = serve(routes=lambda request: Response(body=b"page"))
    given = task(tmp_path, server, "1", "2")
    assert attempt(given).is_done
    assert [one.status for one in sidecar(tmp_path).outcomes(Shard(7, 3, 2))] == [200, 200]
    again = attempt(given)
    assert (again.is_done, again.error) == (False, None)
    assert len(server.log) == 2


def test_a_task_that_comes_too_late_asks_for_nothing(serve: Serve, tmp_path: Path) -> None:
    server = serve(routes=lambda request: Response(body=b"page"))
    assert Folder(tmp_path).forbid(LEASE.name)
    assert not attempt(task(tmp_path, server, "1")).is_done
    assert server.log == []


def test_a_lease_ends_in_the_worker(serve: Serve, tmp_path: Path) -> None:
    """What is under way is cancelled, nothing further is begun, and what has come counts."""
    ended = threading.Event()

    @streaming
    def answer(exchange: Exchange) -> None:
        exchange.start(200, [("content-type", "text/plain")])
        if exchange.request.path == "/slow":
            try:
                while True:
                    exchange.send(b".")
                    time.sleep(0.02)
            finally:
                ended.set()
        exchange.end()

    server = serve(routes=answer)
    start = time.monotonic()
    assert attempt(task(tmp_path, server, "1", "slow", "2", lease=0.8)).is_done
    assert time.monotonic() - start >= 0.8
    found = sidecar(tmp_path)
    assert sorted(row[0] for row in found.results) == [0, 2]
    assert (found.cut, found.records) == ([5], 2)
    assert ended.wait(10)


def test_a_worker_says_what_ended_it(serve: Serve, tmp_path: Path) -> None:
    server = serve(routes=lambda request: Response(body=b"page"))
    given = task(tmp_path / "missing", server, "1")
    report = attempt(given)
    assert isinstance(report.error, FileNotFoundError)


# -- crawls -----------------------------------------------------------------------------------------


def test_a_url_that_outlasts_its_lease_fails(serve: Serve, tmp_path: Path) -> None:
    """Those of the same host do not."""
    over = threading.Event()

    def answer(request: Request) -> Response:
        if request.path == "/hangs":
            over.wait(20)
        return Response(404 if request.path == "/robots.txt" else 200)

    server = serve(routes=answer)
    urls = [f"https://a.test:{server.port}/{page}" for page in (*range(20), "hangs")]
    options: dict[str, Any] = {"resolver": resolve, "verify": False, "proxies": False}
    with ThreadPoolExecutor(1) as executor:
        summary = hyperlite.crawl(urls, output=tmp_path / "out", executor=executor, lease=0.6, **options)
    over.set()
    assert summary.statuses == {200: 20}
    assert summary.errors == {"WorkerLost": 1}


def test_a_host_that_keeps_a_worker_waiting_does_not_hold_up_others(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its task ends without it; it comes again in one that may be slow."""
    monkeypatch.setattr(worker, "TAIL", 0.2)
    asked: list[str] = []
    others = threading.Event()

    def answer(request: Request) -> Response:
        asked.append(request.path)
        if len([path for path in asked if path.startswith("/b")]) == 250:
            others.set()
        if request.path == "/a/slow":
            others.wait(20)
        return Response(404 if request.path == "/robots.txt" else 200)

    server = serve(routes=answer)
    urls = [f"https://a.test:{server.port}/a/slow"]
    urls += [f"https://b.test:{server.port}/b/{page}" for page in range(250)]
    options: dict[str, Any] = {"resolver": resolve, "verify": False, "proxies": False}
    with ThreadPoolExecutor(1) as executor:
        summary = hyperlite.crawl(urls, output=tmp_path / "out", executor=executor, **options)
    assert summary.statuses == {200: 251}
    assert others.is_set()


def test_a_worker_that_hangs_is_given_up(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """And asks for nothing when it goes on, after its lease."""
    monkeypatch.setattr(losses, "MARGIN", 0.1)
    monkeypatch.setattr(dispatcher, "MARGIN", 0.1)
    site = make_site(4, 110)
    executor = spawned()
    stopped: list[int] = []

    def stop() -> int:
        stopped.append(min(executor._processes))
        return stopped[0]

    site.kill(stop, 150, by=signal.SIGSTOP)
    with executor:
        try:
            summary = crawl(site, executor=executor, lease=5.0)
            asked = len(site.server.log)
        finally:
            os.kill(stopped[0], signal.SIGCONT)
    assert (summary.left, summary.failed) == (0, 0)
    site.check_output()
    assert len(site.server.log) == asked


def test_a_site_sees_no_higher_rate(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its URLs are in several tasks."""
    monkeypatch.setattr(dispatcher, "URLS", 10)
    times: list[float] = []

    def answer(request: Request) -> Response:
        times.append(time.monotonic())
        return Response(404 if request.path == "/robots.txt" else 200)

    server = serve(routes=answer)
    urls = [f"https://a.test:{server.port}/{page}" for page in range(30)]
    options: dict[str, Any] = {"resolver": resolve, "verify": False, "proxies": False, "delay": 0.05}
    with ThreadPoolExecutor(2) as executor:
        hyperlite.crawl(urls, output=tmp_path / "out", executor=executor, **options)
    pages = times[1:]
    assert len(pages) >= 30
    assert pages[-1] - pages[0] >= 0.05 * 29 * 0.8


# -- arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"follow": lambda page: []}, "follow= cannot be sent to the workers: function"),
        ({"handler": print}, "handler= is of this process"),
        ({"observers": [Quiet()]}, "observers= is of this process"),
        ({"output": print, "state": "state"}, "output is a function, which workers cannot call"),
        ({"executor": 3}, "executor is an Executor, or a function that makes one, not int"),
        ({"executor": lambda: 3}, "executor makes an Executor, not int"),
        ({"lease": 0}, "lease is a number of seconds above 0"),
        ({"executor": None, "storage": "there"}, "it goes with executor="),
    ],
)
def test_what_cannot_be(tmp_path: Path, given: dict[str, Any], error: str) -> None:
    with spawned() as executor, pytest.raises((TypeError, ValueError), match=error):
        hyperlite.crawl([], **{"output": tmp_path / "out", "executor": executor} | given)
    assert not (tmp_path / "out.state").exists()
