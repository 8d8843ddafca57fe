"""One request's share of the pool, in the shape in which urllib3's pools know a connection.

urllib3's own `urlopen()` drives this: connect, request, getresponse.  It decides what is tried again, which
error becomes which, and what the log says.  A plain request is asked at once (`ask()`) and costs less; if
there is anything to decide about its result, `urlopen()` gets that result as if it had asked itself.
"""

import contextvars
import importlib.metadata
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from urllib3.exceptions import (
    ConnectTimeoutError,
    InvalidHeader,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util.request import SKIP_HEADER
from urllib3.util.timeout import Timeout

from ...errors import MalformedResponse, RequestTimeout
from ...fetching.task import Task
from ...messages.fields import Header, asks_for_upgrade, credentials_of_connection
from ...messages.head import Framing, HeadCutOff
from ...messages.replay import Tried, is_unprocessed
from ...messages.response import HTTP20Response
from ...messages.urls import URL
from ...net.proxy import Proxy
from ...net.sockets import break_off
from ...net.timeouts import checked_seconds
from ...origins.bonds import Claim, goes_on
from ...origins.connection import PooledConnection
from ...origins.lease import Lease
from ...telling import Watch
from .response import HTTP20Raw
from .seams import Pool

# The PreparedRequest that an adapter is sending.
UNDER_WAY: contextvars.ContextVar[Any] = contextvars.ContextVar("UNDER_WAY", default=None)
# Of all that can be wrong with a response urllib3 has an error of its own for one thing.
_LENGTHS = "two values of content-length"
# urllib3's default.
_USER_AGENT = f"python-urllib3/{importlib.metadata.version('urllib3')}"


class Asked(NamedTuple):
    """A request, as urllib3 has it.

    Attributes:
        method, target, body: of the request; the target is what goes into the request line.
        fields: its header fields: a list that is never changed.
        chunked: the length of the body is not known, or its caller wants chunks.
        upgrades: it asks to go on in another protocol.
        options: for urllib3's response.
    """

    method: str = "GET"
    target: str = "/"
    body: Any = None
    fields: list[Header] = []  # noqa: RUF012
    chunked: bool = False
    upgrades: bool = False
    options: dict[str, Any] = {}  # noqa: RUF012


class LeasedConnection:
    """A connection for one request, leased from the pool when it is needed, given back by the response.

    Attributes:
        pool: urllib3's, of which it is a connection.
        host, port: of the origin, or of the proxy that is asked in its place.
        timeout: seconds that the next step may last; urllib3 sets it.
        proxy: the HTTP proxy on the way, as urllib3 knows it, or None.
        is_verified: whether the certificate is verified.
        has_connected_to_proxy: whether what fails now is no fault of the proxy.
        outcome: of `ask()`, a response or an error, while urllib3 has still to be told.
    """

    proxy_is_verified = None
    has_connected_to_proxy = False
    timeout: float | None = None
    outcome: HTTP20Raw | Exception | None = None

    # The request, and its state.
    _connect_timeout: float | None = None
    _asked = Asked()
    _task: Task | None = None  # made when its failure is to be judged
    _raw: HTTP20Response | None = None
    _leased: Lease | None = None
    _reached = False  # `ask()` has found a connection

    def __init__(self, pool: Pool) -> None:
        self.host: str = pool.host.rstrip(".")  # as of urllib3's: names that are absolute lose the dot
        self.port = pool.port or 0
        self.proxy = pool.proxy
        self.pool = pool
        self._hyper = pool.hyper
        self._via: Proxy | None = pool.socks

    # -- what our own urlopen() calls ---------------------------------------------------------------

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | None,
        fields: list[Header],
        *,
        connect_timeout: float | None,
        read_timeout: float | None,
    ) -> HTTP20Response | None:
        """Send a request and return its response when the header is there; None if it failed.

        Args:
            method, target, body, fields: of the request; a list of fields that stays as it is.
            connect_timeout, read_timeout: seconds, or None.
        """
        self._asked = Asked(method, target, body, fields, upgrades=asks_for_upgrade(fields))
        self.timeout = connect_timeout
        watch = None
        try:
            watch = self._watch()
            self._connect_timeout = self._seconds()
            self._lease()
            self._reached = True
            self.timeout = read_timeout
            return self._answer()
        except Exception as error:
            if watch is not None and not self._reached:  # or else it is told already
                watch.failed(error)
            self.outcome = error
            return None

    # -- what urllib3 calls -------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Whether there is no connection beneath, not yet or not any more."""
        return self._leased is None and not self._reached

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection beneath."""
        return self._leased is not None

    @property
    def is_verified(self) -> bool:
        """Whether the server's certificate is verified."""
        return self.pool.verifies

    @property
    def sock(self) -> Any:
        """The connection's socket; on HTTP/2 a stand-in, because others use it too."""
        if self._raw is not None and self._raw.sock is not None:
            return self._raw.sock
        return None if self._leased is None else self._leased.connection.sock

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
        if self.outcome is not None:
            self._tell()
        self._connect_timeout = self._seconds()
        self._lease()

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
        options = {
            "preload_content": preload_content,
            "decode_content": decode_content,
            "enforce_content_length": enforce_content_length,
            "request_method": method,
            "request_url": url,
        }
        if self.outcome is not None:
            if not self._reached:
                self._tell()
            self._asked = self._asked._replace(options=options)
            return
        fields = request_fields(headers or {}, chunked=chunked)
        upgrades = asks_for_upgrade(fields)
        self._asked = Asked(method, url, encoded(body), fields, chunked, upgrades, options)
        if body is not None:
            self._task = self._new_task()  # which takes note of where a file stands
        if upgrades:
            self._end(reusable=True)  # of the connection that `connect()` has leased, which may speak HTTP/2
        elif self._leased is not None and self._leased.bond is None and credentials_of_connection(fields):
            self._end(reusable=True)  # other requests may use that connection
        if self._leased is None:
            self._connect_timeout = self._seconds()
            self._lease()

    def getresponse(self) -> HTTP20Raw:
        """Send the request and return its response when the header is there.

        A request that the server has provably not processed is sent again, on another connection if need be;
        so is an idempotent request whose kept connection was closed meanwhile.  If HTTP/1.1 breaks off within
        a header block that has announced a body, the body fails (ChunkedEncodingError), as users of requests
        expect: http.client takes half a header block for all of it.

        Raises:
            As `connect()`; TimeoutError, HTTP2Error, OSError, http.client.HTTPException: it failed.
        """
        try:
            if self.outcome is not None:
                return self._tell()
            return HTTP20Raw.of(self._answer(), sock_shutdown=self.shut_down, **self._asked.options)
        except HeadCutOff as error:
            if not _announces_body(error, self._asked.method):
                raise
            return HTTP20Raw.cut_off(error, **self._asked.options)

    def close(self) -> None:
        """Give the connection up: on HTTP/1.1 it is not used again; on HTTP/2 other requests go on."""
        if self._raw is not None and self._raw.sock is not None:
            self._raw.sock.close()
        self._end(reusable=False)

    # -- what the pool and the response call ----------------------------------------------------------

    def give_back(self) -> None:
        """Give the connection back in good order, if the response was read to its end."""
        self._end(reusable=self._raw is None or self._raw.isclosed())

    def abandon(self) -> None:
        """Give the connection back from a finalizer, which may not wait."""
        lease, self._leased = self._leased, None
        if lease is not None:
            lease.abandon()

    def shut_down(self, how: int) -> None:
        """End the response that another thread is reading; on HTTP/2 other responses go on."""
        lease, raw = self._leased, self._raw
        if lease is None or raw is None:
            return
        stream = raw._stream
        if stream is not None and stream.transport is not None:
            stream.transport.cancel(stream)
        elif lease.connection.sock is not None:
            break_off(lease.connection.sock, how)

    # -- beneath ------------------------------------------------------------------------------------

    def _tell(self) -> HTTP20Raw:
        """Return the response of `ask()`, or raise its error."""
        outcome, self.outcome = self.outcome, None
        if isinstance(outcome, Exception):
            raise outcome
        assert outcome is not None
        return outcome

    def _new_task(self) -> Task:
        asked = self._asked
        url = URL(self.pool.scheme, self.host, self.port, asked.target)
        return Task(url, asked.method, asked.fields, asked.body, self.pool.options(self._hyper))

    def _answer(self) -> HTTP20Response:
        """Send the request until there is an answer, or an error that lasts."""
        failure: Exception | None = None  # of a try that may have been processed
        while True:
            watch = self._watch()
            lease = self._leased
            if lease is None:
                try:
                    lease = self._lease()
                except Exception as error:
                    if watch is not None:
                        watch.failed(failure or error)
                    if failure is None:
                        raise
                    raise failure from error  # to urllib3, an error of connecting says that nothing was sent
            connection = lease.connection
            reused, http2 = connection.used, connection.http2
            answered = http2.answered if http2 is not None else 0
            try:
                raw = self._raw = self._exchange(connection, watch)
                if lease.bond is not None:
                    lease.note_answer(goes_on=goes_on(raw.status, raw.headers.items()))
                break
            except BaseException as error:
                self.close()
                tried = Tried(reused, http2 is not None and http2.answered > answered)
                pause = self._pause(error, tried) if isinstance(error, Exception) else None
                if pause is None and isinstance(error, MalformedResponse) and _LENGTHS in str(error):
                    raise InvalidHeader(str(error)) from error
                if pause is None:
                    raise
                if isinstance(error, Exception) and not is_unprocessed(error):
                    failure = error
            if pause:
                time.sleep(pause)
        self._hyper._origins.counters.requests += 1
        if watch is not None:
            watch.head(raw, raw._marks)
            watch.follow(raw)
        return raw

    def _watch(self) -> Watch | None:
        """Return what tells observers of the next try, which begins; None: there are none."""
        if not self._hyper._fetcher.is_watched:
            return None
        if self._task is None:
            self._task = self._new_task()
        self._task.begin()
        return self._task.watch or self._hyper._fetcher.watch(self._task)

    def _pause(self, error: Exception, tried: Tried) -> float | None:
        """Return the seconds to wait before another try; None: there is no other try."""
        if self._task is None:
            self._task = self._new_task()
        return self._hyper._fetcher.retry(self._task, error, tried)

    def _seconds(self) -> float | None:
        """Return how long the next step may last."""
        return checked_seconds(Timeout.resolve_default_timeout(self.timeout), "timeout")

    def _lease(self) -> Lease:
        """Lease a connection; a failure is raised as urllib3's error for it."""
        origin = self.pool.origin(self._hyper, self._via, upgrades=self._asked.upgrades)
        try:
            lease = origin.lease(self._connect_timeout, self._claim())
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self._shown(), error) from error
        except UnicodeError as error:  # in the resolver: this is no name
            raise LocationParseError(f"'{self._shown().host}', label empty or too long") from error
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
        self._leased = lease
        self.has_connected_to_proxy = True
        return lease

    def _claim(self) -> Claim | None:
        """Return the request's claim to a connection of its own; None: it has no credentials."""
        request = UNDER_WAY.get()
        auth = None if request is None else _auth_of(request)
        fields = self._asked.fields
        if not fields and request is not None:  # urllib3 connects before it tells them
            fields = request.headers.items()
        if auth is None and not credentials_of_connection(fields):
            return None
        return Claim(auth, fields)

    def _shown(self) -> Any:
        """Return what urllib3's errors show for a connection: one of its own, which was never opened."""
        if self._via is not None and self._via.scheme == "http":
            return self.pool.ConnectionCls(self._via.host, self._via.port)
        return self.pool.ConnectionCls(self.host, self.port)

    def _exchange(self, connection: PooledConnection, watch: Watch | None) -> HTTP20Response:
        method, target, body, fields, chunked, *_ = self._asked
        timeout = self._seconds()
        return connection.ask(method, target, body, fields, timeout=timeout, chunked=chunked, watch=watch)

    def _end(self, *, reusable: bool) -> None:
        lease, self._leased = self._leased, None
        if lease is not None:
            lease.end(reusable=reusable)


def _auth_of(request: Any) -> Any:
    """Return the object that answers challenges for a PreparedRequest, by a hook, or None."""
    for hook in request.hooks.get("response", ()):
        auth = getattr(hook, "__self__", None)
        if callable(auth) and not isinstance(auth, type):
            return auth
    return None


def _announces_body(error: HeadCutOff, method: str) -> bool:
    """Tell whether the part of a header block that has come announces a body, and the status is final."""
    if error.status < HTTPStatus.OK or error.status in HTTP20Raw.REDIRECT_STATUSES:
        return False  # redirects are followed whatever becomes of their bodies
    try:
        framing = Framing(error.status, 11, error.fields, method)
    except MalformedResponse:
        return False
    return framing.chunked or bool(framing.length)


def request_fields(headers: Mapping[Any, Any], *, chunked: bool = False) -> list[Header]:
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


def encoded(body: Any) -> Any:
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
