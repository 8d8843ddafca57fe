"""logging.handlers.HTTPHandler logs over HTTP/2."""

from urllib.parse import parse_qs

import pytest

from hyperlite.testing.server import Request, Response, Server

from .conftest import Run, Serve

COUNT = 20


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("secure", [True, False])
def test_records_arrive(run: Run, serve: Serve, method: str, secure: bool) -> None:
    records: list[dict[str, list[str]]] = []

    def take(request: Request) -> Response:
        assert request.header("authorization") == "Basic dXNlcjpwYXNzd29yZA=="
        records.append(parse_qs(request.body.decode()) if request.body else request.query)
        return Response(body=b"taken")

    server: Server = serve({"/log": take}, secure=secure)
    outcomes = [
        run("call_logging_handlers", server, client, path="/log", method=method, count=COUNT)
        for client in ("hyperlite", "stock")
    ]
    assert outcomes[0].protocols == {"h2" if secure else "http/1.1"}
    assert [outcome.requests for outcome in outcomes] == [[(method, "/log")] * COUNT] * 2
    assert [record["args"] for record in records[:COUNT]] == [record["args"] for record in records[COUNT:]]
    assert records[0]["levelname"] == ["WARNING"]
    assert [outcome.result["failures"] for outcome in outcomes] == [0, 0]
    assert outcomes[0].result["sockets"] == outcomes[1].result["sockets"]
    assert outcomes[0].unclosed <= outcomes[1].unclosed  # it never closes a connection
