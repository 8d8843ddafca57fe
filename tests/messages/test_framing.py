"""A request says once how long its body is (RFC 9110 section 8.6), in every way of asking."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

import hyperlite
from hyperlite import client
from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Server
from tests.conftest import Connect, Serve


class Pairs:
    """Headers with repeats, as some libraries have them."""

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self.pairs = pairs

    def items(self) -> Iterator[tuple[Any, Any]]:
        return iter(self.pairs)

    def __repr__(self) -> str:
        return repr(self.pairs)


CHUNKED = ("Transfer-Encoding", "chunked")
# What servers, and proxies before them, read in different ways.
DOUBTFUL: list[tuple[tuple[Any, Any], ...]] = [
    (("Content-Length", "4"), ("content-length", "5")),
    (("Content-Length", 4), (b"CONTENT-LENGTH", b"40")),
    (("Content-Length", "4"), ("X", "y"), ("Content-Length", "04"), ("Content-Length", "3")),
    (("Content-Length", "4, 4"),),
    (("Content-Length", "4, 5"),),
    (("Content-Length", "+4"),),
    (("Content-Length", "-4"),),
    (("Content-Length", "0x4"),),
    (("Content-Length", "4_0"),),
    (("Content-Length", "4 4"),),
    (("Content-Length", ""),),
    (("Content-Length", "4\r\n 4"),),
    (("Content-Length", "\u0664"),),
    (("Content-Length", "\xb2"),),
    (("Content-Length", True),),
    (("Content-Length", "1" * 20),),
    (("Content-Length", "4"), CHUNKED),
    ((b"content-length", 4), (b"TRANSFER-ENCODING", b"Chunked")),
    (CHUNKED, CHUNKED),
    (("Transfer-Encoding", "chunked, chunked"),),
    (("Transfer-Encoding", "gzip, chunked"),),
    (("Transfer-Encoding", "xchunked"),),
    (("Transfer-Encoding", "chunked;q=1"),),
    (("Transfer-Encoding", "identity"),),
    (("Transfer-Encoding", ""),),
    (("Transfer-Encoding", "gzip"), CHUNKED),
]


@pytest.mark.parametrize("pairs", DOUBTFUL, ids=repr)
def test_a_connection_sends_no_doubtful_length(
    conn: hyperlite.HTTP20Connection, server: Server, pairs: tuple[tuple[Any, Any], ...]
) -> None:
    for body in (b"body", [b"4\r\nbody\r\n0\r\n\r\n"], None):
        with pytest.raises(ValueError):
            conn.request("POST", "/report", body, Pairs(*pairs))
    with pytest.raises(ValueError):
        conn.request_many([("GET", "/report"), ("POST", "/report", b"body", Pairs(*pairs))])
    with pytest.raises(ValueError):
        conn.request("POST", "/report", headers=Pairs(*pairs), end_stream=False)
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
    assert len(server.log) == 1


def _fetch(pool: hyperlite.ConnectionPool, url: str, pairs: Any) -> None:
    pool.fetch(url, method="POST", headers=pairs, body=b"body")


def _fetch_many(pool: hyperlite.ConnectionPool, url: str, pairs: Any) -> None:
    (outcome,) = pool.fetch_many([hyperlite.FetchRequest(url, method="POST", headers=pairs, body=b"body")])
    assert outcome.error is not None
    raise outcome.error


@pytest.mark.parametrize("way", [_fetch, _fetch_many])
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
@pytest.mark.parametrize("pairs", [DOUBTFUL[0], DOUBTFUL[16], DOUBTFUL[20]], ids=repr)
def test_a_pool_sends_no_doubtful_length(
    serve: Serve, way: Callable[..., None], alpn: str, pairs: tuple[tuple[Any, Any], ...]
) -> None:
    server = serve(alpn=(alpn,))
    with hyperlite.ConnectionPool(verify=certificates().ca_file, timeout=10, retries=2) as pool:
        with pytest.raises(ValueError, match=r"content-length|transfer-encoding"):
            way(pool, server.url("/report"), list(pairs))
        assert pool.fetch(server.url("/")).body == b"hello"
    assert len(server.log) == 1


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        (b"Content-Length", "5", b"body"),  # requests has one of its own
        ("Content-Length", "4", iter([b"body"])),  # requests announces chunks
        ("Transfer-Encoding", "gzip, chunked", b"body"),
    ],
    ids=["two lengths", "a length and chunks", "another coding"],
)
def test_the_adapter_of_requests_sends_no_doubtful_length(
    serve: Serve, alpn: str, name: Any, value: str, data: Any
) -> None:
    server = serve(alpn=(alpn,))
    with requests.Session() as session:
        session.mount("https://", HTTP20Adapter())
        prepared = session.prepare_request(requests.Request("POST", server.url("/report"), data=data))
        prepared.headers[name] = value
        with pytest.raises(ValueError, match=r"content-length|transfer-encoding"):
            session.send(prepared, verify=certificates().ca_file, timeout=10)
    assert server.log == []


class TestClient:
    """`hyperlite.client` over HTTP/2; on HTTP/1.1 it sends what http.client sends."""

    @pytest.mark.parametrize("pairs", DOUBTFUL, ids=repr)
    def test_over_http_2(self, serve: Serve, pairs: tuple[tuple[Any, Any], ...]) -> None:
        server = serve(alpn=("h2",))
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        with pytest.raises(ValueError):
            conn.putrequest("POST", "/report")
            for name, value in pairs:
                conn.putheader(name, value)
            conn.endheaders(b"body")
        conn.close()
        assert server.log == []

    def test_the_callers_own_and_the_one_that_http_client_computes(self, serve: Serve) -> None:
        """http.client does not recognise a name in bytes, and adds one."""
        server = serve(alpn=("h2",))
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        with pytest.raises(ValueError, match="contradict"):
            conn.request("POST", "/report", b"body", {b"Content-Length": b"3"})
        conn.close()
        conn.request("POST", "/report", b"body", {b"Content-Length": b"4"})
        seen = json.loads(conn.getresponse().read())
        conn.close()
        assert [value for name, value in seen["headers"] if name == "content-length"] == ["4"]
        assert seen["body"] == "body"

    def test_on_http_1_1(self, serve: Serve) -> None:
        server = serve(alpn=("http/1.1",))
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        conn.request("POST", "/report", b"body", {b"Content-Length": b"4"})
        seen = json.loads(conn.getresponse().read())
        conn.close()
        assert [value for name, value in seen["headers"] if name == "content-length"] == ["4", "4"]


class TestWhatIsSent:
    @pytest.mark.parametrize(
        "pairs",
        [
            (("Content-Length", "4"), ("content-length", b"4")),
            (("Content-Length", 4), ("Content-Length", "04")),
            (("Content-Length", " 4 "),),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("body", [b"body", [b"bo", b"dy"]], ids=repr)
    def test_lengths_that_agree_are_one(
        self, conn: hyperlite.HTTP20Connection, pairs: tuple[tuple[Any, Any], ...], body: Any
    ) -> None:
        seen = json.loads(conn.getresponse(conn.request("POST", "/report", body, Pairs(*pairs))).read())
        assert [value for name, value in seen["headers"] if name == "content-length"] == ["4"]
        assert not [value for name, value in seen["headers"] if name == "transfer-encoding"]
        assert seen["body"] == "body"

    @pytest.mark.parametrize("body", [None, b"", b"body", "body"], ids=repr)
    def test_a_length_that_the_body_in_memory_does_not_have(
        self, conn: hyperlite.HTTP20Connection, server: Server, body: Any
    ) -> None:
        with pytest.raises(client.CannotSendRequest):
            conn.request("POST", "/report", body, {"Content-Length": "3"})
        with pytest.raises(client.CannotSendRequest):
            conn.request_many([("POST", "/report", body, {"Content-Length": "3"})])
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
        assert len(server.log) == 1

    def test_what_was_checked(self, serve: Serve, connect: Connect) -> None:
        """A request waits in a queue on HTTP/1.1; its caller may change the headers meanwhile."""
        conn = connect(serve(alpn=("http/1.1",)))
        first = conn.request("GET", "/late")
        headers = {"X-Mine": "before", "Content-Length": "4"}
        second = conn.request("POST", "/report", b"body", headers)
        headers["X-Mine"], headers["Content-Length"] = "after", "400"
        headers["X-More"] = "z"
        assert conn.getresponse(first).read() == b"late"
        seen = dict(json.loads(conn.getresponse(second).read())["headers"])
        assert (seen["x-mine"], seen["content-length"], seen.get("x-more")) == ("before", "4", None)

    def test_a_folded_value_is_one_line(self, conn: hyperlite.HTTP20Connection) -> None:
        """RFC 9112 section 5.2: a sender does not fold lines."""
        stream_id = conn.request("GET", "/report", headers={"X-Long": "one\r\n two\n\tthree"})
        assert ["x-long", "one two three"] in json.loads(conn.getresponse(stream_id).read())["headers"]
