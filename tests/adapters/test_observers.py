"""`HTTP20Adapter(observers=...)`: what observers are told of requests that requests sends."""

import pickle
import socket

import pytest
import requests

from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve
from tests.observing.recorder import Recorder

from .conftest import MakeSession

BODY = b"x" * 700


def route(request: Request) -> Response:
    if request.target == "/away":
        return Response(302, headers=[("location", "/here")])
    return Response(body=BODY)


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(routes=route, alpn=(request.param,))


def test_requests_and_redirects(server: Server, make_session: MakeSession) -> None:
    recorder = Recorder()
    session = make_session(HTTP20Adapter(observers=[recorder]))
    assert session.get(server.url("/away")).content == BODY
    assert recorder.events == [
        ("dialled", server.port),
        *[("sent", server.url("/away")), ("head", 302), ("done", 0)],
        *[("sent", server.url("/here")), ("head", 200), ("body", 700), ("done", 700)],
    ]
    assert [request.reused for request in recorder.requests] == [False, True]
    assert recorder.requests[1].connection == recorder.connections[0]
    times = recorder.requests[1].timings
    assert times.sent is not None
    assert times.first_byte is not None
    assert times.last_byte is not None
    assert times.sent <= times.first_byte <= times.last_byte


def test_streams(server: Server, make_session: MakeSession) -> None:
    recorder = Recorder()
    session = make_session(HTTP20Adapter(observers=[recorder]))
    with session.get(server.url("/"), stream=True) as response:
        assert recorder.names == ["dialled", "sent", "head"]
        assert b"".join(response.iter_content(300)) == BODY
    assert recorder.names == ["dialled", "sent", "head", "body", "done"]
    assert recorder.requests[0].received == 700


def test_failures(make_session: MakeSession) -> None:
    recorder = Recorder()
    session = make_session(HTTP20Adapter(observers=[recorder]))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"https://127.0.0.1:{closed.getsockname()[1]}/"
    with pytest.raises(requests.ConnectionError):
        session.get(url)
    assert recorder.names == ["failed"]


def test_arguments(server: Server, make_session: MakeSession) -> None:
    with pytest.raises(TypeError, match="has no method dialled"):
        HTTP20Adapter(observers=[object()])  # type: ignore[list-item]
    recorder = Recorder()
    copy = pickle.loads(pickle.dumps(HTTP20Adapter(observers=[recorder])))
    assert make_session(copy).get(server.url("/")).content == BODY
    assert recorder.events == []
