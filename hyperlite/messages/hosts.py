"""Names of hosts: an authority taken apart so that no two parsers can read two hosts in it, and IDNA.

An authority (RFC 3986 section 3.2) is `userinfo@host:port`.  Parsers differ in how they read one
that breaks the grammar: text around a bracketed address, two "@", a backslash, "127.1".  If a filter reads
one host and the client asks another, the filter is of no use.  So all of these are errors here.

A name that is not ASCII becomes ASCII in one place, before it is resolved, before TLS names it and before
a request does, so that all three speak of the same host.  Browsers follow UTS 46 without its transitional
forms, which is IDNA of 2008: "faß.example" is xn--fa-hia.example.  Python's own codec follows IDNA of
2003, and makes fass.example of it: another host.  The package `idna` knows the new rules.  Without it a
name is accepted only if both versions give the same result.
"""

import functools
import re
import socket
from types import ModuleType
from typing import NamedTuple

# RFC 1035 section 2.3.4, without the dot that makes a name absolute.
_LONGEST_NAME = 253
LONGEST_LABEL = 63

# Texts, which re compiles when the first host needs them: few programs have one, and the import stays light.
_HOST_NAME = r"[0-9A-Za-z._-]+"
# Further characters of a name; a port; an address in brackets.
_REG_NAME = r"[0-9a-z._~-]+"
_PORT = r"0*([0-9]{0,5})"
_BRACKETED = r"\[([0-9A-Fa-f:.]+)(?:%(?:25|(?!25))([0-9A-Za-z._~-]+))?\]"
_DOTTED_QUAD = r"(0|[1-9][0-9]{0,2})(?:\.(0|[1-9][0-9]{0,2})){3}"
# WHATWG URL section 3.5: a host whose last label is such a number is an IPv4 address, or none.
_ENDS_IN_NUMBER = r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?"
_NOT_IN_AUTHORITY = r"[\x00-\x20\x7f\\/?#]|\s"
_NOT_IN_USERINFO = r"[\x00-\x20\x7f\\/?#@\[\]]|\s"

# UTS 46 section 4, deviation characters: IDNA of 2003 converts them to others, or drops them.
_DEVIATIONS = frozenset("\xdf\u03c2\u200c\u200d")
_JOINERS = frozenset("\u200c\u200d")
# UTS 46 makes "ss" of it up to Unicode 15.0 and "\xdf" since 15.1, and both are in use: two hosts.
_CAPITAL_SHARP_S = "\u1e9e"
# Kept by one version and dropped by the other: fillers of Hangul, inherent vowels of Khmer.
_FILLERS = frozenset("\u115f\u1160\u17b4\u17b5")
_DOTS = "[.\u3002\uff0e\uff61]"


class Authority(NamedTuple):
    """An authority taken apart."""

    userinfo: str | None  # as it was given
    host: str  # in lower case and ASCII; IPv6 without brackets, in its shortest form
    port: int | None


def split(authority: str) -> Authority:
    """Take an authority apart.

    Args:
        authority: `userinfo@host:port`, of which only the host must be there.

    Raises:
        ValueError: it is invalid, or parsers may read it in different ways.
    """
    userinfo, at, rest = authority.rpartition("@")
    if at and (
        found := re.search(_NOT_IN_USERINFO, userinfo if userinfo.isascii() else _compatible(userinfo))
    ):
        raise ValueError(f"{found.group()!r} before the host must be quoted")
    if found := re.search(_NOT_IN_AUTHORITY, rest):
        raise ValueError(f"{found.group()!r} in {rest!r}")
    if rest[:1] == "[":
        host, bracket, port = rest.partition("]")
        host += bracket
        if port[:1] not in {"", ":"}:
            raise ValueError(f"text behind the address in {rest!r}")
        port = port[1:]
    else:
        host, _, port = rest.partition(":")
    return Authority(userinfo if at else None, checked_host(host), _port(port))


def checked_host(host: str) -> str:
    """Return a host of a URL in lower case and ASCII; an IPv6 address without its brackets.

    Raises:
        ValueError: it is no valid host.
    """
    if host[:1] == "[":
        return _address(host)
    name = ascii_host(host).lower()
    if not re.fullmatch(_REG_NAME, name):
        raise ValueError(f"host {host!r} is no name" if host else "there is no host")
    _check_lengths(name)
    # Browsers and the resolver read "127.1", "0x7f.1", "2130706433" and fullwidth digits as 127.0.0.1; other
    # programs read them as names.
    if re.fullmatch(_ENDS_IN_NUMBER, name) and not (_is_ipv4(name) and host.isascii()):
        raise ValueError(f"host {host!r} ends in a number, and is no IPv4 address of four decimal numbers")
    return name


def ascii_host(host: str) -> str:
    """Return a host in ASCII. One that is ASCII already is returned unchanged and unchecked.

    Raises:
        ValueError: IDNA has no form for it; or, without the package `idna`, it may have two.
    """
    return host if host.isascii() else _a_name(host)


def ascii_host_of_2003(host: str) -> str:
    """Return a host in ASCII as http.client and `socket` convert it.

    Raises:
        ValueError: IDNA of 2003 has no form for it.
    """
    return host if host.isascii() else _checked_name(host, host.encode("idna").decode("ascii"))


def is_ipv6(address: str) -> bool:
    """Tell whether this is an IPv6 address, without a zone."""
    try:
        socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):  # a NUL
        return False
    return True


def _port(port: str) -> int | None:
    if not port:
        return None
    found = re.fullmatch(_PORT, port)
    number = int(found[1] or 0) if found else 0
    if not 0 < number < 65536:
        raise ValueError(f"port {port[:20]!r} is no number from 1 to 65535")
    return number


def _address(host: str) -> str:
    """Return an IPv6 address in its shortest form, with the zone if there is one (RFC 6874)."""
    found = re.fullmatch(_BRACKETED, host)
    if not found or not is_ipv6(found[1]):
        raise ValueError(f"{host} is no IPv6 address")
    address = _shortest(socket.inet_pton(socket.AF_INET6, found[1]))
    return f"{address}%{found[2]}" if found[2] else address


def _shortest(packed: bytes) -> str:
    """Return an IPv6 address as browsers do (WHATWG URL section 3.6); systems put IPv4 into some."""
    groups = [f"{packed[at] << 8 | packed[at + 1]:x}" for at in range(0, 16, 2)]
    for length in range(8, 1, -1):
        for start in range(9 - length):
            if groups[start : start + length] == ["0"] * length:
                return ":".join(groups[:start]) + "::" + ":".join(groups[start + length :])
    return ":".join(groups)


def _is_ipv4(name: str) -> bool:
    return bool(re.fullmatch(_DOTTED_QUAD, name)) and all(int(number) < 256 for number in name.split("."))


def _check_lengths(name: str) -> None:
    name = name.removesuffix(".")
    if len(name) > _LONGEST_NAME or not all(0 < len(label) <= LONGEST_LABEL for label in name.split(".")):
        raise ValueError(f"host {name[:300]!r} has a label that is empty or too long, or is too long itself")


def _compatible(text: str) -> str:
    """Return text as programs that take a fullwidth "@" for an "@" read it (CVE-2019-9636)."""
    import unicodedata  # noqa: PLC0415  a megabyte, and rarely needed

    return unicodedata.normalize("NFKC", text)


# -- IDNA -------------------------------------------------------------------------------------------


@functools.lru_cache(256)
def _a_name(host: str) -> str:
    if len(host) > _LONGEST_NAME + 1:  # the conversion may take time that grows with the square
        raise ValueError(f"host {host[:300]!r} is too long")
    if _CAPITAL_SHARP_S in host:
        raise ValueError(f"host {host!r} names different hosts to different programs: write ß or ss")
    try:
        import idna  # noqa: PLC0415  an extra, and as slow to import as hyperlite is
    except ImportError:
        return _checked_name(host, _of_both(host))
    return _checked_name(host, _of_2008(idna, host))


def _checked_name(host: str, name: str) -> str:
    """Return a name that IDNA made; what looks like a letter can turn into "/", "@" or " ": CVE-2019-9636."""
    if not re.fullmatch(_HOST_NAME, name):
        raise ValueError(f"host {host!r} is {name!r} in IDNA, which is no host name")
    _check_lengths(name)
    return name


def _of_2008(idna: ModuleType, host: str) -> str:
    """Return a name as browsers make it (UTS 46 section 4.2; WHATWG URL section 3.3, domain to ASCII)."""
    mapped: str = idna.uts46_remap(host, std3_rules=False, transitional=False)
    return ".".join(_a_label(idna, label) for label in mapped.split("."))


def _a_label(idna: ModuleType, label: str) -> str:
    if label.isascii():
        return label
    if label.startswith("xn--"):
        raise ValueError(f"label {label!r} is in IDNA already, and not in ASCII")
    idna.check_initial_combiner(label)
    idna.check_bidi(label)
    for position, letter in enumerate(label):
        if letter in _JOINERS and not idna.valid_contextj(label, position):
            raise ValueError(f"label {label!r} has a joiner where it joins nothing")
    return "xn--" + label.encode("punycode").decode("ascii")


def _of_both(host: str) -> str:
    """Return a name if IDNA of 2003 and IDNA of 2008 convert it to the same, as far as can be told.

    They differ in the deviation characters, in characters added to Unicode since 2002, and in a few foldings.
    """
    import unicodedata  # noqa: PLC0415
    from encodings.idna import nameprep  # noqa: PLC0415

    known = unicodedata.ucd_3_2_0.category
    folded = _compatible(_compatible(host).casefold())
    if (
        _DEVIATIONS.isdisjoint(host)
        and not any(known(letter) in {"Cn", "Co", "Cs"} for letter in host)
        and _FILLERS.isdisjoint(folded)
        and folded == nameprep(host)
        and len(re.findall(_DOTS, folded)) == len(re.findall(_DOTS, host))  # U+2026 would become three
    ):
        return host.encode("idna").decode("ascii")
    raise ValueError(
        f"host {host!r} may be one host by IDNA of 2003 and another by that of 2008: "
        f"install the package idna (the extra hyperlite-http[idna]), which knows"
    )
