"""requests over HTTP/2: a transport adapter.

::

    session = requests.Session()
    session.mount("https://", HTTP20Adapter())

Nothing else changes.  `HTTPAdapter.send()` is requests' own, and `response.raw` is a urllib3.HTTPResponse.
urllib3 decides what is tried again, and which error becomes which.  The connections beneath are hyperlite's,
and they multiplex.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

from ..net.protocols import checked_protocols
from ..observing import Observer
from ..pool import ConnectionPool
from ..telling import Observers
from ._urllib3.connection import UNDER_WAY
from ._urllib3.pools import Multiplexed, SharedPool, own, use_shared_pool
from ._urllib3.response import HTTP20Raw

__all__ = ["HTTP20Adapter", "session"]

# How many urllib3 pools an adapter remembers, each by its origin and what it trusts.
REMEMBERED = 1000

# The same as `PreparedRequest.path_url` for a URL that requests has prepared, at a fifth of the cost.
_target_of = re.compile(r'https?://[^/?#]+(/[!-"$->@-~]*(?:\?[!-"$-~]+)?)(?:#.*)?').fullmatch
# requests' own functions. A program may replace them, and its replacement is then called.
_BUILD_RESPONSE = own(requests.adapters, HTTPAdapter.build_response)
_KEY_ATTRIBUTES = own(requests.adapters, HTTPAdapter.build_connection_pool_key_attributes)


class HTTP20Adapter(HTTPAdapter):
    """Sends requests over HTTP/2 if the server speaks it, and over HTTP/1.1 if not.

    Any number of threads may share a session with this adapter. The threads then share connections.

    Args:
        pool_connections: the number of origins for which idle connections are kept: at most this times
            `pool_maxsize` connections in all, as for urllib3; those unused for longest are closed first.
        pool_maxsize: HTTP/2 connections to one origin, at most.  The adapter opens a further one when each
            of the others has as many streams as the server allows.
        max_retries: as for `requests.adapters.HTTPAdapter`: a number, or a urllib3.util.Retry.
        pool_block: `pool_maxsize` limits HTTP/1.1 connections too; otherwise there are as many as there are
            requests at once.
        protocols: the protocols to offer, as for `hyperlite.ConnectionPool`: "h2" and "http/1.1", or one.
        observers: are told of connections and requests: see `hyperlite.Observer`.  Pickle leaves them out.
        options: the first four, which `requests.adapters.HTTPAdapter` has too, by name; or `args`, in order.

    Raises:
        ValueError: `protocols` is something else.
        TypeError: `observers` is something else.
    """

    __attrs__: list[str] = [*HTTPAdapter.__attrs__, "_protocols"]  # noqa: RUF012  what is pickled
    _protocols: tuple[str, ...] | None = None
    _observers: tuple[Observer, ...] = ()

    def __init__(
        self,
        *args: Any,
        protocols: Sequence[str] | None = None,
        observers: Iterable[Observer] = (),
        **options: Any,
    ) -> None:
        self._protocols = checked_protocols(protocols)
        self._observers = Observers(observers).given
        super().__init__(*args, **options)

    @property
    def poolmanager(self) -> Any:
        """The urllib3.PoolManager, whose pools use hyperlite's connections.

        A subclass may set another one, as in `init_poolmanager()`.
        """
        return self._poolmanager

    @poolmanager.setter
    def poolmanager(self, manager: Any) -> None:
        self._poolmanager = manager
        arguments = manager.connection_pool_kw if isinstance(manager, PoolManager) else {}
        self._shared = SharedPool(
            arguments.get("maxsize") or 1,
            block=bool(arguments.get("block")),
            max_idle=self._pool_connections * (arguments.get("maxsize") or 1),
            source_address=arguments.get("source_address"),
            protocols=self._protocols,
            observers=self._observers,
        )
        self._found: dict[Any, tuple[Multiplexed, dict[str, Any]]] = {}
        if isinstance(manager, PoolManager):
            use_shared_pool(manager, self._shared)

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        """Send a request, as requests' own adapter does; the urllib3 pool can read the whole request.

        Args:
            request: a PreparedRequest.
            args, options: as for `requests.adapters.HTTPAdapter`.
        """
        token = UNDER_WAY.set(request)
        try:
            return super().send(request, *args, **options)
        finally:
            UNDER_WAY.reset(token)

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Return the urllib3 pool for a request; the adapter remembers it.

        Args:
            request: a PreparedRequest.
            verify, proxies, cert: as for `send()`.
        """
        verify = verify or False  # None and 0 mean False: they must not get the pool of requests that verify
        if proxies or type(self).build_connection_pool_key_attributes is not _KEY_ATTRIBUTES:
            return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        arguments = self._poolmanager.connection_pool_kw  # some programs change it between requests
        # A prepared URL has a path. If one has none, its query stays in the key, which does no harm.
        key = ("/".join(request.url.split("/", 3)[:3]), verify, cert)
        try:
            known = self._found.get(key)
        except TypeError:  # a part of the key is not hashable
            return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        if known is not None and known[1] == arguments:
            return known[0]
        found = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        if isinstance(found, Multiplexed):
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            self._found[key] = found, arguments.copy()
        return found

    def request_url(self, request: Any, proxies: Any) -> str:
        """Return what goes into the request line.

        Args:
            request: a PreparedRequest.
            proxies: as for `send()`.
        """
        usual = _target_of(request.url or "") if type(request) is requests.PreparedRequest else None
        target: str = usual[1] if usual else request.path_url
        if proxies or target.startswith("//"):  # some releases of requests turn the two slashes into one
            target = super().request_url(request, proxies)
        return target

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Set what a pool trusts, as requests does, but read the files only once.

        Args:
            conn, url, verify, cert: as for `requests.adapters.HTTPAdapter`.
        """
        told = (verify, cert)
        if not isinstance(conn, Multiplexed):
            super().cert_verify(conn, url, verify, cert)
        elif conn.told != told:
            conn.told = None
            super().cert_verify(conn, url, verify, cert)
            conn.told = told

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Return requests' response to a request.

        Args:
            req: a PreparedRequest.
            resp: urllib3's response.
        """
        build = super().build_response
        if type(resp) is not HTTP20Raw or getattr(build, "__func__", None) is not _BUILD_RESPONSE:
            return build(req, resp)
        response = build(req, resp.summary())
        response.raw = resp
        return response

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """Return the urllib3 manager for a proxy.

        urllib3 itself connects to a proxy that wants TLS, and speaks HTTP/1.1 through it.

        Args:
            proxy: its URL.
            proxy_kwargs: for urllib3's manager.
        """
        is_beyond = proxy.lower().startswith("https:")
        if is_beyond:
            self._shared.check_urllib3()
        with self._shared.making:
            is_new = proxy not in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **proxy_kwargs)
            if is_new and not is_beyond:
                use_shared_pool(manager, self._shared)
        return manager

    @property
    def pool(self) -> ConnectionPool:
        """The hyperlite pool beneath: `adapter.pool.stats()` tells what it does.

        A program that asks for it should close the session or the adapter. Otherwise the connections are
        closed when the adapter is garbage.
        """
        return self._shared.hand_out()

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        super().close()
        self._shared.close()


def session(**options: Any) -> requests.Session:
    """Return a requests.Session that speaks HTTP/2 with servers that do.

    Args:
        options: as for `HTTP20Adapter`.
    """
    made = requests.Session()
    adapter = HTTP20Adapter(**options)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made
