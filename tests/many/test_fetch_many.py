"""fetch_many(): every item has exactly one outcome, and nothing is fetched that the caller does not take."""

import gc
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from h2.settings import SettingCodes

from hyperlite import FetchRequest, RequestTimeout, Retries, TooManyRedirects
from hyperlite.origins.origin import Origin
from hyperlite.pool import ConnectionPool
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import ROUTES, MakePool, Serve
from tests.inside import connection_of, origin_of

from .conftest import echo


def test_each_has_one_outcome(pool: ConnectionPool, server: Server):
    urls = [server.url(f"/echo?n={n}") for n in range(500)]
    seen = Counter()
    for outcome in pool.fetch_many(urls):
        assert outcome.ok
        assert outcome.request == urls[outcome.index]
        assert outcome.result().body == f"/echo?n={outcome.index}".encode()
        seen[outcome.index] += 1
    assert seen == Counter(range(500))
    assert "0 requests under way" in repr(pool)


def test_in_order(pool: ConnectionPool, server: Server):
    urls = [server.url(f"/echo?n={n}&delay={0.02 * (n % 7 == 0)}") for n in range(100)]
    indices = [outcome.index for outcome in pool.fetch_many(urls, ordered=True, concurrency=10)]
    assert indices == list(range(100))


def test_as_they_arrive(pool: ConnectionPool, server: Server):
    gates = [threading.Event() for _ in range(3)]

    @streaming
    def gated(exchange: Exchange) -> None:
        exchange.start(200 if gates[int(exchange.request.path[1:])].wait(10) else 504, [])
        exchange.end()

    server.routes.update({f"/{n}": gated for n in range(3)})
    outcomes = pool.fetch_many(server.url(f"/{n}") for n in range(3))
    for n in (2, 0, 1):
        gates[n].set()
        outcome = next(outcomes)
        assert (outcome.index, outcome.result().status) == (n, 200)


def test_what_fails_stops_nothing(make_pool: MakePool, serve: Serve, server: Server):
    dead = serve()
    dead.close()
    pool = make_pool(retries=Retries(total=1, backoff=0.01))
    kinds: dict[str, type | None] = {
        server.url("/echo"): None,
        dead.url("/"): ConnectionRefusedError,
        "nonsense": ValueError,
        server.url("/loop"): TooManyRedirects,
        server.url("/missing"): None,
    }
    items = [*kinds, 5, {"url": server.url("/"), "colour": "red"}] * 10
    outcomes = list(pool.fetch_many(items, ordered=True))
    assert [outcome.request for outcome in outcomes] == items
    for outcome in outcomes:
        expected = kinds.get(outcome.request, TypeError) if isinstance(outcome.request, str) else TypeError
        if outcome.request == "nonsense":
            assert "nonsense" in str(outcome.error)
        elif expected is None:
            assert outcome.error is None
        else:
            assert isinstance(outcome.error, expected)
            with pytest.raises(expected):
                outcome.result()


def test_nothing_comes_of_nothing(pool: ConnectionPool):
    assert list(pool.fetch_many([])) == []
    with pytest.raises(ValueError, match="concurrency"):
        pool.fetch_many([], concurrency=0)
    with pytest.raises(TypeError, match="'colour'"):
        pool.fetch_many([], colour="red")


def test_requests_of_their_own(pool: ConnectionPool, server: Server):
    items = [
        FetchRequest(server.url("/report"), "POST", json={"a": 1}, headers={"x-y": "z"}, tag="first"),
        {"url": server.url("/report"), "method": "PUT", "body": "text", "params": {"a": "b"}},
        FetchRequest(server.url("/report"), "POST", body=iter([b"pie", b"ces"])),
        FetchRequest(server.url("/slow"), timeout=0.1),
        FetchRequest(server.url("/slow"), deadline=0.1),
        FetchRequest(server.url("/away"), redirects=0),
    ]
    outcomes = list(pool.fetch_many(items, ordered=True))
    first, second, third = (outcome.result().json() for outcome in outcomes[:3])
    assert outcomes[0].request.tag == "first"
    assert (first["method"], first["body"], dict(first["headers"])["x-y"]) == ("POST", '{"a":1}', "z")
    assert (second["method"], second["target"], second["body"]) == ("PUT", "/report?a=b", "text")
    assert third["body"] in {"pieces", "3\r\npie\r\n3\r\nces\r\n0\r\n\r\n"}
    assert isinstance(outcomes[3].error, TimeoutError)
    assert isinstance(outcomes[4].error, TimeoutError)
    assert outcomes[5].result().status == 302


def test_redirects_and_retries(pool: ConnectionPool, server: Server):
    outcomes = list(pool.fetch_many([server.url("/away"), server.url("/busy")] * 5, ordered=True))
    for away, busy in zip(outcomes[::2], outcomes[1::2], strict=True):
        assert away.result().body == b"/echo?from=away"
        assert [earlier.status for earlier in away.result().history] == [302]
        assert busy.result().status == 503
    assert Counter(line[3] for line in server.log) == {"/away": 5, "/echo?from=away": 5, "/busy": 15}


def test_large_bodies(pool: ConnectionPool, server: Server):
    urls = [server.url(f"/sized?n={n}") for n in (5_000_000, 10, 3_000_000, 0, 131_072)] * 2
    for outcome in pool.fetch_many(urls):
        assert len(outcome.result().body) == int(outcome.request.partition("=")[2])
    urls = [server.url("/chunks?n=20000"), server.url("/sized?n=2000000")]
    outcomes = pool.fetch_many(urls, max_body=199_999)
    assert all(
        "max_body" in str(outcome.error) or "longer than" in str(outcome.error) for outcome in outcomes
    )


def test_large_uploads(pool: ConnectionPool, server: Server):
    body = bytes(3_000_000)
    items = [FetchRequest(server.url("/count"), "POST", body=body) for _ in range(8)]
    assert {outcome.result().body for outcome in pool.fetch_many(items)} == {b"3000000"}


def test_progress(pool: ConnectionPool, server: Server):
    told: list[tuple[int, int | None]] = []
    list(pool.fetch_many([server.url("/")] * 5, progress=lambda *count: told.append(count)))
    assert told == [(n, 5) for n in range(1, 6)]
    told.clear()
    list(pool.fetch_many((server.url("/") for _ in range(2)), progress=lambda *count: told.append(count)))
    assert told == [(1, None), (2, None)]


@pytest.mark.parametrize("ordered", [False, True])
def test_what_the_iterable_raises_is_the_callers(pool: ConnectionPool, server: Server, ordered: bool):
    """But first comes what became of all that it had given: it was sent."""

    def urls() -> Iterator[str]:
        for number in range(150):
            yield server.url(f"/?{number}")
        raise KeyError("mine")

    seen: list[int] = []
    with pytest.raises(KeyError, match="mine"):
        for outcome in pool.fetch_many(urls(), ordered=ordered):
            assert outcome.result().body == b"hello"
            seen.append(outcome.index)
    assert sorted(seen) == list(range(150)) == [*range(len(server.log))]
    assert pool.fetch(server.url("/")).body == b"hello"
    assert "0 requests under way" in repr(pool)


def test_closing_it_early_cancels(pool: ConnectionPool, server: Server):
    outcomes = pool.fetch_many([server.url("/"), *[server.url("/slow")] * 20], concurrency=21)
    assert next(outcomes).index == 0
    outcomes.cancel()
    deadline = time.monotonic() + 5
    while "0 requests under way" not in repr(pool) and time.monotonic() < deadline:
        assert pool.fetch(server.url("/")).body == b"hello"
    assert "0 requests under way" in repr(pool)


def test_dropped_in_the_middle(pool: ConnectionPool, server: Server):
    for _ in pool.fetch_many([server.url(f"/?{n}") for n in range(100)]):
        break
    gc.collect()
    assert pool.fetch(server.url("/")).body == b"hello"


def test_beside_other_threads(pool: ConnectionPool, server: Server):
    """The loop and threads that fetch() share the connections."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def others() -> None:
        try:
            while not stop.is_set():
                assert pool.fetch(server.url("/sized?n=20000")).body == b"x" * 20000
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=others) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            urls = [server.url(f"/echo?n={n}") for n in range(200)]
            assert sum(outcome.ok for outcome in pool.fetch_many(urls)) == 200
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_several_loops_at_once(pool: ConnectionPool, server: Server):
    counts: list[int] = []

    def run() -> None:
        urls = [server.url(f"/echo?n={n}&delay=0.01") for n in range(100)]
        counts.append(sum(outcome.ok for outcome in pool.fetch_many(urls)))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [100] * 4


def test_one_within_another(pool: ConnectionPool, server: Server):
    """What a page links to is fetched while the pages are."""
    for page in pool.fetch_many([server.url(f"/echo?n={n}") for n in range(10)]):
        links = [f"{page.request}&link={n}" for n in range(5)]
        assert all(outcome.ok for outcome in pool.fetch_many(links))
        assert pool.fetch(server.url("/")).body == b"hello"


def test_timeouts_and_deadlines(pool: ConnectionPool, server: Server):
    urls = [server.url("/slow"), server.url("/")] * 3
    outcomes = list(pool.fetch_many(urls, ordered=True, timeout=0.3, retries=0))
    assert [isinstance(outcome.error, TimeoutError) for outcome in outcomes] == [True, False] * 3
    outcomes = list(pool.fetch_many(urls, ordered=True, deadline=0.3, retries=0))
    assert [isinstance(outcome.error, RequestTimeout | TimeoutError) for outcome in outcomes] == [
        True,
        False,
    ] * 3


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
@pytest.mark.parametrize("limit", [20, 3])
def test_a_server_that_goes_away_again_and_again(pool: ConnectionPool, serve: Serve, alpn: str, limit: int):
    server = serve(alpn=(alpn,), requests_per_connection=limit)
    posts = [FetchRequest(server.url("/report"), "POST", body=b"%d" % n) for n in range(200)]
    bodies = [json.loads(outcome.result().body)["body"] for outcome in pool.fetch_many(posts)]
    assert sorted(map(int, bodies)) == list(range(200))
    assert len(server.log) == 200, "none was processed twice"


def test_goaway_in_between(pool: ConnectionPool, serve: Serve):
    server = serve(routes={"/echo": echo})
    urls = [server.url(f"/echo?n={n}&delay=0.01") for n in range(300)]
    taken = 0
    for outcome in pool.fetch_many(urls, concurrency=20):
        outcome.result()
        taken += 1
        if taken % 50 == 0:
            server.goaway()
    assert taken == 300
    assert server.connections > 3


@pytest.mark.parametrize("limit", [1, 7])
def test_few_streams(make_pool: MakePool, serve: Serve, limit: int):
    server = serve(settings={SettingCodes.MAX_CONCURRENT_STREAMS: limit}, delay=0.01)
    pool = make_pool(max_connections_per_origin=3)
    urls = [server.url(f"/?{n}") for n in range(100)]
    assert sum(outcome.ok for outcome in pool.fetch_many(urls)) == 100
    assert server.connections <= 3


def test_all_streams_are_anothers(make_pool: MakePool, serve: Serve):
    """Where others hold every stream, the loop queues behind them."""
    server = serve(settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2})
    pool = make_pool(max_connections_per_origin=1)
    with (
        pool.fetch(server.url("/sized?n=5000000"), stream=True) as one,
        pool.fetch(server.url("/sized?n=5000000"), stream=True) as other,
    ):
        outcomes = pool.fetch_many([server.url("/")] * 5, timeout=0.3, retries=0)
        assert isinstance(next(outcomes).error, TimeoutError)
        one.close()
        other.close()
        outcomes.cancel()
    assert sum(outcome.ok for outcome in pool.fetch_many([server.url("/")] * 5)) == 5


def test_in_a_pool_that_is_closed_meanwhile(make_pool: MakePool, server: Server):
    pool = make_pool(retries=0)
    urls = [server.url(f"/echo?n={n}&delay=0.05") for n in range(100)]
    outcomes = pool.fetch_many(urls, concurrency=10)
    next(outcomes)
    pool.close()
    rest = list(outcomes)
    assert len(rest) == 99
    assert any(outcome.error for outcome in rest)


@pytest.mark.parametrize("dialled", [False, True])
def test_in_a_pool_that_is_closed_between_a_lease_and_its_use(
    make_pool: MakePool, serve: Serve, monkeypatch: pytest.MonkeyPatch, dialled: bool
):
    server = serve()
    pool = make_pool()
    if not dialled:
        pool.fetch(server.url())
    name = "extend" if dialled else "try_lease"
    lease = getattr(Origin, name)

    def lease_and_close(self: Origin, *args: object, **options: object) -> object:
        leased = lease(self, *args, **options)
        if leased:
            pool.close()
        return leased

    monkeypatch.setattr(Origin, name, lease_and_close)
    errors = [outcome.error for outcome in pool.fetch_many([server.url()] * 3)]
    assert [str(error) for error in errors] == ["the pool is closed"] * 3


def test_what_was_answered_when_the_pool_was_closed_is_read_to_its_end(make_pool: MakePool, serve: Serve):
    closed = threading.Event()

    @streaming
    def half(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.send(b"half ")
        closed.wait(10)
        exchange.send(b"and half")
        exchange.end()

    server = serve(routes={"/": lambda _: Response(body=b"hello", delay=0.1), "/half": half})
    pool = make_pool()
    outcomes = pool.fetch_many([server.url("/half"), server.url("/")])
    assert next(outcomes).result().body == b"hello"
    pool.close()
    closed.set()
    assert [outcome.result().body for outcome in outcomes] == [b"half and half"]


def test_a_silent_connection_is_given_up(make_pool: MakePool, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    """An idle connection that died without a word: its requests are sent again on another."""
    server = serve(routes=ROUTES)
    pool = make_pool(keepalive_idle=0.0, ping_timeout=0.3)
    assert pool.fetch(server.url("/")).body == b"hello"
    connection = connection_of(origin_of(pool))
    assert connection.http2 is not None
    monkeypatch.setattr(connection.http2._io, "sock", _Deaf(connection.http2.sock))
    assert [outcome.result().body for outcome in pool.fetch_many([server.url("/")] * 3)] == [b"hello"] * 3
    assert server.connections == 2


class _Deaf:
    """A socket on which nothing is heard any more."""

    def __init__(self, sock: object) -> None:
        self._sock = sock
        self._ends = socket.socketpair()

    def recv(self, _size: int) -> bytes:
        raise BlockingIOError

    def fileno(self) -> int:
        return self._ends[0].fileno()

    def close(self) -> None:
        self._sock.close()
        for end in self._ends:
            end.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


@pytest.mark.parametrize(
    "where",
    [
        "hyperlite.http2.connection.HTTP2Connection.submit",
        "hyperlite.many.loop.Loop._settle",
        "hyperlite.origins.connection.PooledConnection.make_request",
    ],
)
def test_an_interrupt_gives_back_all_leases(
    pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch, where: str
):
    server = serve()
    pool.fetch(server.url("/"))

    def strike(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, strike)
        with pytest.raises(KeyboardInterrupt):
            list(pool.fetch_many([server.url("/")] * 20))
    assert pool.fetch(server.url("/")).body == b"hello"
    assert "1 connections, 0 requests under way" in repr(pool)


def test_an_interrupt_while_a_connection_is_looked_at(
    pool: ConnectionPool, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    server = serve()
    pool.fetch(server.url("/"))
    monkeypatch.setattr("hyperlite.origins.origin.RECENT", 0.0)

    def strike(_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hyperlite.origins.connection.PooledConnection.healthy", property(strike))
        with pytest.raises(KeyboardInterrupt):
            pool.fetch(server.url("/"))
        with pytest.raises(KeyboardInterrupt):
            list(pool.fetch_many([server.url("/")] * 20))
    assert pool.fetch(server.url("/")).body == b"hello"
    assert "1 connections, 0 requests under way" in repr(pool)


def test_a_request_is_sent_by_the_terms_that_its_context_has_then(make_pool: MakePool, server: Server):
    """Also one that was read before the program changed its context."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    urls = [server.url("/echo")] * 20
    outcomes = make_pool(retries=0, context=context).fetch_many(urls, concurrency=1)
    assert next(outcomes).ok
    context.verify_mode = ssl.CERT_REQUIRED  # by no authority that it knows
    assert all(isinstance(outcome.error, ssl.SSLCertVerificationError) for outcome in outcomes)
