"""hyperlite.client: a response whose request asked for the end of the connection has it for itself."""

import gc
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hyperlite import client
from hyperlite.adapters.urllib import HTTP20Handler
from hyperlite.testing.server import Response, Server, streaming
from tests.conftest import ROUTES, Serve

BODY = b"0123456789abcdef" * 200_000  # more than a stream's window holds


def plain(conn: client.HTTPSConnection) -> dict[str, Any]:
    return {}


def close(conn: client.HTTPSConnection) -> dict[str, Any]:
    return {"headers": {"Connection": "close"}}


def close_among_others(conn: client.HTTPSConnection) -> dict[str, Any]:
    return {"headers": {"Connection": "TE, Close"}}


def http_1_0(conn: client.HTTPSConnection) -> dict[str, Any]:
    conn._http_vsn, conn._http_vsn_str = 10, "HTTP/1.0"
    return {}


def http_1_0_kept_alive(conn: client.HTTPSConnection) -> dict[str, Any]:
    conn._http_vsn_str = "HTTP/1.0"
    return {"headers": {"Connection": "Keep-Alive"}}


def http_vsn_alone(conn: client.HTTPSConnection) -> dict[str, Any]:
    conn._http_vsn = 10
    return {}


Prepare = Callable[[client.HTTPSConnection], dict[str, Any]]
CLOSING = [close, close_among_others, http_1_0]


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(routes=ROUTES | {"/large": lambda _: Response(body=BODY)}, alpn=(request.param,))


@pytest.fixture
def h2(serve: Serve) -> Server:
    return serve(routes=ROUTES | {"/large": lambda _: Response(body=BODY)})


@pytest.fixture
def connect() -> Iterator[Callable[[Server], client.HTTPSConnection]]:
    made = []

    def make(server: Server) -> client.HTTPSConnection:
        made.append(client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10))
        return made[-1]

    yield make
    for conn in made:
        conn.close()


def ask(conn: client.HTTPSConnection, prepare: Prepare, target: str = "/large") -> client.HTTPResponse:
    conn.request("GET", target, **prepare(conn))
    return conn.getresponse()


@pytest.mark.parametrize("prepare", CLOSING)
def test_the_response_is_read_after_the_connections_end(server: Server, connect: Any, prepare: Any) -> None:
    """splunk-sdk always works so."""
    conn = connect(server)
    response = ask(conn, prepare)
    assert response.will_close
    assert conn.sock is None
    conn.close()
    assert response.read() == BODY
    assert response.isclosed()


def test_http_vsn_alone(h2: Server, connect: Any) -> None:
    """Without Host, which HTTP/1.1 would miss."""
    conn = connect(h2)
    response = ask(conn, http_vsn_alone)
    conn.close()
    assert response.read() == BODY


@pytest.mark.parametrize("prepare", [plain, http_1_0_kept_alive])
def test_other_responses_end_with_the_connection(h2: Server, connect: Any, prepare: Any) -> None:
    conn = connect(h2)
    response = ask(conn, prepare)
    assert not response.will_close
    assert conn.sock is not None
    conn.close()
    assert response.read() == b""


def test_the_next_request_has_a_connection_of_its_own(server: Server, connect: Any) -> None:
    conn = connect(server)
    first = ask(conn, close)
    second = ask(conn, plain)
    begin = second.read(16)
    assert first.read() == BODY
    assert begin + second.read() == BODY
    assert server.connections == 2
    assert not second.will_close


@pytest.mark.parametrize("target", ["/", "/nothing", "/unchanged"])
def test_a_response_that_is_complete_closes_the_socket(h2: Server, connect: Any, target: str) -> None:
    conn = connect(h2)
    conn.request("GET", target, headers={"Connection": "close"})
    sock = conn.sock.connection.sock
    with conn.getresponse() as response:
        response.read()
    assert sock.fileno() == -1


def read_all(response: client.HTTPResponse) -> None:
    assert response.read() == BODY


def read_in_pieces(response: client.HTTPResponse) -> None:
    assert b"".join(iter(lambda: response.read(100_000), b"")) == BODY


def close_it(response: client.HTTPResponse) -> None:
    response.read(1)
    response.close()


def forget_it(response: client.HTTPResponse) -> None:
    response.read(1)


def forget_it_unread(response: client.HTTPResponse) -> None:
    pass


@pytest.mark.parametrize("end", [read_all, read_in_pieces, close_it, forget_it, forget_it_unread])
def test_the_socket_is_closed_with_the_response(h2: Server, connect: Any, end: Any) -> None:
    conn = connect(h2)
    conn.request("GET", "/large", headers={"Connection": "close"})
    sock = conn.sock.connection.sock
    response = conn.getresponse()
    conn.close()
    end(response)
    del response
    gc.collect()
    assert sock.fileno() == -1


def test_a_response_that_breaks_off(serve: Serve, connect: Any) -> None:
    @streaming
    def broken(exchange: Any) -> None:
        exchange.start(200, [("content-length", "100")])
        exchange.send(b"x")
        exchange.reset(2)

    conn = connect(serve(routes={"/": broken}))
    conn.request("GET", "/", headers={"Connection": "close"})
    sock = conn.sock.connection.sock
    response = conn.getresponse()
    conn.close()
    with pytest.raises(client.IncompleteRead):
        response.read()
    assert sock.fileno() == -1


def test_an_opener_of_urllib(server: Server) -> None:
    """It asks for the end of the connection, and reads after it."""
    opener = urllib.request.build_opener(HTTP20Handler(server.context()))
    with opener.open(f"https://localhost:{server.port}/large", timeout=10) as response:
        assert response.will_close
        assert response.read() == BODY
