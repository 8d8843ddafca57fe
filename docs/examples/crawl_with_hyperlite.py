"""The crawl of crawl_with_scrapy.py, crawl_with_aiohttp.py and crawl_with_httpx.py, by hyperlite.

python crawl_with_hyperlite.py urls.txt pages.jsonl

Run it again after a kill: it goes on, and at most 1,000 URLs are fetched again.  `hyperlite crawl urls.txt
--output pages.jsonl` does the same.
"""

import sys

import hyperlite


def main(urls: str, output: str) -> None:
    """Fetch the URLs in a file, a line each, and write a line of JSON for each."""
    hyperlite.crawl(urls, output=output, per_host=8, timeout=30, contact="https://example.org/bot")


if __name__ == "__main__":
    main(*sys.argv[1:])
