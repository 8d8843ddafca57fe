"""A lease ends once, whatever ends it: the number of requests under way is exact."""

import gc
import threading
from typing import Any

import pytest

from hyperlite import ConnectionPool, DecodingError
from hyperlite.origins import Origin
from hyperlite.pooled import PooledConnection
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import Serve

PROTOCOLS = pytest.mark.parametrize("alpn", [("h2", "http/1.1"), ("http/1.1",)], ids=["h2", "http1"])
SIX_CODINGS = [("content-encoding", "gzip,gzip,gzip,gzip,gzip,gzip")]


def leased(pool: ConnectionPool) -> int:
    return sum(origin["leased"] for origin in pool.stats()["origins"].values())


def origin_of(pool: ConnectionPool, server: Server) -> Origin:
    """Return the connections to a server, of which the pool has one already."""
    [origin] = pool._origins.values()
    assert str(origin.key) in server.url("")
    return origin


@PROTOCOLS
def test_a_response_that_closes_itself_while_it_is_made(
    pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...]
):
    """A POST under way on the same connection survives close_idle()."""
    arrived, go_on = threading.Event(), threading.Event()

    @streaming
    def slow(exchange: Exchange) -> None:
        body = b"".join(iter(exchange.read, b""))
        arrived.set()
        go_on.wait(10)
        exchange.start(200, [])
        exchange.send(body)
        exchange.end()

    bad = Response(headers=SIX_CODINGS, body=b"x")
    server = serve(alpn=alpn, routes={"/bad": lambda _: bad, "/slow": slow, "/": lambda _: Response()})
    pool.fetch(server.url("/"))
    bodies: list[bytes] = []
    thread = threading.Thread(
        target=lambda: bodies.append(pool.fetch(server.url("/slow"), "POST", body=b"precious").body)
    )
    thread.start()
    try:
        assert arrived.wait(10)
        for _ in range(2):
            with pytest.raises(DecodingError):
                pool.fetch(server.url("/bad"))
            [outcome] = pool.fetch_many([server.url("/bad")])
            assert isinstance(outcome.error, DecodingError)
        assert leased(pool) == 1
        pool.close_idle()
    finally:
        go_on.set()
        thread.join(10)
    assert bodies == [b"precious"]
    assert leased(pool) == 0


@PROTOCOLS
def test_a_lease_is_ended_in_every_way_and_ends_once(
    pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...]
):
    server = serve(alpn=alpn)
    pool.fetch(server.url("/"))
    origin = origin_of(pool, server)
    lease, other = origin.lease(10), origin.lease(10)
    assert leased(pool) == 2
    for _ in range(2):
        lease.end(reusable=False)
        lease.end()
        lease.abandon()
        origin.release((lease, lease))
    assert leased(pool) == 1
    del lease
    gc.collect()
    assert leased(pool) == 1
    other.abandon()
    other.abandon()
    other.end()
    del other
    assert leased(pool) == 0
    assert pool.fetch(server.url("/")).body == b"hello"


@PROTOCOLS
def test_a_lease_that_is_dropped_is_given_back(pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...]):
    """Whatever interrupts the thread that has it."""
    server = serve(alpn=alpn)
    pool.fetch(server.url("/"))
    origin = origin_of(pool, server)
    first = origin.lease(10)
    connection = first.connection
    del first
    gc.collect()
    assert leased(pool) == 0
    second = origin.lease(10)
    assert (second.connection is connection) == (alpn[0] == "h2"), "on HTTP/1.1 a response may be under way"
    second.end()


@PROTOCOLS
def test_a_response_that_is_closed_by_two_threads_and_dropped(
    pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...]
):
    server = serve(alpn=alpn)
    responses = [pool.fetch(server.url("/sized?n=3000000"), stream=True)]
    responses[0].read(1000)
    both = threading.Barrier(2)

    def close() -> None:
        both.wait(10)
        responses[0].close()

    threads = [threading.Thread(target=close) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    responses[0].close()
    threads.clear()
    responses.clear()
    gc.collect()
    assert leased(pool) == 0


def test_a_check_that_is_interrupted(pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    server = serve()
    pool.fetch(server.url("/"))
    origin = origin_of(pool, server)
    with monkeypatch.context() as patch:

        def interrupted(_: Any) -> bool:
            raise KeyboardInterrupt

        patch.setattr("hyperlite.origins.RECENT", -1.0)
        patch.setattr(PooledConnection, "healthy", property(interrupted))
        with pytest.raises(KeyboardInterrupt):
            origin.lease(10)
        with pytest.raises(KeyboardInterrupt):
            origin.try_lease(5, insist=False)
    assert leased(pool) == 0
    assert pool.fetch(server.url("/")).body == b"hello"
