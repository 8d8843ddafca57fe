"""What a crawl asks for, and what it does not: robots.txt, addresses, redirects, overload, links."""

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.crawling import pace
from hyperlite.crawling.scope import CrawlScope
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve

Answer = Callable[[Request], Response]
HTML = [("content-type", "text/html; charset=utf-8")]


class Web:
    """Hosts below .test, all on one server in cleartext; what each was asked for, and by which User-Agent.

    Args:
        serve: starts the server.
        folder: for the output.
        pages: the answers, by host and path ("a/page"); a str is a page of HTML. "a/*" is for all others.
    """

    def __init__(self, serve: Serve, folder: Path, pages: dict[str, str | Response | Answer]) -> None:
        self.pages = pages
        self.server: Server = serve(routes=self._answer, secure=False)
        self.output = folder / "out.jsonl"
        self.asked: list[str] = []
        self.agents: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()  # requests to a host at a time

    def _answer(self, request: Request) -> Response:
        host = request.authority.partition(":")[0].removesuffix(".test")
        self.asked.append(f"{host}{request.target}")
        self.agents[dict(request.headers).get("user-agent", "")] += 1
        answer = self.pages.get(f"{host}{request.path}", self.pages.get(f"{host}/*", Response(404)))
        if isinstance(answer, str):
            answer = Response(headers=HTML, body=answer.encode())
        return answer if isinstance(answer, Response) else answer(request)

    def url(self, place: str) -> str:
        host, _, path = place.partition("/")
        return f"http://{host}.test:{self.server.port}/{path}"

    def crawl(self, *places: str, **options: Any) -> dict[str, dict[str, Any]]:
        """Crawl these, and return the records by place."""
        given = {"resolver": lambda *_: ["127.0.0.1"], "proxies": False} | options
        self.summary = hyperlite.crawl([self.url(place) for place in places], output=self.output, **given)
        records = [json.loads(line) for line in self.output.read_text().splitlines()]
        return {self.place(record["url"]): record for record in records}

    def place(self, url: str) -> str:
        return url.removeprefix("http://").replace(f".test:{self.server.port}", "")


MakeWeb = Callable[..., Web]


@pytest.fixture
def make_web(serve: Serve, tmp_path: Path) -> MakeWeb:
    return lambda pages: Web(serve, tmp_path, pages)


def robots(*lines: str) -> Response:
    return Response(
        headers=[("content-type", "text/plain")], body="\n".join(["User-agent: *", *lines]).encode()
    )


def moved(to: str, status: int = 302) -> Response:
    return Response(status, headers=[("location", to)])


# -- robots.txt -----------------------------------------------------------------------------------


def test_robots_txt_is_asked_for_once_and_first(make_web: MakeWeb):
    web = make_web({"a/robots.txt": robots("Disallow: /no"), "a/*": "yes", "b/*": "yes"})
    pages = [f"a/{n}" for n in range(50)] + [f"a/no{n}" for n in range(50)] + ["b/no", "a/robots.txt"]
    records = web.crawl(*pages)
    assert web.asked[0].endswith("/robots.txt")
    assert set(web.asked) == {"a/robots.txt", "b/robots.txt", "b/no", *(f"a/{n}" for n in range(50))}
    assert Counter(web.asked)["b/robots.txt"] == 1
    assert Counter(web.asked)["a/robots.txt"] == 2, "the rule, and the URL"
    assert records["a/no7"]["error"] == "Disallowed: robots.txt disallows it for hyperlite"
    assert web.summary.errors == {"Disallowed": 50}


def test_ignore_robots(make_web: MakeWeb):
    web = make_web({"a/robots.txt": robots("Disallow: /"), "a/*": "yes"})
    assert web.crawl("a/1", ignore_robots=True)["a/1"]["status"] == 200
    assert web.asked == ["a/1"]


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (Response(404), True),
        (Response(403), True),
        (Response(500), False),
        (Response(429), False),
        (Response(200, body=b"<html>no such page</html>"), True),
        (moved("/robots2.txt"), False),
        (moved("http://b.test:{port}/robots.txt", 301), False),
        (moved("/robots.txt"), True),
        (moved("ftp://a.test/"), True),
        (Response(302), True),
    ],
)
def test_answers_for_robots_txt(make_web: MakeWeb, answer: Response, allowed: bool):
    web = make_web(
        {"a/1": "yes", "a/robots2.txt": robots("Disallow: /"), "b/robots.txt": robots("Disallow: /")}
    )
    headers = [(name, value.replace("{port}", str(web.server.port))) for name, value in answer.headers]
    web.pages["a/robots.txt"] = Response(answer.status, headers=headers, body=answer.body)
    record = web.crawl("a/1")["a/1"]
    assert (record["status"] == 200) == allowed
    assert allowed or record["error"].startswith("Disallowed: robots.txt")
    assert web.asked.count("a/robots.txt") <= 6


def test_a_host_that_cannot_be_reached(make_web: MakeWeb):
    web = make_web({})
    records = web.crawl("a/1", "a/2", resolver=lambda *_: ["127.0.0.2"], retries=0)
    assert {record["error"].partition(": cannot connect")[0] for record in records.values()} == {
        "Disallowed: robots.txt cannot be had, so nothing is allowed"
    }


def test_two_sites_whose_robots_txt_redirect_to_each_other(make_web: MakeWeb):
    web = make_web({"a/1": "yes", "b/1": "yes"})
    web.pages |= {
        "a/robots.txt": moved(web.url("b/robots.txt")),
        "b/robots.txt": moved(web.url("a/robots.txt")),
    }
    records = web.crawl("a/1", "b/1")
    assert len(records) == 2


# -- redirects ------------------------------------------------------------------------------------


def test_redirects_are_followed_and_recorded(make_web: MakeWeb):
    web = make_web({"a/1": moved("/2#part"), "a/2": moved("/3", 308), "a/3": "end", "b/*": "b"})
    web.pages["a/4"] = moved(web.url("b/5"), 307)
    records = web.crawl("a/1", "a/4")
    assert (records["a/1"]["status"], records["a/1"]["final_url"]) == (200, web.url("a/3#part"))
    assert records["a/1"]["body"] == "end"
    assert records["a/4"]["final_url"] == web.url("b/5")
    assert "b/robots.txt" in web.asked


def test_a_redirect_obeys_robots_txt(make_web: MakeWeb):
    web = make_web({"a/*": "yes", "b/robots.txt": robots("Disallow: /no"), "b/*": "yes"})
    web.pages["a/1"] = moved(web.url("b/no"))
    records = web.crawl("a/1")
    assert records["a/1"]["error"] == "Disallowed: robots.txt disallows it for hyperlite"
    assert web.asked == ["a/robots.txt", "a/1", "b/robots.txt"]


@pytest.mark.parametrize(
    ("to", "error"),
    [
        ("/1", "TooManyRedirects: GET http://a.test:{port}/1 : another redirect, after 10 redirects"),
        ("ftp://a.test/", "RedirectError: GET http://a.test:{port}/1 : a redirect to 'ftp://a.test/', which"),
    ],
)
def test_redirects_that_lead_nowhere(make_web: MakeWeb, to: str, error: str):
    web = make_web({"a/1": moved(to)})
    assert web.crawl("a/1")["a/1"]["error"].startswith(error.replace("{port}", str(web.server.port)))


def test_a_program_gets_the_history(make_web: MakeWeb, tmp_path: Path):
    web = make_web({"a/1": moved("/2"), "a/2": "end"})
    got: list[Any] = []
    hyperlite.crawl(
        [web.url("a/1")],
        output=got.append,
        state=tmp_path / "s",
        resolver=lambda *_: ["127.0.0.1"],
        proxies=False,
    )
    assert [outcome.request for outcome in got] == [web.url("a/1")]
    assert [response.status for response in got[0].response.history] == [302]


# -- addresses ------------------------------------------------------------------------------------

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
    assert outcome.startswith("Disallowed: robots.txt cannot be had")
    assert "is inside" in outcome


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


# -- overload -------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(pace, "NO_DELAY", 0.015)


def test_an_overloaded_host_is_asked_again_later(make_web: MakeWeb, quick: None):
    answers = iter([503, 429])
    web = make_web({"b/*": "yes"})
    web.pages["a/*"] = lambda _: Response(next(answers, 200), body=b"yes")
    records = web.crawl("a/robots.txt", "a/1", "a/2", "b/1", ignore_robots=True)
    assert {record["status"] for record in records.values()} == {200}
    assert sum(record["attempts"] for record in records.values()) == 4 + 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_stays_overloaded_is_given_up(make_web: MakeWeb, quick: None, status: int):
    web = make_web({"a/*": Response(status), "b/*": "yes"})
    records = web.crawl(*(f"a/{n}" for n in range(100)), "b/1", ignore_robots=True, per_host=4)
    given_up = [record for record in records.values() if record["error"]]
    assert len(given_up) >= 80
    assert given_up[0]["error"].startswith(
        "HostGivenUp: the host was slowed down 5 times in a row: the answer was"
    )
    assert records["b/1"]["status"] == 200
    assert len(web.asked) < 60


def test_a_host_that_does_not_answer_in_time_is_given_up(make_web: MakeWeb, quick: None):
    web = make_web({"a/*": Response(delay=30)})
    records = web.crawl(*(f"a/{n}" for n in range(40)), ignore_robots=True, timeout=0.1)
    assert web.summary.errors["HostGivenUp"] >= 20
    assert {record["status"] for record in records.values()} == {None}


def test_a_crawl_delay(make_web: MakeWeb):
    times: list[float] = []

    def answer(_: Request) -> Response:
        times.append(time.monotonic())
        return Response(body=b"yes")

    web = make_web({"a/robots.txt": robots("Crawl-delay: 0.2"), "a/*": answer})
    web.crawl(*(f"a/{n}" for n in range(5)))
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) >= 0.15, "it is kept where requests begin, and not where they come"


# -- links ----------------------------------------------------------------------------------------


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
        return [web.url(f"a/{number + 1}"), "mailto:a@b.example"] if number < 5 else []

    assert sorted(web.crawl("a/1", follow=follow)) == [f"a/{n}" for n in range(1, 6)]


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


# -- what hosts see -------------------------------------------------------------------------------


def test_the_user_agent_has_a_contact(make_web: MakeWeb):
    web = make_web({"a/robots.txt": robots("Disallow:"), "a/*": "yes"})
    web.crawl("a/1", contact="https://example.org/bot")
    assert set(web.agents) == {f"hyperlite/{hyperlite.__version__} (+https://example.org/bot)"}
    web.agents.clear()
    web.output = web.output.with_name("other.jsonl")
    web.pages["a/robots.txt"] = Response(body=b"User-agent: mybot\nDisallow: /\n")
    web.crawl("a/1", headers={"user-agent": "MyBot/2"}, contact="a@example.org")
    assert set(web.agents) == {"MyBot/2 (+a@example.org)"}
    assert web.summary.errors == {"Disallowed": 1}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rate": 0}, "per_second must be above 0"),
        ({"delay": "1"}, "delay is a number"),
        ({"ignore_robots": 1}, "ignore_robots is True or False"),
        ({"allow_private": None}, "allow_private is True or False"),
        ({"follow": "all"}, "follow is a CrawlScope, or a function of a response, not str"),
        ({"contact": 1}, "contact is a URL or a mail address, not int"),
        ({"stop_after": -1}, "stop_after"),
        ({"stop_after_bytes": 1.5}, "stop_after_bytes"),
    ],
)
def test_wrong_arguments(tmp_path: Path, options: dict[str, Any], text: str):
    with pytest.raises((TypeError, ValueError), match=text):
        hyperlite.crawl(["http://a.test/"], output=tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_without_protego(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"hyperlite-http\[crawl\] \(ignore_robots=True\?\)"):
        hyperlite.crawl(["http://a.test/"], output=tmp_path / "out")
