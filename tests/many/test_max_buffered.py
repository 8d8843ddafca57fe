"""fetch_many(max_buffered=): how many bytes a run holds, and that it goes on all the same."""

import gzip
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from h2.settings import SettingCodes

from hyperlite import ConnectionPool, FetchRequest, Outcome, RedirectError
from hyperlite.fetching.hop import REDIRECT_BODY
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.http2.engine.windows import STREAM_WINDOW
from hyperlite.many.budget import Budget
from hyperlite.many.outcomes import OutcomeQueue
from hyperlite.testing.server import Request, Response
from tests.conftest import ROUTES, MakePool, Serve

MIB = 1 << 20
BODY = 3 * MIB // 2
REQUESTS = 6  # at each origin
BUDGET = 2 * MIB
# What one call of pump() may receive: 16 pieces of 64 KiB.
PUMP = MIB


class Scale:
    """What has arrived on HTTP/2 connections and was not taken by the caller, by their own counts."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.connections: set[HTTP2Connection] = set()
        self.read = self.taken = self.peak = 0
        pump, read, read_rest = HTTP2Connection.pump, HTTP2Connection.read, HTTP2Connection.read_rest

        def weighed_pump(connection: HTTP2Connection, **options: Any) -> None:
            pump(connection, **options)
            self.connections.add(connection)
            self.peak = max(self.peak, self.held)

        def weighed_read(connection: HTTP2Connection, *args: Any) -> bytes:
            data = read(connection, *args)
            self.read += len(data)
            return data

        def weighed_read_rest(connection: HTTP2Connection, *args: Any) -> bytes:
            data = read_rest(connection, *args)
            self.read += len(data)
            return data

        patch.setattr(HTTP2Connection, "pump", weighed_pump)
        patch.setattr(HTTP2Connection, "read", weighed_read)
        patch.setattr(HTTP2Connection, "read_rest", weighed_read_rest)

    @property
    def held(self) -> int:
        return self.read - self.taken + sum(connection.table.unread.total for connection in self.connections)

    def take(self, outcomes: Iterator[Outcome[Any]]) -> int:
        """Take all outcomes; returns how many there were."""
        count = 0
        for outcome in outcomes:
            self.taken += len(outcome.result().body)
            count += 1
        return count


def test_what_is_held_of_many_origins(pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    """The limit; one body that goes on; a window of each other stream on its connection; one pump."""
    body = bytes(BODY)
    servers = [serve(routes={"/": lambda _: Response(body=body)}) for _ in range(3)]
    urls = [server.url("/") for _ in range(REQUESTS) for server in servers]
    scale = Scale(monkeypatch)
    assert scale.take(pool.fetch_many(urls, max_buffered=BUDGET)) == len(urls)
    assert not scale.held
    assert scale.peak <= BUDGET + BODY + (REQUESTS - 1) * STREAM_WINDOW + PUMP


def test_what_is_held_where_there_is_an_order(
    pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    """All that is behind one that is late waits for it, with a stream's window each at the most."""
    body = bytes(2 * BODY)
    late = serve(routes={"/": lambda _: Response(body=body, delay=0.5)})
    servers = [serve(routes={"/": lambda _: Response(body=body)}) for _ in range(3)]
    urls = [late.url("/"), *(server.url("/") for _ in range(4) for server in servers)]
    scale = Scale(monkeypatch)
    assert scale.take(pool.fetch_many(urls, ordered=True, max_buffered=BUDGET)) == len(urls)
    assert scale.peak <= BUDGET + len(body) + PUMP + len(urls) * STREAM_WINDOW


class Ledger:
    """What a run's budget has counted at most."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.peak = 0
        self.budgets: set[Budget] = set()
        charge = Budget._charge_locked

        def charged(budget: Budget, index: int, size: int) -> None:
            charge(budget, index, size)
            self.budgets.add(budget)
            self.peak = max(self.peak, budget._held)

        patch.setattr(Budget, "_charge_locked", charged)

    @property
    def left(self) -> int:
        return sum(budget._held for budget in self.budgets)


@pytest.mark.parametrize("ordered", [False, True])
def test_what_threads_hold(
    pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch, ordered: bool
):
    """On HTTP/1.1: the limit; one body that goes on; a piece of 64 KiB, and a head, of each other request."""
    body = bytes(BODY)
    servers = [serve(routes={"/": lambda _: Response(body=body)}, alpn=("http/1.1",)) for _ in range(2)]
    urls = [server.url("/") for _ in range(8) for server in servers]
    ledger = Ledger(monkeypatch)
    outcomes = pool.fetch_many(urls, ordered=ordered, max_buffered=BUDGET)
    assert Counter(len(outcome.result().body) for outcome in outcomes) == Counter({BODY: len(urls)})
    assert ledger.peak <= BUDGET + BODY + len(urls) * (1 << 16 | 1 << 10)
    assert not ledger.left


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
@pytest.mark.parametrize("ordered", [False, True])
def test_one_at_a_time_is_always_possible(
    make_pool: MakePool, serve: Serve, monkeypatch: pytest.MonkeyPatch, alpn: str, ordered: bool
):
    """However small the limit, and however few streams, connections, threads and origins there may be."""
    monkeypatch.setattr("hyperlite.many.schedule.MAX_ORIGINS", 2)
    monkeypatch.setattr("hyperlite.many.blocking.MAX_THREADS", 3)
    monkeypatch.setattr("hyperlite.many.backpressure.MAX_THREADS", 3)
    options: dict[str, Any] = {"alpn": (alpn,), "settings": {SettingCodes.MAX_CONCURRENT_STREAMS: 2}}
    there = [serve(routes=ROUTES, **options) for _ in range(3)]

    def away(request: Any) -> Response:
        number = int(request.query["n"][0])
        return Response(
            302, headers=[("location", there[number % 3].url("/sized?n=200000"))], body=b"x" * 9000
        )

    here = serve(routes=ROUTES | {"/away": away}, **options)
    pool = make_pool(max_connections_per_origin=2)
    items: list[Any] = []
    for number in range(12):
        items += [here.url(f"/away?n={number}"), there[number % 3].url("/sized?n=200000")]
        items.append(FetchRequest(here.url("/count"), "POST", body=iter([b"a" * 1000])))
    ledger = Ledger(monkeypatch)
    outcomes = list(pool.fetch_many(items, ordered=ordered, max_buffered=1))
    assert sorted(outcome.index for outcome in outcomes) == list(range(len(items)))
    assert all(outcome.result().status == 200 for outcome in outcomes)
    assert not ledger.left


def test_several_runs_share_the_connections(pool: ConnectionPool, serve: Serve):
    """What one run holds back keeps its connection; it goes on with those that have one."""
    server = serve(alpn=("http/1.1",))
    counts: list[int] = []

    def run() -> None:
        urls = [server.url("/sized?n=100000")] * 20
        counts.append(sum(outcome.ok for outcome in pool.fetch_many(urls, max_buffered=1)))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [20] * 3


def test_bodies_stay_packed_until_they_are_taken(
    pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    packed = gzip.compress(bytes(10 * MIB))
    server = serve(routes=lambda _: Response(headers=[("content-encoding", "gzip")], body=packed))
    ledger = Ledger(monkeypatch)
    for outcome in pool.fetch_many([server.url("/")] * 5, ordered=True):
        assert len(outcome.result().body) == 10 * MIB
    assert ledger.peak < 5 * len(packed) + 5 * 1000


def test_what_is_given_up_gives_its_bytes_back(
    pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    server = serve(routes=ROUTES)
    ledger = Ledger(monkeypatch)
    outcomes = list(pool.fetch_many([server.url("/sized?n=500000")] * 5, max_body=400_000))
    assert not any(outcome.ok for outcome in outcomes)
    assert not ledger.left


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_run_that_is_full_can_be_closed(pool: ConnectionPool, serve: Serve, alpn: str):
    server = serve(alpn=(alpn,))
    outcomes = pool.fetch_many([server.url("/sized?n=3000000")] * 8, max_buffered=1)
    assert next(outcomes).ok
    outcomes.cancel()
    assert pool.fetch(server.url("/")).body == b"hello"


def test_an_error_holds_the_redirect_that_it_is_about(
    pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    """`RedirectError.response` is in memory until the caller takes the outcome."""
    refused = threading.Event()
    done: list[int] = []
    held: list[int] = []
    put, free = OutcomeQueue.put, Budget.free

    def counted_put(queue: OutcomeQueue, outcome: Outcome[Any], window: Any) -> Any:
        done.append(outcome.index)
        if len(done) == REQUESTS:
            refused.set()
        return put(queue, outcome, window)

    def weighed_free(budget: Budget, index: int) -> None:
        if index == 0:
            held.append(budget._held)
        free(budget, index)

    def last(_: Request) -> Response:
        refused.wait(10)
        return Response(body=b"last")

    monkeypatch.setattr(OutcomeQueue, "put", counted_put)
    monkeypatch.setattr(Budget, "free", weighed_free)
    down = Response(302, headers=[("location", "http://localhost/")], body=bytes(REDIRECT_BODY))
    late, server = serve(routes={"/": last}), serve(routes={"/": lambda _: down})
    first, *others = pool.fetch_many([late.url("/"), *[server.url("/")] * REQUESTS], ordered=True)
    assert first.result().body == b"last"
    assert [isinstance(outcome.error, RedirectError) for outcome in others] == [True] * REQUESTS
    assert held[0] >= REQUESTS * REDIRECT_BODY


def test_the_limit_is_a_number_of_bytes(pool: ConnectionPool):
    with pytest.raises(ValueError, match="max_buffered"):
        pool.fetch_many([], max_buffered=0)
