"""urllib3's managers and pools with hyperlite's pool in the place of their sockets.

A manager of urllib3 makes a pool for each origin and each way to it.  These pools are thin: all pools of an
adapter stand on one `ConnectionPool`.  urllib3 serves, on HTTP/1.1, what that cannot do (a proxy that itself
wants TLS, a fingerprint in the place of a certificate's name, socket options): no option of a caller is
silently left out.

Rule: `urlopen()` has one short way, for what requests nearly always asks of it, while no program has patched
urllib3's.  urllib3's own `urlopen()` serves everything else, and every failure.
"""

import functools
import logging
import re
import ssl
import threading
import time
import types
import weakref
from collections.abc import Mapping
from typing import Any

import urllib3
from requests.structures import CaseInsensitiveDict
from urllib3 import PoolManager, Retry, Timeout, connectionpool
from urllib3.util import ssl_

from ...fetching.options import Options
from ...fetching.retries import Retries
from ...messages.fields import Header
from ...messages.urls import URL
from ...net.contexts import is_stock
from ...net.forking import watch
from ...net.protocols import H2, Protocols
from ...net.proxy import Proxy
from ...observing import Observer
from ...origins.key import Key
from ...origins.origin import Origin
from ...pool import ConnectionPool
from .connection import LeasedConnection, encoded, request_fields
from .response import HTTP20Raw
from .tls import LOOK, Contexts, Trust

# Pool arguments that hyperlite cannot serve.
_BEYOND = ("assert_fingerprint", "assert_hostname", "server_hostname", "socket_options")
# A target in which urllib3 has nothing to quote. It is sent as it is.
_is_quoted = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-F]{2})*").fullmatch
# The options of urlopen() that the short way heeds, or that matter on the long way alone.
_UNDERSTOOD = frozenset(
    {"timeout", "preload_content", "decode_content", "chunked", "release_conn", "body_pos", "pool_timeout"}
)

# requests' mapping, if it still keeps its pairs in `_store`: writing them there takes an eighth of the time.
_DICT = CaseInsensitiveDict if vars(CaseInsensitiveDict(A="1")) == {"_store": {"a": ("A", "1")}} else None
# Values of urllib3's `cert_reqs` that mean: do not verify certificates.
_UNVERIFIED = frozenset({None, "CERT_NONE", 0})


def own(module: types.ModuleType, function: Any) -> Any:
    """Return a module's own function; a placeholder if a program has already replaced it."""
    code = function.__code__ if type(function) is types.FunctionType else None
    return function if code is not None and code.co_filename == module.__file__ else object()


# Tools for tracing or recording replace these.
_URLOPEN = own(connectionpool, urllib3.HTTPConnectionPool.urlopen)
_MAKE_REQUEST = own(connectionpool, urllib3.HTTPConnectionPool._make_request)

log = logging.getLogger("urllib3.connectionpool")  # users of urllib3 read the log of this name

# On HTTP/1.1 urllib3 opens as many connections as there are requests, unless it is told to block.
_UNLIMITED = 1 << 30


class SharedPool:
    """The hyperlite pool beneath all urllib3 pools of one adapter.

    Args:
        maxsize: HTTP/2 connections to one origin, at most.
        block: let `maxsize` also limit HTTP/1.1 connections.
        max_idle: connections to be kept open while no request uses them.
        source_address: (host, port) to connect from.
        protocols: which may be spoken, as for `ConnectionPool`.
        observers: are told of connections and requests.

    Attributes:
        protocols: the same, checked.
    """

    def __init__(
        self,
        maxsize: int,
        *,
        block: bool,
        max_idle: int,
        source_address: tuple[str, int] | None = None,
        protocols: tuple[str, ...] | None = None,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self.protocols = protocols
        self._options = {
            "timeout": None,
            "max_connections_per_origin": max(1, maxsize),
            "max_http1_connections_per_origin": max(1, maxsize) if block else _UNLIMITED,
            "max_idle": max_idle,
            "proxies": False,
            "retries": Retries(total=0),
            "source_address": source_address,
            "protocols": protocols,
            "observers": observers,
        }
        self.contexts = Contexts()
        self.making = threading.Lock()  # of managers for proxies
        self._lock = threading.Lock()
        # -- guarded by _lock --
        self._pool: ConnectionPool | None = None
        self._finalizer: Any = None
        watch(self)

    @property
    def pool(self) -> ConnectionPool:
        """The pool; after `close()` another.

        If no caller closes it, its connections are closed when this is garbage, or the program ends, as
        urllib3's are.  No request is under way then: a thread that makes one holds a pool of urllib3, which
        holds this.
        """
        pool = self._pool
        if pool is None or pool.closed:
            with self._lock:
                if self._pool is None or self._pool.closed:
                    made = ConnectionPool(**self._options)  # type: ignore[arg-type]
                    self._finalizer = weakref.finalize(self, made.close_idle)
                    self._pool = made
                pool = self._pool
        return pool

    def check_urllib3(self) -> None:
        """Raise ValueError if only HTTP/2 may be spoken: urllib3 itself speaks HTTP/1.1."""
        if self.protocols == (H2,):
            raise ValueError('protocols=("h2",): this is left to urllib3, which speaks HTTP/1.1')

    def hand_out(self) -> ConnectionPool:
        """Return the pool to a caller that may use it after this is garbage; the caller then closes it."""
        pool = self.pool
        self._finalizer.detach()
        return pool

    def after_fork(self) -> None:
        """Make new locks in the child process; the pool does the rest for itself."""
        self._lock = threading.Lock()
        self.making = threading.Lock()
        self.contexts.after_fork()

    def close(self) -> None:
        """Close the connections; responses on HTTP/2 can be read to their end."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            self._finalizer.detach()
            pool.close()


class Multiplexed(urllib3.HTTPConnectionPool):
    """What both kinds of pools have in common.

    Attributes:
        shared: what it stands on.
        socks: the SOCKS proxy on the way, or None.
        verifies: whether certificates are verified.
        told: the last arguments of `cert_verify()`, whose files were looked up.
    """

    shared: SharedPool
    told: Any = None
    socks: Proxy | None = None
    verifies = False
    # The last results with their arguments: each is one object, because threads replace it without a lock.
    _prepared: tuple[ConnectionPool, Any, Options] | None = None
    _key: tuple[Any, Proxy | None, Key] | None = None
    _headers: tuple[tuple[Header, ...], list[Header]] | None = None

    def urlopen(  # type: ignore[override]
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        retries: Any = None,
        redirect: bool = True,
        assert_same_host: bool = True,
        **options: Any,
    ) -> Any:
        """Make a request, as urllib3's pools do.

        Args:
            method, url, body, headers, retries, redirect, assert_same_host, options: as there.
        """
        if (
            not redirect
            and headers
            and isinstance(retries, Retry)
            and (body is None or isinstance(body, bytes | str))
            and _is_quoted(url)
            and self._is_plain(options)
        ):
            timeout = options["timeout"]
            conn = LeasedConnection(self)
            raw = conn.ask(
                method,
                url,
                encoded(body),
                self._fields(headers),
                connect_timeout=timeout.connect_timeout,
                read_timeout=timeout.read_timeout,
            )
            if raw is not None:
                decode = options.get("decode_content", True)
                response = HTTP20Raw.plain(raw, conn, url=url, retries=retries, decode_content=decode)
                later = "retry-after" in response.headers and response.headers["retry-after"]
                if not retries.is_retry(method, response.status, bool(later)):
                    self.num_requests += 1
                    if log.isEnabledFor(logging.DEBUG):
                        self._log(method, url, response)
                    return response
                conn.outcome = response
            options["pool_timeout"] = conn  # urllib3 asks it for the result
        return super().urlopen(method, url, body, headers, retries, redirect, assert_same_host, **options)

    def _is_plain(self, options: dict[str, Any]) -> bool:
        """Tell whether the short way does all that is asked for, and nothing patches or observes urllib3."""
        timeout = options.get("timeout")
        return (
            options.get("preload_content") is False
            and not options.get("chunked")
            and not options.get("release_conn")
            and options.keys() <= _UNDERSTOOD
            and isinstance(timeout, Timeout)
            and timeout.total is None
            and self.proxy is None
            and not self.proxy_headers
            and (self.verifies or self.scheme == "http")  # otherwise urllib3 warns
            and urllib3.HTTPConnectionPool.urlopen is _URLOPEN
            and urllib3.HTTPConnectionPool._make_request is _MAKE_REQUEST
            and self._connects
        )

    @property
    def _connects(self) -> bool:
        """Whether connections are hyperlite's: not if the program has replaced urllib3's class."""
        return self.socks is not None or self.ConnectionCls.__module__ == urllib3.connection.__name__

    def _log(self, method: str, url: str, response: Any) -> None:
        """Log what urllib3 logs of a request."""
        where = (self.scheme, self.host, self.port, method, url)
        came = (response.version_string, response.status, response.length_remaining)
        log.debug('%s://%s:%s "%s %s %s" %s %s', *where, *came)

    def _fields(self, headers: Mapping[Any, Any]) -> list[Header]:
        """Return the header fields for a request; for the headers of the last request, the same list."""
        pairs = tuple(headers._store.values() if type(headers) is _DICT else headers.items())
        last = self._headers
        if last is not None and last[0] == pairs:
            return last[1]
        fields = request_fields(headers)
        if all(type(name) is str and type(value) is str for name, value in pairs):
            self._headers = pairs, fields  # 1 and True are equal, but not the same header
        return fields

    @property
    def hyper(self) -> ConnectionPool:
        """The hyperlite pool whose connections this uses."""
        return self.shared.pool

    def options(self, pool: ConnectionPool) -> Options:
        """Return the options of requests, with the TLS context for the present trust settings."""
        context = self._context()
        prepared = self._prepared
        if prepared is None or prepared[0] is not pool or prepared[1] is not context:
            made = pool.options(context=context, redirects=0, decode=False)
            prepared = self._prepared = (pool, context, made)
        return prepared[2]

    def origin(self, pool: ConnectionPool, via: Proxy | None, *, upgrades: bool = False) -> Origin:
        """Return the connections for a request that is made now.

        Args:
            pool: where they are.
            via: the proxy on the way, or None.
            upgrades: it asks to go on in another protocol.
        """
        context = self._context()
        known = self._key
        shared = self._is_shared(context)
        if known is None or known[0] is not context or known[1] is not via or shared:
            verified = shared and self.verifies
            if verified and not is_stock(context):
                context.check_hostname = True  # this switches verification on, as urllib3 does each time
            url = URL(self.scheme, self.host, self.port or 0, "/")
            choice = self.shared.protocols
            if choice == (H2,) and self.proxy is not None and self.scheme == "http":
                raise ValueError(f'protocols=("h2",): {self.proxy} is asked for http:// URLs in HTTP/1.1')
            key = Key.of(url, via, context, verified=verified, protocols=choice)
            known = self._key = (context, via, key)
        if upgrades:
            choice = Protocols(self.shared.protocols, secure=context is not None).insist_on_http1()
            return pool._origins.get(known[2]._replace(protocols=choice))
        return pool._origins.get(known[2])

    def _context(self) -> Any:
        return None

    def _is_shared(self, context: Any) -> bool:
        return False

    def _get_conn(self, timeout: Any = None) -> Any:
        if isinstance(timeout, LeasedConnection) and timeout.outcome is not None:
            return timeout
        return LeasedConnection(self) if self._connects else super()._get_conn(timeout)

    def _put_conn(self, conn: Any) -> None:
        if isinstance(conn, LeasedConnection):
            conn.give_back()
        elif conn is not None or not self._connects:
            super()._put_conn(conn)

    def close(self) -> None:
        """Do nothing: the adapter owns the connections, and closes them."""


class HTTPConnectionPool(Multiplexed):
    """The pool for an http:// origin: HTTP/1.1, unless HTTP/2 alone may be spoken."""


class HTTPSConnectionPool(Multiplexed, urllib3.HTTPSConnectionPool):
    """The pool for an https:// origin: HTTP/2 if the server speaks it."""

    # What was told, until when its files need no second look, and the context made of it.
    _made: tuple[tuple[Any, ...], float, Any] | None = None

    @property
    def verifies(self) -> bool:  # type: ignore[override]
        """Whether certificates are verified."""
        return self.cert_reqs not in _UNVERIFIED

    def _context(self) -> Any:
        conn_kw = self.conn_kw
        told = (
            self.cert_reqs,
            self.ca_certs,
            self.ca_cert_dir,
            conn_kw.get("ca_cert_data"),
            self.cert_file,
            self.key_file,
            self.key_password,
            self.ssl_version,
            self.ssl_minimum_version,
            self.ssl_maximum_version,
            conn_kw.get("ssl_context"),
        )
        made, now = self._made, time.monotonic()
        if made is None or made[0] != told or now >= made[1]:
            context = self.shared.contexts.get(Trust(told[0] not in _UNVERIFIED, *told[1:]))
            made = self._made = (told, now + LOOK, context)
        return made[2]

    def _is_shared(self, context: Any) -> bool:
        """Tell whether a context is the program's own, which may change while connections are open."""
        return context is self.conn_kw.get("ssl_context")


_CLASSES: dict[str, type[Multiplexed]] = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}


def use_shared_pool(manager: PoolManager, shared: SharedPool) -> None:
    """Make a urllib3 manager create pools that use `shared`."""
    stock: dict[str, Any] = manager.pool_classes_by_scheme
    makers = {
        scheme: functools.partial(_make, shared, ours, stock[scheme]) for scheme, ours in _CLASSES.items()
    }
    manager.pool_classes_by_scheme = stock | makers  # urllib3 only ever calls them


def _make(
    shared: SharedPool,
    ours: type[Multiplexed],
    stock: type[urllib3.HTTPConnectionPool],
    host: str,
    port: int,
    **arguments: Any,
) -> urllib3.HTTPConnectionPool:
    """Return a pool for an origin, for the arguments that urllib3's manager has."""
    given = arguments.get("ssl_context")
    kind: Any = ssl_.SSLContext if given is None else type(given)  # urllib3 can be set to use pyOpenSSL's
    foreign = not issubclass(kind, ssl.SSLContext) and ours is not HTTPConnectionPool
    if foreign or any(arguments.get(name) is not None for name in _BEYOND):
        shared.check_urllib3()
        return stock(host, port, **arguments)
    socks = arguments.pop("_socks_options", None)
    pool = ours(host, port, **arguments)
    pool.shared = shared
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
