"""Requests that ask for another protocol by `Upgrade`: a WebSocket, over HTTP/1.1 whatever else is spoken."""

import http.client
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite import client
from hyperlite.messages.fields import asks_for_upgrade
from hyperlite.strict_socket import upgrades
from hyperlite.testing.server import Server
from tests.conftest import Connect, Serve
from tests.peer import TIMEOUT
from tests.websocket import HEADERS, KEY, ROUTES, accept_of, converse, reader


@pytest.mark.parametrize(
    ("pairs", "asks"),
    [
        ([("Upgrade", "websocket"), ("Connection", "Upgrade")], True),
        ([("UPGRADE", "websocket"), ("connection", "keep-alive , upGrade")], True),
        ([(b"upgrade", b"websocket"), (b"Connection", b"upgrade")], True),
        ([("Connection", "close"), ("Connection", "upgrade"), ("Upgrade", 1)], True),
        ([("Upgrade", "websocket"), ("Connection", "keep-alive Upgrade")], True),
        ([("Upgrade", "websocket")], False),
        ([("Connection", "Upgrade")], False),
        ([("Upgrade", "websocket"), ("Connection", "keep-alive")], False),
        ([("Upgrade-Insecure-Requests", "1"), ("Connection", "upgrade")], False),
        ([("X", "Upgrade"), ("Connection", "upgraded")], False),
    ],
)
def test_what_asks_for_it(pairs: Any, asks: bool) -> None:
    assert asks_for_upgrade(pairs) is asks


@pytest.mark.parametrize(
    ("data", "asks"),
    [
        (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", True),
        (
            b"GET / HTTP/1.1\r\nConnection: close\r\n\tUPGRADE\r\nupgrade:x\r\n\r\n",
            True,
        ),  # folded by http.client
        (b"GET /upgrade HTTP/1.1\r\nConnection: upgrade\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n\r\nUpgrade: in the body", False),
        (b"", False),
        (iter([b"Upgrade: x\r\nConnection: upgrade"]), False),
    ],
)
def test_what_of_it_is_seen_in_bytes(data: Any, asks: bool) -> None:
    assert upgrades(data) is asks


def protocols(server: Server) -> list[tuple[str, int]]:
    return [entry[:2] for entry in server.log]


class TestHttp20Connection:
    @pytest.mark.parametrize("alpn", [("h2", "http/1.1"), ("http/1.1",), ()])
    def test_the_socket_is_the_callers(self, serve: Serve, connect: Connect, alpn: Any) -> None:
        server = serve(routes=ROUTES, alpn=alpn)
        conn = connect(server)
        conn.request("GET", "/chat", headers=HEADERS)
        response = conn.getresponse()
        assert (response.status, response.version) == (101, 11)
        assert response.getheader("Sec-WebSocket-Accept") == accept_of(KEY)
        assert response.read() == b""
        assert conn.sock is response.sock
        converse(reader(conn.sock), conn.sock.sendall)
        assert server.connections == 1
        conn.close()
        assert response.sock.fileno() == -1

    def test_the_file_reads_from_it_too(self, serve: Serve, connect: Connect) -> None:
        """As with http.client, whose users look for the socket beneath it as well."""
        conn = connect(serve(routes=ROUTES))
        response = conn.getresponse(conn.request("GET", "/chat", headers=HEADERS))
        assert response.fp.raw._sock is response.sock
        converse(response.fp.read, conn.sock.sendall)

    def test_what_is_under_way_on_http2_goes_on(self, serve: Serve, connect: Connect) -> None:
        server = serve(routes=ROUTES)
        conn = connect(server)
        before = conn.request("GET", "/")
        asked = conn.request("GET", "/chat", headers=HEADERS)
        after = conn.request("GET", "/")
        with conn.getresponse(asked).sock as sock:
            assert conn.getresponse(after).read() == b"hello"
            converse(reader(sock), sock.sendall)
        assert conn.getresponse(before).version == 20
        assert conn.getresponse(conn.request("GET", "/")).version == 20
        assert sorted(protocols(server)) == [("h2", 1)] * 3 + [("http/1.1", 2)]

    def test_among_many(self, serve: Serve, connect: Connect) -> None:
        conn = connect(serve(routes=ROUTES))
        ids = conn.request_many([("GET", "/"), ("GET", "/chat", None, HEADERS), ("GET", "/")])
        responses = {stream_id: conn.getresponse(stream_id) for stream_id in conn.as_ready(ids)}
        assert [responses[stream_id].status for stream_id in ids] == [200, 101, 200]
        assert [responses[stream_id].version for stream_id in ids] == [20, 11, 20]

    def test_in_steps(self, serve: Serve, connect: Connect) -> None:
        conn = connect(serve(routes=ROUTES))
        conn.putrequest("GET", "/chat")
        for field in HEADERS.items():
            conn.putheader(*field)
        assert conn.getresponse(conn.endheaders()).status == 101
        converse(reader(conn.sock), conn.sock.sendall)

    def test_another_answer_is_read_as_ever_and_the_connection_used_again(
        self, serve: Serve, connect: Connect
    ) -> None:
        server = serve(routes=ROUTES)
        conn = connect(server)
        conn.getresponse(conn.request("GET", "/")).read()
        for _ in range(2):
            response = conn.getresponse(conn.request("POST", "/", b"body", HEADERS))
            assert (response.status, response.version, response.read()) == (200, 11, b"hello")
            assert response.sock is None
        assert conn.getresponse(conn.request("GET", "/chat", headers=HEADERS)).status == 101
        assert protocols(server) == [("h2", 1), *[("http/1.1", 2)] * 3]

    @pytest.mark.parametrize("options", [{}, {"upgrade": True}, {"protocols": ("http/1.1",)}])
    def test_in_cleartext(self, serve: Serve, connect: Connect, options: dict[str, Any]) -> None:
        conn = connect(serve(routes=ROUTES, secure=False), secure=False, **options)
        response = conn.getresponse(conn.request("GET", "/chat", headers=HEADERS))
        assert response.status == 101
        converse(reader(conn.sock), conn.sock.sendall)

    def test_where_http2_alone_may_be_spoken_it_is_an_error_and_nothing_is_sent(
        self, serve: Serve, connect: Connect
    ) -> None:
        server = serve(routes=ROUTES)
        conn = connect(server, protocols=("h2",))
        for _ in range(2):
            with pytest.raises(ValueError, match="Upgrade is for HTTP/1"):
                conn.request("GET", "/chat", headers=HEADERS)
            with pytest.raises(ValueError, match="Upgrade is for HTTP/1"):
                conn.request_many([("GET", "/"), ("GET", "/chat", None, HEADERS)])
            conn.getresponse(conn.request("GET", "/")).read()
        assert protocols(server) == [("h2", 1)] * 2

    def test_without_auto_open_no_connection_is_opened_for_it(self, serve: Serve, connect: Connect) -> None:
        conn = connect(serve(routes=ROUTES))
        conn.connect()
        conn.auto_open = 0
        with pytest.raises(http.client.NotConnected, match="auto_open is off"):
            conn.request("GET", "/chat", headers=HEADERS)


@pytest.fixture
def make(serve: Serve) -> Iterator[Callable[..., tuple[Server, client.HTTPSConnection]]]:
    with ExitStack() as stack:

        def made(kind: Any = client.HTTPSConnection, **options: Any) -> tuple[Server, client.HTTPSConnection]:
            server = serve(routes=ROUTES, **options)
            conn = kind("localhost", server.port, timeout=TIMEOUT, context=server.context())
            stack.callback(conn.close)
            return server, conn

        yield made


def by_request(conn: http.client.HTTPConnection) -> None:
    conn.request("GET", "/chat", headers=HEADERS)


def by_steps(conn: http.client.HTTPConnection) -> None:
    conn.putrequest("GET", "/chat")
    for name, value in HEADERS.items():
        conn.putheader(name.upper(), value.encode())
    conn.endheaders()


def by_hand(conn: http.client.HTTPConnection) -> None:
    """As websockets over http.client do it where they frame a request themselves."""
    conn.connect()
    conn.putrequest("GET", "/chat", skip_accept_encoding=True)
    conn.putheader("Upgrade", "websocket")
    conn.putheader("Connection", "Upgrade")
    conn.putheader("Sec-WebSocket-Key", KEY)
    conn.endheaders()


class TestHyperliteClient:
    @pytest.mark.parametrize("ask", [by_request, by_steps, by_hand])
    @pytest.mark.parametrize("kind", [client.HTTPSConnection, http.client.HTTPSConnection])
    def test_a_websocket_on_http_client(self, make: Any, kind: Any, ask: Any) -> None:
        """What is read ahead of the 101's end is in its file, which is http.client's own."""
        server, conn = make(kind)
        ask(conn)
        response = conn.getresponse()
        assert (response.status, response.version) == (101, 11)
        assert response.getheader("Sec-WebSocket-Accept") == accept_of(KEY)
        assert type(response.fp) is io.BufferedReader
        assert response.fp.raw._sock is conn.sock
        converse(response.fp.read, conn.sock.sendall)
        assert [entry[0] for entry in server.log] == ["http/1.1"]

    def test_no_second_connection_is_needed(self, make: Any) -> None:
        server, conn = make()
        by_request(conn)
        assert conn.getresponse().status == 101
        assert server.connections == 1

    @pytest.mark.parametrize("auto_open", [1, 0])
    def test_on_a_connection_in_the_place_of_http2(self, make: Any, auto_open: int) -> None:
        server, conn = make()
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"
        conn.auto_open = auto_open  # from http.client's side it is open all the while
        by_request(conn)
        response = conn.getresponse()
        assert response.status == 101
        converse(response.fp.read, conn.sock.sendall)
        assert protocols(server) == [("h2", 1), ("http/1.1", 2)]

    def test_a_response_on_http2_is_read_to_its_end(self, make: Any) -> None:
        _, conn = make()
        conn.request("GET", "/")
        before = conn.getresponse()
        by_request(conn)
        assert before.read() == b"hello"
        assert conn.getresponse().status == 101

    def test_with_a_body_in_any_form(self, make: Any) -> None:
        server, conn = make()
        for connected in (False, True):
            for body in (b"body", iter([b"bo", b"dy"]), io.BytesIO(b"body")):
                if connected:
                    conn.connect()
                conn.request("POST", "/", body, dict(HEADERS))
                assert conn.getresponse().read() == b"hello"
                conn.close()
        assert {entry[0] for entry in server.log} == {"http/1.1"}

    def test_after_it_http2_is_spoken_again(self, make: Any) -> None:
        server, conn = make()
        by_request(conn)
        response = conn.getresponse()
        converse(response.fp.read, conn.sock.sendall)
        response.close()
        conn.close()
        conn.request("GET", "/")
        assert conn.getresponse().version == 20
        assert server.connections == 2

    def test_a_connection_that_fails_is_forgotten(self, make: Any) -> None:
        server, conn = make()
        right, conn.port = conn.port, 1
        with pytest.raises(OSError):
            by_request(conn)
        conn.close()
        conn.port = right
        conn.request("GET", "/")
        assert conn.getresponse().version == 20
        assert server.connections == 1

    def test_where_http2_alone_may_be_spoken_it_is_an_error(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HYPERLITE_PROTOCOLS", "h2")
        server, conn = make()
        for _ in range(2):
            with pytest.raises(ValueError, match="Upgrade is for HTTP/1"):
                by_request(conn)
            conn.close()
            conn.connect()
        assert server.log == []


class TestInAPool:
    @pytest.mark.parametrize("secure", [True, False])
    def test_the_socket_is_the_responses(self, serve: Serve, secure: bool) -> None:
        server = serve(routes=ROUTES, secure=secure)
        with hyperlite.ConnectionPool(verify=server.ca_file, timeout=TIMEOUT) as pool:
            assert pool.fetch(server.url()).body == b"hello"
            with pool.request("GET", server.url("/chat"), headers=HEADERS) as response:
                sock = response.raw.sock
                assert (response.status, response.headers["sec-websocket-accept"]) == (101, accept_of(KEY))
                assert pool.fetch(server.url()).http_version == ("HTTP/2" if secure else "HTTP/1.1")
                converse(reader(sock), sock.sendall)
            assert sock.fileno() == -1
            whole = pool.fetch(server.url("/chat"), headers=[*HEADERS.items()])
            (outcome,) = pool.fetch_many([{"url": server.url("/chat"), "headers": HEADERS}])
            for response in (whole, outcome.result()):
                assert (response.status, response.body) == (101, b"")
                with response.raw.sock as sock:
                    converse(reader(sock), sock.sendall)

    def test_its_connection_is_used_again_only_after_another_answer(self, serve: Serve) -> None:
        server = serve(routes=ROUTES)
        with hyperlite.ConnectionPool(verify=server.ca_file, timeout=TIMEOUT) as pool:
            for _ in range(2):
                assert pool.fetch(server.url(), "POST", headers=HEADERS, body=b"body").body == b"hello"
            for _ in range(2):
                with pool.request("GET", server.url("/chat"), headers=HEADERS) as response:
                    assert response.status == 101
            assert protocols(server) == [("http/1.1", number) for number in (1, 1, 1, 2)]

    @pytest.mark.parametrize("many", [True, False])
    def test_where_http2_alone_may_be_spoken_it_is_an_error(self, many: bool) -> None:
        with hyperlite.ConnectionPool(protocols=("h2",)) as pool:
            with pytest.raises(ValueError, match="Upgrade is for HTTP/1"):
                if many:
                    next(pool.fetch_many([{"url": "https://localhost/", "headers": HEADERS}])).result()
                else:
                    pool.fetch("https://localhost/", headers=HEADERS)
            assert pool.stats()["dialled"] == 0


def test_the_documented_example(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(routes=ROUTES)

    def connection(host: str, **options: Any) -> hyperlite.HTTP20Connection:
        assert host == "example.org"
        return made("localhost", server.port, context=server.context(), **options)

    made = hyperlite.HTTP20Connection
    monkeypatch.setattr(hyperlite, "HTTP20Connection", connection)
    page = (Path(__file__).parents[2] / "docs" / "howto" / "upgrade.md").read_text()
    example, expected = page.split("```python\n")[1].split("```text\n")
    exec(compile(example.partition("```")[0], "upgrade.md", "exec"), {})
    assert capsys.readouterr().out == expected.partition("```")[0]
