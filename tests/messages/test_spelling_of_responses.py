"""How the names of header fields are spelt, on each way to a response."""

import copy
import pickle
import urllib.request
from typing import Any

import pytest
import requests

import hyperlite
from hyperlite import client
from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.adapters.urllib import HTTP20Handler
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Connect, Serve

FIELDS = [
    ("Content-Type", "text/plain"),
    ("ETag", '"1"'),
    ("WWW-Authenticate", "Basic"),
    ("Set-Cookie", "a=1"),
    ("Set-Cookie", "b=2"),
    ("x-amz-request-id", "A"),
    ("x-goog-hash", "B"),
    ("x-ms-version", "C"),
    ("grpc-status", "0"),
    ("X-Request-Id", "D"),
    ("Content-Length", "2"),
]
LOWER = [(name.lower(), value) for name, value in FIELDS]
TRAILED = {"X-Sum": "4"}


def answer(request: Request) -> Response:
    if request.path == "/trailers":
        return Response(body=iter([b"body"]), trailers=list(TRAILED.items()))
    return Response(
        headers=FIELDS, body=b"ok", informational=[(103, [("Link", "</a>"), ("X-Early-Id", "1")])]
    )


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve(routes=answer, alpn=("h2",))


def test_a_connection(server: Server, connect: Connect) -> None:
    conn = connect(server)
    response = conn.getresponse(conn.request("GET", "/"))
    assert response.version == 20
    assert response.getheaders() == FIELDS
    assert response.headers.items() == response.headers._headers == FIELDS  # type: ignore[attr-defined]
    assert response.msg is response.headers is response.info()
    assert list(response.headers) == response.msg.keys() == [name for name, _ in FIELDS]
    assert dict(response.getheaders()).get("Content-Type") == "text/plain"
    assert str(response.headers) == "".join(f"{name}: {value}\n" for name, value in FIELDS) + "\n"
    assert response.getheader("etag") == response.headers["ETAG"] == '"1"'
    assert response.getheader("SET-COOKIE") == "a=1, b=2"
    assert [fields.items() for _, fields in response.informational] == [
        [("Link", "</a>"), ("X-Early-Id", "1")]
    ]
    for other in (copy.deepcopy(response.headers), pickle.loads(pickle.dumps(response.headers))):
        assert other.items() == FIELDS
    response.read()


def test_trailers_stay_as_they_came(server: Server, connect: Connect) -> None:
    conn = connect(server)
    response = conn.getresponse(conn.request("GET", "/trailers"))
    response.read()
    assert response.trailers.items() == [("x-sum", "4")]


def test_what_http1_servers_write_stays_as_it_came(serve: Serve, connect: Connect) -> None:
    odd = [("content-TYPE", "text/plain"), ("etag", "1"), ("X-AMZ-Id", "2")]
    server = serve(routes=lambda _: Response(headers=odd, body=iter(())), alpn=("http/1.1",))
    conn = connect(server)
    response = conn.getresponse(conn.request("GET", "/"))
    assert [field for field in response.getheaders() if field[0] != "transfer-encoding"] == odd
    with hyperlite.ConnectionPool(context=server.context()) as pool:
        assert pool.fetch(server.url("/")).headers.items()[:3] == odd


def test_the_drop_in(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
    conn.set_debuglevel(1)
    conn.request("GET", "/")
    response = conn.getresponse()
    assert response.getheaders() == response.msg.items() == FIELDS
    assert "header: Content-Type: text/plain\n" in capsys.readouterr().out
    conn.close()


def test_urllib(server: Server) -> None:
    opener = urllib.request.build_opener(HTTP20Handler(server.context()))
    with opener.open(server.url("/"), timeout=10) as response:
        assert response.info().items() == response.headers.items() == FIELDS


def test_fetch_shows_what_came(server: Server) -> None:
    with hyperlite.ConnectionPool(context=server.context()) as pool:
        for page in (
            pool.fetch(server.url("/")),
            *[outcome.response for outcome in pool.fetch_many([server.url("/")])],
        ):
            assert page is not None
            assert page.headers.items() == LOWER
            assert page.headers is page.headers
            assert page.headers["Content-Type"] == "text/plain"
            assert page.raw.getheaders() == FIELDS


@pytest.mark.parametrize("known", [True, False])
def test_requests(server: Server, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """Programs copy headers into a dict, and look for "Content-Type" there."""
    monkeypatch.setattr("hyperlite.adapters._urllib3.response._IS_KNOWN", known)
    with requests.Session() as session:
        session.mount("https://", HTTP20Adapter())
        response = session.get(server.url("/"), verify=certificates().ca_file)
        joined: dict[str, Any] = dict(FIELDS) | {"Set-Cookie": "a=1, b=2"}
        assert response.raw.version == 20
        assert dict(response.headers) == joined
        assert list(response.headers) == list(joined)
        assert list(response.raw.headers) == list(joined)
        assert response.raw.headers.getlist("set-cookie") == ["a=1", "b=2"]
        assert response.headers["content-type"] == "text/plain"
