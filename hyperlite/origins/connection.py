"""A connection as a pool keeps it: one socket for its life."""

import contextlib
import functools
import http.client as http_client
import sys
import time
from typing import Any, NoReturn

from .. import stock
from ..errors import ConnectionGoingAway
from ..http2.connection import HTTP2Connection
from ..http2.socket_facade import SharedSocket
from ..messages.exchange import Carrier, Exchange, give_up
from ..messages.fields import Header, Pairs, authority
from ..messages.hosts import ascii_host
from ..messages.request import Request
from ..messages.response import HTTP20Response
from ..net import socks
from ..net.dialer import Dialer, Tunnel, info_of
from ..net.forking import watch
from ..net.happy_eyeballs import create_connection
from ..net.protocols import H2, Protocols
from ..net.resolving import check_host
from ..net.sockets import is_stale
from ..net.timeouts import deadline_after
from ..net.tls import CreateConnection
from ..net.trust import default_context
from ..observing import ConnectionInfo, Steps
from ..telling import Watch
from ..transports import Speaker, TransportOptions, make_http1, make_http2
from .bonds import Bond
from .key import Key

# Bytes that are read at a time of a file that is sent.
BLOCKSIZE = 65536


class PooledConnection:
    """A connection of a pool: one socket, HTTP/2 or HTTP/1.1.

    Args:
        key: what sets it apart.
        sock: on HTTP/1.1 the socket; on HTTP/2 a stand-in, because other requests use the socket too.
        transport: on that socket.

    Attributes:
        sock: the same; None in a child process, and when another protocol has taken the socket over.
        http2: the HTTP/2 connection, or None on HTTP/1.1.
        leased: how many requests use it now; the origin's lock guards it.
        used: whether it was leased before.
        carried: whether `ask()` has sent a request on it.
        idle_since: the monotonic time at which it was last given back.
        noted: it has an entry in the pool's `IdleConnections`; the origin's lock guards it.
        bond: the credentials that it serves, once it has carried NTLM or Negotiate; guard: the origin's lock.
        forwarded: requests go to a proxy, and their target is the whole URL.
        info: how it was opened; None: that is not known.
    """

    def __init__(self, key: Key, sock: Any, transport: Carrier[Any]) -> None:
        self.sock: Any = sock
        self._transport = transport
        self.http2: HTTP2Connection | None = transport if isinstance(transport, HTTP2Connection) else None
        self.info: ConnectionInfo | None = info_of(sock if self.http2 is None else self.http2.sock)
        self.leased = 0
        self.used = False
        self.carried: bool = False
        self.noted = False
        self.bond: Bond | None = None
        self.idle_since: float = time.monotonic()
        self.forwarded: bool = key.is_forwarded
        self._scheme = key.scheme.encode()
        self._authority = authority(key.host, key.port, key.default_port)
        # The latest plain GET, and the headers that it was made of; one object, as threads take turns here.
        self._template: tuple[list[Header], Request] | None = None
        watch(self)

    @property
    def room(self) -> int:
        """How many more requests it takes at once."""
        limit = 1 if self.http2 is None else self.http2.stream_limit
        return limit - self.leased

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way on it."""
        return not any(self._transport.counts)

    def make_request(
        self, method: str, target: str, body: Any, headers: list[Header], *, chunked: bool = False
    ) -> Request:
        """Return a request to be sent on this connection.

        Args:
            method, target, body: of the request.
            headers: a list that is never changed: the same object stands for the same headers.
            chunked: send the body in chunks on HTTP/1.1, whatever is known of its length.

        Raises:
            ValueError, TypeError, http.client.InvalidURL: something in it may not be sent.
        """
        plain = body is None and method == "GET"
        template = self._template
        if plain and template is not None and template[0] is headers:  # only the target differs
            return template[1].like(target)
        request = Request(
            method, target, body, Pairs(headers), self._scheme, self._authority, BLOCKSIZE, chunked
        )
        if plain:
            self._template = headers, request
        return request

    def ask(
        self,
        method: str,
        target: str,
        body: Any,
        headers: list[Header],
        *,
        timeout: float | None,
        deadline: float | None = None,
        chunked: bool = False,
        watch: Watch | None = None,
    ) -> HTTP20Response:
        """Send a request and return its response when its header is there.

        Args:
            method, target, body, headers, chunked: as for `make_request()`.
            timeout: seconds that each step may last, or None.
            deadline: the monotonic time by which all must be over, or None.
            watch: is told when the request was sent; or None.

        Raises:
            As `make_request()`. HTTP2Error, OSError, http.client.HTTPException: the request failed.  If a
            kept connection broke, its own error is raised: the connection is not opened again.
        """
        request = self.make_request(method, target, body, headers, chunked=chunked)
        request.timeout, request.deadline = timeout, deadline
        # Set on the socket itself, so that no step needs two system calls to set it and set it back.
        if self.http2 is None and self.sock is not None and self.sock.gettimeout() != timeout:
            with contextlib.suppress(OSError):  # the server has announced the end, so the socket is closed
                self.sock.settimeout(timeout)
        transport = self._transport
        exchange: Exchange = transport.exchange_class(0, request)
        try:
            if not transport.submit((exchange,)):
                raise ConnectionGoingAway("the connection takes no further requests", retry_safe=True)
            transport.wait_sent(exchange)
            if watch is not None:
                watch.sent(self.info, exchange, reused=self.carried)
            self.carried = True
            transport.wait_head(exchange)
            response: HTTP20Response = exchange.make_response(HTTP20Response)
        except BaseException as error:
            give_up(exchange)
            if isinstance(error, http_client.NotConnected):
                raise error.__cause__ or error from None
            raise
        if response.sock is not None:
            self.sock = None  # it is the response's: this connection takes no further request
        return response

    @property
    def healthy(self) -> bool:
        """Whether it can take a request, as far as this end can see."""
        if self.http2 is not None:
            return self.http2.check()
        if self.sock is None or not self._transport.check():
            return False
        try:
            return not is_stale(self.sock)
        except OSError:  # it was closed, because the server said that it would
            return False

    def close(self) -> None:
        """Close it; a response that is being read on HTTP/2 can be read to its end."""
        self._transport.close()

    def __del__(self) -> None:
        """Have one in HTTP/1.1 that is dropped close at once, and not when it is collected."""
        if "_transport" in vars(self):  # or else __init__ was interrupted
            self._transport.abandon_all()

    def after_fork(self) -> None:
        """In the child: to shut the socket down would end the parent's connection."""
        self.sock = None


def dial(
    key: Key,
    protocols: Protocols,
    options: TransportOptions,
    *,
    timeout: float | None,
    source_address: tuple[str, int] | None = None,
) -> PooledConnection:
    """Open a connection; proxies, tunnel and TLS handshake included.

    Args:
        key: what sets it apart.
        protocols: what may be spoken, which all connections to the origin have in common.
        options: of its transport.
        timeout: seconds for all of it; None: no limit.
        source_address: (host, port) to connect from, or None.

    Raises:
        As `Dialer.dial()`.
    """
    proxy, secure = key.proxy, key.scheme == "https"
    host, port, tunnel = ascii_host(key.host), key.port, None
    address, steps = (host, port), Steps()
    create: CreateConnection = functools.partial(create_connection, steps=steps, resolver=key.resolver)
    if proxy is not None and proxy.scheme == "http":
        create = functools.partial(create_connection, steps=steps)
        if key.resolver is not None:
            check_host(key.resolver, host, port)
        address = ascii_host(proxy.host), proxy.port
        tunnel = Tunnel(host, port, proxy.told) if secure else None
    elif proxy is not None:
        create = socks.through(proxy, key.resolver)
    context = key.context if secure else None
    if secure and context is None:
        context = default_context()
    dialer = Dialer(
        *address,
        context=context,
        trust=key.verification if secure else None,  # so it is dialled, whatever happens meanwhile
        tunnel=tunnel,
        source_address=source_address,
        create_connection=create,
        debuglevel=stock.HTTPConnection.debuglevel,
        observers=options.observers,
        steps=steps,
    )
    sys.audit("http.client.connect", dialer, *address)
    sock, protocol = dialer.dial(protocols.offer(), timeout=timeout, by=deadline_after(timeout))
    try:
        if protocol == H2:
            debug = stock.HTTPConnection.debuglevel > 0
            http2 = make_http2(sock, options, timeout=timeout, protocols=protocols, trace=debug)
            return PooledConnection(key, SharedSocket(http2), http2)
        speak = Speaker(host, port, key.default_port, BLOCKSIZE, stock.HTTPConnection.debuglevel)
        http1 = make_http1(sock, options, timeout=timeout, speak=speak.__call__, dial=_dial_no_other)
        return PooledConnection(key, sock, http1)
    except BaseException:
        sock.close()
        raise


def _dial_no_other(_transport: object, _by: float | None) -> NoReturn:
    raise http_client.NotConnected("the server closed the connection before the request was sent")
