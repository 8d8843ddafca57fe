"""The examples in docs/howto/pool.md run as they stand, with a server in the place of example.org."""

import re
from pathlib import Path

import pytest

from hyperlite.pool import default_pool
from hyperlite.testing.server import Response
from tests.conftest import ROUTES, Serve

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "pool.md"


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
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(examples) == 15
    names: dict[str, object] = {}
    try:
        for example in examples:
            exec(example.replace("https://example.org", server.url("")), names)
    finally:
        default_pool().close()
    printed = capsys.readouterr().out
    assert "200 HTTP/2 text/plain hello" in printed
    assert "/v1/report?lang=en\n" in printed
    assert f"{server.url('/v1/report')}?lang=de\n" in printed
    assert f"GET {server.url('/report')}?n=2\n" in printed
    assert "<ConnectionPool, 1 origins, 1 connections, 0 requests under way>" in printed
    assert "10 books\n" in printed
    assert len(server.log) == 1 + 1 + 1 + 2 + 1 + 1 + 1000 + 10 + 4 + 10 + 2 + 2 + 4 + 1 + 1
    assert server.connections == 7, "the shared pool's, and one of each other pool"
