"""What HTTP means, as nginx and nghttpd understand it: each of them wrote its half without us."""

import gzip
import http.client
import io
import json
import select
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.testing.bookstore import books

from .conftest import LOCATIONS, MEBIBYTE
from .servers import PATIENCE, Block, Nginx, Site

Connect = Callable[..., hyperlite.HTTP20Connection]
Answer = tuple[hyperlite.HTTP20Response, bytes]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make connections to sites, which the end of the test closes."""
    with ExitStack() as stack:
        yield lambda site, **options: stack.enter_context(site.connect(**options))


@pytest.fixture(params=["h2", "cleartext", "h1"])
def conn(nginx: dict[str, Site], connect: Connect, request: pytest.FixtureRequest) -> Any:
    """A connection to nginx, on each protocol that it speaks."""
    return connect(nginx[request.param])


@pytest.fixture
def nghttpd_conn(nghttpd_site: Site, connect: Connect) -> hyperlite.HTTP20Connection:
    """A connection to nghttpd."""
    return connect(nghttpd_site)


def ask(conn: hyperlite.HTTP20Connection, method: str, url: str, *arguments: Any, **options: Any) -> Answer:
    """Send a request; return its response, and the body read to its end."""
    response = conn.getresponse(conn.request(method, url, *arguments, **options))
    return response, response.read()


def wait_for_hangup(conn: hyperlite.HTTP20Connection) -> None:
    """Wait until the server's end of the connection has arrived, without reading it."""
    poller = select.poll()
    poller.register(conn.sock, getattr(select, "POLLRDHUP", select.POLLHUP))
    assert poller.poll(PATIENCE * 1000), "the server has not closed the connection"


# -- responses --------------------------------------------------------------------------------------


def test_head_tells_the_length_and_has_no_body(conn: hyperlite.HTTP20Connection) -> None:
    response, body = ask(conn, "HEAD", "/mebibyte")
    assert (response.status, response.getheader("content-length"), body) == (200, str(MEBIBYTE), b"")
    assert response.isclosed()
    assert ask(conn, "GET", "/book/1")[0].status == 200


def test_204_has_no_body(conn: hyperlite.HTTP20Connection) -> None:
    response, body = ask(conn, "GET", "/nothing")
    assert (response.status, response.reason, body) == (204, "No Content", b"")
    assert response.isclosed()
    assert ask(conn, "GET", "/book/1")[0].status == 200


def test_304_answers_a_known_etag(conn: hyperlite.HTTP20Connection) -> None:
    etag = ask(conn, "GET", "/book/1")[0].getheader("etag")
    response, body = ask(conn, "GET", "/book/1", headers={"If-None-Match": etag})
    assert (response.status, response.getheader("etag"), body) == (304, etag, b"")
    assert ask(conn, "GET", "/book/1", headers={"If-None-Match": '"another"'})[0].status == 200


def test_304_answers_a_known_date(nghttpd_conn: hyperlite.HTTP20Connection) -> None:
    date = ask(nghttpd_conn, "GET", "/book/1")[0].getheader("last-modified")
    response, body = ask(nghttpd_conn, "GET", "/book/1", headers={"If-Modified-Since": date})
    assert (response.status, body) == (304, b"")


def test_a_range_is_a_part(conn: hyperlite.HTTP20Connection) -> None:
    response, body = ask(conn, "GET", "/mebibyte", headers={"Range": "bytes=250-259"})
    assert (response.status, response.getheader("content-range")) == (206, f"bytes 250-259/{MEBIBYTE}")
    assert body == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])


def test_404_has_a_page(conn: hyperlite.HTTP20Connection) -> None:
    response, body = ask(conn, "GET", "/no/such/thing")
    assert (response.status, response.reason) == (404, "Not Found")
    assert b"404 Not Found" in body


def test_set_cookies_stay_apart(conn: hyperlite.HTTP20Connection) -> None:
    response, _ = ask(conn, "GET", "/cookies")
    cookies = ["flavour=oat; Path=/", "size=large, very; Expires=Wed, 21 Oct 2026 07:28:00 GMT"]
    assert response.headers.get_all("Set-Cookie") == cookies
    assert [value for name, value in response.getheaders() if name.lower() == "set-cookie"] == cookies
    assert response.getheader("set-cookie") == ", ".join(cookies)


def test_gzip_is_the_callers_affair(conn: hyperlite.HTTP20Connection) -> None:
    plain = json.dumps(books()[1]).encode()
    response, body = ask(conn, "GET", "/book/1")  # http.client asks for identity
    assert (response.getheader("content-encoding"), body) == (None, plain)
    response, body = ask(conn, "GET", "/book/1", headers={"Accept-Encoding": "gzip"})
    assert response.getheader("content-encoding") == "gzip"
    assert body != plain
    assert gzip.decompress(body) == plain


def test_a_body_larger_than_the_window(conn: hyperlite.HTTP20Connection, root: Path) -> None:
    response, body = ask(conn, "GET", "/mebibyte")
    assert (response.length, body) == (0, (root / "mebibyte").read_bytes())


def test_responses_may_be_read_in_any_order(conn: hyperlite.HTTP20Connection, root: Path) -> None:
    expected = (root / "mebibyte").read_bytes()
    ids = [conn.request("GET", "/mebibyte") for _ in range(20)]
    for stream_id in reversed(ids):
        response = conn.getresponse(stream_id)
        assert (response.stream_id, response.read()) == (stream_id, expected)


# -- requests ---------------------------------------------------------------------------------------

BODIES = {
    "bytes": lambda _: b"caf\xe9",
    "bytearray": lambda _: bytearray(b"caf\xe9"),
    "str": lambda _: "caf\xe9",  # Latin-1, as in http.client
    "file": lambda path: path.open("rb"),
    "text file": lambda path: path.open(encoding="latin-1"),
    "list": lambda _: [b"ca", b"", b"f\xe9"],
    "generator": lambda _: (bytes([byte]) for byte in b"caf\xe9"),
}


@pytest.fixture(params=BODIES)
def body(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The bytes b"caf\\xe9" in all the forms that a body may have."""
    path = tmp_path / "body"
    path.write_bytes(b"caf\xe9")
    made = BODIES[request.param](path)
    yield made
    if isinstance(made, io.IOBase):
        made.close()


def test_a_body_arrives(nghttpd_conn: hyperlite.HTTP20Connection, body: Any) -> None:
    assert ask(nghttpd_conn, "POST", "/echo", body)[1] == b"caf\xe9"


def test_a_large_body_arrives(nghttpd_conn: hyperlite.HTTP20Connection, root: Path) -> None:
    """It is 64 times as large as the window that nghttpd gives, and comes back."""
    block = (root / "mebibyte").read_bytes()
    with io.BytesIO(4 * block) as file:
        assert ask(nghttpd_conn, "POST", "/echo", file)[1] == 4 * block
    assert ask(nghttpd_conn, "POST", "/echo", 4 * block)[1] == 4 * block
    assert ask(nghttpd_conn, "POST", "/echo", [block] * 4)[1] == 4 * block


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("site", ["h2", "h1"])
def test_the_length_is_announced_when_it_is_known(
    nginx: dict[str, Site], connect: Connect, site: str, method: str
) -> None:
    conn = connect(nginx[site])

    def seen(body: Any) -> bytes:
        return ask(conn, method, "/seen", body)[1]

    def expected(length: str, coding: str = "") -> bytes:
        return f"{method}|{length}|{coding if site == 'h1' else ''}".encode()

    assert seen(None) == expected("0")
    assert seen(b"") == expected("0")
    assert seen(b"12345") == expected("5")
    assert seen("caf\xe9") == expected("4")
    # HTTP/2 needs no transfer coding, and forbids it.
    assert seen(io.BytesIO(b"12345")) == expected("", "chunked")
    assert seen(iter([b"123", b"45"])) == expected("", "chunked")


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
def test_no_length_is_announced_where_no_body_is_expected(
    conn: hyperlite.HTTP20Connection, method: str
) -> None:
    assert ask(conn, method, "/seen")[1] == f"{method}||".encode()


@pytest.mark.parametrize("size", [8 << 10, 40 << 10])
def test_a_large_header_arrives(conn: hyperlite.HTTP20Connection, size: int) -> None:
    """The larger one does not fit in a frame: CONTINUATION frames have the rest of it."""
    cookie = "c=" + "#&|~" * (size // 4)  # Huffman coding does not make this any smaller
    assert ask(conn, "GET", "/cookie", headers={"Cookie": cookie})[1] == cookie.encode()


@pytest.mark.parametrize("site", ["small bodies, h2", "small bodies, h1"])
@pytest.mark.parametrize("make", [bytes, lambda size: io.BytesIO(bytes(size))], ids=["bytes", "file"])
def test_an_answer_that_does_not_wait_for_the_body(
    nginx: dict[str, Site], connect: Connect, site: str, make: Callable[[int], Any]
) -> None:
    conn = connect(nginx[site])
    size = 4 * MEBIBYTE
    response, page = ask(conn, "POST", "/", make(size), {"Content-Length": str(size)})
    assert (response.status, len(page)) == (413, int(response.getheader("content-length")))
    assert b"413 Request Entity Too Large" in page
    # The next one is served as if nothing had been.
    assert ask(conn, "GET", "/book/1")[1] == json.dumps(books()[1]).encode()


# -- connections ------------------------------------------------------------------------------------


def one_by_one(conn: hyperlite.HTTP20Connection, paths: list[str]) -> list[int]:
    """Ask for all of these before any answer is read, by one call each."""
    return [conn.request("GET", path) for path in paths]


def together(conn: hyperlite.HTTP20Connection, paths: list[str]) -> list[int]:
    """Ask for all of these by one call."""
    return conn.request_many([("GET", path) for path in paths])


Send = Callable[[hyperlite.HTTP20Connection, list[str]], list[int]]
A_HUNDRED_BOOKS = [f"/book/{number}" for number in range(100)]


def read_all(
    conn: hyperlite.HTTP20Connection, root: Path, paths: list[str], ids: list[int]
) -> Counter[str | None]:
    """Read the files that were asked for, and check them; return how many came on each connection."""
    assert ids == list(range(1, 2 * len(paths), 2))
    seen: Counter[str | None] = Counter()
    for path, stream_id in zip(paths, ids, strict=True):
        response = conn.getresponse(stream_id)
        assert response.read() == (root / path.lstrip("/")).read_bytes()
        seen[response.getheader("x-connection")] += 1
    return seen


@pytest.mark.parametrize("site", ["five requests, h2", "five requests, h1"])
@pytest.mark.parametrize("send", [one_by_one, together])
def test_a_server_that_goes_away_after_five_requests(
    nginx: dict[str, Site], root: Path, connect: Connect, site: str, send: Send
) -> None:
    conn = connect(nginx[site])
    seen = read_all(conn, root, A_HUNDRED_BOOKS, send(conn, A_HUNDRED_BOOKS))
    assert list(seen.values()) == [5] * 20


@pytest.mark.parametrize("send", [one_by_one, together])
def test_a_server_that_allows_three_streams(
    nginx: dict[str, Site], root: Path, connect: Connect, send: Send
) -> None:
    """The client cannot know of it yet: what it sends beside the three long ones is refused."""
    conn = connect(nginx["three streams"])
    paths = ["/four-mebibytes"] * 3 + A_HUNDRED_BOOKS[3:]
    seen = read_all(conn, root, paths, send(conn, paths))
    assert list(seen.values()) == [100]


@pytest.mark.parametrize("http2", [True, False])
def test_a_restart_between_two_requests_is_noticed(
    tmp_path: Path, root: Path, connect: Connect, http2: bool
) -> None:
    with Nginx(tmp_path, root, {"only": Block(LOCATIONS, http2=http2)}) as server:
        conn = connect(server.sites["only"])
        assert ask(conn, "GET", "/book?id=1")[0].status == 200
        server.stop()
        wait_for_hangup(conn)
        server.start()
        # A body that can be sent only once: the request cannot be repeated, should it get lost.
        response, body = ask(conn, "POST", "/seen", iter([b"once"]))
        assert (response.status, response.stream_id, body.split(b"|")[0]) == (200, 3, b"POST")


@pytest.mark.parametrize("site", ["impatient, h2", "impatient, h1"])
def test_a_connection_that_was_idle_for_too_long_is_not_used_again(
    nginx: dict[str, Site], connect: Connect, site: str
) -> None:
    conn = connect(nginx[site])
    before, _ = ask(conn, "GET", "/book?id=1")
    wait_for_hangup(conn)
    after, body = ask(conn, "POST", "/seen", iter([b"once"]))
    assert (after.status, after.stream_id, body.split(b"|")[0]) == (200, 3, b"POST")
    assert before.getheader("x-connection") != after.getheader("x-connection")


def test_the_callers_context_goes_on_serving_http_client(nginx_h2: Site, connect: Connect) -> None:
    context = nginx_h2.context()

    def read_with_http_client() -> tuple[str | None, int, bytes]:
        plain = http.client.HTTPSConnection("localhost", nginx_h2.port, context=context, timeout=PATIENCE)
        try:
            plain.request("GET", "/book?id=1")
            with plain.getresponse() as response:
                return plain.sock.selected_alpn_protocol(), response.version, response.read()
        finally:
            plain.close()

    before = read_with_http_client()
    assert before == (None, 11, json.dumps(books()[1]).encode())
    conn = connect(nginx_h2, context=context)
    assert ask(conn, "GET", "/book?id=1")[0].version == 20
    assert read_with_http_client() == before
    assert ask(conn, "GET", "/book?id=1")[0].version == 20
