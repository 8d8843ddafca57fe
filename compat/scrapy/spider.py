"""A scrapy spider that follows links as `CrawlScope()` does: python -m compat.scrapy.spider URL.

It runs in a Python of its own, without hyperlite.
"""

import sys
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response, TextResponse
from scrapy.linkextractors import LinkExtractor


class Spider(scrapy.Spider):
    """Follows the links of a site that are not marked `nofollow`."""

    name = "site"
    custom_settings: ClassVar[dict[str, Any]] = {
        "ROBOTSTXT_OBEY": True,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 8,
        "DOWNLOAD_DELAY": 0,
        "LOG_LEVEL": "ERROR",
        "RETRY_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "USER_AGENT": "hyperlite",
    }

    def __init__(self, url: str) -> None:
        super().__init__()
        self.start_urls = [url]
        self._links = LinkExtractor(deny_extensions=[], allow_domains=[urlsplit(url).netloc])

    def parse(self, response: Response, **_: Any) -> Iterator[Any]:
        """Follow the links of a page."""
        if isinstance(response, TextResponse) and response.headers.get("content-type", b"").startswith(
            b"text/html"
        ):
            for link in self._links.extract_links(response):
                if not link.nofollow:
                    yield response.follow(link)


if __name__ == "__main__":
    process = CrawlerProcess()
    process.crawl(Spider, url=sys.argv[1])
    process.start()
