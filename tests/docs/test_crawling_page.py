"""The examples in docs/howto/crawling.md run as they stand, with a server in the place of example.org."""

import gzip
import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "crawling.md"


def book(request: Request) -> Response:
    """Answer; one in a hundred is an error."""
    return Response(500 if request.target.endswith("00") else 200, body=request.target.encode())


@pytest.fixture
def shop(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    server = serve(routes={"/book": book})
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    monkeypatch.chdir(tmp_path)
    return server


def examples(language: str, shop: Server) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    return [example.replace("https://example.org", shop.url("")).replace("8786", port) for example in found]


def test_python(shop: Server, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for example in examples("python", shop):
        exec(example, names)
    printed = capsys.readouterr().out
    assert "10 fetched, 0 failed\n" in printed
    assert f"{shop.url('/book?id=7')} 200 HTTP/2 None 10\n" in printed


def shell(example: str, tmp_path: Path) -> str:
    """Run an example, with `hyperlite` and what is installed beside it."""
    program = tmp_path / "bin" / "hyperlite"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m hyperlite "$@"\n')
    program.chmod(0o755)
    found = f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    paths = {"PATH": found, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["sh", "-c", example], capture_output=True, text=True, check=True, env=os.environ | paths
    )
    return done.stdout


@pytest.mark.long
@pytest.mark.timeout(300)
def test_cluster(shop: Server, tmp_path: Path) -> None:
    Path("urls.txt").write_text("\n".join(shop.url(f"/book?id={number}") for number in range(300)))
    (example,) = examples("bash", shop)
    assert "fetched" in shell(example, tmp_path)
    lines = Path("cluster.jsonl").read_text().splitlines()
    assert len({json.loads(line)["url"] for line in lines}) == len(lines) == 300


def test_shell(shop: Server, tmp_path: Path) -> None:
    printed = ""
    for example in examples("sh", shop):
        printed += shell(re.sub(r"(?<=' )1000(?= [|>])", "300", example), tmp_path)
    assert len(re.findall("^URLs +300$", printed, re.MULTILINE)) >= 5, printed
    assert "finished after 0:" in printed
    assert "300 records in so-far.jsonl\n" in printed
    assert "3 URLs are fetched again by the next run of the crawl\n" in printed
    records = gzip.decompress(Path("books.jsonl.gz").read_bytes()).splitlines()
    assert len({json.loads(record)["url"] for record in records}) == len(records) == 300
    assert len(Path("killed.jsonl").read_text().splitlines()) == 300
    assert len({json.loads(line)["url"] for line in Path("many.jsonl").read_text().splitlines()}) == 300
    assert Path("piped.jsonl.zst").stat().st_size
    for report in ("report.html", "so-far.html"):
        assert "<dt>URLs</dt><dd>300</dd>" in Path(report).read_text("utf-8")
    kinds = Counter(json.loads(line)["warc-type"] for line in Path("index.cdxj").read_text().splitlines())
    assert kinds == {"warcinfo": 1, "response": 300, "request": 300, "metadata": 300}
    assert json.loads(Path("progress.log").read_text().splitlines()[-1])["done"] == 300
