"""Nothing leads inside: no redirect, no link and no robots.txt leads further inside than its page."""

import json
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.crawling.scope import CrawlScope
from hyperlite.testing.server import Response

from .web import HTML, moved

NAMES = {"public": "93.184.216.34", "other": "1.1.1.1", "intra": "10.0.0.5", "here": "127.0.0.1"}


def lookup(host: str, _port: int) -> list[str]:
    return [NAMES.get(host.partition(".")[0], host)]


def inside(tmp_path: Path, pages: dict[str, Response], *urls: str, **options: Any) -> dict[str, Any]:
    """Crawl hosts that a handler answers for, with addresses of all kinds; return errors or bodies by URL."""

    def answer(request: hyperlite.FetchRequest) -> Response:
        return pages.get(request.url, Response(404 if request.url.endswith("robots.txt") else 200))

    output = tmp_path / "out.jsonl"
    hyperlite.crawl(urls, output=output, handler=answer, resolver=lookup, **options)
    records = map(json.loads, output.read_text().splitlines())
    return {record["url"]: record["error"] or record["status"] for record in records}


@pytest.mark.parametrize(
    ("source", "target", "refused"),
    [
        ("public", "other", False),
        ("public", "intra", True),
        ("public", "here", True),
        ("public", "169.254.169.254", True),
        ("public", "[::ffff:7f00:1]", True),
        ("intra", "public", False),
        ("intra", "intra", False),
        ("intra", "here", True),
        ("here", "intra", False),
        ("here", "here", False),
    ],
)
@pytest.mark.parametrize("ignore_robots", [False, True])
def test_a_redirect_leads_no_further_inside(
    tmp_path: Path, source: str, target: str, refused: bool, ignore_robots: bool
):
    place = target if target[0] in "[1" else f"{target}.test"
    pages = {
        f"http://{source}.test/": moved(f"http://{place}/x"),
        f"http://{place}/x": Response(body=b"there"),
    }
    found = inside(tmp_path, pages, f"http://{source}.test/", ignore_robots=ignore_robots)
    (outcome,) = found.values()
    assert ("PermissionError" in str(outcome) and "is inside" in outcome) if refused else outcome == 200
    (outcome,) = inside(tmp_path / "2", pages, f"http://{source}.test/", allow_private=True).values()
    assert outcome == 200


@pytest.mark.parametrize("ignore_robots", [False, True])
def test_a_host_that_the_input_names_is_no_way_inside(tmp_path: Path, ignore_robots: bool):
    """The connection to it is open already, when a page on the Internet leads there."""
    pages = {
        "http://intra.test/given": Response(body=b"there"),
        "http://intra.test/secret": Response(body=b"secret"),
        "http://public.test/": moved("http://intra.test/secret"),
    }
    urls = ["http://intra.test/given", "http://public.test/", "http://intra.test/secret"]
    for order in (urls[:2], urls[1::-1], urls):
        found = inside(
            tmp_path / str(len(order)) / order[0][7:10], pages, *order, ignore_robots=ignore_robots
        )
        assert found["http://intra.test/given"] == 200
        assert "is inside" in found["http://public.test/"]
    assert found["http://intra.test/secret"] == 200


def test_robots_txt_does_not_lead_inside(tmp_path: Path):
    pages = {"http://public.test/robots.txt": moved("http://intra.test/"), "http://public.test/": Response()}
    (outcome,) = inside(tmp_path, pages, "http://public.test/").values()
    assert outcome.startswith("RobotsUnreachable: robots.txt cannot be had")
    assert "is inside" in outcome


@pytest.mark.parametrize("first", ["intra", "public"])
def test_robots_txt_does_not_lead_to_a_host_inside_that_the_input_names(tmp_path: Path, first: str):
    asked: list[str] = []

    def answer(request: hyperlite.FetchRequest) -> Response:
        asked.append(request.url)
        if request.url == "http://public.test/robots.txt":
            return moved("http://intra.test/secret")
        return Response(404 if request.url.endswith("robots.txt") else 200)

    hosts = [first, *({"intra", "public"} - {first})]
    urls = [f"http://{host}.test/{page}" for page in range(3) for host in hosts]
    summary = hyperlite.crawl(urls, output=tmp_path / "out", handler=answer, resolver=lookup)
    assert "http://intra.test/secret" not in asked
    assert (summary.statuses, summary.errors) == ({200: 3}, {"RobotsUnreachable": 3})


def test_sites_whose_robots_txt_is_at_a_host_of_its_own(tmp_path: Path):
    """As http://a.test/ and http://www.a.test/; hosts wait for one another, and none for ever."""

    def answer(request: hyperlite.FetchRequest) -> Response:
        host, _, path = request.url.removeprefix("http://").partition("/")
        if path == "robots.txt" and not host.startswith("www."):
            return moved(f"http://www.{host}/robots.txt")
        if path == "robots.txt" and host.startswith("www.1"):
            return moved(f"http://{host.removeprefix('www.')}/robots2.txt")
        return Response(200, body=b"User-agent: *\nDisallow: /no")

    urls = [f"http://{www}{n}.test/{page}" for n in range(30) for www in ("", "www.") for page in ("a", "no")]
    output = tmp_path / "out"
    summary = hyperlite.crawl(urls, output=output, handler=answer, resolver=lambda *_: ["93.184.216.34"])
    assert (summary.urls, summary.left) == (120, 0)
    for record in map(json.loads, output.read_text().splitlines()):
        _, _, host, page = record["url"].split("/")
        if not host.removeprefix("www.").startswith("1"):
            assert (record["status"] == 200) == (page == "a"), record["error"]


def test_links_lead_no_further_inside(tmp_path: Path):
    page = "".join(f"<a href=http://{name}.test/x>" for name in NAMES)
    pages = {
        f"http://{name}.test/{path}": Response(headers=HTML, body=page.encode())
        for name in NAMES
        for path in ("", "x")
    }
    found = inside(tmp_path, pages, "http://public.test/", follow=CrawlScope("any"))
    assert {url for url, outcome in found.items() if outcome == 200} == {
        "http://public.test/",
        "http://public.test/x",
        "http://other.test/x",
    }
    assert "is inside" in found["http://intra.test/x"]
    found = inside(tmp_path / "2", pages, "http://intra.test/", follow=CrawlScope("any"))
    assert [url for url, outcome in found.items() if outcome != 200] == ["http://here.test/x"]
