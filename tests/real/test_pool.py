"""fetch() and fetch_many() with servers that other people wrote."""

import functools
import json
import re
import select
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hyperlite import ConnectionPool, FetchRequest, RedirectError
from hyperlite.testing.bookstore import books
from hyperlite.testing.certificates import certificates
from tests.inside import connection_of, origin_of

from .conftest import LOCATIONS
from .servers import PATIENCE, Block, Nginx, Site

REDIRECTS = """
    location = /moved { return 301 /book/7; }
    location = /see-other { return 303 /seen; }
    location = /temporarily { return 307 /seen; }
    location = /elsewhere { return 302 $arg_url; }
    location = /round { return 302 /round; }
"""
SITES = {
    "h2": Block(LOCATIONS + REDIRECTS),
    "h1": Block(LOCATIONS + REDIRECTS, http2=False),
    "plain": Block(LOCATIONS + REDIRECTS, http2=False, secure=False),
}


@functools.cache
def pages() -> list[bytes]:
    """Return what the shop answers for each book: made when the first test asks, not in each process."""
    return [json.dumps(book).encode() for book in books().values()]


def url(site: Site, target: str = "/") -> str:
    return f"{'https' if site.secure else 'http'}://localhost:{site.port}{target}"


@pytest.fixture(scope="module")
def redirecting(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[dict[str, Site]]:
    """nginx, by the names of SITES."""
    with Nginx(tmp_path_factory.mktemp("redirecting"), root, SITES) as server:
        yield server.sites


@pytest.fixture(params=SITES)
def site(redirecting: dict[str, Site], request: pytest.FixtureRequest) -> Site:
    """nginx with and without HTTP/2, and without TLS."""
    return redirecting[request.param]


@pytest.fixture
def pool() -> Iterator[ConnectionPool]:
    with ConnectionPool(verify=certificates().ca_file, timeout=PATIENCE, proxies=False) as pool:
        yield pool


def connections_of(outcomes: list[Any]) -> Counter[str]:
    """Return how many of the responses came on each of nginx's connections."""
    return Counter(outcome.result().headers["x-connection"] for outcome in outcomes)


# -- one at a time ----------------------------------------------------------------------------------


def test_fetch(pool: ConnectionPool, redirecting: dict[str, Site], site: Site) -> None:
    for number in range(5):
        response = pool.fetch(url(site, f"/book/{number}"))
        assert (response.status, response.json()) == (200, books()[number])
        assert response.headers["content-encoding"] == "gzip"  # as nginx sent it, and undone
    assert response.http_version == ("HTTP/2" if site is redirecting["h2"] else "HTTP/1.1")
    assert pool.stats()["dialled"] == 1


@pytest.mark.parametrize(
    ("fixture", "target"),
    [("nghttpd_site", "/book/1"), ("h2o_sites", "/book/1"), ("node_site", "/"), ("go_sites", "/")],
)
def test_other_servers(
    pool: ConnectionPool, request: pytest.FixtureRequest, fixture: str, target: str
) -> None:
    found = request.getfixturevalue(fixture)
    site = found if isinstance(found, Site) else found["h2"]
    expected = pages()[1] if target == "/book/1" else pool.fetch(url(site)).body
    outcomes = list(pool.fetch_many([url(site, target)] * 150, concurrency=50))
    assert {outcome.result().body for outcome in outcomes} == {expected}
    assert {outcome.result().http_version for outcome in outcomes} == {"HTTP/2"}
    assert pool.stats()["dialled"] == 1


def test_what_is_not_to_be_undone(pool: ConnectionPool, site: Site) -> None:
    response = pool.fetch(url(site, "/book/1"), decode=False, headers={"accept-encoding": "gzip"})
    assert response.body.startswith(b"\x1f\x8b")


def test_a_stream_of_pieces(pool: ConnectionPool, site: Site, root: Path) -> None:
    with pool.fetch(url(site, "/mebibyte"), stream=True) as response:
        assert b"".join(response) == (root / "mebibyte").read_bytes()
    with pool.fetch(url(site, "/four-mebibytes"), stream=True) as response:
        assert response.read(10) == bytes(10)
    assert pool.fetch(url(site, "/nothing")).status == 204


def test_what_is_sent(pool: ConnectionPool, nghttpd_site: Site, site: Site, tmp_path: Path) -> None:
    for body, sent in ((b"bytes", b"bytes"), ("text", b"text"), (iter([b"pie", b"ces"]), b"pieces")):
        assert pool.fetch(url(nghttpd_site), "POST", body=body).body == sent  # it sends it back
    content = bytes(range(256)) * 1000
    (tmp_path / "upload").write_bytes(content)
    with (tmp_path / "upload").open("rb") as file:
        assert pool.fetch(url(nghttpd_site), "PUT", body=file).body == content
    assert pool.fetch(url(site, "/seen"), "PUT", body=b"12345").text == "PUT|5|"


# -- redirects --------------------------------------------------------------------------------------


def test_redirects(pool: ConnectionPool, redirecting: dict[str, Site], site: Site) -> None:
    response = pool.fetch(url(site, "/moved"))
    assert (response.url, response.body) == (url(site, "/book/7"), pages()[7])
    assert [hop.status for hop in response.history] == [301]
    assert pool.fetch(url(site, "/see-other"), "POST", body=b"1").text == "GET||"
    assert pool.fetch(url(site, "/temporarily"), "POST", body=b"123").text == "POST|3|"
    with pytest.raises(RedirectError):
        pool.fetch(url(site, "/round"))
    assert pool.stats()["dialled"] == 1
    for other in ("h2", "h1"):
        far = url(redirecting[other], "/book/3")
        response = pool.fetch(url(site, f"/elsewhere?url={far}"))
        assert (response.url, response.body) == (far, pages()[3])
    if site.secure:
        with pytest.raises(RedirectError, match="https"):
            pool.fetch(url(site, f"/elsewhere?url={url(redirecting['plain'], '/book/3')}"))


def test_redirects_of_many(pool: ConnectionPool, redirecting: dict[str, Site]) -> None:
    """From each of the sites to each, all at once and in order."""
    ways = [(origin, target) for origin in SITES for target in ("h2", "h1")] * 20
    urls = [
        url(redirecting[origin], f"/elsewhere?url={url(redirecting[target], f'/book/{number}')}")
        for number, (origin, target) in enumerate(ways)
    ]
    outcomes = list(pool.fetch_many(urls, ordered=True, concurrency=30))
    assert [outcome.result().body for outcome in outcomes] == pages()[: len(ways)]
    assert {len(outcome.result().history) for outcome in outcomes} == {1}


# -- many -------------------------------------------------------------------------------------------


def test_a_few_hundred_on_one_connection(pool: ConnectionPool, redirecting: dict[str, Site]) -> None:
    urls = [url(redirecting["h2"], f"/book/{number}") for number in range(400)]
    outcomes = list(pool.fetch_many(urls, ordered=True))
    assert [outcome.result().body for outcome in outcomes] == pages()[:400]
    assert len(connections_of(outcomes)) == 1


@pytest.mark.parametrize("name", ["h1", "plain"])
def test_a_few_hundred_where_there_is_no_http2(
    pool: ConnectionPool, redirecting: dict[str, Site], name: str
) -> None:
    urls = [url(redirecting[name], f"/book/{number}") for number in range(300)]
    outcomes = list(pool.fetch_many(urls, ordered=True))
    assert [outcome.result().body for outcome in outcomes] == pages()[:300]
    assert {outcome.result().http_version for outcome in outcomes} == {"HTTP/1.1"}
    assert len(connections_of(outcomes)) <= 10


def test_large_bodies_among_small_ones(pool: ConnectionPool, site: Site, root: Path) -> None:
    files = {f"/book/{number}": pages()[number] for number in range(20)}
    files |= {f"/mebibyte?{number}": (root / "mebibyte").read_bytes() for number in range(10)}
    outcomes = list(pool.fetch_many([url(site, target) for target in files], ordered=True))
    assert [outcome.result().body for outcome in outcomes] == list(files.values())


def test_few_streams_at_once(pool: ConnectionPool, nginx: dict[str, Site]) -> None:
    urls = [url(nginx["three streams"], f"/book/{number}") for number in range(100)]
    outcomes = list(pool.fetch_many(urls))
    assert sorted(outcome.index for outcome in outcomes if outcome.ok) == list(range(100))
    assert len(connections_of(outcomes)) <= 10


# -- connections that end ---------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["h2", "h1"])
def test_five_requests_on_a_connection(tmp_path: Path, pool: ConnectionPool, protocol: str) -> None:
    """A GOAWAY, or `Connection: close`, at every fifth: none is lost, and none is sent twice."""
    directives = "access_log only.log; keepalive_requests 5; location / { return 200 $request_uri; }"
    targets = [f"/once/{number}" for number in range(300)]
    with Nginx(tmp_path, tmp_path, {"only": Block(directives, http2=protocol == "h2")}) as nginx:
        site = nginx.sites["only"]
        requests = [FetchRequest(url(site, target), "POST", body=b"a body") for target in targets]
        outcomes = list(pool.fetch_many(requests, ordered=True))
        assert [outcome.result().text for outcome in outcomes] == targets
        assert max(connections_of(outcomes).values()) <= 5
        for number in range(20):
            assert pool.fetch(url(site, f"/one/{number}"), "POST", body=b"a body").status == 200
        pool.close()
        # By the time it has ended nginx has written all of its log.
    requested = re.findall(r'"POST (\S+) HTTP/[0-9.]+" 200 ', (tmp_path / "only.log").read_text())
    assert Counter(requested) == Counter(targets + [f"/one/{number}" for number in range(20)])


@pytest.mark.parametrize("name", ["impatient, h2", "impatient, h1"])
def test_an_idle_connection_that_nginx_has_closed(
    pool: ConnectionPool, nginx: dict[str, Site], name: str
) -> None:
    """It is noticed before a POST is sent on it, which could not be sent again."""
    seen = url(nginx[name], "/seen")
    for _ in range(2):
        assert pool.fetch(seen, "POST", body=b"once").text == "POST|4|"
        poller = select.poll()
        poller.register(connection_of(origin_of(pool)).sock, getattr(select, "POLLRDHUP", select.POLLHUP))
        assert poller.poll(PATIENCE * 1000), "nginx has not closed the connection"
    assert pool.stats()["dialled"] == 2
    assert pool.stats()["retries"] == 0


@pytest.mark.parametrize("protocol", ["h2", "h1"])
def test_nginx_is_started_anew(tmp_path: Path, pool: ConnectionPool, protocol: str) -> None:
    with Nginx(tmp_path, tmp_path, {"only": Block("return 200 here;", http2=protocol == "h2")}) as nginx:
        where = url(nginx.sites["only"])
        for _ in range(2):
            assert [outcome.result().text for outcome in pool.fetch_many([where] * 20)] == ["here"] * 20
            nginx.stop()
            nginx.start()
        assert pool.fetch(where).text == "here"
