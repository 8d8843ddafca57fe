"""Links that are followed: by a scope, by a function, within bounds."""

import random
import signal
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import hyperlite
from hyperlite.crawling import driver, loop
from hyperlite.crawling.scope import CrawlScope
from hyperlite.crawling.state import State, Turn, Turned
from hyperlite.testing.server import Request, Response

from .site import Site
from .web import HTML, MakeWeb, robots


class Tree(Site):
    """A site whose pages link to one another, so that a crawl finds all by way of the first."""

    size = 400

    def _answer(self, request: Request) -> Response:
        answer = super()._answer(request)
        if request.path == "/robots.txt":
            return answer
        number = int(request.path.rpartition("/")[2])
        links = [n for n in (2 * number + 1, 2 * number + 2, number // 2, 0) if n < self.size]
        return Response(headers=HTML, body="".join(f"<a href='{n}'>" for n in links).encode())


def test_links_are_followed_in_their_scope(make_web: MakeWeb):
    web = make_web(
        {
            "a/": "<a href=/1><a href=/no/2><a href=http://b.test/><a rel=nofollow href=/3>",
            "a/1": "<a href=/deep/1><a href=/>",
            "a/deep/1": "<a href=/deep/2>",
            "a/deep/2": "<a href=/deep/3>",
            "a/robots.txt": robots("Disallow: /no"),
            "a/*": "end",
        }
    )
    web.crawl("a/", follow=CrawlScope(depth=3))
    assert sorted(web.asked) == ["a/", "a/1", "a/deep/1", "a/deep/2", "a/robots.txt"]
    assert web.summary.errors == {"Disallowed": 1}


def test_a_function_follows(make_web: MakeWeb):
    web = make_web({"a/*": "page"})

    def follow(response: hyperlite.FetchResponse) -> list[str]:
        number = int(response.url.rpartition("/")[2])
        return [str(number + 1), "mailto:a@b.example"] if number < 5 else []

    assert sorted(web.crawl("a/1", follow=follow)) == [f"a/{n}" for n in range(1, 6)]


def test_a_slow_page_holds_up_no_link(make_web: MakeWeb):
    """It is answered when the last page of a chain is asked for, each of which links to the next."""
    end = Event()
    web = make_web({f"a/{n}": f"<a href=/{n + 1}>" for n in range(10)})
    web.pages["a/0"] = Response(headers=HTML, body=b"<a href=/slow><a href=/1>")

    def slow(_: Request) -> Response:
        return Response(200 if end.wait(20) else 404)

    def last(_: Request) -> Response:
        end.set()
        return Response()

    web.pages |= {"a/slow": slow, "a/10": last}
    web.crawl("a/0", follow=CrawlScope())
    assert web.summary.statuses == {200: 12}


def test_a_turn_comes_before_many_links_are_held(make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch):
    """Pages of many links cost no memory without a bound: what was found is written down."""
    monkeypatch.setattr(driver, "TURN_FOUND", 300)
    monkeypatch.setattr(loop, "MOST_FOUND", 500)
    held: list[int] = []
    copied = State.turn

    def turn(state: State, turn: Turn, *others: Any) -> Turned:
        held.append(len(turn.found))
        return copied(state, turn, *others)

    monkeypatch.setattr(State, "turn", turn)
    web = make_web({"a/*": "".join(f"<a href=/{n}>" for n in range(100))})
    web.crawl(*(f"a/x{n}" for n in range(150)), follow=CrawlScope())
    assert sum(held) == 250 * 100
    assert max(held) <= 500 + 8 * 100  # those of the pages under way


def test_bounds_of_urls(make_web: MakeWeb):
    links = "".join(f"<a href=/{n}>" for n in range(100))
    web = make_web({"a/*": links, "b/*": links})
    assert len(web.crawl("a/0", "b/0", follow=CrawlScope(max_urls=30))) == 30
    web.output = web.output.with_name("other.jsonl")
    web.crawl("a/0", "b/0", follow=CrawlScope(max_urls_per_host=10))
    assert web.summary.urls == 20


def test_a_sitemap_of_robots_txt(make_web: MakeWeb):
    web = make_web({"a/*": "page"})
    urls = "".join(f"<url><loc>{web.url(f'a/{n}')}</loc></url>" for n in range(3))
    web.pages["a/sitemap.xml"] = Response(
        headers=[("content-type", "application/xml")], body=f"<urlset>{urls}</urlset>".encode()
    )
    web.pages["a/robots.txt"] = robots("Disallow: /2", f"Sitemap: {web.url('a/sitemap.xml')}")
    web.crawl("a/", follow=CrawlScope(sitemaps=True))
    assert sorted(web.asked) == ["a/", "a/0", "a/1", "a/robots.txt", "a/sitemap.xml"]


def test_a_run_that_is_cut_off_goes_on(make_web: MakeWeb):
    web = make_web({"a/*": Response(body=bytes(1000))})
    pages = [f"a/{n}" for n in range(100)]
    assert 10 <= len(web.crawl(*pages, stop_after_bytes=10_000)) <= 30
    assert web.summary.left >= 70
    assert len(web.crawl(*pages)) == 100
    assert web.summary.left == 0


def test_a_linked_site_is_fetched_as_far_as_it_may_be(make_web: MakeWeb):
    """Three hundred pages that link to one another at random, and a model of what may be reached."""
    chance = random.Random(8)
    forbidden = ("/no/", "/page/1", "/page/27")
    names = [f"/page/{n}" for n in range(250)] + [f"/no/{n}" for n in range(50)]
    links = {name: chance.sample(names, 5) for name in names}
    web = make_web({f"a{name}": "".join(f"<p><a href='{to}'>" for to in links[name]) for name in names})
    web.pages["a/robots.txt"] = robots(*(f"Disallow: {one}" for one in forbidden), "Allow: /page/111")
    expected, todo = set(), ["/page/0"]
    while todo:
        name = todo.pop()
        allowed = not name.startswith(forbidden) or name.startswith("/page/111")
        if name not in expected and allowed:
            expected.add(name)
            todo += links[name]
    assert 100 < len(expected) < 250
    web.crawl("a/page/0", follow=CrawlScope())
    assert sorted(web.asked) == sorted(f"a{name}" for name in [*expected, "/robots.txt"])


def test_what_was_found_survives_kills(tmp_path: Path):
    """A page and the links on it are written down together: no link is lost, and none is followed twice."""
    site = Tree(tmp_path, 1, 1)
    with site.server:
        for kill_at in (20, 150, 390):
            done = site.crawl(scope={"max_urls": 10_000}, kill_at=kill_at)
            assert done.returncode == -signal.SIGKILL, done.stderr
        done = site.crawl(scope={"max_urls": 10_000})
        assert (done.returncode, done.stdout) == (0, f"{site.size} 0 0\n"), done.stderr
    found = [record["url"].rpartition("/")[2] for record in site.records()]
    assert sorted(found, key=int) == [str(n) for n in range(site.size)]
