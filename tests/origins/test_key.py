"""What sets the connections to one origin apart from those to another."""

import ssl

import pytest

from hyperlite.messages.urls import parse
from hyperlite.net.proxy import Proxy
from hyperlite.origins.key import Key

PROXY = Proxy("http", "proxy.test", 3128)


def key(url: str, **options: object) -> Key:
    return Key.of(parse(url), options.pop("proxy", None), options.pop("context", None), **options)


@pytest.fixture
def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def test_the_same_origin_whatever_the_path() -> None:
    assert key("https://a.test/1?x=2") == key("https://A.test:443/3")


@pytest.mark.parametrize(
    "other",
    [
        key("http://a.test/"),
        key("https://b.test/"),
        key("https://a.test:8443/"),
        key("https://a.test/", proxy=PROXY),
        key("https://a.test/", protocols=("h2",)),
        key("https://a.test/", context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
    ],
    ids=["scheme", "host", "port", "proxy", "protocols", "context"],
)
def test_another_one(other: Key) -> None:
    assert other != key("https://a.test/")


def test_other_credentials_for_a_proxy_are_another_proxy() -> None:
    one, other = (PROXY._replace(user=user) for user in (b"name:one", b"name:other"))
    assert key("https://a.test/", proxy=one) != key("https://a.test/", proxy=other)
    assert key("https://a.test/", proxy=one) != key("https://a.test/", proxy=PROXY)


def test_what_is_changed_on_a_context_sets_it_apart(context: ssl.SSLContext) -> None:
    """A connection that was not verified serves no request that wants it verified."""
    strict = key("https://a.test/", context=context)
    assert strict == key("https://a.test/", context=context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    careless = key("https://a.test/", context=context)
    assert careless != strict
    assert key("https://a.test/", context=context, verified=True) != careless


def test_an_equal_context_is_another(context: ssl.SSLContext) -> None:
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert key("https://a.test/", context=context) != key("https://a.test/", context=other)


@pytest.mark.parametrize(
    ("url", "proxy", "forwarded"),
    [
        ("http://a.test/", PROXY, True),
        ("https://a.test/", PROXY, False),
        ("http://a.test/", Proxy("socks5", "proxy.test", 1080), False),
        ("http://a.test/", None, False),
    ],
)
def test_which_requests_name_the_whole_url(url: str, proxy: Proxy | None, forwarded: bool) -> None:
    assert key(url, proxy=proxy).is_forwarded is forwarded


def test_a_proxy_that_forwards_has_no_http2() -> None:
    with pytest.raises(ValueError, match=r"HTTP/1\.1"):
        key("http://a.test/", proxy=PROXY, protocols=("h2",))
    assert key("https://a.test/", proxy=PROXY, protocols=("h2",)).protocols == ("h2",)


@pytest.mark.parametrize(
    ("url", "protocols", "offer"),
    [
        ("https://a.test/", None, ("h2", "http/1.1")),
        ("https://a.test/", ("http/1.1",), ("http/1.1",)),
        ("https://a.test/", ("h2",), ("h2",)),
        ("http://a.test/", None, ("http/1.1",)),
        ("http://a.test/", ("h2", "http/1.1"), ("http/1.1",)),
        ("http://a.test/", ("h2",), ("h2",)),
    ],
)
def test_what_may_be_spoken(url: str, protocols: tuple[str, ...] | None, offer: tuple[str, ...]) -> None:
    assert key(url, protocols=protocols).choice().offer() == offer


@pytest.mark.parametrize(
    ("url", "port", "name"),
    [
        ("https://a.test/x", 443, "https://a.test:443"),
        ("http://a.test/x", 80, "http://a.test:80"),
        ("http://[::1]:8080/", 80, "http://[::1]:8080"),
    ],
)
def test_names(url: str, port: int, name: str) -> None:
    assert (key(url).default_port, str(key(url))) == (port, name)


def test_the_name_tells_the_proxy_and_not_its_password() -> None:
    proxied = key("https://a.test/", proxy=PROXY._replace(user=b"me:secret"))
    assert "proxy.test" in str(proxied)
    assert "secret" not in str(proxied)
