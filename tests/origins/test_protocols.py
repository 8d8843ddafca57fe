"""`protocols=` of a pool and of a fetch: what an origin is asked in."""

from typing import Any

import pytest

from hyperlite import ConnectionPool
from hyperlite.errors import NotHTTP2
from tests.conftest import MakePool, Serve
from tests.connect_proxy import Proxy

H2, HTTP11, BOTH = ("h2",), ("http/1.1",), ("h2", "http/1.1")
VERSIONS = {"HTTP/2": "h2", "HTTP/1.1": "http/1.1"}


@pytest.mark.parametrize(
    ("secure", "protocols", "version"),
    [
        (True, None, "HTTP/2"),
        (True, BOTH, "HTTP/2"),
        (True, H2, "HTTP/2"),
        (True, HTTP11, "HTTP/1.1"),
        (False, None, "HTTP/1.1"),
        (False, BOTH, "HTTP/1.1"),
        (False, H2, "HTTP/2"),
        (False, HTTP11, "HTTP/1.1"),
    ],
)
class TestWhatIsSpoken:
    def test_by_a_pool(
        self, serve: Serve, make_pool: MakePool, secure: bool, protocols: Any, version: str
    ) -> None:
        server, pool = serve(secure=secure), make_pool(protocols=protocols)
        assert pool.fetch(server.url()).http_version == version
        assert [outcome.result().http_version for outcome in pool.fetch_many([server.url()] * 3)] == [
            version
        ] * 3
        assert {entry[0] for entry in server.log} == {VERSIONS[version]}

    def test_by_one_fetch(
        self, serve: Serve, pool: ConnectionPool, secure: bool, protocols: Any, version: str
    ) -> None:
        url = serve(secure=secure).url()
        assert pool.fetch(url, protocols=protocols).http_version == version
        with pool.request("GET", url, protocols=protocols) as response:
            assert response.http_version == version
        many = pool.fetch_many([url], protocols=protocols)
        assert [outcome.result().http_version for outcome in many] == [version]


def test_connections_are_not_mixed(serve: Serve, pool: ConnectionPool) -> None:
    server = serve()
    for protocols in (None, HTTP11, H2, None, HTTP11, H2):
        pool.fetch(server.url(), protocols=protocols)
    assert [entry[:2] for entry in server.log] == [
        ("h2", 1),
        ("http/1.1", 2),
        ("h2", 3),
        ("h2", 1),
        ("http/1.1", 2),
        ("h2", 3),
    ]


def test_http1_alone_keeps_to_its_own_limit(serve: Serve, make_pool: MakePool) -> None:
    server = serve()
    pool = make_pool(protocols=HTTP11, max_http1_connections_per_origin=2)
    assert len(list(pool.fetch_many([server.url("/late")] * 6))) == 6
    assert server.connections <= 2


@pytest.mark.parametrize("many", [False, True])
def test_http2_alone_that_the_server_does_not_choose_is_an_error(
    serve: Serve, make_pool: MakePool, many: bool
) -> None:
    server, pool = serve(alpn=HTTP11), make_pool(protocols=H2)
    with pytest.raises(NotHTTP2, match="does not choose HTTP/2"):
        if many:
            next(pool.fetch_many([server.url()])).result()
        else:
            pool.fetch(server.url())
    assert pool.stats()["dialled"] == 1  # and not tried again, which would bring the same
    assert server.log == []


@pytest.mark.parametrize("many", [False, True])
def test_http2_alone_and_a_proxy_that_is_asked_in_http1_are_an_error(make_pool: MakePool, many: bool) -> None:
    pool = make_pool(protocols=H2, proxies="http://localhost:1")
    with pytest.raises(ValueError, match="is asked for http:// URLs"):
        if many:
            next(pool.fetch_many(["http://example.org/"])).result()
        else:
            pool.fetch("http://example.org/")
    assert pool.stats()["dialled"] == 0


@pytest.mark.parametrize(("protocols", "version"), [(H2, "HTTP/2"), (HTTP11, "HTTP/1.1")])
def test_through_a_tunnel(serve: Serve, make_pool: MakePool, protocols: Any, version: str) -> None:
    server = serve()
    with Proxy() as proxy:
        pool = make_pool(protocols=protocols, proxies=proxy.url())
        assert pool.fetch(server.url()).http_version == version


@pytest.mark.parametrize("protocols", ["h2", ("h3",), ()])
def test_anything_else_is_an_error(pool: ConnectionPool, protocols: Any) -> None:
    for call in (
        lambda: ConnectionPool(protocols=protocols),
        lambda: pool.fetch("https://localhost/", protocols=protocols),
        lambda: pool.request("GET", "https://localhost/", protocols=protocols),
        lambda: pool.fetch_many(["https://localhost/"], protocols=protocols),
    ):
        with pytest.raises(ValueError, match="protocols"):
            call()
