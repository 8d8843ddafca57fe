"""A spider: fetches a site from one page on, link by link, and reports what is broken.

python spider.py https://example.org/ [the file of an authority to trust]
"""

import sys
import urllib.parse
from html.parser import HTMLParser

import hyperlite


class Links(HTMLParser):
    """Collects the targets of the links in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a link."""
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.targets.append(target)


def links(page: hyperlite.FetchResponse) -> list[str]:
    """Return the URLs that a page links to, without fragments."""
    if page.headers.get_content_type() != "text/html":
        return []
    parser = Links()
    parser.feed(page.text)
    return [urllib.parse.urldefrag(urllib.parse.urljoin(page.url, target)).url for target in parser.targets]


def crawl(pool: hyperlite.ConnectionPool, start: str, most: int = 10_000) -> dict[str, str]:
    """Fetch a page, and all pages of its site that it leads to; return what became of each.

    Args:
        pool: the connections.
        start: the URL of the first page.
        most: how many pages to fetch at most.
    """
    site = urllib.parse.urlsplit(start).netloc
    found: dict[str, str] = {start: ""}
    with pool.fetch_many([start], concurrency=20) as run:
        for outcome in run:
            if outcome.ok:
                found[outcome.request] = str(outcome.response.status)
                for url in links(outcome.response):
                    if urllib.parse.urlsplit(url).netloc == site and url not in found and len(found) < most:
                        found[url] = ""
                        run.add(url)
            else:
                found[outcome.request] = str(outcome.error)
            if run.idle:  # each page that was added was looked at: nothing more can be found
                run.close()
    return found


def main(start: str, authorities: str | None = None) -> None:
    """Crawl, and print what is not as it should be."""
    with hyperlite.ConnectionPool(timeout=10, verify=authorities or True) as pool:
        found = crawl(pool, start)
    broken = {url: what for url, what in found.items() if what != "200"}
    for url, what in sorted(broken.items()):
        print(f"{what}: {url}")
    print(f"{len(found)} pages, {len(broken)} of them broken")


if __name__ == "__main__":
    main(*sys.argv[1:])
