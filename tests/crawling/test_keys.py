"""The WHATWG form of a URL, which is its key; ada-url, where it is installed, judges it."""

import contextlib
import re
from http.client import InvalidURL
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hyperlite.crawling.identity import identity
from hyperlite.crawling.keys import whatwg_form
from hyperlite.messages.urls import parse

SAME = [
    ("HTTP://Example.ORG:80/a/./b/../c", "http://example.org/a/c"),
    ("https://h.example", "https://h.example:443/"),
    ("http://h.example/%2e%2E/b", "http://h.example/b"),
    ("http://h.example/a/.%2e/%2e/b", "http://h.example/b"),
    ("http://h.example/a/%2e", "http://h.example/a/"),
    (r"http://h.example/a\b?c", "http://h.example/a/b?c"),
    ("http://h.example/?a='b'", "http://h.example/?a=%27b%27"),
    ("http://h.example/#one", "http://h.example/#two"),
    ("http://h.example/a b", "http://h.example/a%20b"),
    ("http://h.example/\xe9", "http://h.example/%C3%A9"),
    ("http://fa\xdf.example/", "http://xn--fa-hia.example/"),
    ("http://[0:0::1]/", "http://[::1]/"),
    ("  http://h.example/ ", "http://h.example/"),
    ("http://@h.example/", "http://h.example/"),
    ("http://h.example/%zz", "http://h.example/%25zz"),
]
DIFFERENT = [
    ("http://h.example/", "https://h.example/"),
    ("http://h.example/", "http://h.example./"),
    ("http://h.example/", "http://h.example:8080/"),
    ("http://h.example/a", "http://h.example/a/"),
    ("http://h.example/a", "http://h.example/A"),
    ("http://h.example/a//b", "http://h.example/a/b"),
    ("http://h.example/", "http://h.example/?"),
    ("http://h.example/?a&b", "http://h.example/?b&a"),
    ("http://h.example/%7Ea", "http://h.example/~a"),
    ("http://h.example/%2Fa", "http://h.example//a"),
    ("http://h.example/?a=%2e%2e/b", "http://h.example/?a=../b"),
    ("http://h.example/a%2eb", "http://h.example/a.b"),
    ("http://h.example/'", "http://h.example/%27"),
    (r"http://h.example/?a\b", "http://h.example/?a/b"),
    ("http://h.example/", "http://user:word@h.example/"),
    ("http://user:word@h.example/", "http://user:other@h.example/"),
]


def form(url: str) -> str:
    return whatwg_form(url, parse(url))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same(one: str, other: str):
    assert form(one) == form(other)
    assert identity(one)[0] == identity(other)[0]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: str, other: str):
    assert form(one) != form(other)
    assert identity(one)[0] != identity(other)[0]


def test_an_invalid_url_is_like_no_other():
    ambiguous = r"http://h.example\@other.example/"
    assert identity(ambiguous)[1] == ""
    assert identity(ambiguous)[0] != identity("http://h.example/@other.example/")[0]


# Characters that one of the two changes, or that part a URL.
PIECES = [
    *"abAB09-._~:/?#[]@!$&'()*+,;= \"<>`{}|\\^%",
    "%2e",
    "%2E",
    "%27",
    "..",
    "/../",
    "/./",
    "\xe9",
    "\u4e2d",
]
urls = st.lists(st.sampled_from(PIECES), max_size=12).map(
    lambda pieces: "http://h.example/" + "".join(pieces)
)


@settings(deadline=None)
@given(urls)
@example(r"http://h.example/..\%2e\.")
def test_a_form_is_its_own_form(url: str):
    with contextlib.suppress(InvalidURL):
        assert form(form(url)) == form(url)


def _as_sent(url: str) -> str:
    """Quote in a WHATWG form what it leaves and a request must not have: the request is the same then."""
    return quote(re.sub("%(?![0-9A-Fa-f]{2})", "%25", url), safe="!#$%&'()*+,/:;=?@[]~|")


@settings(deadline=None)
@given(urls)
@example("http://h.example/a\\..\\b")
def test_as_ada_says(url: str):
    ada = pytest.importorskip("ada_url", reason="ada-url is not installed (pip install ada-url)")
    try:
        ours = form(url)
    except InvalidURL:
        return
    whatwg = ada.URL(url)
    whatwg.hash = ""
    assert ours == _as_sent(whatwg.href.removesuffix("#"))
