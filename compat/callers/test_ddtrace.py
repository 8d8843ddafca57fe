"""ddtrace patches http.client's HTTPConnection, its constructor too: spans come, and headers go out."""

import json

from hyperlite.testing.server import Request, Response, Server

from .conftest import Run, Serve, need


def traced(request: Request) -> Response:
    seen = {"trace": request.header("x-datadog-trace-id"), "body": request.body.decode()}
    return Response(headers=[("content-type", "application/json")], body=json.dumps(seen).encode())


def test_spans(compare: Run, serve: Serve) -> None:
    need("ddtrace")
    server: Server = serve({"/traced": traced})
    outcome = compare("call_ddtrace", server)
    assert outcome.protocols == {"h2"}
    url = server.url("/traced")
    assert outcome.result == {
        "spans": [
            ["GET", url, "200"],
            ["POST", url, "200"],
            ["GET", url, "200"],
            ["GET", server.url("/missing"), "404"],
        ],
        "children": [True] * 4,
        "traced": [True] * 3,
        "bodies": ["", "a=1", ""],
    }
