"""`ConnectionPool(resolver=…)`: a function of the program says which addresses a host has, or refuses it."""

import copy
import errno
import json
import pickle
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
import trustme

import hyperlite
from hyperlite import ConnectionPool, FetchError, Limits
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import ROUTES, MakePool, Serve
from tests.connect_proxy import Proxy
from tests.socks_proxy import SocksProxy

NAME, OTHER = "shop.example", "other.example"
Resolver = Callable[[str, int], Any]
Way = Callable[..., hyperlite.FetchResponse]


def moved(request: Request) -> Response:
    return Response(302, headers=[("location", request.query["to"][0])])


class Site:
    """A server with certificates for two names that no system knows; what its resolver was asked."""

    def __init__(self, server: Server) -> None:
        self.server, self.port = server, server.port
        self.asked: list[tuple[str, int]] = []
        self.named: list[str | None] = []
        authority = trustme.CA()
        authority.issue_cert(NAME, OTHER).configure_cert(server.tls)
        self.context = ssl.create_default_context()
        authority.configure_trust(self.context)
        server.tls.sni_callback = lambda _sock, name, _context: self.named.append(name)

    def url(self, path: str = "/report", host: str = NAME) -> str:
        return f"https://{host}:{self.port}{path}"

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return ["127.0.0.1"]

    def refuse(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        raise PermissionError(errno.EACCES, f"{host} is not to be asked")


@pytest.fixture(params=["h2", "http/1.1"])
def site(request: pytest.FixtureRequest, serve: Serve) -> Site:
    return Site(serve(routes=ROUTES | {"/moved": moved}, alpn=(request.param,)))


def by_fetch(pool: ConnectionPool, url: str, **options: Any) -> hyperlite.FetchResponse:
    return pool.fetch(url, **options)


def by_fetch_many(pool: ConnectionPool, url: str, **options: Any) -> hyperlite.FetchResponse:
    (outcome,) = pool.fetch_many([url], **options)
    return outcome.result()


def by_request(pool: ConnectionPool, url: str, **options: Any) -> hyperlite.FetchResponse:
    response = pool.request("GET", url, **options)
    assert response.body
    return response


by_each = pytest.mark.parametrize("way", [by_fetch, by_fetch_many, by_request])


@by_each
def test_it_says_where_to_connect_and_tls_and_the_request_keep_the_name(
    make_pool: MakePool, site: Site, way: Way
):
    pool = make_pool(context=site.context, resolver=site.resolve)
    seen = way(pool, site.url()).json()
    assert seen["authority"] == f"{NAME}:{site.port}"
    assert set(site.named) == {NAME}
    assert way(pool, site.url()).ok
    assert site.asked == [(NAME, site.port)], "the open connection is used again"


def test_a_certificate_for_another_name_is_refused(make_pool: MakePool, site: Site):
    pool = make_pool(context=site.context, resolver=site.resolve)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"evil\.example"):
        pool.fetch(site.url(host="evil.example"))


def test_none_leaves_a_host_to_the_system(make_pool: MakePool, serve: Serve):
    asked = []
    pool = make_pool(resolver=lambda *place: asked.append(place))
    server = serve()
    assert pool.fetch(server.url("/")).body == b"hello"
    assert pool.fetch(f"https://127.0.0.1:{server.port}/").body == b"hello"
    assert asked == [("localhost", server.port), ("127.0.0.1", server.port)]


def test_addresses_are_tried_side_by_side(make_pool: MakePool, serve: Serve):
    server = serve(secure=False)
    pool = make_pool(resolver=lambda *_: iter(["::1", "127.0.0.3", "127.0.0.1"]))
    assert pool.fetch(f"http://{NAME}:{server.port}/").body == b"hello"


@by_each
def test_a_refusal_names_the_host_is_tried_once_and_can_be_pickled(make_pool: MakePool, site: Site, way: Way):
    pool = make_pool(context=site.context, resolver=site.refuse)
    with pytest.raises(PermissionError) as caught:
        way(pool, site.url())
    error = caught.value
    text = f"cannot connect to {NAME}:{site.port}: {NAME} is not to be asked"
    for one in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert isinstance(one, PermissionError)
        assert isinstance(one, FetchError)
        assert str(one) == text
        assert (one.errno, one.host, one.port, one.url) == (errno.EACCES, NAME, site.port, site.url())
    assert len(site.asked) == 1
    assert site.server.connections == 0


def test_it_is_asked_for_addresses_too(make_pool: MakePool, site: Site):
    pool = make_pool(resolver=site.refuse)
    for host, shown in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")]:
        with pytest.raises(PermissionError):
            pool.fetch(f"https://{host}:{site.port}/")
        assert site.asked.pop() == (shown, site.port)


def test_it_is_asked_for_each_redirect(make_pool: MakePool, site: Site):
    def resolve(host: str, port: int) -> list[str]:
        return site.resolve(host, port) if host == NAME else site.refuse(host, port)

    pool = make_pool(context=site.context, resolver=resolve)
    to = site.url(host=OTHER)
    with pytest.raises(PermissionError, match=rf"{OTHER} is not to be asked") as caught:
        pool.fetch(site.url(f"/moved?to={to}"))
    assert isinstance(caught.value, FetchError)
    assert caught.value.url == to
    pool = make_pool(context=site.context, resolver=site.resolve)
    assert pool.fetch(site.url(f"/moved?to={to}")).json()["authority"] == f"{OTHER}:{site.port}"
    assert [host for host, _ in site.asked] == [NAME, OTHER, NAME, OTHER]


def test_one_fetch_may_have_its_own(make_pool: MakePool, site: Site):
    """Requests by different resolvers share no connection: what one accepts says nothing to the other."""
    pool = make_pool(context=site.context, resolver=site.resolve, origin_limits=Limits(under_way=1))
    assert pool.fetch(site.url()).ok
    with pytest.raises(PermissionError):
        pool.fetch(site.url(), resolver=site.refuse)
    with pytest.raises(PermissionError):
        by_fetch_many(pool, site.url(), resolver=site.refuse)
    assert pool.fetch(site.url(), resolver=None).ok, "None stands for the pool's own"
    assert site.server.connections == 1


def test_what_it_raises_is_the_error_of_the_request(make_pool: MakePool, site: Site):
    def unknown(*_: object) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def broken(*_: object) -> list[str]:
        raise KeyError("a defect of the program")

    with pytest.raises(
        socket.gaierror, match=f"cannot connect to {NAME}:{site.port}: name or service not known"
    ):
        make_pool(resolver=unknown).fetch(site.url())
    with pytest.raises(KeyError, match="a defect"):
        make_pool(resolver=broken).fetch(site.url())
    with pytest.raises(OSError, match=f"{NAME}:{site.port} has no address"):
        make_pool(resolver=lambda *_: [], retries=0).fetch(site.url())


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ("127.0.0.1", TypeError, r"resolver returns a list of addresses, or None, not '127\.0\.0\.1'"),
        (7, TypeError, "not 7"),
        ([b"127.0.0.1"], TypeError, "resolver returns addresses as str"),
        (["localhost"], ValueError, "'localhost', which is no address"),
        (["127.0.0.1\0.example"], ValueError, "which is no address"),
        (["127.1"], ValueError, "which is no address"),
        (["b\xfccher.example"], ValueError, "which is no address"),
    ],
)
def test_other_answers_are_errors(
    make_pool: MakePool, site: Site, answer: Any, kind: type[Exception], text: str
):
    with pytest.raises(kind, match=text):
        make_pool(resolver=lambda *_: answer).fetch(site.url())
    assert site.server.connections == 0


def test_it_refuses_what_a_handler_would_answer(make_pool: MakePool):
    def refuse(host: str, _: int) -> list[str]:
        raise PermissionError(errno.EACCES, f"{host} is not to be asked")

    pool = make_pool(handler=lambda _: Response(body=b"hello"), resolver=refuse)
    with pytest.raises(PermissionError, match=f"{NAME} is not to be asked"):
        pool.fetch(f"https://{NAME}/")
    pool = make_pool(handler=lambda _: Response(body=b"hello"), resolver=lambda *_: ["192.0.2.1"])
    assert pool.fetch(f"https://{NAME}/").body == b"hello"


def test_it_must_have_a_hash():
    class Equal:  # noqa: PLW1641
        def __eq__(self, other: object) -> bool:
            return True

        def __call__(self, host: str, port: int) -> None: ...

    with pytest.raises(TypeError, match="resolver is an object without a hash"):
        ConnectionPool(resolver=Equal())


def test_it_must_be_a_function():
    with pytest.raises(TypeError, match="resolver is a function of a host and a port, not dict"):
        ConnectionPool(resolver={NAME: "127.0.0.1"})  # type: ignore[arg-type]


# -- through proxies ------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_through_an_http_proxy_it_refuses_and_leaves_the_name_to_the_proxy(
    make_pool: MakePool, serve: Serve, scheme: str
):
    server = serve(secure=scheme == "https")
    url, asked = f"{scheme}://localhost:{server.port}/", []

    def resolve(*place: Any) -> list[str]:
        asked.append(place)
        return ["192.0.2.1"]  # which is not connected to

    def unknown(*_: object) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def refuse(*_: object) -> list[str]:
        raise PermissionError(errno.EACCES, "not there")

    def filtered(*_: object) -> list[str]:
        return []

    with Proxy() as proxy:
        with pytest.raises(FetchError, match="no address that the resolver lets through"):
            make_pool(proxies=proxy.url(), resolver=filtered).fetch(url)
        for resolver in (resolve, unknown):
            pool = make_pool(proxies=proxy.url(), resolver=resolver)
            assert pool.fetch(url).body == b"hello"
        assert len(proxy.seen) == 2
        assert f"localhost:{server.port}" in proxy.seen[0][0]
        assert asked == [("localhost", server.port)], "it is not asked for the proxy"
        with pytest.raises(
            PermissionError, match=f"localhost:{server.port} by way of {proxy.url()}: not there"
        ):
            make_pool(proxies=proxy.url(), resolver=refuse).fetch(url)
        assert len(proxy.seen) == 2


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
def test_through_a_socks_proxy(make_pool: MakePool, site: Site, scheme: str):
    """A proxy that gets addresses gets those of the resolver; one that looks names up gets the name."""
    far = b"\x7f\0\0\7"
    with SocksProxy() as proxy:
        pool = make_pool(
            context=site.context, proxies=proxy.url(scheme), resolver=lambda *_: ["::1", "127.0.0.7"]
        )
        assert pool.fetch(site.url()).ok
        told = proxy.seen[-1]
        if scheme == "socks5":
            assert bytes([4]) + bytes(15) + b"\1" in told
        elif scheme == "socks4":
            assert far in told
        else:
            assert NAME.encode() in told
            assert far not in told
        before = len(proxy.seen)
        with pytest.raises(PermissionError, match=f"{NAME} is not to be asked"):
            make_pool(context=site.context, proxies=proxy.url(scheme), resolver=site.refuse).fetch(site.url())
        assert len(proxy.seen) == before
        assert site.asked == [(NAME, site.port)]


def test_socks_4_has_no_ipv6_addresses(make_pool: MakePool, site: Site):
    with SocksProxy() as proxy:
        pool = make_pool(proxies=proxy.url("socks4"), resolver=lambda *_: ["::1"], retries=0)
        with pytest.raises(OSError, match=f"{NAME}:{site.port} has no address that SOCKS 4 can name"):
            pool.fetch(site.url())


def test_a_name_that_is_unknown_here_is_left_to_a_socks_proxy(make_pool: MakePool, site: Site):
    def unknown(*_: object) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with SocksProxy() as proxy:
        assert (
            make_pool(context=site.context, proxies=proxy.url("socks5h"), resolver=unknown)
            .fetch(site.url())
            .ok
        )
        with pytest.raises(socket.gaierror):
            make_pool(context=site.context, proxies=proxy.url("socks5"), resolver=unknown).fetch(site.url())


def test_the_documented_table(make_pool: MakePool, serve: Serve):
    """As `--resolve` of the command line: a mapping of places to addresses."""
    server = serve(secure=False)
    table = {(NAME, server.port): ["127.0.0.1"]}
    pool = make_pool(resolver=lambda host, port: table.get((host, port)))
    assert (
        json.loads(pool.fetch(f"http://{NAME}:{server.port}/report").body)["authority"]
        == f"{NAME}:{server.port}"
    )
