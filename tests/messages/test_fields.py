"""fields.py: nothing that comes from a caller reaches the wire unchecked."""

import enum
import http.client
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperlite.messages import fields
from hyperlite.messages.fields import (
    CONNECTION_FIELDS,
    authority,
    header_fields,
    host_bytes,
    is_field_name,
    is_response_value,
    method_bytes,
    name_bytes,
    request_fields,
    target_bytes,
    to_message,
    value_bytes,
)

CONTROLS = [chr(code) for code in (*range(0x20), 0x7F)]
LINE_BREAKING = ["\r", "\n", "\0", "\r\n", "\r\nx: y", "\n\n", "\r\n\r\n"]


def everywhere(text: str) -> list[str]:
    """Put a text at the start, in the middle and at the end of a harmless one."""
    return [text + "ab", "a" + text + "b", "ab" + text]


def fields_of(
    headers: dict[Any, Any] | None = None, *, method: str = "GET", target: str = "/", host: bytes = b"host"
) -> list[tuple[bytes, bytes]]:
    return request_fields(method, target, b"https", host, header_fields((headers or {}).items()))


def putheader(name: str, value: Any) -> None:
    """Check a header as http.client does."""
    conn = http.client.HTTPConnection("localhost")
    conn.putrequest("GET", "/")
    conn.putheader(name, value)


class TestMethod:
    @pytest.mark.parametrize("method", ["GET", "get", "M-SEARCH", "!#$%&'*+-.^_`|~09aZ"])
    def test_a_token(self, method: str) -> None:
        assert method_bytes(method) == method.encode()

    @pytest.mark.parametrize(
        "method", [text for bad in [*CONTROLS, *LINE_BREAKING, " "] for text in everywhere(bad)]
    )
    def test_controls_and_spaces(self, method: str) -> None:
        with pytest.raises(ValueError, match="method can't contain control characters"):
            method_bytes(method)

    @pytest.mark.parametrize("method", ["", "G:T", "G/T", "G(T", "G\xe9T", "G\u2028T", "\udc80", ":method"])
    def test_what_is_no_token(self, method: str) -> None:
        with pytest.raises(ValueError, match="method can't contain"):
            method_bytes(method)


class TestTarget:
    @pytest.mark.parametrize("target", ["/", "/a?b=c&d=%20", "*", "/%E2%82%AC", "/a/../b;p=1", '/\\"<>^`{|}'])
    def test_ascii_is_sent_as_it_is(self, target: str) -> None:
        assert target_bytes(target) == target.encode()

    @pytest.mark.parametrize(
        "target", ["/" + text for bad in [*CONTROLS, *LINE_BREAKING, " "] for text in everywhere(bad)]
    )
    def test_controls_and_spaces(self, target: str) -> None:
        with pytest.raises(http.client.InvalidURL, match="control characters"):
            target_bytes(target)

    def test_the_error_shows_what_is_wrong(self) -> None:
        with pytest.raises(http.client.InvalidURL, match=r"'/a\\r\\nb' \(found at least '\\r'\)"):
            target_bytes("/a\r\nb")

    @pytest.mark.parametrize("target", ["/\xe9", "/\u20ac", "/\u2028", "/\uff0f", "/\udc80"])
    def test_not_ascii(self, target: str) -> None:
        with pytest.raises(UnicodeEncodeError):
            target_bytes(target)


class TestHost:
    @pytest.mark.parametrize(
        ("host", "encoded"),
        [
            ("example.org", b"example.org"),
            ("EXAMPLE.org", b"EXAMPLE.org"),
            ("b\xfccher.example", b"xn--bcher-kva.example"),
            ("\u4f8b\u3048.\u30c6\u30b9\u30c8", b"xn--r8jz45g.xn--zckzah"),
            ("fe80::1%eth0", b"fe80::1%eth0"),
        ],
    )
    def test_names(self, host: str, encoded: bytes) -> None:
        assert host_bytes(host) == encoded

    @pytest.mark.parametrize(
        "host", [text for bad in [*CONTROLS, *LINE_BREAKING, " "] for text in everywhere(bad)]
    )
    def test_controls_and_spaces(self, host: str) -> None:
        with pytest.raises(http.client.InvalidURL, match="control characters"):
            host_bytes(host)

    @pytest.mark.parametrize("host", ["user@a.example", "a.example/b", "a.example\\b", "a.example?b", "a#b"])
    def test_more_than_a_host(self, host: str) -> None:
        with pytest.raises(http.client.InvalidURL, match=r"has .* in it"):
            host_bytes(host)

    @pytest.mark.parametrize("host", ["\u2028.example", "x" * 64 + "\xfc.example", "a..\xfc"])
    def test_no_idna_name(self, host: str) -> None:
        with pytest.raises(ValueError):
            host_bytes(host)

    @pytest.mark.parametrize(
        ("host", "smuggled"),
        [
            pytest.param("a\xa0b.example", " ", id="no-break space"),
            pytest.param("a\u3000b.example", " ", id="ideographic space"),
            pytest.param("a\xb4b.example", " ", id="acute accent, which has a space in it"),
            pytest.param("evil.example\uff0f.example.org", "/", id="fullwidth solidus"),
            pytest.param("evil.example\uff1f.example.org", "?", id="fullwidth question mark"),
            pytest.param("evil.example\uff03.example.org", "#", id="fullwidth number sign"),
            pytest.param("user\uff20evil.example", "@", id="fullwidth commercial at"),
            pytest.param("evil.example\uff1a8080", ":", id="fullwidth colon"),
            pytest.param("evil.example\u2100.example.org", "/", id="account of: a/c"),
        ],
    )
    def test_idna_brings_in_no_delimiters(self, host: str, smuggled: str) -> None:
        """Nameprep turns them into ASCII; urllib.parse refuses these since CVE-2019-9636."""
        with pytest.raises(ValueError):
            host_bytes(host)


class TestAuthority:
    @pytest.mark.parametrize(
        ("host", "port", "encoded"),
        [
            ("example.org", 443, b"example.org"),
            ("example.org", None, b"example.org"),
            ("example.org", 80, b"example.org:80"),
            ("example.org", 8443, b"example.org:8443"),
            ("127.0.0.1", 8443, b"127.0.0.1:8443"),
            ("::1", 443, b"[::1]"),
            ("::1", 8443, b"[::1]:8443"),
            ("[::1]", 8443, b"[::1]:8443"),
            ("fe80::1%eth0", 8443, b"[fe80::1]:8443"),
            ("[fe80::1%eth0]", 443, b"[fe80::1]"),
            ("2001:DB8::0", 443, b"[2001:DB8::0]"),
            ("b\xfccher.example", 8443, b"xn--bcher-kva.example:8443"),
        ],
    )
    def test_authority(self, host: str, port: int | None, encoded: bytes) -> None:
        assert authority(host, port, 443) == encoded

    @pytest.mark.parametrize("port", [float("inf"), float("-inf")])
    def test_a_port_without_end(self, port: Any) -> None:
        with pytest.raises(http.client.InvalidURL, match="inf is no port"):
            authority("a", port, 443)

    @pytest.mark.parametrize("host", ["a b", "a\r\nb", "a\0b"])
    def test_controls_and_spaces(self, host: str) -> None:
        with pytest.raises(http.client.InvalidURL):
            authority(host, 443, 443)

    @pytest.mark.parametrize(
        "host",
        [
            "good.example[::1]",
            "[::1]good.example",
            "[::1",
            "::1]",
            "[::1][::2]",
            "[a]",
            "a:b",
            "[]",
            "[[::1]]",
        ],
    )
    def test_text_around_an_address(self, host: str) -> None:
        with pytest.raises(http.client.InvalidURL):
            authority(host, 443, 443)


class TestName:
    @pytest.mark.parametrize(
        ("name", "encoded"),
        [("X-Request-ID", b"x-request-id"), (b"ETag", b"etag"), ("a!#$%&'*+-.^_`|~9", b"a!#$%&'*+-.^_`|~9")],
    )
    def test_tokens_in_lower_case(self, name: str | bytes, encoded: bytes) -> None:
        assert name_bytes(name) == encoded

    @pytest.mark.parametrize(
        "name", [text for bad in [*CONTROLS, *LINE_BREAKING, " "] for text in everywhere(bad)]
    )
    @pytest.mark.parametrize("form", [str, str.encode])
    def test_controls_and_spaces(self, name: str, form: Callable[[str], str | bytes]) -> None:
        with pytest.raises(ValueError, match="Invalid header name"):
            name_bytes(form(name))

    @pytest.mark.parametrize(
        "name", ["", b"", "a:b", ":authority", ":path", "a/b", "a\xe9", "a\u20ac", b"a\xe9"]
    )
    def test_what_is_no_token(self, name: str | bytes) -> None:
        with pytest.raises(ValueError, match="Invalid header name"):
            name_bytes(name)

    @pytest.mark.parametrize("name", [None, 5, 1.0, ("a",)])
    def test_other_types(self, name: Any) -> None:
        """`bytes(5)` is five NULs, and `bytes(10 ** 12)` a terabyte of them."""
        with pytest.raises(TypeError):
            name_bytes(name)
        with pytest.raises((TypeError, AttributeError)):
            putheader(name, "x")


class TestValue:
    @pytest.mark.parametrize(
        ("value", "encoded"),
        [
            ("text", b"text"),
            ("", b""),
            (b"bytes", b"bytes"),
            ("caf\xe9", b"caf\xe9"),
            ("\u20ac".encode(), b"\xe2\x82\xac"),
            ("a\tb c", b"a\tb c"),
            (42, b"42"),
            (-1, b"-1"),
            (enum.IntEnum("Level", {"HIGH": 3}).HIGH, b"3"),
        ],
    )
    def test_forms(self, value: Any, encoded: bytes) -> None:
        assert value_bytes(value) == encoded

    @pytest.mark.parametrize("value", [" a", "a ", "\ta\t", "  a  ", b" a "])
    def test_space_around_it_is_no_part_of_it(self, value: str | bytes) -> None:
        """RFC 9113 section 8.2.1: a value with white space at either end is malformed."""
        assert value_bytes(value) == b"a"

    @pytest.mark.parametrize(
        "value",
        [text for bad in CONTROLS if bad != "\t" for text in everywhere(bad)] + ["a\r\nb: c", "a\n\rb"],
    )
    @pytest.mark.parametrize("form", [str, str.encode])
    def test_controls(self, value: str, form: Callable[[str], str | bytes]) -> None:
        with pytest.raises(ValueError, match="Invalid header value"):
            value_bytes(form(value))

    @pytest.mark.parametrize(
        ("value", "encoded"),
        [
            ("a\r\n b", b"a b"),
            ("a\r\n\tb", b"a b"),
            ("a\n b", b"a b"),
            ("a\r\n \t b\r\n c", b"a b c"),
            (b"a\r\n b", b"a b"),
        ],
    )
    def test_a_folded_line_is_unfolded(self, value: str | bytes, encoded: bytes) -> None:
        assert value_bytes(value) == encoded

    @pytest.mark.parametrize("value", ["\r\n a", "\r\n\ta", "\n a", "\r\n \r\n a"])
    def test_a_fold_before_the_value_leaves_no_space(self, value: str) -> None:
        """http.client takes these; on HTTP/2 a leading space would make the request malformed."""
        putheader("a", value)
        assert value_bytes(value) == b"a"

    @pytest.mark.parametrize("value", ["a\r\nb", "a\r\n\r\n b", "a\r\n", "a\r\n \r\nb", "a\r\n\0b"])
    def test_a_line_that_is_not_folded(self, value: str) -> None:
        with pytest.raises(ValueError, match="Invalid header value"):
            value_bytes(value)

    def test_not_latin_1(self) -> None:
        with pytest.raises(UnicodeEncodeError):
            value_bytes("\u20ac")

    @pytest.mark.parametrize("value", [None, 1.5, ["a"], object(), {}])
    def test_other_types(self, value: Any) -> None:
        with pytest.raises(TypeError, match="a header value is str, bytes or int"):
            value_bytes(value)
        with pytest.raises(TypeError):
            putheader("a", value)

    @pytest.mark.parametrize("value", [True, False])
    def test_a_bool_is_written_as_http_client_writes_it(self, value: bool) -> None:
        conn = http.client.HTTPConnection("localhost")
        conn.putrequest("GET", "/")
        conn.putheader("a", value)
        assert conn._buffer[-1] == b"a: " + value_bytes(value)

    @given(st.one_of(st.text(st.characters(max_codepoint=0xFF), max_size=30), st.binary(max_size=30)))
    def test_whatever_comes_out_may_be_sent(self, value: str | bytes) -> None:
        try:
            encoded = value_bytes(value)
        except ValueError:
            return
        assert is_response_value(encoded)
        assert not set(encoded) & {*range(0x09), *range(0x0A, 0x20), 0x7F}


class TestRequestFields:
    def test_secrets_are_remembered_nowhere(self) -> None:
        before = fields._remembered_value.cache_info()
        for name in ("Authorization", "cookie", b"Proxy-Authorization"):
            assert header_fields([(name, "secret")])[0][1] == b"secret"
        assert fields._remembered_value.cache_info() == before
        header_fields([("accept", "anything, for once")])
        assert fields._remembered_value.cache_info() != before

    def test_pseudo_header_fields_come_first_and_the_rest_in_order(self) -> None:
        assert fields_of({"X-B": "1", "A": "2"}, method="PUT", target="/p?q") == [
            (b":method", b"PUT"),
            (b":scheme", b"https"),
            (b":authority", b"host"),
            (b":path", b"/p?q"),
            (b"x-b", b"1"),
            (b"a", b"2"),
        ]

    def test_no_target_is_the_root(self) -> None:
        assert (b":path", b"/") in fields_of(target="")

    def test_fields_may_repeat(self) -> None:
        headers = http.client.HTTPMessage()
        headers["Cookie"] = "a=1"
        headers["Cookie"] = "b=2"
        assert fields_of(headers)[4:] == [(b"cookie", b"a=1"), (b"cookie", b"b=2")]

    def test_two_hosts(self) -> None:
        with pytest.raises(ValueError, match="more than one Host"):
            fields_of({"Host": "a", "host": "b"})

    @pytest.mark.parametrize("name", ["Host", "HOST", b"host"])
    def test_host_becomes_the_authority(self, name: str | bytes) -> None:
        assert fields_of({name: "other:8080", "a": "b"}) == [
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", b"other:8080"),
            (b":path", b"/"),
            (b"a", b"b"),
        ]

    @pytest.mark.parametrize("host", ["a\r\nb", "a\0b", "a\nb"])
    def test_a_host_that_breaks_the_line(self, host: str) -> None:
        with pytest.raises(ValueError, match="Invalid header value"):
            fields_of({"Host": host})

    @pytest.mark.parametrize(
        ("target", "scheme", "host", "path"),
        [
            ("http://other/p?q=1", b"http", b"other", b"/p?q=1"),
            ("https://other:8443/", b"https", b"other:8443", b"/"),
            ("http://other", b"http", b"other", b"/"),
            ("http://other?q", b"http", b"other", b"/?q"),
            ("http://user:secret@other/p", b"http", b"other", b"/p"),
            ("http://[::1]:80/p", b"http", b"[::1]:80", b"/p"),
            ("http://other/p#fragment", b"http", b"other", b"/p"),
            ("http://other/p;a=b", b"http", b"other", b"/p;a=b"),
        ],
    )
    def test_an_absolute_target_brings_its_own_origin(
        self, target: str, scheme: bytes, host: bytes, path: bytes
    ) -> None:
        assert fields_of(target=target) == [
            (b":method", b"GET"),
            (b":scheme", scheme),
            (b":authority", host),
            (b":path", path),
        ]

    def test_a_host_field_wins_over_an_absolute_target(self) -> None:
        assert (b":authority", b"field") in fields_of({"Host": "field"}, target="http://target/p")

    @pytest.mark.parametrize("name", sorted(CONNECTION_FIELDS))
    @pytest.mark.parametrize("spelling", [bytes, bytes.title, bytes.upper])
    def test_what_belongs_to_an_http_1_connection_is_dropped(
        self, name: bytes, spelling: Callable[[bytes], bytes]
    ) -> None:
        assert fields_of({spelling(name): "chunked", "a": "b"})[4:] == [(b"a", b"b")]

    def test_the_fields_that_rfc_9113_names_are_among_them(self) -> None:
        assert {
            b"connection",
            b"proxy-connection",
            b"keep-alive",
            b"transfer-encoding",
            b"upgrade",
        } == CONNECTION_FIELDS

    @pytest.mark.parametrize(
        ("value", "kept"),
        [("trailers", True), ("Trailers", True), ("gzip", False), ("trailers, gzip", False), ("", False)],
    )
    def test_of_te_only_trailers_remains(self, value: str, kept: bool) -> None:
        assert (b"te" in dict(fields_of({"TE": value}))) is kept

    def test_connect_has_an_authority_and_no_path(self) -> None:
        """RFC 9113 section 8.5."""
        assert fields_of({"a": "b"}, method="CONNECT", target="other:443") == [
            (b":method", b"CONNECT"),
            (b":authority", b"other:443"),
            (b"a", b"b"),
        ]

    @pytest.mark.parametrize("target", ["a\r\nb:443", "a b:443", "a\0:443"])
    def test_connect_checks_its_target_too(self, target: str) -> None:
        with pytest.raises(http.client.InvalidURL):
            fields_of(method="CONNECT", target=target)

    @given(
        method=st.text(st.characters(max_codepoint=0x100), max_size=8),
        target=st.text(st.characters(max_codepoint=0x100), max_size=8),
        name=st.text(st.characters(max_codepoint=0x100), max_size=8),
        value=st.text(st.characters(max_codepoint=0x100), max_size=8),
    )
    def test_whatever_is_let_through_has_one_line_a_field(
        self, method: str, target: str, name: str, value: str
    ) -> None:
        try:
            fields = fields_of({name: value}, method=method, target=target)
        except (ValueError, http.client.InvalidURL):
            return
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        assert lines.count(b"\r") == lines.count(b"\n") == len(fields)
        assert b"\0" not in lines


class TestIncoming:
    @pytest.mark.parametrize("name", [b"a", b"x-9", b"!#$%&'*+-.^_`|~"])
    def test_names(self, name: bytes) -> None:
        assert is_field_name(name)

    @pytest.mark.parametrize(
        "name", [b"", b"A", b"aB", b"a b", b"a:", b":a", b"a\r", b"a\n", b"a\0", b"\x7f", b"\xe9"]
    )
    def test_bad_names(self, name: bytes) -> None:
        assert not is_field_name(name)

    @pytest.mark.parametrize("value", [b"", b"a", b"a b\tc", b"\xe9", b"\x01", b"a" * 10000])
    def test_values(self, value: bytes) -> None:
        assert is_response_value(value)

    @pytest.mark.parametrize("value", [b" a", b"a ", b"\ta", b"a\t", b"a\rb", b"a\nb", b"a\0b", b" ", b"\t"])
    def test_bad_values(self, value: bytes) -> None:
        assert not is_response_value(value)

    def test_to_message(self) -> None:
        message = to_message(
            [(b":status", b"200"), (b"set-cookie", b"a=1"), (b"x", b"caf\xe9"), (b"set-cookie", b"b=2")]
        )
        assert type(message) is http.client.HTTPMessage
        assert message.items() == [("set-cookie", "a=1"), ("x", "caf\xe9"), ("set-cookie", "b=2")]
        assert message.get_all("Set-Cookie") == ["a=1", "b=2"]
