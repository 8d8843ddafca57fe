"""The programs in docs/examples run as they stand, against an embedded server; type checkers accept them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve
from tests.fetching.test_types import pyright
from tests.real.runtimes import require_module

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
PAGES = 400


def run(program: str, *arguments: str, complaint: str = "", code: int = 0) -> str:
    """Run a program, and return what it prints.

    Args:
        program, arguments: which.
        complaint: a pattern for what goes to its stderr.
        code: with which it ends.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert re.fullmatch(complaint, done.stderr, re.DOTALL), done.stderr
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


def test_reader_of_events(serve: Serve, alpn: tuple[str, ...]) -> None:
    """The stream ends, breaks, and ends for ever; each time it goes on behind the last event."""
    asked: list[str | None] = []

    def pieces(number: int) -> Iterator[bytes]:
        yield f"retry: 1\nid: {number}\ndata: {number}\n\n".encode()
        if number == 1:
            raise ConnectionError

    def stream(request: Request) -> Response:
        asked.append(request.header("last-event-id"))
        return Response(204) if len(asked) > 3 else Response(body=pieces(len(asked) - 1))

    server = serve(routes={"/": stream}, alpn=alpn)
    complaint = f"GET {server.url('/')} : [^\\n]*; another try in 0.001 s\\n"
    printed = run("sse_reader.py", server.url("/"), server.ca_file, complaint=complaint)
    assert printed == "message: 0\nmessage: 1\nmessage: 2\n"
    assert asked == [None, "0", "1", "2"]


def test_reader_of_events_ends_with_an_error_status(serve: Serve, alpn: tuple[str, ...]) -> None:
    server = serve(routes={"/": lambda _: Response(404)}, alpn=alpn)
    run(
        "sse_reader.py",
        server.url("/"),
        server.ca_file,
        complaint=".*HTTPStatusError.*404 Not Found\n",
        code=1,
    )


def test_downloader(serve: Serve, alpn: tuple[str, ...], tmp_path: Path) -> None:
    """The body is cut off twice, and each time the rest is asked for; then it is whole."""
    body = bytes(range(256)) * 1000
    asked: list[tuple[str | None, str | None]] = []

    def pieces(start: int) -> Iterator[bytes]:
        yield body[start : start + 100_000]
        if start + 100_000 < len(body):
            raise ConnectionError

    def file(request: Request) -> Response:
        wanted = request.header("range")
        asked.append((wanted, request.header("if-range")))
        start = int(re.sub(r"\D", "", wanted or "0"))
        headers = [("etag", '"one"'), ("content-length", str(len(body) - start))]
        if wanted is not None:
            headers.append(("content-range", f"bytes {start}-{len(body) - 1}/{len(body)}"))
        return Response(206 if wanted else 200, headers=headers, body=pieces(start))

    server = serve(routes={"/": file}, alpn=alpn)
    path = tmp_path / "file"
    complaint = f"(GET {server.url('/')} : [^\n]*\n){{2}}"
    printed = run("downloader.py", server.url("/"), str(path), server.ca_file, complaint=complaint)
    assert printed == f"{path}: 256000 bytes, 200000 of them from before\n"
    assert path.read_bytes() == body
    assert asked[2::2] == [("bytes=100000-", '"one"'), ("bytes=200000-", '"one"')]


def test_rest_client(serve: Serve, alpn: tuple[str, ...]) -> None:
    titles = {number: f"The book {number}" for number in range(50)}
    refused: list[str] = []

    def answer(status: int, value: object, **fields: str) -> Response:
        return Response(status, headers=[*fields.items()], body=json.dumps(value).encode())

    def api(request: Request) -> Response:
        sent = dict(request.headers)
        assert sent["authorization"] == "Basic bmFtZTpwYXNzd29yZA=="
        assert request.query["lang"] == ["en"]
        path = request.target.partition("?")[0]
        if request.method == "POST":
            title = json.loads(request.body)["title"]
            if not title:
                return answer(422, {"error": "no title"})
            titles[len(titles)] = title
            return answer(201, {"number": len(titles) - 1})
        if path == "/api/books":
            page = int(request.query.get("page", ["0"])[0])
            found = [{"title": title} for title in titles.values() if "The" in title]
            link = f'</api/books?q=the&limit=20&page={page + 1}>; rel="next"'
            more = {"link": link} if len(found) > 20 * page + 20 else {}
            return answer(200, found[20 * page : 20 * page + 20], **more)
        number = int(path.rpartition("/")[2])
        if number == 7 and not refused:
            refused.append(path)
            return answer(503, {"error": "busy"})
        return answer(200, {"title": titles[number]}) if number in titles else answer(404, {})

    server = serve(routes=api, alpn=alpn)
    printed = run("rest_client.py", server.url("/api/"), "name", "password", server.ca_file)
    assert printed == "{'title': 'Dune'}\nNone\n50\n50\n422 no title\n"
    assert refused


def test_from_asyncio(serve: Serve, alpn: tuple[str, ...]) -> None:
    server = serve(routes={"/": lambda _: Response(body=b"hello")}, alpn=alpn)
    assert run("from_asyncio.py", server.url("/"), "50", server.ca_file) == "200\n20\n50\n"
    assert len(server.log) == 71


# The programs that want a package of other people's: its module, and its name.
WANTED = {
    "metrics.py": ("prometheus_client", "prometheus-client"),
    "tracing.py": ("opentelemetry.sdk", "opentelemetry-sdk"),
}
# Those of other libraries, beside which `make compare-crawls` runs ours: the tests do without.
PEERS = {f"crawl_with_{name}.py": name for name in ("aiohttp", "httpx", "scrapy")}


def test_types_by_mypy() -> None:
    pytest.importorskip("mypy")
    check_by_mypy(path for path in EXAMPLES.rglob("*.py") if path.name not in {*WANTED, *PEERS})


@pytest.mark.parametrize("name", WANTED)
def test_types_with_a_package(name: str) -> None:
    pytest.importorskip("mypy")
    require_module(*WANTED[name])
    check_by_mypy([EXAMPLES / name])
    assert pyright(str(EXAMPLES / name))["generalDiagnostics"] == []


@pytest.mark.parametrize("name", PEERS)
def test_types_of_peers(name: str) -> None:
    pytest.importorskip("mypy")
    pytest.importorskip(PEERS[name], reason=f"{PEERS[name]} is not installed (pip install {PEERS[name]})")
    check_by_mypy([EXAMPLES / name])


def check_by_mypy(paths: Iterable[Path]) -> None:
    programs = sorted(str(path) for path in paths)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", ROOT / "pyproject.toml", *programs],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(EXAMPLES / "tested_project")},
    )
    assert done.returncode == 0, done.stdout


def test_types_by_pyright() -> None:
    paths = [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*/*.py")]
    report = pyright(*sorted(str(path) for path in paths if path.name not in {*WANTED, *PEERS}))
    assert report["generalDiagnostics"] == []
