"""What handlers take and what they give: requests and responses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal
from urllib.parse import parse_qs

Headers = Sequence[tuple[str, str]]
"""Header fields in the order of the wire, each a name and a value."""

Protocol = Literal["h2", "http/1.1"]
"""The ALPN name of the protocol that a connection speaks."""


@dataclass(eq=False)
class Request:
    """A request as the server has received it."""

    method: str
    target: str
    """The path and the query, as they were sent."""
    authority: str
    """The `:authority` pseudo-header or else the `Host` header; empty when there is neither."""
    headers: list[tuple[str, str]]
    """Names in lower case, in the order received; without the pseudo-headers of HTTP/2."""
    protocol: Protocol
    connection: int
    """The number of the connection: the first that the server accepted is 1."""
    stream_id: int = 0
    """The number of the HTTP/2 stream; 0 on HTTP/1.1."""
    body: bytes = b""
    """The whole body; for a streaming handler it stays empty."""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    """The fields after the body, with names in lower case."""
    fault: str = ""
    """The fault that it has met, by the name that `Faults` has for it; empty: none."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The values of each query parameter."""
        return parse_qs(self.target.partition("?")[2], keep_blank_values=True)

    def header(self, name: str, default: str | None = None) -> str | None:
        """Return the value of the first header of this name, in any case; else the default."""
        name = name.lower()
        for key, value in self.headers:
            if key == name:
                return value
        return default

    @property
    def expects_continue(self) -> bool:
        """Whether the client holds the body back until it is told to go on."""
        return (self.header("expect") or "").lower() == "100-continue"


@dataclass(frozen=True)
class Response:
    """What a handler answers: `status`, `headers`, `body`. It never changes: it may answer many requests."""

    status: int = 200
    headers: Headers = ()
    body: bytes | Iterable[bytes] = b""
    """Bytes get a content-length header unless there is one. Anything else is streamed, piece by piece, as
    fast as the client takes it, and on HTTP/1.1 chunked unless there is a content-length header."""
    trailers: Headers = ()
    """Fields to send after the body. On HTTP/1.1 they need chunks: with a content-length they are lost."""
    informational: Sequence[tuple[int, Headers]] = ()
    """The 1xx responses to send first, each a status and headers. They are sent at once, before any delay."""
    delay: float = 0.0
    """Seconds before the response, added to the server's own delay."""

    def __post_init__(self) -> None:
        """Raise TypeError for the common slips, where the handler makes them."""
        if isinstance(self.body, str):  # type: ignore[unreachable]
            raise TypeError("body is bytes, or an iterable of bytes: encode a str.")
        for fields in (self.headers, self.trailers, *(fields for _, fields in self.informational)):
            if isinstance(fields, Mapping):
                raise TypeError("headers and trailers are (name, value) pairs: give the items() of a dict.")
            for field_ in fields:
                if not (len(field_) == 2 and isinstance(field_[0], str) and isinstance(field_[1], str)):
                    raise TypeError(f"headers and trailers are pairs of two str, not {field_!r}.")

    def lengthy_headers(self) -> list[tuple[str, str]]:
        """Return the headers, with the content-length if the body is bytes and the status allows one."""
        headers = list(self.headers)
        if (
            isinstance(self.body, bytes)
            and self.status not in (204, 304)
            and not has(headers, "content-length")
        ):
            headers.append(("content-length", str(len(self.body))))
        return headers


def has(headers: Headers, name: str) -> bool:
    """Tell whether there is a header of this name, which is given in lower case."""
    return any(key.lower() == name for key, _ in headers)


def is_bodiless(method: str, status: int) -> bool:
    """Tell whether a response to this method and of this status has no body, whatever its headers say."""
    return method == "HEAD" or status in (204, 304)
