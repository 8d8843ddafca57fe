"""The idle connections of a pool: never more than `max_idle` once requests have ended."""

import gc
import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hyperlite import ConnectionPool
from hyperlite.origins.idle import IdleConnections
from hyperlite.origins.origin import Origin
from hyperlite.origins.registry import Registry
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import MakePool, Serve
from tests.inside import registry_of


class Connection:
    """A connection as its entry is looked at."""

    def __init__(self, since: float) -> None:
        self.idle_since = since


class Owner:
    """An origin that says what it is told to say, and remembers which connections it closed."""

    def __init__(self) -> None:
        self.closed: list[Connection] = []
        self.in_use: set[Connection] = set()

    def keeps(self, connection: Any) -> bool:
        return connection not in self.closed

    def close_if_idle(self, connection: Any, since: float) -> float | None:
        if connection in self.in_use:
            return None
        if connection.idle_since > since:
            return connection.idle_since  # type: ignore[no-any-return]
        self.closed.append(connection)
        return None


def noted(limit: int, *times: float) -> tuple[IdleConnections, Owner, list[Connection]]:
    idle, owner = IdleConnections(limit), Owner()
    connections = [Connection(time) for time in times]
    for connection in connections:
        idle.note(connection, owner)  # type: ignore[arg-type]
    return idle, owner, connections


class TestTheHeap:
    def test_the_one_that_was_unused_for_longest_goes_first(self) -> None:
        _, owner, connections = noted(2, 3.0, 1.0, 2.0, 4.0)
        assert owner.closed == [connections[1], connections[2]]

    def test_one_that_was_used_since_is_younger_than_its_entry(self) -> None:
        idle, owner, connections = noted(2, 1.0, 2.0)
        connections[0].idle_since = 5.0
        idle.note(Connection(3.0), owner)  # type: ignore[arg-type]
        assert owner.closed == [connections[1]]

    def test_one_in_use_leaves_the_heap_and_stays_open(self) -> None:
        idle, owner, connections = noted(1, 1.0)
        owner.in_use.add(connections[0])
        idle.note(Connection(2.0), owner)  # type: ignore[arg-type]
        assert owner.closed == []

    def test_none_are_kept(self) -> None:
        _, owner, connections = noted(0, 1.0, 2.0)
        assert owner.closed == connections

    def test_what_is_gone_takes_no_place(self) -> None:
        idle, owner, connections = noted(2, 1.0, 2.0)
        owner.closed.append(connections[1])
        idle.forget_gone()
        idle.note(Connection(3.0), owner)  # type: ignore[arg-type]
        assert owner.closed == [connections[1]]


def idle_in(pool: ConnectionPool) -> int:
    """Return how many connections of a pool are open; none is in use."""
    states = pool.stats()["origins"].values()
    assert sum(state["leased"] for state in states) == 0
    return sum(state["connections"] for state in states)


@pytest.fixture(params=["h2", "http/1.1"])
def sites(request: pytest.FixtureRequest, serve: Serve) -> list[str]:
    """The URLs of twelve origins."""

    @streaming
    def wait(exchange: Exchange) -> None:
        exchange.start()
        exchange.send(b"x")
        threading.Event().wait(0.01)
        exchange.end()

    routes = {"/": lambda _: Response(body=b"hello"), "/wait": wait}
    servers: list[Server] = [serve(routes=routes, alpn=(request.param,)) for _ in range(12)]
    return [server.url("") for server in servers]


@pytest.mark.parametrize("limit", [0, 3, 12])
def test_after_fetches_and_runs(make_pool: MakePool, sites: list[str], limit: int) -> None:
    pool = make_pool(max_idle=limit)
    for site in sites:
        pool.fetch(f"{site}/")
        assert idle_in(pool) <= limit
    for _ in range(2):
        assert all(outcome.ok for outcome in pool.fetch_many([f"{site}/" for site in sites * 3]))
        assert idle_in(pool) <= limit
    assert idle_in(pool) == limit if limit < 12 else idle_in(pool) >= limit


def test_after_a_run_that_was_given_up(make_pool: MakePool, sites: list[str]) -> None:
    pool = make_pool(max_idle=3)
    with pool.fetch_many([f"{site}/wait" for site in sites * 4]) as run:
        next(run)
    gc.collect()
    while sum(state["leased"] for state in pool.stats()["origins"].values()):
        threading.Event().wait(0.01)  # threads let go of connections on HTTP/1.1
    assert idle_in(pool) <= 3


def test_after_threads(make_pool: MakePool, sites: list[str]) -> None:
    pool = make_pool(max_idle=3)
    chances = random.Random(1)
    choices = [chances.choice(sites) for _ in range(300)]
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda site: pool.fetch(f"{site}/").ok, choices))
    assert idle_in(pool) <= 3


def test_streams_that_are_dropped(make_pool: MakePool, sites: list[str]) -> None:
    pool = make_pool(max_idle=3)
    for site in sites:
        pool.fetch(f"{site}/wait", stream=True)
        gc.collect()
    pool.stats()  # ends what the finalizers have abandoned
    assert idle_in(pool) <= 3


def test_a_further_origin_looks_at_no_other(pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cost does not depend on how many there are."""
    swept: list[Origin] = []
    monkeypatch.setattr(Origin, "sweep", lambda origin, _now: swept.append(origin))
    sweeps = itertools.count()
    monkeypatch.setattr(Registry, "_sweep", lambda *_: next(sweeps))
    for number in range(50):
        outcome = next(
            pool.fetch_many([f"http://localhost:1/{number}"], proxies=f"http://127.0.0.{number + 1}:1")
        )
        assert not outcome.ok
    assert len(registry_of(pool).states()) == 50
    assert swept == []
    assert next(sweeps) <= 1 + int(registry_of(pool)._swept > 0)  # one for each five seconds
