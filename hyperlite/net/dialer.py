"""From a name to a connected socket, and the protocol that is to be spoken on it.

::

    host, port ──> address ──> connected ──> [an HTTP proxy's tunnel] ──> [TLS and ALPN] ──> socket, protocol

Rule: `by` is one monotonic time for all of it; `timeout` is for each step.
"""

import contextlib
import errno
import functools
import socket
import ssl
import time
import types
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import stock
from ..errors import RequestTimeout
from ..observing import ConnectionInfo, Steps
from ..telling import NONE, Observers
from . import tunnel as tunnels
from .contexts import trust_of
from .protocols import BOTH, HTTP11
from .timeouts import deadline_after, remaining, soonest
from .tls import CreateConnection, Session, Terms, agreed, handshake_deadline, secure


class Tunnel(NamedTuple):
    """The origin that an HTTP proxy is asked to connect to, and header fields for the proxy."""

    host: str  # in ASCII
    port: int
    headers: Any = None  # a mapping, as for `set_tunnel()`


class Dialer:
    """Opens connections to one origin, always in the same way.

    Args:
        host, port: what to connect to: the origin, or the proxy of a tunnel. The host is in ASCII.
        context: the ssl.SSLContext; None: no TLS.
        trust: a result of `trust_of(context)`: the handshake uses these settings, even if the context has
            changed since.  None: the settings that it has now.
        tunnel: the origin, where `host` is an HTTP proxy; or None.
        source_address: (host, port) to connect from, or None.
        create_connection: called instead of `socket.create_connection`, which tries each address in turn.
        session: of an earlier connection, to be resumed if the terms are the same; see `tls.secure`.
        debuglevel: above 0, http.client prints what it sends to the proxy.
        observers: are told when a connection is open.
        steps: is told when each step is over.

    Attributes:
        proxy_headers: what http.client keeps of the answer to CONNECT (since Python 3.12), or None.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        context: Any = None,
        trust: tuple[Any, ...] | None = None,
        tunnel: Tunnel | None = None,
        source_address: tuple[str, int] | None = None,
        create_connection: CreateConnection = socket.create_connection,
        session: Session | None = None,
        debuglevel: int = 0,
        observers: Observers = NONE,
        steps: Steps | None = None,
    ) -> None:
        self._address = host, port
        self._context = context
        self._trust = trust
        self._tunnel = tunnel
        self._source_address = source_address
        self._create_connection = create_connection
        self._session = session
        self._debuglevel = debuglevel
        self._observers = observers
        self._steps = steps or Steps()
        self.proxy_headers: Any = None

    def dial(
        self, alpn: Sequence[str] = BOTH, *, timeout: float | None = None, by: float | None = None
    ) -> tuple[socket.socket, str]:
        """Connect; return the socket and the protocol that is to be spoken on it.

        With TLS the protocol is what ALPN chose, or HTTP/1.1 if it chose nothing. Without TLS it is the first
        in
        `alpn`: the caller knows what the server speaks.

        Args:
            alpn: what may be spoken, best first.
            timeout: seconds for each address of the host, the TLS handshake included, and for the proxy;
                None: no limit.
            by: the monotonic time by which all must be over, or None.

        Raises:
            OSError: no address could be reached; TimeoutError: not in time.
            ssl.SSLError: the handshake failed; a certificate that does not hold is SSLCertVerificationError.
            InadequateSecurity: HTTP/2 was chosen together with a cipher that it forbids.
            NotHTTP2: `alpn` is HTTP/2 alone, and the server did not choose it.
            TypeError: the context makes no ssl.SSLSocket.
            RequestTimeout: `by` has passed. And as `tunnel.establish`.
        """
        steps = self._steps
        start = steps.began = time.monotonic()
        sock, protocol = self._connected(timeout, by), alpn[0]
        try:
            _send_at_once(sock)
            origin, proxy = self._address, None
            if self._tunnel is not None:
                origin, proxy = self._tunnel[:2], self._address
                self._pass_proxy(sock, self._tunnel, deadline_after(_patience(timeout, by)))
                start = time.monotonic()
            steps.connected = time.monotonic()
            if self._context is not None:
                trust = trust_of(self._context) if self._trust is None else self._trust
                sock, chosen = secure(
                    sock,
                    Terms(*origin, proxy, self._context, trust),
                    timeout=timeout,
                    deadline=handshake_deadline(timeout, start, by),
                    alpn=alpn,
                    session=self._session,
                    insist=self._trust is not None,
                )
                if not isinstance(sock, ssl.SSLSocket):
                    raise TypeError(f"{self._context!r} makes {sock!r}, which is no ssl.SSLSocket")
                protocol = chosen or HTTP11
                steps.secured = time.monotonic()
            sock.settimeout(timeout)
            tell = self._observers.of("connections")
            _opened[sock] = info = steps.info(sock, origin, proxy, protocol, in_full=tell is not None)
            if tell is not None:
                tell("dialled", info)
        except BaseException:
            sock.close()
            raise
        return sock, protocol

    def _connected(self, timeout: float | None, by: float | None) -> socket.socket:
        create = self._create_connection
        if by is not None and _is_pythons_own(create):
            create = functools.partial(_connect_in_turn, by)
        return create(self._address, _patience(timeout, by), self._source_address)

    def _pass_proxy(self, sock: socket.socket, tunnel: Tunnel, deadline: float | None) -> None:
        """Have the proxy at the other end of a socket connect it to the origin, by a monotonic time."""
        proxy: Any = stock.HTTPConnection(*self._address)
        proxy.set_debuglevel(self._debuglevel)
        proxy.set_tunnel(*tunnel)
        proxy.sock = sock
        tunnels.establish(proxy, proxy._tunnel, deadline)
        self.proxy_headers = getattr(proxy, "_raw_proxy_headers", None)


# What is known of the connections that were opened here, by their sockets.
_opened: "weakref.WeakKeyDictionary[socket.socket, ConnectionInfo]" = weakref.WeakKeyDictionary()


def info_of(sock: socket.socket | None) -> ConnectionInfo | None:
    """Return what is known of a connection that a `Dialer` has opened; None: the program has opened it."""
    return None if sock is None else _opened.get(sock)


def spoken_on(sock: Any, alpn: Sequence[str], *, is_secure: bool) -> str:
    """Return the protocol that is to be spoken on a socket that the program has opened itself.

    With TLS that is what ALPN chose; HTTP/1.1 if it chose nothing, or if this socket has no TLS.

    Args:
        sock: connected, its handshake done; it is closed if this fails.
        alpn: what may be spoken, best first.
        is_secure: the connection has TLS; otherwise the caller knows what the server speaks.

    Raises:
        TypeError: `sock` is no socket. Otherwise as `agreed()`.
    """
    if not isinstance(sock, socket.socket):
        raise TypeError(f"the connection needs a socket of the operating system, not {sock!r}")
    if not (isinstance(sock, ssl.SSLSocket) or is_secure):
        return alpn[0]
    try:
        return agreed(sock, alpn, "the server") or HTTP11
    except BaseException:
        sock.close()
        raise


def _send_at_once(sock: socket.socket) -> None:
    """Send small pieces of data without waiting for others (RFC 896), if the socket has that option."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise


def _patience(usual: float | None, by: float | None) -> float | None:
    """Return the seconds that the next step of connecting may last; None for no limit.

    Raises:
        RequestTimeout: the monotonic time `by` has passed.
    """
    left = remaining(by)
    if left == 0:
        raise RequestTimeout("not connected in time", retry_safe=True)
    return soonest(left, usual)


def _is_pythons_own(create: CreateConnection) -> bool:
    """Tell whether this is `socket.create_connection` itself; another function may resolve names itself."""
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
    # A single address is dialled by its name: a link-local address needs the scope that was dropped above.
    last = address if len(found) < 2 else found[-1]
    return socket.create_connection(last, _patience(timeout, by), source_address)
