"""A dialled socket becomes a transport: an HTTP/2 or an HTTP/1.1 connection.

`make_http2` and `make_http1` make it, for connection objects and for pools; `TransportOptions` has their
options.
"""

import contextlib
import http.client as http_client
import math
import socket
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from . import stock
from .errors import RequestTimeout
from .http1.connection import HTTP1Connection
from .http2.connection import HTTP2Connection
from .http2.engine import MAX_HEADER_LIST, Engine, make_engine
from .http2.liveness import KEEPALIVE_IDLE, PING_TIMEOUT
from .http2.socket_facade import SharedSocket
from .http2.unread import MAX_BUFFERED
from .messages.exchange import Transport
from .messages.fields import authority
from .messages.hosts import ascii_host
from .messages.response_rules import MAX_FIELDS
from .net import trust
from .net.dialer import Dialer, Tunnel
from .net.protocols import H2, HTTP11, Protocols
from .net.timeouts import checked_seconds, remaining, resolve_timeout, soonest
from .net.tls import Session

T = TypeVar("T")


class TransportOptions(NamedTuple):
    """What the transports of a connection object, or of a pool, have in common; see `HTTP20Connection`."""

    max_buffered: int = MAX_BUFFERED
    keepalive_idle: float | None = KEEPALIVE_IDLE
    ping_timeout: float = PING_TIMEOUT
    max_header_list: int = MAX_HEADER_LIST
    max_response_headers: int | None = None
    enable_push: bool = False
    require_close_notify: bool = True

    def checked(self) -> "TransportOptions":
        """Return the options that callers have given, as numbers of seconds.

        Raises:
            ValueError, TypeError: `keepalive_idle` or `ping_timeout` is no number of seconds.
        """
        idle = checked_seconds(self.keepalive_idle, "keepalive_idle")
        patience = checked_seconds(self.ping_timeout, "ping_timeout")
        if patience is None:  # an answer that may take for ever is not asked for
            idle, patience = None, math.inf
        return self._replace(keepalive_idle=idle, ping_timeout=patience)

    @property
    def engine(self) -> dict[str, Any]:
        """Those that an HTTP/2 engine has."""
        most = self.max_response_headers
        return {
            "max_header_list": self.max_header_list,
            "max_fields": MAX_FIELDS if most is None else most,
            "enable_push": self.enable_push,
        }


def make_http2(
    sock: socket.socket,
    options: TransportOptions,
    *,
    timeout: float | None,
    protocols: Protocols | None = None,
    engine: Engine | None = None,
    trace: bool = False,
) -> HTTP2Connection:
    """Return an HTTP/2 connection on a socket.

    Args:
        sock: connected; ALPN, or the caller, says that the server speaks HTTP/2.
        options: for all connections.
        timeout: seconds that each wait may last, or None.
        protocols: are told if the server requires HTTP/1.1; None: nothing is.
        engine: one that has begun already (RFC 7540 section 3.2); None: a fresh one.
        trace: print each frame.
    """
    return HTTP2Connection(
        sock,
        engine or make_engine(trace=trace, **options.engine),
        timeout=timeout,
        max_buffered=options.max_buffered,
        keepalive_idle=options.keepalive_idle,
        ping_timeout=options.ping_timeout,
        protocols=protocols,
    )


class Speaker(NamedTuple):
    """Makes an http.client connection of a socket: it writes the requests of an HTTP/1.1 connection."""

    host: str  # of the origin, in ASCII
    port: int
    default_port: int  # Host names the port where it is another
    blocksize: int = 65536
    debuglevel: int = 0
    max_response_headers: int | None = None

    def __call__(self, sock: Any) -> http_client.HTTPConnection:
        """Return the connection, which opens no socket of its own."""
        connection: Any = stock.UnpatchedConnection(self.host, self.port, blocksize=self.blocksize)
        connection.max_response_headers = self.max_response_headers  # a name of Python 3.15's
        connection.default_port = self.default_port
        connection.set_debuglevel(self.debuglevel)
        connection.auto_open = 0
        connection.sock = sock
        spoken: http_client.HTTPConnection = connection
        return spoken


def make_http1(
    sock: socket.socket,
    options: TransportOptions,
    *,
    timeout: float | None,
    speak: Callable[[Any], http_client.HTTPConnection],
    dial: Callable[[float | None], socket.socket],
) -> HTTP1Connection:
    """Return an HTTP/1.1 connection on a socket.

    Args:
        sock: connected.
        options: for all connections.
        timeout: seconds that each wait may last, or None.
        speak: makes an http.client connection of a socket: a `Speaker`.
        dial: opens the next socket, by a monotonic time if one is given, when the server has closed this one.
    """
    return HTTP1Connection(
        dial,
        speak,
        sock,
        timeout=timeout,
        max_buffered=options.max_buffered,
        require_close_notify=options.require_close_notify,
    )


class DiallingConnection(stock.HTTPSConnection):
    """What `HTTP20Connection` knows of sockets; for the arguments see there."""

    source_address: tuple[str, int] | None
    max_response_headers: int | None
    _secure: bool
    _context: Any
    _protocols: Protocols
    _options: TransportOptions
    _named: tuple[
        str, int | None, bytes
    ]  # host and port, and the origin that is made of them, as requests name it
    _dialling: threading.RLock
    # -- guarded by _dialling --
    _transport: Transport[Any] | None
    _draining: list[Transport[Any]]
    _beside: Transport[Any] | None = (
        None  # in HTTP/1.1, for what asks for another protocol while HTTP/2 is spoken
    )
    _switched: socket.socket | None = None  # where the latest of these has been given what it asked for
    _upgrade: bool
    _upgrade_next: bool = False  # the next request asks for HTTP/2
    _session: Session | None = None
    _trust: tuple[Any, ...] | None = None  # how the context is to be, where it may be changed meanwhile
    _dial_by: float | None = None  # when the exchange for which one dials must be over

    # -- connecting -------------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect now; `request()` does it by itself.

        Raises:
            OSError, ssl.SSLError: as http.client's `connect()`.
            InadequateSecurity: HTTP/2 was negotiated with a cipher that it forbids.
            NotHTTP2: `protocols` is ("h2",), and the server did not choose HTTP/2.
        """
        with self._dialling:
            self._retire()
            offer = self._protocols.offer()
            sock, protocol = self._open(offer, self._dial_by)
            try:
                self._upgrade_next = self._upgrade and H2 in offer
                prior_knowledge = H2 in offer and not self._upgrade
                self._talk(sock, http2=protocol == H2 if self._secure else prior_knowledge)
            except BaseException:
                sock.close()
                raise

    def _talk(self, sock: socket.socket, *, http2: bool) -> None:
        """Make a transport of a connected socket."""
        if http2:
            self._talk_http2(sock)
        else:
            self._transport = self._http1_on(sock)
            self.sock = sock

    def _http1_on(self, sock: socket.socket) -> HTTP1Connection:
        """Return a transport in HTTP/1.1, which does not keep this object.

        They would refer to each other, and only the garbage collector would close a connection that is
        dropped.
        """
        me = weakref.ref(self)

        def owner() -> DiallingConnection:
            found = me()
            if found is None:
                raise http_client.NotConnected("the connection object is gone")
            return found

        return make_http1(
            sock,
            self._options,
            timeout=resolve_timeout(self.timeout),
            dial=lambda by: owner()._dial(by),
            speak=lambda sock: owner()._speak(sock),
        )

    def _lane(self, by: float | None) -> Transport[Any]:
        """Return a connection in HTTP/1.1, the current one or one beside it, opened by a monotonic time.

        Raises:
            ValueError: the caller excludes HTTP/1.1. Otherwise as `connect()`.
        """
        offer = self._protocols.insist_on_http1()
        for lane in (self._transport, self._beside):
            if lane is not None and lane.protocol == HTTP11 and not lane.closed:
                return lane
        if not self.auto_open:
            raise http_client.NotConnected("Upgrade needs a connection in HTTP/1.1, and auto_open is off")
        sock, _ = self._open(offer, by)
        self._beside = self._http1_on(sock)
        return self._beside

    def _talk_http2(self, sock: socket.socket, engine: Engine | None = None) -> HTTP2Connection:
        transport = make_http2(
            sock,
            self._options,
            timeout=resolve_timeout(self.timeout),
            protocols=self._protocols,
            engine=engine,
            trace=self.debuglevel > 0,
        )
        self._transport = transport
        self.sock = SharedSocket(transport)
        return transport

    def set_debuglevel(self, level: int) -> None:
        """Print, above 0: on HTTP/1.1 what http.client prints, on HTTP/2 each frame as one line."""
        super().set_debuglevel(level)
        if self._transport is not None:
            self._transport.trace(level > 0)

    def _open(self, alpn: tuple[str, ...], by: float | None) -> tuple[socket.socket, str | None]:
        sys.audit("http.client.connect", self, self.host, self.port)
        context = self._context if self._secure else None
        if self._secure and context is None:
            context = trust.default_context()
        dialer = Dialer(
            ascii_host(self.host),
            self.port,
            context=context,
            trust=self._trust,
            tunnel=None if not self._tunnelled else Tunnel(*self._origin, self._tunnel_headers),  # type: ignore[attr-defined]
            source_address=self.source_address,
            create_connection=self._create_connection,  # type: ignore[attr-defined]
            session=self._session,
            debuglevel=self.debuglevel,
        )
        sock, protocol = dialer.dial(alpn, timeout=resolve_timeout(self.timeout), by=by)
        if dialer.proxy_headers is not None:  # for get_proxy_response_headers(), since Python 3.12
            self._raw_proxy_headers = dialer.proxy_headers
        return sock, protocol

    def _keep_session(self) -> None:
        """Take note of the TLS session, for the next connection to resume it (RFC 8446 section 2.2)."""
        if self._transport is not None and self._transport.session is not None:
            self._session = self._transport.session

    def set_tunnel(self, host: str, port: int | None = None, headers: Any = None) -> None:
        """Connect through the proxy that the constructor named, as in http.client; TLS and ALPN are inside.

        Args:
            host, port: the origin; requests are for it from now on.
            headers: a mapping of header fields for the proxy, such as `Proxy-Authorization`.

        Raises:
            RuntimeError: the connection is open already.
            http.client.InvalidURL, ValueError: the host or the port is none.
        """
        host, port = self._get_hostport(host, port)  # type: ignore[attr-defined]
        if host[:1] == "[" and host[-1:] == "]":  # some releases of http.client leave the brackets
            host = host[1:-1]
        host = ascii_host(host)  # of which http.client makes the Host that the proxy is told
        authority(host, port, self.default_port)  # before anything is set
        super().set_tunnel(host, port, headers)

    @property
    def _tunnelled(self) -> bool:
        return self._tunnel_host is not None  # type: ignore[attr-defined]

    @property
    def _authority(self) -> bytes:
        """The origin as requests name it: `host` and `port` may be set, as with http.client."""
        host, port = self._tunnel_host, self._tunnel_port  # type: ignore[attr-defined]
        if host is None:
            host, port = self.host, self.port
        known_host, known_port, named = self._named
        if known_host != host or known_port != port:
            named = authority(host, port, self.default_port)
            self._named = host, port, named
        return named

    @property
    def _origin(self) -> tuple[str, int]:
        """The host, in ASCII, and the port that requests are for: the tunnel's far end where there is one."""
        if self._tunnelled:
            return ascii_host(self._tunnel_host), self._tunnel_port  # type: ignore[attr-defined]
        return ascii_host(self.host), self.port

    def _dial(self, by: float | None) -> socket.socket:
        """Open a further socket to an origin that is known to speak HTTP/1.1, by a monotonic time."""
        if not self.auto_open:
            raise http_client.NotConnected("the connection is closed, and auto_open is off")
        self._keep_session()
        self.sock, _ = self._open((HTTP11,), by)
        return self.sock

    def _speak(self, sock: socket.socket) -> http_client.HTTPConnection:
        """Return an http.client connection that talks on a socket."""
        speaker = Speaker(
            *self._origin, self.default_port, self.blocksize, self.debuglevel, self.max_response_headers
        )
        return speaker(sock)

    def _retire(self) -> None:
        """Let go of the current transport: it finishes the requests that are under way."""
        if self._transport is not None:
            self._transport.drain()
            self._draining.append(self._transport)
        self._keep_session()
        self._draining = [one for one in self._draining if not one.closed]
        self._transport = self.sock = None

    def _usable_transport(self, by: float | None) -> Transport[Any]:
        """Return the current transport; where it takes no more requests, connect anew by a monotonic time."""
        current = self._transport
        if current is not None and self.sock is not None and current.check():
            return current
        if not self.auto_open:
            raise http_client.NotConnected("the connection is closed, and auto_open is off")
        self._connect_by(by)
        assert self._transport is not None
        return self._transport

    def _connect_by(self, by: float | None) -> None:
        """Connect, with all that belongs to it, by a monotonic time."""
        self._dial_by = by
        try:
            self.connect()
        finally:
            self._dial_by = None

    def _while_dialling(self, by: float | None, work: Callable[[], T]) -> T:
        """Do something while holding `_dialling`; see `_take_dialling`.

        An interrupt may come after it was acquired and before that is noted: others would wait for ever.
        """
        try:
            self._take_dialling(by)
            result = work()
        except BaseException:
            with contextlib.suppress(RuntimeError):  # it was not acquired
                self._dialling.release()
            raise
        self._dialling.release()
        return result

    def _take_dialling(self, by: float | None) -> None:
        """Acquire `_dialling`, within our own timeout, and until `by`: another thread may be dialling."""
        if self._dialling.acquire(blocking=False):
            return
        timeout = soonest(resolve_timeout(self.timeout), remaining(by))
        if not self._dialling.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX)):
            raise RequestTimeout(f"another thread has been connecting for {timeout:g} s", retry_safe=True)
