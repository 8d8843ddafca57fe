"""The Protocols between urllib3's pool, its connection and its response: they cut a circle of imports."""

from typing import Any, Protocol

from ...fetching.options import Options
from ...net.proxy import Proxy
from ...origins.origin import Origin
from ...pool import ConnectionPool


class Pool(Protocol):
    """What a `LeasedConnection` needs of its urllib3 pool, a `Multiplexed`.

    Attributes:
        host, port, scheme: of the origin.
        proxy: the HTTP proxy on the way, as urllib3 knows it, or None.
        socks: the SOCKS proxy on the way, or None.
        verifies: whether certificates are verified.
        hyper: the pool of hyperlite's beneath.
        ConnectionCls: urllib3's class for connections, which its errors show.
    """

    host: str
    port: int | None
    scheme: str
    proxy: Any
    socks: Proxy | None
    ConnectionCls: Any

    @property
    def verifies(self) -> bool:
        """Whether certificates are verified."""
        ...

    @property
    def hyper(self) -> ConnectionPool:
        """The pool of hyperlite's beneath."""
        ...

    def options(self, pool: ConnectionPool) -> Options:
        """Return how requests are made."""
        ...

    def origin(self, pool: ConnectionPool, via: Proxy | None, *, upgrades: bool = False) -> Origin:
        """Return the connections for a request that is made now."""
        ...


class Connection(Protocol):
    """What a response needs of its `LeasedConnection`, which it gives back."""

    pool: Any

    def shut_down(self, how: int) -> None:
        """End the response that another thread is reading."""
        ...

    def abandon(self) -> None:
        """Give the connection back from a finalizer."""
        ...
