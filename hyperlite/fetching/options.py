"""The options of a fetch, checked."""

import ssl
from typing import NamedTuple

from ..messages.fields import Header
from ..net.resolving import Resolver
from .defaults import Defaults
from .proxy_rules import Rules
from .retries import Retries


class Options(NamedTuple):
    """How a request is fetched; see `ConnectionPool.fetch()`."""

    timeout: float | None
    deadline: float | None
    redirects: int
    decode: bool
    max_body: int
    retries: Retries
    allow_downgrade: bool
    context: ssl.SSLContext | None
    proxies: Rules | None  # None: the environment's
    headers: tuple[Header, ...]  # header fields that are sent unless the request has its own
    protocols: tuple[str, ...] | None  # that may be spoken; None: see `HTTP20Connection`
    resolver: Resolver | None  # that says which addresses a host has; None: the system does
    defaults: Defaults  # what the pool adds for its base_url, and its cookies

    def __repr__(self) -> str:  # without credentials
        shown = (f"{name}={getattr(self, name)!r}" for name in self._fields if name != "headers")
        return f"<Options {', '.join(shown)}>"

    def without_auth(self) -> "Options":
        """Return the options of a request for which the pool's function is not asked for header fields."""
        if self.defaults.auth is None:
            return self
        return self._replace(defaults=self.defaults._replace(auth=None))
