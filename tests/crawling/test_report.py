"""The report of a crawl: its figures, and a page that nothing hostile can get out of."""

import math
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest

import hyperlite
from hyperlite.crawling.figures import Figures
from hyperlite.crawling.report import Report, Run, Slice, Worker, report_of
from hyperlite.crawling.report_page import page
from hyperlite.crawling.state import State
from hyperlite.crawling.summary import CrawlSummary
from hyperlite.testing.server import Request, Response
from tests.conftest import Serve

from .conftest import MakeSite

VOID = {"meta", "line", "polygon", "polyline"}  # those of SVG end with "/>"


class Page(HTMLParser):
    """Reads a page, whose tags must fit together."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data)

    def after(self, text: str) -> str:
        """Return the text behind another."""
        return self.texts[self.texts.index(text) + 1]


def made(urls: int = 10, failed: int = 0, seconds: float = 0.1) -> Figures:
    figures = Figures()
    figures.urls, figures.failed, figures.size = urls, failed, 1000 * urls
    figures.protocols["HTTP/2"] = urls - failed
    figures.times[round(20 * math.log10(seconds))] = urls - failed
    return figures


def test_percentiles() -> None:
    """They are known to 6 %, whatever the times are."""
    random.seed(5)
    seconds = sorted(random.lognormvariate(-3, 2) for _ in range(5000))
    figures = Figures()
    for one in seconds:
        figures.times[round(20 * math.log10(one))] += 1
    for share in (0.01, 0.5, 0.9, 0.99, 1.0):
        exact = seconds[math.ceil(share * len(seconds)) - 1]
        assert figures.percentile(share) == pytest.approx(exact, rel=0.065)
    assert Figures().percentile(0.5) is None


def test_figures_are_added_and_written_down() -> None:
    figures = made(10, 2)
    figures.add(Figures.parse(str(made(5, 1, 0.5))))
    again = Figures.parse(str(figures))
    assert (again.urls, again.failed, again.size, again.protocols) == (15, 3, 15_000, {"HTTP/2": 12})
    assert again.times == figures.times
    assert again.times.total() == 12


def test_a_crawl(serve: Serve, tmp_path: Path) -> None:
    def answer(request: Request) -> Response:
        return Response(404 if request.target.endswith("3") else 200, body=b"x" * 100)

    new, old = serve(routes=answer), serve(routes=answer, alpn=("http/1.1",))
    urls = [server.url(f"/{number}") for server in (new, old) for number in range(30)]
    urls += ["http://127.0.0.1:9/", "https://["]
    output, report = tmp_path / "out.jsonl", tmp_path / "report.html"
    hyperlite.crawl(urls, output=output, report=report, verify=False, retries=0, ignore_robots=True)
    shown = Page(report.read_text("utf-8"))
    assert shown.after("URLs") == "62"
    assert shown.after("failed") == "2"
    assert shown.after("bodies") == "6.0 kB"
    assert shown.after("HTTP/2") == "50%"
    assert {"HTTP/2: 48.4%", "HTTP/1.1: 48.4%", "no response: 3.2%"} < set(shown.texts)
    assert shown.after("404") == "6"
    assert shown.after("ConnectionRefusedError") == "1"
    assert shown.after("(no host)") == "1"
    assert "finished" in shown.texts


def test_the_page_loads_nothing_and_runs_nothing(serve: Serve, tmp_path: Path) -> None:
    server = serve(routes=lambda _: Response())
    hyperlite.crawl([server.url("/")], output=tmp_path / "o.jsonl", report=tmp_path / "r.html", verify=False)
    text = (tmp_path / "r.html").read_text("utf-8")
    shown = Page(text)
    assert {"script", "link", "img", "a", "iframe", "object"}.isdisjoint(shown.tags)
    assert {"src", "href", "onclick", "onload"}.isdisjoint(shown.attributes)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_hostile_names() -> None:
    """Markup in names of hosts, errors, runs and the crawl itself is text."""
    bad = "</td></style><script>alert(1)</script>\"' onload=x ${name}\x00\x1b\u202e"
    summary = CrawlSummary(3, 0, 0, 1, {200: 1}, {bad: 2})
    figures = made(3, 2)
    figures.protocols[bad] = 1
    report = Report(
        bad,
        summary,
        [Run(0.0, 1.0, bad, figures, [Worker(bad, 1, 3, 1.0, 0.5)])],
        [Slice(0.0, 1.0, figures)],
        figures,
        {bad: Counter({bad: 2}), "x" * 5000: Counter({bad: 1})},
        Counter({bad: 2}),
    )
    text = page(report)
    shown = Page(text)
    assert "script" not in shown.tags
    assert "onload" not in shown.attributes
    assert re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text) is None
    assert max(len(word) for one in shown.texts for word in one.split() if "x" * 9 in word) < 200
    assert sum(one.startswith("</td></style><script>") for one in shown.texts) >= 6


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_urls(serve: Serve, tmp_path: Path, count: int) -> None:
    server = serve(routes=lambda _: Response())
    urls = [server.url(f"/{number}") for number in range(count)]
    hyperlite.crawl(urls, output=print, state=tmp_path / "s", report=tmp_path / "r.html", verify=False)
    assert Page((tmp_path / "r.html").read_text("utf-8")).after("URLs") == str(count)


def test_a_crawl_that_was_killed(make_site: MakeSite) -> None:
    """What counts is in the report once, and the time between the runs is not."""
    site = make_site(10, 60)
    report = site.output.with_name("report.html")
    assert site.crawl(kill_at=300).returncode == -signal.SIGKILL
    command = [
        sys.executable,
        "-m",
        "hyperlite",
        "crawl",
        "status",
        str(site.output),
        "--report",
        str(report),
    ]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"NO_COLOR": "1"})
    assert "goes on, or was killed" in Page(report.read_text("utf-8")).texts
    done = site.crawl(report=str(report))
    assert done.returncode == 0, done.stderr
    shown = Page(report.read_text("utf-8"))
    assert shown.after("fetched") == "600"
    with closing(State(site.state, read_only=True)) as state:
        made = report_of(state, "it")
    assert made.total.urls == sum(run.figures.urls for run in made.runs) == 600
    assert sum(one.figures.urls for one in made.slices) == 600
    assert all(one.end - one.begin >= made.slices[-1].end / 100 for one in made.slices)  # no spikes
    assert made.slices[-1].end <= sum(run.seconds for run in made.runs)
    assert all(one.begin <= one.end for one in made.slices)


def test_a_clock_that_is_set_back(make_site: MakeSite) -> None:
    site = make_site(2, 200)
    assert site.crawl().returncode == 0
    with closing(State(site.state)) as state:
        state._database.execute("UPDATE turns SET at = at - 3600 WHERE id % 2")
        made = report_of(state, "it")
    assert Page(page(made)).after("URLs") == "400"
    assert all(0 <= one.begin <= one.end for one in made.slices)


def test_a_page_that_cannot_be_written(make_site: MakeSite) -> None:
    """The output is written all the same."""
    site = make_site(1, 5)
    done = site.crawl(report=str(site.output.with_name("no folder") / "report.html"))
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr
    site.check_output()
