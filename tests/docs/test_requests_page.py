"""The examples in docs/howto/requests.md and the README run, with a server in the place of example.org."""

import re
from pathlib import Path

import pytest

from hyperlite.testing.server import Response
from tests.conftest import Serve

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("page", "count"), [("docs/howto/requests.md", 2), ("README.md", 1)])
def test_examples(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], page: str, count: int
):
    server = serve(routes=lambda _: Response(body=b"hello"))
    for name in ("https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    examples = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    examples = [example for example in examples if "hyperlite.adapters.requests" in example]
    assert len(examples) == count
    for example in examples:
        names: dict[str, object] = {}
        exec(example.replace("https://example.org", server.url("")), names)
        if "session" in names and hasattr(names["session"], "close"):
            names["session"].close()
    printed = capsys.readouterr().out
    assert "200 HTTP/2" in printed
    if count == 2:
        assert "200 HTTP/2 hello" in printed
        assert "200 pages, 1 connection" in printed
    assert server.connections == count
