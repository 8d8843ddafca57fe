"""The examples in docs/, run as they stand; where a text block follows one, that is what it prints."""

import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hyperlite.pool import default_pool
from hyperlite.testing.server import Exchange, Request, Response, Server, streaming
from tests.conftest import Serve

from .pages import OUTSIDE, PAGES, ROOT, anchors, links, toctree

EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
# Run against servers of their own: tests/real/test_grpc.py, tests/real/test_push.py,
# tests/connection/test_upgrade.py, and the pages that have a module of their own beside this one.
ELSEWHERE = {
    "howto/api",
    "howto/asyncio",
    "howto/bodies",
    "howto/crawling",
    "howto/connections",
    "howto/fetch",
    "howto/fetch-many",
    "howto/grpc",
    "howto/limits",
    "howto/resolver",
    "howto/hostile",
    "howto/observing",
    "howto/push",
    "howto/requests",
    "howto/test-server",
    "howto/testing",
    "howto/upgrade",
    "migration/hyper",
    # test_migration_pages.py
    "migration/aiohttp",
    "migration/http-client",
    "migration/httpx",
    "migration/requests",
    "migration/urllib3",
    # test_tutorials.py
    "tutorials/bookstore",
    "tutorials/first-request",
    "tutorials/from-requests",
}
# What HTTP/1.1 has not got.
HTTP2_ONLY = {"howto/h2c", "howto/health"}

WITH_EXAMPLES = sorted(name for name, path in PAGES.items() if "```python" in path.read_text())


def path_of(page: str) -> Path:
    """Return the file of a page of docs/, or of one that lies outside: "howto/pool", "README"."""
    return PAGES.get(page, ROOT / f"{page}.md")


def examples(page: str) -> list[tuple[str, str | None]]:
    """Return the examples of a page, each with what it prints if that is said."""
    text = path_of(page).read_text()
    # Lines are kept where they are, so that a traceback points into the page.
    return [
        ("\n" * text.count("\n", 0, found.start(1)) + found[1], found[2]) for found in EXAMPLE.finditer(text)
    ]


def here(example: str, server: Server) -> str:
    """Return an example with a server in the place of example.org."""
    example = example.replace("https://example.org", server.url(""))
    return example.replace('("example.org"', f'("localhost", {server.port}')


def run(page: str, capture: Callable[[], str]) -> None:
    """Run the examples of a page in order, as one program."""
    names: dict[str, Any] = {}
    for example, expected in examples(page):
        exec(compile(example, path_of(page), "exec"), names)
        printed = capture()
        if expected is not None:
            assert printed == expected


@streaming
def chat(exchange: Exchange) -> None:
    """Answer each piece in capitals."""
    exchange.start()
    while data := exchange.read():
        exchange.send(data.upper())
    exchange.end()


@streaming
def upload(exchange: Exchange) -> None:
    """Tell the size, and the checksum behind the body."""
    size = 0
    while data := exchange.read():
        size += len(data)
    checksum = dict(exchange.request.trailers).get("checksum")
    exchange.start()
    exchange.send(f"{size} bytes, checksum {checksum}".encode())
    exchange.end()


@streaming
def drip(exchange: Exchange) -> None:
    """Send a byte now and then, for ever."""
    exchange.start()
    while True:
        exchange.send(b".")
        time.sleep(0.01)  # it is not to fill windows


def page(_: Request) -> Response:
    """Return a page with hints before it and a trailer behind it."""
    link = [("link", "</style.css>; rel=preload")]
    return Response(body=b"<html>" * 100, informational=[(103, link)], trailers=[("checksum", "5d41")])


def urgency(request: Request) -> Response:
    """Tell the priority that was asked for."""
    return Response(body=(dict(request.headers).get("priority") or "u=3").encode())


ROUTES = {
    "/": lambda _: Response(body=b"hello"),
    "/page": page,
    "/chat": chat,
    "/upload": upload,
    "/drip": drip,
    "/image": urgency,
    "/style": urgency,
    "/slow": lambda _: Response(body=b"at last", delay=30),
}


@pytest.fixture
def _example_org(protocol: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every name lead to an embedded server, port 80 to one without TLS; certificates are taken."""
    secure = serve(routes=ROUTES, alpn=(protocol,))
    cleartext = serve(routes=ROUTES, secure=False)
    connect = socket.create_connection

    def trusting() -> ssl.SSLContext:
        context = secure.context()
        context.check_hostname = False
        return context

    def to_the_server(address: Any, *args: Any) -> socket.socket:
        server: Server = cleartext if address[1] == 80 else secure
        return connect(("127.0.0.1", server.port), *args)

    monkeypatch.setattr(ssl, "_create_default_https_context", trusting)
    monkeypatch.setattr(socket, "create_connection", to_the_server)


@pytest.mark.usefixtures("_example_org")
@pytest.mark.parametrize(
    ("page", "protocol"),
    [
        (page, protocol)
        for page in WITH_EXAMPLES
        for protocol in ("h2", "http/1.1")
        if page not in ELSEWHERE and (protocol == "h2" or page not in HTTP2_ONLY)
    ],
)
def test_page(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(page, lambda: capsys.readouterr().out)


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_readme(
    alpn: str, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first example is in test_tutorials.py, and that with requests in test_requests_page.py."""
    server = serve(routes=ROUTES, alpn=(alpn,))
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    found = [example for example, _ in examples("README")]
    assert len(found) == 4
    try:
        for example in found[1:-1]:
            exec(compile(here(example, server), ROOT / "README.md", "exec"), {})
    finally:
        default_pool().close()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "b'hello'"
    assert len(printed) == 1002


def test_there_are_examples() -> None:
    pages = {"deadlines", "h2c", "health", "priorities", "streaming", "trailers"}
    assert {f"howto/{page}" for page in pages} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("page", [*OUTSIDE, *PAGES.values()], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


def test_every_page_is_in_a_table_of_contents() -> None:
    """And in one alone, so that the site has one place for it."""
    listed = Counter(name for path in PAGES.values() for name in toctree(path))
    assert set(listed) == set(PAGES) - {"index"}
    assert {name for name, times in listed.items() if times > 1} == set()
