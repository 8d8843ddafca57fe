"""The transport of a connection object: which one is current, which drain, and how a new one is opened.

Rule: who connects holds `_dialling`, so that no two threads do it at once.
"""

import contextlib
import functools
import http.client as http_client
import socket
import ssl
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from .. import stock
from ..errors import RequestTimeout
from ..http1.connection import HTTP1Connection
from ..http2.connection import HTTP2Connection
from ..http2.engine import Engine, make_engine
from ..http2.socket_facade import SharedSocket
from ..messages.exchange import Transport
from ..messages.fields import authority
from ..messages.hosts import ascii_host
from . import tls, trust, tunnel
from .protocols import H2, HTTP11, Protocols
from .timeouts import deadline_after, remaining, resolve_timeout, soonest
from .tls import Session

T = TypeVar("T")


class DiallingConnection(stock.HTTPSConnection):
    """What `HTTP20Connection` knows of sockets; for the arguments see there."""

    source_address: tuple[str, int] | None
    max_response_headers: int | None
    _secure: bool
    _context: Any
    _protocols: Protocols
    _max_buffered: int
    _engine_options: dict[str, Any]
    _mux_options: dict[str, Any]
    _lane_options: dict[str, Any]
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
            self._talk_http2(sock, make_engine(trace=self.debuglevel > 0, **self._engine_options))
        else:
            self._transport = self._lane_on(sock)
            self.sock = sock

    def _lane_on(self, sock: socket.socket) -> HTTP1Connection:
        """Return a transport in HTTP/1.1, which does not keep this object.

        They would refer to each other, and only the garbage collector would close one that its caller drops.
        """
        me = weakref.ref(self)

        def owner() -> DiallingConnection:
            found = me()
            if found is None:
                raise http_client.NotConnected("the connection object is gone")
            return found

        return HTTP1Connection(
            lambda by: owner()._dial(by),
            lambda sock: owner()._speak(sock),
            sock,
            timeout=resolve_timeout(self.timeout),
            max_buffered=self._max_buffered,
            **self._lane_options,
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
        self._beside = self._lane_on(sock)
        return self._beside

    def _talk_http2(self, sock: socket.socket, engine: Engine) -> HTTP2Connection:
        mux = HTTP2Connection(
            sock,
            engine,
            timeout=resolve_timeout(self.timeout),
            max_buffered=self._max_buffered,
            protocols=self._protocols,
            **self._mux_options,
        )
        self._transport = mux
        self.sock = SharedSocket(mux)
        return mux

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
        usual = resolve_timeout(self.timeout)
        create: tls.CreateConnection = self._create_connection  # type: ignore[attr-defined]
        if by is not None and _is_pythons_own(create):
            create = functools.partial(_connect_in_turn, by)
        sock, protocol = tls.connect(
            ascii_host(self.host),
            self.port,
            context=None if self._tunnelled else context,
            timeout=_patience(usual, by),
            by=by,
            source_address=self.source_address,
            alpn=alpn,
            session=self._session,
            trust=self._trust,
            create_connection=create,
        )
        if self._tunnelled:
            try:
                self._pass_proxy(sock, deadline_after(_patience(usual, by)))
                if context is not None:
                    sock, protocol = tls.secure(
                        sock,
                        *self._origin,
                        context=context,
                        timeout=usual,
                        by=by,
                        start=time.monotonic(),
                        alpn=alpn,
                        session=self._session,
                        trust=self._trust,
                        proxy=(self.host, self.port),
                    )
            except BaseException:
                sock.close()
                raise
        if context is not None and not isinstance(sock, ssl.SSLSocket):
            sock.close()
            raise TypeError(f"{context!r} makes {sock!r}, which is no ssl.SSLSocket")
        sock.settimeout(usual)
        return sock, protocol

    def _keep_session(self) -> None:
        """Take note of the TLS session, for the next connection to resume it (RFC 8446 section 2.2)."""
        if self._transport is not None and self._transport.session is not None:
            self._session = self._transport.session

    def _pass_proxy(self, sock: socket.socket, deadline: float | None) -> None:
        """Have the proxy at the other end of a socket connect it to the origin, by a monotonic time."""
        proxy = stock.HTTPConnection(self.host, self.port)
        proxy.set_debuglevel(self.debuglevel)
        proxy.set_tunnel(*self._origin, self._tunnel_headers)  # type: ignore[attr-defined]
        proxy.sock = sock
        tunnel.establish(proxy, proxy._tunnel, deadline)  # type: ignore[attr-defined]
        if hasattr(proxy, "_raw_proxy_headers"):  # for get_proxy_response_headers(), since Python 3.12
            self._raw_proxy_headers = proxy._raw_proxy_headers

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
        """Return an http.client connection that talks on `sock`."""
        connection: Any = stock.UnpatchedConnection(*self._origin, blocksize=self.blocksize)
        connection.max_response_headers = self.max_response_headers  # a name of Python 3.15's
        connection.default_port = self.default_port  # so that Host names the port when it must
        connection.set_debuglevel(self.debuglevel)
        connection.auto_open = 0
        connection.sock = sock
        spoken: http_client.HTTPConnection = connection
        return spoken

    def _retire(self) -> None:
        """Let go of the current transport: what it has under way it finishes."""
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

        An interrupt may come when it was acquired and nobody knows yet: other threads would wait for ever.
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
        """Acquire `_dialling`; who dials before us may take no more than our own timeout, or until `by`."""
        if self._dialling.acquire(blocking=False):
            return
        timeout = soonest(resolve_timeout(self.timeout), remaining(by))
        if not self._dialling.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX)):
            raise RequestTimeout(f"another thread has been connecting for {timeout:g} s", retry_safe=True)


def _patience(usual: float | None, by: float | None) -> float | None:
    """Return the seconds that the next step of connecting may last; None for no limit.

    Raises:
        RequestTimeout: the deadline, a monotonic time, has passed.
    """
    left = remaining(by)
    if left is None:
        return usual
    if not left:
        raise RequestTimeout("not connected in time", retry_safe=True)
    return soonest(usual, left)


def _is_pythons_own(create: tls.CreateConnection) -> bool:
    """Tell whether this is `socket.create_connection` itself; another may have names of its own."""
    return type(create) is types.FunctionType and create.__code__.co_filename == socket.__file__


def _connect_in_turn(
    by: float, address: tuple[str, int], timeout: float | None, source_address: tuple[str, int] | None
) -> socket.socket:
    """Connect as `socket.create_connection`, to all addresses of a host together by a monotonic time.

    Raises:
        OSError: as there. RequestTimeout: the time is over.
    """
    found: list[Any] = [one[4][:2] for one in socket.getaddrinfo(*address, 0, socket.SOCK_STREAM)]
    for target in found[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection(target, _patience(timeout, by), source_address)
    # The last one by its name, if it is the only one: an address of a link needs what was dropped above.
    last = address if len(found) < 2 else found[-1]
    return socket.create_connection(last, _patience(timeout, by), source_address)
