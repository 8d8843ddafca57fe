"""hosts.py: authorities taken apart, and IDNA."""

import contextlib
import sys
import unicodedata
from collections.abc import Callable

import idna
import pytest

from hyperlite.messages import hosts
from hyperlite.messages.hosts import ascii_host, ascii_host_of_2003, checked_host, split

WithoutIdna = Callable[[], None]


@pytest.fixture
def without_idna(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    monkeypatch.setitem(sys.modules, "idna", None)
    hosts._a_name.cache_clear()


@pytest.mark.parametrize(
    ("authority", "parts"),
    [
        ("example.org", (None, "example.org", None)),
        ("Example.ORG:8443", (None, "example.org", 8443)),
        ("example.org:", (None, "example.org", None)),
        ("example.org:0080", (None, "example.org", 80)),
        ("example.org:65535", (None, "example.org", 65535)),
        ("example.org.", (None, "example.org.", None)),
        ("a_b.-c-.example", (None, "a_b.-c-.example", None)),
        ("u:p:q@example.org:1", ("u:p:q", "example.org", 1)),
        ("@example.org", ("", "example.org", None)),
        ("\xe4:%40@example.org", ("\xe4:%40", "example.org", None)),
        ("127.0.0.1:1", (None, "127.0.0.1", 1)),
        ("0.0.0.0", (None, "0.0.0.0", None)),
        ("[::1]", (None, "::1", None)),
        ("u@[::1]:80", ("u", "::1", 80)),
        ("[::1]:", (None, "::1", None)),
        ("[0:0:0:0:0:0:0:1]", (None, "::1", None)),
        ("[2001:DB8::0001]", (None, "2001:db8::1", None)),
        ("[::ffff:127.0.0.1]", (None, "::ffff:7f00:1", None)),
        ("[::1:80]", (None, "::1:80", None)),  # glibc: ::0.1.0.128
        ("[1:0:0:2:0:0:0:3]", (None, "1:0:0:2::3", None)),
        ("[fe80::1%25eth0]", (None, "fe80::1%eth0", None)),
        ("[fe80::1%eth0]:80", (None, "fe80::1%eth0", 80)),
        ("x" * 63 + ".example", (None, "x" * 63 + ".example", None)),
        ("xn--fa-hia.example", (None, "xn--fa-hia.example", None)),
        ("a.1b", (None, "a.1b", None)),
        ("1.2.3.4.example", (None, "1.2.3.4.example", None)),
        ("b\xfccher\u3002example", (None, "xn--bcher-kva.example", None)),
    ],
)
def test_parts(authority: str, parts: tuple[str | None, str, int | None]) -> None:
    assert split(authority) == parts


REFUSED = [
    # Text around an address in brackets: Python before 3.11.4 and 3.12 drops it.
    "good.example[::1]",
    "good.example[::1]:8443",
    "[::1]good.example",
    "[::1].good.example",
    "[::1]:80good.example",
    "[::1][::2]",
    "[[::1]]",
    "[::1",
    "::1]",
    "::1",
    "[]",
    "[good.example]",
    "[127.0.0.1]",
    "[v1.x]",
    "[::1%]",
    "[::1%25]",
    "[::1%25a/b]",
    "[::1%25a]b]",
    "[::1 ]",
    "[::g]",
    "[:::1]",
    # More than one "@", and what looks like a host before it.
    "good.example@a@evil.example",
    "[::1]@evil.example",
    "good.example\\@evil.example",
    "evil.example\\.good.example",
    "good.example @evil.example",
    "good.example/@evil.example",
    "good.example#@evil.example",
    "good.example?@evil.example",
    "good.example\uff0f@evil.example",
    "good.example\uff20a@evil.example",
    "good.example\u3000@evil.example",
    "good.example\t@evil.example",
    "a\uff20evil.example",
    # Ports that int() takes, and others.
    "example.org:+80",
    "example.org:-1",
    "example.org: 80",
    "example.org:80 ",
    "example.org:8_0",
    "example.org:\u0668\u0660",
    "example.org:\xb2",
    "example.org:65536",
    "example.org:0",
    "example.org:00",
    "example.org:" + "9" * 5000,
    "example.org:80:80",
    "example.org:x",
    "example.org:0x50",
    # Names.
    "",
    ":80",
    "user@",
    ".",
    "..",
    ".example.org",
    "example..org",
    "example.org..",
    "x" * 64 + ".example",
    ".".join(["x" * 49] * 6),
    "exam ple.org",
    "exam\tple.org",
    "exam\nple.org",
    "exam\0ple.org",
    "exam%70le.org",
    "example.org%00",
    "%31%32%37.0.0.1",
    "example.org%2f.evil.example",
    "a|b",
    "a<b",
    "a^b",
    'a"b',
    "a`b",
    "a{b}",
    "a,b",
    "a;b",
    "a=b",
    "a&b",
    # Numbers: 127.0.0.1 to browsers and to the resolver.
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f.1",
    "0x7F000001",
    "0177.0.0.1",
    "127.0.0.01",
    "127.0.0.1.",
    "0x7f.0.0.0x1",
    "017700000001",
    "0",
    "0x",
    "1.2.3.256",
    "1.2.3.4.5",
    "a.1",
    "a.0x1",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021",
    "\u2460.0.0.1",
    # IDNA.
    "exa\u2100mple.org",
    "a\xa0b",
    "b\xfccher..example",
    ".b\xfccher",
    "\xad",
    "fa\u1e9e.example",
    "x" * 63 + "\xfc.example",
    "\xfc" * 5000,
    "xn--\xfc.example",
]


@pytest.mark.parametrize("authority", REFUSED, ids=lambda authority: ascii(authority[:40]))
def test_what_is_refused(authority: str) -> None:
    with pytest.raises(ValueError):
        split(authority)


@pytest.mark.usefixtures("without_idna")
@pytest.mark.parametrize("authority", REFUSED, ids=lambda authority: ascii(authority[:40]))
def test_what_is_refused_without_idna(authority: str) -> None:
    with pytest.raises(ValueError):
        split(authority)


# IDNA of 2003 makes the third name of these, which is another host; or none.
OF_2008 = [
    ("fa\xdf.example", "xn--fa-hia.example", "fass.example"),
    ("FA\xdf.example", "xn--fa-hia.example", "fass.example"),
    ("\u03b2\u03cc\u03bb\u03bf\u03c2.example", "xn--nxasmm1c.example", "xn--nxasmq6b.example"),
    ("\u0dc1\u0dca\u200d\u0dbb\u0dd3.example", "xn--10cl1a0b660p.example", "xn--10cl1a0b.example"),
    (
        "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example",
        "xn--mgba3gch31f060k.example",
        "xn--mgba3gch31f.example",
    ),
    ("\U0002f868.example", "xn--snl.example", "xn--j74i.example"),
    ("a\u115fb.example", "ab.example", "xn--ab-iuk.example"),
]
# And these are the same by both.
OF_BOTH = [
    ("b\xfccher.example", "xn--bcher-kva.example"),
    ("B\xdcCHER.example.", "xn--bcher-kva.example."),
    ("\u4f8b\u3048.\u30c6\u30b9\u30c8", "xn--r8jz45g.xn--zckzah"),
    ("\u2603.example", "xn--n3h.example"),
    ("\u0440\u0444.example", "xn--p1ai.example"),
    ("b\xfccher\uff0eexample", "xn--bcher-kva.example"),
    ("bu\u0308cher.example", "xn--bcher-kva.example"),
    ("\uff45xample.org", "example.org"),
]


@pytest.mark.parametrize(("host", "name", "of_2003"), OF_2008)
def test_idna_of_2008(host: str, name: str, of_2003: str) -> None:
    assert ascii_host(host) == name
    assert ascii_host_of_2003(host) == of_2003


@pytest.mark.parametrize(("host", "name"), OF_BOTH)
def test_idna_of_both(host: str, name: str) -> None:
    assert ascii_host(host) == ascii_host_of_2003(host) == name


@pytest.mark.usefixtures("without_idna")
class TestWithoutThePackage:
    @pytest.mark.parametrize("host", [host for host, _, _ in OF_2008] + ["a\u2024b.example"])
    def test_a_name_that_may_be_two_is_refused(self, host: str) -> None:
        with pytest.raises(ValueError, match=r"install .*hyperlite-http\[idna\]"):
            ascii_host(host)

    @pytest.mark.parametrize(("host", "name"), OF_BOTH)
    def test_a_name_that_is_one_is_taken(self, host: str, name: str) -> None:
        assert ascii_host(host) == name

    @pytest.mark.parametrize("block", range(0x80, 0x3000, 0x800))
    def test_what_is_taken_is_what_the_package_makes(self, block: int) -> None:
        """Of every letter that Unicode had in 2002, in these blocks; all others were tried by hand."""
        taken = 0
        for code in range(block, min(block + 0x800, 0x3000)):
            for host in (f"a{chr(code)}b", f"{chr(code)}\u03b1"):
                if unicodedata.ucd_3_2_0.category(chr(code)) in {"Cn", "Co", "Cs"}:
                    continue
                try:
                    name = hosts._of_both(host)
                except ValueError:
                    continue
                taken += 1
                with contextlib.suppress(ValueError):  # where the package refuses it there is no other host
                    assert hosts._of_2008(idna, host) == name, hex(code)
        assert taken > 100


def test_ascii_is_left_as_it_is() -> None:
    """http.client's callers may name what is no name in DNS."""
    assert ascii_host("Example.ORG") == "Example.ORG"
    assert ascii_host("/var/run/x") == "/var/run/x"


@pytest.mark.parametrize("host", ["evil.example\uff0fx", "evil.example\u2100", "a\uff20b", "\uff1a"])
def test_idna_of_2003_brings_in_no_delimiters(host: str) -> None:
    with pytest.raises(ValueError):
        ascii_host_of_2003(host)


def test_a_host_of_a_url() -> None:
    assert checked_host("[::1]") == "::1"
    assert checked_host("LOCALHOST") == "localhost"
