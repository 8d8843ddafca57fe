"""What goes wrong is what goes wrong with requests' own adapter: its classes, and its texts."""

import contextlib
import io
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from http.client import HTTPException

import pytest
import requests
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3.util import Retry, Timeout

from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.testing.server import Exchange, Request, Response, Server, streaming
from tests.conftest import Serve
from tests.connect_proxy import Proxy, drip

from .conftest import MakeSession


def failure(call: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def same(make_session: MakeSession, call: Callable[[Session], object], *, text: bool = True) -> Exception:
    """Check that a call fails in the same way over both adapters; returns the failure."""
    ours = failure(lambda: call(make_session()))
    theirs = failure(lambda: call(make_session(HTTPAdapter())))
    assert type(ours) is type(theirs)
    if text:
        assert re.sub("0x[0-9a-f]+", "", str(ours)) == re.sub("0x[0-9a-f]+", "", str(theirs))
    return ours


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_refused(make_session: MakeSession):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for scheme in ("https", "http"):
        error = same(make_session, lambda session: session.get(f"{scheme}://localhost:{port}/path?q"))  # noqa: B023
        assert isinstance(error, requests.ConnectionError)
        assert "Max retries exceeded with url: /path?q" in str(error)


def test_unknown_name(make_session: MakeSession, monkeypatch: pytest.MonkeyPatch):
    def resolve(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    error = same(make_session, lambda session: session.get("https://nowhere.invalid/"))
    assert "NameResolutionError" in str(error)
    same(make_session, lambda session: session.get("https://nowhere.invalid./"))


def test_what_cannot_be_a_name(make_session: MakeSession):
    error = same(make_session, lambda session: session.get(f"https://{'a' * 64}.example/"))
    assert isinstance(error, ValueError)


def test_connecting_takes_too_long(make_session: MakeSession, monkeypatch: pytest.MonkeyPatch):
    def never(self: socket.socket, _: object) -> int:
        raise TimeoutError

    def under_way(self: socket.socket, _: object) -> int:
        return 115  # EINPROGRESS

    monkeypatch.setattr(socket.socket, "connect", never)
    monkeypatch.setattr(socket.socket, "connect_ex", under_way)
    monkeypatch.setattr("hyperlite.net.happy_eyeballs._Race._await", lambda _self, _timeout: None)
    error = same(make_session, lambda session: session.get("https://localhost:1/", timeout=(0.05, 5)))
    assert isinstance(error, requests.ConnectTimeout)


def test_the_handshake_takes_too_long(make_session: MakeSession, silent: int):
    error = same(make_session, lambda session: session.get(f"https://localhost:{silent}/", timeout=0.05))
    assert isinstance(error, requests.ReadTimeout)


@pytest.mark.parametrize("timeout", [0.05, (10, 0.05), Timeout(read=0.05), Timeout(total=0.05)])
def test_the_answer_takes_too_long(make_session: MakeSession, server: Server, timeout: object):
    text = not isinstance(timeout, Timeout) or timeout.total is None
    error = same(make_session, lambda session: session.get(server.url("/slow"), timeout=timeout), text=text)
    assert isinstance(error, requests.ReadTimeout)


@pytest.mark.parametrize("timeout", [Fraction(1, 20), (10, Decimal("0.05")), Timeout(read=Decimal("0.05"))])
@pytest.mark.parametrize("body", [b"short", b"in a file, which goes another way"])
def test_a_timeout_is_any_number(session: requests.Session, server: Server, timeout: object, body: bytes):
    """urllib3's own connections have a TypeError for these."""
    session.get(server.url("/"))  # a busy machine may not connect in so short a time
    with pytest.raises(requests.ReadTimeout):
        data = io.BytesIO(body) if b"file" in body else body
        session.post(server.url("/slow"), data=data, timeout=timeout)


def test_a_certificate_that_is_not_trusted(make_session: MakeSession, serve: Serve):
    server = serve()
    error = same(make_session, lambda session: session.get(server.url("/"), verify=True))
    assert isinstance(error, requests.exceptions.SSLError)


@pytest.mark.parametrize(
    "options", [{"verify": "/nowhere"}, {"cert": "/nowhere"}, {"cert": ("/nowhere", "/n")}]
)
def test_files_that_are_not_there(make_session: MakeSession, serve: Serve, options: dict[str, object]):
    server = serve()
    assert isinstance(same(make_session, lambda session: session.get(server.url("/"), **options)), OSError)


def test_wrong_arguments(make_session: MakeSession):
    for url in ("http://*example.com", "http://", "nothing", "ftp://localhost/", "https:///path"):
        same(make_session, lambda session: session.get(url))  # noqa: B023
    same(make_session, lambda session: session.get("https://localhost/", timeout=(1, 2, 3)))
    same(make_session, lambda session: session.get("https://localhost/", headers={"a": "b\r\nc"}))


@pytest.mark.parametrize("head", [b"content-length: 10", b"transfer-encoding: chunked"])
def test_a_body_that_is_cut_off(make_session: MakeSession, head: bytes):
    """Its text has hyperlite's own words."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as sock:
                        sock.recv(65536)
                        sock.sendall(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n5\r\n123" % head)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://localhost:{listener.getsockname()[1]}/"
        error = same(make_session, lambda session: session.get(url), text=False)
        assert isinstance(error, requests.exceptions.ChunkedEncodingError)
        listener.shutdown(socket.SHUT_RDWR)


@streaming
def breaking_off(exchange: Exchange) -> None:
    """Break off in the middle of a body; with a length for `?n=`."""
    length = exchange.request.query.get("n")
    exchange.start(200, [("content-length", length[0])] if length else [])
    exchange.send(b"x" * 50_000)
    exchange.reset()


@pytest.mark.parametrize("target", ["/?n=60000", "/?n=500000", "/"])
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_body_that_is_cut_off_stays_so(session: Session, serve: Serve, target: str, alpn: str):
    """A caller that asks for it again does not get an empty one."""
    server = serve(routes=breaking_off, alpn=(alpn,))
    response = session.get(server.url(target), stream=True)
    for _ in range(2):
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            _ = response.content
    response = session.get(server.url(target), stream=True)
    response.close()
    assert response.content == b"", "the caller has closed it"


def test_a_connection_that_breaks(make_session: MakeSession):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as sock:
                        sock.recv(65536)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://localhost:{listener.getsockname()[1]}/"
        error = same(make_session, lambda session: session.post(url, data=b"x"), text=False)
        assert isinstance(error, requests.ConnectionError)
        assert "Connection aborted." in str(error)
        assert isinstance(error.args[0].args[1], HTTPException)
        listener.shutdown(socket.SHUT_RDWR)


def test_conflicting_lengths(session: Session, serve: Serve):
    two = [("content-length", "5"), ("content-length", "6")]
    server = serve(routes={"/": lambda _: Response(headers=two, body=b"hello")}, alpn=("http/1.1",))
    with pytest.raises(requests.exceptions.InvalidHeader):
        session.get(server.url("/"))


def test_a_body_that_is_no_gzip(make_session: MakeSession, server: Server, serve: Serve):
    server = serve(routes={"/": lambda _: Response(headers=[("content-encoding", "gzip")], body=b"none")})
    error = same(make_session, lambda session: session.get(server.url("/")))
    assert isinstance(error, requests.exceptions.ContentDecodingError)


def test_a_body_that_comes_too_late(make_session: MakeSession, serve: Serve):
    @streaming
    def stalls(exchange: Exchange) -> None:
        exchange.start(200, [("content-length", "10")])
        exchange.send(b"12345")
        over.wait(10)

    over = threading.Event()
    server = serve(routes={"/": stalls})
    try:
        error = same(make_session, lambda session: session.get(server.url("/"), timeout=0.5))
        assert isinstance(error, requests.ConnectionError)
        assert "Read timed out." in str(error)
    finally:
        over.set()


def test_retries_after_statuses(make_session: MakeSession, serve: Serve):
    counts = {"GET": 0, "POST": 0}

    def unavailable(request: Request) -> Response:
        counts[request.method] += 1
        return Response(503 if counts[request.method] % 3 else 200, headers=[("retry-after", "0")])

    server = serve(routes={"/": unavailable})
    session = make_session(HTTP20Adapter(max_retries=Retry(total=2, status_forcelist=[503])))
    response = session.get(server.url("/"))
    assert response.status_code == 200
    assert [one.status for one in response.raw.retries.history] == [503, 503]
    assert session.post(server.url("/")).status_code == 503, "not idempotent"
    adapter = HTTP20Adapter(max_retries=Retry(total=1, status_forcelist=[503], backoff_factor=0))
    error = failure(lambda: make_session(adapter).get(server.url("/")))
    assert isinstance(error, requests.exceptions.RetryError)
    assert "too many 503 error responses" in str(error)
    assert server.connections == 2


def test_retries_after_refusals(make_session: MakeSession):
    tries = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    class Noted(Retry):
        def increment(self, *arguments: object, **options: object) -> Retry:
            tries.append(options["error"])
            return super().increment(*arguments, **options)

    session = make_session(HTTP20Adapter(max_retries=Noted(total=2, backoff_factor=0)))
    assert isinstance(failure(lambda: session.get(f"https://localhost:{port}/")), requests.ConnectionError)
    assert len(tries) == 3


def test_a_number_of_retries(session: Session, make_session: MakeSession):
    assert make_session(HTTP20Adapter(max_retries=3)).get_adapter("https://").max_retries.total == 3


def test_a_proxy_that_refuses(make_session: MakeSession, serve: Serve):
    server = serve()
    with Proxy(refuse=b"407 Proxy Authentication Required") as proxy:
        proxies = {"https": proxy.url()}
        error = same(make_session, lambda session: session.get(server.url("/"), proxies=proxies))
        assert isinstance(error, requests.exceptions.ProxyError)
        assert "407 Proxy Authentication Required" in str(error)


def test_a_proxy_whose_answer_drips(make_session: MakeSession, serve: Serve):
    """What urllib3 would wait for as long as bytes come is a timeout here, of the same class."""
    server = serve()
    with Proxy(answer=drip) as proxy, pytest.raises(requests.exceptions.Timeout):
        make_session().get(server.url("/"), proxies={"https": proxy.url()}, timeout=0.3)
    assert not server.log


@pytest.mark.parametrize("name", ["X", "X: a\r\nY"])
def test_a_header_field_for_a_proxy_that_holds_another(make_session: MakeSession, serve: Serve, name: str):
    server = serve()

    class Adapter(HTTP20Adapter):
        def proxy_headers(self, proxy: str) -> dict[str, str]:
            return {name: "a\r\nProxy-Authorization: Basic YTpi"}

    with Proxy() as proxy, pytest.raises(ValueError, match="Invalid header"):
        make_session(Adapter()).get(server.url("/"), proxies={"https": proxy.url()})
    assert not proxy.seen


def test_a_proxy_that_is_not_there(make_session: MakeSession, serve: Serve):
    server = serve()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxies = dict.fromkeys(("https", "http"), f"http://127.0.0.1:{listener.getsockname()[1]}")
    for url in (server.url("/"), "http://localhost:1/"):
        error = same(make_session, lambda session: session.get(url, proxies=proxies))  # noqa: B023
        assert isinstance(error, requests.exceptions.ProxyError)
    same(make_session, lambda session: session.get(server.url("/"), proxies={"https": "http:///x"}))


def cut_off(make_session: MakeSession, head: bytes, ask: Callable[[Session, str], object]) -> Exception:
    """Return how a request fails whose response is cut off there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as sock:
                        sock.recv(65536)
                        sock.sendall(b"HTTP/1.1 " + head)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://localhost:{listener.getsockname()[1]}/"
        try:
            return failure(lambda: ask(make_session(), url))
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "head",
    [
        b"200 OK\r\nTransfer-Encoding: chunked\r\n",
        b"200 OK\r\nContent-Length: 5\r\nX-Half",
        b"503 Later\r\nContent-Length: 5\r\n",
    ],
)
def test_a_head_that_is_cut_off_and_has_announced_a_body(make_session: MakeSession, head: bytes):
    """It is the body that fails, as with http.client, which takes what came for all of the header block."""
    error = cut_off(make_session, head, lambda session, url: session.get(url))
    assert isinstance(error, requests.exceptions.ChunkedEncodingError)
    assert "within the header block" in str(error)

    def status(session: Session, url: str) -> None:
        with session.get(url, stream=True) as response:
            assert "X-Half" not in response.headers
            raise ValueError(response.status_code)

    assert cut_off(make_session, head, status).args == (int(head[:3]),)


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("GET", b"200 OK\r\n"),
        ("GET", b"200 OK\r\nContent-Length: 0\r\n"),
        ("GET", b"200 OK\r\nContent-Length: 5"),
        ("GET", b"200 OK\r\nTransfer-Encoding: gzip\r\n"),
        ("HEAD", b"200 OK\r\nContent-Length: 5\r\n"),
        ("GET", b"304 Not Modified\r\nContent-Length: 5\r\n"),
        ("GET", b"302 Found\r\nLocation: /elsewhere\r\nContent-Length: 5\r\n"),
        ("GET", b"103 Early Hints\r\nContent-Length: 5\r\n"),
        ("GET", b"200 O"),
    ],
)
def test_half_a_head_is_never_taken_for_a_whole_one(make_session: MakeSession, method: str, head: bytes):
    """Where no body has to fail, and would be read, the head does."""
    error = cut_off(make_session, head, lambda session, url: session.request(method, url))
    assert type(error) is requests.ConnectionError


def test_a_server_that_takes_three_requests_on_a_connection(serve: Serve, make_session: MakeSession):
    """Many threads are refused again and again, while the others get answers: that is progress."""
    server = serve(routes={"/": lambda _: Response(body=b"done")}, requests_per_connection=3)
    session = make_session()
    with ThreadPoolExecutor(50) as threads:
        bodies = threads.map(lambda n: session.post(server.url("/"), data=b"%d" % n).content, range(300))
        assert list(bodies) == [b"done"] * 300
    assert len(server.log) == 300, "none was processed twice"
