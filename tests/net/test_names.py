"""A host has one name in ASCII: the one that is resolved, that TLS names, and that a request names."""

import json
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

import hyperlite
from hyperlite import client
from hyperlite.testing.server import Server
from tests.conftest import Serve
from tests.connect_proxy import Proxy
from tests.inside import forget_names

SHARP = "fa\xdf.example"
NEW = "xn--fa-hia.example"
OLD = "fass.example"
ADDRESS = "fe80::1"


class Site:
    """A server with certificates for both names and an address, to which all lead; what it was asked for."""

    def __init__(self, server: Server) -> None:
        self.port = server.port
        self.resolved: list[str] = []
        self.named: list[str | None] = []
        authority = trustme.CA()
        authority.issue_cert(NEW, OLD, ADDRESS).configure_cert(server.tls)
        self.context = ssl.create_default_context()
        authority.configure_trust(self.context)
        server.tls.sni_callback = lambda _sock, name, _context: self.named.append(name)
        self._resolve = socket.getaddrinfo

    def resolve(self, host: str | bytes, port: int, *args: Any, **options: Any) -> Any:
        """Stand in for getaddrinfo: every name is this machine."""
        self.resolved.append(host.encode("idna").decode() if isinstance(host, str) else host.decode())
        return self._resolve("127.0.0.1", port, *args, **options)

    def names(self, seen: dict[str, Any]) -> set[str | None]:
        """Return all the names that were used, with that of the request."""
        asked = {seen["authority"].removesuffix(f":{self.port}")}
        return {*self.resolved, *self.named} | asked


@pytest.fixture(params=["h2", "http/1.1"])
def site(request: pytest.FixtureRequest, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(serve(alpn=(request.param,)))
    monkeypatch.setattr(socket, "getaddrinfo", made.resolve)
    return made


def by_connection(host: str, site: Site) -> Any:
    with hyperlite.HTTP20Connection(host, site.port, context=site.context, timeout=10) as conn:
        conn.request("GET", "/report")
        return json.loads(conn.getresponse().read())


def by_fetch(host: str, site: Site) -> Any:
    with hyperlite.ConnectionPool(context=site.context, proxies=False, timeout=10) as pool:
        return pool.fetch(f"https://{host}:{site.port}/report").json()


def by_fetch_many(host: str, site: Site) -> Any:
    with hyperlite.ConnectionPool(context=site.context, proxies=False, timeout=10) as pool:
        (outcome,) = pool.fetch_many([f"https://{host}:{site.port}/report"])
        return outcome.result().json()


def by_client(host: str, site: Site) -> Any:
    conn = client.HTTPSConnection(host, site.port, context=site.context, timeout=10)
    try:
        conn.request("GET", "/report")
        return json.loads(conn.getresponse().read())
    finally:
        conn.close()


WAYS = [by_connection, by_fetch, by_fetch_many]
Way = Callable[[str, Site], Any]


@pytest.mark.parametrize("way", WAYS)
def test_idna_of_2008(site: Site, way: Way) -> None:
    assert site.names(way(SHARP, site)) == {NEW}


@pytest.mark.parametrize("way", WAYS)
def test_without_the_package_nothing_is_asked(site: Site, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "idna", None)
    forget_names()
    with pytest.raises((ValueError, client.InvalidURL), match=r"hyperlite-http\[idna\]"):
        way(SHARP, site)
    assert site.resolved == site.named == []


def test_http_clients_connections_follow_http_client(site: Site) -> None:
    """All of it in IDNA of 2003, as there."""
    assert site.names(by_client(SHARP, site)) == {OLD}


@pytest.mark.parametrize("way", [*WAYS, by_client])
def test_a_zone_is_no_part_of_the_address_in_a_certificate(site: Site, way: Way) -> None:
    address = f"{ADDRESS}%eth0"
    way(f"[{address}]" if way in {by_fetch, by_fetch_many} else address, site)
    assert set(site.resolved) == {address}
    assert site.named == [None]  # RFC 6066 section 3: an address is not named


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


@pytest.mark.parametrize("way", ["connection", "fetch", "client"])
def test_through_a_tunnel(site: Site, proxy: Proxy, way: str) -> None:
    expected = OLD if way == "client" else NEW
    if way == "fetch":
        with hyperlite.ConnectionPool(context=site.context, proxies=proxy.url(), timeout=10) as pool:
            seen = pool.fetch(f"https://{SHARP}:{site.port}/report").json()
    else:
        kind = client.HTTPSConnection if way == "client" else hyperlite.HTTP20Connection
        conn = kind("127.0.0.1", proxy.port, context=site.context, timeout=10)
        conn.set_tunnel(SHARP, site.port)
        conn.request("GET", "/report")
        seen = json.loads(conn.getresponse().read())
        conn.close()
    assert site.names(seen) - {"127.0.0.1"} == {expected}
    assert proxy.seen[0][0].split()[1] == f"{expected}:{site.port}"


@pytest.mark.parametrize(
    "target", ["http://user:secret@other.example/report", "HTTP://user:secret@OTHER.example/report"]
)
def test_an_absolute_target_tells_no_credentials(h2: hyperlite.HTTP20Connection, target: str) -> None:
    h2.request("GET", target)
    seen = json.loads(h2.getresponse().read())
    assert seen["authority"] == "other.example"
    assert "secret" not in str(seen["headers"])


@pytest.mark.parametrize(
    "authority", ["good.example[::1]", "[::1]good.example", "a@b@c", "a\\@b", "a:b:c", "", "a:0x50"]
)
def test_an_absolute_target_names_one_host(
    conn: hyperlite.HTTP20Connection, server: Server, authority: str
) -> None:
    with pytest.raises(client.InvalidURL):
        conn.request("GET", f"http://{authority}/")
    assert server.connections == 0


@pytest.mark.parametrize(
    "host",
    [
        "good.example[::1]:8443",
        "[::1]good.example",
        "[::1]good.example:8443",
        "good.example@evil.example",
        "good.example/@evil.example",
        "good.example#@evil.example:8443",
        "good.example\\evil.example",
    ],
)
def test_a_connection_has_one_host(host: str) -> None:
    with pytest.raises(client.InvalidURL):
        hyperlite.HTTP20Connection(host)
    conn = hyperlite.HTTP20Connection("proxy.example")
    with pytest.raises(client.InvalidURL):
        conn.set_tunnel(host)
