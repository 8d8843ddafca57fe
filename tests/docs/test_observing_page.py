"""The examples in docs/howto/observing.md run as they stand, with a server in the place of example.org."""

import importlib.util
import logging
from pathlib import Path

import pytest

from hyperlite.pool import default_pool
from hyperlite.testing import Response
from tests.conftest import Serve

from .pages import DOCS
from .test_documents import examples

WANTED = ("opentelemetry", "prometheus_client")  # packages of other people's, which may be missing


@pytest.mark.parametrize("alpn", [("h2",), ("http/1.1",)], ids=["h2", "http1"])
def test_examples(
    alpn: tuple[str, ...],
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    monkeypatch.syspath_prepend(DOCS / "examples")
    monkeypatch.chdir(tmp_path)
    missing = [f"from {name}" for name in WANTED if importlib.util.find_spec(name) is None]
    server = serve(routes={"/": lambda _: Response(body=b"hello")}, alpn=alpn)
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    levels = {name: logging.getLogger(name).level for name in ("hyperlite", "hyperlite.frames")}
    names: dict[str, object] = {}
    printed = []
    try:
        for example, _ in examples("howto/observing"):
            if any(text in example for text in missing):
                continue
            exec(example.replace("https://example.org", server.url("")), names)
            printed.append(capsys.readouterr().out)
    finally:
        default_pool().close()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    _, times, observed, *statuses = printed
    assert statuses == ["200\n"] * (3 - len(missing))
    assert (tmp_path / "fetched.har").exists()
    assert "None" not in times
    assert observed == f"a connection to localhost {alpn[0]}\n"
    logged = [record.name for record in caplog.records if record.levelno == logging.DEBUG]
    assert logged[:2] == ["hyperlite.connections", "hyperlite.requests"]
    assert "hyperlite.frames" not in logged
