"""urllib3's managers and pools with hyperlite's pool in the place of their sockets.

A manager of urllib3 makes a pool for each origin and each way to it; these are thin: all of an
adapter stand on one `ConnectionPool`.  What that cannot do (a proxy that itself wants TLS, a
fingerprint in the place of a certificate's name, socket options) urllib3 does as ever, on HTTP/1.1:
nothing that somebody has asked for is silently left out.
"""

import functools
import threading
from typing import Any

import urllib3
from urllib3 import PoolManager

from ..forking import watch
from ..pool import ConnectionPool
from ..proxies import Proxy
from ..tasks import Options, Retries
from .borrowed import Borrowed
from .trust import Contexts, Trust

# Pool arguments that are beyond hyperlite.
_BEYOND = ("assert_fingerprint", "assert_hostname", "server_hostname", "socket_options")
# On HTTP/1.1 urllib3 opens as many connections as there are requests, unless it is told to block.
_UNLIMITED = 1 << 30


class Beneath:
    """What all pools of one adapter stand on.

    Args:
        maxsize: HTTP/2 connections to one origin, at most.
        block: have that be true of HTTP/1.1 as well.
        source_address: (host, port) to connect from.
    """

    def __init__(self, maxsize: int, *, block: bool, source_address: tuple[str, int] | None = None) -> None:
        self._options = {
            "timeout": None,
            "max_connections_per_origin": max(1, maxsize),
            "max_http1_connections_per_origin": max(1, maxsize) if block else _UNLIMITED,
            "proxies": False,
            "retries": Retries(total=0),
            "source_address": source_address,
        }
        self.contexts = Contexts()
        self.making = threading.Lock()  # of managers for proxies
        self._lock = threading.Lock()
        # -- guarded by _lock --
        self._pool: ConnectionPool | None = None
        watch(self)

    @property
    def pool(self) -> ConnectionPool:
        """The pool; after `close()` another."""
        pool = self._pool
        if pool is None or pool.closed:
            with self._lock:
                if self._pool is None or self._pool.closed:
                    self._pool = ConnectionPool(**self._options)  # type: ignore[arg-type]
                pool = self._pool
        return pool

    def after_fork(self) -> None:
        """In the child: the locks are free; the pool sees to itself."""
        self._lock = threading.Lock()
        self.making = threading.Lock()
        self.contexts.after_fork()

    def close(self) -> None:
        """Close the connections; responses on HTTP/2 can be read to their end."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


class Multiplexed(urllib3.HTTPConnectionPool):
    """What both kinds of pools have in common.

    Attributes:
        beneath: what it stands on.
        socks: the SOCKS proxy on the way, or None.
        verifies: whether certificates are verified.
        told: what `cert_verify()` was last given, and has looked up.
    """

    beneath: Beneath
    told: Any = None
    socks: Proxy | None = None
    verifies = False
    _prepared: tuple[ConnectionPool, Any, Options] | None = None

    def options(self, pool: ConnectionPool) -> Options:
        """Return how requests are made here, with the TLS context for what is asked for now."""
        context = self._context()
        prepared = self._prepared
        if prepared is None or prepared[0] is not pool or prepared[1] is not context:
            made = pool.options(context=context, redirects=0, decode=False)
            prepared = self._prepared = (pool, context, made)
        return prepared[2]

    def _context(self) -> Any:
        return None

    def _get_conn(self, timeout: float | None = None) -> Any:
        return Borrowed(self)

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.give_back()

    def close(self) -> None:
        """Do nothing: the connections are the adapter's, which closes them."""


class HTTPConnectionPool(Multiplexed):
    """The pool for an http:// origin: HTTP/1.1."""


class HTTPSConnectionPool(Multiplexed, urllib3.HTTPSConnectionPool):
    """The pool for an https:// origin: HTTP/2 where the server has it."""

    @property
    def verifies(self) -> bool:  # type: ignore[override]
        """Whether certificates are verified."""
        return self.cert_reqs not in {None, "CERT_NONE", 0}

    def _context(self) -> Any:
        return self.beneath.contexts.get(
            Trust(
                verify=self.verifies,
                ca_certs=self.ca_certs,
                ca_cert_dir=self.ca_cert_dir,
                ca_cert_data=self.conn_kw.get("ca_cert_data"),
                cert_file=self.cert_file,
                key_file=self.key_file,
                key_password=self.key_password,
                ssl_version=self.ssl_version,
                ssl_minimum_version=self.ssl_minimum_version,
                ssl_maximum_version=self.ssl_maximum_version,
                context=self.conn_kw.get("ssl_context"),
            )
        )


_CLASSES: dict[str, type[Multiplexed]] = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}


def stand_on(manager: PoolManager, beneath: Beneath) -> None:
    """Have a manager of urllib3 make pools that stand on `beneath`."""
    stock: dict[str, Any] = manager.pool_classes_by_scheme
    makers = {
        scheme: functools.partial(_make, beneath, ours, stock[scheme]) for scheme, ours in _CLASSES.items()
    }
    manager.pool_classes_by_scheme = stock | makers  # urllib3 only ever calls them


def _make(
    beneath: Beneath,
    ours: type[Multiplexed],
    stock: type[urllib3.HTTPConnectionPool],
    host: str,
    port: int,
    **arguments: Any,
) -> urllib3.HTTPConnectionPool:
    """Return a pool for an origin, for the arguments that urllib3's manager has."""
    if any(arguments.get(name) is not None for name in _BEYOND):
        return stock(host, port, **arguments)
    socks = arguments.pop("_socks_options", None)
    pool = ours(host, port, **arguments)
    pool.beneath = beneath
    if socks is not None:
        pool.socks = _socks_proxy(socks)
    return pool


def _socks_proxy(options: dict[str, Any]) -> Proxy:
    import socks  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: PLC0415

    if options["socks_version"] == socks.PROXY_TYPE_SOCKS5:
        scheme = "socks5h" if options["rdns"] else "socks5"
    else:
        scheme = "socks4a" if options["rdns"] else "socks4"
    user = None
    if options["username"]:
        user = f"{options['username']}:{options['password'] or ''}".encode()
    return Proxy(scheme, options["proxy_host"], int(options["proxy_port"] or 1080), user)
