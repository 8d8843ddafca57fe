"""A dialled socket made into a transport: an HTTP/2 or an HTTP/1.1 connection.

`make_http2` and `make_http1` make it, for connection objects and for pools; `TransportOptions` has their
options.  `Transports` are those of one connection object.
"""

import contextlib
import http.client as http_client
import math
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar, TypeVarTuple, cast

from . import stock
from .errors import RequestTimeout
from .http1.connection import HTTP1Connection
from .http2.connection import HTTP2Connection
from .http2.engine import MAX_HEADER_LIST, Engine, make_engine, make_upgrading_engine, with_trace
from .http2.liveness import KEEPALIVE_IDLE, PING_TIMEOUT
from .http2.socket_facade import SharedSocket
from .http2.stream import Stream
from .http2.unread import MAX_BUFFERED
from .http2.upgrade import asking, switches
from .messages.exchange import Exchange, Transport, give_up
from .messages.request import UNSET, Request
from .messages.response_rules import MAX_FIELDS
from .net.dialer import info_of, spoken_on
from .net.protocols import H2, HTTP11, Protocols
from .net.timeouts import checked_seconds, deadline_after, remaining, resolve_timeout, soonest
from .net.tls import Session
from .telling import NONE, Observers

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class TransportOptions(NamedTuple):
    """The options of all transports of a connection object, or of a pool; see `HTTP20Connection`."""

    max_buffered: int = MAX_BUFFERED
    keepalive_idle: float | None = KEEPALIVE_IDLE
    ping_timeout: float = PING_TIMEOUT
    max_header_list: int = MAX_HEADER_LIST
    max_response_headers: int | None = None
    enable_push: bool = False
    require_close_notify: bool = True
    observers: Observers = NONE

    def checked(self) -> "TransportOptions":
        """Return the options that callers have given, as numbers of seconds.

        Raises:
            ValueError, TypeError: `keepalive_idle` or `ping_timeout` is no number of seconds.
        """
        idle = checked_seconds(self.keepalive_idle, "keepalive_idle")
        patience = checked_seconds(self.ping_timeout, "ping_timeout")
        if patience is None:  # an infinite timeout would mean that no answer is needed
            idle, patience = None, math.inf
        return self._replace(keepalive_idle=idle, ping_timeout=patience)

    @property
    def engine(self) -> dict[str, Any]:
        """The options that an HTTP/2 engine takes."""
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
        protocols: told if the server requires HTTP/1.1, or None.
        engine: one that has begun already (RFC 7540 section 3.2); None: a fresh one.
        trace: print each frame.
    """
    engine = engine or make_engine(trace=trace, **options.engine)
    info = info_of(sock)
    if info is not None and (sink := options.observers.of_frames(info)) is not None:
        engine = with_trace(engine, sink, fresh=True)
    return HTTP2Connection(
        sock,
        engine,
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
    default_port: int  # Host names the port if it is not this one
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
    dial: Callable[[HTTP1Connection, float | None], socket.socket],
) -> HTTP1Connection:
    """Return an HTTP/1.1 connection on a socket.

    Args:
        sock: connected.
        options: for all connections.
        timeout: seconds that each wait may last, or None.
        speak: makes an http.client connection of a socket: a `Speaker`.
        dial: opens the connection's next socket, by a monotonic time if one is given, when the server has
            closed this one.
    """
    return HTTP1Connection(
        dial,
        speak,
        sock,
        timeout=timeout,
        max_buffered=options.max_buffered,
        require_close_notify=options.require_close_notify,
    )


class Owner(Protocol):
    """What `Transports` asks of the connection object that they belong to."""

    sock: Any
    timeout: Any
    debuglevel: int
    auto_open: Any

    def connect(self) -> None:
        """Have the transports connect: a program's subclass may do more."""

    def _dial(
        self, alpn: tuple[str, ...], by: float | None, session: Session | None
    ) -> tuple[socket.socket, str]:
        """Return a connected socket and the protocol; for the arguments see `Dialer`."""

    def _speak(self, sock: Any) -> http_client.HTTPConnection:
        """Return an http.client connection that talks on a socket."""


class Transports:
    """The transports of a connection object: the current one, and those that finish what they have.

    Rule: the thread that connects holds `dialling`, so that no two threads do it at once.

    `Transports` holds no strong reference to the connection object, and a transport none to `Transports`:
    otherwise only the garbage collector would close a connection that its caller drops.

    Args:
        owner: the connection object.
        options: of each transport.
        protocols: which may be spoken; told if the server requires HTTP/1.1.
        upgrade: begin in HTTP/1.1, and ask for HTTP/2 (RFC 7540 section 3.2).

    Attributes:
        dialling: the lock; what follows is guarded by it.
        current: the transport that takes the next request, or None.
        draining: former transports, on which requests are still under way.
        switched: the socket that the latest 101 (Switching Protocols) has handed to the caller, or None.
        asks: the next request is to ask for HTTP/2.
    """

    def __init__(
        self, owner: Owner, options: TransportOptions, protocols: Protocols, *, upgrade: bool = False
    ) -> None:
        self._owner = weakref.ref(owner)
        self._options = options
        self.protocols = protocols
        self._upgrade = upgrade
        self.dialling: threading.RLock = threading.RLock()
        self.current: Transport[Any] | None = None
        self.draining: list[Transport[Any]] = []
        self._beside: Transport[Any] | None = None  # in HTTP/1.1, while the current one speaks HTTP/2
        self.switched: socket.socket | None = None
        self.asks: bool = False
        self._session: Session | None = None
        self._by: float | None = None  # when the exchange for which a thread dials must be over
        self._dialled: list[socket.socket] | None = None  # while `connect()` is only to open a further socket

    @property
    def owner(self) -> Owner:
        """The connection object; NotConnected if it no longer exists."""
        owner = self._owner()
        if owner is None:
            raise http_client.NotConnected("the connection object is gone")
        return owner

    # -- connecting -------------------------------------------------------------------------------

    def usable(self, by: float | None) -> Transport[Any]:
        """Return the current transport; if it takes no more requests, connect again by a monotonic time.

        Raises:
            http.client.NotConnected: `auto_open` is off. Otherwise as `connect()`.
        """
        owner, current = self.owner, self.current
        if current is not None and owner.sock is not None and current.check():
            return current
        if current is not None or owner.sock is None or owner.sock is self.switched:
            self._insist_on_auto_open("the connection is closed, and auto_open is off")
            self.retire()  # a subclass's connect() may not do it
            self._by = by
            try:
                owner.connect()
            finally:
                self._by = None
        return self.current or self._take_over()

    def _take_over(self) -> Transport[Any]:
        """Return a transport on the socket that the program has put in `sock`, by `connect()` or itself.

        Raises:
            TypeError: it is none. Otherwise as `spoken_on()`.
        """
        owner, offer = self.owner, self.protocols.offer()
        asks = self._upgrade and H2 in offer
        sock, owner.sock = owner.sock, None
        protocol = spoken_on(sock, (HTTP11,) if asks else offer, is_secure=self.protocols.secure)
        try:
            sock.settimeout(resolve_timeout(owner.timeout))
            self.asks = asks
            if protocol == H2:
                return self._begin_http2(sock)
            self.current = self._http1_on(sock)
            owner.sock = sock
            return self.current
        except BaseException:
            sock.close()
            raise

    def connect(self) -> None:
        """Open a new current transport; the former one finishes its requests under way."""
        with self.dialling:
            owner = self.owner
            if self._dialled is not None:
                owner.sock, _ = owner._dial((HTTP11,), self._by, self._session)
                self._dialled.append(owner.sock)
                return
            self.retire()
            offer = self.protocols.offer()
            asks = self._upgrade and H2 in offer
            sock, protocol = owner._dial((HTTP11,) if asks else offer, self._by, self._session)
            try:
                self.asks = asks
                if protocol == H2:
                    self._begin_http2(sock)
                else:
                    self.current = self._http1_on(sock)
                    owner.sock = sock
            except BaseException:
                sock.close()
                raise

    def _begin_http2(self, sock: socket.socket, engine: Engine | None = None) -> HTTP2Connection:
        owner = self.owner
        self.current = transport = make_http2(
            sock,
            self._options,
            timeout=resolve_timeout(owner.timeout),
            protocols=self.protocols,
            engine=engine,
            trace=owner.debuglevel > 0,
        )
        owner.sock = SharedSocket(transport)
        return transport

    def _http1_on(self, sock: socket.socket) -> HTTP1Connection:
        me = weakref.ref(self)

        def mine() -> Transports:
            found = me()
            if found is None:
                raise http_client.NotConnected("the connection object is gone")
            return found

        return make_http1(
            sock,
            self._options,
            timeout=resolve_timeout(self.owner.timeout),
            dial=lambda transport, by: mine()._redial(transport, by),
            speak=lambda wire: mine()._speak(wire),
        )

    def _speak(self, wire: Any) -> http_client.HTTPConnection:
        return self.owner._speak(wire)

    def _redial(self, transport: Transport[Any], by: float | None) -> socket.socket:
        """Open a further socket to an origin that is known to speak HTTP/1.1, by a monotonic time.

        It is the connection object's `sock` from now on if the transport is the current one.
        """
        self._insist_on_auto_open("the connection is closed, and auto_open is off")
        self._keep_session()
        return self.while_dialling(by, self._further, transport, by)

    def _further(self, transport: Transport[Any] | None, by: float | None) -> socket.socket:
        """Have the connection object open a further socket in HTTP/1.1, while holding `dialling`.

        A program's subclass may open it in a way of its own.
        """
        owner = self.owner
        before, self._by = (owner.sock, self._by), by
        dialled = self._dialled = []
        try:
            owner.connect()
            # Whatever a subclass has put around it; or a socket that it has opened itself.
            sock = dialled.pop() if dialled else owner.sock
            spoken_on(sock, (HTTP11,), is_secure=self.protocols.secure)
        finally:
            after, self._dialled = owner.sock, None
            owner.sock, self._by = before
            for one in dialled:
                one.close()
        if transport is not None and transport is self.current:
            owner.sock = after
        return sock

    def in_http1(self, by: float | None) -> Transport[Any]:
        """Return a transport in HTTP/1.1, the current one or one beside it, opened by a monotonic time.

        Raises:
            ValueError: the caller excludes HTTP/1.1. Otherwise as `connect()`.
        """
        self.protocols.insist_on_http1()
        for transport in (self.current, self._beside):
            if transport is not None and transport.protocol == HTTP11 and not transport.closed:
                return transport
        self._insist_on_auto_open("Upgrade needs a connection in HTTP/1.1, and auto_open is off")
        self._beside = self._http1_on(self._further(None, by))
        return self._beside

    def _insist_on_auto_open(self, complaint: str) -> None:
        if not self.reopens:
            raise http_client.NotConnected(complaint)

    @property
    def reopens(self) -> bool:
        """Whether a connection that has ended is opened again: `auto_open`."""
        return bool(self.owner.auto_open)

    def while_dialling(self, by: float | None, work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Call `work` with its arguments while holding `dialling`, which is acquired by the time `by`.

        An interrupt may come after the lock was acquired and before that is noted. So any failure
        releases it: otherwise other threads would wait for ever.
        """
        try:
            if not self.dialling.acquire(blocking=False):
                self._wait_for_dialling(by)
            result = work(*arguments)
        except BaseException:
            with contextlib.suppress(RuntimeError):  # it was not acquired
                self.dialling.release()
            raise
        self.dialling.release()
        return result

    def _wait_for_dialling(self, by: float | None) -> None:
        """Acquire `dialling`, which another thread has, within our own timeout, and until `by`."""
        timeout = soonest(resolve_timeout(self.owner.timeout), remaining(by))
        if not self.dialling.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX)):
            raise RequestTimeout(f"another thread has been connecting for {timeout:g} s", retry_safe=True)

    # -- HTTP/1.1 to HTTP/2 -----------------------------------------------------------------------

    def ask(self, stream_id: int, request: Request) -> Exchange:
        """Send a request that asks for HTTP/2; see `upgrade`."""
        return self.upgrade(Stream(stream_id, request))

    def upgrade(self, stream: Stream, by: float | None = None) -> Exchange:
        """Send a request, and see whether the server goes on in HTTP/2 (RFC 7540 section 3.2).

        Args:
            stream: the request; nothing else is under way on the current transport.
            by: the monotonic time until which to wait, if that is earlier than the request's own.

        Returns:
            What the request is now: the stream, on the HTTP/2 connection that is the current transport; or,
            if the server declines, or does not answer in time, an exchange in HTTP/1.1.
        """
        self.asks = False
        owner, request, current = self.owner, stream.request, cast("HTTP1Connection", self.current)
        engine, settings = make_upgrading_engine(
            request.fields, trace=owner.debuglevel > 0, **self._options.engine
        )
        exchange = current.exchange_class(stream.stream_id, asking(request, settings))
        exchange.thread = stream.thread
        timeout = resolve_timeout(owner.timeout if request.timeout is UNSET else request.timeout)
        try:
            current.submit([exchange])
            current.wait_sent(exchange)
            if not switches(owner.sock, soonest(soonest(deadline_after(timeout), request.deadline), by)):
                return exchange
            self._begin_http2(current.surrender(), engine).adopt(stream)
        except BaseException:
            current.drop(exchange)  # the next requests would wait for its answer
            if not stream.tries.repeats:  # or else the thread that waits for it sends it again
                give_up(stream)
            if current.closed and self.current is current:  # the socket was given up: no transport holds it
                self.current = owner.sock = None
            raise
        return stream

    # -- the end ----------------------------------------------------------------------------------

    def retire(self) -> None:
        """Replace the current transport by none: it finishes its requests under way."""
        if self.current is not None:  # or else `sock` is the program's
            self.current.drain()
            self.draining.append(self.current)
            self.owner.sock = None
        self._keep_session()
        self.draining = [one for one in self.draining if not one.closed]
        self.current = None

    def _keep_session(self) -> None:
        """Take note of the TLS session, for the next connection to resume it (RFC 8446 section 2.2)."""
        if self.current is not None and self.current.session is not None:
            self._session = self.current.session

    def close(self) -> None:
        """Close all; responses that were taken can be read to their end."""
        self.retire()
        for transport in self.draining:
            transport.close()
        if self._beside is not None:
            self._beside.close()
        if self.switched is not None:
            self.switched.close()
        self._beside = self.switched = None

    def abandon(self) -> None:
        """Let go of the sockets in HTTP/1.1, from a finalizer."""
        for transport in (self.current, self._beside, *self.draining):
            if transport is not None:
                transport.abandon_all()

    def after_fork(self) -> None:
        """In the child: another thread may have been dialling, in the parent."""
        self.dialling = threading.RLock()


def may_ask(transport: Transport[Any], request: Request) -> bool:
    """Tell whether a request can ask for HTTP/2.

    A request with a body cannot: Apache and Jetty do not switch then, and Tomcat refuses a body above 4 KiB.
    A request that asks for another protocol cannot, and neither can one behind others, whose answers would
    come first.
    """
    return request.bare and not request.upgrades and not any(transport.counts)
