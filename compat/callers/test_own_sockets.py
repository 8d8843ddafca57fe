"""Libraries that make their own sockets stay on HTTP/1.1, unharmed, though the server offers HTTP/2."""

import pytest

from hyperlite.testing.server import Server

from .conftest import Run, Serve, need
from .relay import Relay


@pytest.mark.parametrize("secure", [True, False])
def test_urllib3(compare: Run, serve: Serve, secure: bool) -> None:
    need("urllib3")
    outcome = compare("call_urllib3", serve(secure=secure))
    assert outcome.protocols == {"http/1.1"}
    assert outcome.connections == 1
    result = outcome.result
    assert result["version"] == 11
    assert result["seen"]["mark"] == "here"
    assert result["post"]["body"] == "a=1"
    assert result["file"] == "f" * 100_000
    assert result["chunked"] == "one two"
    assert result["missing"] == [404, "none", "no such thing"]
    assert result["redirect"] == "/report?from=found"
    assert (result["lines"], result["large"]) == (1000, 1 << 21)
    assert result["several"] == [200] * 20


def test_urllib3_through_a_proxys_tunnel(compare: Run, server: Server, relay: Relay) -> None:
    need("urllib3")
    outcome = compare("call_urllib3", server, proxy=f"http://127.0.0.1:{relay.port}")
    assert outcome.protocols == {"http/1.1"}
    assert outcome.result["seen"]["target"] == "/report?by=proxy"
    assert len(relay.requests) == 2


@pytest.mark.parametrize("secure", [True, False])
def test_httplib2(compare: Run, serve: Serve, secure: bool) -> None:
    need("httplib2")
    server = serve(secure=secure)
    outcome = compare("call_httplib2", server)
    assert outcome.protocols == {"http/1.1"}
    assert outcome.connections == 2  # httplib2 closes one after a HEAD request
    result = outcome.result
    assert result["version"] == 11
    assert result["seen"]["mark"] == "here"
    assert result["post"]["body"] == "a=1"
    assert result["missing"] == [404, "none", "no such thing"]
    assert result["redirect"] == server.url("/report?from=found")
    assert (result["large"], result["chunks"]) == (1 << 21, 10_000)
    assert result["several"] == [200] * 20
