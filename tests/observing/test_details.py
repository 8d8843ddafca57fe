"""What observers are told of a certificate, and of the header fields that were sent."""

import socket
from typing import Any

import pytest

from hyperlite import ConnectionPool
from hyperlite.observing import RequestInfo
from hyperlite.testing import Response, Server
from tests.conftest import Connect, MakePool, Serve

from .recorder import Recorder

by_protocol = pytest.mark.parametrize("alpn", ["h2", "http/1.1"])


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def answering(serve: Serve, **options: Any) -> Server:
    return serve(routes=lambda _: Response(body=b"hello"), record=True, **options)


@by_protocol
def test_a_certificate(serve: Serve, make_pool: MakePool, recorder: Recorder, alpn: str) -> None:
    server = answering(serve, alpn=(alpn,))
    make_pool(observers=[recorder]).fetch(server.url("/"))
    with (
        socket.create_connection(("127.0.0.1", server.port)) as beneath,
        server.context().wrap_socket(beneath, server_hostname="localhost") as plain,
    ):
        expected = plain.getpeercert()
    assert expected
    assert recorder.connections[0].certificate == expected


def test_a_certificate_that_is_not_verified(serve: Serve, recorder: Recorder) -> None:
    server = answering(serve)
    with ConnectionPool(verify=False, observers=[recorder]) as pool:
        pool.fetch(server.url("/"))
    certificate = recorder.connections[0].certificate
    assert certificate is not None
    assert ("DNS", "localhost") in certificate["subjectAltName"]


def test_no_certificate(serve: Serve, make_pool: MakePool, recorder: Recorder) -> None:
    server = answering(serve, secure=False)
    make_pool(observers=[recorder]).fetch(server.url("/"))
    assert recorder.connections[0].certificate is None


def test_the_certificate_of_a_resumed_session(serve: Serve, connect: Connect, recorder: Recorder) -> None:
    server = answering(serve, requests_per_connection=1)
    conn = connect(server, observers=[recorder])
    for _ in range(2):
        conn.request("GET", "/")
        conn.getresponse().read()
        conn.close()
    first, second = recorder.connections
    assert first.certificate is not None
    assert second.certificate is None


def seen_by(server: Server) -> list[tuple[str, str]]:
    """Return the header fields of the latest request, as the server has received them."""
    request = server.requests[-1]
    return [(":method", request.method), (":path", request.target), *request.headers]


@by_protocol
@pytest.mark.parametrize("body", [None, b"abc", iter([b"a", b"bc"])])
def test_fields_of_a_pool(
    serve: Serve, make_pool: MakePool, recorder: Recorder, alpn: str, body: Any
) -> None:
    server = answering(serve, alpn=(alpn,))
    pool = make_pool(observers=[recorder], headers={"X-Mine": "a: b"})
    method = "GET" if body is None else "POST"
    pool.fetch(server.url("/q?a=1"), method, body=body)
    told = recorder.requests[-1].fields
    expected = seen_by(server)
    if alpn == "h2":
        assert dict(told)[":authority"] == f"localhost:{server.port}"
        assert [field for field in told if field[0] not in {":authority", ":scheme"}] == expected
    else:
        assert [(name.lower(), value) for name, value in told] == expected
        assert dict(told)["Host"] == f"localhost:{server.port}"


@by_protocol
def test_fields_of_fetch_many(serve: Serve, make_pool: MakePool, recorder: Recorder, alpn: str) -> None:
    server = answering(serve, alpn=(alpn,))
    list(make_pool(observers=[recorder]).fetch_many([server.url("/many")]))
    assert dict(recorder.requests[0].fields)[":path"] == "/many"


@by_protocol
def test_fields_of_a_connection(serve: Serve, connect: Connect, recorder: Recorder, alpn: str) -> None:
    conn = connect(answering(serve, alpn=(alpn,)), observers=[recorder])
    for path in ("/a", "/b"):
        conn.request("GET", path, headers={"X-Mine": "1"})
    for _ in range(2):
        conn.getresponse().read()
    for request, path in zip(recorder.requests, ("/a", "/b"), strict=True):
        fields = {name.lower(): value for name, value in request.fields}
        assert (fields[":method"], fields[":path"], fields["x-mine"]) == ("GET", path, "1")


def test_no_fields_of_a_request_that_was_not_sent() -> None:
    assert RequestInfo("GET", "https://example.org/", [], 0.0).fields == []
