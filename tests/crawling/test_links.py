"""The links of pages and sitemaps, and which of them are followed."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hyperlite
from hyperlite.crawling import links, sitemaps
from hyperlite.crawling.links import forbids, html_links, links_of
from hyperlite.crawling.scope import CrawlScope, domain_of, is_below, targets
from hyperlite.crawling.tags import tags
from hyperlite.messages.urls import parse
from hyperlite.testing import Response

PAGE = "https://h.example/dir/page?q"


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<a href="next">', ["https://h.example/dir/next"]),
        ('<A HREF="/top#part">', ["https://h.example/top"]),
        ("<a href=//other.example/x>", ["https://other.example/x"]),
        ('<a href="?page=2">', ["https://h.example/dir/page?page=2"]),
        ('<a href="">', ["https://h.example/dir/page?q"]),
        ('<a href="#part">', ["https://h.example/dir/page?q"]),
        ('<map><area href="/area"></map>', ["https://h.example/area"]),
        ('<a href="/a?b=1&amp;c=2">', ["https://h.example/a?b=1&c=2"]),
        ("<a href='/\xe9'>", ["https://h.example/%C3%A9"]),
        ("<a href='/\xc3\xa9'>", ["https://h.example/%C3%83%C2%A9"]),
        ("<a href='/\u4e2d b'>", ["https://h.example/%E4%B8%AD%20b"]),
        ("<a href=' \n/a\tb\n '>", ["https://h.example/ab"]),
        ("<a href=/1><a href=/2><a href=/1>", ["https://h.example/1", "https://h.example/2"]),
        ("<a name=x><a><p href=/no><img src=/no>", []),
        (
            "<a href='javascript:alert(1)'><a href=mailto:a@b.example><a href=data:,x><a href=ftp://h.example/>",
            [],
        ),
        ("<a href='file:///etc/passwd'><a href='//'><a href='https://'><a href='http://127.1/'>", []),
        (r"<a href='\\other.example/x'><a href='http:/x'><a href='https:\\x.example'>", []),
        ("<a href='http://user:word@h.example/'>", ["http://h.example/"]),
        (f"<a href='/{'x' * 5000}'>", []),
        ("<!-- <a href=/no> --><script>'<a href=/no>'</script><a href=/yes>", ["https://h.example/yes"]),
        ("<noscript><a href=/n></noscript><textarea><a href=/t></textarea>", ["https://h.example/n"]),
        ("<title><a href=/t></title x><a href=/yes><style><a href=/s>", ["https://h.example/yes"]),
        (
            "<SCRIPT>'<a href=/t></scripts>'</Script ><a href=/yes><plaintext><a href=/no>",
            ["https://h.example/yes"],
        ),
        (
            "<!--><a href=/1><!-- > <a href=/no> --!><a href=/2><!a href=/no><?a href=/no><a href=/3><!-- <a",
            [f"https://h.example/{n}" for n in (1, 2, 3)],
        ),
        (
            "</ <a href=/no>< a href=/no><a href=/4><!-- <a href=/no>",
            ["https://h.example/4"],
        ),
        (
            "<a title='a>b' href=/1><a title=it's href=/2><a title = \">\" href = '/3' x><a/href=/4/>",
            [f"https://h.example/{n}" for n in ("1", "2", "3", "4/")],
        ),
        (
            "<a href=/1 href=/2><a HREF=/3><abc href=/no><a\nhref\n=\n/4\n>",
            [f"https://h.example/{n}" for n in (1, 3, 4)],
        ),
        (
            "<a href='/?a=1&copy=2&amp;b=&quot;&#x41;&notit;&eacute;&lt'>",
            ["https://h.example/?a=1&copy=2&b=%22A&notit;%C3%A9%3C"],
        ),
        ("<a href=''><a href=><a href>", ["https://h.example/dir/page?q"]),
        ('<a href="/1"><a href="/unclosed><a href=/2>', ["https://h.example/1"]),
        ("<a href=/unclosed", []),
        ("<a href=/1", []),
        ("<table><a href=/1><tr><td><a href=/2>", ["https://h.example/1", "https://h.example/2"]),
        # base
        ("<base href=/other/><a href=x>", ["https://h.example/other/x"]),
        ("<base href=https://b.example/y/z><a href=x>", ["https://b.example/y/x"]),
        ("<base href=one/><base href=two/><a href=x>", ["https://h.example/dir/one/x"]),
        ("<a href=x><base href=/late/>", ["https://h.example/late/x"]),
        ("<base href='data:x'><a href=x>", ["https://h.example/dir/x"]),
        ("<base target=_top><base href=/b/><a href=x>", ["https://h.example/b/x"]),
        # canonical
        ("<link rel=canonical href=/c><a href=/a>", ["https://h.example/c", "https://h.example/a"]),
        ("<link rel='Canonical foo' href=/c>", ["https://h.example/c"]),
        ("<link rel=stylesheet href=/s.css><link rel=next href=/2>", []),
        # nofollow
        ("<a rel=nofollow href=/a><a href=/b>", ["https://h.example/b"]),
        ("<a rel='UGC NoFollow' href=/a>", []),
        ("<a rel=nofollowing href=/a>", ["https://h.example/a"]),
        ("<a href=/a><meta name=robots content='noindex, NOFOLLOW'>", []),
        ("<meta name=ROBOTS content=none><a href=/a>", []),
        ("<meta name=robots content=noindex><a href=/a>", ["https://h.example/a"]),
        ("<meta name=ThisBot content=nofollow><a href=/a>", []),
        ("<meta name=otherbot content=nofollow><a href=/a>", ["https://h.example/a"]),
        ("<meta name=description content=nofollow><a href=/a>", ["https://h.example/a"]),
    ],
)
def test_html(html: str, found: list[str]):
    assert html_links(html, PAGE, "thisbot") == found


def test_nofollow_need_not_be_heeded():
    html = "<meta name=robots content=nofollow><a rel=nofollow href=/a>"
    assert html_links(html, PAGE, "", nofollow=False) == ["https://h.example/a"]


@pytest.mark.parametrize(
    ("fields", "forbidden"),
    [
        (["nofollow"], True),
        (["noindex, NoFollow"], True),
        (["none"], True),
        (["noindex"], False),
        ([], False),
        (["noindex", "nofollow"], True),
        (["thisbot: nofollow"], True),
        (["ThisBot: noindex, nofollow"], True),
        (["otherbot: nofollow"], False),
        (["otherbot: noindex, nofollow"], False),
        (["otherbot: noindex, thisbot: nofollow"], True),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST, nofollow"], True),
        (["max-snippet: 20, nofollow"], True),
        (["otherbot: noindex", "nofollow"], True),
    ],
)
def test_x_robots_tag(fields: list[str], forbidden: bool):
    assert forbids(fields, "thisbot") == forbidden


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 300_000 + "<a href=/deep>",
        "<a href=/x>" * 20_000,
        "<a " * 700_000,
        "<a x='" * 300_000,
        "<!--" * 500_000,
        "<script>" * 250_000,
        "<a href=/ " + "=" * 2_000_000,
        "<a " + 'x="' * 400_000 + ">",
        "<" * 2_000_000,
        "<a href='" + "&" * 2_000_000 + "'>",
        "".join(f"<a href=/{n}>" for n in range(20_000)),
        "<a href='" + "/x" * 2_000_000,
        "<a " + "x=y " * 300_000 + "href=/z>",
        "<base href=/b/>" * 100_000,
        "&amp;" * 1_000_000,
        "<table>" * 100_000 + "<a href=/deep>",
        "<svg><a href=/x></svg>" * 20_000,
        "<a rel='" + "nofollow " * 100_000 + "' href=/>",
    ],
    ids=[
        "deep",
        "same",
        "open",
        "quotes",
        "comments",
        "scripts",
        "=",
        '="',
        "<",
        "&",
        "many",
        "long",
        "attributes",
        "bases",
        "entities",
        "tables",
        "svg",
        "rel",
    ],
)
def test_hostile_pages(html: str):
    """Each takes a second at most; what grew with the square of their length would not end in time."""
    assert len(html_links(html, PAGE, "bot")) <= links.MAX_LINKS


def test_a_character_reference_of_thousands_of_digits():
    """Python's int() takes no such number; a page must not end the crawl by it."""
    page = f'<a href="&#{"9" * 5000};"><a href="&#x{"9" * 5000};"><a href="&#0000065;">'
    assert html_links(page, "http://h.example/", "x") == ["http://h.example/%EF%BF%BD", "http://h.example/A"]


# What a page is made of, so that a tree of it has the same links.
_PIECES = [
    *("<p>", "</p>", "<div class='a>b'>", "</div>", "text", "&amp;", " ", "<br/>", "<b>", "</b>", "<ul><li>"),
    *(
        "<!-- <a href=/no> -->",
        "<script>'<a href=/no>'</script>",
        "<style></style>",
        '<img alt="<a href=/no>">',
    ),
    *(
        "<a href=/1>",
        "<a\thref='/2?a=1&amp;b' id=x>",
        '<A title="\'" HREF = "/3">x</A>',
        "<a href=4 rel=nofollow>",
    ),
    *(
        "<a name=x>",
        "<area href=5>",
        "<a x=1 x=2 href='&#47;6'>",
        "<a href=/7/>",
        "</a>",
        "<a href='/8' / b=\"\">",
    ),
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
def test_the_links_are_those_of_a_tree(html: str):
    lexbor = pytest.importorskip(
        "selectolax.lexbor", reason="selectolax is not installed (pip install selectolax)"
    )
    nodes = lexbor.LexborHTMLParser(f"<body>{html}").css("a[href], area[href]")
    tree = [(node.attributes["href"], node.attributes.get("rel")) for node in nodes]
    ours = [(found["href"], found.get("rel")) for _, found in tags(html, {"a", "area"}) if "href" in found]
    assert list(dict.fromkeys(ours)) == list(dict.fromkeys(tree))


@settings(deadline=None)
@given(st.text("<>!-/a='\"& \nxb", max_size=60))
def test_any_markup_is_read(text: str):
    for _, found in tags(text, {"a", "b", "x"}):
        assert all(name and not set(name) & set("/> \n") for name in found)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read(text: str):
    for link in html_links(f"<a href='{text}'><base href='{text}'>", PAGE, "bot"):
        assert parse(link).scheme in {"http", "https"}


def respond(response: Response) -> hyperlite.FetchResponse:
    with hyperlite.ConnectionPool(handler=lambda _: response) as pool:
        return pool.fetch("https://h.example/dir/page")


def html(**fields: str) -> list[tuple[str, str]]:
    given = {"content_type": "text/html; charset=utf-8"} | fields
    return [(name.replace("_", "-"), value) for name, value in given.items()]


@pytest.mark.parametrize(
    ("response", "count"),
    [
        (Response(headers=html(), body=b"<a href=x>"), 1),
        (Response(headers=html(content_type="application/xhtml+xml"), body=b"<a href='x'/>"), 1),
        (Response(headers=html(content_type="text/plain"), body=b"<a href=x>"), 0),
        (Response(headers=[], body=b"<a href=x>"), 0),
        (Response(404, headers=html(), body=b"<a href=x>"), 0),
        (Response(headers=html(x_robots_tag="nofollow"), body=b"<a href=x>"), 0),
        (Response(headers=html(x_robots_tag="otherbot: nofollow"), body=b"<a href=x>"), 1),
        (Response(headers=html(content_type="text/html; charset=latin-1"), body=b"<a href=/\xe9>"), 1),
    ],
)
def test_responses(response: Response, count: int):
    assert len(links_of(respond(response), "bot")) == count


# -- sitemaps -------------------------------------------------------------------------------------

URLSET = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url><loc> https://h.example/a?x=1&amp;y=2 </loc><lastmod>2026-01-01</lastmod>
    <image:image><image:loc>https://h.example/image.png</image:loc></image:image></url>
  <url><loc><![CDATA[https://h.example/b]]></loc></url>
  <url><loc></loc></url>
</urlset>"""
INDEX = """<sitemapindex><sitemap><loc>https://h.example/1.xml</loc></sitemap>
<sitemap><loc>https://h.example/2.xml.gz</loc></sitemap></sitemapindex>"""


def test_a_sitemap():
    expected = ["https://h.example/a?x=1&y=2", "https://h.example/b"]
    assert sitemaps.locations(URLSET.encode()) == expected
    assert sitemaps.locations(gzip.compress(URLSET.encode())) == expected
    assert sitemaps.locations(URLSET.replace("UTF-8", "UTF-16").encode("utf-16")) == expected
    assert sitemaps.locations(INDEX.encode()) == ["https://h.example/1.xml", "https://h.example/2.xml.gz"]


def test_what_is_whole_of_one_that_is_damaged():
    text = URLSET.replace(
        "<url><loc></loc>", "<url><loc>https://h.example/c</loc></url><url><loc>https://h.exa"
    )
    assert sitemaps.locations(text.encode())[2] == "https://h.example/c"
    packed = gzip.compress(URLSET.encode())
    assert sitemaps.locations(packed[:-12] + b"broken") in ([], sitemaps.locations(packed))


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ENTITIES = "".join(f'<!ENTITY {_LETTERS[n + 1]} "{f"&{_LETTERS[n]};" * 10}">' for n in range(25))
BOMB = f"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{_ENTITIES}]><urlset><url><loc>&z;</loc></url></urlset>"""
OUTSIDE = (
    """<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><urlset><url><loc>&e;</loc></url></urlset>"""
)


@pytest.mark.parametrize(
    "body",
    [
        BOMB.encode(),
        OUTSIDE.encode(),
        b"<!DOCTYPE urlset SYSTEM 'http://h.example/x.dtd'><urlset><url><loc>http://h.example/</loc></url></urlset>",
        gzip.compress(b"<urlset>" + b" " * (60 << 20)),
        b"<urlset>" + b"<url>" * 1_000_000,
        b"<urlset><url><loc>" + b"x" * 10_000_000,
        b"<rss><channel><item><link>http://h.example/</link></item></channel></rss>",
        b"<html><a href=x></html>",
        b"\x1f\x8b" + b"\0" * 100,
        b"",
        b"{}",
    ],
    ids=["entities", "outside", "dtd", "gzip", "deep", "long", "rss", "html", "no gzip", "empty", "json"],
)
def test_hostile_sitemaps(body: bytes):
    """Each takes a second at most; the first would need more memory than there is."""
    assert sitemaps.locations(body) == []


@pytest.mark.parametrize(
    "encoding", ["nonesuch", "utf-7", "utf-32", "idna", "punycode", "rot13", "undefined"]
)
def test_a_sitemap_in_an_encoding_that_is_not_known(encoding: str):
    """It has no URLs, and does not end the crawl."""
    body = (
        f'<?xml version="1.0" encoding="{encoding}"?><urlset><url><loc>http://h.example/</loc></url></urlset>'
    )
    assert sitemaps.locations(body.encode()) == []


def test_a_sitemap_is_bounded():
    body = b"<urlset>" + b"<url><loc>https://h.example/</loc></url>" * 60_000
    assert len(sitemaps.locations(body)) == sitemaps.MAX_URLS


@pytest.mark.parametrize(
    ("media", "url", "found"),
    [
        ("application/xml", "https://h.example/sitemap.xml", True),
        ("text/xml", "https://h.example/x", True),
        ("application/gzip", "https://h.example/sitemap.xml.gz", True),
        ("application/x-gzip", "https://h.example/sitemap-1.gz?x", True),
        ("application/gzip", "https://h.example/source.tar.gz", False),
        ("text/html", "https://h.example/sitemap.xml", False),
    ],
)
def test_what_may_be_a_sitemap(media: str, url: str, found: bool):
    assert sitemaps.is_sitemap(media, url) == found


def test_the_links_of_a_sitemap():
    headers = [("content-type", "application/xml")]
    assert len(links_of(respond(Response(headers=headers, body=URLSET.encode())), "bot")) == 2


# -- the scope ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "url", "followed"),
    [
        (CrawlScope(), "https://h.example/x", True),
        (CrawlScope(), "http://h.example:8080/x", True),
        (CrawlScope(), "https://www.h.example/x", False),
        (CrawlScope(), "https://a.h.example/x", False),
        (CrawlScope(hosts="domain"), "https://h.example/x", True),
        (CrawlScope(hosts="domain"), "https://www.h.example/x", True),
        (CrawlScope(hosts="domain"), "https://a.b.h.example./x", True),
        (CrawlScope(hosts="domain"), "https://example/x", False),
        (CrawlScope(hosts="domain"), "https://xh.example/", False),
        (CrawlScope(hosts="domain"), "https://h.example.evil.example/", False),
        (CrawlScope(hosts="any"), "https://other.example/", True),
        (CrawlScope(include=["/docs/"]), "https://h.example/docs/1", True),
        (CrawlScope(include=["/docs/"]), "https://h.example/blog/1", False),
        (CrawlScope(include=["^https://h.example/a", "b$"]), "https://h.example/b", True),
        (CrawlScope(exclude=[r"\.pdf$"]), "https://h.example/a.pdf", False),
        (CrawlScope(include=["a"], exclude=[r"\?"]), "https://h.example/a?", False),
    ],
)
def test_scopes(scope: CrawlScope, url: str, followed: bool):
    assert scope.follows(parse("https://h.example/"), parse(url), {"h.example"}) == followed


def test_domains():
    assert domain_of("www.example.org.") == "example.org"
    assert is_below("a.example.org", {"example.org"})
    assert not is_below("example.org", {"a.example.org"})
    assert not is_below("", {"example.org"})


def test_targets():
    given = [
        "https://h.example/#a",
        "https://h.example/#b",
        "ftp://h.example/",
        "x",
        "https://u:p@h.example/",
    ]
    assert [str(url) for url in targets(given)] == ["https://h.example/"]
    assert targets(["https://h.example/" + "x" * 5000]) == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"hosts": "all"}, "hosts is one of same, domain, any"),
        ({"depth": -1}, "depth"),
        ({"include": "x"}, "include is a list of regular expressions, not str"),
        ({"exclude": ["("]}, r"exclude: '\(' is no regular expression"),
        ({"max_urls": 1.5}, "max_urls"),
        ({"sitemaps": "yes"}, "sitemaps"),
    ],
)
def test_wrong_scopes(options: dict[str, object], text: str):
    with pytest.raises((TypeError, ValueError), match=text):
        CrawlScope(**options)  # type: ignore[arg-type]
