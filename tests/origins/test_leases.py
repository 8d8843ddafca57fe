"""A lease ends once, whatever ends it: the number of requests under way is exact."""

import contextlib
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hyperlite import ConnectionPool, DecodingError, HTTP2Error, Retries
from hyperlite.errors import ErrorCode
from hyperlite.origins.connection import PooledConnection
from hyperlite.origins.origin import Origin
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests import inside
from tests.conftest import MakePool, Serve

PROTOCOLS = pytest.mark.parametrize("alpn", [("h2", "http/1.1"), ("http/1.1",)], ids=["h2", "http1"])
SIX_CODINGS = [("content-encoding", "gzip,gzip,gzip,gzip,gzip,gzip")]


def leased(pool: ConnectionPool) -> int:
    return sum(origin["leased"] for origin in pool.stats()["origins"].values())


def origin_of(pool: ConnectionPool, server: Server) -> Origin:
    """Return the connections to a server, of which the pool has one already."""
    origin = inside.origin_of(pool)
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
@pytest.mark.parametrize("state", ["unused", "under way", "read"])
def test_a_lease_that_is_dropped_is_given_back(
    pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...], state: str
):
    """Whatever interrupts the thread that has it."""
    server = serve(alpn=alpn)
    pool.fetch(server.url("/"))
    origin = origin_of(pool, server)
    first = origin.lease(10)
    connection = first.connection
    response = None if state == "unused" else connection.ask("GET", "/", None, [], timeout=10)
    if response is not None and state == "read":
        response.read()
    del first
    gc.collect()
    assert leased(pool) == 0
    second = origin.lease(10)
    assert (second.connection is connection) == (alpn[0] == "h2" or state != "under way")
    second.end()


@PROTOCOLS
@pytest.mark.parametrize("path", ["/", "/chunks?n=3", "/nothing"])
def test_a_response_that_is_read_by_way_of_raw_needs_its_connection_no_more(
    make_pool: MakePool, serve: Serve, alpn: tuple[str, ...], path: str
):
    server = serve(alpn=alpn)
    pool = make_pool(max_connections_per_origin=1)
    kept = []
    for _ in range(3):
        kept.append(pool.request("GET", server.url(path)))
        kept[-1].raw.read()
        kept.append(pool.fetch(server.url(path), stream=True))
        while kept[-1].raw.read(7):
            pass
        pool.request("GET", server.url(path)).raw.read()
    assert pool.stats()["dialled"] == 1
    for response in kept:
        response.close()
    assert pool.fetch(server.url("/")).body == b"hello"
    assert pool.stats()["dialled"] == 1


def test_a_response_that_ends_with_its_connection_gives_its_place_back(make_pool: MakePool, serve: Serve):
    server = serve(alpn=("http/1.1",), requests_per_connection=1)
    pool = make_pool(max_connections_per_origin=1)
    kept = [pool.request("GET", server.url("/"))]
    for _ in range(3):
        kept[-1].raw.read()
        kept.append(pool.request("GET", server.url("/")))
    assert kept[-1].raw.read() == b"hello"
    assert pool.stats()["dialled"] == 4


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

        patch.setattr("hyperlite.origins.origin.RECENT", -1.0)
        patch.setattr(PooledConnection, "healthy", property(interrupted))
        with pytest.raises(KeyboardInterrupt):
            origin.lease(10)
        with pytest.raises(KeyboardInterrupt):
            origin.try_lease(5, insist=False)
    assert leased(pool) == 0
    assert pool.fetch(server.url("/")).body == b"hello"


@streaming
def keep(exchange: Exchange) -> None:
    """Send back what was posted, a moment later."""
    body = b"".join(iter(exchange.read, b""))
    time.sleep(0.01)
    exchange.start(200, [])
    exchange.send(body)
    exchange.end()


@streaming
def refuse(exchange: Exchange) -> None:
    exchange.reset(ErrorCode.REFUSED_STREAM)


@streaming
def break_off(exchange: Exchange) -> None:
    exchange.start(200, [("content-length", "1000")])
    exchange.send(b"x")
    exchange.reset()


@streaming
def stall(exchange: Exchange) -> None:
    time.sleep(0.2)
    exchange.start(200, [])
    exchange.end()


LOAD = {
    "/bad": lambda _: Response(headers=SIX_CODINGS, body=b"x"),
    "/keep": keep,
    "/refuse": refuse,
    "/break-off": break_off,
    "/stall": stall,
    "/long": lambda _: Response(body=bytes(300_000)),
    "/away": lambda _: Response(302, headers=[("location", "/")], body=bytes(100_000)),
    "/": lambda _: Response(body=b"hello"),
}


@PROTOCOLS
def test_under_load(make_pool: MakePool, serve: Serve, alpn: tuple[str, ...]):
    """Twenty threads whose responses end in every way, while another closes what is idle again and again."""
    server = serve(alpn=alpn, routes=LOAD)
    pool = make_pool(max_connections_per_origin=5, retries=Retries(backoff=0.001))
    over = threading.Event()
    ways = [
        "/bad",
        "keep",
        "/refuse",
        "keep",
        "/break-off",
        "many",
        "read",
        "keep",
        "drop",
        "/away",
        "/stall",
    ]

    def ask(way: str) -> None:
        if way == "read":
            with pool.fetch(server.url("/long"), stream=True) as response:
                response.read(10)
        elif way == "drop":
            pool.fetch(server.url("/long"), stream=True).read(10)
        elif way == "many":
            next(pool.fetch_many([server.url("/"), server.url("/bad"), server.url("/long")]))
        else:
            pool.fetch(server.url(way), timeout=0.1 if way == "/stall" else 20)

    def work(thread: int) -> list[bytes]:
        lost = []
        for turn in range(len(ways)):
            way = ways[(thread + turn) % len(ways)]
            if way != "keep":
                with contextlib.suppress(HTTP2Error, OSError):
                    ask(way)
                continue
            body = b"%d of %d" % (turn, thread)
            if pool.fetch(server.url("/keep"), "POST", body=body, timeout=20).body != body:
                lost.append(body)
        return lost

    def sweep() -> int:
        least = 0
        while not over.is_set():
            pool.close_idle()
            for origin in inside.origins_of(pool):
                least = min([least, *(connection.leased for connection in list(origin._connections))])
            over.wait(0.002)
        return least

    with ThreadPoolExecutor(21) as threads:
        sweeping = threads.submit(sweep)
        try:
            lost = [body for bodies in threads.map(work, range(20)) for body in bodies]
        finally:
            over.set()
        assert sweeping.result(10) == 0
    assert lost == []
    gc.collect()
    assert leased(pool) == 0
