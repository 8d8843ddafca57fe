"""A list of URLs, crawled by httpx: 8 requests to a host at a time, robots.txt, JSON Lines, errors too.

python crawl_with_httpx.py urls.txt pages.jsonl

Run it again after a kill: it goes on behind the last whole line.  HTTP/2 is used where a host has it.  What
is missing beside `hyperlite.crawl()`: a host that answers 429 or 503 is not slowed down; robots.txt is not
heeded for redirects, which may lead to private addresses; a body of any size is held in memory; different
forms of a URL are different URLs; nothing is known to be on the disk, so a machine that fails loses lines.
"""

import asyncio
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
from protego import Protego

AGENT = "pages"
HEADERS = {"User-Agent": f"{AGENT} (+https://example.org/bot)"}
PER_HOST, WORKERS = 8, 400


class Robots:
    """The robots.txt of each site."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._sites: dict[str, asyncio.Task[Protego]] = {}

    async def allow(self, url: str) -> bool:
        """Tell whether a URL may be fetched."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        if site not in self._sites:
            self._sites[site] = asyncio.create_task(self._rules(site))
        return (await self._sites[site]).can_fetch(url, AGENT)

    async def _rules(self, site: str) -> Protego:
        try:
            response = await self._client.get(f"{site}/robots.txt")
            if response.status_code < 300:
                return Protego.parse(response.text)
            unreachable = response.status_code == 429 or response.status_code >= 500
        except httpx.HTTPError:
            unreachable = True
        return Protego.parse("User-agent: *\nDisallow: /" if unreachable else "")


def read(urls: str, done: set[str]) -> Iterator[str]:
    """Yield the URLs in a file that are not done."""
    with open(urls, encoding="utf-8") as file:
        for line in file:
            if (url := line.strip()) and url not in done:
                done.add(url)
                yield url


def resume(output: str) -> set[str]:
    """Return the URLs of which there are records; remove the piece of one behind them."""
    done = set()
    if os.path.exists(output):
        whole = 0
        with open(output, "rb+") as file:
            for line in file:
                if line.endswith(b"\n"):
                    done.add(json.loads(line)["url"])
                    whole += len(line)
            file.truncate(whole)
    return done


async def fetch(client: httpx.AsyncClient, robots: Robots, url: str) -> dict[str, Any]:
    """Fetch a URL, and return its record."""
    try:
        if not await robots.allow(url):
            return {"url": url, "error": "robots.txt disallows it"}
        response = await client.get(url)
        headers: dict[str, list[str]] = {}
        for name, value in response.headers.multi_items():
            headers.setdefault(name, []).append(value)
        return {
            "url": url,
            "final_url": str(response.url),
            "status": response.status_code,
            "http_version": response.http_version,
            "headers": headers,
            "body": response.text,
            "seconds": response.elapsed.total_seconds(),
            "error": None,
        }
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return {"url": url, "error": f"{type(error).__name__}: {error}"}


async def main(urls: str, output: str) -> None:
    """Fetch the URLs in a file, a line each, and write a line of JSON for each."""
    waiting = read(urls, resume(output))
    hosts: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(PER_HOST))
    limits = httpx.Limits(max_connections=WORKERS, max_keepalive_connections=WORKERS)
    async with httpx.AsyncClient(
        http2=True, follow_redirects=True, timeout=30, limits=limits, headers=HEADERS
    ) as client:
        robots = Robots(client)
        with open(output, "a", encoding="utf-8") as file:

            async def work() -> None:
                for url in waiting:
                    async with hosts[urlsplit(url).netloc]:
                        record = await fetch(client, robots, url)
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")

            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(work())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
