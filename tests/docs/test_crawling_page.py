"""The examples in docs/crawling.md run as they stand, with a server in the place of example.org."""

import re
from pathlib import Path

import pytest

from hyperlite.testing.server import Response
from tests.conftest import Serve

PAGE = Path(__file__).parents[2] / "docs" / "crawling.md"


def test_examples(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server = serve(routes={"/book": lambda request: Response(body=request.target.encode())})
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(example.replace("https://example.org", server.url("")), names)
    printed = capsys.readouterr().out
    assert "10 fetched, 0 failed\n" in printed
    assert f"{server.url('/book?id=7')} 200 HTTP/2 None 10\n" in printed
