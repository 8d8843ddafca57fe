"""A site of 2,000 pages, crawled by hyperlite and by scrapy: python -m compat.scrapy PYTHON-WITH-SCRAPY.

The pages link to one another in the ways that pages do: relative, with a base, entities, fragments, spaces,
"..", through redirects, to what robots.txt forbids, to what is not there, and to other sites.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import hyperlite
from hyperlite.testing.server import Request, Response, Server

ROBOTS = b"""User-agent: *
Disallow: /private/
Disallow: /*.cgi$
Disallow: /page/13
Allow: /page/1313
"""
_OTHERS = (
    "/private/1",
    "/x.cgi",
    "/x.cgi?y",
    "/missing",
    "/text",
    "/moved/5",
    "/moved/away",
    "mailto:a@b.example",
)


class Site:
    """Answers for the pages, and notes what was asked for."""

    def __init__(self, pages: int) -> None:
        chance = random.Random(22)
        self.asked: Counter[str] = Counter()
        self._pages = {n: self._page(chance, n, pages) for n in range(pages)}

    def _page(self, chance: random.Random, number: int, pages: int) -> bytes:
        links = [self._link(chance, to) for to in chance.sample(range(pages), 5)]
        links.append(f"<a href='{number + 1}'>next</a>")
        links.append(f"<a href='{chance.choice(_OTHERS)}'>other</a>")
        links.append(f"<a rel='nofollow' href='/nofollow/{number}'>no</a>")
        links.append("<a href='http://elsewhere.example/'>elsewhere</a><!-- <a href='/comment'>no</a> -->")
        base = "<base href='/page/'>" if number % 7 == 0 else ""
        return (
            f"<!doctype html><html><head><title>{number}</title>{base}</head><body>{' '.join(links)}".encode()
        )

    def _link(self, chance: random.Random, to: int) -> str:
        return chance.choice([
            f"<a href='/page/{to}'>a</a>", f"<a href={to}>a</a>", f'<A HREF="../page/{to}#top">a</A>',
            f"<a class=x href=' /page/{to} '>a</a>", f"<a href='/page/./{to}'>a</a>",
            f"<a href='/page/{to}?a=1&amp;b=2'>a</a>", f"<map><area href='{to}'></map>",
            f"<a href='/moved/{to}'>a</a>", f"<p><b><a href='//localhost:{{port}}/page/{to}'>a</a>",
        ])  # fmt: skip

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        self.asked[request.target] += 1
        if request.path == "/robots.txt":
            return Response(headers=[("content-type", "text/plain")], body=ROBOTS)
        folder, _, name = request.path.removeprefix("/").partition("/")
        if folder == "moved":
            return Response(301, headers=[("location", f"/page/{name}" if name.isdigit() else "/text")])
        if folder == "page" and name.isdigit() and int(name) in self._pages:
            port = request.authority.rpartition(":")[2].encode()
            body = self._pages[int(name)].replace(b"{port}", port)
            return Response(headers=[("content-type", "text/html; charset=utf-8")], body=body)
        if request.path == "/text":
            return Response(headers=[("content-type", "text/plain")], body=b"<a href='/none'>")
        return Response(404, headers=[("content-type", "text/html")], body=b"<a href='/none'>")


def main() -> None:
    """Crawl the site by both, and print what they have asked for."""
    parser = argparse.ArgumentParser(prog="python -m compat.scrapy")
    parser.add_argument("python", help="a Python that has scrapy")
    parser.add_argument("--pages", type=int, default=2000)
    options = parser.parse_args()
    seen = {}
    for name in ("hyperlite", "scrapy"):
        site = Site(options.pages)
        with Server(site.answer, secure=False) as server:
            url = f"http://localhost:{server.port}/page/0"
            begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            if name == "scrapy":
                command = [options.python, "-m", "compat.scrapy.spider", url]
            else:
                command = [sys.executable, "-m", "compat.scrapy", "--child", url]
            subprocess.run(command, check=True, env=os.environ | {"NO_PROXY": "*"})
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
        seen[name] = set(site.asked)
        wall = time.monotonic() - begun
        asked = f"{len(seen[name]):5} URLs, {site.asked.total():5} requests"
        print(f"{name:10} {asked}, {wall:.1f} s, CPU {cpu:.1f} s")
    for one, other in (("hyperlite", "scrapy"), ("scrapy", "hyperlite")):
        print(f"by {one} alone:", sorted(seen[one] - seen[other])[:20])
    sys.exit(seen["hyperlite"] != seen["scrapy"])


def child(url: str) -> None:
    """Crawl the site by hyperlite."""
    with tempfile.TemporaryDirectory() as folder:
        hyperlite.crawl([url], output=Path(folder, "out.jsonl"), follow=hyperlite.CrawlScope(), per_host=8)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    else:
        main()
