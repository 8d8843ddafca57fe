"""Feeds, fresh and unchanged, packed, moved, gone, and behind a password."""

import gzip
import zlib

from hyperlite.testing.server import Request, Response

from .answers import as_text, as_xml

RSS = """<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Nyheter på norsk</title><link>https://example.com/</link>
<item><title>One</title><link>/1</link><pubDate>Thu, 01 Jan 2026 00:00:00 GMT</pubDate>
<enclosure url="/1.mp3" length="5" type="audio/mpeg"/></item>
<item><title>Two &amp; more</title><link>/2</link></item></channel></rss>"""
ATOM = """<?xml version="1.0" encoding="iso-8859-1"?><feed xmlns="http://www.w3.org/2005/Atom"><title>\xc5rbok</title>
<entry><title>A</title><id>a</id><updated>2026-01-01T00:00:00Z</updated><link href="a"/></entry></feed>"""
KIND = ("content-type", "application/rss+xml; charset=utf-8")


def fresh(request: Request) -> Response:
    marks = [("etag", '"r1"'), ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")]
    if request.header("if-none-match") == '"r1"' or request.header("if-modified-since"):
        return Response(304, marks)
    return as_xml(RSS, headers=marks, kind="application/rss+xml")


def packed(request: Request) -> Response:
    assert "gzip" in (request.header("accept-encoding") or "")
    return Response(200, [KIND, ("content-encoding", "gzip")], gzip.compress(RSS.encode(), mtime=0))


def private(request: Request) -> Response:
    if request.header("authorization") != "Basic bWU6c2VjcmV0":
        return as_text("no", 401, [("www-authenticate", 'Basic realm="feeds"')])
    return as_xml(RSS)


ROUTES = {
    "/rss": fresh,
    "/atom": lambda _: Response(200, [("content-type", "application/atom+xml")], ATOM.encode("latin-1")),
    "/packed": packed,
    "/deflated": lambda _: Response(
        200, [KIND, ("content-encoding", "deflate")], zlib.compress(RSS.encode())
    ),
    "/pieces": lambda _: Response(
        200, [KIND], (RSS.encode()[n : n + 50] for n in range(0, len(RSS.encode()), 50))
    ),
    "/moved": lambda _: Response(301, [("location", "/rss")]),
    "/elsewhere": lambda _: Response(302, [("location", "/packed")]),
    "/gone": lambda _: as_text("gone", 410),
    "/private": private,
}
