"""A connection as a pool keeps it: one socket for its life, known by all that sets it apart."""

import contextlib
import http.client as http_client
import socket
import ssl
import time
from typing import Any, NamedTuple

from ..connection import HTTP20Connection
from ..errors import ConnectionGoingAway, StreamReset
from ..fetching.task import Task
from ..http1.connection import HTTP1Connection
from ..http2.connection import HTTP2Connection
from ..http2.stream import Stream
from ..messages.fields import Header, Pairs, authority
from ..messages.request import Request
from ..messages.response import HTTP20Response
from ..messages.urls import URL
from ..net import socks
from ..net.contexts import trust_of
from ..net.forking import OwnLock
from ..net.happy_eyeballs import create_connection
from ..net.protocols import H2, HTTP11, Protocols
from ..net.proxy import Proxy
from ..net.sockets import break_off, is_stale
from ..net.timeouts import remaining
from .bonds import Bond


class Key(NamedTuple):
    """All that must be the same for two requests to share a connection."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None
    context: ssl.SSLContext | None  # by identity
    verification: tuple[Any, ...]  # what can be changed on a context while connections stand
    protocols: tuple[str, ...] | None = None  # that may be spoken, as the caller says

    @classmethod
    def of(
        cls,
        url: URL,
        proxy: Proxy | None,
        context: ssl.SSLContext | None,
        *,
        verified: bool = False,
        protocols: tuple[str, ...] | None = None,
    ) -> "Key":
        """Return the key for a URL; for `verified` see `trust_of`, for `protocols` `checked_protocols()`.

        Raises:
            ValueError: HTTP/2 alone may be spoken, and an HTTP proxy is asked for an http:// URL.
        """
        if protocols == (H2,) and proxy is not None and proxy.scheme == url.scheme == "http":
            raise ValueError(f'protocols=("h2",): {proxy!r} is asked for http:// URLs in HTTP/1.1')
        verification = () if context is None else trust_of(context, verified=verified)
        return cls(url.scheme, url.host, url.port, proxy, context, verification, protocols)

    def choice(self) -> Protocols:
        """Return what may be spoken: in cleartext HTTP/1.1, unless the caller knows that it is HTTP/2."""
        secure = self.scheme == "https"
        return Protocols(self.protocols if secure or self.protocols == (H2,) else (HTTP11,), secure=secure)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        via = "" if self.proxy is None else f" by way of {self.proxy!r}"
        return f"{self.scheme}://{host}:{self.port}{via}"


class PooledConnection(HTTP20Connection):
    """A connection of a pool: one socket, HTTP/2 or HTTP/1.1.

    Args:
        key: what sets it apart.
        timeout: seconds that a step may last, or None.
        protocols: what may be spoken, which all connections to the origin have in common.
        options: of `HTTP20Connection`.

    Attributes:
        mux: the HTTP/2 connection, or None on HTTP/1.1, and before it is dialled.
        leased: how many requests use it now; the origin's lock guards it.
        used: whether a request was sent on it before.
        idle_since: the monotonic time at which it was last given back.
        bond: whose it is, where it has carried NTLM or Negotiate; the origin's lock guards it.
    """

    def __init__(self, key: Key, *, timeout: float | None, protocols: Protocols, **options: Any) -> None:
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
        self._protocols = protocols
        self._trust = key.verification if secure else None  # so it is dialled, whatever happens meanwhile
        self.mux: HTTP2Connection | None = None
        self.leased = 0
        self.used = False
        self.bond: Bond | None = None
        # The latest plain GET, and the headers that it was made of; one object, as threads take turns here.
        self._template: tuple[list[Header], Request] | None = None
        self.idle_since = time.monotonic()
        if proxy is None:
            self._create_connection: Any = create_connection
        elif not forwarded:
            self._create_connection = socks.through(proxy)
        else:
            self._create_connection = create_connection
            if secure:
                told = dict(proxy.headers)
                if proxy.authorization:
                    told["Proxy-Authorization"] = proxy.authorization
                self.set_tunnel(key.host, key.port, told)
        self._forwarded = forwarded and not secure

    def _talk(self, sock: socket.socket, *, http2: bool) -> None:
        super()._talk(sock, http2=http2)
        self.auto_open = 0
        if isinstance(self._transport, HTTP2Connection):
            self.mux = self._transport

    def dial(self, by: float | None) -> None:
        """Connect; proxies, tunnel and TLS handshake included, all is over by a monotonic time.

        Raises:
            As `connect()`. RequestTimeout, TimeoutError: it was not over in time.
        """
        self._connect_by(by)

    @property
    def room(self) -> int:
        """How many more requests it takes at once."""
        limit = 1 if self.mux is None else self.mux.stream_limit
        return limit - self.leased

    def make(self, task: Task) -> Request:
        """Return a task's request, to be sent on this connection.

        Raises:
            ValueError, TypeError, http.client.InvalidURL: something in it may not be sent.
        """
        return self.make_request(task.method, task.url.target, task.body, task.headers)

    def make_request(self, method: str, target: str, body: Any, headers: list[Header]) -> Request:
        """Return a request to be sent on this connection.

        Args:
            method, target, body: of the request.
            headers: a list that nobody changes: the same object stands for the same headers.

        Raises:
            As `make()`.
        """
        plain = body is None and method == "GET"
        template = self._template
        if plain and template is not None and template[0] is headers:  # as one before it but for the target
            return template[1].like(target)
        request = Request(
            method,
            target,
            body,
            Pairs(headers),
            self._scheme,
            self._authority,
            self.blocksize,
        )
        if plain:
            self._template = headers, request
        return request

    def exchange(self, request: Request) -> HTTP20Response:
        """Send a request, whose body is in memory, over HTTP/2; return its response when its header is there.

        Args:
            request: of `make_request()`.

        Raises:
            As `request()` and `getresponse()`.
        """
        mux, stream = self.mux, Stream(0, request)
        if mux is None or not mux.submit((stream,)):
            raise ConnectionGoingAway("the connection takes no further requests", retry_safe=True)
        try:
            mux.settle(stream)
            mux.wait_head(stream)
        except BaseException:
            mux.drop(stream)
            raise
        return self.response_class.from_stream(stream, request.method)

    def ask(self, task: Task) -> HTTP20Response:
        """Send a task's request and return its response when its header is there.

        Raises:
            As `request()` and `getresponse()`.
        """
        task.patience()  # the time may be over already
        if self.mux is not None and task.repeatable:
            request = self.make(task)
            if not request.expects:
                request.timeout, request.deadline = task.options.timeout, task.deadline
                return self.exchange(request)
        target = task.url.target
        if self._forwarded:  # the proxy wants the whole URL, but for what is this machine's alone: a zone id
            origin = authority(task.url.host, task.url.port, self.default_port).decode("ascii")
            target = f"{task.url.scheme}://{origin}{target}"
        return self.converse(
            task.method,
            target,
            task.body,
            task.fields(forwarded=self._forwarded),
            timeout=task.options.timeout,
            deadline=remaining(task.deadline),
        )

    def converse(self, *arguments: Any, timeout: float | None, **options: Any) -> HTTP20Response:
        """Send a request and return its response when its header is there.

        Args:
            timeout: seconds that each step may last, or None.  On HTTP/1.1 it becomes the socket's own, so
                that no step needs two system calls to set it and set it back.
            arguments, options: as for `request()`.

        Raises:
            As `request()` and `getresponse()`. What has broken a kept connection under a request comes as it
            is: that the connection is not opened again to repeat it is the pool's own doing.
        """
        if self.mux is None and self.sock is not None and self.sock.gettimeout() != timeout:
            with contextlib.suppress(OSError):  # the server has announced the end, and the socket is closed
                self.sock.settimeout(timeout)
        try:
            response = self.getresponse(self.request(*arguments, timeout=timeout, **options))
            if response.sock is not None:
                self.sock = self._switched = (
                    None  # it is the response's: this connection takes no further request
                )
            return response
        except http_client.NotConnected as error:
            raise error.__cause__ or error from None

    @property
    def healthy(self) -> bool:
        """Whether it can take a request, as far as can be seen without asking the server."""
        if self.mux is not None:
            return self.mux.check()
        transport = self._transport
        if not isinstance(transport, HTTP1Connection) or self.sock is None:
            return False
        try:
            return not is_stale(self.sock)
        except OSError:  # http.client has closed it, because the server said that it would
            return False


class Attempt:
    """One request on a connection of its own, by a thread: so that another can end it."""

    __slots__ = ("_answered", "_connection", "_lock", "_mux", "_over", "begun", "reused")

    def __init__(self) -> None:
        self.begun = False  # whether there is, or was, a connection
        self.reused = False  # whether the connection had been used before
        self._mux: HTTP2Connection | None = None
        self._answered = 0
        self._lock = OwnLock()
        # -- guarded by _lock --
        self._connection: PooledConnection | None = None
        self._over = False

    def begin(self, connection: "PooledConnection") -> None:
        """Take note of the connection.

        Raises:
            StreamReset: the attempt was ended already.
        """
        self.begun = True
        self.reused = connection.used
        self._mux = connection.mux
        self._answered = self._mux.answered if self._mux is not None else 0
        with self._lock.own:
            if self._over:
                raise StreamReset("the request was cancelled")
            self._connection = connection

    @property
    def progress(self) -> bool:
        """Whether the connection has brought a response to any request since this one began; on HTTP/2."""
        return self._mux is not None and self._mux.answered > self._answered

    def end(self) -> None:
        """Take note that the connection is about to be another's."""
        with self._lock.own:
            self._connection = None

    def break_off(self) -> None:
        """End it: on HTTP/1.1 at once; from a finalizer too, this does not wait."""
        self._over = True
        if not self._lock.own.locked():
            with self._lock.own:  # not acquire(): see HTTP2Connection.abandon()
                connection = self._connection
                if connection is not None and connection.mux is None and connection.sock is not None:
                    break_off(connection.sock)
