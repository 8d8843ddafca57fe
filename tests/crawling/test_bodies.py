"""Bodies: as text, in base64, in files; long ones; cut ones."""

import base64
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.crawling.parts import Parts, Result
from hyperlite.crawling.records import IN_MEMORY
from hyperlite.crawling.shards import Entry, Shard
from hyperlite.testing.server import Exchange, Request, Response, Server, streaming
from tests.conftest import Serve

Crawl = Callable[..., dict[str, dict[str, Any]]]
LONG = IN_MEMORY + 100_000


@streaming
def cut_off(exchange: Exchange) -> None:
    """Send more than is held in memory, and break off."""
    exchange.start()
    for _ in range(LONG // 65536 + 1):
        exchange.send(bytes(65536))
    exchange.reset()


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    def sized(request: Request) -> Response:
        return Response(body=b"x" * int(request.query["n"][0]))

    def latin(request: Request) -> Response:
        return Response(
            headers=[("content-type", "text/plain; charset=iso-8859-1")], body="läßt".encode("latin-1")
        )

    return serve(routes={"/sized": sized, "/latin": latin, "/cut": cut_off}, alpn=(request.param,))


@pytest.fixture
def crawl(server: Server, tmp_path: Path) -> Crawl:
    """Crawl some paths; returns the records by path."""

    def crawl(*paths: str, **options: Any) -> dict[str, dict[str, Any]]:
        output = tmp_path / "out.jsonl"
        hyperlite.crawl(
            [server.url(path) for path in paths], output=output, context=server.context(), **options
        )
        records = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
        return {record["url"].removeprefix(server.url("")): record for record in records}

    return crawl


def test_text(crawl: Crawl) -> None:
    record = crawl("/latin")["/latin"]
    assert record["body"] == "läßt"
    assert (record["size"], record["truncated"], record["body_file"]) == (4, False, None)
    assert record["headers"]["content-type"] == ["text/plain; charset=iso-8859-1"]
    assert record["http_version"] in {"HTTP/2", "HTTP/1.1"}


def test_base64(crawl: Crawl) -> None:
    record = crawl("/latin", body="base64")["/latin"]
    assert base64.b64decode(record["body"]) == "läßt".encode("latin-1")


def test_nothing(crawl: Crawl) -> None:
    record = crawl("/latin", body="none")["/latin"]
    assert (record["body"], record["body_file"], record["size"]) == (None, None, 4)


def test_files(crawl: Crawl, tmp_path: Path) -> None:
    record = crawl("/latin", body="file")["/latin"]
    assert record["body"] is None
    assert record["body_file"] == "out.jsonl.bodies/00001-a1/1"
    assert (tmp_path / record["body_file"]).read_bytes() == "läßt".encode("latin-1")


def test_a_long_body_goes_to_the_disk(crawl: Crawl, server: Server, tmp_path: Path) -> None:
    path = f"/sized?n={LONG}"
    records = crawl(path, "/sized?n=5")
    assert records["/sized?n=5"]["body"] == "xxxxx"
    record = records[path]
    assert (record["body"], record["size"], record["truncated"]) == (None, LONG, False)
    assert (tmp_path / record["body_file"]).read_bytes() == b"x" * LONG
    assert [target for *_, target in server.log].count(path) == record["attempts"] == 2


@pytest.mark.parametrize("body", ["text", "file"])
@pytest.mark.parametrize("length", [500, LONG])
def test_a_body_is_cut(crawl: Crawl, tmp_path: Path, body: str, length: int) -> None:
    path = f"/sized?n={length}"
    record = crawl(path, body=body, max_body=100)[path]
    kept = record["body"] or (tmp_path / record["body_file"]).read_text()
    assert (kept, record["size"], record["truncated"]) == ("x" * 100, 100, True)


def test_a_long_body_that_is_not_kept(crawl: Crawl, tmp_path: Path) -> None:
    path = f"/sized?n={LONG}"
    record = crawl(path, body="none")[path]
    assert (record["status"], record["size"], record["truncated"]) == (200, None, True)
    assert not (tmp_path / "out.jsonl.bodies").exists()


def test_a_long_body_that_breaks_off(crawl: Crawl) -> None:
    record = crawl("/cut", retries=0)["/cut"]
    assert record["status"] is None
    assert record["error"].startswith(("StreamReset: GET", "IncompleteBody: GET"))


def test_a_function_gets_no_body_that_is_too_long(server: Server, tmp_path: Path) -> None:
    outcomes: list[hyperlite.Outcome[str]] = []
    hyperlite.crawl(
        [server.url("/sized?n=500")],
        output=outcomes.append,
        state=tmp_path / "state",
        max_body=100,
        context=server.context(),
    )
    assert isinstance(outcomes[0].error, hyperlite.BodyTooLarge)


def test_bodies_of_attempts_that_do_not_count_are_removed(crawl: Crawl, tmp_path: Path) -> None:
    crawl("/latin", body="file")
    left = tmp_path / "out.jsonl.bodies" / "00001-a7"
    left.mkdir()
    (left / "1").write_bytes(b"half a bo")
    (tmp_path / "out.jsonl.state" / "parts" / "00001-a7.jsonl").write_bytes(b'{"url": "htt')
    record = crawl("/latin", body="file")["/latin"]
    assert not left.exists()
    assert (tmp_path / record["body_file"]).exists()
    assert [path.name for path in (tmp_path / "out.jsonl.state" / "parts").iterdir()] == ["00001-a1.jsonl"]


def test_a_turn_with_more_files_than_a_process_may_have_open(tmp_path: Path) -> None:
    """A turn writes down up to a thousand bodies; many systems let a process have 1,024 files open."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "bodies").mkdir()
    parts, shard, results = Parts(tmp_path / "parts", ".jsonl"), Shard(1, 1, 1), []
    for number in range(1000):
        entry, file = Entry("https://h.test/"), tmp_path / "bodies" / str(number)
        entry.shard = shard
        file.write_bytes(b"x")
        results.append(Result(entry, 200, 1, None, b"{}\n", 1, "HTTP/2", file))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, before[1]))
    try:
        assert parts.write(results) == [shard]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        parts.close()
    assert (shard.records, parts.path(shard.name).read_bytes()) == (1000, b"{}\n" * 1000)
