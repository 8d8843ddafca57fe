"""The three classes of `hyperlite.client`, which programs find there: http.client's own, made for HTTP/2.

They add as little as possible: the state machine (one request at a time), the header fields that are added,
the checks and the exceptions are those of the running Python.  A connection speaks
HTTP/2 after `HTTPSConnection.connect()` has negotiated it; on a socket that the program brings it speaks
HTTP/1.1.

The order of the bases is that of http.client's own classes, so that a method that a program replaces on any
of the four is called when http.client would call it::

    HTTPSConnection ──> http.client's ──> HTTPConnection ──> http.client's
"""

import contextlib
import functools
import http.client as http_client
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import stock
from .errors import NotHTTP1, NotHTTP2
from .http2.connection import HTTP2Connection
from .http2.engine import make_engine, with_trace
from .http2.stream import Stream
from .logs import is_on
from .messages.exchange import give_up
from .messages.fields import authority
from .messages.head import no_status_line
from .messages.hosts import ascii_host_of_2003
from .messages.response import HTTP20Response
from .messages.response_rules import MAX_FIELDS
from .net import tls, trust, tunnel
from .net.contexts import trust_of
from .net.protocols import H2, HTTP11, VARIABLE, Protocols
from .net.timeouts import deadline_after, resolve_timeout
from .strict_socket import StrictSocket, beneath, upgrades

if TYPE_CHECKING:
    import ssl

    from .client_log import ConnectionLog

_F = TypeVar("_F", bound=Callable[..., Any])


def _signed_as(original: _F) -> Callable[[Callable[..., Any]], _F]:
    """Give a method the signature of http.client's, as the running Python and type checkers have it."""
    sign: Any = functools.partial(functools.update_wrapper, wrapped=original)
    return sign  # type: ignore[no-any-return]


class HTTPResponse(HTTP20Response):
    """http.client's HTTPResponse on both protocols; see `HTTP20Response` for its further attributes."""

    _stream: Stream | None

    @_signed_as(stock.HTTPResponse.__init__)
    def __init__(
        self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        strict = beneath(sock)
        if strict is None:
            super().__init__(sock, debuglevel, method, url)
            return
        self.debuglevel = debuglevel
        self._method = method
        self.fp = None
        self._sock = strict
        self._stream = strict.finish()
        if self._stream is None:
            raise http_client.ResponseNotReady("no request was sent")

    @_signed_as(stock.HTTPResponse.begin)
    def begin(self, **limits: Any) -> None:
        """Wait for the header block and set the attributes that it gives.

        Args:
            limits: from Python 3.15 on, how many header fields there may be: `_max_headers`, or None.
        """
        if self._stream is None:
            try:
                super().begin(**limits)
            except http_client.BadStatusLine as error:
                named = no_status_line(str(error).encode("latin-1", "replace"))
                if isinstance(named, NotHTTP1):
                    raise named from error
                raise
            return
        if "status" in vars(self):
            return  # begun already
        sock = self._sock.await_head(self._stream)
        if sock is not None:  # it comes in HTTP/1.1
            self._stream = None
            super().__init__(sock, self.debuglevel, self._method)
            super().begin(**limits)
            return
        most = limits.get("_max_headers")
        if most is not None and len(self._stream.inbox.fields) > most + 1:  # one is `:status`
            raise http_client.HTTPException(f"got more than {most} headers")
        del self.fp  # it is open now
        self._fill(self._stream)
        self.will_close: bool = self._sock.closes  # getresponse() then leaves the connection to the response
        if self.debuglevel > 0:
            stock.say("reply:", repr(f"HTTP/2 {self.status} {self.reason}"))
            for name, value in self.headers.items():
                stock.say("header:", name + ":", value)

    def close(self) -> None:
        """End the response; if it has not begun, give its request up."""
        stream = self._stream
        if stream is not None and "status" not in vars(self):
            give_up(stream)
        super().close()


# Bound before a program puts other classes or methods in their places.
_needs_http1 = functools.partial(
    stock.needs_http1,
    streams=HTTPResponse,
    own=frozenset({HTTPResponse.__init__, HTTPResponse.begin}),
)


class HTTPConnection(stock.HTTPConnection):
    """http.client's HTTPConnection: HTTP/1.1 in cleartext, one request at a time."""

    response_class: type[HTTPResponse] = HTTPResponse
    if stock.HTTPConnection.response_class is not stock.HTTPResponse:  # unless a program has set its own
        response_class = stock.HTTPConnection.response_class  # type: ignore[assignment]
    _hyperlite_log: "ConnectionLog | None" = None

    def connect(self) -> None:
        """Connect, and go through the tunnel if one is set."""
        if self._hyperlite_log is not None or any(map(is_on, ("connections", "requests", "frames"))):
            _log_of(self).tell("connecting", self)
        super().connect()
        if self._hyperlite_log is not None:
            self._hyperlite_log.tell("connected", self)
            if not isinstance(self, HTTPSConnection):
                self._hyperlite_log.tell("opened", self, self.sock, HTTP11)

    @_signed_as(stock.HTTPConnection.putrequest)
    def putrequest(self, method: str, url: str, *args: Any, **options: Any) -> None:
        """Begin a request."""
        super().putrequest(method, url, *args, **options)
        if is_on("requests"):
            _log_of(self).tell("asked", self, method, url)
        elif self._hyperlite_log is not None:
            self._hyperlite_log.watch = None

    @_signed_as(stock.HTTPConnection.send)
    def send(self, data: Any) -> None:
        """Send a piece of a request, on a connection that is opened if there is none."""
        try:
            super().send(data)
        except BaseException as error:
            if self._hyperlite_log is not None:
                self._hyperlite_log.tell("failed", self, error)
            raise

    @_signed_as(stock.HTTPConnection.getresponse)
    def getresponse(self) -> stock.HTTPResponse:
        """Wait for the response."""
        if self._hyperlite_log is None or self._hyperlite_log.watch is None:
            return super().getresponse()
        try:
            response = super().getresponse()
        except BaseException as error:
            self._hyperlite_log.tell("failed", self, error)
            raise
        self._hyperlite_log.tell("answered", self, response)
        return response

    def _tunnel(self) -> None:
        """Have the proxy connect us to the origin; `connect()` calls it, as in http.client."""
        talk = super()._tunnel  # type: ignore[misc]
        timeout = self.sock.gettimeout() if isinstance(self.sock, socket.socket) else None
        tunnel.establish(self, talk, deadline_after(timeout), ascii_host_of_2003)


def _log_of(conn: HTTPConnection) -> "ConnectionLog":
    """Return a connection's log, made when the log is on."""
    log = conn._hyperlite_log
    if log is None:
        from .client_log import ConnectionLog  # noqa: PLC0415  most programs have no log

        log = conn._hyperlite_log = ConnectionLog()
    return log


def _create_https_context(http_version: int) -> "ssl.SSLContext":
    """Return a context for one connection, or for a handler of urllib.request, which calls this function.

    http.client's function (since Python 3.12) sets ALPN on the context to HTTP/1.1 alone.  This one sets no
    ALPN, so that `connect()` chooses the offer.

    Args:
        http_version: 11 or 10, as `_http_vsn`.
    """
    return trust.unshared_context()


class _Unasked:
    """Stands for a connection's context until the program asks for that, and hides the shared one.

    Attributes:
        to_dial_with: the context that all connections share, or the connection's own.
    """

    def __init__(self) -> None:
        self.to_dial_with = trust.default_context()

    def own(self, http_version: int) -> "ssl.SSLContext":
        """Return the connection's own context, the same to all threads."""
        made = _create_https_context(http_version)
        context: ssl.SSLContext = vars(self).setdefault("_own", made)
        self.to_dial_with = context
        return context


class _OwnContext:
    """`_context` of a connection, which may be `_Unasked`."""

    @overload
    def __get__(self, conn: None, owner: type) -> "_OwnContext": ...

    @overload
    def __get__(self, conn: "HTTPSConnection", owner: type) -> "ssl.SSLContext": ...

    def __get__(self, conn: "HTTPSConnection | None", owner: type) -> "_OwnContext | ssl.SSLContext":
        if conn is None:
            return self
        try:
            context = vars(conn)["_context"]
        except KeyError:
            raise AttributeError("_context") from None
        if isinstance(context, _Unasked):
            context = vars(conn)["_context"] = context.own(conn._http_vsn)  # type: ignore[attr-defined]
        return context  # type: ignore[no-any-return]

    def __set__(self, conn: "HTTPSConnection", context: "ssl.SSLContext") -> None:
        vars(conn)["_context"] = context

    def __delete__(self, conn: "HTTPSConnection") -> None:
        del vars(conn)["_context"]


_OWN_CONTEXT = _OwnContext()


def _number(port: int | str) -> int:
    """Return a port as a number: the socket that http.client opens takes "8443" and "https" as well."""
    if isinstance(port, int):
        return port
    return int(port) if port.isdecimal() else socket.getservbyname(port, "tcp")


class HTTPSConnection(stock.HTTPSConnection, HTTPConnection):
    """http.client's HTTPSConnection, which offers HTTP/2 to the server and speaks it if the server accepts.

    Without a context it has one of its own, as in http.client.  Loading one takes 10 ms and more.  So until
    the program asks for `_context`, the connection uses one that all share and that no program can reach.
    """

    _context = _OWN_CONTEXT
    _upgrades = False  # the connection that is opened is for a request that asks for another protocol

    @_signed_as(stock.HTTPSConnection.__init__)
    def __init__(self, *args: Any, **options: Any) -> None:
        shares = False
        if options.get("context") is None:
            shares = self._may_share(args, options)
            # http.client's constructor reads its settings.
            options["context"] = (
                trust.blank_context() if shares else _create_https_context(self._http_vsn)  # type: ignore[attr-defined]
            )
        stock.bound_to_own_names(super().__init__)(*args, **options)
        if shares:
            vars(self)["_context"] = _Unasked()

    def _may_share(self, args: Any, options: Any) -> bool:
        """Tell whether only `connect()` will use the context: no subclass, patch or hook does."""
        return (
            len(args) <= 2
            and all(options.get(name) is None for name in _CHANGE_CONTEXT)
            and type(self)._context is _OWN_CONTEXT
            and stock.is_own(getattr(super().__init__, "__func__", None))
            and _create_https_context is _OWN_CREATE_CONTEXT
            and trust.hook_is_pythons()
        )

    def connect(self) -> None:
        """Connect, through the tunnel if one is set, and agree on a protocol.

        Where a program has replaced `connect()` of http.client's own HTTPSConnection, that does the handshake
        and the connection speaks HTTP/1.1.
        """
        start, before = time.monotonic(), self.sock
        try:
            inherited = super().connect
            if stock.is_own(getattr(inherited, "__func__", None)):
                super(stock.HTTPSConnection, self).connect()  # TCP, and the tunnel
                self._agree(start)
            else:
                inherited()
        except BaseException:
            sock = self.sock
            if sock is not None and sock is not before:  # the next request would be sent on it in cleartext
                self.sock = None
                sock.close()
            raise

    def _agree(self, start: float) -> None:
        """Do the TLS handshake on a connected socket, and speak HTTP/2 if the server has chosen it."""
        tunnel: str | None = self._tunnel_host  # type: ignore[attr-defined]
        host = tunnel or self.host
        port = _number(self._tunnel_port if tunnel else self.port)  # type: ignore[attr-defined]
        timeout = resolve_timeout(self.timeout)
        unasked = vars(self).get("_context")
        context = unasked.to_dial_with if isinstance(unasked, _Unasked) else self._context
        self.sock, protocol = tls.secure(
            self.sock,
            tls.Terms(host, port, None, context, trust_of(context)),
            timeout=timeout,
            deadline=tls.handshake_deadline(timeout, start),
            alpn=self._offer(),
            hint="HTTPConnection, or an http:// URL?",
        )
        log = self._hyperlite_log
        sink = None if log is None else log.tell("opened", self, self.sock, protocol or HTTP11)
        if protocol == H2:
            origin = authority(ascii_host_of_2003(host), port, self.default_port)
            # Since Python 3.15 a connection may have a limit of its own, which `begin()` is told.
            most = max(MAX_FIELDS, getattr(self, "max_response_headers", None) or 0)
            engine = make_engine(trace=self.debuglevel > 0, max_fields=most)
            if sink is not None:
                engine = with_trace(engine, sink, fresh=True)
            connection = HTTP2Connection(self.sock, engine, timeout=timeout, protocols=self._spoken())
            self.sock = StrictSocket(connection, b"https", origin, weakref.WeakMethod(self._renew))

    def _offer(self) -> tuple[str, ...]:
        """Return what a new connection may speak, best first.

        Raises:
            NotHTTP2: HTTP/2 alone, of which no responses can be made here.
        """
        if self._upgrades:
            return (HTTP11,)
        offer = self._spoken().offer()
        if H2 not in offer or not _needs_http1(self.response_class):
            return offer
        if HTTP11 not in offer:
            raise NotHTTP2(
                f"responses of {self.response_class!r} are made of HTTP/1.1 alone, which {VARIABLE} excludes"
            )
        return (HTTP11,)

    def _spoken(self) -> Protocols:
        """Return the protocols that may be spoken: those in the variable HYPERLITE_PROTOCOLS, or both."""
        known = vars(self)
        if "_protocols" not in known:
            known["_protocols"] = Protocols(None, secure=True)
        protocols: Protocols = known["_protocols"]
        return protocols

    @contextlib.contextmanager
    def _upgrading(self) -> Iterator[None]:
        """Open connections in HTTP/1.1 alone within this block: the request asks for another protocol."""
        self._spoken().insist_on_http1()
        self._upgrades = True
        try:
            yield
        finally:
            self._upgrades = False

    @_signed_as(stock.HTTPSConnection.send)
    def send(self, data: Any) -> None:
        """Send a piece of a request, on a connection that is opened if there is none."""
        if self.sock is None and upgrades(data):
            with self._upgrading():
                super().send(data)
        else:
            super().send(data)

    def _renew(self, upgrades: bool = False) -> Any:
        """Return the socket on which to send a request again; a new connection is opened if needed.

        Args:
            upgrades: the request was not sent, because it asks for another protocol: an HTTP/1.1 connection
                replaces the open one.

        Returns:
            A `StrictSocket`; or a plain socket, where the server requires HTTP/1.1 or has no HTTP/2 any more;
            None if `auto_open` is off.
        """
        if upgrades:
            with self._upgrading():
                if self.sock is not None:
                    self.sock.close()
                self.sock = None
                self.connect()
            return beneath(self.sock) or self.sock
        if not self.auto_open:
            return None
        self._leave_if_unusable()
        if self.sock is None:
            self.connect()
        return beneath(self.sock) or self.sock

    def _leave_if_unusable(self) -> None:
        """Let go of an HTTP/2 connection that takes no further requests."""
        strict = beneath(self.sock)
        if strict is not None and not strict.usable:
            self.sock.close()
            self.sock = None

    def set_debuglevel(self, level: int) -> None:
        """Print, above 0, request and response lines, and on HTTP/2 each frame as one line."""
        super().set_debuglevel(level)
        if (strict := beneath(self.sock)) is not None:
            strict.connection.trace(level > 0)

    @_signed_as(stock.HTTPSConnection.putrequest)
    def putrequest(self, *args: Any, **options: Any) -> None:
        """Begin a request; if the server has closed the connection meanwhile, the request opens it again."""
        if self.auto_open:
            self._leave_if_unusable()
        super().putrequest(*args, **options)

    @_signed_as(stock.HTTPSConnection.request)
    def request(self, *args: Any, **options: Any) -> None:
        """Send a whole request."""
        super().request(*args, **options)
        if (strict := beneath(self.sock)) is not None:
            strict.flush_request()

    @_signed_as(stock.HTTPSConnection.getresponse)
    def getresponse(self) -> stock.HTTPResponse:
        """Wait for the response.

        If the request said `Connection: close`, or is of HTTP/1.0, the response owns the connection, as in
        http.client: it stays readable after the connection's `close()`.
        """
        if self._http_vsn == 10 and (strict := beneath(self.sock)) is not None:  # type: ignore[attr-defined]
            strict.closes = True
        return super().getresponse()


_OWN_CREATE_CONTEXT = _create_https_context
_CHANGE_CONTEXT = ("key_file", "cert_file", "check_hostname")  # arguments of Python 3.11


class _Static(staticmethod):  # type: ignore[type-arg]
    """A static method of http.client's HTTPConnection, which a program may replace there.

    Args:
        name: the method's.
    """

    def __init__(self, name: str) -> None:
        super().__init__(getattr(stock.HTTPConnection, name))
        self._name = name

    def __get__(self, instance: object, owner: type | None = None, /) -> Any:
        return getattr(stock.HTTPConnection, self._name)


# Programs look for them in `__dict__` (vcrpy).
for _name, _value in vars(stock.HTTPConnection).items():
    if isinstance(_value, staticmethod):
        setattr(HTTPConnection, _name, _Static(_name))

for _class in (HTTPResponse, HTTPConnection, HTTPSConnection):
    _class.__module__ = "http.client"  # where pickles, logs and tests look for it
