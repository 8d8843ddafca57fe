"""WARC files: what is in their records, that readers agree, and that nothing is lost."""

import contextlib
import gzip
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import hyperlite
from hyperlite.crawling.records import IN_MEMORY
from hyperlite.crawling.state import State
from hyperlite.testing.server import Exchange, Request, Response, Server, streaming
from tests.conftest import Serve

from .archive import Record, check, read, read_fast, warcio
from .conftest import MakeSite

PACKED = gzip.compress(b"a page " * 100, mtime=0)
LONG = IN_MEMORY + 100_000
SAME = b"the same for all of them"
PROFILE = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"

Archive = Callable[..., list[Record]]


@streaming
def in_chunks(exchange: Exchange) -> None:
    exchange.start()
    exchange.send(b"two ")
    exchange.send(b"chunks")


def answer(request: Request) -> Response:
    if request.path == "/redirect":
        return Response(302, headers=[("location", "/page")], body=b"over there")
    if request.path == "/packed":
        return Response(headers=[("content-encoding", "gzip")], body=PACKED)
    if request.path == "/broken":
        return Response(headers=[("content-encoding", "gzip")], body=b"no gzip")
    if request.path == "/latin":
        return Response(headers=[("x-name", "läßt"), ("x-empty", "")], body=b"!")
    if request.path == "/sized":
        return Response(body=b"x" * int(request.query["n"][0]))
    if request.path == "/same":
        return Response(int(request.query.get("status", ["200"])[0]), body=SAME)
    return Response(body=request.target.encode())


PATHS = ("/redirect", "/packed", "/broken", "/latin", "/sized", "/same", "/page")
ROUTES = {"/chunks": in_chunks, **dict.fromkeys(PATHS, answer)}


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve(routes=ROUTES)


@pytest.fixture
def archive(server: Server, tmp_path: Path) -> Archive:
    """Crawl some paths of a server, and return the records; each must be as its digests say."""

    def archive(*paths: str, **options: object) -> list[Record]:
        site = options.pop("server", server)
        assert isinstance(site, Server)
        output = tmp_path / str(options.pop("name", "out.warc.gz"))
        urls = [site.url(path) if path.startswith("/") else path for path in paths]
        hyperlite.crawl(urls, output=output, context=site.context(), retries=0, **options)  # type: ignore[arg-type]
        check(output)
        return read(output)

    return archive


def of(records: list[Record], kind: str, url: str = "") -> list[Record]:
    """Return the records of a kind, and for URLs that end so."""
    return [one for one in records if one.kind == kind and (one.url or "").endswith(url)]


def test_a_response_and_its_request(archive: Archive, server: Server) -> None:
    records = archive("/page?x=1", headers={"X-Mine": "1", "Cookie": "a=b"})
    assert [one.kind for one in records] == ["warcinfo", "response", "request", "metadata"]
    _, response, request, metadata = records
    assert response.url == request.url == metadata.url == server.url("/page?x=1")
    assert response.block == b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n/page?x=1"
    first, *lines = request.block.decode().split("\r\n")
    assert first == "GET /page?x=1 HTTP/1.1"
    assert lines[0] == f"host: localhost:{server.port}"
    assert {"x-mine: 1", "cookie: a=b"} < set(lines)
    assert not any(line.startswith(":") for line in lines)
    assert request.block.endswith(b"\r\n\r\n")
    for one in (response, request):
        assert one.get("WARC-Protocol") == ["h2", "tls/1.3"]
        assert one.get("WARC-Cipher-Suite")[0].startswith("TLS_")
        assert one.get("WARC-IP-Address") == ["127.0.0.1"]
    assert request.get("WARC-Concurrent-To") == metadata.get("WARC-Concurrent-To") == [response.id]
    assert len({one.get("WARC-Date")[0] for one in (response, request, metadata)}) == 1
    assert response.get("WARC-Payload-Digest")[0].startswith("sha1:")


def test_the_file_says_how_it_was_made(archive: Archive) -> None:
    info = archive("/page")[0]
    assert info.get("WARC-Filename") == ["out.warc.gz"]
    assert f"software: hyperlite/{hyperlite.__version__}\r\n".encode() in info.block
    assert b"robots: obey\r\nhttp-header-user-agent: hyperlite" in info.block
    assert (
        b"conformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
        in info.block
    )


def test_bodies_are_as_they_came(archive: Archive) -> None:
    """In their content coding, which the head names."""
    records = archive("/packed", "/broken")
    packed = of(records, "response", "/packed")[0]
    assert b"content-encoding: gzip" in packed.head
    assert packed.body == PACKED
    assert of(records, "response", "/broken")[0].body == b"no gzip"
    assert b"accept-encoding: gzip" in of(records, "request", "/packed")[0].head


def test_accept_encoding_is_the_callers(archive: Archive) -> None:
    request = of(archive("/page", headers={"Accept-Encoding": "identity"}), "request")[0]
    assert request.head.lower().count(b"accept-encoding") == 1
    assert b"accept-encoding: identity" in request.head


def test_links_in_packed_pages_are_followed(archive: Archive, serve: Serve) -> None:
    page = gzip.compress(b'<a href="/page">')
    html = [("content-type", "text/html"), ("content-encoding", "gzip")]
    rules = gzip.compress(b"User-agent: *\nDisallow: /secret")
    site = serve(
        routes=ROUTES
        | {
            "/start": lambda _: Response(headers=html, body=page),
            "/robots.txt": lambda _: Response(headers=html[1:], body=rules),
        }
    )
    scope = hyperlite.CrawlScope(hosts="same", depth=1)
    records = archive("/start", "/secret", "/broken", server=site, follow=scope)
    assert of(records, "response", "/start")[0].body == page
    assert len(of(records, "response", "/page")) == 1
    assert b"error: Disallowed" in of(records, "metadata", "/secret")[0].block
    assert b"depth: 1\r\n" in of(records, "metadata", "/page")[0].block


@pytest.mark.parametrize("alpn", [("http/1.1",), ("h2", "http/1.1")])
def test_protocols(archive: Archive, serve: Serve, alpn: tuple[str, ...]) -> None:
    site = serve(routes=ROUTES, alpn=alpn)
    records = archive("/chunks", server=site, ignore_robots=True)
    response = of(records, "response")[0]
    assert response.get("WARC-Protocol") == [alpn[0], "tls/1.3"]
    assert response.head.startswith(b"HTTP/1.1 200 OK")
    assert response.body == b"two chunks"
    renamed = b"\r\nX-Crawl-Transfer-Encoding: chunked" in response.head
    assert renamed == (alpn[0] == "http/1.1")
    assert b"\r\ntransfer-encoding" not in response.head.lower()
    assert of(records, "request")[0].head.startswith(b"GET /chunks HTTP/1.1\r\n")


def test_cleartext(archive: Archive, serve: Serve) -> None:
    site = serve(routes=ROUTES, secure=False)
    for number, (protocols, name) in enumerate(((("h2",), "h2c"), (("http/1.1",), "http/1.1"))):
        records = archive("/page", server=site, protocols=protocols, name=f"{number}.warc.gz")
        assert of(records, "response")[0].get("WARC-Protocol") == [name]


def test_behind_a_proxy(archive: Archive, serve: Serve) -> None:
    """Its address is not the server's, and its credentials are not the request's."""
    site = serve(routes=lambda _: Response(), secure=False)
    proxy = f"http://me:secret@127.0.0.1:{site.port}"
    records = archive("http://origin.test/a?b=://", server=site, proxies=proxy, ignore_robots=True)
    assert site.log[0][-1] == "http://origin.test/a?b=://"
    response, request = of(records, "response")[0], of(records, "request")[0]
    assert response.get("WARC-IP-Address") == request.get("WARC-IP-Address") == []
    assert request.head.startswith(b"GET http://origin.test/a?b=:// HTTP/1.1\r\n")
    assert b"proxy-authorization" not in request.head.lower()
    direct = of(archive("/a?b=://", server=site, name="direct.warc.gz"), "response")[0]
    assert direct.get("WARC-IP-Address") == ["127.0.0.1"]


def test_each_hop_has_records(archive: Archive, server: Server) -> None:
    records = archive("/redirect")
    assert [one.kind for one in records[1:]] == ["response", "request"] * 2 + ["metadata"]
    first, _, last, _, metadata = records[1:]
    assert first.block.startswith(b"HTTP/1.1 302 Found\r\nlocation: /page\r\n")
    assert (first.body, last.body) == (b"over there", b"/page")
    assert (first.url, last.url) == (server.url("/redirect"), server.url("/page"))
    assert metadata.url == first.url
    assert metadata.get("WARC-Concurrent-To") == [first.id, last.id]
    assert f"finalUrl: {last.url}\r\n".encode() in metadata.block


def test_equal_bodies_are_written_once(archive: Archive) -> None:
    records = archive(*(f"/same?n={number}" for number in range(5)), "/page")
    (original,) = of(records, "response", "")[:1]
    revisits = of(records, "revisit")
    assert len(revisits) == 4
    assert len([one for one in records if one.kind == "response"]) == 2
    for revisit in revisits:
        assert revisit.get("WARC-Profile") == [PROFILE]
        assert revisit.get("WARC-Refers-To") == [original.id]
        assert revisit.get("WARC-Refers-To-Target-URI") == [original.url]
        assert revisit.get("WARC-Refers-To-Date") == original.get("WARC-Date")
        assert revisit.get("WARC-Payload-Digest") == original.get("WARC-Payload-Digest")
        assert revisit.block == b"HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n"
        assert records.index(revisit) > records.index(original)
    assert len(of(records, "metadata")) == 6


def test_nothing_refers_to_a_record_that_may_be_replaced(archive: Archive, tmp_path: Path) -> None:
    """An answer of 500 is fetched again by the next run after `retry-failed`, and its records go."""
    paths = ["/same?status=500", "/same?status=501", "/same?status=404", "/same?status=200"]
    first = archive(*paths)
    (original,) = {one.get("WARC-Refers-To")[0] for one in of(first, "revisit")}
    assert next(one for one in first if one.id == original).head.startswith(
        (b"HTTP/1.1 404", b"HTTP/1.1 200")
    )
    with contextlib.closing(State(tmp_path / "out.warc.gz.state")) as state:
        assert state.retry_failed() == 2
    again = archive(*paths)
    assert sorted(one.url or "" for one in of(again, "metadata")) == sorted(
        one.url or "" for one in of(first, "metadata")
    )
    ids = {one.id for one in again}
    assert all(one.get("WARC-Refers-To")[0] in ids for one in of(again, "revisit"))
    for status in (500, 501):
        (old,) = [one for one in first if one.head.startswith(f"HTTP/1.1 {status}".encode())]
        (new,) = [one for one in again if one.head.startswith(f"HTTP/1.1 {status}".encode())]
        assert old.id != new.id
    for status in (404, 200):
        assert len([one for one in again if one.head.startswith(f"HTTP/1.1 {status}".encode())]) == 1


@pytest.mark.parametrize(("most", "kept"), [(64 << 20, LONG), (1000, 1000)])
def test_a_long_body(archive: Archive, tmp_path: Path, most: int, kept: int) -> None:
    records = archive(f"/sized?n={LONG}", "/sized?n=50", max_body=most)
    response = of(records, "response", str(LONG))[0]
    assert response.body == b"x" * kept
    assert f"content-length: {LONG}".encode() in response.head
    assert response.get("WARC-Truncated") == ([] if kept == LONG else ["length"])
    assert of(records, "response", "=50")[0].get("WARC-Truncated") == []
    parts = tmp_path / "out.warc.gz.state" / "parts"
    assert [path.name for path in parts.iterdir()] == ["00001-a1.warc.gz"]
    (parts / "long-7").write_bytes(b"what a kill has left")
    assert of(archive(f"/sized?n={LONG}", "/sized?n=50", max_body=most), "response") == of(
        records, "response"
    )
    assert [path.name for path in parts.iterdir()] == ["00001-a1.warc.gz"]


def test_a_body_is_cut(archive: Archive) -> None:
    records = archive("/sized?n=500", "/sized?n=501", max_body=100)
    for response in of(records, "response"):
        assert (response.body, response.get("WARC-Truncated")) == (b"x" * 100, ["length"])
    assert len(of(records, "response")) == 2  # what is cut is not known to be the same


def test_failures(archive: Archive, server: Server) -> None:
    """A URL without a response has a metadata record alone, and no URL can write a line of its own."""
    bad = "https:// no url\r\nWARC-Type: response"
    records = archive("http://127.0.0.1:9/", bad, "/page", ignore_robots=True)
    assert len(of(records, "response")) == 1
    refused, invalid = of(records, "metadata", ":9/")[0], of(records, "metadata", "response")[0]
    assert b"error: ConnectionRefusedError: cannot connect" in refused.block
    assert invalid.url == "https://%20no%20url%0D%0AWARC-Type:%20response"
    assert b"\r\nattempts: 0\r\n" in invalid.block
    assert [line.partition(b":")[0] for line in invalid.block.splitlines()] == [
        b"number", b"attempts", b"depth", b"error",
    ]  # fmt: skip


def test_heads_that_are_not_ascii(archive: Archive) -> None:
    """Their bytes are those that came."""
    response = of(archive("/latin"), "response")[0]
    assert b"x-name: l\xe4\xdft\r\nx-empty: \r\n" in response.head


def test_readers_agree(archive: Archive, tmp_path: Path) -> None:
    """`warcio check`, `index` and `recompress`, which changes no byte; and fastwarc."""
    paths = [f"/page?n={number}" for number in range(40)] + [f"/same?n={number}" for number in range(40)]
    records = archive(*paths, "/redirect", "/packed", "/chunks", f"/sized?n={LONG}", "https://[")
    output, again = tmp_path / "out.warc.gz", tmp_path / "again.warc.gz"
    assert read_fast(output) == records
    assert warcio("check", output) == ""
    lines = warcio("index", output, "-f", "offset,warc-type,warc-target-uri").splitlines()
    assert len(lines) == len(records)
    assert "No Errors Found" in warcio("recompress", output, again)
    assert again.read_bytes() == output.read_bytes()
    assert Counter(one.url for one in of(records, "metadata")).most_common(1)[0][1] == 1
    assert len(of(records, "metadata")) == len(paths) + 5


def test_a_file_that_is_not_packed(archive: Archive, tmp_path: Path) -> None:
    archive("/page", "/same", f"/sized?n={LONG}")
    records = archive(
        "/page", "/same", f"/sized?n={LONG}", state=tmp_path / "out.warc.gz.state", name="plain.warc"
    )
    assert (tmp_path / "plain.warc").read_bytes().startswith(b"WARC/1.1\r\nWARC-Type: warcinfo\r\n")
    assert [one.id for one in records[1:]] == [one.id for one in read(tmp_path / "out.warc.gz")[1:]]


def crawl_command(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hyperlite", "crawl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"CI": ""})


def test_export_writes_no_other_kind_of_file(archive: Archive, tmp_path: Path) -> None:
    archive("/page")
    output = tmp_path / "out.warc.gz"
    done = crawl_command("export", output, "--output", tmp_path / "out.jsonl")
    assert done.returncode != 0
    assert "for a WARC file" in done.stderr
    done = crawl_command("export", output, "--output", tmp_path / "other.warc")
    assert done.stdout.startswith("1 records in"), done.stderr
    check(tmp_path / "other.warc")


@pytest.mark.parametrize("option", [{"body": "base64"}, {"compression": "zstd"}])
def test_options_of_json_lines(archive: Archive, option: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is for JSON Lines"):
        archive("/page", **option)


def test_the_kind_of_output_stays(archive: Archive, server: Server, tmp_path: Path) -> None:
    archive("/page")
    with pytest.raises(ValueError, match="begun with"):
        hyperlite.crawl([], output=tmp_path / "out.jsonl", state=tmp_path / "out.warc.gz.state")


def test_without_warcio(archive: Archive, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "warcio", None)
    with pytest.raises(ImportError, match=r"hyperlite-http\[warc\]"):
        archive("/page")
    assert server.log == []


def test_no_name_of_http_client_is_replaced(server: Server, tmp_path: Path) -> None:
    program = f"""
import http.client, sys
before = dict(vars(http.client)), http.client.HTTPConnection.request
import hyperlite
hyperlite.crawl([{server.url("/page")!r}], output={str(tmp_path / "o.warc.gz")!r}, verify={server.ca_file!r})
assert (dict(vars(http.client)), http.client.HTTPConnection.request) == before
assert "warcio.capture_http" not in sys.modules and "warcio" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_killed_on_its_way(make_site: MakeSite, tmp_path: Path) -> None:
    """Each URL has its records once, and each revisit record refers to one that is there."""
    site = make_site(20, 24)
    output = tmp_path / "pages.warc.gz"
    for share in (0.3, 0.7):
        done = site.crawl(output=str(output), kill_at=int(share * len(site.urls)))
        assert done.returncode == -signal.SIGKILL
        assert not output.exists()
    done = site.crawl(output=str(output), die=("write", 3))
    assert done.returncode == -signal.SIGKILL
    done = site.crawl(output=str(output))
    assert (done.returncode, done.stderr) == (0, "")
    check(output)
    records = read(output)
    assert sorted(one.url or "" for one in of(records, "metadata")) == sorted(site.urls)
    ids = [one.id for one in records]
    assert len(set(ids)) == len(ids)
    for revisit in of(records, "revisit"):
        assert ids.index(revisit.get("WARC-Refers-To")[0]) < ids.index(revisit.id)
    bodies = Counter(one.url for one in records if one.kind in {"response", "revisit"})
    assert {url for url in site.urls if bodies[url] != 1} == set()
