"""Proxies: which one, and what it is told."""

import socket
import threading
from http.client import InvalidURL

import pytest

from hyperlite import ConnectionPool
from hyperlite.fetching.proxy_rules import choose, rules
from hyperlite.messages.urls import parse
from hyperlite.testing.server import Server
from tests.conftest import MakePool, Serve
from tests.connect_proxy import GRANTED, Proxy, drip

P = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("url", "environment", "found"),
    [
        ("https://a.example/", {"https_proxy": P}, True),
        ("https://a.example/", {"HTTPS_PROXY": P}, True),
        ("https://a.example/", {"http_proxy": P}, False),
        ("http://a.example/", {"http_proxy": P}, True),
        ("http://a.example/", {"https_proxy": P}, False),
        ("http://a.example/", {"all_proxy": P}, True),
        ("http://a.example/", {"HTTP_PROXY": P, "REQUEST_METHOD": "GET"}, False),
        ("https://a.example/", {"https_proxy": P, "no_proxy": "a.example"}, False),
        ("https://a.example/", {"https_proxy": P, "NO_PROXY": "example"}, False),
        ("https://a.example/", {"https_proxy": P, "no_proxy": ".example"}, False),
        ("https://a.example/", {"https_proxy": P, "no_proxy": "b.example, *"}, False),
        ("https://a.example/", {"https_proxy": P, "no_proxy": "*"}, False),
        ("https://aa.example/", {"https_proxy": P, "no_proxy": "a.example"}, True),
        ("https://a.example/", {"https_proxy": P, "no_proxy": "a.example:8443"}, True),
        ("https://a.example:8443/", {"https_proxy": P, "no_proxy": "a.example:8443"}, False),
        ("https://10.1.2.3/", {"https_proxy": P, "no_proxy": "10.0.0.0/8"}, False),
        ("https://11.1.2.3/", {"https_proxy": P, "no_proxy": "10.0.0.0/8"}, True),
        ("https://10.1.2.3/", {"https_proxy": P, "no_proxy": "10.1.2.9/24"}, False),
        ("https://[::1]/", {"https_proxy": P, "no_proxy": "::1"}, False),
        ("https://[::1]/", {"https_proxy": P, "no_proxy": "[::1]"}, False),
        ("https://[::1]/", {"https_proxy": P, "no_proxy": "[::1]:443"}, False),
        ("https://[::1]:8443/", {"https_proxy": P, "no_proxy": "[::1]:443"}, True),
        ("https://a.example/", {"https_proxy": P, "no_proxy": "a.example."}, False),
        ("https://a.example./", {"https_proxy": P, "no_proxy": "a.example"}, False),
        ("https://b\xfccher.example/", {"https_proxy": P, "no_proxy": "b\xfccher.example"}, False),
        ("https://a.example/", {}, False),
    ],
)
def test_the_environment(monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], found: bool):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = choose(parse(url), None)
    assert (proxy is not None) == found
    if proxy:
        assert (proxy.host, proxy.port) == ("proxy.example", 3128)
    assert choose(parse(url), rules(False)) is None
    assert choose(parse(url), rules({})) is None


@pytest.mark.parametrize(
    ("proxies", "host"),
    [
        (P, "proxy.example"),
        ("proxy.example:3128", "proxy.example"),
        ({"https": P}, "proxy.example"),
        ({"http": P}, None),
        ({"all": P}, "proxy.example"),
        ({"https": None, "all": P}, None),
        ({"https://a.example": "http://special.example", "https": P}, "special.example"),
        ({"https": P, "no_proxy": "a.example"}, None),
        ({"https": P, "no_proxy": "b.example"}, "proxy.example"),
        ({"https": P, "no_proxy": "a.example:443"}, None),
        ({"https": P, "no_proxy": "a.example:8443"}, "proxy.example"),
        ({"all://a.example": P}, "proxy.example"),
        ({"all://a.example": "http://special.example", "https": P}, "proxy.example"),
        ({"https://A.Example": P}, "proxy.example"),
        ({"https://a.example.": P}, "proxy.example"),
        ({"https://b.example": P}, None),
        ({"https": "", "all": P}, None),
        ("", None),
        (None, None),
        ({"https": " http://proxy.example:3128/ "}, "proxy.example"),
    ],
)
def test_arguments(monkeypatch: pytest.MonkeyPatch, proxies: object, host: str | None):
    for name in ("https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    proxy = choose(parse("https://a.example/"), rules(proxies))
    assert (proxy.host if proxy else None) == host


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("https://b\xfccher.example", "https://xn--bcher-kva.example/"),
        ("https://xn--bcher-kva.example", "https://b\xfccher.example/"),
        ("https://[::1]", "https://[::1]/"),
        ("https://::1", "https://[::1]/"),
        ("all://a.example", "http://a.example:8080/"),
        ("https://a.example", "https://a.example./"),
    ],
)
def test_a_host_as_a_key(key: str, url: str):
    assert choose(parse(url), rules({key: P})) is not None


@pytest.mark.parametrize(
    "key",
    [
        *(
            "https://",
            "http://",
            "all://",
            "HTTPS",
            "htps",
            "Https",
            "https:",
            "https ",
            "",
            "*",
            "any",
            "ftp",
        ),
        *("socks", "socks5", "no", "NO_PROXY", "https_proxy", "https://a.example:443", "https://a.example/x"),
        *(
            "https://u@a.example",
            "https://a b",
            "ftp://a.example",
            "HTTPS://a.example",
            "a.example",
            "https://[::1",
        ),
        *(b"https", None, ("https", "a.example")),
    ],
)
def test_a_key_that_matches_nothing(key: object):
    with pytest.raises(ValueError, match=r'"http", "https", "all", "no_proxy".*all://') as raised:
        ConnectionPool(proxies={key: P})
    assert repr(key) in str(raised.value)


def test_a_host_that_two_keys_name():
    """The order of a mapping is no reason to go out directly."""
    for other in ("https://A.example", "https://a.example."):
        with pytest.raises(ValueError, match=r"names https://a\.example more than once"):
            ConnectionPool(proxies={"https://a.example": P, other: None})
    ConnectionPool(proxies={"https://a.example": P, "https://A.example": P}).close()


@pytest.mark.parametrize("method", ["fetch", "fetch_many", "request"])
def test_nothing_goes_out_directly_that_was_meant_for_a_proxy(make_pool: MakePool, serve: Serve, method: str):
    server = serve()
    url = server.url("/")
    pool = make_pool()
    arguments = {"fetch": [url], "fetch_many": [[url]], "request": ["GET", url]}[method]
    with pytest.raises(ValueError, match="'https://'"):  # when it is called
        getattr(pool, method)(*arguments, proxies={"https://": P})
    assert not server.log


@pytest.mark.parametrize(
    "proxies",
    [
        1,
        0,
        [],
        [P],
        ("https", P),
        {"https"},
        b"http://p",
        {"https": b"http://p"},
        {"all": 1},
        {"no_proxy": ["a"]},
    ],
)
def test_what_says_nothing_about_proxies(proxies: object):
    with pytest.raises(TypeError, match="proxies"):
        ConnectionPool(proxies=proxies)


@pytest.mark.parametrize(
    ("no_proxy", "url", "exempt"),
    [
        ("a.example", "https://b.a.example/", True),
        (".a.example", "https://a.example/", True),
        ("*.a.example", "https://b.a.example/", True),
        ("*.a.example", "https://a.example/", True),
        ("A.EXAMPLE", "https://a.example/", True),
        ("a.example", "https://A.EXAMPLE/", True),
        ("a.example.", "https://a.example./", True),
        (".a.example.", "https://b.a.example/", True),
        ("a.example.:443", "https://a.example/", True),
        ("a.example:443", "https://a.example/", True),
        ("a.example:0443", "https://a.example/", True),
        ("a.example:", "https://a.example/", True),
        ("a.example:https", "https://a.example/", False),
        ("ba.example", "https://a.example/", False),
        ("a.example", "https://ba.example/", False),
        ("B\xdcCHER.example", "https://b\xfccher.example/", True),
        ("*.b\xfccher.example", "https://a.b\xfccher.example/", True),
        ("b\xfccher.example:8443", "https://b\xfccher.example:8443/", True),
        ("xn--bcher-kva.example", "https://b\xfccher.example/", True),
        ("b\xfccher.example", "https://xn--bcher-kva.example/", True),
        (" b.example ,\ta.example\n", "https://a.example/", True),
        ("b.example a.example", "https://a.example/", True),
        (",,", "https://a.example/", False),
        (".", "https://a.example/", False),
        (". *", "https://a.example/", True),
        ("10.0.0.1", "https://10.0.0.1/", True),
        ("10.0.0.1:443", "https://10.0.0.1/", True),
        ("10.0.0.1:8443", "https://10.0.0.1/", False),
        ("10.0.0.0/8:443", "https://10.0.0.1/", True),
        ("10.0.0.0/255.0.0.0", "https://10.0.0.1/", True),
        ("0.0.1", "https://10.0.0.1/", False),
        ("::1", "https://[::1]/", True),
        ("::1", "https://[0:0::1]:8443/", True),
        ("[::1]", "https://[::1]:8443/", True),
        ("[0:0::1]:443", "https://[::1]/", True),
        ("fe80::/10", "https://[fe80::1%25eth0]/", True),
        ("[fe80::]/10", "https://[fe80::1]/", True),
        ("[fe80::]/10:443", "https://[fe80::1]:8443/", False),
        ("fe80::1%eth0", "https://[fe80::1%25eth0]/", True),
        ("10.0.0.0/8", "https://[::ffff:10.0.0.1]/", True),
        ("::ffff:10.0.0.1", "https://[::ffff:10.0.0.1]/", True),
        ("fe80::/10", "https://a.example/", False),
    ],
)
def test_hosts_that_are_asked_directly(no_proxy: str, url: str, exempt: bool):
    assert (choose(parse(url), rules({"all": P, "no_proxy": no_proxy})) is None) == exempt


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://proxy.example", "https://proxy.example", "http://", "http://p:x", "://p", "http://p:99999"),
        *("http://a b:1", "http://a\r\nb:1", "http://a\0b", "http://[::1", "http://:3128", "p:secret@:1"),
    ],
)
def test_what_is_no_proxy(url: str):
    for proxies in (url, {"http": url}):
        with pytest.raises(InvalidURL) as raised:
            ConnectionPool(proxies=proxies)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("scheme", "port"),
    [("http", 80), ("socks4", 1080), ("socks4a", 1080), ("socks5", 1080), ("socks5h", 1080)],
)
def test_the_port_that_is_meant(scheme: str, port: int):
    proxy = choose(parse("https://a.example/"), rules(f"{scheme}://proxy.example"))
    assert proxy is not None
    assert (proxy.scheme, proxy.host, proxy.port) == (scheme, "proxy.example", port)


def test_a_proxys_password_is_not_shown():
    proxy = choose(parse("https://a.example/"), rules("http://user:secret@proxy.example"))
    assert proxy is not None
    assert "secret" not in repr(proxy)
    assert proxy.authorization == "Basic dXNlcjpzZWNyZXQ="
    assert proxy.port == 80


@pytest.mark.parametrize(("alpn", "version"), [("h2", "HTTP/2"), ("http/1.1", "HTTP/1.1")])
def test_https_by_a_tunnel(make_pool: MakePool, serve: Serve, alpn: str, version: str):
    server = serve(alpn=(alpn,))
    with Proxy() as proxy:
        pool = make_pool(proxies=proxy.url("user:secret"))
        for _ in range(3):
            response = pool.fetch(server.url("/report"))
            assert response.http_version == version
            seen = response.json()
            assert seen["authority"] == f"localhost:{server.port}"
            assert "proxy-authorization" not in dict(seen["headers"])
        [lines] = proxy.seen
        assert lines[0].startswith("CONNECT localhost:")
        assert "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in lines
        outcomes = pool.fetch_many([server.url(f"/?{n}") for n in range(20)])
        assert [outcome.result().body for outcome in outcomes] == [b"hello"] * 20
        assert "secret" not in repr(pool) + str(pool.stats())


def test_http_in_absolute_form(make_pool: MakePool, serve: Serve):
    server = serve(secure=False)
    with Proxy() as proxy:
        pool = make_pool(proxies={"http": proxy.url("user:secret")})
        seen = pool.fetch(server.url("/report?a=b#c")).json()
        assert (seen["target"], seen["authority"]) == ("/report?a=b", f"localhost:{server.port}")
        [lines] = proxy.seen
        assert lines[0] == f"GET {server.url('/report?a=b')} HTTP/1.1"
        assert "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in lines


def test_a_zone_is_not_told(make_pool: MakePool):
    """It names an interface of this machine (RFC 9844)."""
    with Proxy(refuse=b"403 Forbidden") as proxy:
        assert make_pool(proxies=proxy.url()).fetch("http://[fe80::1%25lo]:8080/x").status == 403
        with pytest.raises(OSError, match="403"):
            make_pool(proxies=proxy.url(), retries=0).fetch("https://[fe80::1%25lo]/")
    assert proxy.seen[0][0] == "GET http://[fe80::1]:8080/x HTTP/1.1"
    assert proxy.seen[1][0].startswith("CONNECT [fe80::1]:443 ")
    assert "lo" not in "".join(line.partition("Host:")[2] for line in proxy.seen[0])


def test_by_the_environment_but_for_no_proxy(
    monkeypatch: pytest.MonkeyPatch, make_pool: MakePool, server: Server
):
    pool = make_pool()
    with Proxy() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url())
        assert pool.fetch(server.url("/")).body == b"hello"
        assert len(proxy.seen) == 1
        assert [one.result().body for one in pool.fetch_many([server.url("/")])] == [b"hello"]
        assert len(proxy.seen) == 1, "the connection through the proxy is used again"
        monkeypatch.setenv("no_proxy", "localhost")
        assert pool.fetch(server.url("/")).body == b"hello"
        assert len(proxy.seen) == 1
        assert len(pool.stats()["origins"]) == 2


def test_a_proxy_that_refuses(make_pool: MakePool, server: Server):
    with Proxy(refuse=b"407 Proxy Authentication Required") as proxy:
        pool = make_pool(proxies=proxy.url(), retries=0)
        with pytest.raises(OSError, match="407 Proxy Authentication Required"):
            pool.fetch(server.url("/"))
        [outcome] = pool.fetch_many([server.url("/")])
        assert isinstance(outcome.error, OSError)
    assert not server.log


@pytest.mark.parametrize("options", [{"timeout": 0.3}, {"timeout": 30, "deadline": 0.3}])
def test_a_proxy_whose_answer_drips(make_pool: MakePool, serve: Serve, options: dict[str, float]):
    server = serve()
    with Proxy(answer=drip) as proxy:
        pool = make_pool(proxies=proxy.url(), retries=0)
        with pytest.raises(TimeoutError):
            pool.fetch(server.url("/"), **options)
        [outcome] = pool.fetch_many([server.url("/")], **options)
        assert isinstance(outcome.error, TimeoutError)
    assert not server.log


def test_the_deadline_holds_for_all_steps_to_an_origin_together(make_pool: MakePool, serve: Serve):
    """The answer to CONNECT takes most of the time; what is left is the handshake's."""
    server = serve()
    silent = threading.Event()

    def answer(sock: socket.socket) -> None:
        silent.wait(0.2)
        sock.sendall(GRANTED)
        sock.recv(65536)  # the ClientHello
        silent.wait(0.4)  # then the tunnel works: longer than what is left, shorter than a step
        sock.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # a TLS alert, handshake_failure

    with Proxy(answer=answer) as proxy:
        pool = make_pool(proxies=proxy.url(), retries=0)
        with pytest.raises(TimeoutError):
            pool.fetch(server.url("/"), timeout=30, deadline=0.5)


def test_a_proxy_that_is_not_there(make_pool: MakePool, server: Server):
    with Proxy() as proxy:
        url = proxy.url()
    with pytest.raises(ConnectionRefusedError):
        make_pool(proxies=url, retries=0).fetch(server.url("/"))
