"""Each request that observers are told of ends once, and leaves nothing behind."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite import Observer
from hyperlite.observing import RequestInfo
from hyperlite.testing import Request, Response, Server
from tests.conftest import Connect, MakePool, Serve
from tests.inside import pending_of

from .recorder import Recorder
from .test_observers import by_each, by_protocol, recorder, served

__all__ = ["recorder"]


def broken(serve: Serve, alpn: str) -> Server:
    """Return a server that breaks off a body of 500 bytes, and leads in a circle."""

    def pieces() -> Iterator[bytes]:
        yield b"x" * 100
        raise ConnectionError

    def route(request: Request) -> Response:
        if request.target == "/circle":
            return Response(302, headers=[("location", "/circle")])
        return Response(headers=[("content-length", "500")], body=pieces())

    return serve(routes=route, alpn=(alpn,))


@by_protocol
def test_a_response_that_breaks_off_has_failed(
    serve: Serve, connect: Connect, recorder: Recorder, alpn: str
) -> None:
    conn = connect(broken(serve, alpn), observers=[recorder])
    conn.request("GET", "/")
    response = conn.getresponse()
    with pytest.raises(hyperlite.IncompleteBody):
        response.read()
    response.close()
    assert recorder.names[-1] == "failed"
    assert "done" not in recorder.names
    assert recorder.names.count("failed") == 1


@by_protocol
@by_each
def test_each_request_of_a_circle_ends_once(
    make_pool: MakePool, serve: Serve, recorder: Recorder, alpn: str, way: Any
) -> None:
    with pytest.raises(hyperlite.TooManyRedirects):
        way(make_pool(observers=[recorder]), broken(serve, alpn).url("/circle"))
    assert recorder.names.count("sent") == recorder.names.count("done") == 11
    assert "failed" not in recorder.names
    assert [request.redirects for request in recorder.requests] == [*range(11)]


@by_protocol
def test_responses_that_are_dropped_are_no_garbage(
    serve: Serve, connect: Connect, make_pool: MakePool, recorder: Recorder, alpn: str
) -> None:
    """An observer that keeps its requests keeps no response alive, and a response does not keep itself.

    On HTTP/1.1 a connection object keeps the response that it is about to read, observed or not.
    """
    server = served(serve, alpn)
    conn, pool = connect(server, observers=[recorder]), make_pool(observers=[recorder])
    conn.request("GET", "/")
    gc.disable()
    try:
        ways = [lambda: pool.fetch(server.url("/"), stream=True)]
        for make in [conn.getresponse, *ways] if alpn == "h2" else ways:
            response = make()
            response.read(5)
            request = next(one for one in recorder.requests if one.response is response)
            known = weakref.ref(response)
            del response
            assert known() is None
            assert request.response is None
    finally:
        gc.enable()


@by_protocol
def test_steps_before_the_request_are_not_in_its_times(
    serve: Serve, connect: Connect, recorder: Recorder, alpn: str
) -> None:
    conn = connect(served(serve, alpn), observers=[recorder])
    conn.connect()
    conn.request("GET", "/")
    conn.getresponse().read()
    times = recorder.requests[0].timings
    assert (times.dns, times.connect, times.tls) == (None, None, None)


@by_protocol
def test_an_interrupt_in_an_observer_leaves_nothing(
    serve: Serve, connect: Connect, make_pool: MakePool, alpn: str
) -> None:
    class Interrupting(Observer):
        def sent(self, request: RequestInfo) -> None:
            raise KeyboardInterrupt

    server = served(serve, alpn)
    conn = connect(server, observers=[Interrupting()])
    with pytest.raises(KeyboardInterrupt):
        conn.request("GET", "/")
    assert not pending_of(conn).watched.pending
    pool = make_pool(observers=[Interrupting()])
    with pytest.raises(KeyboardInterrupt):
        pool.fetch(server.url("/"))
    assert pool.stats()["origins"][server.url("")]["leased"] == 0
