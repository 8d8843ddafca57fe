"""sentry-sdk patches http.client's HTTPConnection: its spans still come, and its header still goes out."""

import json

import pytest

from hyperlite.testing.server import Request, Response, Server

from .conftest import Outcome, Run, Serve, need


def traced(request: Request) -> Response:
    seen = {"trace": request.header("sentry-trace"), "body": request.body.decode()}
    return Response(headers=[("content-type", "application/json")], body=json.dumps(seen).encode())


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve({"/traced": traced})


def check(outcome: Outcome, server: Server) -> None:
    url = server.url("/traced")
    assert outcome.result == {
        "spans": [["http.client", f"GET {url}", 200], ["http.client", f"POST {url}", 200]],
        "traced": [True, True],
        "bodies": ["", "a=1"],
    }


def test_spans_over_http2(compare: Run, server: Server) -> None:
    need("sentry_sdk")
    outcome = compare("call_sentry_sdk", server, library="urllib.request")
    assert outcome.protocols == {"h2"}
    check(outcome, server)


def test_spans_of_patches_that_came_before_hyperlite(run: Run, server: Server) -> None:
    need("sentry_sdk")
    outcome = run("call_sentry_sdk", server, "stock", library="urllib.request", install_late=True)
    assert outcome.protocols == {"h2"}
    check(outcome, server)


def test_spans_of_urllib3(compare: Run, server: Server) -> None:
    need("sentry_sdk", "urllib3")
    outcome = compare("call_sentry_sdk", server, library="urllib3")
    assert outcome.protocols == {"http/1.1"}
    check(outcome, server)
