"""HTTP_1_1_REQUIRED in a pool: what the server refuses with it goes on over HTTP/1.1."""

import io
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from h2.settings import SettingCodes

import hyperlite
from hyperlite import ConnectionPool, FetchRequest
from hyperlite.errors import ConnectionLost, ErrorCode, StreamReset
from hyperlite.net import protocols
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import MakePool, Serve
from tests.peer import Peer


@streaming
def picky(exchange: Exchange) -> None:
    """Answer with the body, over HTTP/1.1 alone."""
    body = b"".join(iter(exchange.read, b""))
    if exchange.request.protocol == "h2":
        exchange.reset(ErrorCode.HTTP_1_1_REQUIRED)
    else:
        exchange.start()
        exchange.send(body or b"hello")
        exchange.end()


@streaming
def half(exchange: Exchange) -> None:
    """Begin an answer, and want HTTP/1.1 then."""
    exchange.start()
    exchange.send(b"half")
    exchange.reset(ErrorCode.HTTP_1_1_REQUIRED)


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve(routes={"/": picky, "/half": half, "/easy": lambda _: Response(body=b"easy")})


def spoken(server: Server) -> list[str]:
    return [entry[0] for entry in server.log]


@pytest.mark.parametrize("body", [None, b"body", io.BytesIO(b"body")])
def test_a_fetch_goes_on_whatever_its_method(server: Server, pool: ConnectionPool, body: Any) -> None:
    response = pool.fetch(server.url(), "POST", body=body)
    assert (response.http_version, response.body) == ("HTTP/1.1", b"body" if body else b"hello")
    assert pool.fetch(server.url("/easy")).http_version == "HTTP/1.1"
    assert spoken(server) == ["h2", "http/1.1", "http/1.1"]
    assert server.connections == 2
    assert pool.stats()["origins"][server.url("")]["protocol"] == "http/1.1"


def test_it_is_remembered_for_a_while(
    server: Server, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.fetch(server.url())
    pool.close_idle()
    assert pool.fetch(server.url()).http_version == "HTTP/1.1"
    pool.close_idle()
    later = types.SimpleNamespace(monotonic=lambda: time.monotonic() + protocols.REMEMBERED)
    monkeypatch.setattr(protocols, "time", later)
    assert pool.fetch(server.url("/easy")).http_version == "HTTP/2"


def test_each_origin_for_itself(server: Server, serve: Serve, pool: ConnectionPool) -> None:
    other = serve()
    pool.fetch(server.url())
    assert pool.fetch(other.url()).http_version == "HTTP/2"


@pytest.mark.parametrize("ordered", [True, False])
def test_many(server: Server, pool: ConnectionPool, ordered: bool) -> None:
    urls = [server.url("/easy" if n % 3 else "/") for n in range(30)]
    outcomes = sorted(pool.fetch_many(urls, ordered=ordered, concurrency=10), key=lambda one: one.index)
    assert [one.result().body for one in outcomes] == [b"easy" if n % 3 else b"hello" for n in range(30)]
    assert pool.fetch(server.url("/easy")).http_version == "HTTP/1.1"
    refused = spoken(server).count("h2") - sum(one.result().http_version == "HTTP/2" for one in outcomes)
    assert 1 <= refused <= 4  # of the ten that were sent side by side


def test_what_is_being_answered_over_http2_goes_on(serve: Serve, pool: ConnectionPool) -> None:
    refused = threading.Event()

    @streaming
    def slow(exchange: Exchange) -> None:
        exchange.start()
        exchange.send(b"begun ")
        assert refused.wait(10)
        exchange.send(b"and ended")
        exchange.end()

    server = serve(routes={"/": picky, "/slow": slow})
    with pool.fetch(server.url("/slow"), stream=True) as response:
        assert response.read(6) == b"begun "
        assert pool.fetch(server.url()).http_version == "HTTP/1.1"
        refused.set()
        assert (response.http_version, response.read()) == ("HTTP/2", b"and ended")


def test_the_other_connections_to_the_origin_get_no_more_requests(serve: Serve, make_pool: MakePool) -> None:
    go = threading.Event()

    @streaming
    def slow(exchange: Exchange) -> None:
        exchange.start()
        assert go.wait(10)
        exchange.end()

    server = serve(
        routes={"/": picky, "/slow": slow, "/easy": lambda _: Response()},
        settings={SettingCodes.MAX_CONCURRENT_STREAMS: 1},
    )
    pool = make_pool()
    pool.fetch(server.url("/easy"))  # so that the limit is known
    with pool.fetch(server.url("/slow"), stream=True), pool.fetch(server.url("/slow"), stream=True):
        assert pool.fetch(server.url()).http_version == "HTTP/1.1"
        go.set()
    before = len(server.log)
    for _ in range(3):
        pool.fetch(server.url("/easy"))
    assert spoken(server)[before:] == ["http/1.1"] * 3
    assert pool.stats()["origins"][server.url("")]["connections"] == 1


def test_a_body_that_cannot_be_sent_again_is_an_error_and_the_next_try_goes_over_http1(
    server: Server, pool: ConnectionPool
) -> None:
    with pytest.raises(StreamReset, match="the body cannot be sent again"):
        pool.fetch(server.url(), "POST", body=iter([b"bo", b"dy"]))
    response = pool.fetch(server.url(), "POST", body=iter([b"bo", b"dy"]))
    assert (response.http_version, response.body) == ("HTTP/1.1", b"body")


def test_what_has_begun_to_be_answered_is_not_sent_again(server: Server, pool: ConnectionPool) -> None:
    with pytest.raises(StreamReset):
        pool.fetch(server.url("/half"))
    assert spoken(server) == ["h2"]


@pytest.mark.parametrize("many", [True, False])
def test_where_it_closes_with_several_open_those_that_are_safe_to_repeat_go_on(
    pool: ConnectionPool, many: bool
) -> None:
    """It may have processed all but one of what it says it has seen."""

    def fetch() -> list[Any]:
        requests = [
            FetchRequest(f"https://localhost:{peer.port}/{method}", method=method) for method in METHODS
        ]
        if many:
            return [outcome.error or outcome.response for outcome in pool.fetch_many(requests, ordered=True)]
        with ThreadPoolExecutor(len(METHODS)) as threads:
            return list(threads.map(lambda one: fetched(pool, one), requests))

    with Peer(tls=certificates().server_context(("h2", "http/1.1"))) as peer:
        task = peer.background(fetch)
        peer.accept()
        peer.greet()
        assert len(peer.want_requests(len(METHODS))) == len(METHODS)
        peer.goaway(2**31 - 1, ErrorCode.HTTP_1_1_REQUIRED)
        peer.finish()
        served = peer.background(serve_http1, peer, 2)
        pay, *others = task.result()
        assert isinstance(pay, ConnectionLost)
        assert not pay.retry_safe
        assert [one.http_version for one in others] == ["HTTP/1.1"] * 2
        assert served.result() == [b"GET /GET HTTP/1.1", b"HEAD /HEAD HTTP/1.1"]


METHODS = ("POST", "GET", "HEAD")


def fetched(pool: ConnectionPool, request: FetchRequest) -> Any:
    try:
        return pool.fetch(request.url, request.method)
    except hyperlite.HTTP2Error as error:
        return error


def serve_http1(peer: Peer, count: int) -> list[bytes]:
    """Answer requests in HTTP/1.1, each on a connection of its own; returns their request lines."""
    lines = []
    for _ in range(count):
        wire = peer.accept()
        lines.append(wire.sock.recv(65536).partition(b"\r\n")[0])
        wire.sock.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        wire.close()
    return sorted(lines)


@pytest.mark.parametrize("many", [True, False])
def test_where_http2_alone_may_be_spoken_it_is_an_error_that_says_so(
    server: Server, make_pool: MakePool, many: bool
) -> None:
    pool = make_pool(protocols=("h2",))
    with pytest.raises(StreamReset, match="which the choice of protocols excludes"):
        if many:
            next(pool.fetch_many([server.url()])).result()
        else:
            pool.fetch(server.url())
    assert spoken(server) == ["h2"]
    assert pool.fetch(server.url("/easy")).http_version == "HTTP/2"
    assert server.connections == 1


def test_by_prior_knowledge_too(serve: Serve, pool: ConnectionPool) -> None:
    """And there HTTP/1.1 is excluded by what makes HTTP/2 be spoken."""
    server = serve(routes={"/": picky}, secure=False)
    with pytest.raises(StreamReset, match="which the choice of protocols excludes"):
        pool.fetch(server.url(), protocols=("h2",))
    with hyperlite.HTTP20Connection("localhost", server.port, secure=False, timeout=10) as conn:
        assert conn.getresponse(conn.request("GET", "/")).version == 11
