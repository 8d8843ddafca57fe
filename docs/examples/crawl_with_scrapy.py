"""A list of URLs, crawled by scrapy: 8 requests to a host at a time, robots.txt, JSON Lines, errors too.

python crawl_with_scrapy.py urls.txt pages.jsonl

What is missing beside `hyperlite.crawl()`: HTTP/2, for which scrapy has an experimental handler; JOBDIR goes
on after Ctrl-C, and not after a kill; the certificates of servers are not verified; a redirect or a link of
a public page may lead to a private address; different forms of a URL may be different URLs.
"""

import sys
from collections.abc import AsyncIterator
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response, TextResponse
from twisted.python.failure import Failure

SETTINGS = {
    "USER_AGENT": "pages (+https://example.org/bot)",
    "ROBOTSTXT_OBEY": True,
    "CONCURRENT_REQUESTS": 400,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 8,
    "DOWNLOAD_DELAY": 0,
    "DOWNLOAD_TIMEOUT": 30,
    "RETRY_HTTP_CODES": [429, 503],
    "HTTPERROR_ALLOW_ALL": True,
    "SCHEDULER_PRIORITY_QUEUE": "scrapy.pqueues.DownloaderAwarePriorityQueue",
    "LOG_LEVEL": "ERROR",
    "TELNETCONSOLE_ENABLED": False,
}


class Pages(scrapy.Spider):
    """Fetches the URLs in a file, a line each."""

    name = "pages"

    def __init__(self, urls: str) -> None:
        super().__init__()
        self._urls = urls

    async def start(self) -> AsyncIterator[Any]:
        """Yield the requests."""
        with open(self._urls, encoding="utf-8") as file:
            for line in file:
                if url := line.strip():
                    yield scrapy.Request(url, self.parse, errback=self.failed, cb_kwargs={"url": url})

    def parse(self, response: Response, url: str) -> dict[str, Any]:
        """Return the record of a response."""
        headers = response.headers.to_unicode_dict()
        return {
            "url": url,
            "final_url": response.url,
            "status": response.status,
            "headers": {name.lower(): value for name, value in headers.items()},
            "seconds": response.meta["download_latency"],
            "error": None,
            "body": response.text if isinstance(response, TextResponse) else None,
        }

    def failed(self, failure: Failure) -> dict[str, Any]:
        """Return the record of a URL without a response."""
        request: scrapy.Request = failure.request  # type: ignore[attr-defined]
        error = f"{failure.value.__class__.__name__}: {failure.getErrorMessage()}"
        return {"url": request.cb_kwargs["url"], "error": error}


def main(urls: str, output: str) -> None:
    """Fetch the URLs in a file, and write a line of JSON for each."""
    feeds = {output: {"format": "jsonlines", "encoding": "utf-8"}}
    process = CrawlerProcess({**SETTINGS, "FEEDS": feeds, "JOBDIR": f"{output}.state"})
    process.crawl(Pages, urls=urls)
    process.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
