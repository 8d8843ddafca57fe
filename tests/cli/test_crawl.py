"""`hyperlite crawl`, run as a user runs it."""

import gzip
import json
from pathlib import Path

import pytest

from hyperlite.cli import main
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve

from .test_watching import on_a_terminal


class Shop:
    """A server, and a list of its pages; `healthy` says what the last of them answers."""

    def __init__(self, serve: Serve, folder: Path) -> None:
        self.healthy = False
        self.server: Server = serve(routes=self._answer)
        self.urls = [self.server.url(f"/{number}") for number in range(30)]
        self.list = folder / "urls.txt"
        self.list.write_text("# pages\n\n" + "\n".join([*self.urls, self.urls[0] + "#top"]))
        self.output = folder / "pages.jsonl"

    def _answer(self, request: Request) -> Response:
        broken = request.path == "/29" and not self.healthy
        return Response(500 if broken else 200, body=request.path.encode())

    def crawl(self, *options: str) -> int:
        return main(
            ["crawl", str(self.list), "-o", str(self.output), "--cacert", self.server.ca_file, *options]
        )

    def about(self, what: str, *options: str) -> int:
        return main(["crawl", what, str(self.output), *options])

    def bodies(self) -> dict[str, str]:
        records = map(json.loads, self.output.read_text().splitlines())
        return {record["url"]: record["body"] for record in records}


@pytest.fixture
def shop(serve: Serve, tmp_path: Path) -> Shop:
    return Shop(serve, tmp_path)


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return the table that was printed."""
    lines = [line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    return {name.strip(): value for name, value in lines}


def test_a_crawl(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert shop.crawl() == 0
    table = rows(capsys)
    assert table | {"URLs": "30", "duplicates": "1", "200": "29", "500": "1", "left": "0"} == table
    assert shop.bodies() == {url: f"/{number}" for number, url in enumerate(shop.urls)}


def test_failures_are_tried_again(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Until then, their records stay in the output."""
    shop.crawl("-q")
    assert shop.about("retry-failed") == 0
    assert capsys.readouterr().out == "1 URLs are fetched again by the next run of the crawl\n"
    assert shop.about("export") == 0
    assert capsys.readouterr().out == f"30 records in {shop.output}\n"
    assert len(shop.bodies()) == 30
    shop.healthy = True
    before = len(shop.server.log)
    assert shop.crawl() == 0
    table = rows(capsys)
    assert table | {"200": "30", "left": "0"} == table
    assert [target for _, _, _, target in shop.server.log[before:]] == ["/robots.txt", "/29"]
    records = [json.loads(line) for line in shop.output.read_text().splitlines()]
    assert len(records) == len({record["url"] for record in records}) == 30
    assert {record["status"] for record in records} == {200}


def test_status(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.crawl("-q")
    shop.crawl("-q")
    assert shop.about("status") == 0
    out = capsys.readouterr().out
    assert out.count("finished after 0:") == 2
    assert "left" in out


@pytest.mark.parametrize(("ending", "options"), [(".gz", []), ("", ["--compression", "gzip"])])
def test_compression(shop: Shop, tmp_path: Path, ending: str, options: list[str]) -> None:
    shop.output = tmp_path / f"pages{ending}"
    assert shop.crawl("-q", *options) == 0
    assert gzip.decompress(shop.output.read_bytes()).count(b"\n") == 30
    assert shop.about("export", "-o", str(tmp_path / "plain.jsonl"), "--compression", "none") == 0
    assert (tmp_path / "plain.jsonl").read_bytes().count(b"\n") == 30


def test_zstd(shop: Shop, tmp_path: Path) -> None:
    zstd = pytest.importorskip("backports.zstd")
    shop.output = tmp_path / "pages.zst"
    assert shop.crawl("-q") == 0
    assert zstd.decompress(shop.output.read_bytes()).count(b"\n") == 30


def test_log_json(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert shop.crawl("--log-json") == 0
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert last | {"urls": 30, "done": 30, "failed": 0, "http2": 1.0} == last


def test_bodies_in_base64(shop: Shop) -> None:
    assert shop.crawl("-q", "--body", "base64") == 0
    assert shop.bodies()[shop.urls[7]] == "Lzc="


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["crawl", "urls.txt"], "--output says where the records go"),
        (["crawl", "stat", "out"], "'stat' is none of status, export, retry-failed"),
        (["crawl", "status", "/nowhere/out"], "/nowhere/out.state: there is no state of a crawl"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str) -> None:
    assert main(arguments) != 0
    assert capsys.readouterr().err == f"hyperlite: {complaint}\n"


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crawl", str(tmp_path / "urls"), "-o", str(tmp_path / "out")]) != 0
    assert capsys.readouterr().err == f"hyperlite: {tmp_path}/urls: No such file or directory\n"


def test_manners(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    options = (
        "--per-host",
        "2",
        "--rate",
        "1000",
        "--delay",
        "0.001",
        "--contact",
        "https://example.org/bot",
    )
    assert shop.crawl("-q", "--ignore-robots", "--allow-private", *options) == 0
    assert len(shop.server.log) == 30, "robots.txt was not asked for"
    assert shop.about("status") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(", without robots.txt, private addresses allowed")


def test_links(shop: Shop, serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    page = b"".join(b"<a href=/%d>" % number for number in range(20))
    answer = Response(headers=[("content-type", "text/html")], body=page)
    shop.server = serve(routes=lambda _: answer)
    shop.list.write_text(shop.server.url("/start"))
    options = ("--depth", "1", "--include", "[0-9]$", "--exclude", "/1", "--max-urls", "9", "--sitemaps")
    assert shop.crawl("-q", "--follow", "same", *options) == 0
    found = {url.rpartition("/")[2] for url in shop.bodies()}
    assert found == {"start", "0", "2", "3", "4", "5", "6", "7", "8"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--depth", "1"], "--depth is for links: --follow says which are followed"),
        (["--follow", "same", "--include", "("], "--include: '(' is no regular expression"),
    ],
)
def test_mistakes_about_links(
    shop: Shop, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    assert shop.crawl(*options) != 0
    assert capsys.readouterr().err.startswith(f"hyperlite: {complaint}")


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "━" * 20), ("ascii", "=" * 20)])
def test_the_line_on_a_terminal(shop: Shop, encoding: str, bar: str) -> None:
    given = ["crawl", str(shop.list), "-o", str(shop.output), "--cacert", shop.server.ca_file]
    shown = on_a_terminal(*given, PYTHONIOENCODING=encoding, COLUMNS="120")
    assert f"\r\x1b[K{bar} 30 of 30  " in shown
    assert "0 hosts" in shown
    assert "100% HTTP/2" in shown


def test_export_to_standard_output(
    serve: Serve, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    server = serve(routes=lambda _: Response(body=b"hello"), secure=False)
    (tmp_path / "urls.txt").write_text(server.url("/1"))
    output = str(tmp_path / "out.jsonl")
    assert main(["crawl", str(tmp_path / "urls.txt"), "-q", "--output", output]) == 0
    assert main(["crawl", "export", output, "--output", "-"]) == 0
    assert capfdbinary.readouterr().out == Path(output).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["http://a.test/", "--output", "out"], "FILE has the URLs, a line each"),
        (["urls.txt", "--output", "-"], "--output is a file"),
    ],
)
def test_what_is_no_file(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crawl", *arguments]) == 2
    assert complaint in capsys.readouterr().err
