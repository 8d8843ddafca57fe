"""What a caller reads when a request fails: what was asked for, why it failed, and what can be done."""

import contextlib
import copy
import http.client
import json
import pickle
import re
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest

import hyperlite
from hyperlite import ConnectionPool, FetchError
from hyperlite.errors import as_fetch_error
from hyperlite.testing.hostile.frames import FrameFactory
from hyperlite.testing.server import Exchange, Response, streaming
from tests.conftest import MakePool, Serve
from tests.listener import Listener

Call = Callable[..., object]


class Answering(Listener):
    """Reads once from each connection, sends the same bytes on each, and hangs up."""

    def __init__(self, answer: bytes = b"", *, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        super().__init__()

    def serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            if self._tls is not None:
                self._tls.wrap_socket(sock, server_side=True).close()
                return
            sock.recv(65536)
            sock.sendall(self._answer)


def by_fetch(pool: ConnectionPool, url: str, method: str = "GET", **options: Any) -> object:
    return pool.fetch(url, method, **options)


def by_fetch_many(pool: ConnectionPool, url: str, method: str = "GET", **options: Any) -> object:
    (outcome,) = pool.fetch_many([hyperlite.FetchRequest(url, method)], **options)
    if outcome.error is not None:
        raise outcome.error
    return outcome


def by_request(pool: ConnectionPool, url: str, method: str = "GET", **options: Any) -> object:
    with pool.request(method, url, **options) as response:
        return response.body


WAYS = [by_fetch, by_fetch_many, by_request]
by_each = pytest.mark.parametrize("way", WAYS, ids=["fetch", "fetch_many", "request"])
by_both = pytest.mark.parametrize("way", WAYS[:2], ids=["fetch", "fetch_many"])


@pytest.fixture
def pool(make_pool: MakePool) -> ConnectionPool:
    return make_pool(retries=0, proxies=False)


def failure(kind: type[Exception], call: Callable[[], object], url: str, method: str = "GET") -> Exception:
    """Return the error of a call, which is of this class and says what it was about."""
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    assert isinstance(error, FetchError)
    parts = http.client.urlsplit(url)
    assert (error.url, error.method) == (url, method)
    assert (error.host, error.port) == (
        parts.hostname,
        parts.port or {"http": 80, "https": 443}[parts.scheme],
    )
    assert type(error).__name__ == kind.__name__
    assert type(error).__module__ == kind.__module__
    others = [copy.copy(error)]
    if not isinstance(error, hyperlite.RedirectError):
        others.append(pickle.loads(pickle.dumps(error)))
    for other in others:
        assert type(other) is type(error)
        assert (str(other), other.args) == (str(error), error.args)
        assert (other.url, other.port) == (error.url, error.port)
        assert getattr(other, "errno", None) == getattr(error, "errno", None)
    return error


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


# -- connecting -----------------------------------------------------------------------------------


@by_each
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refusal(pool: ConnectionPool, way: Call, scheme: str):
    port = free_port()
    url = f"{scheme}://127.0.0.1:{port}/x"
    error = failure(ConnectionRefusedError, lambda: way(pool, url), url)
    assert str(error) == f"cannot connect to 127.0.0.1:{port}: connection refused"
    assert error.args == (111, "Connection refused")
    assert isinstance(error, OSError)
    assert error.errno == 111
    assert error.strerror == "Connection refused"


@by_each
def test_a_name_that_is_unknown(pool: ConnectionPool, way: Call, monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    url = "https://nosuch.example/"
    error = failure(socket.gaierror, lambda: way(pool, url), url)
    assert str(error) == "cannot connect to nosuch.example:443: name or service not known"


@by_each
def test_a_proxy_that_refuses(pool: ConnectionPool, way: Call):
    port = free_port()
    url = "https://example.org/"
    for scheme in ("http", "socks5"):
        proxies = f"{scheme}://user:s3cret@127.0.0.1:{port}"
        error = failure(ConnectionRefusedError, lambda proxies=proxies: way(pool, url, proxies=proxies), url)
        assert str(error) == (
            f"cannot connect to the proxy 127.0.0.1:{port}, for example.org:443: connection refused"
        )


@by_each
def test_a_proxy_that_wants_another_password(pool: ConnectionPool, way: Call):
    with Answering(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n") as proxy:
        proxies, url = f"http://user:s3cret@127.0.0.1:{proxy.port}", "https://example.org/"
        error = failure(OSError, lambda: way(pool, url, proxies=proxies), url)
    assert str(error) == (
        f"cannot connect to example.org:443 by way of http://127.0.0.1:{proxy.port}: "
        "Tunnel connection failed: 407 No"
    )


@by_each
@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            ssl.SSLError,
            "the port does not speak TLS (use an http:// URL)",
        ),
        (
            b"",
            ssl.SSLEOFError,
            "the server hung up during the TLS handshake (if it does not speak TLS, use an http:// URL)",
        ),
    ],
    ids=["in HTTP", "by hanging up"],
)
def test_tls_to_a_port_that_answers(
    pool: ConnectionPool, way: Call, answer: bytes, kind: type[Exception], why: str
):
    with Answering(answer) as listener:
        url = f"https://127.0.0.1:{listener.port}/"
        error = failure(kind, lambda: way(pool, url), url)
    assert str(error) == f"cannot connect to 127.0.0.1:{listener.port}: {why}"


@by_each
def test_tls_to_a_port_that_is_silent(pool: ConnectionPool, way: Call):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        url = f"https://127.0.0.1:{port}/"
        error = failure(TimeoutError, lambda: way(pool, url, timeout=0.05), url)
    assert str(error) == (
        f"cannot connect to 127.0.0.1:{port}: the TLS handshake timed out "
        "(if the port does not speak TLS, use an http:// URL)"
    )


@by_each
def test_http2_that_is_not_chosen(pool: ConnectionPool, way: Call, serve: Serve):
    server = serve(alpn=("http/1.1",))
    url = server.url("/")
    error = failure(hyperlite.NotHTTP2, lambda: way(pool, url, protocols=("h2",)), url)
    assert str(error) == (
        f"cannot connect to localhost:{server.port}: "
        'the server does not choose HTTP/2, and protocols=("h2",) allows nothing else'
    )


# -- asking ---------------------------------------------------------------------------------------


@streaming
def slow(_: Exchange) -> None:
    time.sleep(1.0)


@streaming
def stuck(exchange: Exchange) -> None:
    exchange.start(200, [("content-length", "100")])
    exchange.send(b"x")
    time.sleep(1.0)


ROUTES = {
    "/slow": slow,
    "/stuck": stuck,
    "/gzip": lambda _: Response(headers=[("content-encoding", "gzip")], body=b"nope"),
    "/large": lambda _: Response(body=bytes(2000)),
    "/loop": lambda _: Response(302, headers=[("location", "/loop")]),
    "/away": lambda _: Response(302, headers=[("location", "ftp://user:s3cret@x/")]),
    "/html": lambda _: Response(headers=[("content-type", "text/html")], body=b"<html>"),
}
on_both = pytest.mark.parametrize("alpn", [("h2",), ("http/1.1",)], ids=["h2", "http1"])


@by_each
@on_both
def test_no_response_in_time(pool: ConnectionPool, way: Call, serve: Serve, alpn: tuple[str]):
    url = serve(routes=ROUTES, alpn=alpn).url("/slow")
    error = failure(hyperlite.RequestTimeout, lambda: way(pool, url, "DELETE", timeout=0.5), url, "DELETE")
    assert str(error) == f"DELETE {url} : no response came within 0.5 s"
    assert isinstance(error, TimeoutError)
    error = failure(hyperlite.RequestTimeout, lambda: way(pool, url, deadline=0.5), url)
    assert str(error) in {
        f"GET {url} : no response came before the deadline",
        f"GET {url} : not fetched within the deadline of 0.5 s",
    }


@by_each
@on_both
def test_no_more_of_the_body_in_time(pool: ConnectionPool, way: Call, serve: Serve, alpn: tuple[str]):
    url = serve(routes=ROUTES, alpn=alpn).url("/stuck")
    error = failure(hyperlite.RequestTimeout, lambda: way(pool, url, timeout=0.5), url)
    assert str(error) == f"GET {url} : no more of the body came within 0.5 s"


@by_both
def test_a_body_that_cannot_be_decoded(pool: ConnectionPool, way: Call, serve: Serve):
    url = serve(routes=ROUTES).url("/gzip")
    error = failure(hyperlite.DecodingError, lambda: way(pool, url), url)
    assert str(error).startswith(f"GET {url} : the body is not valid in its coding gzip: ")


@by_each
@on_both
def test_a_body_that_is_too_large(pool: ConnectionPool, way: Call, serve: Serve, alpn: tuple[str]):
    url = serve(routes=ROUTES, alpn=alpn).url("/large")
    error = failure(hyperlite.BodyTooLarge, lambda: way(pool, url, max_body=100), url)
    assert str(error).startswith(f"GET {url} : the body is longer than 100 bytes")
    assert "max_body=" in str(error)


@by_both
def test_redirects_that_are_not_followed(pool: ConnectionPool, way: Call, serve: Serve):
    server = serve(routes=ROUTES)
    url = server.url("/loop")
    error = failure(hyperlite.TooManyRedirects, lambda: way(pool, url, redirects=2), url)
    assert str(error) == f"GET {url} : another redirect, after 2 redirects (redirects=)"
    assert isinstance(error, hyperlite.RedirectError)
    assert error.response.status == 302
    url = server.url("/away")
    error = failure(hyperlite.RedirectError, lambda: way(pool, url), url)
    assert str(error).startswith(f"GET {url} : a redirect to 'ftp://…@x/', which is not followed: ")
    assert "s3cret" not in str(error)


PERHAPS_TLS = "(if the port takes TLS alone, use an https:// URL)"
GREETING = FrameFactory().settings(max_concurrent_streams=100)


@by_each
@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (GREETING, hyperlite.NotHTTP1, 'the port takes HTTP/2 alone: pass protocols=("h2",)'),
        (
            b"\x15\x03\x01\x00\x02\x02\x46",
            hyperlite.NotHTTP1,
            "the port takes TLS alone: use an https:// URL",
        ),
        (
            b"",
            hyperlite.ConnectionLost,
            f"the server closed the connection without a response {PERHAPS_TLS}",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            hyperlite.MalformedResponse,
            "malformed response: content-length b'x'",
        ),
        (b"hello\r\n", http.client.BadStatusLine, r"the answer is no HTTP, and begins with 'hello\r\n'"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12345",
            hyperlite.IncompleteBody,
            "the connection ended after 5 of 9 bytes of the body",
        ),
    ],
    ids=["h2c", "tls", "nothing", "malformed", "no http", "short"],
)
def test_an_answer_that_is_none(
    pool: ConnectionPool, way: Call, answer: bytes, kind: type[Exception], text: str
):
    with Answering(answer) as listener:
        url = f"http://127.0.0.1:{listener.port}/"
        error = failure(kind, lambda: way(pool, url), url)
    assert str(error) == f"GET {url} : {text}"


@by_each
def test_http2_insisted_on_where_there_is_none(pool: ConnectionPool, way: Call):
    with Answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as listener:
        url = f"http://127.0.0.1:{listener.port}/"
        error = failure(hyperlite.NotHTTP2, lambda: way(pool, url, protocols=("h2",)), url)
    assert str(error).startswith(f"GET {url} : ")
    assert str(error).endswith('; protocols=("h2",) allows nothing else')


def test_a_body_that_is_no_json(pool: ConnectionPool, serve: Serve):
    url = serve(routes=ROUTES).url("/html")
    response = pool.fetch(url)
    error = failure(json.JSONDecodeError, response.json, url)
    assert str(error) == f"GET {url} : the body is no JSON: Expecting value: line 1 column 1 (char 0)"


def test_a_streamed_body_that_fails(pool: ConnectionPool, serve: Serve):
    url = serve(routes=ROUTES).url("/stuck")
    with pool.fetch(url, stream=True, timeout=0.5) as response:
        error = failure(hyperlite.RequestTimeout, lambda: list(response), url)
        assert str(error) == f"GET {url} : no more of the body came within 0.5 s"
        assert str(failure(hyperlite.RequestTimeout, lambda: response.body, url)) == str(error)


# -- what is left as it is ------------------------------------------------------------------------


class OwnError(OSError):
    """An error of the program."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(one, two, "three")


@by_both
def test_an_error_of_the_program_stays_the_same_object(pool: ConnectionPool, way: Call, serve: Serve):
    mine = OwnError(1, 2)

    def body() -> Any:
        yield b"x"
        raise mine

    url = serve().url("/echo")
    with pytest.raises(OwnError) as caught:
        pool.fetch(url, "POST", body=body())
    assert caught.value is mine
    (outcome,) = pool.fetch_many([hyperlite.FetchRequest(url, "POST", body=body())])
    assert outcome.error is mine


def test_below_the_pool_the_texts_are_as_they_were():
    conn = hyperlite.HTTP20Connection("127.0.0.1", free_port(), timeout=5)
    with pytest.raises(ConnectionRefusedError, match=re.escape("[Errno 111] Connection refused")) as caught:
        conn.request("GET", "/")
    assert not isinstance(caught.value, FetchError)


@pytest.mark.parametrize(
    "url", ["https://user:s3cret@host:99999/", "https://user:s3/cret@host/", "https://user:s3cret@h\n/"]
)
def test_no_password_shows(pool: ConnectionPool, url: str):
    with pytest.raises(http.client.InvalidURL) as caught:
        pool.fetch(url)
    assert "cret" not in str(caught.value)
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "Connection reset by peer"),
        FileNotFoundError(2, "No such file or directory", "name"),
        ssl.SSLError(1, "[SSL] text"),
        http.client.IncompleteRead(b"abc", 5),
        http.client.LineTooLong("header line"),
        http.client.RemoteDisconnected("text"),
        http.client.BadStatusLine("line"),
        json.JSONDecodeError("text", "document", 3),
        hyperlite.StreamReset("text", error_code=8, stream_id=3, retry_safe=True),
        hyperlite.BodyReset("text", partial=b"abc", expected=4),
        hyperlite.InadequateSecurity("text"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fetch_error_has_all_that_its_other_class_has(error: Exception):
    about = {"url": "https://a/", "method": "GET", "host": "a", "port": 443, "stage": "asking"}
    made = as_fetch_error(error, "said", **about)  # type: ignore[arg-type]
    again = pickle.loads(pickle.dumps(made))
    for one in (made, again, copy.deepcopy(made)):
        assert isinstance(one, type(error))
        assert (str(one), one.args) == ("said", error.args)
        assert vars(error).items() <= vars(one).items()
        assert about.items() <= vars(one).items()
        if isinstance(error, OSError):
            assert (one.errno, one.strerror, one.filename) == (error.errno, error.strerror, error.filename)


class FurtherError(FetchError):
    """An error of a program that takes FetchError for a base."""


@pytest.mark.parametrize("kind", [FetchError, FurtherError])
def test_a_fetch_error_that_a_program_makes(kind: type[FetchError]):
    error = kind("text", 5)
    for one in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(one) is kind
        assert (str(one), one.args) == ("('text', 5)", ("text", 5))


@by_each
def test_a_proxy_with_an_address_of_ipv6(pool: ConnectionPool, way: Call):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
    url = "https://example.org/"
    error = failure(ConnectionRefusedError, lambda: way(pool, url, proxies=f"http://[::1]:{port}"), url)
    assert str(error) == f"cannot connect to the proxy [::1]:{port}, for example.org:443: connection refused"
