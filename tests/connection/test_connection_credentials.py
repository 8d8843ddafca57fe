"""NTLM authenticates a connection: that of a connection object, which is its caller's."""

from collections.abc import Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite import client
from hyperlite.testing.server import Server
from tests import websocket
from tests.conftest import Connect, Serve
from tests.ntlm import NEGOTIATE, Domain, authenticate


@pytest.fixture
def domain() -> Domain:
    return Domain()


@pytest.fixture
def server(serve: Serve, domain: Domain) -> Server:
    """It has HTTP/2, and requires HTTP/1.1."""
    return serve(routes={"/": domain.handler})


@pytest.fixture(params=[hyperlite.HTTP20Connection, client.HTTPSConnection])
def conn(request: pytest.FixtureRequest, server: Server) -> Iterator[Any]:
    conn = request.param("localhost", server.port, context=server.context(), timeout=10)
    yield conn
    conn.close()


def ask(conn: Any, token: str = "", **options: Any) -> Any:
    headers = {"Connection": "Keep-Alive"} | ({"Authorization": f"NTLM {token}"} if token else {})
    conn.request(options.pop("method", "GET"), "/", headers=headers, **options)
    return conn.getresponse()


def token_of(response: Any) -> str:
    return str(response.getheader("WWW-Authenticate")).partition(" ")[2]


@pytest.mark.parametrize("start", ["nothing", NEGOTIATE])
@pytest.mark.parametrize("body", [None, b"body"])
def test_the_messages_go_out_on_one_connection(
    server: Server, conn: Any, domain: Domain, start: str, body: bytes | None
) -> None:
    method = "POST" if body else "GET"
    if start == "nothing":
        response = ask(conn)
        assert (response.version, response.status, response.read()) == (11, 401, domain.body)
    response = ask(conn, NEGOTIATE, method=method, body=body)
    token = token_of(response)
    assert response.fp.raw._sock.getpeercert(True)  # which the third message speaks of
    assert response.read() == domain.body
    assert ask(conn, authenticate("ann", token), method=method, body=body).read() == b"ann"
    assert ask(conn).read() == b"ann"  # the connection belongs to the object, whichever request uses it
    assert {number for number, _, _ in domain.log} == {2}
    assert server.connections == 2
    assert not domain.errors


def test_a_body_that_is_not_read_makes_way(server: Server, connect: Connect, domain: Domain) -> None:
    conn = connect(server)
    first = ask(conn)
    second = ask(conn, NEGOTIATE)
    assert ask(conn, authenticate("ann", token_of(second))).read() == b"ann"
    assert [first.read(), second.read()] == [domain.body, domain.body]
    assert {number for number, _, _ in domain.log} == {2}


def test_the_object_opens_a_connection_again_which_is_not_authenticated(
    server: Server, conn: Any, domain: Domain
) -> None:
    response = ask(conn, NEGOTIATE)
    token = token_of(response)
    response.read()
    assert ask(conn, authenticate("ann", token)).read() == b"ann"
    conn.close()
    response = ask(conn)
    assert (response.version, response.status) == (11, 401)


def test_a_request_that_asks_for_another_protocol_has_one_connection_too(
    serve: Serve, connect: Connect
) -> None:
    """Beside the one of HTTP/2, which goes on."""
    domain = Domain(http2=True)
    conn = connect(serve(routes={"/": domain.handler}))
    assert conn.getresponse(conn.request("GET", "/")).version == 20
    response = conn.getresponse(
        conn.request("GET", "/", headers=websocket.HEADERS | {"Authorization": f"NTLM {NEGOTIATE}"})
    )
    token = authenticate("ann", token_of(response))
    response.read()
    response = conn.getresponse(
        conn.request("GET", "/", headers=websocket.HEADERS | {"Authorization": f"NTLM {token}"})
    )
    assert (response.version, response.read()) == (11, b"ann")
    assert conn.getresponse(conn.request("GET", "/")).status == 401
    assert not domain.errors
