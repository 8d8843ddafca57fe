"""Which requests may share a connection: those with the same key."""

import ssl
from http.client import HTTP_PORT, HTTPS_PORT
from typing import Any, NamedTuple

from ..messages.urls import URL
from ..net.contexts import trust_of
from ..net.protocols import H2, HTTP11, Protocols
from ..net.proxy import Proxy
from ..net.resolving import Resolver


class Key(NamedTuple):
    """Everything that two requests must have in common to share a connection."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None
    context: ssl.SSLContext | None  # by identity
    verification: tuple[Any, ...]  # the context's settings, which a program may change later
    protocols: tuple[str, ...] | None = None  # that may be spoken, as the caller says
    resolver: Resolver | None = None  # that says which addresses the host has

    @classmethod
    def of(
        cls,
        url: URL,
        proxy: Proxy | None,
        context: ssl.SSLContext | None,
        *,
        verified: bool = False,
        protocols: tuple[str, ...] | None = None,
        resolver: Resolver | None = None,
    ) -> "Key":
        """Return the key for a URL; for `verified` see `trust_of`, for `protocols` `checked_protocols()`.

        Raises:
            ValueError: HTTP/2 alone may be spoken, and an HTTP proxy is asked for an http:// URL.
        """
        if protocols == (H2,) and proxy is not None and proxy.scheme == url.scheme == "http":
            raise ValueError(f'protocols=("h2",): {proxy!r} is asked for http:// URLs in HTTP/1.1')
        verification = () if context is None else trust_of(context, verified=verified)
        return cls(url.scheme, url.host, url.port, proxy, context, verification, protocols, resolver)

    @property
    def is_forwarded(self) -> bool:
        """Whether requests go to an HTTP proxy with the whole URL, and not through a tunnel."""
        return self.proxy is not None and self.proxy.scheme == self.scheme == "http"

    @property
    def default_port(self) -> int:
        """The port that requests do not name."""
        return HTTPS_PORT if self.scheme == "https" else HTTP_PORT

    def choice(self) -> Protocols:
        """Return what may be spoken: in cleartext HTTP/1.1, unless the caller knows that it is HTTP/2."""
        secure = self.scheme == "https"
        return Protocols(self.protocols if secure or self.protocols == (H2,) else (HTTP11,), secure=secure)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        via = "" if self.proxy is None else f" by way of {self.proxy!r}"
        return f"{self.scheme}://{host}:{self.port}{via}"
