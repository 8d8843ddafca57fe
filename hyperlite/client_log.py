"""The log of `hyperlite.client`: a line for each connection, request and frame, as `telling` writes them.

A connection of `hyperlite.client` has http.client's constructor, so it takes no observers.  Nothing is kept
and nothing is formatted while the log is off.
"""

import time
import weakref
from collections.abc import Callable
from typing import Any

from . import stock
from .messages.fields import authority
from .messages.hosts import ascii_host_of_2003
from .messages.marks import Marks
from .messages.response import HTTP20Response
from .net.protocols import H2
from .observing import ConnectionInfo, Frame, RequestInfo, Steps
from .telling import NONE, UNCOUNTED, Watch


class ConnectionLog:
    """What is known of a connection object whose log is on.

    Args:
        conn: the connection object.

    Attributes:
        info: of the open connection; None: the log was off when it was opened.
        watch: of the request that has no response yet; None: there is none, or the log was off when it began.
    """

    __slots__ = ("_conn", "_steps", "_used", "info", "watch")

    def __init__(self, conn: Any) -> None:
        self._conn = weakref.ref(conn)
        self._steps = Steps()
        self._used = 0  # the number of the connection that carried the latest request
        self.info: ConnectionInfo | None = None
        self.watch: Watch | None = None

    def connecting(self) -> None:
        """Take note that a connection is being opened."""
        self.info, self._steps = None, Steps()
        self._steps.began = time.monotonic()

    def connected(self) -> None:
        """Take note that the server, or the tunnel to it, was reached."""
        self._steps.connected = time.monotonic()

    def opened(self, sock: Any, protocol: str) -> Callable[[Frame], None] | None:
        """Write that the connection is open; returns what is to be told its frames, or None."""
        if hasattr(sock, "cipher"):
            self._steps.secured = time.monotonic()
        conn: Any = self._conn()
        own, tunnel = (conn.host, conn.port), conn._tunnel_host
        origin, proxy = ((tunnel, conn._tunnel_port), own) if tunnel else (own, None)
        self.info = info = self._steps.info(sock, origin, proxy, protocol, in_full=False)
        if (tell := NONE.of("connections")) is not None:
            tell("dialled", info)
        return NONE.of_frames(info) if protocol == H2 else None

    def asked(self, method: str, target: str) -> None:
        """Take note of a request that begins."""
        self.watch = None
        if (tell := NONE.of("requests")) is not None:
            url = _url(self._conn(), target)
            self.watch = Watch(tell, RequestInfo(method, url, (), time.monotonic()))

    def failed(self, error: BaseException) -> None:
        """Write that the request has failed."""
        if (watch := self.watch) is not None:
            self.watch = None
            self._carry(watch.info)
            watch.failed(error)

    def answered(self, response: Any) -> None:
        """Take note of the response: the line is written when it was read, or closed."""
        watch, self.watch = self.watch, None
        if watch is None:
            return
        self._carry(watch.info)
        stream = getattr(response, "_stream", None)
        if isinstance(response, HTTP20Response) and stream is not None:
            watch.info.stream_id = stream.wire_id
            watch.head(response, stream.marks)
            watch.follow(response)
        elif isinstance(response, stock.HTTPResponse):
            _follow(watch, response)

    def _carry(self, request: RequestInfo) -> None:
        """Note which connection carries a request."""
        request.connection = info = self.info
        if info is not None:
            request.reused = self._used == info.number
            self._used = info.number


def _url(conn: Any, target: str) -> str:
    """Return the URL of a request: of its target, and of the host of its connection."""
    if "://" in target:
        return target
    tunnel = conn._tunnel_host
    host, port = (tunnel, conn._tunnel_port) if tunnel else (conn.host, conn.port)
    named = authority(ascii_host_of_2003(host), port, conn.default_port).decode("latin-1")
    scheme = "https" if isinstance(conn, stock.HTTPSConnection) else "http"
    return f"{scheme}://{named}{target}"


def _follow(watch: Watch, response: Any) -> None:
    """Tell when a response on HTTP/1.1, which http.client reads, was read to its end, or closed."""
    head, announced, chunks = time.monotonic(), response.length, [0]
    watch.head(response, Marks(watch.info.began, head, 0.0))
    me, kind = weakref.ref(response), type(response)

    def chunk_size() -> int:
        size: int = kind._read_next_chunk_size(me())
        chunks[0] += size
        return size

    def end() -> None:
        found = me()
        if found is None:
            return
        left = found.length
        whole = not found.closed and (not left or found._method == "HEAD")
        kind._close_conn(found)
        if announced is not None:
            watch.info.received = announced - left
        else:
            watch.info.received = chunks[0] if found.chunked else UNCOUNTED
        watch.done(Marks(watch.info.began, head, time.monotonic() if whole else 0.0))

    response._close_conn, response._read_next_chunk_size = end, chunk_size
    if response.fp is None:
        end()
