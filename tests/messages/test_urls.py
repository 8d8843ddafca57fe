"""URLs, as people paste them."""

import contextlib
import time
from http.client import InvalidURL

import pytest

from hyperlite.messages.urls import join, parse, without_credentials

from .test_hosts import REFUSED


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://example.org", "example.org", 443, "/"),
        ("http://example.org", "example.org", 80, "/"),
        ("https://example.org:8443/a?b=c", "example.org", 8443, "/a?b=c"),
        ("https://example.org?b=c", "example.org", 443, "/?b=c"),
        ("HTTPS://EXAMPLE.org/A", "example.org", 443, "/A"),
        ("  https://example.org/ ", "example.org", 443, "/"),
        ("https://example.org/#part", "example.org", 443, "/"),
        ("https://example.org/a b", "example.org", 443, "/a%20b"),
        ("https://example.org/ä?ö=ü", "example.org", 443, "/%C3%A4?%C3%B6=%C3%BC"),
        ("https://example.org/100%/%41%zz", "example.org", 443, "/100%25/%41%25zz"),
        ('https://example.org/"<>\\^`{}', "example.org", 443, "/%22%3C%3E%5C%5E%60%7B%7D"),
        ("https://example.org/a/../b/./c/..", "example.org", 443, "/b/"),
        ("https://example.org/../..", "example.org", 443, "/"),
        ("https://example.org/.well-known/x", "example.org", 443, "/.well-known/x"),
        ("https://example.org/a//b?//../", "example.org", 443, "/a//b?//../"),
        ("https://example.org/?", "example.org", 443, "/?"),
        ("https://bücher.example/", "xn--bcher-kva.example", 443, "/"),
        ("https://127.0.0.1/", "127.0.0.1", 443, "/"),
        ("https://[::1]/", "::1", 443, "/"),
        ("https://[::1]:8443/", "::1", 8443, "/"),
        ("https://[fe80::1%25eth0]/", "fe80::1%eth0", 443, "/"),
        ("https://example.org:/", "example.org", 443, "/"),
        ("https://example.org:080/", "example.org", 80, "/"),
        ("https://a_b.example/", "a_b.example", 443, "/"),
        ("https://example.org./", "example.org.", 443, "/"),
    ],
)
def test_parts(url: str, host: str, port: int, target: str):
    parsed = parse(url)
    assert (parsed.host, parsed.port, parsed.target) == (host, port, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org/",
        "ftp://example.org/",
        "https://",
        "https:///path",
        "https://:443/",
        "https://example.org:x/",
        "https://example.org:65536/",
        "https://example.org:-1/",
        "https://[::1/",
        "https://[example]/",
        "https://exa mple.org/",
        "https://good.example\\@evil.example/",
        "https://example.org/\r\nX: y",
        "https://example.org/\x00",
        "https://example.org/\ud800",
        "https://\ud800@example.org/",
        "https://\ud800.example/",
        "https://exa\u2100mple.org/",
        "https://exa%2fmple.org/",
        "javascript:alert(1)",
    ],
)
def test_what_is_refused(url: str):
    with pytest.raises(InvalidURL):
        parse(url)


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("https://a:b@example.org/", b"a:b"),
        ("https://a@example.org/", b"a:"),
        ("https://a:b:c@example.org/", b"a:b:c"),
        ("https://a%40x:p%3Aq@example.org/", b"a@x:p:q"),
        ("https://ä:ö@example.org/", "ä:ö".encode()),
        ("https://example.org/", None),
        ("https://example.org/@", None),
    ],
)
def test_credentials_are_taken_out(url: str, user: bytes | None):
    parsed = parse(url)
    assert parsed.user == user
    assert "@" not in parsed.netloc
    assert "@example" not in str(parsed)


@pytest.mark.parametrize(
    ("params", "target"),
    [
        ({"a": 1, "b": "x y"}, "/?q=0&a=1&b=x+y"),
        ({"a": [1, 2]}, "/?q=0&a=1&a=2"),
        ({"a": None}, "/?q=0"),
        ([("a", 1), ("a", 2)], "/?q=0&a=1&a=2"),
        ("a=%20", "/?q=0&a=%20"),
        (b"a=b", "/?q=0&a=b"),
        ({}, "/?q=0"),
        ({"ä": "ö"}, "/?q=0&%C3%A4=%C3%B6"),
    ],
)
def test_params_join_the_query(params: object, target: str):
    assert parse("https://example.org/?q=0#f", params).target == target
    assert parse("https://example.org/?q=0#f", params).fragment == "f"


@pytest.mark.parametrize(
    ("location", "result"),
    [
        ("/x", "https://example.org/x#old"),
        ("x", "https://example.org/a/x#old"),
        ("../x", "https://example.org/x#old"),
        ("?x", "https://example.org/a/b?x#old"),
        ("#new", "https://example.org/a/b?q#new"),
        ("/x#new", "https://example.org/x#new"),
        ("//other.example/x", "https://other.example/x#old"),
        ("http://other.example", "http://other.example/#old"),
        ("/ä".encode().decode("latin-1"), "https://example.org/%C3%A4#old"),
        ("/\xe4", "https://example.org/%C3%A4#old"),
        ("/a b", "https://example.org/a%20b#old"),
        ("https://example.org:443/", "https://example.org/#old"),
    ],
)
def test_where_a_location_points(location: str, result: str):
    assert str(join(parse("https://example.org/a/b?q#old"), location)) == result


@pytest.mark.parametrize("authority", REFUSED, ids=lambda authority: ascii(authority[:40]))
def test_two_parsers_read_one_host_or_none(authority: str):
    """What stands between "//" and the path names one host to every parser, in a Location too."""
    if not set("/?#") & set(authority):  # these begin the path
        with pytest.raises(InvalidURL):
            parse(f"https://{authority}/")
        for location in (f"https://{authority}/", f"//{authority}/x"):
            with pytest.raises(InvalidURL):
                join(parse("https://example.org/"), location.encode().decode("latin-1"))


@pytest.mark.parametrize(
    "location",
    [
        "\\\\evil.example/",
        "/\\evil.example/",
        "\\/evil.example/",
        "///evil.example/",
        "////evil.example/",
        "https:///evil.example/",
        "https:/evil.example/",
        "https:evil.example/",
        "HTTPS:\\\\evil.example/",
        "https:/\\evil.example/",
        "//",
        "https://",
        "//good.exa\tmple/",
        "//b\xfccher.example/",
        "/\x00",
        "javascript:alert(1)",
        "localhost:8080/",
    ],
)
def test_a_location_that_leads_to_two_places(location: str):
    with pytest.raises(InvalidURL):
        join(parse("https://example.org/a"), location)


@pytest.mark.parametrize(
    ("location", "result"),
    [
        ("", "https://example.org/a/b?q#old"),
        ("?", "https://example.org/a/b?#old"),
        ("#", "https://example.org/a/b?q"),
        (".", "https://example.org/a/#old"),
        ("./x/../y", "https://example.org/a/y#old"),
        ("1:2", "https://example.org/a/1:2#old"),
        ("x//evil.example", "https://example.org/a/x//evil.example#old"),
        ("x?//evil.example/../y", "https://example.org/a/x?//evil.example/../y#old"),
        ("//other.example", "https://other.example/#old"),
        ("//other.example?x", "https://other.example/?x#old"),
        ("//[0::1]:81/", "https://[::1]:81/#old"),
        ("HTTP://OTHER.example:80/", "http://other.example/#old"),
        ("//b\xfccher.example/".encode().decode("latin-1"), "https://xn--bcher-kva.example/#old"),
        ("/a\\b", "https://example.org/a%5Cb#old"),
    ],
)
def test_how_a_location_is_resolved(location: str, result: str):
    """RFC 3986 section 5.2.2."""
    assert str(join(parse("https://example.org/a/b?q#old"), location)) == result


@pytest.mark.parametrize("zone", ["eth0", "25", "250"])
def test_a_zone_is_the_same_when_it_is_read_again(zone: str):
    url = parse(f"https://[fe80::1%25{zone}]/")
    assert url.host == f"fe80::1%{zone}"
    assert parse(str(url)) == url


def test_credentials_do_not_come_from_the_base():
    assert join(parse("https://a:b@example.org/"), "/x").user is None
    assert join(parse("https://a:b@example.org/"), "//c@example.org/x").user == b"c:"


@pytest.mark.parametrize("host", ["x" * 63, "a-" * 31 + "b", "1.2.3.4", "a.b1", "1a"])
def test_hosts_on_the_short_way_and_on_the_long_one(host: str):
    assert parse(f"https://{host}:1/").host == parse(f"https://u@{host}:1/").host == host


def test_a_label_that_is_too_long_on_the_short_way():
    with pytest.raises(InvalidURL):
        parse("https://" + "a-" * 32 + "b/")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://remembered.exampl?", "http://remembered.exampl/?"),
        ("http://remembered.exampl", "http://remembered.exampl/"),
        ("http://remembered.example", "http://remembered.example/"),
        ("http://remembered.exampl:81/a", "http://remembered.exampl:81/a"),
        ("https://remembered.exampl/a", "https://remembered.exampl/a"),
        ("http://remembered.exampl/a b", "http://remembered.exampl/a%20b"),
        ("http://remembered.exampl/a/../b", "http://remembered.exampl/b"),
        ("http://remembered.exampl/a?b=/../c#d", "http://remembered.exampl/a?b=/../c#d"),
        ("http://remembered.exampl?a=/b", "http://remembered.exampl/?a=/b"),
    ],
)
def test_a_url_after_one_of_the_same_origin(url: str, text: str):
    assert str(parse("http://remembered.exampl/first")) == "http://remembered.exampl/first"
    assert str(parse(url)) == text


@pytest.mark.parametrize(
    "before", ["http://", "http://h.example/", "http://h.example/?", "http://h.example/#"]
)
@pytest.mark.parametrize(
    "piece", ["@", ":", "[", "%", ".", "a.", "\xe9", "/..", "../", "?", "1", " ", "\\", "%2e/"]
)
def test_the_time_for_a_url_grows_with_its_length_alone(before: str, piece: str):
    """Ten times the length would cost a hundred times as much if it grew with the square (CVE-2021-33503)."""

    def cost(count: int) -> float:
        url = before + piece * count
        start = time.thread_time()
        for take in (parse, lambda one: join(parse("http://base.example/a/b"), one)):
            with contextlib.suppress(InvalidURL):
                take(url)
        return time.thread_time() - start

    assert cost(20_000) < 60 * max(cost(2_000), 1e-3)


@pytest.mark.parametrize(
    "before", ["\x1e", "\0", "\ufeff", "\u200b", '"', "'", "<", "(", "\x0b ", "- ", "x\x1f"]
)
@pytest.mark.parametrize(
    "url", ["https://user:secret@h.example/", "//user:secret@h.example/", "ftp://u:secret@h/"]
)
def test_no_password_is_shown_of_a_url_with_something_before_it(before: str, url: str):
    for text in (before + url, before + url + "?a=b c\x00"):
        assert "secret" not in without_credentials(text)
        with pytest.raises(InvalidURL) as caught:
            parse(text)
        assert "secret" not in str(caught.value)
