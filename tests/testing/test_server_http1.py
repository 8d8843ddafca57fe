"""The embedded server's HTTP/1.1, seen by http.client and by plain sockets."""

import http.client
import queue
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from hyperlite.testing.server import Response, Server, streaming

from .rawclient import TIMEOUT


@pytest.fixture
def serve():
    """Make servers of HTTP/1.1 with one handler, and http.client's connections to them."""
    opened = []

    def serve(handler, **options):
        server = Server(handler, alpn=("http/1.1",), **options)
        client = http.client.HTTPSConnection(
            server.host, server.port, context=server.context(), timeout=TIMEOUT
        )
        opened.extend([server, client])
        return server, client

    yield serve
    for thing in reversed(opened):
        thing.close()


@contextmanager
def connection(handler):
    """Make a server with this handler and a plain socket that is connected to it."""
    with (
        Server(handler, secure=False) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as sock,
    ):
        yield sock


def rest(sock):
    """Return what comes until the server closes the connection."""
    return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def talk(handler, *pieces):
    """Send bytes to a handler and return all that comes back."""
    with connection(handler) as sock:
        for piece in pieces:
            sock.sendall(piece)
        return rest(sock)


def request(*headers, method="GET", body=b"", version="1.1"):
    lines = [f"{method} / HTTP/{version}", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def hello(request):
    return Response(headers=[("Content-Type", "text/plain")], body=b"Hello")


def describe(request):
    return Response(body=repr((request.body, request.trailers)).encode())


@streaming
def echo(exchange):
    exchange.start(200, [("X-Echo", "yes")])
    while data := exchange.read():
        exchange.send(data)
    exchange.end([("x-trailers", str(exchange.request.trailers))])


def test_request_and_response(serve):
    seen = []

    def handler(request):
        seen.append(request)
        return Response(201, [("X-Answer", "42")], b"abc")

    server, client = serve(handler)
    client.request("PUT", "/a%20b?x=1", b"body", {"X-One": "1"})
    response = client.getresponse()
    assert (response.status, response.reason, response.version) == (201, "Created", 11)
    assert response.getheaders() == [("X-Answer", "42"), ("content-length", "3")]
    assert response.read() == b"abc"
    (request,) = seen
    assert (request.method, request.target, request.path) == ("PUT", "/a%20b?x=1", "/a%20b")
    assert request.query == {"x": ["1"]}
    assert request.header("x-one") == "1"
    assert (request.authority, request.body) == (f"localhost:{server.port}", b"body")
    assert (request.protocol, request.connection, request.stream_id) == ("http/1.1", 1, 0)


def test_keep_alive(serve):
    server, client = serve(describe)
    for body in (b"one", None, b"x" * 100_000, iter([b"a", b"b"])):
        client.request("POST", "/", body)
        assert client.getresponse().read()
    assert server.connections == 1


def test_pipelining():
    answers = talk(hello, b"GET / HTTP/1.1\r\n\r\n" * 3 + request())
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 4


def test_chunked_request_with_trailers():
    body = b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Check: 1\r\n\r\n"
    data = request("Transfer-Encoding: chunked", method="POST", body=body)
    for pieces in ([data], [data[n : n + 1] for n in range(len(data))]):
        assert b"(b'abcde', [('x-check', '1')])" in talk(describe, *pieces)


def test_streamed_body_is_chunked(serve):
    _, client = serve(lambda _: Response(body=iter([b"a", b"", b"b" * 100_000])))
    client.request("GET", "/")
    response = client.getresponse()
    assert response.getheader("transfer-encoding") == "chunked"
    assert response.read() == b"a" + b"b" * 100_000


def test_streamed_body_of_known_length(serve):
    _, client = serve(lambda _: Response(headers=[("Content-Length", "3")], body=iter([b"a", b"bc"])))
    client.request("GET", "/")
    response = client.getresponse()
    assert response.getheaders() == [("Content-Length", "3")]
    assert response.read() == b"abc"


@pytest.mark.parametrize("body", [b"", b"abc", iter([b"ab", b"c"])])
def test_trailers(body):
    answer = talk(lambda _: Response(body=body, trailers=[("x-end", "1")]), request())
    assert answer.endswith(b"0\r\nx-end: 1\r\n\r\n")


def test_informational_responses():
    answer = talk(lambda _: Response(informational=[(103, [("link", "</x>")])]), request())
    assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("HEAD", 200, "3"), ("GET", 204, None), ("GET", 304, None), ("HEAD", 304, None)],
)
@pytest.mark.parametrize("trailers", [(), [("x-end", "1")]])
def test_responses_without_body(serve, method, status, length, trailers):
    _, client = serve(lambda _: Response(status, body=b"abc", trailers=trailers))
    for _ in range(2):
        client.request(method, "/")
        response = client.getresponse()
        assert (response.status, response.read()) == (status, b"")
        assert response.getheader("content-length") == (None if trailers else length)


def test_not_found_and_failing_handler(serve, capsys):
    def fail(request):
        raise ValueError("out of luck")

    _, client = serve({"/": fail})
    for path, status in (("/none", 404), ("/", 500)):
        client.request("GET", path)
        response = client.getresponse()
        response.read()
        assert response.status == status
    assert "ValueError: out of luck" in capsys.readouterr().err


def test_failing_body(serve, capsys):
    def body():
        yield b"abc"
        raise ValueError("out of paper")

    _, client = serve(lambda _: Response(body=body()))
    client.request("GET", "/")
    with pytest.raises(http.client.IncompleteRead):
        client.getresponse().read()
    assert "ValueError: out of paper" in capsys.readouterr().err


def test_delays_add_up(serve):
    _, client = serve(lambda _: Response(delay=0.02), delay=0.02)
    start = time.monotonic()
    client.request("GET", "/")
    client.getresponse().read()
    assert time.monotonic() - start >= 0.04


def test_http_1_0_closes():
    answer = talk(lambda _: Response(body=iter([b"a", b"b"])), b"GET / HTTP/1.0\r\n\r\n")
    assert answer == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab"


def test_handler_closes():
    answer = talk(lambda _: Response(headers=[("Connection", "close")]), b"GET / HTTP/1.1\r\n\r\n")
    assert answer == b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 0\r\n\r\n"


def test_requests_per_connection(serve):
    server, client = serve(hello, requests_per_connection=2)
    closes = []
    for _ in range(4):
        client.request("GET", "/")
        response = client.getresponse()
        response.read()
        closes.append(response.getheader("connection"))
    assert closes == [None, "close"] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/3.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x" * 300_000,
    ],
)
def test_bad_requests(data):
    assert talk(hello, data).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_response_survives_an_unwanted_upload():
    data = request("Content-Length: 1000000", method="POST")
    answer = talk(streaming(lambda exchange: exchange.start(403)), data, bytes(1_000_000))
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")


class TestExpectContinue:
    HEAD = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
    CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

    def converse(self, handler):
        """Send the body when told to go on; return what came before and after."""
        with connection(handler) as sock:
            sock.sendall(self.HEAD)
            first = sock.recv(1000)
            if first == self.CONTINUE:
                sock.sendall(b"abc")
            return first, rest(sock)

    def test_plain_handler(self):
        first, more = self.converse(describe)
        assert first == self.CONTINUE
        assert b"b'abc'" in more

    def test_streaming_handler_that_reads(self):
        first, more = self.converse(
            streaming(lambda exchange: exchange.start(headers=[("x-got", str(exchange.read()))]))
        )
        assert first == self.CONTINUE
        assert b"x-got: b'abc'" in more

    def test_streaming_handler_that_does_not(self):
        first, more = self.converse(streaming(lambda exchange: exchange.start(403)))
        assert (first + more).startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"connection: close" in first + more


class TestStreaming:
    def test_both_ways(self):
        with connection(echo) as sock:
            sock.sendall(request("Transfer-Encoding: chunked", method="POST"))
            lines = sock.makefile("rb")
            head = b"".join(iter(lines.readline, b"\r\n"))
            assert b"X-Echo: yes\r\n" in head
            for piece in (b"one", b"seven"):
                sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
                assert [lines.readline(), lines.readline()] == [b"%x\r\n" % len(piece), piece + b"\r\n"]
            sock.sendall(b"0\r\nCheck: 1\r\n\r\n")
            assert lines.read() == b"0\r\nx-trailers: [('check', '1')]\r\n\r\n"
            lines.close()

    def test_unread_upload_blocks_the_client(self):
        go_on = threading.Event()

        @streaming
        def handler(exchange):
            go_on.wait(TIMEOUT)
            received = sum(len(data) for data in iter(exchange.read, b""))
            exchange.start(headers=[("x-size", str(received))])

        size = 1 << 26
        with connection(handler) as sock:
            sock.sendall(request(f"Content-Length: {size}", method="POST"))
            sock.settimeout(0.1)
            sent = 0
            with pytest.raises(TimeoutError):
                while True:
                    sent += sock.send(bytes(min(1 << 20, size - sent)))
            sock.settimeout(TIMEOUT)
            go_on.set()
            sock.sendall(bytes(size - sent))
            assert b"x-size: %d\r\n" % size in sock.recv(1000)

    @pytest.mark.parametrize("reads", [True, False])
    def test_client_that_goes_away(self, capsys, reads):
        outcome = queue.Queue()

        @streaming
        def handler(exchange):
            exchange.start()
            try:
                while True:
                    exchange.read() if reads else exchange.send(bytes(1 << 16))
            except ConnectionError as error:
                outcome.put(error)
                raise

        with connection(handler) as sock:
            sock.sendall(request("Content-Length: 3", method="POST"))
            sock.recv(1)
            sock.close()
            assert isinstance(outcome.get(timeout=TIMEOUT), ConnectionError)
        assert capsys.readouterr().err == ""

    def test_known_length(self, serve):
        @streaming
        def handler(exchange):
            exchange.start(200, [("content-length", "6")])
            exchange.send(b"abc")
            exchange.send(b"def")

        _, client = serve(handler)
        for _ in range(2):
            client.request("GET", "/")
            assert client.getresponse().read() == b"abcdef"

    def test_connection_is_kept_when_the_body_is_not_read(self, serve):
        server, client = serve(streaming(lambda exchange: exchange.start(403)))
        for _ in range(3):
            client.request("POST", "/", bytes(100_000))
            response = client.getresponse()
            assert (response.status, response.read()) == (403, b"")
        assert server.connections == 1

    def test_reset(self, serve):
        @streaming
        def handler(exchange):
            exchange.start()
            exchange.send(b"abc")
            exchange.reset()

        _, client = serve(handler)
        client.request("GET", "/")
        with pytest.raises((http.client.IncompleteRead, OSError)):
            client.getresponse().read()

    def test_failing_handler(self, serve, capsys):
        @streaming
        def handler(exchange):
            raise ValueError("out of time")

        _, client = serve(handler)
        client.request("GET", "/")
        assert client.getresponse().status == 500
        assert "ValueError: out of time" in capsys.readouterr().err
