"""A connection as a pool keeps it: one socket for its life, known by all that sets it apart."""

import contextlib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from .addresses import create_connection, through_socks
from .connection import HTTP20Connection
from .errors import StreamReset
from .http1 import Lane
from .mux import Mux
from .proxies import Proxy
from .redirects import Header
from .request import Request
from .response import HTTP20Response
from .transport import break_off, is_stale, remaining
from .urls import URL

if TYPE_CHECKING:
    from .tasks import Task


class Key(NamedTuple):
    """All that must be the same for two requests to share a connection."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None
    context: ssl.SSLContext | None  # by identity
    verification: tuple[Any, ...]  # what can be changed on a context while connections stand

    @classmethod
    def of(cls, url: URL, proxy: Proxy | None, context: ssl.SSLContext | None) -> "Key":
        """Return the key for a URL."""
        verification = () if context is None else (context.verify_mode, context.check_hostname)
        return cls(url.scheme, url.host, url.port, proxy, context, verification)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        via = "" if self.proxy is None else f" by way of {self.proxy!r}"
        return f"{self.scheme}://{host}:{self.port}{via}"


class PooledConnection(HTTP20Connection):
    """A connection of a pool: one socket, HTTP/2 or HTTP/1.1 as the server has it, cleartext HTTP/1.1 too.

    Attributes:
        leased: how many requests use it now; the origin's lock guards it.
        used: whether a request was sent on it before.
        idle_since: the monotonic time at which it was last given back.
    """

    def __init__(self, key: Key, *, timeout: float | None, **options: Any) -> None:
        proxy, secure = key.proxy, key.scheme == "https"
        forwarded = proxy is not None and proxy.scheme == "http"
        host, port = (proxy.host, proxy.port) if proxy and forwarded else (key.host, key.port)
        super().__init__(
            host,
            port,
            secure=secure,
            timeout=timeout,
            context=key.context,
            **options,
        )
        self.leased = 0
        self.used = False
        self._headers: list[Header] | None = None
        self._template: Request | None = None  # with these headers
        self.idle_since = time.monotonic()
        if proxy is None:
            self._create_connection: Any = create_connection
        elif not forwarded:
            self._create_connection = through_socks(proxy)
        else:
            self._create_connection = create_connection
            if secure:
                told = dict(proxy.headers)
                if proxy.authorization:
                    told["Proxy-Authorization"] = proxy.authorization
                self.set_tunnel(key.host, key.port, told)
        self._forwarded = forwarded and not secure

    def _talk(self, sock: socket.socket, *, http2: bool) -> None:
        super()._talk(sock, http2=http2 and self._secure)
        self.auto_open = 0

    @property
    def mux(self) -> Mux | None:
        """The HTTP/2 connection, or None on HTTP/1.1."""
        return self._transport if isinstance(self._transport, Mux) else None

    @property
    def room(self) -> int:
        """How many more requests it takes at once."""
        transport = self._transport
        if isinstance(transport, Mux):
            return transport.stream_limit - self.leased
        return 0 if self.leased else 1

    def make(self, task: "Task") -> Request:
        """Return a task's request, to be sent on this connection.

        Raises:
            ValueError, TypeError, http.client.InvalidURL: something in it may not be sent.
        """
        plain = task.body is None and task.method == "GET"
        if plain and task.headers is self._headers:  # as one before it but for the target
            assert self._template is not None
            return self._template.like(task.url.target)
        request = Request(
            task.method,
            task.url.target,
            task.body,
            task.fields(forwarded=False),
            self._scheme,
            self._authority,
            self.blocksize,
        )
        if plain:
            self._headers, self._template = task.headers, request
        return request

    def ask(self, task: "Task") -> HTTP20Response:
        """Send a task's request and return its response when its header is there.

        Raises:
            As `request()` and `getresponse()`.
        """
        target = task.url.target
        if self._forwarded:  # the proxy wants the whole URL
            target = f"{task.url.scheme}://{task.url.netloc}{target}"
        self.limit(task.patience())
        stream_id = self.request(
            task.method,
            target,
            task.body,
            task.fields(forwarded=self._forwarded),
            timeout=task.options.timeout,
            deadline=remaining(task.deadline),
        )
        return self.getresponse(stream_id)

    def limit(self, seconds: float | None) -> None:
        """Set how long a step may last, where one request has the connection for itself: on HTTP/1.1."""
        if isinstance(self._transport, Lane):
            self._transport.limit(seconds)
            if self.sock is not None:
                with contextlib.suppress(OSError):  # closed, because the server said that it would
                    self.sock.settimeout(seconds)

    @property
    def healthy(self) -> bool:
        """Whether it can take a request, as far as can be seen without asking the server."""
        transport = self._transport
        if isinstance(transport, Mux):
            return transport.check()
        if not isinstance(transport, Lane) or self.sock is None:
            return False
        try:
            return not is_stale(self.sock)
        except OSError:  # http.client has closed it, because the server said that it would
            return False


class Attempt:
    """One request on a connection of its own, by a thread: so that another can end it."""

    __slots__ = ("_answered", "_connection", "_lock", "_mux", "_over", "reused")

    def __init__(self) -> None:
        self.reused = False  # whether the connection had been used before
        self._mux: Mux | None = None
        self._answered = 0
        self._lock = threading.Lock()
        # -- guarded by _lock --
        self._connection: PooledConnection | None = None
        self._over = False

    def begin(self, connection: "PooledConnection") -> None:
        """Take note of the connection.

        Raises:
            StreamReset: the attempt was ended already.
        """
        self.reused = connection.used
        self._mux = connection.mux
        self._answered = self._mux.answered if self._mux is not None else 0
        with self._lock:
            if self._over:
                raise StreamReset("the request was cancelled")
            self._connection = connection

    @property
    def progress(self) -> bool:
        """Whether the connection has brought a response to any request since this one began; on HTTP/2."""
        return self._mux is not None and self._mux.answered > self._answered

    def end(self) -> None:
        """Take note that the connection is about to be another's."""
        with self._lock:
            self._connection = None

    def break_off(self) -> None:
        """End it: on HTTP/1.1 at once; from a finalizer too, this does not wait."""
        self._over = True
        if self._lock.acquire(blocking=False):
            try:
                connection = self._connection
                if connection is not None and connection.mux is None and connection.sock is not None:
                    break_off(connection.sock)
            finally:
                self._lock.release()
