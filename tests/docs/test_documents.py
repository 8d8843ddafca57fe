"""The examples in docs/, run as they stand; where a text block follows one, that is what it prints."""

import re
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hyperlite.testing.server import Exchange, Request, Response, Server, streaming
from tests.conftest import Serve

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
# Run against servers of their own: tests/real/test_grpc.py, tests/real/test_push.py,
# tests/connection/test_upgrade.py, and the pages that have a module of their own beside this one.
ELSEWHERE = {
    "asyncio",
    "bodies",
    "crawling",
    "grpc",
    "hyper",
    "observing",
    "pool",
    "push",
    "requests",
    "testing",
    "upgrade",
}
# What HTTP/1.1 has not got.
HTTP2_ONLY = {"h2c", "health"}

PAGES = sorted(page.stem for page in DOCS.glob("*.md") if "```python" in page.read_text())


def examples(page: str) -> list[tuple[str, str | None]]:
    """Return the examples of a page, each with what it prints if that is said."""
    text = (DOCS / f"{page}.md").read_text()
    # Lines are kept where they are, so that a traceback points into the page.
    return [
        ("\n" * text.count("\n", 0, found.start(1)) + found[1], found[2]) for found in EXAMPLE.finditer(text)
    ]


def run(page: str, capture: Callable[[], str]) -> None:
    """Run the examples of a page in order, as one program."""
    names: dict[str, Any] = {}
    for example, expected in examples(page):
        exec(compile(example, DOCS / f"{page}.md", "exec"), names)
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
        for page in PAGES
        for protocol in ("h2", "http/1.1")
        if page not in ELSEWHERE and (protocol == "h2" or page not in HTTP2_ONLY)
    ],
)
def test_page(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(page, lambda: capsys.readouterr().out)


def test_there_are_examples() -> None:
    assert {"deadlines", "h2c", "health", "priorities", "streaming", "trailers"} <= set(PAGES)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name
