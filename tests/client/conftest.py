"""Connections of http.client's classes, as `hyperlite.client` makes them, to the embedded server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hyperlite import client
from hyperlite.testing.server import Server
from tests.conftest import Serve


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
