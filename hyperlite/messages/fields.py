"""Header fields: from http.client's arguments to an HTTP/2 field list, and back to an HTTPMessage.

Rule: a caller's input reaches the wire only through this module.  HTTP/2 has no lines, so CR, LF or NUL in a
field do no harm on this hop.  But the next hop may be HTTP/1.1, where they can smuggle in another request
(RFC 9113 section 10.3).  What http.client refuses is refused here with the same class of exception; where RFC
9113 is stricter, this module is too.
"""

import base64
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.client import HTTPMessage, InvalidURL
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .hosts import ascii_host, is_ipv6, split

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Field = tuple[bytes, bytes]
# A header field of a request in a pool: name and value as the caller gave them.
Header = tuple[str, str | bytes | int]
HeaderValue: TypeAlias = "str | bytes | int | ReadableBuffer"


class _Named(Protocol):
    """A dict, an HTTPMessage, anything with `items()`."""

    def items(self) -> Iterable[tuple[str | bytes, HeaderValue]]:
        """Return the (name, value) pairs in order."""
        ...


# What `request(headers=)` takes; (name, value) pairs may repeat a name.
Headers = _Named | Iterable[tuple[str | bytes, HeaderValue]]


class Pairs:
    """Header fields with their order and repeats, for `request()`."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: list[Header]) -> None:
        self._pairs = pairs

    def items(self) -> list[Header]:
        """Return the (name, value) pairs."""
        return self._pairs

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._pairs)


# RFC 9110 section 5.6.2.
_is_token = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
# RFC 9113 section 8.2.1: what a peer may send as a name (and no upper case).
is_field_name: Callable[[bytes], re.Match[bytes] | None] = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
# RFC 9110 section 5.5: visible characters, obs-text, and SP or HTAB between them.
_is_value = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch
# http.client lets a value go on in a further line; RFC 9110 says to read that as a space.
_fold = re.compile(rb"\r?\n[ \t]+")
# How many valid methods, field names and values are remembered: a program uses few, and uses them often.
REMEMBERED = 256
REMEMBERED_LENGTH = 128
# Schemes that authenticate the connection (RFC 4559 section 6), and not the request alone.
_OF_A_CONNECTION = frozenset({b"credssp", b"negotiate", b"ntlm"})
# Fields that are never remembered.
SECRET = frozenset({b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"})
_not_in_target = re.compile("[\0-\x20\x7f]").search
# Characters that end a host, or precede it, in an authority (RFC 3986 section 3.2); see `hosts`.
_delimiter = re.compile(r"[/\\?#@]").search
# The parts of a target that names its origin: scheme, authority, path, and query if there is one.
_is_absolute = re.compile(rb"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE).fullmatch

# RFC 9113 section 8.2.2: they concern one HTTP/1.1 connection and mean nothing on HTTP/2.
CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
# Fields of a request that need a closer look.
_NOT_REGULAR = CONNECTION_FIELDS | {b"host", b"te"}


@functools.lru_cache(REMEMBERED)
def method_bytes(method: str) -> bytes:
    """Return the method as it goes on the wire; ValueError if it is not a token (RFC 9110 section 9.1)."""
    if not isinstance(method, str):
        raise TypeError(f"a method is str, not {type(method).__name__}")
    encoded = method.encode("ascii", "backslashreplace")
    if not _is_token(encoded) or not method.isascii():
        raise ValueError(f"method can't contain control characters or spaces, or be empty. {method!r}")
    return encoded


def target_bytes(target: str) -> bytes:
    """Return the request target as it goes on the wire.

    Raises http.client's InvalidURL for spaces and control characters, and UnicodeEncodeError for
    characters beyond ASCII: like http.client, this does not guess how a caller wants the URL quoted.
    """
    if type(target) is str and target.isascii() and target.isprintable() and " " not in target:
        return target.encode()  # nearly always, and three times as fast as what follows
    if found := _not_in_target(target):
        raise InvalidURL(
            f"URL can't contain control characters. {target!r} (found at least {found.group()!r})"
        )
    return target.encode("ascii")


def host_bytes(host: str) -> bytes:
    """Return a host name as it goes on the wire (IDNA where it is not ASCII), without a port.

    Raises http.client's InvalidURL for spaces, control characters and delimiters of a URL, ValueError as
    `ascii_host`.
    """
    if found := _not_in_target(host):
        raise InvalidURL(f"URL can't contain control characters. {host!r} (found at least {found.group()!r})")
    if found := _delimiter(host):
        raise InvalidURL(f"host {host!r} has {found.group()!r} in it")
    return ascii_host(host).encode("ascii")


def authority(host: str, port: int | None, default_port: int) -> bytes:
    """Return the `:authority` of an origin: IPv6 in brackets, the port only where it is not the default.

    Raises as `host_bytes`, and InvalidURL for an invalid IPv6 address or one with text around its brackets.
    """
    encoded = host_bytes(host)
    if b":" in encoded or b"[" in encoded:
        bare = encoded[1:-1] if encoded[:1] == b"[" and encoded[-1:] == b"]" else encoded
        address = bare.partition(b"%")[0]  # a zone id concerns this machine alone
        if not is_ipv6(address.decode("ascii")):
            raise InvalidURL(f"host {host!r} is no IPv6 address")
        encoded = b"[%b]" % address
    if port is None or port == default_port:
        return encoded
    try:
        return b"%b:%d" % (encoded, port)
    except OverflowError:
        raise InvalidURL(f"port {port!r} is no port") from None


@functools.lru_cache(REMEMBERED)
def name_bytes(name: str | bytes) -> bytes:
    """Return a field name as HTTP/2 wants it, in lower case; ValueError if it is not a token."""
    if isinstance(name, str):
        encoded = name.encode("ascii", "backslashreplace")
    elif isinstance(name, bytes):
        encoded = name
    else:
        raise TypeError(f"a header name is str or bytes, not {type(name).__name__}")
    if not _is_token(encoded):
        raise ValueError(f"Invalid header name {encoded!r}")
    return encoded.lower()


def value_bytes(value: HeaderValue) -> bytes:
    """Return a field value as it goes on the wire: str as Latin-1, int in decimal, folded lines unfolded.

    Raises ValueError for CR, LF, NUL and the other control characters, TypeError for other types.
    """
    if isinstance(value, str):
        encoded = value.encode("latin-1")
    elif isinstance(value, int):
        encoded = str(value).encode("ascii")
    elif isinstance(value, bytes):
        encoded = value
    else:
        try:
            encoded = bytes(memoryview(value))
        except TypeError:
            raise TypeError(f"a header value is str, bytes or int, not {type(value).__name__}") from None
    encoded = encoded.strip(b" \t")
    if not _is_value(encoded):
        encoded = _fold.sub(b" ", encoded).strip(b" \t")
        if not _is_value(encoded):
            raise ValueError(f"Invalid header value {encoded!r}")
    return encoded


def basic(user: bytes) -> str:
    """Return the credentials that authenticate `name:password` by Basic (RFC 7617)."""
    return f"Basic {base64.b64encode(user).decode()}"


def header_items(headers: Headers) -> list[tuple[str | bytes, HeaderValue]]:
    """Return the (name, value) pairs of the caller's headers, read once: those checked are those sent.

    Raises:
        TypeError: they are neither a mapping nor pairs.
    """
    try:
        items = headers.items()  # type: ignore[union-attr]
    except AttributeError:
        return _pairs(headers)
    return list(items)


def _pairs(headers: object) -> list[tuple[str | bytes, HeaderValue]]:
    if isinstance(headers, str | bytes) or not isinstance(headers, Iterable):
        raise TypeError(f"headers should be a mapping or (name, value) pairs, not {type(headers).__name__}")
    pairs = list(headers)
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(f"headers should be a mapping or (name, value) pairs; among them is {pair!r}")
    return [(name, value) for name, value in pairs]


def header_fields(items: Iterable[tuple[str | bytes, HeaderValue]]) -> list[Field]:
    """Return header fields, checked, in their order, with names in lower case."""
    fields = []
    for given, value in items:
        name = name_bytes(given)
        if type(value) is str and len(value) <= REMEMBERED_LENGTH and name not in SECRET:
            fields.append((name, _remembered_value(value)))
        else:
            fields.append((name, value_bytes(value)))
    return fields


@functools.lru_cache(REMEMBERED)
def _remembered_value(value: str) -> bytes:
    return value_bytes(value)


# RFC 9110 section 6.5.1: fields that frame, route or authenticate a message come before its body.
_NO_TRAILERS = CONNECTION_FIELDS | {
    b"authorization",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"expect",
    b"host",
    b"te",
    b"trailer",
}


def trailer_fields(trailers: Headers) -> list[Field]:
    """Return the caller's trailer fields, checked; ValueError for one that may not come after the body."""
    fields = header_fields(header_items(trailers))
    for name, _ in fields:
        if name in _NO_TRAILERS:
            raise ValueError(f"{name.decode()!r} may not be a trailer field (RFC 9110 section 6.5.1)")
    return fields


# The index of the path in the field list of a request, unless that is CONNECT.
PATH = 3


@functools.lru_cache(REMEMBERED)
def _pseudo_fields(method: str, scheme: bytes, host: bytes) -> tuple[Field, ...]:
    return (b":method", method_bytes(method)), (b":scheme", scheme), (b":authority", host)


def request_fields(
    method: str, target: str, scheme: bytes, default_authority: bytes, headers: Sequence[Field]
) -> list[Field]:
    """Return the whole field list of a request (RFC 9113 section 8.3.1).

    A `Host` among the headers becomes `:authority`; an absolute target (`http://…`) brings its own
    scheme and authority; fields of an HTTP/1.1 connection are dropped.  `headers` have been
    through `header_fields`.
    """
    host = default_authority
    path = target_bytes(target or "/")
    if path[:1] in (b"h", b"H") and (absolute := _is_absolute(path)):
        scheme, host, path = _taken_apart(absolute)
    for name, _ in headers:
        if name in _NOT_REGULAR:
            host = _named_host(headers, host)
            headers = _regular(headers)
            break
    if method == "CONNECT":
        return [(b":method", b"CONNECT"), (b":authority", path), *headers]
    return [*_pseudo_fields(method, scheme, host), (b":path", path), *headers]


def _taken_apart(absolute: re.Match[bytes]) -> tuple[bytes, bytes, bytes]:
    """Return scheme, authority and path of an absolute target; the authority without its userinfo."""
    scheme, authority, path, query = absolute.groups(default=b"")
    try:
        _, host, port = split(authority.decode("ascii"))
    except ValueError as error:
        raise InvalidURL(f"{absolute[0]!r}: {error}") from None
    named = host.partition("%")[0].encode("ascii")
    if b":" in named:
        named = b"[%b]" % named
    return scheme.lower(), named if port is None else b"%b:%d" % (named, port), (path or b"/") + query


def _regular(headers: Sequence[Field]) -> list[Field]:
    """Return the fields that are sent as they are; of TE one value (RFC 9113 section 8.2.2)."""
    return [
        (name, value)
        for name, value in headers
        if name not in _NOT_REGULAR or (name == b"te" and value.lower() == b"trailers")
    ]


def asks_for_upgrade(pairs: Iterable[tuple[str | bytes, Any]]) -> bool:
    """Tell whether header fields ask to go on in another protocol (RFC 9110 section 7.8).

    They do if there are `Upgrade` and a `Connection` that names it. This exists on HTTP/1.1 alone.

    Args:
        pairs: names in any case, and values, as a caller gives them or checked.
    """
    asks, options = False, []
    for name, value in pairs:
        if len(name) in (7, 10):  # the lengths of the two names: a cheap test first
            lower = _text(name).lower()
            asks = asks or lower == "upgrade"
            if lower == "connection":
                options += (
                    _text(value).lower().replace(",", " ").split()
                )  # spaces: the value may have been folded
    return asks and "upgrade" in options


def credentials_of_connection(pairs: Iterable[tuple[str | bytes, Any]]) -> tuple[bytes, ...]:
    """Return the credentials among header fields that authenticate the connection: NTLM or Negotiate.

    Args:
        pairs: names in any case, and values, as a caller gives them or checked.
    """
    found: tuple[bytes, ...] = ()
    for name, given in pairs:
        if len(name) in (13, 19) and _text(name).lower() in ("authorization", "proxy-authorization"):
            try:
                value = value_bytes(given)
            except (TypeError, ValueError):
                continue  # it may not be sent
            if is_of_connection(value):
                found += (value,)
    return found


def scheme_of(credentials: bytes) -> bytes:
    """Return the authentication scheme that credentials, or a challenge, begin with, in lower case."""
    return b"".join(credentials.lstrip(b", \t").split(None, 1)[:1]).lower()


def is_of_connection(credentials: bytes) -> bool:
    """Tell whether credentials, or a challenge, are of a scheme that authenticates the connection."""
    return scheme_of(credentials) in _OF_A_CONNECTION


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _named_host(headers: Sequence[Field], default: bytes) -> bytes:
    """Return the value of `Host`, or the default if there is none."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1:  # RFC 9112 section 3.2 says to refuse them: servers differ in which one counts
        raise ValueError("more than one Host among the headers")
    # RFC 9113 section 8.3.1: no userinfo. http.client copies it from an absolute target into Host.
    return hosts[0].rpartition(b"@")[2] if hosts else default


# RFC 9113 section 8.2.1: characters that a peer may not send in a value.
_NUL, _LF, _CR = b"\0\n\r"
_SPACES = b" \t"


def is_response_value(value: bytes) -> bool:
    """Tell whether a peer may send this as a field value (RFC 9113 section 8.2.1)."""
    # Each of these looks at 32 bytes at a time; a regular expression takes ten times as long for a policy.
    return not value or not (
        _NUL in value or _LF in value or _CR in value or value[0] in _SPACES or value[-1] in _SPACES
    )


def to_message(fields: Iterable[Field]) -> HTTPMessage:
    """Return response fields as http.client does: an HTTPMessage, decoded as Latin-1, repeats kept."""
    return message_of(decoded(fields))


def decoded(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """Return names and values as text, decoded as Latin-1; pseudo-header fields are left out."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields if name[:1] != b":"]


def message_of(pairs: list[tuple[str, str]]) -> HTTPMessage:
    """Return an HTTPMessage with these names and values, in this order."""
    message = HTTPMessage()
    # As a parser's set_raw() does; `message[name] = value` would ask a policy first.
    message._headers = pairs  # type: ignore[attr-defined]
    message._payload = ""  # type: ignore[attr-defined]  # as a parser leaves it
    return message
