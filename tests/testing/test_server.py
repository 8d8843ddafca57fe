"""The embedded server as a whole: its life, its protocols, its certificates and its slow network."""

import http.client
import socket
import ssl
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hyperlite.testing import certificates
from hyperlite.testing.latency import LatencyProxy
from hyperlite.testing.server import Response, Server, streaming

from .rawclient import TIMEOUT, RawClient


def hello(request):
    return Response(body=request.protocol.encode())


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT)


def fetch(server, path="/", alpn=("http/1.1",)):
    context = server.context()
    if alpn:
        context.set_alpn_protocols(list(alpn))
    connection = http.client.HTTPSConnection(server.host, server.port, context=context, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_log_and_connections():
    with Server({"/": hello}) as server:
        with RawClient(server) as client:
            client.get("/")
        fetch(server, "/none?x")
        assert server.log == [("h2", 1, "GET", "/"), ("http/1.1", 2, "GET", "/none?x")]
        assert server.connections == 2


@pytest.mark.parametrize(
    ("served", "offered", "agreed"),
    [
        (("h2", "http/1.1"), ("http/1.1",), "http/1.1"),
        (("h2", "http/1.1"), ("http/1.1", "h2"), "h2"),
        (("h2", "http/1.1"), (), None),
        (("http/1.1",), ("h2", "http/1.1"), "http/1.1"),
        ((), ("h2", "http/1.1"), None),
    ],
)
def test_alpn(served, offered, agreed):
    with Server(hello, alpn=served) as server:
        context = server.context()
        if offered:
            context.set_alpn_protocols(list(offered))
        with context.wrap_socket(connect(server), server_hostname="localhost") as sock:
            assert sock.selected_alpn_protocol() == agreed
        if agreed != "h2":
            assert fetch(server, alpn=offered) == b"http/1.1"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_certificate(name):
    with Server(hello) as server:
        with server.context().wrap_socket(connect(server), server_hostname=name) as sock:
            assert sock.getpeercert()
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(connect(server), server_hostname=name)
        assert "BEGIN CERTIFICATE" in Path(server.ca_file).read_text()


def test_certificates_without_trustme(monkeypatch):
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ImportError, match=r"hyperlite-http\[testing\]"):
        certificates.certificates.__wrapped__()


def test_url():
    with Server(hello) as server:
        assert server.url("/x?y") == f"https://localhost:{server.port}/x?y"


def test_cleartext_tells_the_protocol_by_the_first_bytes():
    with Server(hello, secure=False) as server:
        assert server.url() == f"http://localhost:{server.port}/"
        with RawClient(server, secure=False) as client:
            assert client.get("/").body == b"h2"
        connection = http.client.HTTPConnection(server.host, server.port, timeout=TIMEOUT)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"http/1.1"
        connection.close()


def test_cleartext_preface_in_pieces():
    with Server(hello, secure=False) as server, RawClient(server, secure=False, flush=False) as client:
        number = client.request("/", flush=False)
        data = client.h2.data_to_send()
        for byte in data[:30]:
            client.socket.sendall(bytes([byte]))
        client.socket.sendall(data[30:])
        assert client.reply(number).body == b"h2"


def test_port():
    with Server(hello) as server:
        for options in ({}, {"latency": 0.01}):
            with pytest.raises(OSError, match="in use"):
                Server(hello, port=server.port, **options)
    for options in ({}, {"latency": 0.01}):
        with Server(hello, port=server.port, **options) as again:
            assert again.port == server.port
            assert fetch(again) == b"http/1.1"


def test_many_connections_at_once():
    with Server(hello, secure=False) as server:
        sockets = [connect(server) for _ in range(200)]
        for sock in sockets:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        for sock in sockets:
            assert sock.recv(1000).endswith(b"http/1.1")
            sock.close()
        assert server.connections == 200


class TestClose:
    """`close` comes to an end at once, whatever the connections are doing, and leaves no thread behind."""

    @pytest.fixture
    def close_at_once(self):
        before = set(threading.enumerate())

        def close_at_once(server):
            start = time.monotonic()
            server.close()
            assert time.monotonic() - start < 30
            assert set(threading.enumerate()) <= before
            with pytest.raises(ConnectionRefusedError):
                connect(server)

        return close_at_once

    def test_twice(self, close_at_once):
        server = Server(hello)
        close_at_once(server)
        close_at_once(server)

    @pytest.mark.parametrize("latency", [0.0, 0.01])
    @pytest.mark.parametrize(
        "sent", [b"", b"PRI * ", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nx"]
    )
    def test_unfinished_request(self, close_at_once, sent, latency):
        server = Server(hello, secure=False, latency=latency)
        with connect(server) as sock:
            sock.sendall(sent)
            close_at_once(server)

    def test_unfinished_handshake(self, close_at_once):
        server = Server(hello)
        with connect(server):
            close_at_once(server)

    @pytest.mark.parametrize("options", [{}, {"delay": 60.0}, {"latency": 0.01}])
    def test_http2(self, close_at_once, options):
        server = Server(hello, **options)
        with RawClient(server) as client:
            client.round_trip()
            client.request("/")
            close_at_once(server)

    def test_delayed_http1_response(self, close_at_once):
        server = Server(hello, secure=False, delay=60.0)
        with connect(server) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            close_at_once(server)

    @pytest.mark.parametrize("http2", [True, False])
    @pytest.mark.parametrize("reads", [True, False])
    def test_busy_handler(self, close_at_once, http2, reads):
        @streaming
        def handler(exchange):
            exchange.start()
            exchange.send(b"x")
            while True:
                exchange.read() if reads else exchange.send(bytes(1 << 20))

        server = Server(handler, secure=False)
        if http2:
            with RawClient(server, secure=False, credit=False) as client:
                number = client.request("/", "POST", end=False)
                client.until(lambda: client.replies[number].body)
                close_at_once(server)
        else:
            with connect(server) as sock:
                sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n")
                assert sock.recv(1000)
                close_at_once(server)

    def test_client_that_takes_nothing(self, close_at_once):
        server = Server(lambda _: Response(body=iter(lambda: bytes(1 << 20), None)), secure=False)
        with RawClient(server, secure=False, credit=False) as client:
            client.h2.increment_flow_control_window(1 << 30)
            number = client.request("/")
            client.h2.increment_flow_control_window(1 << 30, number)
            client.flush()
            client.until(lambda: client.replies[number].body)
            close_at_once(server)

    def test_while_it_parts_from_a_client(self, close_at_once):
        server = Server(hello)
        with RawClient(server) as client:
            client.get("/")
            server.goaway()
            client.until_closed()
            close_at_once(server)


def test_garbage_instead_of_tls():
    with Server(hello) as server:
        with connect(server) as sock, suppress(ConnectionResetError):
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert not sock.recv(1000).startswith(b"HTTP")
        assert fetch(server) == b"http/1.1"


class TestLatency:
    def test_round_trip(self):
        with Server(hello, secure=False, latency=0.05) as server, RawClient(server, secure=False) as client:
            client.round_trip()
            start = time.monotonic()
            client.round_trip()
            assert time.monotonic() - start >= 0.05
            start = time.monotonic()
            for number in [client.request("/") for _ in range(20)]:
                client.reply(number)
            assert time.monotonic() - start < 0.05 * 20

    def test_order_and_bulk(self):
        body = b"".join(b"%07d\n" % number for number in range(300_000))
        server = Server(lambda request: Response(body=request.body), secure=False, latency=0.01)
        with server, RawClient(server, secure=False) as client:
            assert client.get("/", "POST", body=body).body == body

    @pytest.fixture
    def proxied(self):
        """Return both ends of a connection that goes through a proxy."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            proxy = LatencyProxy(listener.getsockname()[1], 0.01)
            near = socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT)
            far, _ = listener.accept()
            far.settimeout(TIMEOUT)
            with near, far:
                yield near, far
            proxy.close()

    def test_half_close(self, proxied):
        near, far = proxied
        near.sendall(b"question")
        near.shutdown(socket.SHUT_WR)
        assert far.recv(100) == b"question"
        assert far.recv(100) == b""
        far.sendall(b"answer")
        far.close()
        assert near.recv(100) == b"answer"
        assert near.recv(100) == b""

    @pytest.mark.parametrize("direction", [1, -1])
    def test_reset(self, proxied, direction):
        one, other = proxied[::direction]
        one.sendall(b"x")
        assert other.recv(100) == b"x"
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
        with pytest.raises(ConnectionResetError):
            other.recv(100)

    def test_send_to_a_closed_end(self, proxied):
        near, far = proxied
        far.close()
        with pytest.raises(ConnectionError):
            while True:
                near.sendall(b"x")

    def test_receiver_that_takes_nothing_stops_the_sender(self, proxied):
        near, far = proxied
        near.settimeout(0.2)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 1 << 28:
                sent += near.send(bytes(1 << 20))
        received = 0
        near.shutdown(socket.SHUT_WR)
        while data := far.recv(1 << 20):
            received += len(data)
        assert received == sent

    def test_no_server_upstream(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        proxy = LatencyProxy(port, 0.01)
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT) as sock:
            assert sock.recv(100) == b""
        proxy.close()
