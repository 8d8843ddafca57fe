"""The examples of the pages about the pool run as they stand, with a server in the place of example.org."""

import pytest

from hyperlite.pool import default_pool
from hyperlite.testing.server import Response
from tests.conftest import ROUTES, Serve

from .test_documents import examples

# Each stands by itself.
PAGES = ("fetch", "fetch-many", "api", "limits", "resolver", "connections")


def test_examples(serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    hello = Response(headers=[("content-type", "text/plain")], body=b"hello")
    routes = {
        "/": lambda _: hello,
        "/book": lambda _: hello,
        "/v1/report": ROUTES["/report"],
        "/large": lambda _: Response(body=bytes(200_000)),
    }
    server = serve(routes=ROUTES | routes)
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    count = 0
    try:
        for page in PAGES:
            names: dict[str, object] = {}
            for example, _ in examples(f"howto/{page}"):
                exec(example.replace("https://example.org", server.url("")), names)
                count += 1
    finally:
        default_pool().close()
    assert count == 15
    printed = capsys.readouterr().out
    assert "200 HTTP/2 text/plain hello" in printed
    assert "/v1/report?lang=en\n" in printed
    assert f"{server.url('/v1/report')}?lang=de\n" in printed
    assert f"GET {server.url('/report')}?n=2\n" in printed
    assert "<ConnectionPool, 1 origins, 1 connections, 0 requests under way>" in printed
    assert "10 books\n" in printed
    assert len(server.log) == 1 + 1 + 1 + 2 + 1 + 1 + 1000 + 10 + 4 + 10 + 2 + 2 + 4 + 1 + 1
    assert server.connections == 7, "the shared pool's, and one of each other pool"
