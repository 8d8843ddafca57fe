"""What programs reach for beneath `response.raw`: the socket, its timeout, and whether a body streams."""

import http.client
import threading

import pytest
import requests
from requests import Session

from hyperlite import HTTP20Connection
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import Serve


def test_the_socket(session: Session, server: Server):
    """`raw._fp.fp.raw._sock`, as http.client's file has it, for the peer's address and certificate."""
    with session.get(server.url("/sized?n=10"), stream=True) as response:
        sock = response.raw._fp.fp.raw._sock
        assert sock.getpeername() == ("127.0.0.1", server.port)
        assert sock.fileno() == response.raw.fileno() == response.raw._fp.fp.raw.fileno()
        if server.url("").startswith("https"):
            assert ("DNS", "localhost") in sock.getpeercert()["subjectAltName"]
        assert response.raw._original_response.fp.raw._sock.getpeername() == sock.getpeername()
        assert response.content == b"x" * 10


def test_whether_a_body_streams(session: Session, serve: Serve):
    """`raw._fp.chunked` and `raw._fp.chunk_left`, by which docker-py reads."""

    @streaming
    def pieces(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.send(b"first")
        taken.wait(10)
        exchange.send(b"second")
        exchange.end()

    for alpn in ("h2", "http/1.1"):
        taken = threading.Event()
        server = serve(routes={"/pieces": pieces, "/whole": lambda _: Response(body=b"whole")}, alpn=(alpn,))
        with session.get(server.url("/pieces"), stream=True, timeout=10) as response:
            below = response.raw._fp
            assert below.chunked
            assert response.raw.read(1) == b"f"
            assert below.chunk_left == 4
            assert response.raw.read(below.chunk_left) == b"irst"
            assert not below.chunk_left
            taken.set()
            assert below.status == 200
            assert response.raw.read() == b"second"
            assert below.chunk_left is None
            assert below.isclosed()
        for method in ("GET", "HEAD"):
            with session.request(method, server.url("/whole"), stream=True) as response:
                assert not response.raw._fp.chunked


def test_a_timeout_that_is_set_on_the_socket(session: Session, serve: Serve):
    """It holds for what is read from then on: programs lift the request's limit so, for idle streams."""

    @streaming
    def silent(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.send(b"first")
        over.wait(30)
        exchange.end()

    for alpn in ("h2", "http/1.1"):
        over = threading.Event()
        server = serve(routes={"/": silent}, alpn=(alpn,))
        with session.get(server.url("/"), stream=True, timeout=60) as response:
            assert response.raw.read(5) == b"first"
            response.raw._fp.fp.raw._sock.settimeout(0.01)
            with pytest.raises(requests.ConnectionError, match="timed out"):
                next(response.iter_content(1))
            over.set()


def test_shutting_the_socket_down(session: Session, serve: Serve):
    """A thread that reads gets an error, or the end: so docker-py cancels a stream of events."""

    @streaming
    def endless(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.send(b"first")
        over.wait(30)

    over = threading.Event()
    for alpn in ("h2", "http/1.1"):
        server = serve(routes={"/": endless}, alpn=(alpn,))
        with session.get(server.url("/"), stream=True, timeout=60) as response:
            assert response.raw.read(5) == b"first"
            sock = response.raw._fp.fp.raw._sock
            sock.shutdown(2)
            sock.close()
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                next(response.iter_content(1))
    over.set()


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_a_connection_of_its_own(serve: Serve, protocol: str):
    """HTTP20Connection's responses have the same file on HTTP/1.1 as on HTTP/2."""
    server = serve(routes={"/": lambda _: Response(body=b"whole")}, alpn=(protocol,))
    with HTTP20Connection("localhost", server.port, context=server.context()) as connection:
        connection.request("GET", "/")
        with connection.getresponse() as response:
            assert isinstance(response, http.client.HTTPResponse)
            assert response.fp.raw._sock.getpeername() == ("127.0.0.1", server.port)
            assert response.read() == b"whole"
