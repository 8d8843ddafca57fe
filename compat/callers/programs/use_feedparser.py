"""Read feeds: of several kinds and codings, unchanged, moved, gone, and behind a password."""

import sys
import urllib.request

import feedparser

url = sys.argv[1]


def show(path: str, **options: object) -> feedparser.FeedParserDict:
    """Parse a feed and print what came of it."""
    feed = feedparser.parse(url + path, **options)
    headers = {
        name: value
        for name, value in feed.get("headers", {}).items()
        if name not in ("connection", "transfer-encoding")
    }
    print(path, feed.get("status"), feed.bozo, feed.get("encoding"), feed.feed.get("title"), feed.version)
    print(
        [(entry.title, entry.get("link"), entry.get("updated")) for entry in feed.entries], feed.get("href")
    )
    print(repr(feed.get("bozo_exception")), headers)
    return feed


feed = show("/rss")
show("/rss", etag=feed.etag)
show("/rss", modified=feed.modified)
for path in (
    "/atom",
    "/packed",
    "/deflated",
    "/pieces",
    "/moved",
    "/elsewhere",
    "/gone",
    "/missing",
    "/private",
):
    show(path)
show("/rss", agent="reader/1", referrer="https://example.com/", request_headers={"X-Mine": "1"})
passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
passwords.add_password(None, url, "me", "secret")
show("/private", handlers=[urllib.request.HTTPBasicAuthHandler(passwords)])
