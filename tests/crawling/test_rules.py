"""What a crawl asks for, and what it does not: robots.txt, redirects, overload."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.crawling import pace
from hyperlite.testing.server import Request, Response

from .web import MakeWeb, moved, robots

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


def test_a_robots_txt_that_is_longer_than_pages_may_be(make_web: MakeWeb, tmp_path: Path):
    web = make_web({"a/robots.txt": robots("Disallow: /no", "#" * 5000), "a/*": "x" * 2000, "a/2": "short"})
    got: dict[str, Any] = {}
    hyperlite.crawl(
        [web.url(place) for place in ("a/1", "a/2", "a/no")],
        output=lambda outcome: got.update(
            {web.place(outcome.request): outcome.error or outcome.response.body}
        ),
        state=tmp_path / "s",
        max_body=1000,
        resolver=lambda *_: ["127.0.0.1"],
        proxies=False,
    )
    assert isinstance(got["a/1"], hyperlite.BodyTooLarge)
    assert isinstance(got["a/1"], hyperlite.FetchError)
    assert got["a/2"] == b"short"
    assert type(got["a/no"]).__name__ == "Disallowed"


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
    assert allowed or record["error"].startswith(("Disallowed: robots.txt", "RobotsUnreachable: "))
    assert web.asked.count("a/robots.txt") <= 6


def test_a_host_that_cannot_be_reached(make_web: MakeWeb):
    web = make_web({})
    records = web.crawl("a/1", "a/2", resolver=lambda *_: ["127.0.0.2"], retries=0)
    assert {record["error"].partition(": cannot connect")[0] for record in records.values()} == {
        "RobotsUnreachable: robots.txt cannot be had, so nothing is allowed"
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


# -- overload -------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(pace, "NO_DELAY", 0.015)


def test_an_overloaded_host_is_asked_again_later(make_web: MakeWeb, quick: None):
    answers = iter([503, 429])
    web = make_web({"b/*": "yes"})
    later = [("retry-after", "0")]
    web.pages["a/*"] = lambda _: Response(next(answers, 200), headers=later, body=b"yes")
    records = web.crawl("a/robots.txt", "a/1", "a/2", "b/1", ignore_robots=True)
    assert {record["status"] for record in records.values()} == {200}
    assert sum(record["attempts"] for record in records.values()) == 4 + 2


@pytest.mark.parametrize("ignore_robots", [False, True])
def test_a_retry_after_counts_from_the_answer(make_web: MakeWeb, ignore_robots: bool):
    """Nothing of the host is asked for meanwhile, although nothing was limited before."""
    web = make_web({})
    answered: list[float] = []

    def answer(request: Request) -> Response:
        if request.path == "/robots.txt":
            return Response(404)
        answered.append(time.monotonic())
        if len(answered) > 1:
            return Response()
        answered[0] += 0.3
        return Response(429, headers=[("retry-after", "1")], delay=0.3)

    web.pages["a/*"] = answer
    records = web.crawl("a/1", "a/2", ignore_robots=ignore_robots, per_host=1)
    assert {record["status"] for record in records.values()} == {200}
    assert answered[1] - answered[0] >= 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_stays_overloaded_is_given_up(make_web: MakeWeb, quick: None, status: int):
    web = make_web({"a/*": Response(status), "b/*": "yes"})
    records = web.crawl(*(f"a/{n}" for n in range(100)), "b/1", ignore_robots=True, per_host=4)
    given_up = [record for record in records.values() if record["error"]]
    assert len(given_up) >= 80
    assert given_up[0]["error"].startswith(
        "HostGivenUp: the host was overloaded 6 times in a row: the answer was"
    )
    assert records["b/1"]["status"] == 200
    assert len(web.asked) < 60


def test_a_host_that_does_not_answer_in_time_is_given_up(make_web: MakeWeb, quick: None):
    web = make_web({"a/*": Response(delay=30)})
    records = web.crawl(*(f"a/{n}" for n in range(40)), ignore_robots=True, timeout=0.1)
    assert web.summary.errors["HostGivenUp"] >= 10
    assert {record["status"] for record in records.values()} == {None}


def test_a_crawl_delay(make_web: MakeWeb):
    times: list[float] = []

    def answer(_: Request) -> Response:
        times.append(time.monotonic())
        return Response(body=b"yes")

    web = make_web({"a/robots.txt": robots("Crawl-delay: 0.2"), "a/*": answer})
    web.crawl(*(f"a/{n}" for n in range(5)))
    assert times[-1] - times[0] >= 0.4, "of 0.8: it is kept where requests begin, and not where they come"


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
        ({"rate": 0}, "rate must be above 0"),
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
