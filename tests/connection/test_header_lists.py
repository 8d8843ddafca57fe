"""Header fields as a list of (name, value) pairs, in which a name may be repeated."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hyperlite
from tests.conftest import Connect, Serve

CONN = hyperlite.HTTP20Connection
PAIRS: list[Any] = [("X-A", "1"), ("x-b", 2), (b"X-A", b"3"), ["Cookie", "a=1"], ("Cookie", "b=2")]
# Cookies may be joined on the way (RFC 9113 section 8.2.3).
SEEN = [("x-a", "1"), ("x-b", "2"), ("x-a", "3")]


def fields(response: Any) -> list[tuple[str, str]]:
    body = response.body if isinstance(response, hyperlite.FetchResponse) else response.read()
    report = json.loads(body)
    found = [(name.lower(), value) for name, value in report["headers"] + report["trailers"]]
    return [field for field in found if field[0].startswith("x-")]


def pairs() -> Iterator[Any]:
    yield from PAIRS


class TestRequest:
    @pytest.mark.parametrize("headers", [PAIRS, tuple(PAIRS), pairs], ids=["list", "tuple", "generator"])
    def test_headers(self, conn: CONN, headers: Any) -> None:
        given = headers() if callable(headers) else headers
        response = conn.getresponse(conn.request("GET", "/report", headers=given))
        assert fields(response) == SEEN

    def test_what_is_added_otherwise_is_not_added_to_the_pairs(self, conn: CONN) -> None:
        own = [("Host", "other.test"), ("Accept-Encoding", "gzip"), ("Content-Length", "2")]
        report = json.loads(conn.getresponse(conn.request("POST", "/report", b"ab", own)).read())
        names = [name.lower() for name, _ in report["headers"]]
        assert report["authority"] == "other.test"
        assert (names.count("accept-encoding"), names.count("content-length")) == (1, 1)

    def test_trailers(self, conn: CONN) -> None:
        response = conn.getresponse(conn.request("POST", "/report", b"ab", trailers=PAIRS[:3]))
        assert fields(response) == SEEN
        stream_id = conn.request("POST", "/report", end_stream=False)
        conn.end(stream_id, trailers=PAIRS[:3])
        assert fields(conn.getresponse(stream_id)) == SEEN

    def test_request_many(self, conn: CONN) -> None:
        ids = conn.request_many([("GET", "/report", None, PAIRS)] * 2)
        assert [fields(conn.getresponse(one)) for one in ids] == [SEEN] * 2

    def test_none_at_all(self, conn: CONN) -> None:
        assert conn.getresponse(conn.request("GET", "/report", headers=[])).status == 200


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_fetch(serve: Serve, alpn: str) -> None:
    server = serve(alpn=(alpn,))
    with hyperlite.ConnectionPool(verify=server.ca_file) as pool:
        assert fields(pool.fetch(server.url("/report"), headers=PAIRS)) == SEEN


NO_HEADERS: dict[str, Callable[[], Any]] = {
    "a number": lambda: 5,
    "text": lambda: "ab",
    "bytes": lambda: b"ab",
    "names": lambda: ["ab", "cd"],
    "triples": lambda: [("a", "b", "c")],
    "a set of text": lambda: {"ab"},
}


@pytest.mark.parametrize("kind", NO_HEADERS)
def test_what_is_neither_a_mapping_nor_pairs(serve: Serve, connect: Connect, kind: str) -> None:
    server = serve()
    conn = connect(server)
    with pytest.raises(TypeError, match="headers should be a mapping or"):
        conn.request("GET", "/", headers=NO_HEADERS[kind]())
    with (
        hyperlite.ConnectionPool(verify=server.ca_file) as pool,
        pytest.raises(TypeError, match="headers should be a mapping or"),
    ):
        pool.fetch(server.url("/"), headers=NO_HEADERS[kind]())
    assert server.log == []
