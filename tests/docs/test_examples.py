"""The programs in docs/examples run as they stand, against an embedded server; type checkers accept them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve
from tests.fetching.test_types import pyright

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
PAGES = 400


def run(program: str, *arguments: str) -> str:
    """Run a program, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


@pytest.fixture(params=["h2", "http/1.1"])
def alpn(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return (request.param,)


def linked(request: Request) -> Response:
    """Return a page that links to others, among them one that is on another site, and itself."""
    number = int(re.sub(r"\D", "", request.target) or 0)
    if number >= PAGES:
        return Response(404)
    following = {(3 * number + step) % PAGES for step in (1, 2, 3)} | {number}
    links = [f'<a class="next" href="/page/{n}#top">{n}</a>' for n in sorted(following)]
    body = "".join([*links, '<a href="https://elsewhere.invalid/">away</a><a>none</a>'])
    if number == 7:
        body += f'<a href="/page/{PAGES + 1}">broken</a>'
    return Response(headers=[("content-type", "text/html; charset=utf-8")], body=body.encode())


def test_spider(serve: Serve, alpn: tuple[str, ...]) -> None:
    pages = {f"/page/{n}": linked for n in [*range(PAGES), PAGES + 1]}
    server: Server = serve(routes=pages, alpn=alpn)
    printed = run("spider.py", server.url("/page/0"), server.ca_file)
    broken = server.url(f"/page/{PAGES + 1}")
    assert printed == f"404: {broken}\n{PAGES + 1} pages, 1 of them broken\n"
    assert len(server.log) == PAGES + 1


def test_types_by_mypy() -> None:
    pytest.importorskip("mypy")
    programs = sorted(str(path) for path in EXAMPLES.glob("*.py"))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", ROOT / "pyproject.toml", *programs],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout


def test_types_by_pyright() -> None:
    report = pyright(*sorted(str(path) for path in EXAMPLES.glob("*.py")))
    assert report["generalDiagnostics"] == []
