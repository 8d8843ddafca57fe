"""robots.txt: RFC 9309, case by case."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperlite.crawling import robots
from hyperlite.crawling.refusals import CrawlRefusal, Disallowed, RobotsUnreachable
from hyperlite.crawling.robots import Robots, answered, parsed, product_token

SITE = "https://h.example"


def allows(made: Robots, target: str) -> bool:
    try:
        made.check(SITE + target)
    except CrawlRefusal:
        return False
    return True


@pytest.mark.parametrize(
    ("user_agent", "token"),
    [
        ("ExampleBot/1.0", "examplebot"),
        ("ExampleBot/0.1 (+https://example.org/bot)", "examplebot"),
        ("my-crawler_x (mailto:a@example.org)", "my-crawler_x"),
        ("Mozilla/5.0 (compatible; ExampleBot/1.0; +https://example.org)", "examplebot"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "mozilla"),
        ("  Bot", "bot"),
        ("123", ""),
        ("", ""),
    ],
)
def test_the_product_token(user_agent: str, token: str):
    assert product_token(user_agent) == token


RULES = b"""\
User-agent: *
Disallow: /private/
Allow: /private/open
Disallow: /*.pdf$
Disallow: /search?*q=
Crawl-delay: 2

User-agent: OtherBot
User-agent: thisbot
Disallow: /other
Crawl-delay: 600
Sitemap: https://h.example/sitemap.xml
"""


@pytest.mark.parametrize(
    ("agent", "target", "allowed"),
    [
        ("", "/", True),
        ("nobot", "/private/x", False),
        ("nobot", "/private/open/x", True),
        ("nobot", "/privateer", True),
        ("nobot", "/a/b.pdf", False),
        ("nobot", "/a/b.pdf?x", True),
        ("nobot", "/search?a=1&q=2", False),
        ("nobot", "/search?a=1", True),
        ("nobot", "/%70rivate/x", False),
        ("nobot", "/other", True),
        ("thisbot", "/other/x", False),
        ("thisbot", "/private/x", True),
        ("otherbot", "/other", False),
        ("nobot", "/robots.txt", True),
    ],
)
def test_rules(agent: str, target: str, allowed: bool):
    assert allows(parsed(RULES, agent), target) == allowed


def test_delays_and_sitemaps():
    assert parsed(RULES, "nobot").delay == 2
    assert parsed(RULES, "thisbot").delay == robots.LONGEST_DELAY
    assert parsed(b"User-agent: *\nCrawl-delay: -1\nCrawl-delay: inf\nCrawl-delay: x", "a").delay is None
    assert parsed(RULES, "nobot").sitemaps == ["https://h.example/sitemap.xml"]


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        *((200, False), (204, True), (302, True), (400, True), (401, True), (403, True), (404, True)),
        *((410, True), (429, False), (500, False), (503, False), (599, False)),
    ],
)
def test_each_status(status: int, allowed: bool):
    body = b"" if status == 204 else b"User-agent: *\nDisallow: /"
    made = answered(status, body, "bot")
    assert allows(made, "/page") == allowed
    unreachable = status == 429 or status >= 500
    assert made.lifetime == (robots.UNREACHABLE if unreachable else robots.LIFETIME)


def test_the_error_says_why():
    with pytest.raises(Disallowed, match=r"robots\.txt disallows it for bot"):
        parsed(b"User-agent: bot\nDisallow: /", "bot").check(f"{SITE}/")
    with pytest.raises(
        RobotsUnreachable, match=r"robots\.txt cannot be had, so nothing is allowed: its status is 503"
    ):
        answered(503, b"", "bot").check(f"{SITE}/")


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_ends_of_lines_and_a_byte_order_mark(ends: bytes, mark: bytes):
    body = mark + ends.join([b"user-AGENT : * # all", b"", b"  DISALLOW:/a  # that"])
    assert not allows(parsed(body, "bot"), "/a")
    assert allows(parsed(body, "bot"), "/b")


def test_what_is_beyond_the_limit_is_not_read_and_no_line_is_cut():
    """Half of "Disallow: /abc" would disallow everything."""
    head = b"User-agent: *\nDisallow: /first\n"
    line = b"Disallow: /" + b"x" * 20 + b"\n"
    body = head + line * (robots.MAX_SIZE // len(line)) + b"Disallow: /last\n"
    assert len(body) > robots.MAX_SIZE
    made = parsed(body, "bot")
    assert not allows(made, "/first")
    assert allows(made, "/")
    assert allows(made, "/last")


@pytest.mark.parametrize(
    "body",
    [
        b"User-agent: *\n" + b"Disallow: /*a*b*c*d*e*f*g$\n" * 19_000,
        b"User-agent: *\nDisallow: /" + b"*a" * 250_000,
        b"User-agent: *\nDisallow: /" + b"*" * 500_000 + b"b",
        b"User-agent: x\n" * 36_000,
        b"".join(b"User-agent: x%d\nDisallow: /\n" % n for n in range(17_000)),
        b"\0" * 500_000,
        b"%" * 500_000,
        b"<html>" + b"<p>user-agent disallow</p>\n" * 18_000,
        b"\xff\xfe" * 250_000,
    ],
    ids=["wildcards", "one pattern", "stars", "agents", "groups", "NUL", "percent", "html", "utf-16"],
)
def test_hostile_files(body: bytes):
    """Each takes a second at most, for a hundred URLs; what grew with their square would not end in time."""
    made = parsed(body, "bot")
    for n in range(100):
        allows(made, "/" + "a" * 1000 + str(n))


@settings(deadline=None)
@given(st.binary(max_size=300), st.text(max_size=40))
def test_anything_is_read(body: bytes, text: str):
    made = parsed(b"User-agent: *\nDisallow: /%" + body, "bot")
    allows(made, "/" + text.replace("\ud800", ""))
    assert made.delay is None or 0 <= made.delay <= robots.LONGEST_DELAY


def test_a_site_without_one():
    assert allows(robots.everything(), "/")
    assert not allows(robots.nothing("connection refused"), "/")
