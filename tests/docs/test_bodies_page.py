"""The examples in docs/howto/bodies.md run as they stand, with a server in the place of example.org."""

from pathlib import Path

import pytest

from hyperlite.pool import default_pool
from hyperlite.testing.server import Response
from tests.conftest import Serve

from .test_documents import examples

EVENTS = b': hello\n\nid: 1\ndata: hello\n\nevent: price\nid: 2\ndata: {"usd": 7}\n\ndata: unfinished\n'


@pytest.mark.parametrize("alpn", [("h2",), ("http/1.1",)], ids=["h2", "http1"])
def test_examples(
    alpn: tuple[str, ...],
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    routes = {
        "/large": lambda _: Response(body=bytes(200_000)),
        "/log": lambda _: Response(body=iter([b"one\r\nt", b"wo"])),
        "/events": lambda _: Response(body=iter([EVENTS])),
    }
    server = serve(routes=routes, alpn=alpn)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    names: dict[str, object] = {}
    try:
        for example, expected in examples("howto/bodies"):
            exec(example.replace("https://example.org", server.url("")), names)
            printed = capsys.readouterr().out
            if expected is not None:
                assert printed == expected
    finally:
        default_pool().close()
