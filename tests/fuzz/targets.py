"""All targets, by name."""

from . import bodies, crawl, http1, http2, urls
from .target import Target

# What the fuzzer puts into inputs, beside what it finds out.
_HTTP1 = rb"HTTP/1.1 200 OK\r\n|Content-Length: |Transfer-Encoding: chunked\r\n|\r\n\r\n|0\r\n\r\n"
_URL = rb"http://|https://|//|@|[::1]|:80|%2e|..|\\|secret@|xn--|%25"
_COOKIE = rb"rel=next|; Domain=|; Path=/|; Max-Age=|; Secure|base.example|expires="
_ROBOTS = rb"User-agent: bot\n|Disallow: |Allow: /|Crawl-delay: |Sitemap: http://|*|$"
_XML = rb"<urlset>|<url><loc>|</loc></url>|<?xml version='1.0' encoding='|<!DOCTYPE|<sitemapindex>"
_HTML = rb"<a href=|<base href=|<!--|-->|</script>|<script>|<meta name=robots content=|&#"
_EVENTS = rb"data: |event: |id: |retry: |\r\n\r\n|\r|\xef\xbb\xbf"
_NOTE = rb'{"url": "|"validator": |"length": |null|NaN|1e999|[[[[[[[['
_TEXT = rb'; charset=|"'

TARGETS: dict[str, Target] = {
    "engines": Target(http2.engines, 2048),
    "decoder": Target(http2.decoder, 2048),
    "answer": Target(http1.answer, 2048, _HTTP1),
    "chunks": Target(http1.chunks, 512, _HTTP1),
    "url": Target(urls.url, 256, _URL),
    "location": Target(urls.location, 256, _URL),
    "coding": Target(bodies.coding),
    "events": Target(bodies.events, 512, _EVENTS),
    "text": Target(bodies.text, 512, _TEXT),
    "fields": Target(bodies.fields, 1024, _COOKIE),
    "robots": Target(crawl.robots_txt, 2048, _ROBOTS),
    "sitemap": Target(crawl.sitemap, 2048, _XML),
    "page": Target(crawl.page, 2048, _HTML),
    "state": Target(crawl.state, 256),
    "note": Target(crawl.note, 512, _NOTE),
}


def together(data: bytes) -> None:
    """Feed one of all targets: the first byte says which."""
    targets = [*TARGETS.values()]
    targets[data[0] % len(targets) if data else 0].run(data[1:])
