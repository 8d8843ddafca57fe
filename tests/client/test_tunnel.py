"""hyperlite.client through a proxy's tunnel."""

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from hyperlite import client
from hyperlite.testing.server import Server

from .conftest import report_of


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
