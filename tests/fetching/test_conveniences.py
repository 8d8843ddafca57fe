"""What a response offers beside its parts: ok, raise_for_status(), request."""

import pytest

import hyperlite
from hyperlite import ConnectionPool, FetchRequest
from hyperlite.testing.server import Response, Server
from tests.conftest import MakePool, Serve


@pytest.mark.parametrize("status", [200, 204, 299, 302, 304, 399])
def test_a_status_that_is_no_error(make_pool: MakePool, serve: Serve, status: int):
    url = serve(routes={"/": lambda _: Response(status)}).url("/")
    response = make_pool().fetch(url)
    assert response.ok
    assert response.raise_for_status() is response


@pytest.mark.parametrize(("status", "phrase"), [(400, " Bad Request"), (404, " Not Found"), (599, "")])
def test_a_status_that_is_an_error(make_pool: MakePool, serve: Serve, status: int, phrase: str):
    url = serve(routes={"/": lambda _: Response(status, body=b"why")}).url("/")
    response = make_pool().fetch(url, "POST")
    assert not response.ok
    with pytest.raises(hyperlite.HTTPStatusError) as caught:
        response.raise_for_status()
    error = caught.value
    assert isinstance(error, hyperlite.FetchError)
    assert isinstance(error, hyperlite.HTTP2Error)
    assert error.response is response
    assert error.response.body == b"why"
    assert str(error) == f"POST {url} : {status}{phrase}"
    assert (error.url, error.method, error.host) == (url, "POST", "localhost")


def test_the_request_of_a_response(pool: ConnectionPool, server: Server):
    response = pool.fetch(server.url("/report"), "POST", json={"a": 1}, headers={"X-A": "b"}, params={"c": 1})
    request = response.request
    assert isinstance(request, FetchRequest)
    assert (request.url, request.method) == (server.url("/report?c=1"), "POST")
    assert request.body == b'{"a":1}'
    sent = {name.lower(): value for name, value in request.headers}  # type: ignore[union-attr]
    assert sent.items() >= {"x-a": "b", "content-type": "application/json"}.items()
    assert sent["user-agent"].startswith("hyperlite/")
    request.headers.append(("x", "y"))  # type: ignore[union-attr]  # a list of the caller's own
    assert response.request != request


def test_the_request_behind_a_redirect(pool: ConnectionPool, serve: Serve):
    routes = {
        "/": lambda _: Response(303, headers=[("location", "/there")]),
        "/there": lambda _: Response(body=b"here"),
    }
    server = serve(routes=routes)
    for response in (
        pool.fetch(server.url("/"), "POST", body=b"x"),
        next(iter(pool.fetch_many([FetchRequest(server.url("/"), "POST", body=b"x")]))).result(),
    ):
        assert (response.request.method, response.request.body) == ("GET", None)
        assert response.request.url == server.url("/there")
        assert response.history[0].request.method == "POST"
        assert response.history[0].request.body == b"x"
