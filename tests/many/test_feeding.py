"""Items that are added to a run of fetch_many() while its outcomes are taken."""

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import InvalidURL
from types import FrameType
from typing import Any

import pytest

from hyperlite import FetchRequest, FetchRun
from hyperlite.http2.engine.windows import STREAM_WINDOW
from hyperlite.many.feed import Feed
from hyperlite.pool import ConnectionPool
from hyperlite.testing.server import Response, Server
from tests.conftest import ROUTES, Serve
from tests.http1.test_forked_locks import PATIENCE, check_in_child, hold, over
from tests.many.test_max_buffered import PUMP, Ledger

__all__ = ["over"]


def until_it_waits(run: FetchRun[str]) -> None:
    """Return when another thread is in `next()`."""
    while not run._outcomes.gi_running:
        threading.Event().wait(0.001)


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def targets(run: FetchRun[str]) -> list[str]:
    return [outcome.result().body.decode() for outcome in run]


class TestOneThread:
    def test_a_spider_adds_what_it_finds(self, pool: ConnectionPool, server: Server) -> None:
        seen: list[int] = []
        with pool.fetch_many([server.url("/echo?n=1")]) as run:
            for outcome in run:
                number = int(outcome.result().body.partition(b"=")[2])
                seen.append(number)
                for following in (2 * number, 2 * number + 1):
                    if following < 200:
                        run.add(server.url(f"/echo?n={following}"))
                if run.idle:
                    run.close()
        assert sorted(seen) == list(range(1, 200))

    def test_before_the_first_outcome_is_taken(self, pool: ConnectionPool, server: Server) -> None:
        run = pool.fetch_many([server.url("/echo?n=0")])
        run.add(server.url("/echo?n=1"))
        run.close()
        assert sorted(targets(run)) == ["/echo?n=0", "/echo?n=1"]

    def test_close_ends_nothing_that_is_there(self, pool: ConnectionPool, server: Server) -> None:
        run = pool.fetch_many(server.url(f"/echo?n={n}") for n in range(20))
        run.close()
        assert len(targets(run)) == 20

    def test_without_an_iterable_until_close(self, pool: ConnectionPool, server: Server) -> None:
        run: FetchRun[str] = pool.fetch_many()
        assert run.idle
        run.add(server.url("/echo"))
        assert not run.idle
        assert next(run).ok
        assert run.idle
        run.close()
        assert list(run) == []

    def test_an_empty_iterable_ends_at_once(self, pool: ConnectionPool) -> None:
        run = pool.fetch_many(list[str]())
        assert run.idle
        assert list(run) == []

    @pytest.mark.parametrize("end", ["close", "cancel", "exhausted", "left"])
    def test_nothing_can_be_added_to_a_run_that_is_over(
        self, pool: ConnectionPool, server: Server, end: str
    ) -> None:
        run = pool.fetch_many([server.url("/echo")])
        if end == "exhausted":
            assert len(list(run)) == 1
        elif end == "left":
            with run:
                next(run)
        else:
            getattr(run, end)()
        reason = r"close\(\) was called" if end == "close" else "this run .* is over"
        with pytest.raises(ValueError, match=reason):
            run.add(server.url("/echo"))

    def test_an_invalid_item_has_an_outcome(self, pool: ConnectionPool, server: Server) -> None:
        run: FetchRun[str] = pool.fetch_many()
        for item in ("nonsense", server.url("/echo"), 5):
            run.add(item)  # type: ignore[arg-type]
        run.close()
        found = {outcome.request: outcome.error for outcome in run}
        assert isinstance(found["nonsense"], InvalidURL)
        assert isinstance(found[5], TypeError)  # type: ignore[index]
        assert found[server.url("/echo")] is None

    def test_in_the_order_in_which_they_are_read(self, pool: ConnectionPool, server: Server) -> None:
        """What was added is in memory already, so it comes before further items of the iterable."""
        run = pool.fetch_many((server.url(f"/echo?n={n}") for n in range(3)), ordered=True)
        run.add(server.url("/echo?n=added&delay=0.1"))
        run.close()
        outcomes = list(run)
        assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3]
        assert "added" in outcomes[0].request

    def test_idle_reads_an_iterable_of_which_nothing_is_known(
        self, pool: ConnectionPool, server: Server
    ) -> None:
        def urls() -> Iterator[str]:
            for number in range(3):
                yield server.url(f"/echo?n={number}")

        run = pool.fetch_many(urls(), concurrency=1)
        run.add(server.url("/echo?n=added"))
        count = 0
        for _ in run:
            count += 1
            if run.idle:
                run.close()
        assert count == 4

    def test_what_the_iterable_raises_comes_although_more_may_be_added(
        self, pool: ConnectionPool, server: Server
    ) -> None:
        def urls() -> Iterator[str]:
            yield server.url("/echo?n=0")
            raise KeyError("mine")

        run = pool.fetch_many(urls())
        run.add(server.url("/echo?n=1"))
        seen: list[int] = []
        with pytest.raises(KeyError, match="mine"):
            for outcome in run:
                seen.append(outcome.index)  # noqa: PERF401  the error must not take them along
        assert sorted(seen) == [0, 1]
        with pytest.raises(ValueError, match="over"):
            run.add(server.url("/echo"))

    def test_progress_knows_the_number_once_it_is_certain(self, pool: ConnectionPool, server: Server) -> None:
        told: list[tuple[int, int | None]] = []
        run = pool.fetch_many([server.url("/echo")], progress=lambda *count: told.append(count))
        run.add(server.url("/echo"))
        next(run)
        run.close()
        next(run)
        assert told == [(1, None), (2, 2)]

    def test_what_a_run_holds_stays_bounded(
        self, pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = serve(routes={"/": lambda _: Response(body=bytes(100_000))})
        ledger = Ledger(monkeypatch)
        run: FetchRun[FetchRequest] = pool.fetch_many(max_buffered=300_000, concurrency=10)
        for _ in range(200):
            run.add(FetchRequest(server.url("/")))
        run.close()
        assert sum(len(outcome.result().body) for outcome in run) == 200 * 100_000
        assert ledger.peak <= 300_000 + 10 * STREAM_WINDOW + PUMP
        assert not ledger.left


class TestGivingUp:
    @pytest.mark.parametrize("how", ["cancel", "with", "drop"])
    def test_what_is_under_way_is_cancelled(self, pool: ConnectionPool, server: Server, how: str) -> None:
        run = pool.fetch_many([server.url("/echo"), *[server.url("/slow")] * 5])
        assert next(run).index == 0
        if how == "cancel":
            run.cancel()
        elif how == "with":
            with run:
                pass
        if how != "drop":
            assert list(run) == []
        del run
        gc.collect()
        deadline = time.monotonic() + PATIENCE
        while "0 requests under way" not in repr(pool):  # on HTTP/1.1 threads have to let go of them
            assert time.monotonic() < deadline
            assert pool.fetch(server.url("/echo")).ok

    def test_by_another_thread_while_one_waits(self, pool: ConnectionPool, server: Server) -> None:
        run = pool.fetch_many([server.url("/slow")])
        seen: list[object] = []
        thread = in_a_thread(lambda: seen.extend(run))
        until_it_waits(run)
        run.cancel()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert seen == []

    def test_a_generator_in_which_a_thread_is_stays_open(self, pool: ConnectionPool, server: Server) -> None:
        """To close it there may crash Python 3.11."""
        inside, go_on, closed = threading.Event(), threading.Event(), list[int]()

        class Outcomes:
            gi_running = False

            def __next__(self) -> None:
                inside.set()
                assert go_on.wait(10)
                raise StopIteration

            def close(self) -> None:
                closed.append(1)

        run = pool.fetch_many([server.url("/")])
        run._outcomes = Outcomes()  # type: ignore[assignment]
        thread = in_a_thread(lambda: list(run))
        assert inside.wait(10)
        run.cancel()
        assert not closed
        go_on.set()
        thread.join()
        run.cancel()
        assert closed

    def test_next_within_next_is_an_error(self, pool: ConnectionPool, server: Server) -> None:
        urls, errors = [server.url("/")] * 2, list[Exception]()

        def progress(_: int, __: int | None) -> None:
            with pytest.raises(ValueError, match="one thread at a time") as caught:
                next(run)
            errors.append(caught.value)

        run = pool.fetch_many(urls, progress=progress)
        assert len(list(run)) == len(errors) == 2

    def test_within_a_batch_of_outcomes_that_are_ready(self, pool: ConnectionPool, server: Server) -> None:
        run = pool.fetch_many(["nonsense"] * 20)
        next(run)
        run._loop.feed.cancel()  # as another thread may do while this one is in next()
        assert len(list(run)) <= 1


class TestThreads:
    def test_the_run_waits_for_another_thread(self, pool: ConnectionPool, server: Server) -> None:
        run: FetchRun[str] = pool.fetch_many()
        seen: list[str] = []
        came = threading.Semaphore(0)

        def take() -> None:
            for outcome in run:
                seen.append(outcome.result().body.decode())
                came.release()

        thread = in_a_thread(take)
        for number in range(3):
            until_it_waits(run)
            run.add(server.url(f"/echo?n={number}"))
            assert came.acquire(timeout=PATIENCE)
        until_it_waits(run)
        run.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert seen == [f"/echo?n={number}" for number in range(3)]

    def test_many_threads_add(self, pool: ConnectionPool, server: Server) -> None:
        run: FetchRun[str] = pool.fetch_many(concurrency=10)

        def feed(first: int) -> None:
            for number in range(first, first + 100):
                run.add(server.url(f"/echo?n={number}"))

        feeders = [in_a_thread(lambda first=100 * n: feed(first)) for n in range(4)]  # type: ignore[misc]

        def close() -> None:
            for thread in feeders:
                thread.join()
            run.close()

        closer = in_a_thread(close)
        assert sorted(targets(run)) == sorted(f"/echo?n={number}" for number in range(400))
        closer.join()

    def test_close_while_another_thread_adds(self) -> None:
        """Whichever is first: the run ends when nothing is left. So it does if a signal handler closes it."""
        for line in range(1, 20):
            feed = Feed(waits=True)
            left = [line]

            def step(frame: FrameType, event: str, _: Any, feed: Feed = feed, left: list[int] = left) -> Any:
                if frame.f_code is not Feed.add.__code__:
                    return None
                left[0] -= event == "line"
                if left[0] == 0 and event == "line":
                    feed.close()
                return step

            with contextlib.suppress(ValueError):
                sys.settrace(step)
                try:
                    feed.add("item")
                finally:
                    sys.settrace(None)
            feed.items.clear()
            assert feed.has_ended(failed=False) == (left[0] <= 0), line

    def test_while_an_item_is_slow(self, pool: ConnectionPool, server: Server) -> None:
        """What is added begins at once, although the loop waits for something else."""
        run = pool.fetch_many([server.url("/echo?delay=30")], ordered=False)
        thread = in_a_thread(lambda: (until_it_waits(run), run.add(server.url("/echo?n=1"))))
        assert next(run).result().body == b"/echo?n=1"
        thread.join()
        run.cancel()

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="it has no timer")
    def test_an_interrupt_ends_the_run_that_waits_for_nothing(
        self, pool: ConnectionPool, interrupt_soon: Callable[[], None]
    ) -> None:
        run: FetchRun[str] = pool.fetch_many()
        interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            next(run)
        assert list(run) == []

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_a_fork_while_another_thread_adds(self, over: threading.Event) -> None:
        feed = Feed(waits=True)
        task = hold(feed._lock.own, over)
        check_in_child(lambda: feed.add("https://localhost/"))
        over.set()
        task.result()


def test_by_the_function_of_the_module(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    import hyperlite  # noqa: PLC0415

    server = serve(routes=ROUTES, secure=False)
    run: FetchRun[str] = hyperlite.fetch_many(protocols=("http/1.1",))
    run.add(server.url("/"))
    run.close()
    assert [outcome.result().body for outcome in run] == [b"hello"]
    hyperlite.pool.default_pool().close()
