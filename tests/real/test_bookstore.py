"""The article's crawl of 3,000 books from every kind of server; each book is compared with the original."""

import subprocess
import sys
from typing import Any

import pytest

import hyperlite
from hyperlite.testing.bookstore import books, routes
from hyperlite.testing.server import Server

from . import bookstore_crawl
from .servers import PATIENCE, Site


class Witness(hyperlite.HTTP20Connection):
    """A connection that keeps the ids that it gave out and the responses that came."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.ids: list[int] = []
        self.responses: list[hyperlite.HTTP20Response] = []

    def request(self, *args: Any, **options: Any) -> int:
        self.ids.append(super().request(*args, **options))
        return self.ids[-1]

    def getresponse(self, stream_id: int | None = None) -> hyperlite.HTTP20Response:
        self.responses.append(super().getresponse(stream_id))
        return self.responses[-1]


def crawl_and_check(conn: Witness, version: int, book_path: str = "/book?id={}") -> None:
    """Crawl the store, and check all that a client can see: the books, the ids, the protocol."""
    assert bookstore_crawl.crawl(conn, book_path) == list(books().values())
    assert conn.ids == list(range(1, 2 * (1 + len(books())), 2))  # one more for the index
    assert [response.stream_id for response in conn.responses] == conn.ids
    assert {response.status for response in conn.responses} == {200}
    assert {response.version for response in conn.responses} == {version}


@pytest.mark.parametrize(("name", "version"), [("h2", 20), ("cleartext", 20), ("h1", 11)])
def test_nginx_serves_the_store_on_one_connection(nginx: dict[str, Site], name: str, version: int) -> None:
    with nginx[name].connect(Witness) as conn:
        crawl_and_check(conn, version)
        assert len({response.getheader("x-connection") for response in conn.responses}) == 1


def test_nghttpd_serves_the_store(nghttpd_site: Site) -> None:
    with nghttpd_site.connect(Witness) as conn:
        # Its files are found by the path alone, whatever the query.
        crawl_and_check(conn, 20, "/book/{}")
        assert all(response.getheader("server").startswith("nghttpd") for response in conn.responses)


@pytest.mark.parametrize(
    ("alpn", "version", "protocol"),
    [
        pytest.param(("h2", "http/1.1"), 20, "h2", id="h2"),
        pytest.param(("http/1.1",), 11, "http/1.1", id="http/1.1"),
        pytest.param((), 11, "http/1.1", id="no alpn"),
    ],
)
def test_the_embedded_server_serves_the_store_on_one_connection(
    alpn: tuple[str, ...], version: int, protocol: str
) -> None:
    targets = ["/", *(f"/book?id={number}" for number in books())]
    with Server(routes(), alpn=alpn) as server:
        with Witness("localhost", server.port, context=server.context(), timeout=PATIENCE) as conn:
            crawl_and_check(conn, version)
        assert server.connections == 1
        assert server.log == [(protocol, 1, "GET", target) for target in targets]


def test_the_script_runs_by_itself() -> None:
    with Server(routes()) as server:
        command = [sys.executable, "-W", "error", bookstore_crawl.__file__]
        ended = subprocess.run(
            [*command, server.host, str(server.port), server.ca_file],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3000 books\n", "")
