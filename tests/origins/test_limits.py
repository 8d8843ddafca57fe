"""Limits of a pool: the arithmetic by a fake clock, and what servers see."""

import gc
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import InvalidURL

import pytest

from hyperlite import ConnectionPool, Limits, RequestTimeout, Retries
from hyperlite.origins.limits import FEW, Limiter, Permit, Throttle
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import MakePool, Serve
from tests.http1.test_forked_locks import check_in_child, hold, over
from tests.interrupts import moments

__all__ = ["over"]

PLACE = "https", "localhost", 443


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def begun(limits: Limits, *times: float) -> Limiter:
    """Return a limiter that has seen requests begin at these times."""
    limiter = Limiter(limits)
    for number, moment in enumerate(times):
        limiter.begin(moment, number)
    return limiter


class TestLimits:
    @pytest.mark.parametrize(
        ("name", "value", "error"),
        [
            ("per_second", 0, ValueError),
            ("per_second", math.inf, ValueError),
            ("per_second", "5", TypeError),
            ("per_second", True, TypeError),
            ("delay", -1, ValueError),
            ("delay", math.nan, ValueError),
            ("under_way", 0, ValueError),
            ("under_way", 1.5, TypeError),
        ],
    )
    def test_what_is_wrong_is_named(self, name: str, value: object, error: type[Exception]) -> None:
        with pytest.raises(error, match=name):
            Limits(**{name: value})  # type: ignore[arg-type]

    def test_no_limit_is_one(self) -> None:
        assert Limits(delay=0) == Limits(None, 0, None)
        assert begun(Limits(), *[5.0] * 1000).wait(5.0) == 0

    def test_a_pool_takes_nothing_else(self) -> None:
        for arguments in ({"limits": 5}, {"origin_limits": {"delay": 5}}):
            with pytest.raises(TypeError, match=next(iter(arguments))):
                ConnectionPool(**arguments)  # type: ignore[arg-type]
        with ConnectionPool() as pool:
            with pytest.raises(TypeError, match=r"limits is a hyperlite\.Limits, not int"):
                pool.set_limits(5)  # type: ignore[arg-type]
            with pytest.raises(InvalidURL):
                pool.set_limits(Limits(), "example.org")


class TestArithmetic:
    def test_a_delay(self) -> None:
        limiter = begun(Limits(delay=2), 10.0)
        assert [limiter.wait(now) for now in (10.0, 11.5, 12.0, 20.0)] == [2.0, 0.5, 0.0, 0.0]

    def test_no_second_has_more_than_it_may(self) -> None:
        """Wherever the second begins: the first of three requests in it has to be a second old."""
        limiter = begun(Limits(per_second=3), 10.0, 10.4)
        assert limiter.wait(10.5) == 0
        limiter.begin(10.5, 2)
        assert limiter.wait(10.5) == 0.5
        limiter.begin(11.0, 3)
        assert limiter.wait(11.0) == pytest.approx(0.4)

    @pytest.mark.parametrize(("rate", "pause"), [(0.5, 2.0), (0.1, 10.0), (1, 1.0), (1.5, 1 / 1.5)])
    def test_less_than_two_in_a_second(self, rate: float, pause: float) -> None:
        assert begun(Limits(per_second=rate), 10.0).wait(10.0) == pytest.approx(pause)

    def test_fractions_count(self) -> None:
        limiter = Limiter(Limits(per_second=2.5))
        now = 0.0
        for number in range(250):
            now += limiter.wait(now)
            limiter.begin(now, number)
        assert now == pytest.approx(248 / 2.5)

    def test_under_way(self) -> None:
        limiter = begun(Limits(under_way=2), 10.0, 10.0)
        assert limiter.wait(99.0) == math.inf
        for _ in range(2):
            limiter.end(1)
        assert limiter.wait(99.0) == 0
        limiter.begin(99.0, 2)
        assert limiter.wait(99.0) == math.inf

    def test_the_strictest_counts(self) -> None:
        limiter = begun(Limits(per_second=100, delay=3, under_way=9), 10.0)
        assert limiter.wait(10.0) == 3

    def test_new_limits_hold_at_once(self) -> None:
        limiter = begun(Limits(), *[10.0] * 50)
        limiter.limits = Limits(delay=5)
        assert limiter.wait(10.0) == 5
        limiter.limits = Limits(under_way=50)
        assert limiter.wait(10.0) == math.inf

    def test_what_is_kept_is_bounded_by_what_begins_in_a_second(self) -> None:
        limiter = Limiter(Limits(per_second=1_000_000))
        for number in range(2000):
            limiter.begin(0.01 * number, number)
        assert len(limiter._begun) <= 102

    def test_when_it_is_like_a_new_one(self) -> None:
        limiter = begun(Limits(delay=5), 10.0)
        assert not limiter.is_like_new(20.0), "one is under way"
        limiter.end(0)
        assert not limiter.is_like_new(14.0)
        assert limiter.is_like_new(15.0)


class TestThrottle:
    def test_all_and_each(self, clock: Clock) -> None:
        throttle = Throttle(Limits(under_way=3), Limits(delay=1), clock)
        other = "https", "localhost", 8443
        held = throttle.take(PLACE, 5)
        assert len(held) == 1
        assert (throttle.wait(PLACE), throttle.wait(None), throttle.wait(other)) == (1.0, 0.0, 0.0)
        clock.now += 1
        held += throttle.take(PLACE, 5)
        held += throttle.take(other, 5)
        assert len(held) == 3
        assert throttle.wait(None) == math.inf
        clock.now += 1
        assert throttle.take(PLACE, 1) == []

    def test_a_permit_ends_once(self, clock: Clock) -> None:
        throttle = Throttle(Limits(under_way=2), Limits(), clock)
        first, _second = throttle.take(PLACE, 5)
        for _ in range(3):
            first.end()
            first.abandon()
        assert len(throttle.take(PLACE, 5)) == 1

    def test_a_permit_that_is_lost_ends(self, clock: Clock) -> None:
        """As if an interrupt had come before its request had a connection."""
        throttle = Throttle(Limits(under_way=1), Limits(), clock)
        assert throttle.begin(PLACE, deadline=None, timeout=0) is not None
        gc.collect()
        assert throttle.wait(None) == 0.0
        assert not throttle.abandoned

    @pytest.mark.filterwarnings("ignore:Exception ignored in. <function Lease.abandon")
    def test_interrupts(self, make_pool: MakePool) -> None:
        """Wherever they strike, the requests under way are counted exactly."""
        pool = make_pool(handler=lambda _: Response(), limits=Limits(under_way=1))
        for interrupt in moments(60):
            with interrupt:
                pool.fetch("https://example.org/")
            gc.collect()
            throttle = pool._fetcher.throttle
            assert throttle is not None
            assert throttle.wait(None) == 0.0, interrupt.where
            assert not throttle._all.under_way, interrupt.where

    def test_limits_of_one_origin(self, clock: Clock) -> None:
        throttle = Throttle(Limits(), Limits(delay=9), clock)
        throttle.set_limits(Limits(under_way=4), PLACE)
        held = throttle.take(PLACE, 9)
        assert len(held) == 4
        throttle.set_limits(Limits(), PLACE)
        held += throttle.take(PLACE, 9)
        assert len(held) == 13
        throttle.set_limits(Limits(under_way=13), None)
        assert throttle.wait(None) == math.inf

    def test_a_pause(self, clock: Clock) -> None:
        """Nothing begins before it is over, also where nothing has begun; new limits end it."""
        throttle = Throttle(Limits(), Limits(), clock)
        throttle.set_limits(Limits(delay=1), PLACE, 5)
        assert throttle.wait(PLACE) == 5
        assert not throttle._limiters[PLACE].is_like_new(clock())
        assert throttle.take(PLACE, 1) == []
        assert throttle.wait(("https", "other", 443)) == 0
        clock.now += 5
        held = throttle.take(PLACE, 9)
        assert (len(held), throttle.wait(PLACE)) == (1, 1)
        throttle.set_limits(Limits(), PLACE, 5)
        throttle.set_limits(Limits(), PLACE)
        assert throttle.wait(PLACE) == 0

    def test_nothing_is_kept_of_origins_that_have_the_limits_of_all_again(self, clock: Clock) -> None:
        throttle = Throttle(Limits(), Limits(delay=9), clock)
        for number in range(1000):
            place = "https", f"h{number}", 443
            throttle.set_limits(Limits(delay=1), place)
            throttle.set_limits(Limits(delay=9), place)
        assert not throttle._own

    def test_origins_of_which_nothing_is_to_be_known_are_forgotten(self, clock: Clock) -> None:
        throttle = Throttle(Limits(), Limits(delay=1), clock)
        own = "https", "own", 443
        throttle.set_limits(Limits(under_way=1), own)
        _own = throttle.take(own, 1)
        for port in range(10 * FEW):
            for permit in throttle.take(("https", "localhost", port), 1):
                permit.end()
            clock.now += 0.1
        assert len(throttle._limiters) <= FEW + 1
        assert throttle.wait(own) == math.inf

    def test_a_run_and_threads_take_turns(self, clock: Clock) -> None:
        throttle = Throttle(Limits(under_way=1), Limits(), clock)
        (permit,) = throttle.take(PLACE, 1)
        threads = ThreadPoolExecutor(1)
        waiting = threads.submit(throttle.begin, PLACE, deadline=None, timeout=10)
        while not throttle._waiting:
            threading.Event().wait(0.001)
        throttle._is_threads_turn = True  # a run has just had its turn
        assert throttle.wait(None) == math.inf
        permit.end()
        assert throttle.take(PLACE, 1) == [] or waiting.done()
        got = waiting.result(10)
        assert isinstance(got, Permit)
        got.end()
        assert len(throttle.take(PLACE, 1)) == 1
        threads.shutdown()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_in_a_child_process(self, over: threading.Event) -> None:
        """The lock is free, and the parent's requests do not count; nor does their end."""
        throttle = Throttle(Limits(under_way=2), Limits())
        permit, _ = throttle.take(PLACE, 2)
        task = hold(throttle._changed, over)

        def check() -> None:
            permit.end()
            assert len(throttle.take(PLACE, 9)) == 2

        check_in_child(check)
        over.set()
        task.result()


class Watched:
    """A server that takes note of when requests come, and how many are under way at a time."""

    def __init__(self, serve: Serve, alpn: tuple[str, ...]) -> None:
        self.came: list[float] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

        @streaming
        def answer(exchange: Exchange) -> None:
            with self._lock:
                self.came.append(time.monotonic())
                self._now += 1
                self.most = max(self.most, self._now)
            threading.Event().wait(0.01)
            status, headers = 200, []
            if exchange.request.target.startswith("/again"):
                status, headers = 302, [("location", "/")]
            elif exchange.request.target.startswith("/busy"):
                status = 503
            with self._lock:
                self._now -= 1
            exchange.start(status, headers)
            exchange.end()

        self.server: Server = serve(routes=answer, alpn=alpn)

    def urls(self, count: int, path: str = "/") -> list[str]:
        return [self.server.url(f"{path}?{number}") for number in range(count)]

    def spread(self, start: float) -> list[float]:
        """Return when requests came, in seconds from the start."""
        return [moment - start for moment in sorted(self.came)]


@pytest.fixture(params=["h2", "http/1.1"])
def watched(request: pytest.FixtureRequest, serve: Serve) -> Watched:
    return Watched(serve, (request.param,))


def test_limits_that_two_threads_set(make_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that had none gets one set of limits, of which neither thread's is lost."""
    pool = make_pool()
    others: list[threading.Thread] = []

    def made(*limits: Limits) -> Throttle:
        if not others:
            others.append(threading.Thread(target=pool.set_limits, args=[Limits(under_way=2)]))
            others[0].start()
            others[0].join(0.5)  # it waits for this one, or is done
        return Throttle(*limits)

    monkeypatch.setattr("hyperlite.pool.Throttle", made)
    pool.set_limits(Limits(under_way=1), "https://example.org/")
    others[0].join()
    throttle = pool._fetcher.throttle
    assert throttle is not None
    held = throttle.take(("https", "example.org", 443), 9) + throttle.take(PLACE, 9)
    assert len(held) == 2


class TestWhatTheServerSees:
    """A request may come later than it was sent, and never sooner: so the nth is compared with the start."""

    @pytest.mark.parametrize("limits", ["limits", "origin_limits"])
    def test_a_delay_in_a_run(self, make_pool: MakePool, watched: Watched, limits: str) -> None:
        pool = make_pool(**{limits: Limits(delay=0.05)})
        start = time.monotonic()
        assert all(outcome.ok for outcome in pool.fetch_many(watched.urls(10)))
        assert all(moment >= 0.05 * n for n, moment in enumerate(watched.spread(start)))

    def test_per_second_over_threads_and_a_run(self, make_pool: MakePool, watched: Watched) -> None:
        pool = make_pool(limits=Limits(per_second=20))
        start = time.monotonic()
        with ThreadPoolExecutor(5) as threads:
            calls = [threads.submit(pool.fetch, url) for url in watched.urls(15)]
            assert all(outcome.ok for outcome in pool.fetch_many(watched.urls(15)))
            assert all(call.result().ok for call in calls)
        assert all(moment >= n // 20 for n, moment in enumerate(watched.spread(start)))
        assert len(watched.came) == 30

    @pytest.mark.parametrize("limits", ["limits", "origin_limits"])
    def test_under_way_over_threads_and_runs(
        self, make_pool: MakePool, watched: Watched, limits: str
    ) -> None:
        pool = make_pool(**{limits: Limits(under_way=3)})
        with ThreadPoolExecutor(8) as threads:
            runs = [threads.submit(lambda: list(pool.fetch_many(watched.urls(20)))) for _ in range(2)]
            calls = [threads.submit(pool.fetch, url) for url in watched.urls(20)]
            assert all(call.result().ok for call in calls)
            assert sum(len(run.result()) for run in runs) == 40
        assert 1 < watched.most <= 3

    def test_redirects_and_further_tries_count(self, make_pool: MakePool, watched: Watched) -> None:
        retries = Retries(total=2, backoff=0.0, statuses={503})
        pool = make_pool(limits=Limits(delay=0.05, under_way=1), retries=retries)
        start = time.monotonic()
        assert pool.fetch(watched.server.url("/again")).ok
        assert pool.fetch(watched.server.url("/busy")).status == 503
        assert [outcome.ok for outcome in pool.fetch_many(watched.urls(2, "/again"))] == [True, True]
        moments = watched.spread(start)
        assert len(moments) == 2 + 3 + 4
        assert all(moment >= 0.05 * n for n, moment in enumerate(moments))

    def test_a_slow_origin_holds_up_no_other(
        self, make_pool: MakePool, watched: Watched, serve: Serve
    ) -> None:
        other = serve(routes=lambda _: Response(body=b"other"))
        pool = make_pool()
        pool.set_limits(Limits(per_second=0.001), watched.server.url("/"))
        run = pool.fetch_many(watched.urls(3) + [other.url(f"/?{n}") for n in range(50)])
        assert sum(next(run).result().body == b"other" for _ in range(51)) == 50
        run.cancel()
        assert len(watched.came) == 1

    def test_limits_change_while_a_run_goes_on(self, make_pool: MakePool, watched: Watched) -> None:
        pool = make_pool(origin_limits=Limits(per_second=0.001))
        run = pool.fetch_many(watched.urls(30))
        next(run)
        threading.Timer(0.1, pool.set_limits, [None, watched.server.url("/")]).start()
        assert len(list(run)) == 29


class TestWaiting:
    def test_it_counts_in_the_deadline(self, make_pool: MakePool, watched: Watched) -> None:
        pool = make_pool(limits=Limits(per_second=0.001), deadline=0.2)
        url = watched.server.url("/")
        assert pool.fetch(url, deadline=30).ok  # a handshake on a busy machine takes longer than 0.2 s
        with pytest.raises(RequestTimeout, match="deadline"):
            pool.fetch(url)
        assert len(watched.came) == 1

    def test_it_counts_in_the_deadline_of_a_request_that_a_run_has_begun(
        self, make_pool: MakePool, watched: Watched
    ) -> None:
        pool = make_pool(limits=Limits(per_second=0.001), deadline=2)  # for a handshake on a busy machine too
        (outcome,) = pool.fetch_many(watched.urls(1, "/again"))
        assert isinstance(outcome.error, RequestTimeout)
        assert len(watched.came) == 1

    def test_no_request_ends_in_time(self, make_pool: MakePool, watched: Watched) -> None:
        pool = make_pool(limits=Limits(under_way=1), timeout=0.2)
        with pool.fetch(watched.server.url("/"), stream=True), pytest.raises(RequestTimeout, match="limits"):
            pool.fetch(watched.server.url("/"))

    def test_a_stream_that_is_dropped_counts_no_more(self, make_pool: MakePool, watched: Watched) -> None:
        pool = make_pool(limits=Limits(under_way=1))
        pool.fetch(watched.server.url("/"), stream=True)
        gc.collect()
        assert pool.fetch(watched.server.url("/")).ok

    def test_a_failed_dial_counts_no_more(self, make_pool: MakePool, watched: Watched, serve: Serve) -> None:
        dead = serve()
        dead.close()
        pool = make_pool(limits=Limits(under_way=1), retries=0)
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                pool.fetch(dead.url("/"))
            assert [outcome.ok for outcome in pool.fetch_many([dead.url("/")])] == [False]
        assert pool.fetch(watched.server.url("/")).ok

    def test_a_run_that_was_given_up_counts_no_more(self, make_pool: MakePool, watched: Watched) -> None:
        pool = make_pool(limits=Limits(under_way=2))
        with pool.fetch_many(watched.urls(20)) as run:
            next(run)
        assert len(list(pool.fetch_many(watched.urls(5)))) == 5
