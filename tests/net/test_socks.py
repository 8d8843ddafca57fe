"""SOCKS proxies: what they are told, what they answer, and how long that may take."""

import socket
import threading
from collections.abc import Callable
from http.client import InvalidURL
from typing import Any

import pytest

from hyperlite.net import socks
from hyperlite.net.proxy import Proxy
from hyperlite.testing.server import Server
from tests.conftest import MakePool, Serve
from tests.socks_proxy import SocksProxy, drip

SCHEMES = ["socks4", "socks4a", "socks5", "socks5h"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_by_socks(make_pool: MakePool, server: Server, scheme: str):
    with SocksProxy() as proxy:
        pool = make_pool(proxies=proxy.url(scheme))
        for _ in range(2):
            assert pool.fetch(server.url("/")).body == b"hello"
        assert [one.result().body for one in pool.fetch_many([server.url("/")])] == [b"hello"]
    assert len([piece for piece in proxy.seen if len(piece) > 1]) == 1, "one connection for all"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_in_cleartext(make_pool: MakePool, serve: Serve, scheme: str):
    server = serve(secure=False)
    with SocksProxy() as proxy:
        assert make_pool(proxies=proxy.url(scheme)).fetch(server.url("/")).body == b"hello"


def _ask(proxy: SocksProxy, scheme: str, host: str, user: bytes | None = None, **options: Any) -> None:
    """Connect to a port that is open, by way of a proxy, and leave."""
    with socket.create_server(("127.0.0.1", 0)) as far:
        connect = socks.through(Proxy(scheme, "127.0.0.1", proxy.port, user))
        connect((host, far.getsockname()[1]), options.pop("timeout", 10)).close()


@pytest.mark.parametrize(
    ("scheme", "host", "told"),
    [
        ("socks5h", "name.test", b"\3\x09name.test"),
        ("socks5h", "b\xfccher.test", b"\3\x12xn--bcher-kva.test"),
        ("socks5h", "127.0.0.2", b"\1\x7f\0\0\2"),
        ("socks5h", "::1", b"\4" + bytes(15) + b"\1"),
        ("socks5h", "fe80::1%eth0", b"\4\xfe\x80" + bytes(13) + b"\1"),
        ("socks5", "127.0.0.2", b"\1\x7f\0\0\2"),
        ("socks4", "127.0.0.2", b"\x7f\0\0\2\0"),
        ("socks4", "localhost", b"\x7f\0\0\1\0"),
        ("socks4a", "name.test", b"\0\0\0\1\0name.test\0"),
        ("socks4a", "127.0.0.2", b"\x7f\0\0\2\0"),
    ],
)
def test_the_host_that_the_proxy_is_told(scheme: str, host: str, told: bytes):
    with SocksProxy() as proxy:
        _ask(proxy, scheme, host)
    request = proxy.seen[-1]
    assert (request[:-2] if scheme.startswith("socks5") else request[4:]) == told


@pytest.mark.parametrize(
    ("user", "methods"), [(None, b"\0"), (b"me:secret", b"\0\2"), (b"me:", b"\0\2"), (b":", b"\0")]
)
def test_what_a_proxy_is_offered(user: bytes | None, methods: bytes):
    with SocksProxy() as proxy:
        _ask(proxy, "socks5h", "name.test", user)
    assert proxy.seen[0] == methods


def test_a_name_is_looked_up_when_the_proxy_has_answered():
    """As PySocks does it: a proxy that is asked for a name without an address has been asked all the same."""
    with SocksProxy() as proxy, pytest.raises(socket.gaierror):
        _ask(proxy, "socks5", "no-such-host.invalid")
    assert proxy.seen[0] == b"\0"


def test_name_and_password(make_pool: MakePool, serve: Serve):
    server = serve()
    with SocksProxy(users=(b"me", b"s:\xc3\xa9")) as proxy:
        pool = make_pool(proxies=proxy.url("socks5h", "me:s%3a%c3%a9"), retries=0)
        assert pool.fetch(server.url("/")).body == b"hello"
        for credentials, what in [("me:wrong", "refused the user name"), ("", "another authentication")]:
            with pytest.raises(OSError, match=what):
                pool.fetch(server.url("/"), proxies=proxy.url("socks5h", credentials))
    with SocksProxy() as proxy:
        _ask(proxy, "socks4", "127.0.0.1", b"me:secret")
    assert proxy.seen[0].endswith(b"me\0")
    assert b"secret" not in proxy.seen[0]


@pytest.mark.parametrize(
    ("scheme", "host", "user"),
    [
        ("socks5", "127.0.0.1", b"u" * 256 + b":p"),
        ("socks5h", "name.test", b"u:" + b"p" * 256),
        ("socks5h", "h" * 256, None),
        ("socks4", "127.0.0.1", b"me\0\0evil.test\0:"),
        ("socks4", "127.0.0.1", b"u" * 256),
        ("socks4a", "evil\0.test", None),
        ("socks5h", "evil\r\n.test", None),
    ],
)
def test_what_may_not_be_sent(scheme: str, host: str, user: bytes | None):
    """A text that is longer than its count, or has an end of its own, would be read as something else."""
    with SocksProxy() as proxy, pytest.raises((ValueError, InvalidURL)):
        _ask(proxy, scheme, host, user)
    assert not proxy.seen


@pytest.mark.parametrize(
    ("scheme", "options", "error"),
    [
        ("socks5h", {"refusal": 5}, "refused: 0x05, connection refused"),
        ("socks5h", {"refusal": 77}, "refused: 0x4d, unknown"),
        ("socks5h", {"bound": b"\2" + bytes(4)}, "an address of kind 2"),
        ("socks4a", {"refusal": 91}, "refused: 91, rejected or failed"),
        ("socks4", {"refusal": 1}, "refused: 1, unknown"),
    ],
)
def test_a_proxy_that_refuses(scheme: str, options: dict[str, Any], error: str):
    with SocksProxy(**options) as proxy, pytest.raises(OSError, match=error):
        _ask(proxy, scheme, "127.0.0.1")


@pytest.mark.parametrize("bound", [b"\3\x09name.test", b"\4" + bytes(16), b"\3\0"])
def test_any_address_in_the_answer(make_pool: MakePool, serve: Serve, bound: bytes):
    server = serve()
    with SocksProxy(bound=bound) as proxy:
        assert make_pool(proxies=proxy.url("socks5h")).fetch(server.url("/")).body == b"hello"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_no_socks_proxy(scheme: str):
    """An HTTP proxy reads on for a line, and leaves; a host that answers something else, or nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connect = socks.through(Proxy(scheme, "127.0.0.1", listener.getsockname()[1]))
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            connect(("127.0.0.1", 1), 10)
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\5"):

        def script(sock: socket.socket, answer: bytes = answer) -> None:
            sock.recv(64)
            sock.sendall(answer)

        with _Once(script) as port, pytest.raises(OSError, match="the SOCKS proxy"):
            socks.through(Proxy(scheme, "127.0.0.1", port))(("127.0.0.1", 1), 10)


class _Once:
    """A server for one connection."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self._script = script

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def _run(self) -> None:
        with self._listener.accept()[0] as sock:
            self._script(sock)

    def __exit__(self, *_: object) -> None:
        self._thread.join(5)
        self._listener.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("options", [{"timeout": 0.3}, {"timeout": 30, "deadline": 0.3}])
def test_an_answer_that_drips(make_pool: MakePool, serve: Serve, scheme: str, options: dict[str, float]):
    server = serve()
    with SocksProxy(send=drip) as proxy:
        pool = make_pool(proxies=proxy.url(scheme), retries=0)
        with pytest.raises(TimeoutError):
            pool.fetch(server.url("/"), **options)
        [outcome] = pool.fetch_many([server.url("/")], **options)
        assert isinstance(outcome.error, TimeoutError)
    assert not server.log


def test_a_proxy_that_says_nothing(make_pool: MakePool, serve: Serve):
    server = serve()
    with SocksProxy(send=lambda _sock, _data: None) as proxy, pytest.raises(TimeoutError, match="in time"):
        make_pool(proxies=proxy.url("socks5"), retries=0).fetch(server.url("/"), timeout=0.3)
