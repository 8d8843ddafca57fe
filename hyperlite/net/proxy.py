"""A proxy on the way to an origin."""

from typing import NamedTuple

from ..messages.fields import basic


class Proxy(NamedTuple):
    """A proxy: where it is, and the credentials and header fields for it."""

    scheme: str  # http, or socks4, socks4a, socks5, socks5h
    host: str
    port: int
    user: bytes | None = None  # "name:password"
    headers: tuple[tuple[str, str], ...] = ()  # further header fields for it, when a tunnel is asked for

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization (RFC 7617), or None."""
        return None if self.user is None else basic(self.user)

    @property
    def told(self) -> dict[str, str]:
        """The header fields that it gets when a tunnel is asked for."""
        told = dict(self.headers)
        if self.authorization:
            told["Proxy-Authorization"] = self.authorization
        return told

    def __repr__(self) -> str:  # without the password
        return f"<Proxy {self.scheme}://{self.host}:{self.port}>"
