"""A directory that the embedded server serves: what is found, ranges, preconditions, and what is refused."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite import ConnectionPool, FetchResponse, Observer
from hyperlite.observing import RequestInfo
from hyperlite.testing import Server
from hyperlite.testing.files import directory

CONTENT = b"0123456789" * 10
OLD = 1_700_000_000
Ask = Callable[..., FetchResponse]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with files, some of which are not to be seen."""
    outside = tmp_path_factory.mktemp("outside")
    top = outside / "top"
    (top / "sub" / "deeper").mkdir(parents=True)
    (top / "file.txt").write_bytes(CONTENT)
    os.utime(top / "file.txt", (OLD, OLD))
    (top / "sub" / "index.html").write_text("<p>index")
    (top / "a & <b>.bin").write_bytes(b"odd")
    (top / "empty").touch()
    (top / ".hidden").write_text("secret")
    (top / ".git").mkdir()
    (top / ".git" / "config").write_text("secret")
    (outside / "outside").write_text("secret")
    (top / "link").symlink_to(outside / "outside")
    (top / "up").symlink_to(outside)
    (top / "tohidden").symlink_to(".hidden")
    (top / "inner").symlink_to("file.txt")
    (top / "loop").symlink_to("loop")
    return top


@pytest.fixture(scope="module", params=["h2", "http/1.1"])
def ask(request: pytest.FixtureRequest, root: Path) -> Iterator[Ask]:
    """Ask a server of the directory for a path."""
    with (
        Server(directory(root), alpn=(request.param,)) as server,
        ConnectionPool(verify=server.ca_file, timeout=10) as pool,
    ):

        def ask(path: str, method: str = "GET", **fields: str) -> FetchResponse:
            headers = {name.replace("_", "-"): value for name, value in fields.items()}
            return pool.fetch(server.url(path), method, headers=headers, redirects=0, decode=False)

        yield ask


def test_a_file(ask: Ask) -> None:
    response = ask("/file.txt")
    assert (response.status, response.body) == (200, CONTENT)
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["last-modified"] == formatdate(OLD, usegmt=True)
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-length"] == "100"
    head = ask("/file.txt", "HEAD")
    names = ("etag", "last-modified", "content-length", "content-type")
    assert [head.headers[name] for name in names] == [response.headers[name] for name in names]
    assert head.body == b""
    assert ask("/empty").body == b""
    assert ask("/inner").body == CONTENT
    assert ask("/a%20%26%20%3Cb%3E.bin").body == b"odd"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.json", "application/json"),
        ("x.tar.gz", "application/gzip"),
        ("x.unheardof", "application/octet-stream"),
    ],
)
def test_content_types(ask: Ask, root: Path, name: str, kind: str) -> None:
    (root / name).touch()
    response = ask(f"/{name}")
    assert response.headers["content-type"] == kind
    assert "content-encoding" not in response.headers


def test_a_directory(ask: Ask) -> None:
    page = ask("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<a href="./a%20%26%20%3Cb%3E.bin">a &amp; &lt;b&gt;.bin</a>' in page.text
    assert '<a href="./sub/">sub/</a>' in page.text
    assert not [name for name in ("hidden", ".git", "link", "up", "loop") if name in page.text]
    assert ask("/sub/").text == "<p>index"
    moved = ask("/sub?a=1")
    assert (moved.status, moved.headers["location"]) == (301, "/sub/?a=1")
    assert '<a href="../">' in ask("/sub/deeper/").text
    # A location that begins with two slashes would lead to another host.
    assert ask("//sub/deeper").headers["location"] == "/sub/deeper/"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/file.txt/",
        "/file.txt/x",
        "/.hidden",
        "/.git/config",
        "/%2egit/config",
        "/link",
        "/up/outside",
        "/up/",
        "/tohidden",
        "/loop",
        "/%00",
        "/..%2foutside",
        "/sub%2f..%2f..%2foutside",
        "/..%5coutside",
        "/%ff",
        "/" + 300 * "x",
    ],
)
def test_what_is_not_found(ask: Ask, path: str) -> None:
    response = ask(path)
    assert response.status == 404
    assert "secret" not in response.text


def test_dots_that_no_client_has_taken_away(root: Path) -> None:
    with Server(directory(root), secure=False) as server:
        for path in (b"/../outside", b"/sub/../../outside", b"//../outside", b"outside", b"../outside", b"*"):
            with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
                sock.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path)
                with sock.makefile("rb") as file:
                    answer = file.read()
            assert answer.startswith(b"HTTP/1.1 404")
            assert b"secret" not in answer


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read(ask: Ask, root: Path) -> None:
    (root / "closed").touch(0)
    assert ask("/closed").status == 403


def test_a_pipe_is_not_opened(ask: Ask, root: Path) -> None:
    if not (root / "pipe").exists():
        os.mkfifo(root / "pipe")
    assert ask("/pipe").status == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("books.localhost", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example:80", 421),
    ],
)
def test_other_hosts(ask: Ask, host: str, status: int) -> None:
    assert ask("/file.txt", host=host).status == status


def test_methods(ask: Ask) -> None:
    response = ask("/file.txt", "PUT")
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")


# -- ranges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=90-", 90, 100),
        ("bytes=90-1000", 90, 100),
        ("bytes=-7", 93, 100),
        ("bytes=-1000", 0, 100),
        ("BYTES=5-6", 5, 7),
    ],
)
def test_a_part(ask: Ask, asked: str, first: int, end: int) -> None:
    response = ask("/file.txt", range=asked)
    assert (response.status, response.body) == (206, CONTENT[first:end])
    assert response.headers["content-range"] == f"bytes {first}-{end - 1}/100"
    assert response.headers["content-length"] == str(end - first)


@pytest.mark.parametrize(
    "asked",
    ["bytes=", "bytes=-", "bytes=5-4", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b", f"bytes={'9' * 5000}-"],
)
def test_ranges_that_are_passed_over(ask: Ask, asked: str) -> None:
    response = ask("/file.txt", range=asked)
    assert (response.status, response.body) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=1000-2000", "bytes=-0"])
def test_ranges_beyond_the_end(ask: Ask, asked: str) -> None:
    response = ask("/file.txt", range=asked)
    assert (response.status, response.headers["content-range"]) == (416, "bytes */100")
    assert ask("/file.txt", "HEAD", range=asked).status == 200
    assert ask("/empty", range="bytes=0-").status == 416


def test_if_range(ask: Ask, root: Path) -> None:
    changed = root / "changed.txt"
    changed.write_bytes(CONTENT)
    os.utime(changed, (OLD, OLD))
    tag = ask("/changed.txt").headers["etag"]
    date = formatdate(OLD, usegmt=True)
    for known, status in ((tag, 206), (date, 206), ('"other"', 200), (f"W/{tag}", 200), ("nonsense", 200)):
        assert ask("/changed.txt", range="bytes=90-", if_range=known).status == status
    os.utime(changed)  # a date within this second does not tell the file from what it was before
    new = ask("/changed.txt").headers
    assert new["etag"] != tag
    for known, status in ((tag, 200), (new["etag"], 206), (formatdate(time.time() + 60, usegmt=True), 200)):
        assert ask("/changed.txt", range="bytes=90-", if_range=known).status == status
    future = time.time() + 60
    os.utime(changed, (future, future))
    assert ask("/changed.txt", range="bytes=90-", if_range=formatdate(future, usegmt=True)).status == 200


# -- preconditions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"if_none_match": "TAG"}, 304),
        ({"if_none_match": 'W/"other", W/TAG'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"other"'}, 200),
        ({"if_none_match": '"other"', "if_modified_since": formatdate(OLD, usegmt=True)}, 200),
        ({"if_modified_since": formatdate(OLD, usegmt=True)}, 304),
        ({"if_modified_since": formatdate(OLD - 1, usegmt=True)}, 200),
        ({"if_modified_since": "nonsense"}, 200),
        ({"if_match": "TAG"}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": "W/TAG"}, 412),
        ({"if_match": '"other"'}, 412),
        ({"if_unmodified_since": formatdate(OLD, usegmt=True)}, 200),
        ({"if_unmodified_since": formatdate(OLD - 1, usegmt=True)}, 412),
        ({"if_match": "TAG", "if_unmodified_since": formatdate(OLD - 1, usegmt=True)}, 200),
    ],
)
def test_preconditions(ask: Ask, fields: dict[str, str], status: int) -> None:
    tag = ask("/file.txt").headers["etag"]
    response = ask("/file.txt", **{name: value.replace("TAG", tag) for name, value in fields.items()})
    assert response.status == status
    assert response.headers["etag"] == tag
    assert response.body == (
        CONTENT if status == 200 else b"The file is not as the request expects.\n" if status == 412 else b""
    )


# -- large files ---------------------------------------------------------------------------------


class Interrupt(Observer):
    """Interrupts a program, as Ctrl-C does, when it has read so many bytes."""

    def __init__(self, size: int) -> None:
        self._size = size

    def body(self, request: RequestInfo, size: int) -> None:
        if request.received >= self._size:
            raise KeyboardInterrupt


def test_a_download_goes_on(root: Path, tmp_path: Path) -> None:
    (root / "large").write_bytes(os.urandom(3 << 20))
    target = tmp_path / "copy"
    with Server(directory(root), record=True) as server:
        with (
            ConnectionPool(verify=server.ca_file, observers=[Interrupt(1 << 20)]) as pool,
            pool.fetch(server.url("/large"), stream=True) as response,
            pytest.raises(KeyboardInterrupt),
        ):
            response.save(target, resume=True)
        with (
            ConnectionPool(verify=server.ca_file) as pool,
            pool.fetch(server.url("/large"), stream=True) as response,
        ):
            response.save(target, resume=True)
        part = server.requests[-1].header("range")
    assert part is not None
    assert int(part.removeprefix("bytes=").removesuffix("-")) > 1 << 19
    assert target.read_bytes() == (root / "large").read_bytes()


def test_a_file_that_is_cut_short_meanwhile(root: Path) -> None:
    (root / "large").write_bytes(bytes(4 << 20))
    with (
        Server(directory(root)) as server,
        ConnectionPool(verify=server.ca_file, retries=0) as pool,
        pool.fetch(server.url("/large"), stream=True) as response,
    ):
        response.read(1)
        os.truncate(root / "large", 1)
        with pytest.raises(hyperlite.FetchError):
            while response.read(1 << 20):
                pass


def test_what_is_no_directory(root: Path) -> None:
    for path in (root / "file.txt", root / "nothing"):
        with pytest.raises(OSError, match=path.name):
            directory(path)


def test_a_client_that_leaves(root: Path, recwarn: Any) -> None:
    (root / "large").write_bytes(bytes(4 << 20))
    with Server(directory(root)) as server, ConnectionPool(verify=server.ca_file) as pool:
        with pool.fetch(server.url("/large"), stream=True) as response:
            response.read(1)
        assert pool.fetch(server.url("/file.txt")).body == CONTENT
