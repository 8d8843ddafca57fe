"""URLs as fetch() takes them: which origin to ask, what to ask it for, and what a redirect points at.

What people paste is quoted as browsers and curl do it (spaces, letters that are not ASCII, stray
percent signs), host names become IDNA; what two parsers could read in two ways is refused.
"""

import contextlib
import functools
import re
import socket
from collections.abc import Iterable, Mapping
from http.client import InvalidURL
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlencode, urljoin, urlsplit

from .fields import host_bytes

DEFAULT_PORTS = {"https": 443, "http": 80}

# What needs no second look: a lower-case host, and a path and a query of plain characters.
_plain = re.compile(
    r"(https?)://([a-z0-9]+(?:[-.][a-z0-9]+)*)(?::([1-9][0-9]{0,4}))?"
    r"((?:/(?!\.)[A-Za-z0-9\-._~!$&'()*+,;=:@]*)*(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?]*)?)"
).fullmatch
_control = re.compile(r"[\x00-\x1f\x7f]").search
_not_in_host = re.compile(r"[^a-z0-9._~-]").search
_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
# RFC 3986's reserved and unreserved characters: they are left as they are.
_SAFE = "!#$%&'()*+,/:;=?@[]~|"


class URL(NamedTuple):
    """A URL taken apart. `target` is quoted; `user` is "name:password" as bytes, or None."""

    scheme: str
    host: str  # in lower case and IDNA; IPv6 without brackets
    port: int
    target: str  # path and query
    user: bytes | None = None
    fragment: str = ""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port (RFC 6454): what decides whether credentials may go along."""
        return self.scheme, self.host, self.port

    @property
    def netloc(self) -> str:
        """The host, in brackets where it is IPv6, and the port where it is not the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """Return the URL without its credentials."""
        fragment = f"#{self.fragment}" if self.fragment else ""
        return f"{self.scheme}://{self.netloc}{self.target}{fragment}"


def parse(url: str, params: Any = None) -> URL:
    """Take a URL apart.

    Args:
        url: absolute, `http:` or `https:`.
        params: what to add to its query: a mapping, or an iterable of pairs, whose values may be
            lists and where None stands for nothing; or a str, added as it is.

    Raises:
        http.client.InvalidURL: it is none, or one that is not understood by all in the same way.
    """
    if params is not None:
        url = _with_query(url, params)
    if match := _plain(url):
        scheme, host, port, target = match.groups()
        if not port or int(port) < 65536:
            if target[:1] != "/":
                target = "/" + target
            return URL(scheme, host, int(port) if port else DEFAULT_PORTS[scheme], target)
    return _parse(url)


def join(base: URL, location: str) -> URL:
    """Resolve a redirect's Location (RFC 9110 section 10.2.2); it inherits the fragment if it has none."""
    with contextlib.suppress(UnicodeError):  # http.client has decoded the field as Latin-1
        location = location.encode("latin-1").decode("utf-8")
    target = urljoin(f"{base.scheme}://{base.netloc}{base.target}", location)
    url = parse(target)
    return url if "#" in location else url._replace(fragment=base.fragment)


@functools.lru_cache(1024)
def _parse(url: str) -> URL:
    url = url.strip(" \t\r\n")
    if found := _control(url):
        raise InvalidURL(f"URL can't contain control characters. {url!r} (found {found.group()!r})")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidURL(f"{url!r}: {error}") from None
    scheme = parts.scheme
    if scheme not in DEFAULT_PORTS:
        raise InvalidURL(f"{url!r}: a URL begins with https:// or http://")
    if "\\" in parts.netloc or not parts.hostname:
        raise InvalidURL(f"{url!r} names no host")
    userinfo, _, _ = parts.netloc.rpartition("@")
    user = None
    if userinfo:
        name, _, password = userinfo.partition(":")
        user = unquote_to_bytes(name) + b":" + unquote_to_bytes(password)
    target = _remove_dot_segments(_quote(parts.path)) or "/"
    if parts.query or url.partition("#")[0].endswith("?"):
        target += "?" + _quote(parts.query)
    host = _host(parts.hostname, bracketed="[" in parts.netloc.rpartition("@")[2])
    port = DEFAULT_PORTS[scheme] if port is None else port
    return URL(scheme, host, port, target, user, _quote(parts.fragment))


def _host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        address, _, zone = host.partition("%")
        try:
            socket.inet_pton(socket.AF_INET6, address)
        except OSError:
            raise InvalidURL(f"[{host}] is no IPv6 address") from None
        return f"{address}%{zone.removeprefix('25')}" if zone else address
    try:
        encoded = host_bytes(host).decode("ascii").lower()
    except (ValueError, UnicodeError) as error:
        raise InvalidURL(f"host {host!r}: {error}") from None
    if found := _not_in_host(encoded):
        raise InvalidURL(f"host {host!r} contains {found.group()!r}")
    return encoded


def _quote(part: str) -> str:
    """Quote what may not stand in a URL, and leave alone what is quoted already."""
    return quote(_ESCAPE.sub("%25", part), safe=_SAFE)


def _remove_dot_segments(path: str) -> str:
    """Resolve "." and ".." (RFC 3986 section 5.2.4)."""
    if "/." not in path:
        return path
    segments: list[str] = []
    parts = path.split("/")
    for part in parts[1:]:
        if part == "..":
            del segments[-1:]
        elif part != ".":
            segments.append(part)
    if parts[-1] in {".", ".."}:
        segments.append("")
    return "/" + "/".join(segments)


def _with_query(url: str, params: Any) -> str:
    if isinstance(params, (str, bytes)):
        query = params.decode() if isinstance(params, bytes) else params
    else:
        pairs: Iterable[tuple[Any, Any]] = params.items() if isinstance(params, Mapping) else params
        query = urlencode([(name, value) for name, value in pairs if value is not None], doseq=True)
    if not query:
        return url
    address, mark, fragment = url.partition("#")
    separator = "&" if "?" in address and not address.endswith(("?", "&")) else "" if "?" in address else "?"
    return f"{address}{separator}{query}{mark}{fragment}"
