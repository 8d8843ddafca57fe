"""URLs as fetch() takes them: which origin to ask, what to ask it for, and what a redirect points at.

Characters that may not stand in a URL (spaces, letters that are not ASCII, stray percent signs) are quoted as
browsers and curl do. Names of hosts are converted by IDNA. A URL that two parsers could read in two ways is
refused.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from http.client import InvalidURL
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlencode

from .hosts import LONGEST_LABEL, split

DEFAULT_PORTS = {"https": 443, "http": 80}

# URLs that need no further check: a lower-case name that is no number, or an IPv4 address, and a path and a
# query of plain characters.
_byte = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_target_text = r"(?:/(?!\.)[A-Za-z0-9\-._~!$&'()*+,;=:@]*)*(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?]*)?"
_plain = re.compile(
    rf"(https?)://((?:[a-z0-9]+[-.])*[a-z][a-z0-9]*|(?:{_byte}\.){{3}}{_byte})"
    r"(?::([1-9][0-9]{0,4}))?"
    rf"({_target_text})"
).fullmatch
_plain_target = re.compile(_target_text).fullmatch
# The origins of plain URLs, by what stands before the path: many URLs in a row are of few origins, and to
# take an origin apart costs more than all the rest.
_origins: dict[str, tuple[str, str, int]] = {}
ORIGINS = 256
# Texts, which re compiles when the first URL needs them that is not plain: the import stays light.
_CONTROL = r"[\x00-\x1f\x7f\ud800-\udfff]"  # and halves of characters
# RFC 3986 appendix B: scheme, authority, path, query, fragment; only the path is always there.
_PARTS = r"(?s)(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?"
# Browsers read a host in "/\\host" and "///host", and none in "https:/path" and "https:path"; others read
# one.
_MISREAD = r"(?i)(?:https?:)?[/\\]*\\|(?:https?:)?///|https?:(?!//)"
# A scheme and the slashes behind it, as wrong as they come, with what a paste may have before it: quotes, a
# bracket, a byte order mark; and what follows, up to the path.
_BEGINNING = r"(?i)[^\w@:/\\.\[%-]*(?:https?:|[a-z][a-z0-9+.-]*:(?=//))?[/\\]*"
_HOST_AND_PORT = r"(?s)([^@:/\\?#]*|\[[^\]@]*\])(:[0-9]+)?((?![/\\]{2})[/?#\\].*)?"
_STRAY_PERCENT = r"%(?![0-9A-Fa-f]{2})"
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
        """Scheme, host and port (RFC 6454), which decide whether credentials may go along."""
        return self.scheme, self.host, self.port

    @property
    def netloc(self) -> str:
        """The host, in brackets where it is IPv6, and the port where it is not the default."""
        # A zone behind "%25" (RFC 6874): it may begin with "25" itself.
        host = f"[{self.host.replace('%', '%25')}]" if ":" in self.host else self.host
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
        http.client.InvalidURL: it is invalid, or parsers may read it in different ways.
    """
    if params is not None:
        url = with_query(url, params)
    path = url.find("/", len("https://"))
    origin = _origins.get(url[:path]) if path > 0 else None
    if origin is not None and _plain_target(url, path):
        return URL(*origin, url[path:])
    if match := _plain(url):
        scheme, host, port, target = match.groups()
        if len(host) <= LONGEST_LABEL and (not port or int(port) < 65536):
            origin = scheme, host, int(port) if port else DEFAULT_PORTS[scheme]
            if target[:1] != "/":
                return URL(*origin, "/" + target)
            if len(_origins) >= ORIGINS:
                _origins.clear()
            _origins[url[:path]] = origin
            return URL(*origin, target)
    return _parse(url)


def join(base: URL, location: str) -> URL:
    """Resolve a redirect's Location (RFC 9110 section 10.2.2); it inherits the fragment if it has none.

    Raises:
        http.client.InvalidURL: it is no http(s) URL, or parsers may read it in different ways.
    """
    decoded = _as_utf8(location)
    location = _checked(location if decoded is None else decoded)
    if re.match(_MISREAD, location):
        shown = without_credentials(location)
        raise InvalidURL(f"{shown!r} names different hosts, or none, to different programs")
    scheme, authority, path, query, fragment = _split(location)
    if decoded is None and not (authority or "").isascii():
        raise InvalidURL(f"{without_credentials(location)!r} has a host that is neither ASCII nor UTF-8")
    quoted = base.fragment if fragment is None else _quote(fragment)
    if scheme is not None or authority is not None:
        return _parse(location if scheme is not None else f"{base.scheme}:{location}")._replace(
            fragment=quoted
        )
    before, _, old_query = base.target.partition("?")
    if path:
        target = _target(path if path[0] == "/" else before[: before.rindex("/") + 1] + path, query)
    elif query is None:
        target = f"{before}?{old_query}" if "?" in base.target else before
    else:
        target = _target(before, query)
    return base._replace(target=target, user=None, fragment=quoted)


def _as_utf8(location: str) -> str | None:
    """Return a Location, which http.client has decoded as Latin-1; None if it is not UTF-8."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeEncodeError:  # it is text already
        return location
    except UnicodeDecodeError:
        return None


@functools.lru_cache(1024)
def _parse(url: str) -> URL:
    url = _checked(url)
    scheme, authority, path, query, fragment = _split(url)
    if (scheme := (scheme or "").lower()) not in DEFAULT_PORTS:
        raise InvalidURL(f"{without_credentials(url)!r}: a URL begins with https:// or http://")
    try:
        userinfo, host, port = split(authority or "")
    except ValueError as error:
        shown = without_credentials(url)
        secret = shown != url and "@" not in (authority or "")  # what the error names may be a password
        complaint = "what stands before an @ must be quoted" if secret else error
        raise InvalidURL(f"{shown!r}: {complaint}") from None
    user = None
    if userinfo:
        name, _, password = userinfo.partition(":")
        user = unquote_to_bytes(name) + b":" + unquote_to_bytes(password)
    port = DEFAULT_PORTS[scheme] if port is None else port
    return URL(scheme, host, port, _target(path, query), user, _quote(fragment or ""))


def _checked(url: str) -> str:
    """Return a URL, or a reference, without the white space around it; InvalidURL if there is some within."""
    url = url.strip(" \t\r\n")
    if found := re.search(_CONTROL, url):
        shown = without_credentials(url)
        raise InvalidURL(f"URL can't contain control characters. {shown!r} (found {found.group()!r})")
    return url


def without_credentials(url: str) -> str:
    """Return a URL as an error may show it, however wrong it is: without a user name and a password."""
    found = re.match(_BEGINNING, url)
    assert found  # it may be empty
    rest = url[found.end() :]
    if "@" not in rest or re.fullmatch(_HOST_AND_PORT, rest):
        return url
    return f"{found[0]}…@{rest.rpartition('@')[2]}"


def _split(url: str) -> tuple[str | None, str | None, str, str | None, str | None]:
    """Return scheme, authority, path, query and fragment; None for missing parts."""
    found = re.fullmatch(_PARTS, url)
    assert found  # everything has a path
    scheme, authority, path, query, fragment = found.groups()
    return scheme, authority, path, query, fragment


def _target(path: str, query: str | None) -> str:
    target = _remove_dot_segments(_quote(path)) or "/"
    return target if query is None else f"{target}?{_quote(query)}"


def _quote(part: str) -> str:
    """Quote characters that may not stand in a URL; leave what is quoted already."""
    return quote(re.sub(_STRAY_PERCENT, "%25", part), safe=_SAFE)


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


def with_query(url: str, params: Any) -> str:
    """Return a URL with more in its query; for the arguments see `parse()`."""
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
