"""A server for tests: HTTP/2 and HTTP/1.1, with or without TLS, on a free port of 127.0.0.1.

    def hello(request: Request) -> Response:
        return Response(body=b"Hello")

    with Server({"/": hello}) as server:
        urllib.request.urlopen(server.url("/"), context=server.context())

A handler answers requests that have arrived whole. On an HTTP/2 connection it holds up the other streams
while it runs; `streaming` makes a handler that reads and writes as it likes, in a thread of its own.
"""

import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import closing, suppress
from typing import Self, TypeVar, cast

from h2.settings import SettingCodes

from hyperlite.testing.certificates import certificates
from hyperlite.testing.exchange import Exchange, Handler, PlainHandler, StreamingHandler, streaming
from hyperlite.testing.faults import Faults
from hyperlite.testing.http1 import Http1Connection
from hyperlite.testing.http2 import Http2Connection
from hyperlite.testing.latency import LatencyProxy
from hyperlite.testing.messages import Headers, Protocol, Request, Response
from hyperlite.testing.records import Frame, Records
from hyperlite.testing.service import Routes, Service
from hyperlite.testing.sockets import Bell, break_off

__all__ = [
    "Exchange",
    "Faults",
    "Frame",
    "Handler",
    "Headers",
    "PlainHandler",
    "Protocol",
    "Request",
    "Response",
    "Routes",
    "Server",
    "StreamingHandler",
    "streaming",
]

H = TypeVar("H", bound=Handler)

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_BACKLOG = 1024
_PATIENCE = 5.0


class Server:
    """A server that runs in threads of its own, from its construction to `close` or the end of a `with`.

    Args:
        routes: the handler of each path, or one handler for all. Other paths get a 404 (Not Found).
            `route` adds further ones; None: no route yet.
        secure: use TLS. Without it the first bytes of a connection tell the protocol.
        alpn: the protocols to agree on in the TLS handshake. An empty sequence leaves ALPN unanswered,
            which means HTTP/1.1, as does a client that offers none of them.
        settings: the HTTP/2 settings to announce. The defaults are 100 concurrent streams, a window of
            1 MiB for each and 64 KiB of headers; for the rest, those of HTTP/2.
        delay: seconds to wait before each response. Streams do not wait for each other.
        latency: seconds to add to every round trip, half of them in each direction.
        port: the port to listen on; 0: any that is free.
        requests_per_connection: how many requests to take on a connection before it is closed, with a
            GOAWAY on HTTP/2; None: any number.
        record: keep the requests and the frames in memory: see `requests`, `frames` and `wait_until`.

    Raises:
        OSError: the port is taken.
        ImportError: TLS is wanted and trustme is not installed.
    """

    host = "localhost"
    """The name to connect to, which the certificate is for; 127.0.0.1 is as good."""

    def __init__(
        self,
        routes: Routes | None = None,
        *,
        secure: bool = True,
        alpn: Sequence[str] = ("h2", "http/1.1"),
        settings: Mapping[SettingCodes, int] | None = None,
        delay: float = 0.0,
        latency: float = 0.0,
        port: int = 0,
        requests_per_connection: int | None = None,
        record: bool = False,
    ) -> None:
        self._secure = secure
        self.tls: ssl.SSLContext | None = certificates().server_context(alpn) if secure else None
        """The context of the server's side, or None without TLS; a change holds for later connections."""
        self.faults: Faults = Faults(self.tls, alpn)
        """Arranges faults for requests to come."""
        self._service = Service(
            {} if routes is None else routes,
            settings=settings or {},
            delay=delay,
            requests_per_connection=requests_per_connection,
            faults=self.faults,
            records=Records() if record else None,
        )
        self._lock = threading.Lock()  # Guards what follows.
        self._accepted = 0
        self._open: dict[int, socket.socket] = {}
        self._http2: dict[int, Http2Connection] = {}

        self._listener = socket.create_server(("127.0.0.1", 0 if latency else port), backlog=_BACKLOG)
        self._listener.setblocking(False)
        self._proxy: LatencyProxy | None = self._delayed(latency, port) if latency else None
        self.port: int = self._proxy.port if self._proxy else self._listener.getsockname()[1]
        """The port to connect to."""
        self._bell = Bell()
        self._service.spawn(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def ca_file(self) -> str:
        """The path of a PEM file with the authority that has signed the server's certificate."""
        return certificates().ca_file

    def context(self) -> ssl.SSLContext:
        """Return a new client context that trusts the server's authority and no other."""
        return certificates().client_context()

    def url(self, target: str = "/") -> str:
        """Return the URL of `target`: a path, and its query if there is one."""
        return f"{'https' if self._secure else 'http'}://{self.host}:{self.port}{target}"

    @property
    def routes(self) -> MutableMapping[str, Handler]:
        """The handler of each path; what is changed here holds for requests to come.

        Raises TypeError when the server has one handler for all paths.
        """
        if not isinstance(self._service.routes, MutableMapping):
            raise TypeError("This server's routes cannot be changed: it was given one handler for all.")
        return cast("MutableMapping[str, Handler]", self._service.routes)

    def route(self, path: str) -> Callable[[H], H]:
        """Return a decorator that makes a function the handler of a path; see `routes`."""

        def add(handler: H) -> H:
            self.routes[path] = handler
            return handler

        return add

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in the order they were taken; their bodies are there once they have arrived.

        Raises RuntimeError when the server does not record.
        """
        return self._records.requests

    @property
    def frames(self) -> list[Frame]:
        """The frames of HTTP/2 so far, sent and received, in their order; raises as `requests`."""
        return self._records.frames

    def wait_until(self, condition: Callable[[], object], seconds: float = 5.0) -> None:
        """Wait until a condition holds: for what a client does after it has the response, such as a reset.

        Raises TimeoutError when it does not within so many seconds, and otherwise as `requests`.
        """
        self._records.wait_until(condition, seconds)

    @property
    def _records(self) -> Records:
        if self._service.records is None:
            raise RuntimeError("This server records nothing: make it with Server(…, record=True).")
        return self._service.records

    @property
    def connections(self) -> int:
        """How many connections the server has accepted so far."""
        return self._accepted

    @property
    def log(self) -> list[tuple[Protocol, int, str, str]]:
        """Protocol, connection number, method and target of each request, in the order they were taken."""
        return self._service.log

    def goaway(self, last_stream_id: int | None = None) -> None:
        """Send a GOAWAY on every HTTP/2 connection, finish the streams up to the last, and close it.

        `last_stream_id` is by default the highest that each connection has taken. Streams above it are
        ignored.
        """
        with self._lock:
            connections = list(self._http2.values())
        for connection in connections:
            connection.goaway(last_stream_id)

    def close(self) -> None:
        """Stop, break off every connection, and wait for the threads to end, a few seconds at most."""
        if self._service.closed.is_set():
            return
        self._service.closed.set()
        self._bell.ring()
        if self._proxy:
            self._proxy.close()
        with self._lock:
            for sock in self._open.values():
                break_off(sock)
        self._service.join(_PATIENCE)

    def _delayed(self, latency: float, port: int) -> LatencyProxy:
        try:
            return LatencyProxy(self._listener.getsockname()[1], latency, port)
        except OSError:
            self._listener.close()
            raise

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector, self._listener, closing(self._bell):
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while not self._service.closed.is_set():
                selector.select()
                with suppress(OSError):  # It was the bell, or a client that has gone again.
                    self._admit(self._listener.accept()[0])

    def _admit(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            with self._lock:
                if self._service.closed.is_set():
                    raise ConnectionError("The server is closing.")
                self._accepted += 1
                number = self._accepted
                self._open[number] = sock
        except OSError:
            sock.close()
            raise
        self._service.spawn(self._serve, sock, number)

    def _serve(self, sock: socket.socket, number: int) -> None:
        """Serve a connection, in a thread of its own."""
        try:
            http2, received = _negotiate(sock)
            if http2 and not self.faults.http1_alone:
                connection = Http2Connection(sock, self._service, number, received)
                with self._lock:
                    self._http2[number] = connection
                connection.run()
            else:
                Http1Connection(sock, self._service, number, received).run()
        except OSError:
            pass  # The client is gone, or has refused the certificate.
        finally:
            with self._lock:  # `close` breaks off what is in there, and must not find a descriptor used anew.
                self._http2.pop(number, None)
                del self._open[number]
            sock.close()


def _negotiate(sock: socket.socket) -> tuple[bool, bytes]:
    """Return whether the client speaks HTTP/2, and the bytes read to find out."""
    if isinstance(sock, ssl.SSLSocket):
        sock.do_handshake()
        return sock.selected_alpn_protocol() == "h2", b""
    received = b""
    while len(received) < len(_PREFACE) and _PREFACE.startswith(received):
        data = sock.recv(1 << 16)
        if not data:
            raise ConnectionError("The client has closed the connection.")
        received += data
    return received.startswith(_PREFACE), received
