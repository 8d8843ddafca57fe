"""Where a crawl writes: what is no file keeps its place, and nothing is lost that a crawl has not written."""

import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.crawling.folder import Folder
from hyperlite.crawling.state import PARTS
from hyperlite.testing.server import Response

from .web import MakeWeb, Web


@pytest.fixture
def web(make_web: MakeWeb) -> Web:
    return make_web({"a/*": lambda request: Response(body=request.target.encode())})


def crawl(web: Web, urls: Any, output: Any, **options: Any) -> hyperlite.CrawlSummary:
    given = {"resolver": lambda *_: ["127.0.0.1"], "proxies": False, "ignore_robots": True} | options
    return hyperlite.crawl(urls, output=output, **given)


def test_a_pipe_is_written_to_and_stays(web: Web, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with pytest.raises(ValueError, match="state is needed where output is no file"):
        crawl(web, [web.url("a/1")], pipe)
    crawl(web, [web.url("a/1"), web.url("a/2")], pipe, state=tmp_path / "state")
    reader.join()
    assert read[0].count(b"\n") == 2
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "state"]


def test_a_link_stays_and_its_file_is_replaced(web: Web, tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to("file")
    crawl(web, [web.url("a/1")], link)
    assert link.is_symlink()
    assert file.read_text().startswith('{"url":')
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_folder_is_noticed_before_anything_is_asked(web: Web, tmp_path: Path) -> None:
    for places in ({"output": tmp_path}, {"output": tmp_path / "out", "report": tmp_path}):
        with pytest.raises(IsADirectoryError):
            crawl(web, [web.url("a/1")], **places)
    assert web.asked == []
    assert list(tmp_path.iterdir()) == []


def test_no_output_replaces_the_list_of_urls_or_another_output(web: Web, tmp_path: Path) -> None:
    urls, output = tmp_path / "urls.txt", tmp_path / "out.jsonl"
    urls.write_text(web.url("a/1"))
    link = tmp_path / "link"
    link.symlink_to("urls.txt")
    for places in (
        {"output": urls},
        {"output": link},
        {"output": output, "report": urls},
        {"output": output, "report": output},
    ):
        with pytest.raises(ValueError, match="would replace"):
            crawl(web, urls, **places)
    assert urls.read_text() == web.url("a/1")
    assert web.asked == []


def test_files_of_others_stay(web: Web, tmp_path: Path) -> None:
    """In the folder that is given as the state, and beside the output."""
    output = tmp_path / "out.jsonl"
    kept = [tmp_path / "state" / PARTS / "engine.cad", tmp_path / "out.jsonl.bodies" / "mine" / "file"]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.write_text("mine")
    crawl(web, [web.url("a/1")], output, state=tmp_path / "state", body="file")
    crawl(web, [web.url("a/1")], output, state=tmp_path / "state", body="file")
    assert [path.read_text() for path in kept] == ["mine", "mine"]


def test_bytes_that_are_not_utf_8_are_asked_for_as_they_are(web: Web, tmp_path: Path) -> None:
    """Each is a URL of its own, in a file and from the names of files."""
    given = [web.url(f"a/{name}").encode() for name in ("", "ok")]
    given += [given[0] + b"caf\xe9", given[0] + b"caf\xe8", given[0] + "ü".encode()]
    (tmp_path / "urls.txt").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(given))
    asked = ["a/", "a/%C3%BC", "a/caf%E8", "a/caf%E9", "a/ok"]
    assert crawl(web, tmp_path / "urls.txt", tmp_path / "one.jsonl").fetched == 5
    assert sorted(web.asked) == asked
    web.asked.clear()
    decoded = [url.decode("utf-8", "surrogateescape") for url in given]
    assert crawl(web, [*decoded, web.url("a/\ud800")], tmp_path / "two.jsonl").fetched == 6
    assert sorted(web.asked) == sorted([*asked, "a/%EF%BF%BD"])


def test_files_of_others_stay_in_storage(tmp_path: Path) -> None:
    own, others = ("00001-a1.jsonl", "00001-a1.begun", "stop"), ("mine", "bodies/mine", "mine.jsonl")
    for name in (*own, *others, "00002-a1.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    Folder(tmp_path).remove_others({"00002-a1"})
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {
        *others, "bodies", "00002-a1.jsonl",
    }  # fmt: skip


@pytest.mark.parametrize("links", ["http://a.test/", None, 7])
def test_a_function_that_returns_no_links(web: Web, tmp_path: Path, links: Any) -> None:
    with pytest.raises(TypeError, match="follow returns an iterable of URLs"):
        crawl(web, [web.url("a/1")], tmp_path / "out", follow=lambda _: links)


def test_an_error_names_the_argument(web: Web, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^rate must be"):
        crawl(web, [web.url("a/1")], tmp_path / "out", rate=0)
    assert list(tmp_path.iterdir()) == []
