"""fetch(): one URL at a time, on both protocols."""

import gc
import io
import json
import time
from http.client import InvalidURL

import pytest

from hyperlite import BodyTooLarge, ConnectionPool
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import ROUTES, MakePool, Serve


@streaming
def drip(exchange: Exchange) -> None:
    """Send a byte every 50 ms, for longer than any test."""
    exchange.start(200, [])
    for _ in range(400):
        exchange.send(b".")
        time.sleep(0.05)
    exchange.end()


@streaming
def long_drip(exchange: Exchange) -> None:
    """The same, with a content-length."""
    exchange.start(200, [("content-length", "400")])
    for _ in range(400):
        exchange.send(b".")
        time.sleep(0.05)
    exchange.end()


# -- what is asked, and what comes back -----------------------------------------------------------


def test_a_response(pool: ConnectionPool, server: Server):
    response = pool.fetch(server.url("/cookies#part"))
    assert response.status == 200
    assert response.reason == "OK"
    assert response.headers["X-One"] == "1"
    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert response.body == b""
    assert response.url == server.url("/cookies#part")
    assert response.history == []
    assert 0 < response.elapsed < 5
    assert response.http_version == {"h2": "HTTP/2"}.get(server.log[0][0], "HTTP/1.1")
    assert repr(response) == f"<FetchResponse 200 OK, {response.http_version}, {response.url}>"


def test_every_status_is_an_answer(pool: ConnectionPool, server: Server):
    assert pool.fetch(server.url("/missing")).body == b"no such thing"
    assert pool.fetch(server.url("/nothing")).status == 204
    assert pool.fetch(server.url("/unchanged")).status == 304


def test_what_is_sent(pool: ConnectionPool, server: Server):
    seen = pool.fetch(server.url("/report?a=b"), params={"c": "d"}, headers={"X-Y": "z"}).json()
    assert seen["target"] == "/report?a=b&c=d"
    headers = dict(seen["headers"])
    assert headers["x-y"] == "z"
    assert headers["user-agent"].startswith("hyperlite/")
    assert headers["accept-encoding"].startswith("gzip, deflate")


def test_a_callers_headers_go_before_the_pools(make_pool: MakePool, server: Server):
    pool = make_pool(headers={"User-Agent": "me", "X-Pool": "1"})
    given = [("Accept-Encoding", "identity"), ("X-Twice", "1"), ("X-Twice", "2"), ("X-None", None)]
    headers = [
        tuple(pair)
        for pair in pool.fetch(server.url("/report"), headers=given).json()["headers"]
        if pair[0] != "host"
    ]
    assert sorted(headers) == [
        ("accept-encoding", "identity"),
        ("user-agent", "me"),
        ("x-pool", "1"),
        ("x-twice", "1"),
        ("x-twice", "2"),
    ]
    seen = pool.fetch(server.url("/report"), headers={"x-pool": "2"}).json()["headers"]
    assert [value for name, value in seen if name == "x-pool"] == ["2"]


@pytest.mark.parametrize(
    ("body", "received"),
    [
        (b"bytes", "bytes"),
        ("täxt", "täxt".encode().decode("latin-1")),
        (bytearray(b"array"), "array"),
        (io.BytesIO(b"file"), "file"),
        (iter([b"pie", b"ces"]), "pieces"),
        (b"", ""),
    ],
)
def test_bodies(pool: ConnectionPool, serve: Serve, body: object, received: str):
    assert pool.fetch(serve().url("/report"), "POST", body=body).json()["body"] == received


def test_json(pool: ConnectionPool, server: Server):
    seen = pool.fetch(server.url("/report"), "POST", json={"a": ["ä", 1]}).json()
    assert json.loads(seen["body"]) == {"a": ["ä", 1]}
    assert dict(seen["headers"])["content-type"] == "application/json"
    with pytest.raises(TypeError, match="not both"):
        pool.fetch(server.url("/report"), "POST", json={}, body=b"")
    assert pool.fetch(server.url("/report"), "POST", json=None).json()["body"] == ""


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", "ä".encode(), "ä"),
        ("text/plain; charset=latin-1", b"\xe4", "ä"),
        ("text/plain; charset=utf-8", b"\xef\xbb\xbf\xc3\xa4", "ä"),
        ("text/plain; charset=nonsense", b"\xc3\xa4", "ä"),
        ("text/plain", b"\xe4", "\ufffd"),
    ],
)
def test_text(pool: ConnectionPool, serve: Serve, content_type: str, body: bytes, text: str):
    server = serve(routes={"/": lambda _: Response(headers=[("content-type", content_type)], body=body)})
    assert pool.fetch(server.url("/")).text == text


@pytest.mark.parametrize("url", ["example.org", "ftp://example.org/", "https://", "https://a b/"])
def test_what_is_no_url(pool: ConnectionPool, url: str):
    with pytest.raises(InvalidURL):
        pool.fetch(url)


def test_what_may_not_be_sent(pool: ConnectionPool, server: Server):
    with pytest.raises(ValueError):
        pool.fetch(server.url("/"), headers={"X": "a\r\nY: b"})
    with pytest.raises(ValueError):
        pool.fetch(server.url("/"), "GE T")
    with pytest.raises(TypeError, match="'colour'"):
        pool.fetch(server.url("/"), colour="red")
    assert pool.fetch(server.url("/")).body == b"hello"
    assert pool.stats()["origins"][str(server.url("")).rstrip("/")]["leased"] == 0


# -- streaming ------------------------------------------------------------------------------------


def test_streaming(pool: ConnectionPool, server: Server):
    with pool.fetch(server.url("/chunks?n=10000"), stream=True) as response:
        assert response.read(5) == b"00000"
        assert sum(map(len, response)) == 99_995
        assert response.read(10) == b""
    with pool.fetch(server.url("/chunks?n=10"), stream=True) as response:
        assert len(response.body) == 100
        assert list(response) == [response.body]
    assert server.connections == 1


def test_half_read_and_closed(pool: ConnectionPool, server: Server):
    for _ in range(5):
        with pool.fetch(server.url("/sized?n=3000000"), stream=True) as response:
            response.read(10)
    assert pool.fetch(server.url("/")).body == b"hello"
    assert "0 requests under way" in repr(pool)


def test_dropped_without_a_word(pool: ConnectionPool, server: Server):
    for _ in range(30):
        pool.fetch(server.url("/sized?n=3000000"), stream=True).read(10)
        gc.collect()
    assert pool.fetch(server.url("/")).body == b"hello"
    assert "0 requests under way" in repr(pool)


def test_too_large(make_pool: MakePool, server: Server):
    pool = make_pool(max_body=1000)
    for target in ("/sized?n=1001", "/chunks?n=101"):
        with pytest.raises(BodyTooLarge, match="max_body"):
            pool.fetch(server.url(target))
    for target in ("/sized?n=1000", "/chunks?n=100"):
        assert len(pool.fetch(server.url(target)).body) == 1000
    assert len(pool.fetch(server.url("/sized?n=1001"), max_body=1001).body) == 1001


# -- time -----------------------------------------------------------------------------------------


@pytest.fixture(params=["h2", "http/1.1"])
def slow(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(routes=ROUTES | {"/drip": drip, "/long-drip": long_drip}, alpn=(request.param,))


def test_a_timeout(pool: ConnectionPool, slow: Server):
    with pytest.raises(TimeoutError):
        pool.fetch(slow.url("/slow"), timeout=0.2)
    assert len(slow.log) == 1, "the time is over: no other try"
    assert pool.fetch(slow.url("/")).body == b"hello"


@pytest.mark.parametrize("target", ["/drip", "/long-drip", "/slow"])
def test_a_deadline(pool: ConnectionPool, slow: Server, target: str):
    with pytest.raises(TimeoutError):
        pool.fetch(slow.url(target), timeout=10, deadline=0.4)
    with pytest.raises(TimeoutError), pool.fetch(slow.url(target), deadline=0.4, stream=True) as response:
        for _ in response:
            pass
    assert pool.fetch(slow.url("/")).body == b"hello"


def test_redirects_share_a_deadline(pool: ConnectionPool, serve: Serve):
    server = serve(routes={"/": lambda _: Response(302, headers=[("location", "/")], delay=0.15)})
    with pytest.raises(TimeoutError):
        pool.fetch(server.url("/"), deadline=0.5, redirects=1000)
