"""A server that refuses all further requests on a connection: they go on another.

Node counts the rest of each download that is given up as its connection's memory, and answers each new stream
with ENHANCE_YOUR_CALM when that is 10 MB.
"""

from collections.abc import Callable, Iterator

import pytest
import requests

import hyperlite
from hyperlite import ConnectionPool
from hyperlite.adapters.requests import HTTP20Adapter

from .servers import PATIENCE, Site

# Requests in a row of which the first may be refused: none of those behind them is.
SOME = 6
Ask = Callable[[str], bytes]


@pytest.fixture
def pool(node_site: Site) -> Iterator[ConnectionPool]:
    with ConnectionPool(verify=node_site.ca_file, timeout=PATIENCE, proxies=False) as pool:
        yield pool


def give_up(ask: Callable[[], object], times: int = 60) -> None:
    """Give up so many downloads, until they are refused."""
    try:
        for _ in range(times):
            ask()
    except (hyperlite.StreamReset, requests.ConnectionError):
        pass


def answers(ask: Callable[[], bytes]) -> list[bytes | str]:
    """Ask a few times; return what came, or the name of the error."""
    seen: list[bytes | str] = []
    for _ in range(SOME):
        try:
            seen.append(ask())
        except (hyperlite.StreamReset, requests.ConnectionError) as error:
            seen.append(type(error).__name__)
    return seen


def test_fetch(pool: ConnectionPool, node_site: Site) -> None:
    """Each is answered: what is refused is tried again elsewhere."""
    url = f"https://localhost:{node_site.port}"

    def download() -> None:
        with pool.fetch(url + "/four-mebibytes", stream=True, retries=0) as response:
            response.read(10)

    give_up(download)
    assert answers(lambda: pool.fetch(url + "/").body) == [b"hello"] * SOME
    assert pool.stats()["dialled"] == 2


def test_fetch_many(pool: ConnectionPool, node_site: Site) -> None:
    url = f"https://localhost:{node_site.port}"

    def download() -> None:
        with pool.fetch(url + "/four-mebibytes", stream=True, retries=0) as response:
            response.read(10)

    give_up(download)
    outcomes = list(pool.fetch_many([url + "/"] * 100, concurrency=10))
    assert [outcome.result().body for outcome in outcomes] == [b"hello"] * 100
    assert pool.stats()["dialled"] == 2


def test_the_adapter(node_site: Site) -> None:
    """The first may fail, as requests tries nothing again; the next ones are answered."""
    url = f"https://localhost:{node_site.port}"
    with requests.Session() as session:
        session.verify, session.trust_env = node_site.ca_file, False
        session.mount("https://", HTTP20Adapter())

        def download() -> None:
            with session.get(url + "/four-mebibytes", stream=True) as response:
                next(response.iter_content(10))

        give_up(download)
        seen = answers(lambda: session.get(url + "/").content)
    assert seen[2:] == [b"hello"] * (SOME - 2)


def test_a_connection_object(node_site: Site) -> None:
    with node_site.connect() as conn:

        def download() -> None:
            with conn.getresponse(conn.request("GET", "/four-mebibytes")) as response:
                response.read(10)

        give_up(download)
        seen = answers(lambda: conn.getresponse(conn.request("GET", "/")).read())
    assert seen[3:] == [b"hello"] * (SOME - 3)
