"""hyperlite.client: http.client's classes, on HTTP/2."""

import functools
import http.client
import inspect
import io
import json
import socket
import socketserver
import subprocess
import sys
import threading
import unittest.mock
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite import client, client_classes
from hyperlite.adapters.urllib import HTTP20Handler
from hyperlite.testing.server import Exchange, Request, Response, Server, streaming
from tests.conftest import ROUTES, Serve
from tests.connection.test_connection import reported


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(alpn=(request.param,))


@pytest.fixture
def conn(server: Server) -> Iterator[client.HTTPSConnection]:
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
    yield conn
    conn.close()


@pytest.fixture
def h2(serve: Serve) -> Iterator[client.HTTPSConnection]:
    server = serve()
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
    yield conn
    conn.close()


def get(conn: client.HTTPSConnection, target: str = "/", **options: Any) -> client.HTTPResponse:
    conn.request("GET", target, **options)
    return conn.getresponse()


def report_of(conn: client.HTTPSConnection) -> dict[str, Any]:
    return json.loads(conn.getresponse().read())


class TestTheStateMachine:
    def test_one_request_at_a_time(self, conn: client.HTTPSConnection) -> None:
        conn.request("GET", "/")
        with pytest.raises(http.client.CannotSendRequest):
            conn.request("GET", "/")
        response = conn.getresponse()
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse()
        conn.request("GET", "/")
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse()
        assert response.read() == b"hello"
        assert conn.getresponse().read() == b"hello"

    def test_headers_out_of_place(self, conn: client.HTTPSConnection) -> None:
        with pytest.raises(http.client.CannotSendHeader):
            conn.putheader("a", "b")
        with pytest.raises(http.client.CannotSendHeader):
            conn.endheaders()

    def test_versions_and_kinds(self, conn: client.HTTPSConnection, server: Server) -> None:
        response = get(conn)
        assert response.version == (20 if server.log[0][0] == "h2" else 11)
        assert isinstance(conn, http.client.HTTPSConnection)
        assert isinstance(conn, client.HTTPConnection)
        assert isinstance(response, http.client.HTTPResponse)
        assert type(conn).__module__ == "http.client"
        assert response.read() == b"hello"

    def test_closed_and_opened_again(self, conn: client.HTTPSConnection, server: Server) -> None:
        assert get(conn).read() == b"hello"
        conn.close()
        assert conn.sock is None
        assert get(conn).read() == b"hello"
        assert server.connections == 2

    def test_auto_open_off(self, conn: client.HTTPSConnection) -> None:
        conn.auto_open = 0
        with pytest.raises(http.client.NotConnected):
            conn.request("GET", "/")

    def test_a_timeout(self, server: Server) -> None:
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=0.2)
        with pytest.raises(TimeoutError):
            get(conn, "/slow")
        conn.close()
        assert get(conn).read() == b"hello"
        conn.close()


class TestRequestsByParts:
    def test_a_body_after_endheaders(self, conn: client.HTTPSConnection) -> None:
        conn.putrequest("POST", "/report")
        conn.putheader("Content-Length", "9")
        conn.endheaders()
        conn.send(b"in ")
        conn.send(io.BytesIO(b"three "))
        with pytest.raises(TypeError):
            conn.send(17)
        conn.close()
        conn.putrequest("POST", "/report")
        conn.putheader("Content-Length", "9")
        conn.endheaders(b"in ")
        conn.send([b"three", b"!"])
        assert report_of(conn)["body"] == "in three!"

    def test_chunks_framed_by_hand(self, conn: client.HTTPSConnection) -> None:
        """As urllib3 sends them, cut at unhandy places."""
        conn.putrequest("POST", "/report")
        conn.putheader("Transfer-Encoding", "chunked")
        conn.endheaders()
        for piece in (b"3\r\nabc\r", b"\n", b"A;ext=1\r\n01234", b"56789\r\n0", b"\r\n", b"\r\n"):
            conn.send(piece)
        assert report_of(conn)["body"] == "abc0123456789"

    def test_a_body_without_a_length_on_http2(self, h2: client.HTTPSConnection) -> None:
        h2.putrequest("POST", "/report")
        h2.endheaders()
        h2.send(b"a")
        h2.send(b"b")
        assert report_of(h2)["body"] == "ab"

    def test_several_values(self, h2: client.HTTPSConnection) -> None:
        h2.putrequest("GET", "/report", skip_accept_encoding=True)
        h2.putheader("X-Many", "a", 2, b"c")
        h2.endheaders()
        assert report_of(h2)["headers"] == [["x-many", "a 2 c"]]

    def test_less_of_a_body_than_announced(self, h2: client.HTTPSConnection) -> None:
        h2.putrequest("POST", "/report")
        h2.putheader("Content-Length", "10")
        h2.endheaders(b"short")
        with pytest.raises(http.client.CannotSendRequest, match="5 bytes of its content-length missing"):
            h2.getresponse()
        h2.close()
        assert get(h2).read() == b"hello"

    def test_more_of_a_body_than_announced(self, h2: client.HTTPSConnection) -> None:
        h2.putrequest("POST", "/report")
        h2.putheader("Content-Length", "2")
        with pytest.raises(http.client.CannotSendRequest, match="more of a body"):
            h2.endheaders(b"too much")

    def test_an_expectation_is_sent_at_once(self, serve: Serve) -> None:
        """The server may refuse before the body comes."""
        heard = threading.Event()

        @streaming
        def refuse(exchange: Exchange) -> None:
            heard.set()
            exchange.start(417, [])
            exchange.end()

        server = serve(routes={"/": refuse})
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        conn.putrequest("PUT", "/")
        conn.putheader("Content-Length", "1000000")
        conn.putheader("Expect", "100-continue")
        conn.endheaders()
        assert heard.wait(10)
        conn.send(b"x" * 1_000_000)
        assert conn.getresponse().status == 417
        conn.close()

    def test_a_chunk_size_that_is_no_number(self, h2: client.HTTPSConnection) -> None:
        h2.putrequest("POST", "/report")
        h2.putheader("Transfer-Encoding", "chunked")
        h2.endheaders()
        with pytest.raises(ValueError, match="no hexadecimal number"):
            h2.send(b"+3\r\nabc\r\n0\r\n\r\n")

    def test_begun_twice(self, conn: client.HTTPSConnection) -> None:
        response = get(conn)
        response.begin()
        assert response.read() == b"hello"

    def test_an_unread_response_without_a_body_is_still_the_one_before(
        self, conn: client.HTTPSConnection
    ) -> None:
        response = get(conn, "/nothing")
        conn.request("GET", "/")
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse()
        assert response.read() == b""
        assert conn.getresponse().read() == b"hello"

    def test_connection_fields_are_dropped(self, h2: client.HTTPSConnection) -> None:
        headers = {"Connection": "close", "Keep-Alive": "5", "TE": "gzip", "Upgrade": "x", "X-Kept": "y"}
        h2.request("GET", "/report", headers=headers)
        assert report_of(h2)["headers"] == [["accept-encoding", "identity"], ["x-kept", "y"]]

    def test_host_becomes_authority(self, conn: client.HTTPSConnection) -> None:
        conn.request("GET", "/report", headers={"Host": "elsewhere:99"})
        assert report_of(conn)["authority"] == "elsewhere:99"


class TestBrokenConnections:
    def test_a_server_that_goes_away_between_requests(self, serve: Serve) -> None:
        server = serve(requests_per_connection=2)
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        for _ in range(7):
            assert get(conn).read() == b"hello"
        conn.close()
        assert server.connections == 4

    def test_a_response_that_breaks_off(self, serve: Serve) -> None:
        @streaming
        def broken(exchange: Exchange) -> None:
            exchange.start(200, [("content-length", "100")])
            exchange.send(b"x")
            exchange.reset(2)

        server = serve(routes={"/": broken})
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        with pytest.raises(hyperlite.StreamReset):
            get(conn).read()
        conn.close()


def interrupted(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["create_connection", "resolve_timeout", "secure", "authority"])
def test_one_that_was_interrupted_while_it_connected(
    h2: client.HTTPSConnection, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The next request opens it anew: it is not sent on what there is, in cleartext at first."""
    connect = h2._create_connection  # type: ignore[attr-defined]

    class Interrupted(socket.socket):
        setsockopt = interrupted

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if moment == "create_connection":
            made = Interrupted(fileno=connect(("localhost", h2.port)).detach())
            patch.setattr(h2, "_create_connection", lambda *_: made)
        else:
            patch.setattr(client_classes.tls if moment == "secure" else client_classes, moment, interrupted)
        h2.connect()
    assert h2.sock is None
    response = get(h2)
    assert (response.version, response.read()) == (20, b"hello")


class Proxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that knows nothing but CONNECT."""

    daemon_threads = True

    def __init__(self, status: bytes = b"200 Connection established") -> None:
        self.heads: list[bytes] = []
        self.status = status
        super().__init__(("127.0.0.1", 0), ProxyHandler)


class ProxyHandler(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        self.server.heads.append(head)
        self.request.sendall(b"HTTP/1.1 " + self.server.status + b"\r\nX-Proxy: yes\r\n\r\n")
        if not self.server.status.startswith(b"200"):
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port))) as upstream:
            back = threading.Thread(target=self.pump, args=(upstream, self.request))
            back.start()
            self.pump(self.request, upstream)
            back.join()

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


def test_through_a_tunnel(server: Server, proxy: Proxy) -> None:
    conn = client.HTTPSConnection("localhost", proxy.server_address[1], context=server.context(), timeout=10)
    conn.set_tunnel("localhost", server.port, {"X-Key": "secret"})
    conn.request("GET", "/report")
    seen = report_of(conn)
    assert seen["authority"] == f"localhost:{server.port}"
    assert proxy.heads[0].startswith(f"CONNECT localhost:{server.port} HTTP/1.".encode())
    assert b"X-Key: secret" in proxy.heads[0]
    if hasattr(conn, "get_proxy_response_headers"):  # since 3.12
        assert conn.get_proxy_response_headers()["X-Proxy"] == "yes"
    conn.close()


def test_a_tunnel_that_is_refused(proxy: Proxy) -> None:
    proxy.status = b"403 Forbidden"
    conn = client.HTTPSConnection("localhost", proxy.server_address[1], timeout=10)
    conn.set_tunnel("localhost", 1)
    with pytest.raises(OSError, match="403"):
        conn.request("GET", "/")
    assert conn.sock is None


def test_a_response_that_has_not_begun(h2: client.HTTPSConnection) -> None:
    h2.request("GET", "/")
    response = client.HTTPResponse(h2.sock, method="GET")  # type: ignore[arg-type]
    assert repr(response) == "<HTTPResponse, not begun>"
    response.begin()
    assert "200 OK, HTTP/2" in repr(response)
    response.close()


def test_a_response_that_was_not_made_is_dropped_in_silence() -> None:
    """From Python 3.13 on what a finalizer raises is told."""
    response = client.HTTPResponse.__new__(client.HTTPResponse)
    with pytest.raises(AttributeError, match="makefile"):
        response.__init__(None)  # type: ignore[misc, arg-type]
    assert repr(response) == "<HTTPResponse, not begun>"
    response.__del__()


def test_debuglevel(h2: client.HTTPSConnection, capsys: pytest.CaptureFixture[str]) -> None:
    h2.set_debuglevel(1)
    get(h2).read()
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("send: b'GET / HTTP/1.1") for line in lines)
    assert "frame out: preface" in lines
    assert any(line.startswith("frame out: HEADERS stream 1 ") and "END_STREAM" in line for line in lines)
    assert any(line.startswith("frame in: HEADERS stream 1 ") for line in lines)
    assert "reply: 'HTTP/2 200 OK'" in lines
    assert "header: Content-Length: 5" in lines
    h2.set_debuglevel(0)
    get(h2).read()
    assert capsys.readouterr().out == ""


def test_debuglevel_of_a_connection_that_is_open(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve()
    with hyperlite.HTTP20Connection("localhost", server.port, context=server.context(), timeout=10) as conn:
        conn.getresponse(conn.request("GET", "/")).read()
        assert capsys.readouterr().out == ""
        conn.set_debuglevel(1)
        conn.getresponse(conn.request("GET", "/")).read()
        assert "frame out: HEADERS stream 3" in capsys.readouterr().out
        conn.set_debuglevel(0)
        conn.getresponse(conn.request("GET", "/")).read()
        assert capsys.readouterr().out == ""


def test_key_log(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    server = serve()
    context = hyperlite.create_context(cafile=server.ca_file)
    with hyperlite.HTTP20Connection("localhost", server.port, context=context, timeout=10) as conn:
        conn.getresponse(conn.request("GET", "/")).read()
    assert "CLIENT_TRAFFIC_SECRET_0" in (tmp_path / "keys").read_text()


class TestTheModule:
    def test_every_name_is_there(self) -> None:
        assert set(client.__all__) == set(http.client.__all__)
        for name in dir(http.client):
            assert hasattr(client, name), name
        assert client.HTTPException is http.client.HTTPException
        assert client.responses is http.client.responses
        assert client.OK == 200

    def test_limits_are_set_where_they_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "_MAXHEADERS", 7)
        assert http.client._MAXHEADERS == 7

    @pytest.mark.parametrize("name", ["HTTPConnection", "HTTPSConnection", "HTTPResponse"])
    def test_signatures(self, name: str) -> None:
        assert inspect.signature(getattr(client, name)) == inspect.signature(getattr(http.client, name))

    def test_response_class_may_be_any_callable(self, h2: client.HTTPSConnection) -> None:
        class Own(client.HTTPResponse):
            pass

        h2.response_class = functools.partial(Own)
        assert isinstance(get(h2), Own)

    def test_patches_of_the_standard_classes_take_effect(
        self, conn: client.HTTPSConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        original = http.client.HTTPConnection.putrequest

        def spy(self: Any, method: str, url: str, *args: Any, **options: Any) -> None:
            seen.append((method, url))
            original(self, method, url, *args, **options)

        monkeypatch.setattr(http.client.HTTPConnection, "putrequest", spy)
        assert get(conn).read() == b"hello"
        assert seen == [("GET", "/")]

    def test_a_socket_of_one_s_own_speaks_http1(self, server: Server) -> None:
        conn = client.HTTPSConnection("localhost", server.port, timeout=10)
        raw = socket.create_connection(("localhost", server.port))
        conn.sock = server.context().wrap_socket(raw, server_hostname="localhost")
        assert get(conn).version == 11
        conn.close()


class TestInstall:
    def test_as_a_context_manager(self) -> None:
        standard = http.client
        with hyperlite.install():
            import http.client as inside  # noqa: PLC0415

            assert inside is client
            assert urllib.request.http.client is client
        assert sys.modules["http.client"] is standard
        assert urllib.request.http.client is standard

    def test_urllib_request(self, server: Server) -> None:
        with hyperlite.install():
            response = urllib.request.urlopen(server.url("/report"), b"data", context=server.context())
            assert response.read().startswith(b'{"method": "POST"')
        assert response.version == (20 if server.log[0][0] == "h2" else 11)


def test_run_a_script_unmodified(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    (tmp_path / "neighbour.py").write_text("NAME = 'neighbour'\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, ssl, threading, urllib.request, neighbour\n"
        "context = ssl.create_default_context(cafile=sys.argv[2])\n"
        "response = urllib.request.urlopen(sys.argv[1], context=context)\n"
        "print(__name__, neighbour.NAME, response.version, response.read())\n"
        "def later():\n"
        "    threading.main_thread().join()\n"
        "    print(urllib.request.urlopen(sys.argv[1], context=context).version)\n"
        "threading.Thread(target=later).start()\n"
        "sys.exit(3)\n"
    )
    command = [sys.executable, "-m", "hyperlite", "run", str(script), server.url("/"), server.ca_file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("__main__ neighbour 20 b'hello'\n20\n", "")
    assert done.returncode == 3


class TestUrllibHandler:
    def test_it_opens_over_http2(self, server: Server) -> None:
        opener = urllib.request.build_opener(HTTP20Handler(context=server.context()))
        with opener.open(server.url("/sized?n=3000000")) as response:
            assert len(response.read()) == 3_000_000
            assert response.url == server.url("/sized?n=3000000")

    def test_redirects_and_errors(self, serve: Serve) -> None:
        def moved(_: Request) -> Response:
            return Response(302, headers=[("location", "/")])

        server = serve(routes={**ROUTES, "/moved": moved})
        opener = urllib.request.build_opener(HTTP20Handler(context=server.context()))
        assert opener.open(server.url("/moved")).read() == b"hello"
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            opener.open(server.url("/missing"))
        assert caught.value.read() == b"no such thing"
        caught.value.close()
        assert {protocol for protocol, *_ in server.log} == {"h2"}


def test_reported_helper_agrees(h2: client.HTTPSConnection) -> None:
    """The same request by either connection is the same to the server."""
    headers = {"X-A": "1"}
    h2.request("PUT", "/report", b"x", headers)
    strict = report_of(h2)
    with hyperlite.HTTP20Connection("localhost", h2.port, context=h2._context, timeout=10) as conn:
        assert reported(conn, "PUT", b"x", headers) == strict


def test_patches_are_undone() -> None:
    before = http.client._MAXLINE
    with unittest.mock.patch.object(client, "_MAXLINE", 5):
        assert http.client._MAXLINE == 5
    assert before == http.client._MAXLINE
    client.brand_new = 1
    assert http.client.brand_new == 1
    del client.brand_new
    assert not hasattr(http.client, "brand_new")
    with pytest.raises(AttributeError):
        del client.no_such_name
