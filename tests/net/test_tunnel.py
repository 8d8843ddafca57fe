"""HTTP20Connection and hyperlite.client through a proxy's tunnel."""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

import hyperlite
from hyperlite import client
from hyperlite.testing.hostile.frames import PREFACE, FrameFactory
from tests.conftest import Serve
from tests.connect_proxy import GRANTED, Proxy, drip, grant, says

Open = Callable[..., Any]  # an (unconnected) connection to a proxy, with the origin's context


def _http2(port: int, context: ssl.SSLContext, **options: Any) -> Any:
    return hyperlite.HTTP20Connection("127.0.0.1", port, context=context, **options)


def _https(port: int, context: ssl.SSLContext, **options: Any) -> Any:
    return client.HTTPSConnection("127.0.0.1", port, context=context, **options)


def _http(port: int, context: ssl.SSLContext, **options: Any) -> Any:
    return client.HTTPConnection("127.0.0.1", port, **options)


WAYS = pytest.mark.parametrize("way", [_http2, _https, _http])


@pytest.mark.parametrize(("alpn", "version"), [(("h2", "http/1.1"), 20), (("http/1.1",), 11)])
def test_requests_through_a_tunnel_are_the_origins(serve: Serve, alpn: tuple[str, ...], version: int):
    server = serve(alpn=alpn)
    with (
        Proxy() as proxy,
        hyperlite.HTTP20Connection("127.0.0.1", proxy.port, context=server.context(), timeout=10) as conn,
    ):
        conn.set_tunnel("localhost", server.port, {"Proxy-Authorization": "Basic YTpi"})
        for _ in range(2):
            conn.request("GET", "/report")
            response = conn.getresponse()
            assert response.version == version
            assert json.loads(response.read())["authority"] == f"localhost:{server.port}"
    [lines] = proxy.seen
    assert lines[0].startswith(f"CONNECT localhost:{server.port} ")
    assert "Proxy-Authorization: Basic YTpi" in lines


def test_cleartext_http2_through_a_tunnel(serve: Serve):
    server = serve(secure=False)
    with (
        Proxy() as proxy,
        hyperlite.HTTP20Connection("127.0.0.1", proxy.port, secure=False, timeout=10) as conn,
    ):
        conn.set_tunnel("localhost", server.port)
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"


def test_a_proxy_that_refuses(serve: Serve):
    server = serve()
    with (
        Proxy(refuse=b"407 Proxy Authentication Required") as proxy,
        hyperlite.HTTP20Connection("127.0.0.1", proxy.port, context=server.context(), timeout=10) as conn,
    ):
        conn.set_tunnel("localhost", server.port)
        with pytest.raises(OSError, match="Tunnel connection failed: 407 Proxy Authentication Required"):
            conn.request("GET", "/")
    assert not server.log


@WAYS
@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nProxy-Authorization: Basic YTpi"},
        {"X": "a\nB: c"},
        {"X": "a\r\n\r\nGET http://other.example/ HTTP/1.1\r\n\r\n"},
        {"X": "a\0b"},
        {"X": b"a\r\nB: c"},
        {"X: a\r\nProxy-Authorization": "Basic YTpi"},
        {"X\n": "a"},
        {b"X\r\nB": "a"},
        {"": "a"},
    ],
)
def test_a_header_field_that_holds_another_does_not_reach_the_proxy(
    serve: Serve, way: Open, headers: dict[Any, Any]
):
    server = serve()
    with Proxy() as proxy:
        conn = way(proxy.port, server.context(), timeout=10)
        conn.set_tunnel("localhost", server.port, headers)
        with pytest.raises(ValueError, match="Invalid header"):
            conn.request("GET", "/")
        assert conn.sock is None
        conn.close()
    assert not proxy.seen


@WAYS
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "0", "content-length": "4"},
        {"Content-Length": 4, b"CONTENT-LENGTH": b"5"},
        {"Content-Length": "4", "Transfer-Encoding": "chunked"},
        {"Content-Length": "four"},
        {"Transfer-Encoding": "gzip, chunked"},
        {"Host": "a.example:443", "host": "b.example:443"},
    ],
    ids=repr,
)
def test_a_proxy_is_not_told_two_things_at_once(serve: Serve, way: Open, headers: dict[Any, Any]):
    """What a proxy takes for a body is missing in the tunnel."""
    server = serve()
    with Proxy() as proxy:
        conn = way(proxy.port, server.context(), timeout=10)
        conn.set_tunnel("localhost", server.port, headers)
        with pytest.raises(ValueError, match=r"content-length|transfer-encoding|Host"):
            conn.request("GET", "/")
        assert conn.sock is None
        conn.close()
    assert not proxy.seen


@WAYS
@pytest.mark.parametrize("host", ["localhost:1 HTTP/1.1\r\nEvil: yes\r\n\r\n", "local host", "local\0host"])
def test_a_host_that_holds_a_line_does_not_reach_the_proxy(serve: Serve, way: Open, host: str):
    server = serve()
    with Proxy() as proxy:
        conn = way(proxy.port, server.context(), timeout=10)
        with pytest.raises((http.client.InvalidURL, ValueError)):
            conn.set_tunnel(host, server.port)
            conn.request("GET", "/")
        assert conn.sock is None
        conn.close()
    assert not proxy.seen


@WAYS
def test_a_host_without_a_form_in_ascii_leaves_nothing_open(serve: Serve, way: Open):
    """What is sent next on a connection that were open would go to the proxy, in cleartext."""
    server = serve()
    with Proxy() as proxy:
        conn = way(proxy.port, server.context(), timeout=10)
        with pytest.raises(ValueError, match="long"):
            conn.set_tunnel("\xfc" * 70 + ".example", server.port)
            conn.request("GET", "/")
        assert conn.sock is None
        conn.close()
    assert not proxy.seen


def test_the_proxy_is_told_one_name(serve: Serve):
    """In the request line and, since Python 3.12, in Host."""
    pytest.importorskip("idna")
    server = serve()
    with Proxy(refuse=b"403 Forbidden") as proxy:
        conn = _http2(proxy.port, server.context(), timeout=10)
        conn.set_tunnel("fa\xdf.example", 8443)
        with pytest.raises(OSError, match="403"):
            conn.connect()
        conn.close()
    [[line, *fields]] = proxy.seen
    assert line.split()[1] == "xn--fa-hia.example:8443"
    assert fields in ([], ["Host: xn--fa-hia.example:8443"])


def test_a_tunnel_that_is_refused_as_an_argument_is_not_set(serve: Serve):
    server = serve()
    conn = hyperlite.HTTP20Connection("localhost", server.port, context=server.context(), timeout=10)
    with conn:
        with pytest.raises(http.client.InvalidURL):
            conn.set_tunnel("a\r\nb", 443)
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"


@WAYS
def test_values_of_any_type_are_sent_as_http_client_writes_them(serve: Serve, way: Open):
    server = serve(secure=way is not _http)
    with Proxy() as proxy:
        conn = way(proxy.port, server.context() if way is not _http else None, timeout=10)
        conn.set_tunnel(
            "localhost", server.port, {"A": 1, "B": 1.5, "C": "\xe9", "D": "folded\r\n line", "E": None}
        )
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"
        conn.close()
    assert {"A: 1", "B: 1.5", "C: \xe9", "D: folded line", "E: None"} <= set(proxy.seen[0])


@WAYS
@pytest.mark.parametrize(
    "where", [b"", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 C\r\nX: "]
)
def test_an_answer_that_drips_ends_with_the_timeout(serve: Serve, way: Open, where: bytes):
    server = serve(secure=way is not _http)
    with Proxy(answer=lambda sock: drip(sock, where)) as proxy:
        conn = way(proxy.port, server.context() if way is not _http else None, timeout=0.3)
        conn.set_tunnel("localhost", server.port)
        with pytest.raises(TimeoutError):
            conn.request("GET", "/")
        assert conn.sock is None
        conn.close()


def test_an_answer_that_drips_ends_with_the_deadline(serve: Serve):
    server = serve()
    with Proxy(answer=drip) as proxy:
        conn = _http2(proxy.port, server.context(), timeout=30)
        conn.set_tunnel("localhost", server.port)
        with pytest.raises(TimeoutError):
            conn.request("GET", "/", deadline=0.3)
        conn.close()


def test_each_step_to_the_origin_ends_with_the_deadline(serve: Serve):
    """The proxy answers late; then the origin's handshake has only the rest of the time."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(GRANTED)
        sock.recv(65536)  # the ClientHello
        sock.recv(1)  # until the client leaves

    server = serve()
    with Proxy(answer=answer) as proxy:
        conn = _http2(proxy.port, server.context(), timeout=30)
        conn.set_tunnel("localhost", server.port)
        with pytest.raises(TimeoutError):
            conn.request("GET", "/", deadline=0.3)
        conn.close()


@pytest.mark.parametrize("behind", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_what_comes_behind_the_answer_is_the_origins(behind: bytes):
    frames = FrameFactory()
    read = bytearray()

    def answer(sock: socket.socket) -> None:
        response = frames.settings(max_concurrent_streams=7) + frames.settings_ack()
        sock.sendall(behind + GRANTED + response)  # in one packet
        while not read.endswith(frames.settings_ack()):
            read.extend(sock.recv(65536))
        sock.sendall(frames.headers(1, end_stream=True))
        sock.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as origin, Proxy(answer=answer) as proxy:
        conn = hyperlite.HTTP20Connection("127.0.0.1", proxy.port, secure=False, timeout=10)
        conn.set_tunnel("127.0.0.1", origin.getsockname()[1])
        with conn:
            response = conn.getresponse(conn.request("GET", "/"))
            assert (response.status, response.version) == (200, 20)
    assert read.startswith(PREFACE)


@WAYS
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", http.client.RemoteDisconnected),
        (b"HTTP/1.1 200 OK", http.client.BadStatusLine),
        (b"HTTP/1.1 200 OK\r\n", hyperlite.ConnectionLost),
        (b"HTTP/1.1 200 OK\r\nA: b\r\nC", hyperlite.ConnectionLost),
        (b"HTTP/1.1 100 Continue\r\n\r\n", http.client.RemoteDisconnected),
        (b"HTTP/1.1 100 Continue\r\n", http.client.RemoteDisconnected),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", http.client.BadStatusLine),
        (b"HTTP/1.1 2_0_0 OK\r\n\r\n", http.client.BadStatusLine),
        (b"HTTP/1.1 +200 OK\r\n\r\n", http.client.BadStatusLine),
        (b"HTTP/1.1 099 OK\r\n\r\n", http.client.BadStatusLine),
        (b"\x15\x03\x01\x00\x02\x02\x0a", http.client.BadStatusLine),
        (b"HTTP/1.1 200 " + b"x" * 70_000, http.client.LineTooLong),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000, http.client.LineTooLong),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n", http.client.HTTPException),
        (b"HTTP/1.1 100 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n", http.client.HTTPException),
        ((b"HTTP/1.1 100 OK\r\nA: %b\r\n\r\n" % (b"x" * 1000)) * 300, hyperlite.MalformedResponse),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", OSError),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n", OSError),
    ],
)
def test_what_is_no_answer(serve: Serve, way: Open, answer: bytes, error: type[Exception]):
    """The connection to the proxy is closed then: a further request does not go to the proxy as it is."""
    server = serve(secure=way is not _http)
    answers = [grant, says(answer)]

    def one_after_the_other(sock: socket.socket) -> bool | None:
        return answers.pop()(sock)

    with Proxy(answer=one_after_the_other) as proxy:
        conn = way(proxy.port, server.context() if way is not _http else None, timeout=10)
        conn.set_tunnel("localhost", server.port)
        with pytest.raises(error) as raised:
            conn.request("GET", "/")
        assert error is not OSError or str(raised.value).startswith("Tunnel connection failed: ")
        assert conn.sock is None
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"
        conn.close()
    assert [lines[0].split()[0] for lines in proxy.seen] == ["CONNECT", "CONNECT"]


@WAYS
def test_an_ipv6_origin_has_brackets(way: Open):
    with Proxy(refuse=b"403 Forbidden") as proxy:
        conn = way(proxy.port, None, timeout=10)
        conn.set_tunnel("::1", 8443)
        with pytest.raises(OSError, match="403 Forbidden"):
            conn.request("GET", "/")
        conn.close()
    assert proxy.seen[0][0].startswith("CONNECT [::1]:8443 HTTP/1.")
    assert [line for line in proxy.seen[0] if line.startswith("Host:")] in ([], ["Host: [::1]:8443"])


@WAYS
def test_what_the_proxy_says_can_be_read(serve: Serve, way: Open, capsys: pytest.CaptureFixture[str]):
    server = serve()
    with Proxy(answer=says(b"HTTP/1.1 200 OK\r\nX-Proxy: yes\r\n\r\n")) as proxy:
        conn = way(proxy.port, server.context(), timeout=10)
        conn.set_debuglevel(1)
        conn.set_tunnel("localhost", server.port)
        with contextlib.suppress(OSError):  # there is nothing behind the answer
            conn.connect()
        printed = capsys.readouterr().out
        assert "send: b'CONNECT localhost:" in printed
        assert "header: X-Proxy: yes" in printed or "header: b'X-Proxy: yes\\r\\n'" in printed
        if hasattr(conn, "get_proxy_response_headers"):  # since Python 3.12
            assert conn.get_proxy_response_headers()["X-Proxy"] == "yes"
        conn.close()
