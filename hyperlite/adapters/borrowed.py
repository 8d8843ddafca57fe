"""One request's share of the pool, in the shape in which urllib3's pools know a connection.

urllib3's own `urlopen()` drives it: connect, request, getresponse; so what is tried again, which
error becomes which, and what the log says are urllib3's doing.
"""

import importlib.metadata
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import ConnectTimeoutError, InvalidHeader, NameResolutionError, NewConnectionError
from urllib3.util.request import SKIP_HEADER

from ..errors import MalformedResponse, RequestTimeout
from ..pooled import PooledConnection
from ..proxies import Proxy
from ..redirects import Header
from ..response import HTTP20Response
from ..tasks import Pairs, Task
from ..urls import URL
from .raw import HTTP20Raw

if TYPE_CHECKING:
    from ..origins import Origin
    from ..pool import ConnectionPool
    from .pools import Multiplexed

# Of all that can be wrong with a response urllib3 has an error of its own for one thing.
_LENGTHS = "two values of content-length"
# What urllib3 says where nobody else has said anything.
_USER_AGENT = f"python-urllib3/{importlib.metadata.version('urllib3')}"


class Borrowed:
    """A connection for one request, leased from the pool when it is needed, given back by the response.

    Attributes:
        host, port: of the origin, or of the proxy that is asked in its place.
        timeout: seconds that the next step may last; urllib3 sets it.
        proxy: the HTTP proxy on the way, as urllib3 knows it, or None.
        is_verified: whether the certificate is verified.
        has_connected_to_proxy: whether what fails now is no fault of the proxy.
    """

    proxy_is_verified = None

    def __init__(self, pool: "Multiplexed") -> None:
        self.host: str = pool.host
        self.port = pool.port or 0
        self.timeout: float | None = None
        self.proxy = pool.proxy
        self.has_connected_to_proxy = False
        self._pool = pool
        self._hyper: ConnectionPool | None = None
        self._via: Proxy | None = pool.socks
        self._task: Task | None = None
        self._connect_timeout: float | None = None
        self._chunked = False
        self._options: dict[str, Any] = {}
        self._raw: HTTP20Response | None = None
        self._origin: Origin | None = None
        self._leased: PooledConnection | None = None

    # -- what urllib3 calls -------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Whether there is no connection beneath, not yet or not any more."""
        return self._leased is None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection beneath."""
        return self._leased is not None

    @property
    def is_verified(self) -> bool:
        """Whether the server's certificate is verified."""
        return self._pool.verifies

    @property
    def sock(self) -> Any:
        """The connection's socket; on HTTP/2 a stand-in, because others use it too."""
        return None if self._leased is None else self._leased.sock

    def set_tunnel(
        self,
        host: str,
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
        scheme: str = "http",
    ) -> None:
        """Take note that the way leads through a proxy's tunnel.

        Args:
            host, port: of the origin, which is known.
            headers: what the proxy is told.
            scheme: of the proxy; those with TLS of their own are left to urllib3.
        """
        assert self.proxy is not None
        self._via = Proxy(
            scheme, self.proxy.host or "", self.proxy.port or 80, headers=tuple((headers or {}).items())
        )

    def connect(self) -> None:
        """Lease a connection for the pool's origin, which may mean to dial one.

        Raises:
            NewConnectionError, ConnectTimeoutError: there is none to be had.
            ssl.SSLError: the handshake failed; OSError: a proxy refused.
        """
        self._connect_timeout = self.timeout
        self._task = self._new_task("GET", "/", [], None)
        self._lease(self._task)

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        chunked: bool = False,
        preload_content: bool = True,
        decode_content: bool = True,
        enforce_content_length: bool = True,
    ) -> None:
        """Prepare a request, which `getresponse()` sends.

        Args:
            method, url, body, headers: of the request; `url` is what goes into the request line.
            chunked: the body's length is not known, or its caller wants chunks.
            preload_content, decode_content, enforce_content_length: as for urllib3.HTTPResponse.
        """
        fields = _fields(headers or {}, chunked=chunked)
        task = self._task
        if task is None or body is not None:
            task = self._task = self._new_task(method, url, fields, _body(body))
        else:
            task.method, task.headers, task.url = method, fields, task.url._replace(target=url)
        self._chunked = chunked
        if self._leased is None:
            self._connect_timeout = self.timeout
            self._lease(task)
        self._options = {
            "preload_content": preload_content,
            "decode_content": decode_content,
            "enforce_content_length": enforce_content_length,
            "request_method": method,
            "request_url": url,
        }

    def getresponse(self) -> HTTP20Raw:
        """Send the request and return its response when the header is there.

        What the server has provably not processed is sent again, on another connection if need be; so
        is an idempotent request whose connection had been kept and was closed meanwhile.

        Raises:
            As `connect()`; TimeoutError, HTTP2Error, OSError, http.client.HTTPException: it failed.
        """
        task, hyper = self._task, self._hyper
        assert task is not None
        assert hyper is not None
        while True:
            connection = self._leased
            if connection is None:
                connection = self._lease(task)
            reused = connection.used
            try:
                self._raw = self._ask(connection, task)
                break
            except BaseException as error:
                self.close()
                pause = hyper.retry(task, error, reused=reused) if isinstance(error, Exception) else None
                if pause is None and isinstance(error, MalformedResponse) and _LENGTHS in str(error):
                    raise InvalidHeader(str(error)) from error
                if pause is None:
                    raise
            if pause:
                time.sleep(pause)
        hyper.count_request()
        return HTTP20Raw.of(self._raw, sock_shutdown=self._shut_down, **self._options)

    def close(self) -> None:
        """Give the connection up: on HTTP/1.1 nobody uses it again; on HTTP/2 the others go on."""
        self._end(reusable=False)

    # -- what the pool and the response call ----------------------------------------------------------

    def give_back(self) -> None:
        """Give the connection back in good order, if the response was read to its end."""
        self._end(reusable=self._raw is None or self._raw.isclosed())

    def abandon(self) -> None:
        """Give the connection back from a finalizer, which may not wait."""
        connection, self._leased = self._leased, None
        if connection is not None and self._origin is not None:
            self._origin.abandon(connection)

    # -- beneath ------------------------------------------------------------------------------------

    def _new_task(self, method: str, target: str, headers: list[Header], body: Any) -> Task:
        if self._hyper is None:
            self._hyper = self._pool.beneath.pool
        url = URL(self._pool.scheme, self.host, self.port, target)
        task = Task(url, method, headers, body, self._pool.options(self._hyper))
        task.proxy = self._via
        return task

    def _lease(self, task: Task) -> PooledConnection:
        """Lease a connection; what prevents it becomes the error that urllib3 has for it."""
        assert self._hyper is not None
        origin = self._hyper.origin(task)
        try:
            connection = origin.lease(self._connect_timeout)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self._shown(), error) from error
        except ssl.SSLError:
            self.has_connected_to_proxy = True  # which has no TLS of its own
            raise
        except TimeoutError as error:
            if error.errno is None and not isinstance(error, RequestTimeout):
                self.has_connected_to_proxy = True
                raise  # the handshake: for urllib3 and requests that is reading
            raise ConnectTimeoutError(
                self._shown(),
                f"Connection to {self.host} timed out. (connect timeout={self._connect_timeout})",
            ) from error
        except OSError as error:
            if self._via is not None and self._via.scheme == "http" and error.errno is None:
                raise  # what the proxy said
            raise NewConnectionError(
                self._shown(), f"Failed to establish a new connection: {error}"
            ) from error
        self._origin, self._leased = origin, connection
        self.has_connected_to_proxy = True
        return connection

    def _shown(self) -> Any:
        """Return what urllib3's errors show for a connection: one of its own, which was never opened."""
        if self._via is not None and self._via.scheme == "http":
            return self._pool.ConnectionCls(self._via.host, self._via.port)
        return self._pool.ConnectionCls(self.host, self.port)

    def _ask(self, connection: PooledConnection, task: Task) -> HTTP20Response:
        connection.limit(self.timeout)
        stream_id = connection.request(
            task.method,
            task.url.target,
            task.body,
            Pairs(task.headers),
            encode_chunked=self._chunked,
            timeout=self.timeout,
        )
        return connection.getresponse(stream_id)

    def _end(self, *, reusable: bool) -> None:
        connection, self._leased = self._leased, None
        if connection is None:
            return
        assert self._origin is not None
        if not reusable and connection.mux is None:
            self._origin.discard(connection)
        self._origin.release(connection)

    def _shut_down(self, how: int) -> None:
        """End what another thread is reading: on HTTP/2 this response alone."""
        connection, raw = self._leased, self._raw
        if connection is None or raw is None:
            return
        if connection.mux is not None and raw._stream is not None:
            connection.mux.cancel(raw._stream)
        elif connection.sock is not None:
            connection.sock.shutdown(how)


def _fields(headers: Mapping[Any, Any], *, chunked: bool) -> list[Header]:
    """Return a request's header fields with what urllib3 adds."""
    pairs: list[Header] = []
    names = set()
    for name, value in headers.items():
        text = name.decode("latin-1") if isinstance(name, bytes) else name
        names.add(text.lower())
        if value != SKIP_HEADER:
            pairs.append((text, value))
    if "user-agent" not in names:
        pairs.append(("User-Agent", _USER_AGENT))
    if chunked and "transfer-encoding" not in names and "content-length" not in names:
        pairs.append(("Transfer-Encoding", "chunked"))  # HTTP/2 drops it
    return pairs


def _body(body: Any) -> Any:
    """Return a body with text as UTF-8, which is how requests counts it."""
    if body is None or isinstance(body, (bytes, bytearray, memoryview)):
        return body
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return _encoded(iter(lambda: body.read(65536), "")) if isinstance(body, io.TextIOBase) else body
    try:
        return memoryview(body)
    except TypeError:
        return _encoded(iter(body))


def _encoded(pieces: Iterator[Any]) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield piece.encode() if isinstance(piece, str) else piece
