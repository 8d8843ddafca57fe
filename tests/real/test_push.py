"""Server push: Node's http2, Go's net/http and nghttpd."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from tests.docs.test_documents import run

from .conftest import MEBIBYTE
from .servers import Site, nghttpd


@pytest.fixture(params=["node", "go"])
def conn(request: pytest.FixtureRequest) -> Iterator[hyperlite.HTTP20Connection]:
    site: Site = request.getfixturevalue(f"{request.param}_site")
    with site.connect(enable_push=True) as conn:
        yield conn


def pushes(conn: hyperlite.HTTP20Connection, path: str = "/push") -> dict[str, Any]:
    """Ask for a page; return what is pushed with it, by path."""
    conn.request("GET", path)
    response = conn.getresponse()
    response.read()
    return {push.path: push for push in response.pushes}


def test_a_pushed_response(conn: hyperlite.HTTP20Connection) -> None:
    push = pushes(conn)["/style.css"]
    assert (push.method, push.scheme, push.authority) == ("GET", "https", f"localhost:{conn.port}")
    response = push.getresponse()
    assert (response.version, response.status, response.read()) == (20, 200, b"style")


def test_the_connection_serves_on(conn: hyperlite.HTTP20Connection) -> None:
    for _ in range(20):
        found = pushes(conn)
        assert found["/style.css"].getresponse().read() == b"style"
        for path, push in found.items():
            if path != "/style.css":
                push.cancel()
    conn.request("GET", "/")
    assert conn.getresponse().read() == b"hello"


def test_one_that_is_never_taken(conn: hyperlite.HTTP20Connection) -> None:
    """As many as the connection lasts for: no thread reads them, and none waits for them."""
    for _ in range(300):
        pushes(conn)
    conn.request("GET", "/")
    assert conn.getresponse().read() == b"hello"


def test_a_large_one(node_site: Site) -> None:
    with node_site.connect(enable_push=True) as conn:
        assert pushes(conn)["/large"].getresponse().read() == b"x" * MEBIBYTE


def test_one_that_is_given_up(node_site: Site) -> None:
    with node_site.connect(enable_push=True) as conn:
        found = pushes(conn)
        found["/large"].cancel()
        assert found["/style.css"].getresponse().read() == b"style"


def test_nghttpd(tmp_path: Path, root: Path) -> None:
    with nghttpd(tmp_path, root, "--push=/=/mebibyte") as site, site.connect(enable_push=True) as conn:
        found = pushes(conn, "/")
        assert found["/mebibyte"].getresponse().read() == (root / "mebibyte").read_bytes()


def test_the_page(
    node_site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The examples in docs/howto/push.md."""
    connect = socket.create_connection
    context = node_site.context()
    context.check_hostname = False
    monkeypatch.setattr(ssl, "_create_default_https_context", lambda: context)
    monkeypatch.setattr(
        socket, "create_connection", lambda _, *args: connect(("127.0.0.1", node_site.port), *args)
    )
    run("howto/push", lambda: capsys.readouterr().out)
