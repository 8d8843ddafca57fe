"""What connections and requests tell observers, and the log.

::

    a connection is opened:  dialled, then frame … on HTTP/2
    a request:               sent ──> head ──> body … ──> done, or redirected: another request follows
                               └───────┴────────┴──> failed, or retried: it begins anew

Rule: an observer is called by the thread that makes the request, without a lock.  The times say when
something happened, and not when the observer was called: an answer may have come before the thread asked.
Only `frame` is called under the lock of the connection, by any thread.

Rule: an exception of an observer is logged, and harms nothing else.

Rule: observers do not keep responses alive: one that the program drops gives its connection back.
"""

import itertools
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from .messages.marks import NOT_YET, Marks


class Timings(NamedTuple):
    """Where the time of a request went, in seconds.

    Attributes:
        dns, connect, tls: how long each step of opening the connection took; a proxy's tunnel counts as
            connecting. None: there is no such step, or opening had begun before the request. `dns` is None
            as well where `socket.create_connection` resolves the name: then `connect` includes it.
        sent: from the beginning of the request until its header was written; it includes the three above.
        first_byte: from the beginning of the request until the header of its response had come.
        last_byte: until the whole response had come. These three are None as long as that has not happened.
    """

    dns: float | None
    connect: float | None
    tls: float | None
    sent: float | None
    first_byte: float | None
    last_byte: float | None


class ConnectionInfo(NamedTuple):
    """A connection that was opened.

    Attributes:
        number: counts the connections of this process, from 1.
        host, port: of the origin; of the proxy, if it forwards requests for http URLs to any origin.
        proxy: host and port of the proxy that has made a tunnel to the origin, or None.
        address: of the peer: the proxy, or the server.
        protocol: "h2" or "http/1.1".
        tls: the version of TLS, as "TLSv1.3"; None: there is no TLS.
        cipher: the name of the cipher suite, or None.
        began: the monotonic time at which opening began.
        dns, connect, handshake: seconds of each step; see `Timings`.
        certificate: the server's, as `ssl.SSLSocket.getpeercert()` has it, also if it was not verified.
            None: there is no TLS; a TLS session was resumed, which shows none; nothing observes connections.
    """

    number: int
    host: str
    port: int
    proxy: tuple[str, int] | None
    address: Any
    protocol: str
    tls: str | None
    cipher: str | None
    began: float
    dns: float | None
    connect: float
    handshake: float | None
    certificate: Mapping[str, Any] | None = None


class Steps:
    """The monotonic times at which each step of opening a connection was over; 0: it did not happen."""

    __slots__ = ("began", "connected", "resolved", "secured")

    def __init__(self) -> None:
        self.began: float = 0.0
        self.resolved: float = 0.0
        self.connected: float = 0.0
        self.secured: float = 0.0

    def info(
        self,
        sock: Any,
        origin: tuple[str, int],
        proxy: tuple[str, int] | None,
        protocol: str,
        *,
        in_full: bool,
    ) -> ConnectionInfo:
        """Return what is known of the connection that was opened, and give it a number.

        Args:
            sock: its socket.
            origin, proxy: host and port.
            protocol: that ALPN, or the caller, chose.
            in_full: include the certificate, which takes some time.
        """
        try:
            address = sock.getpeername()
        except (OSError, AttributeError):  # the peer has closed it already, or it is no usual socket
            address = None
        is_secure = hasattr(sock, "cipher")
        return ConnectionInfo(
            next(_numbers),
            *origin,
            proxy,
            address,
            protocol,
            sock.version() if is_secure else None,
            (sock.cipher() or (None,))[0] if is_secure else None,
            self.began,
            self.resolved - self.began if self.resolved else None,
            self.connected - (self.resolved or self.began),
            self.secured - self.connected if self.secured else None,
            _certificate(sock) if in_full and is_secure else None,
        )


def _certificate(sock: Any) -> Mapping[str, Any] | None:
    """Return the certificate that a server has shown; None: a session was resumed, which shows none."""
    # getpeercert() says nothing of a certificate that was not verified.
    chain = sock._sslobj.get_unverified_chain()
    return chain[0].get_info() if chain else None


_numbers = itertools.count(1)


class RequestInfo:
    """A request that was made, and what has come of it.  Each try and each redirect has one of its own.

    Attributes:
        number: counts the observed requests of this process, from 1.
        method, url: the URL with its query, and without user and password.
        headers: (name, value) pairs that are sent; a connection adds its own.
        attempt: 1 for the first try, and one more for each further try; after a redirect it counts on.
        redirects: how many redirects have led to this request; 0 on a connection.
        began: the monotonic time at which the request began: for a connection, if there is none yet.
        connection: which carries it; None: there is none yet.
        reused: the connection had carried a request before this one.
        stream_id: the number of its stream on the wire; 0 on HTTP/1.1, or if it was not sent.
        response: the response, once its head has come: an `HTTP20Response`, or a `FetchResponse` of a pool.
            None: there is none, or the program keeps it no longer.
        fields: (name, value) pairs of all header fields that were sent, behind `:method`, `:path` and the
            other pseudo-header fields; on HTTP/1.1 these two stand for the request line.  Empty: not sent.
        status: of the response; 0: none has come.
        received: bytes of the body that were read so far, decoded if the caller gets it decoded.
    """

    __slots__ = (
        "attempt",
        "began",
        "connection",
        "headers",
        "marks",
        "method",
        "number",
        "received",
        "redirects",
        "request_head",
        "responded",
        "reused",
        "status",
        "stream_id",
        "url",
    )

    _numbers = itertools.count(1)

    def __init__(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        began: float,
        attempt: int = 1,
        redirects: int = 0,
    ) -> None:
        self.number: int = next(self._numbers)
        self.method: str = method
        self.url: str = url
        self.headers: Sequence[tuple[str, str]] = headers
        self.attempt: int = attempt
        self.redirects: int = redirects
        self.began: float = began
        self.connection: ConnectionInfo | None = None
        self.reused: bool = False
        self.stream_id: int = 0
        self.marks: Marks = NOT_YET
        self.request_head: bytes | Sequence[tuple[bytes, bytes]] = ()
        self.responded: weakref.ref[Any] | None = None
        self.status: int = 0
        self.received: int = 0

    def carried(self, connection: ConnectionInfo | None, exchange: Any) -> None:
        """Take note of what carries the request: a connection, as far as it is known, and an `Exchange`."""
        self.connection, self.marks, self.request_head = connection, exchange.marks, exchange.request_head
        self.stream_id = getattr(exchange, "wire_id", 0)

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """The header fields that were sent; see above."""
        head = self.request_head
        if not isinstance(head, bytes):
            return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head]
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        if not first:
            return []
        method, path, _ = first.split(" ")
        return [(":method", method), (":path", path), *(_pair(line) for line in lines)]

    @property
    def response(self) -> Any:
        """The response; see above."""
        return None if self.responded is None else self.responded()

    @property
    def timings(self) -> Timings:
        """What is known of its times so far."""
        return timings(self.began, None if self.reused else self.connection, self.marks)

    def __repr__(self) -> str:
        return f"<RequestInfo {self.number}: {self.method} {self.url}, attempt {self.attempt}>"


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


class Frame(NamedTuple):
    """A frame of HTTP/2 that has passed.

    Attributes:
        outgoing: this end has sent it; false: the peer has.
        kind: its type's name in RFC 9113, or "type 0x…"; "preface" for the connection preface.
        stream_id: 0: it concerns the connection.
        length: bytes of its payload.
        flags: the names of those that are set.
        fields: (name, value) of the header block that ends with this frame; () otherwise, or if the block
            is unknown, because earlier blocks were not seen.
        detail: what else its payload says, in words: settings, an error code, a window's increment.
    """

    outgoing: bool
    kind: str
    stream_id: int
    length: int
    flags: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    detail: str = ""

    def __str__(self) -> str:
        if self.kind == "preface":
            return self.kind
        words = [self.kind, f"stream {self.stream_id}", f"{self.length} bytes", *self.flags]
        return " ".join([*words, self.detail] if self.detail else words)


class Observer(Protocol):
    """What is told of connections and requests; each method does nothing: override those that are wanted.

    Give observers to `ConnectionPool(observers=…)` or `HTTP20Connection(observers=…)`.  Several threads may
    call one at once.

    A request ends once: by `done`, by `failed`, or by `retried` with an error.  A request that the program
    gives up has no end: by an interrupt, by closing a run of `fetch_many()`, by dropping its response.
    """

    def dialled(self, connection: ConnectionInfo) -> None:
        """Learn that a connection was opened.  Its requests wait meanwhile: do not use its pool here."""
        return

    def frame(self, connection: ConnectionInfo, frame: Frame) -> None:
        """Learn of a frame of HTTP/2.  The connection is locked: do not use it here, and return soon."""
        return

    def sent(self, request: RequestInfo) -> None:
        """Learn that a request's header was written, or waits in the queue of a connection that is full."""
        return

    def head(self, request: RequestInfo) -> None:
        """Learn that the header of the response has come, and the caller gets the response."""
        return

    def body(self, request: RequestInfo, size: int) -> None:
        """Learn that `size` further bytes of the body were read."""
        return

    def done(self, request: RequestInfo) -> None:
        """Learn that the response was read to its end; or closed: then `timings.last_byte` is None."""
        return

    def retried(self, request: RequestInfo, reason: Exception | int, pause: float) -> None:
        """Learn that the request is tried again after `pause` seconds; `reason` is an error, or a status."""
        return

    def redirected(self, request: RequestInfo, url: str) -> None:
        """Learn that another request follows, to `url`."""
        return

    def failed(self, request: RequestInfo, error: Exception) -> None:
        """Learn that the request has failed, and is not tried again."""
        return


def timings(began: float, dialled: ConnectionInfo | None, marks: Marks) -> Timings:
    """Return the times of a request.

    Args:
        began: the monotonic time at which it began.
        dialled: the connection, if the request was the first on it; or None.
        marks: of its exchange.
    """
    sent, head, end = (max(0.0, mark - began) if mark else None for mark in marks)
    if dialled is None or dialled.began < began:  # else `sent` would not include these steps
        return Timings(None, None, None, sent, head, end)
    return Timings(dialled.dns, dialled.connect, dialled.handshake, sent, head, end)
