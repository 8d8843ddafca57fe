"""xmlrpc.client speaks HTTP/2, keeps its connection, and calls again when it was cut."""

import gzip
import itertools
from collections.abc import Callable
from typing import Any
from xmlrpc.server import SimpleXMLRPCDispatcher

import pytest
from h2.errors import ErrorCodes

from hyperlite.testing.server import Exchange, Request, Response, Server, StreamingHandler, streaming

from .conftest import ROUTES, Run, Serve
from .relay import Relay

HEADERS = [("content-type", "text/xml")]


def divide(left: int, right: int) -> float:
    return left / right


def dispatcher() -> SimpleXMLRPCDispatcher:
    """Return what answers calls."""
    dispatcher = SimpleXMLRPCDispatcher(allow_none=True)
    dispatcher.register_introspection_functions()
    dispatcher.register_multicall_functions()
    dispatcher.register_function(lambda left, right: left + right, "add")
    dispatcher.register_function(lambda text, times: text * times, "repeat")
    dispatcher.register_function(len, "length")
    dispatcher.register_function(divide)
    return dispatcher


def answer(body: bytes) -> bytes:
    return dispatcher()._marshaled_dispatch(body)


def plain(request: Request) -> Response:
    return Response(headers=HEADERS, body=answer(request.body))


def zipped(request: Request) -> Response:
    """Answer in gzip, which xmlrpc.client asks for."""
    assert request.header("accept-encoding") == "gzip"
    return Response(
        headers=[*HEADERS, ("content-encoding", "gzip")], body=gzip.compress(answer(request.body))
    )


@streaming
def streamed(exchange: Exchange) -> None:
    body = b"".join(iter(exchange.read, b""))
    exchange.start(200, HEADERS)
    exchange.send(answer(body))
    exchange.end()


@pytest.mark.parametrize("handler", [plain, zipped, streamed], ids=["plain", "zipped", "streamed"])
def test_calls_and_faults(compare: Run, serve: Serve, handler: Any) -> None:
    outcome = compare("call_xmlrpc_client", serve({**ROUTES, "/rpc": handler}))
    assert outcome.protocols == {"h2"}
    assert outcome.connections == 2  # one of them is the one whose calls find nothing
    result = outcome.result
    assert (result["sum"], result["after the fault"], result["several"]) == (5, 9, [3, 7])
    assert (result["large"], result["upload"]) == (1_000_000, 1_000_000)
    assert result["fault"] == [1, "<class 'ZeroDivisionError'>:division by zero"]
    assert result["protocol error"] == [404, "Not Found", "none"]


def test_one_connection_for_many_calls(compare: Run, serve: Serve) -> None:
    outcome = compare("call_xmlrpc_client", serve({"/rpc": plain}), count=50)
    assert outcome.protocols == {"h2"}
    assert outcome.connections == 1
    assert outcome.result["sums"] == list(range(1, 51))


def test_a_connection_that_was_closed_between_calls(compare: Run, serve: Serve) -> None:
    outcome = compare("call_xmlrpc_client", serve({"/rpc": plain}, requests_per_connection=2), count=5)
    assert outcome.protocols == {"h2"}
    assert outcome.connections == 3
    assert outcome.result["sums"] == list(range(1, 6))


def third(spoil: Callable[[], None]) -> Callable[[Request], Response]:
    """Return a handler that has the third call spoiled before it is answered."""
    numbers = itertools.count(1)

    def handler(request: Request) -> Response:
        if next(numbers) == 3:
            spoil()
        return plain(request)

    return handler


@pytest.mark.parametrize("client", ["hyperlite", "stock"])
def test_a_connection_that_was_cut_in_a_call(run: Run, serve: Serve, client: str) -> None:
    with Relay() as relay:
        server = serve(third(relay.cut))
        relay.target = server.port
        outcome = run("call_xmlrpc_client", server, client, url=f"https://localhost:{relay.port}", count=5)
    assert outcome.protocols == {"h2" if client == "hyperlite" else "http/1.1"}
    assert outcome.result["sums"] == list(range(1, 6))
    assert len(outcome.requests) == 6
    assert outcome.connections == 2


def test_a_server_that_goes_away_in_a_call(run: Run, serve: Serve) -> None:
    server: Server = serve(third(lambda: server.goaway(last_stream_id=0)))
    outcome = run("call_xmlrpc_client", server, count=5)
    assert outcome.result["sums"] == list(range(1, 6))
    assert outcome.connections == 2


def resetting(error_code: ErrorCodes) -> StreamingHandler:
    """Return a handler that resets the third call's stream, or breaks off its HTTP/1.1 connection."""
    numbers = itertools.count(1)

    @streaming
    def handler(exchange: Exchange) -> None:
        body = b"".join(iter(exchange.read, b""))
        if next(numbers) == 3:
            exchange.reset(error_code)
            return
        exchange.start(200, HEADERS)
        exchange.send(answer(body))
        exchange.end()

    return handler


@pytest.mark.parametrize(
    "error_code", [ErrorCodes.INTERNAL_ERROR, ErrorCodes.REFUSED_STREAM], ids=["internal", "refused"]
)
@pytest.mark.parametrize("client", ["hyperlite", "stock"])
def test_a_call_that_was_reset(run: Run, serve: Serve, client: str, error_code: ErrorCodes) -> None:
    outcome = run("call_xmlrpc_client", serve(resetting(error_code)), client, count=5)
    assert outcome.result["sums"] == list(range(1, 6))
