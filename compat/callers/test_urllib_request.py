"""urllib.request speaks HTTP/2 and notices nothing."""

import pytest

from hyperlite.testing.server import Exchange, Server, streaming

from .conftest import Run, Serve
from .relay import Relay


def test_all_sorts_of_requests(compare: Run, server: Server) -> None:
    outcome = compare("call_urllib_request", server)
    assert outcome.protocols == {"h2"}
    result = outcome.result
    assert result["get"]["seen"]["target"] == "/report?n=1"
    assert result["get"]["seen"]["authority"] == f"localhost:{server.port}"
    assert result["bytes"]["seen"]["body"] == "a=1&b=2"
    assert result["file"]["seen"]["body"] == "f" * 100_000
    assert result["iterable"]["seen"]["body"] == "one two three"
    assert result["put"]["seen"]["mark"] == "here"
    assert result["redirect"]["url"] == server.url("/report?from=found")
    assert result["post redirected"]["seen"]["method"] == "GET"
    assert result["missing"] == {"code": 404, "reason": "Not Found", "why": "none", "body": "no such thing"}
    assert result["cookies"] == ["a=1", "b=2"]
    assert result["stream"]["lines"] == 997
    assert result["large"] == 1 << 21
    assert result["several"] == [200] * 20
    assert result["refused"] == "SSLCertVerificationError"


def test_through_a_proxys_tunnel(compare: Run, server: Server, relay: Relay) -> None:
    outcome = compare("call_urllib_request", server, proxy=f"http://127.0.0.1:{relay.port}")
    assert outcome.protocols == {"h2"}
    assert outcome.result["seen"]["authority"] == f"localhost:{server.port}"
    assert len(relay.requests) == 2
    assert relay.requests[0].startswith(f"CONNECT localhost:{server.port} ")


@pytest.mark.parametrize("alpn", [("http/1.1",), ()])
def test_a_server_without_http2(compare: Run, serve: Serve, alpn: tuple[str, ...]) -> None:
    assert compare("call_urllib_request", serve(alpn=alpn)).protocols == {"http/1.1"}


@streaming
def half(exchange: Exchange) -> None:
    """Break off in the middle of the body."""
    exchange.start(200, [("content-length", "20")])
    exchange.send(b"0123456789")
    exchange.reset()


def test_a_body_that_is_reset(compare: Run, serve: Serve) -> None:
    outcome = compare("call_urllib_request", serve({"/half": half}), broken=True)
    assert outcome.protocols == {"h2"}
    assert outcome.result == {"broken off": ["0123456789", 10]}


def test_a_body_that_is_broken_off_on_http11(compare: Run, serve: Serve) -> None:
    outcome = compare("call_urllib_request", serve({"/half": half}, alpn=("http/1.1",)), broken=True)
    assert outcome.result == {"broken off": ["0123456789", 10]}
