"""fetch_many(): how much is under way, and that it goes on whatever an order or a slow reader holds up."""

import itertools
import threading
import time
from collections.abc import Iterator

import pytest
from h2.settings import SettingCodes

from hyperlite import FetchRequest, Limits
from hyperlite.pool import ConnectionPool
from hyperlite.testing.server import Exchange, Request, Response, Server, streaming
from tests.conftest import MakePool, Serve

from .conftest import echo


def test_nothing_is_fetched_in_vain(pool: ConnectionPool, server: Server):
    read = itertools.count()
    outcomes = pool.fetch_many((server.url(f"/?{next(read)}") for _ in itertools.repeat(0)), concurrency=10)
    assert not server.log, "it is lazy"
    for taken in range(1, 60):
        next(outcomes)
        assert len(server.log) <= taken + 10
    assert next(read) <= 60 + 10 * 6 + 128
    outcomes.cancel()


def test_order_does_not_widen_the_window(pool: ConnectionPool, serve: Serve):
    """One that is late holds up what comes behind it, in bounded memory."""
    server = serve(routes={"/echo": echo})
    urls = (server.url(f"/echo?n={n}&delay={0.3 * (n == 0)}") for n in itertools.count())
    outcomes = pool.fetch_many(urls, concurrency=10, ordered=True)
    assert next(outcomes).index == 0
    assert len(server.log) == 10
    outcomes.cancel()


def test_each_origin_has_a_window(pool: ConnectionPool, serve: Serve):
    released = threading.Event()

    def late(request: Request) -> Response:
        assert released.wait(10)
        return echo(request)

    slow, fast = serve(routes={"/": late}), serve(routes={"/": echo})
    urls = [slow.url(f"/?n={n}") for n in range(40)] + [fast.url(f"/?n={n}") for n in range(40)]
    outcomes = pool.fetch_many(urls, concurrency=10)
    first = {next(outcomes).index for _ in range(40)}
    released.set()
    assert first == set(range(40, 80)), "none waits behind the slow origin"
    assert {outcome.index for outcome in outcomes} == set(range(40))


def test_no_barriers(pool: ConnectionPool, serve: Serve):
    """A window slides: one slow response in ten does not make the other nine wait."""
    seen, all_seen = itertools.count(1), threading.Event()

    @streaming
    def slow(exchange: Exchange) -> None:
        exchange.start(200 if all_seen.wait(10) else 504, [])
        exchange.end()

    def fast(_: Request) -> Response:
        if next(seen) == 99:
            all_seen.set()
        return Response()

    server = serve(routes={"/slow": slow, "/fast": fast})
    urls = [server.url("/slow"), *[server.url("/fast")] * 99]
    assert [outcome.result().status for outcome in pool.fetch_many(urls, concurrency=10)] == [200] * 100


def test_more_origins_than_are_talked_to_at_once(
    make_pool: MakePool, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hyperlite.many.schedule.MAX_ORIGINS", 3)
    servers = [serve(secure=n % 2 == 0) for n in range(10)]
    urls = [server.url(f"/?{n}") for n in range(5) for server in servers]
    for source in (urls, iter(urls)):
        assert sum(outcome.ok for outcome in make_pool().fetch_many(source)) == 50


def test_an_origin_that_waits_for_its_delay_leaves_its_place_to_another(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
):
    """Two may be active. One waits for an hour, another for the third to be asked."""
    monkeypatch.setattr("hyperlite.many.schedule.MAX_ORIGINS", 2)
    third_asked = threading.Event()

    def answer(request: FetchRequest) -> Response:
        if "third" in request.url:
            third_asked.set()
        elif "second" in request.url:
            assert third_asked.wait(10)
        return Response()

    pool = make_pool(handler=answer)
    pool.set_limits(Limits(delay=3600), "https://first/")
    urls = [
        "https://third/",
        "https://second/",
        "https://first/1",
        "https://first/2",
    ]  # the last begins first
    with pool.fetch_many(urls) as run:
        assert {next(run).result().url for _ in range(3)} == set(urls[:3])


def test_where_there_is_an_order_all_may_wait_for_a_redirect(
    pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    """What the first is redirected to has a full window, and nothing in it is taken before the first."""
    there = serve(routes={"/echo": echo})
    away = Response(302, headers=[("location", there.url("/echo?first"))], delay=0.2)
    here = serve(routes={"/away": lambda _: away})
    urls = [here.url("/away"), *(there.url(f"/echo?n={n}") for n in range(10))]
    outcomes = list(pool.fetch_many(urls, concurrency=2, ordered=True))
    assert [outcome.result().url for outcome in outcomes] == [there.url("/echo?first"), *urls[1:]]
    monkeypatch.setattr("hyperlite.many.schedule.MAX_ORIGINS", 1)
    outcomes = list(pool.fetch_many(urls, concurrency=2, ordered=True))
    assert [outcome.result().url for outcome in outcomes] == [there.url("/echo?first"), *urls[1:]]


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_where_there_is_an_order_redirects_do_not_take_the_place_of_what_comes_next(
    pool: ConnectionPool, serve: Serve, alpn: str
):
    """They go beyond their origin's window, and fill it with outcomes that wait for the one behind them."""
    redirected = threading.Event()

    @streaming
    def first(exchange: Exchange) -> None:
        redirected.wait(10)
        exchange.start(200, [])
        exchange.end()

    def third(_: Request) -> Response:
        redirected.set()
        return Response()

    there = serve(routes={"/1": first, "/2": lambda _: Response(), "/3": third}, alpn=(alpn,))
    away = Response(302, headers=[("location", there.url("/3"))])
    here = serve(routes=lambda _: away, alpn=(alpn,))
    urls = [there.url("/1"), there.url("/2"), *[here.url(f"/{n}") for n in range(10)], there.url("/2")]
    outcomes = pool.fetch_many(urls, ordered=True, concurrency=1)
    assert [outcome.index for outcome in outcomes if outcome.ok] == list(range(len(urls)))


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_where_there_is_an_order_what_is_held_does_not_hold_up_its_connection(
    make_pool: MakePool, serve: Serve, alpn: str
):
    """One at a time is all that the origin takes; there is room in its window, and nothing is taken yet."""
    all_seen = threading.Event()

    @streaming
    def first(exchange: Exchange) -> None:
        exchange.start(200 if all_seen.wait(5) else 504, [])
        exchange.end()

    def later(request: Request) -> Response:
        if request.target == "/5":
            all_seen.set()
        return Response()

    here = serve(routes={"/": first})
    there = serve(routes=later, alpn=(alpn,), settings={SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    pool = make_pool(max_connections_per_origin=1)
    assert pool.fetch(there.url()).status == 200  # what it takes is known
    urls = [here.url(), *(there.url(f"/{n}") for n in range(1, 6))]
    assert [outcome.result().status for outcome in pool.fetch_many(urls, ordered=True)] == [200] * 6


def test_in_order_with_more_origins_than_are_talked_to(
    make_pool: MakePool, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hyperlite.many.schedule.MAX_ORIGINS", 2)
    servers = [serve(secure=False) for _ in range(6)]
    urls = [server.url(f"/?{n}") for n in range(4) for server in servers]
    outcomes = list(make_pool().fetch_many(urls, concurrency=1, ordered=True))
    assert [outcome.request for outcome in outcomes] == urls


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_what_is_read_slowly_does_not_hold_up_what_is_there(pool: ConnectionPool, serve: Serve, alpn: str):
    """What was read is sent before the iterable, which takes its time, has given all."""
    seen = threading.Event()

    def first(_: Request) -> Response:
        seen.set()
        return Response()

    server = serve(routes=first, alpn=(alpn,))
    in_time: list[bool] = []

    def urls() -> Iterator[str]:
        for n in range(40):
            time.sleep(0.01)  # it takes longer than the loop lets it
            if n == 30:
                in_time.append(seen.wait(10))
            yield server.url(f"/?{n}")

    assert pool.fetch(server.url("/")).status == 200
    seen.clear()
    assert sum(outcome.ok for outcome in pool.fetch_many(urls())) == 40
    assert in_time == [True]


def test_a_long_list_is_not_made_into_tasks_at_once(pool: ConnectionPool, server: Server):
    read = itertools.count()

    class Counted(list[str]):
        def __iter__(self) -> Iterator[str]:
            for url in super().__iter__():
                next(read)
                yield url

    outcomes = pool.fetch_many(Counted([server.url("/")] * 100_000), concurrency=2)
    next(outcomes)
    assert next(read) <= 2 * 100 + 2 + 128
    outcomes.cancel()
