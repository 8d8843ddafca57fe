"""splunk-sdk, against the little of a Splunk server that it needs."""

import json
from urllib.parse import parse_qs

import pytest

from hyperlite.testing.server import Request, Response, Server

from .conftest import Run, Serve, need

ATOM = 'xmlns="http://www.w3.org/2005/Atom" xmlns:s="http://dev.splunk.com/ns/rest"'


def _xml(text: str, status: int = 200) -> Response:
    return Response(status, headers=[("content-type", "text/xml; charset=UTF-8")], body=text.encode())


def _feed(path: str, *entries: tuple[str, dict[str, str]]) -> Response:
    listed = "".join(
        f"<entry><title>{name}</title><id>https://localhost{path}/{name}</id>"
        f'<link href="{path}/{name}" rel="alternate"/>'
        '<content type="text/xml"><s:dict>'
        + "".join(f'<s:key name="{key}">{value}</s:key>' for key, value in content.items())
        + "</s:dict></content></entry>"
        for name, content in entries
    )
    return _xml(f"<feed {ATOM}><title>feed</title>{listed}</feed>")


def splunk(request: Request) -> Response:
    """Answer a request."""
    path = request.path.rstrip("/")
    if path.endswith("/auth/login"):
        if parse_qs(request.body.decode())["password"] != ["secret"]:
            return _xml('<response><messages><msg type="WARN">Login failed</msg></messages></response>', 401)
        return _xml("<response><sessionKey>0123456789</sessionKey></response>")
    if request.header("authorization") != "Splunk 0123456789":
        return _xml(
            '<response><messages><msg type="WARN">not authenticated</msg></messages></response>',
            401,
        )
    if path.endswith("/search/v2/jobs"):
        rows = [{"preview": False, "result": {"_raw": f"event {number}"}} for number in range(3)]
        return Response(
            headers=[("content-type", "application/json")], body="\n".join(map(json.dumps, rows)).encode()
        )
    if path.endswith("/server/info"):
        return _feed(path, ("server-info", {"version": "9.1.0", "build": "1"}))
    if path.endswith("/apps/local"):
        return _feed(path, ("search", {"label": "Search"}), ("launcher", {"label": "Home"}))
    if path.endswith("/data/indexes/main"):
        return _feed(path.rpartition("/")[0], ("main", {"totalEventCount": "17"}))
    if path.endswith("/receivers/simple"):
        return _xml("<response><results><result><field k='_index'/></result></results></response>")
    if path.endswith("/raw"):
        return Response(
            headers=[("Content-Type", "text/plain"), ("X-One", "1"), ("Cache-Control", "no-store")],
            body=b"raw text",
        )
    if path.endswith("/httpauth-tokens/0123456789"):
        return _xml("<response/>")
    return _xml('<response><messages><msg type="ERROR">Not Found</msg></messages></response>', 404)


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve(splunk)


def test_a_session(compare: Run, server: Server) -> None:
    need("splunklib")
    outcome = compare("call_splunk", server)
    assert outcome.protocols == {"h2"}
    result = outcome.result
    assert (result["version"], result["apps"], result["index"]) == (
        "9.1.0",
        ["search", "launcher"],
        ["main", "17"],
    )
    assert result["results"] == [{"_raw": f"event {number}"} for number in range(3)]
    assert result["raw"][2] == {"Content-Type": "text/plain", "X-One": "1", "Cache-Control": "no-store"}
    assert result["raw"][3:] == ["raw t", "raw text"]
    assert result["refused"] == "AuthenticationError"
