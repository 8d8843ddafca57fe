"""ConnectionPool, fetch() and fetch_many(): the facade over `fetching/`, `many/` and `origins/`.

::

    with hyperlite.ConnectionPool() as pool:
        page = pool.fetch("https://example.org/")
        for outcome in pool.fetch_many(urls):
            ...

Any number of threads may share a pool.
"""

import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from .fetching.arguments import (
    ADDED_ALONE,
    Body,
    Changes,
    FetchArguments,
    ManyArguments,
    ManyChanges,
    Params,
    Progress,
    as_pairs,
    checked,
    checked_context,
    no_option,
    tls_context,
)
from .fetching.checks import kind, seconds, truth, whole
from .fetching.defaults import Auth, defaults
from .fetching.headers import Headers, pairs
from .fetching.hop import Fetcher
from .fetching.options import Options
from .fetching.proxy_rules import Proxies
from .fetching.request import FetchRequest
from .fetching.response import FetchResponse
from .fetching.retries import Retries
from .fetching.task import make_task
from .http2.liveness import KEEPALIVE_IDLE, PING_TIMEOUT
from .messages.fields import Header
from .messages.urls import parse
from .net.resolving import Resolver
from .net.trust import Cert, MadeContexts, Verify
from .observing import Observer
from .origins.connection import PooledConnection
from .origins.limits import Limits, Throttle, checked_limits, throttle_for
from .origins.origin import Settings
from .origins.registry import Registry
from .telling import Observers
from .transports import TransportOptions

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

    from .fetching.handled import Handler
    from .many.run import FetchRun

Item = TypeVar("Item", bound=str | FetchRequest | Mapping[str, Any])


class ConnectionPool:
    """Connections to any number of origins, over HTTP/2 if the server has it, and over HTTP/1.1 otherwise.

    An origin gets one HTTP/2 connection, and a further one when its limit of streams is reached.  Over
    HTTP/1.1 it gets one for each request under way.  It never gets more than `max_connections_per_origin`.

    Args:
        timeout: seconds that each blocking step may last (connecting, waiting for the header, each
            read); None: no limit.
        deadline: seconds for a whole fetch, redirects and retries included; None: no limit.
        max_connections_per_origin: see above.
        max_http1_connections_per_origin: the limit for origins without HTTP/2; None: the same number.
        max_idle: connections in all to be kept open while no request uses them; when a request ends, those
            unused for longest are closed first.
        idle_timeout: seconds after which an unused connection is closed and not used again; None: never.
        retries: how often an idempotent request is tried again after a failure, or a `Retries`.
        verify: whether certificates are verified; or the path of a file, or directory, of
            authorities to trust instead of the default ones.
        cert: a client certificate's file; or (file, key file) or (file, key file, password).
        context: an ssl.SSLContext, instead of `verify` and `cert`.
        proxies: None for the environment's (`https_proxy`, `no_proxy`, …); False for none; a URL;
            or a mapping from "https", "http" or "all", also with "://host" behind it, to URLs or None,
            whose "no_proxy" lists hosts to be asked directly; ValueError for any other key.
        headers: header fields that are sent unless a request has its own.
        base_url: what URLs begin with that have no scheme: "users" and "/users" are paths below it.
        params: what is added to the query of each URL, unless the request has it; with `base_url`, to URLs of
            its origin alone.
        auth: (name, password) for Basic authentication; or a function that is called with a FetchRequest for
            each request, in the thread that sends it, and returns header fields for that: a mapping, or
            pairs.  For the origin of `base_url` alone; a request's own Authorization goes before.
        limits: how many requests the pool makes, all threads, redirects and further tries included: a
            `Limits`; None: any number.
        origin_limits: the same, of the requests to each origin (scheme, host and port).
        cookies: an http.cookiejar.CookieJar, from which cookies are sent, and in which they are kept.
        max_body: bytes of a decoded body to hold in memory.
        allow_downgrade: follow redirects from https to http.
        source_address: (host, port) to connect from.
        keepalive_idle, ping_timeout: as for `HTTP20Connection`.
        protocols: which may be spoken, as for `HTTP20Connection`. But http:// URLs go over HTTP/1.1, unless
            this is ("h2",): then they go over HTTP/2, by prior knowledge.
        resolver: a function of a host and a port, which returns the addresses to connect to, as a list of
            str, or None for those that the system has; it refuses the host by an OSError.  Through a proxy
            that looks names up it can only refuse.  See docs/howto/resolver.md.
        handler: for tests, a function that answers requests in the place of servers, without a socket: called
            with a FetchRequest, in the thread that sends it, it returns a `hyperlite.testing.Response`.  What
            it raises is treated as an error of a connection.  See docs/howto/testing.md.
        observers: are told of connections and requests: see `Observer`.
    """

    def __init__(
        self,
        *,
        timeout: float | None = 60.0,
        deadline: float | None = None,
        max_connections_per_origin: int = 10,
        max_http1_connections_per_origin: int | None = None,
        max_idle: int = 100,
        idle_timeout: float | None = 60.0,
        retries: int | Retries = 2,
        verify: Verify = True,
        cert: Cert = None,
        context: ssl.SSLContext | None = None,
        proxies: Proxies = None,
        headers: Headers | None = None,
        base_url: str | None = None,
        params: Params | None = None,
        auth: Auth | None = None,
        cookies: "CookieJar | None" = None,
        limits: Limits | None = None,
        origin_limits: Limits | None = None,
        max_body: int = 64 << 20,
        allow_downgrade: bool = False,
        source_address: tuple[str, int] | None = None,
        keepalive_idle: float | None = KEEPALIVE_IDLE,
        ping_timeout: float = PING_TIMEOUT,
        protocols: Sequence[str] | None = None,
        resolver: Resolver | None = None,
        handler: "Handler | None" = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        transports = TransportOptions(
            keepalive_idle=keepalive_idle, ping_timeout=ping_timeout, observers=Observers(observers)
        )
        most = max_connections_per_origin, max_http1_connections_per_origin, max_idle
        settings = _settings(most, idle_timeout, source_address, transports, handler)
        self._verify, self._cert, self._context = verify, cert, context
        self._options = Options(
            redirects=10,
            decode=True,
            context=None,
            headers=_default_headers(headers),
            defaults=defaults(base_url, as_pairs(params), auth, cookies),
            **checked({"timeout": timeout, "deadline": deadline, "max_body": max_body, "retries": retries}),
            **checked({"allow_downgrade": allow_downgrade, "protocols": protocols, "resolver": resolver}),
            **checked({"proxies": False if proxies is None and handler is not None else proxies}),
        )
        self._contexts = _contexts_for(verify, cert, context)
        self._origins = Registry(settings)
        throttle = throttle_for(limits, origin_limits)
        self._fetcher = Fetcher(self._origins, throttle, transports.observers)

    # -- fetching ---------------------------------------------------------------------------------

    def fetch(
        self,
        url: str,
        method: str = "GET",
        *,
        headers: Headers | None = None,
        body: Body | None = None,
        json: Any = None,
        params: Params | None = None,
        redirects: int = 10,
        decode: bool = True,
        stream: bool = False,
        **options: Unpack[Changes],
    ) -> FetchResponse:
        """Fetch a URL.

        Args:
            url: absolute, `http:` or `https:`.  Credentials in it become Basic authentication.
            method: of the request.
            headers: a mapping, or (name, value) pairs.
            body: bytes, str (sent as UTF-8), a file, or an iterable of bytes.
            json: what to send as JSON, instead of `body`.
            params: what to add to the URL's query: a mapping, pairs, or a str.
            redirects: how many to follow; 0: a redirect is the response.
            decode: decode gzip and deflate, and br and zstd if their packages are installed.
            stream: return when the header is there; the body is read from the response.
            options: `timeout`, `deadline`, `retries`, `verify`, `cert`, `context`, `proxies`,
                `max_body`, `allow_downgrade`, `protocols` and `resolver`, as for the pool, for this fetch
                alone.

        Raises:
            http.client.InvalidURL, ValueError, TypeError: the arguments make no sense.
            RedirectError: a redirect may not be followed, or there were too many.
            DecodingError: the body is not valid in its coding, or is too large (BodyTooLarge).
            RequestTimeout and other TimeoutErrors: it took too long.
            HTTP2Error, http.client.HTTPException, OSError, ssl.SSLError: it failed.
        """
        truth(stream, "stream")
        made = self._changed("fetch()", {"redirects": redirects, "decode": decode, **options})
        task = make_task(url, method, made, headers=headers, body=body, json=json, params=params)
        return self._fetcher.complete(task, stream=stream)

    def fetch_many(
        self,
        requests: Iterable[Item] = ADDED_ALONE,
        *,
        concurrency: int = 100,
        ordered: bool = False,
        max_buffered: int = 256 << 20,
        progress: Progress | None = None,
        **options: Unpack[ManyChanges],
    ) -> "FetchRun[Item]":
        """Fetch many URLs, of any number of origins, many at a time; yields an `Outcome` for each.

        Args:
            requests: URLs, FetchRequests, or mappings of `fetch()`'s arguments; any iterable.  It is
                read no further ahead than needed.  If it raises, the error comes after the outcomes of all
                requests that it gave before.  Without it, all requests come by `FetchRun.add()`.
            concurrency: how many requests to each origin are under way, or wait to be taken from here.
            ordered: yield outcomes in the order of `requests`; otherwise as responses arrive.
            max_buffered: bytes of responses to hold in memory, under way or not taken yet; SECURITY.md says
                what may exceed them.  While a run holds so many, servers must wait.
            progress: called for each outcome with (how many so far, how many in all or None). If it
                raises, the error comes after that outcome and ends the run.
            options: as for `fetch()`, `redirects` and `decode` too, for the requests that have no such option
                themselves.

        An exception from a request's item, body or connection is the `error` of its outcome.

        While the caller does something else, no further requests are sent.

        Returns:
            An iterator, to which further requests can be added while it is consumed.  `cancel()`, the end of
            a `with` block and the garbage collector cancel the requests that are under way.
        """
        from .many.loop import Loop  # noqa: PLC0415  programs that only call fetch() do not need it
        from .many.run import FetchRun  # noqa: PLC0415

        if isinstance(requests, str | bytes | FetchRequest | Mapping):
            raise TypeError("fetch_many() takes an iterable of URLs, not one URL: put it in a list")
        if not isinstance(requests, Iterable):
            raise TypeError(f"fetch_many() takes an iterable of URLs, not {kind(requests)}")
        if progress is not None and not callable(progress):
            raise TypeError(f"progress is a function, not {kind(progress)}")
        held = whole(max_buffered, "max_buffered", least=1)
        loop = Loop(
            self._fetcher,
            requests,
            whole(concurrency, "concurrency", least=1),
            truth(ordered, "ordered"),
            progress,
            self._changed("fetch_many()", options),
        )
        return FetchRun(loop, held)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        body: Body | None = None,
        json: Any = None,
        params: Params | None = None,
        **options: Unpack[Changes],
    ) -> FetchResponse:
        """Send one request and return when the header of its response is there: no redirect, no decoding.

        `response.raw` is the HTTP20Response. It must be read to its end or closed.

        Args:
            method, url, headers, body, json, params: as for `fetch()`.
            options: as for `fetch()`.

        Raises:
            As `fetch()`.
        """
        changed = self._changed("ConnectionPool.request()", options)
        made = changed._replace(redirects=0, decode=False, headers=())
        task = make_task(url, method, made, headers=headers, body=body, json=json, params=params)
        return self._fetcher.complete(task, stream=True)

    def options(self, **options: Unpack[ManyChanges]) -> Options:
        """Return the pool's options, with some of them changed; an unknown one is a TypeError.

        Args:
            options: as for `fetch()`.
        """
        return self._changed("ConnectionPool.options()", options)

    def _changed(self, function: str, options: Mapping[str, Any]) -> Options:
        """Return the pool's options, changed by the options of one call.

        None means the pool's own option, unless None has a meaning of its own.
        """
        given = dict(options)
        verify, cert, context = (given.pop(name, None) for name in ("verify", "cert", "context"))
        for name in given.keys() - _ALLOWED[function]:
            no_option(name, function, _ALLOWED[function])
        for name in ("retries", "protocols", "resolver"):
            if name in given and given[name] is None:
                del given[name]
        if context is None and verify is None and cert is None:
            context = self._context
        if context is None:
            context = tls_context(
                self._contexts, self._verify if verify is None else verify, cert or self._cert
            )
        return self._options._replace(context=checked_context(context), **checked(given))

    def set_limits(self, limits: Limits | None, origin: str | None = None, *, pause: float = 0.0) -> None:
        """Change how many requests are made from now on, also by runs of `fetch_many()` that are under way.

        Args:
            limits: the new limits; None: any number.
            origin: a URL, for the requests to its origin; None: for all requests together.
            pause: seconds from now before which none of these begins, as Retry-After asks for.

        Requests that began while the pool had no limits at all are not counted.

        Raises:
            http.client.InvalidURL, TypeError: an argument is wrong.
        """
        new = checked_limits(limits, "limits")
        place = None if origin is None else parse(origin).origin
        pause = seconds(pause, "pause") or 0.0
        with _lock:
            if self._fetcher.throttle is None:
                self._fetcher.throttle = Throttle(Limits(), Limits())
        self._fetcher.throttle.set_limits(new, place, pause)

    # -- the whole --------------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """Return how many requests and connections there were, and what each origin has now.

        `requests`, `retries`, `redirects`, `dialled` (connections), `failed_dials`; and `origins`,
        which has for each `protocol` ("h2", "http/1.1", or None while that is not known),
        `connections`, `leased` (requests under way), `dialling` and `waiting` (threads).
        """
        return vars(self._origins.counters) | {"origins": self._origins.states()}

    def close(self) -> None:
        """Close all connections. A response that is being read on HTTP/2 can be read to its end."""
        self._origins.close()

    def close_idle(self) -> None:
        """Close the connections that no request uses now; further requests open new ones."""
        self._origins.close_idle()

    @property
    def closed(self) -> bool:
        """Whether `close()` was called: further fetches raise ValueError."""
        return self._origins.closed

    def __enter__(self) -> "ConnectionPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return "<ConnectionPool, closed>"
        states = self._origins.states().values()
        connections = sum(state["connections"] for state in states)
        leased = sum(state["leased"] for state in states)
        return (
            f"<ConnectionPool, {len(states)} origins, {connections} connections, {leased} requests under way>"
        )


def _connector(handler: object) -> Callable[..., PooledConnection]:
    if not callable(handler):
        raise TypeError(f"handler is a function that answers a request, not {kind(handler)}")
    from .fetching.handled import connector  # noqa: PLC0415  for tests alone

    return connector(handler)


def _settings(
    most: tuple[int, int | None, int],
    idle_timeout: float | None,
    source_address: tuple[str, int] | None,
    transports: TransportOptions,
    handler: "Handler | None",
) -> Settings:
    """Return what a pool's connections have in common, checked."""
    to_one, to_one_on_http1, idle = most
    return Settings(
        whole(to_one, "max_connections_per_origin", least=1),
        _most_on_http1(to_one_on_http1, to_one),
        whole(idle, "max_idle"),
        seconds(idle_timeout, "idle_timeout"),
        _address(source_address),
        transports.checked(),
        None if handler is None else _connector(handler),
    )


def _most_on_http1(own: int | None, general: int) -> int:
    return general if own is None else whole(own, "max_http1_connections_per_origin", least=1)


def _contexts_for(verify: Verify, cert: Cert, context: Any) -> MadeContexts:
    """Return the store of a pool's contexts; raise the error of what it is given for TLS."""
    contexts = MadeContexts()
    if context is not None:
        checked_context(context)
    elif verify is not True or cert is not None:
        tls_context(contexts, verify, cert)
    return contexts


def _address(source: tuple[str, int] | None) -> tuple[str, int] | None:
    if source is not None and not (isinstance(source, tuple) and len(source) == 2):
        raise TypeError(f"source_address is (host, port), not {source!r}")
    return source


def _default_headers(headers: Headers | None) -> tuple[Header, ...]:
    version = sys.modules[__package__].__version__  # importing it would be importing upwards
    given = [(name.lower(), value) for name, value in pairs(headers)]
    if not any(name == "user-agent" for name, _ in given):
        given.insert(0, ("user-agent", f"hyperlite/{version}"))
    return tuple(field for field in given if field[1] is not None)


# The options that a function has, beside those that are its arguments by name.
_ALLOWED = {
    "fetch()": FetchArguments.__optional_keys__,
    "fetch_many()": ManyArguments.__optional_keys__,
    "ConnectionPool.request()": FetchArguments.__optional_keys__ - {"redirects", "decode", "stream"},
    "ConnectionPool.options()": ManyChanges.__optional_keys__,
}


# -- for callers without a pool of their own: all of them share one --------------------------------

_default: ConnectionPool | None = None
_lock = threading.Lock()  # what a pool gets later, and the shared pool, are made once


def _renew_lock() -> None:
    """In a child process, replace the lock: a thread of the parent may have held it during the fork."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


def default_pool() -> ConnectionPool:
    """Return the pool that `hyperlite.fetch()` and `hyperlite.fetch_many()` use."""
    global _default  # noqa: PLW0603
    with _lock:
        if _default is None or _default.closed:
            _default = ConnectionPool()
        return _default


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def fetch(url: str, method: str = "GET", **arguments: Unpack[FetchArguments]) -> FetchResponse:
    """Fetch a URL, on connections that all callers of this function share.

    Args:
        url, method, arguments: as for `ConnectionPool.fetch()`.
    """
    return default_pool().fetch(url, method, **arguments)


def fetch_many(
    requests: Iterable[Item] = ADDED_ALONE, **arguments: Unpack[ManyArguments]
) -> "FetchRun[Item]":
    """Fetch many URLs, on connections that all callers of this function share.

    Args:
        requests, arguments: as for `ConnectionPool.fetch_many()`.
    """
    return default_pool().fetch_many(requests, **arguments)
