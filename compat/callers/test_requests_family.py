"""Libraries that stand on requests speak HTTP/2 with HTTP20Adapter, and see what they see without it."""

import json
from typing import Any

import pytest

from hyperlite.testing.server import Request, Response

from .conftest import ROUTES, Run, Serve, need

NEEDS = {
    "toolbelt": "requests_toolbelt",
    "oauthlib": "requests_oauthlib",
    "cachecontrol": "cachecontrol",
    "cache": "requests_cache",
    "responses": "responses",
    "futures": "requests_futures",
}
JSON = [("content-type", "application/json")]
TOKEN = {"access_token": "granted", "token_type": "Bearer", "expires_in": 3600}


def validated(request: Request) -> Response:
    """Answer 304 to a client that has it."""
    etag = [("etag", '"one"'), ("cache-control", "no-cache")]
    return (
        Response(304, headers=etag) if request.header("if-none-match") else Response(headers=etag, body=b"v")
    )


FAMILY = {
    "/token": lambda _: Response(
        headers=[("content-type", "application/json")], body=json.dumps(TOKEN).encode()
    ),
    "/authorization": lambda request: Response(body=(request.header("authorization") or "").encode()),
    "/fresh": lambda _: Response(headers=[("cache-control", "max-age=60")], body=b"fresh"),
    "/validated": validated,
}


@pytest.mark.parametrize("library", NEEDS)
def test_each(run: Run, serve: Serve, library: str):
    need("requests", NEEDS[library])
    server = serve(ROUTES | FAMILY)

    def outcome(adapter: str) -> Any:
        return run("call_requests_family", server, "stock", library=library, adapter=adapter)

    ours, theirs = outcome("hyperlite"), outcome("requests")
    assert ours.result == theirs.result
    assert sorted(ours.requests) == sorted(theirs.requests)
    assert (ours.protocols, theirs.protocols) == ({"h2"}, {"http/1.1"})
    assert ours.connections == 1
    assert ours.unclosed <= theirs.unclosed
