"""hyperlite.client: http.client's classes, on HTTP/2."""

import http.client
import io
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite import client, client_classes
from hyperlite.testing.server import Exchange, Server, streaming
from tests.conftest import Serve
from tests.connection.test_connection import reported
from tests.listener import Listener

from .conftest import get, report_of


class InCleartext(Listener):
    """A server that does not speak TLS."""

    def serve(self, sock: socket.socket) -> None:
        sock.recv(1)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_port_without_tls() -> None:
    with InCleartext() as listener:
        conn = client.HTTPSConnection("localhost", listener.port, timeout=10)
        with pytest.raises(ssl.SSLError) as caught:
            conn.request("GET", "/")
    said = f"localhost:{listener.port} does not speak TLS (HTTPConnection, or an http:// URL?)"
    assert said in str(caught.value)


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

    def test_a_port_as_a_str(self, server: Server) -> None:
        """http.client hands it on to getaddrinfo(), which takes it."""
        port: Any = str(server.port)
        conn = client.HTTPSConnection("localhost", port, context=server.context(), timeout=10)
        assert get(conn).status == 200
        conn.close()

    def test_auto_open_off(self, conn: client.HTTPSConnection) -> None:
        conn.auto_open = 0
        with pytest.raises(http.client.NotConnected):
            conn.request("GET", "/")

    def test_a_timeout(self, server: Server) -> None:
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=0.2)
        with pytest.raises(TimeoutError):
            get(conn, "/slow")
        conn.close()
        conn.timeout = 30  # the dial, too, has to be in time
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
        with pytest.raises(http.client.CannotSendRequest, match="the body is longer"):
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


def test_reported_helper_agrees(h2: client.HTTPSConnection) -> None:
    """The same request by either connection is the same to the server."""
    headers = {"X-A": "1"}
    h2.request("PUT", "/report", b"x", headers)
    strict = report_of(h2)
    with hyperlite.HTTP20Connection("localhost", h2.port, context=h2._context, timeout=10) as conn:
        assert reported(conn, "PUT", b"x", headers) == strict
