"""The log of `hyperlite.client`: a line for each connection, request and frame, as `telling` writes them.

A connection of `hyperlite.client` has http.client's constructor, so it takes no observers.  Nothing is kept
and nothing is formatted while the log is off.

Rule: nothing that happens here fails the program, which may have connections that are unlike http.client's.
"""

import contextlib
import re
import time
import weakref
from collections.abc import Callable
from typing import Any

from . import stock
from .messages.marks import Marks
from .messages.response import HTTP20Response
from .net.protocols import H2
from .observing import ConnectionInfo, Frame, RequestInfo, Steps
from .telling import NONE, UNCOUNTED, Watch

_is_absolute = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE).match


class ConnectionLog:
    """What is known of a connection object whose log is on.

    Attributes:
        info: of the open connection; None: the log was off when it was opened.
        watch: of the request that has no response yet; None: there is none, or the log was off when it began.
    """

    __slots__ = ("_steps", "_used", "info", "watch")

    def __init__(self) -> None:
        self._steps = Steps()
        self._used = 0  # the number of the connection that carried the latest request
        self.info: ConnectionInfo | None = None
        self.watch: Watch | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return ConnectionLog, ()  # a copy of the connection object begins anew

    def tell(self, event: str, *arguments: Any) -> Any:
        """Call a method; returns what it returns, or None if it fails."""
        with contextlib.suppress(Exception):
            return getattr(self, event)(*arguments)

    def connecting(self, _conn: Any) -> None:
        """Take note that a connection is being opened."""
        self.info, self._steps = None, Steps()
        self._steps.began = time.monotonic()

    def connected(self, _conn: Any) -> None:
        """Take note that the server, or the tunnel to it, was reached."""
        self._steps.connected = time.monotonic()

    def opened(self, conn: Any, sock: Any, protocol: str) -> Callable[[Frame], None] | None:
        """Write that the connection is open; returns what is to be told its frames, or None."""
        if hasattr(sock, "cipher"):
            self._steps.secured = time.monotonic()
        own, tunnel = (conn.host, conn.port), conn._tunnel_host
        origin, proxy = ((tunnel, conn._tunnel_port), own) if tunnel else (own, None)
        self.info = info = self._steps.info(sock, origin, proxy, protocol, in_full=False)
        if (tell := NONE.of("connections")) is not None:
            tell("dialled", info)
        return NONE.of_frames(info) if protocol == H2 else None

    def asked(self, conn: Any, method: str, target: str | None) -> None:
        """Take note of a request that begins."""
        self.watch = None
        if (tell := NONE.of("requests")) is not None:
            self.watch = Watch(tell, RequestInfo(method, _url(conn, target or "/"), (), time.monotonic()))

    def failed(self, conn: Any, error: BaseException) -> None:
        """Write that the request has failed; a response may come nevertheless if the connection is open."""
        watch = self.watch
        if watch is not None:
            if conn.sock is None:
                self.watch = None
            self._carry(watch.info)
            watch.failed(error)

    def answered(self, _conn: Any, response: Any) -> None:
        """Take note of the response: the line is written when it was read, or closed."""
        watch, self.watch = self.watch, None
        if watch is None:
            return
        self._carry(watch.info)
        stream = getattr(response, "_stream", None)
        if isinstance(response, HTTP20Response) and stream is not None:
            watch.info.stream_id = stream.wire_id
            watch.head(response, stream.marks)
            if response.isclosed():
                watch.body(response._taken)
                watch.done(response._marks)
            else:
                watch.follow(response)
        elif isinstance(response, stock.HTTPResponse):
            _follow(watch, response)

    def _carry(self, request: RequestInfo) -> None:
        """Note which connection carries a request."""
        if request.connection is None and (info := self.info) is not None:
            request.connection = info
            request.reused = self._used == info.number
            self._used = info.number


def _url(conn: Any, target: str) -> str:
    """Return the URL of a request, unchecked: of its target, and of the host of its connection."""
    if _is_absolute(target):
        return target
    tunnel = conn._tunnel_host
    host, port = (tunnel, conn._tunnel_port) if tunnel else (conn.host, conn.port)
    named = f"[{host}]" if ":" in host and not host.startswith("[") else host
    scheme = "https" if isinstance(conn, stock.HTTPSConnection) else "http"
    origin = f"{scheme}://{named}" + ("" if str(port) == str(conn.default_port) else f":{port}")
    return origin + target if target.startswith("/") else f"{origin} {target}"  # such as "*"


def _follow(watch: Watch, response: Any) -> None:
    """Tell when a response on HTTP/1.1, which http.client reads, was read to its end, or closed."""
    began, head = watch.info.began, time.monotonic()
    watch.head(response, Marks(began, head, 0.0))
    if response.fp is None:  # its class has read it when it began
        watch.info.received = UNCOUNTED
        watch.done(Marks(began, head, head))
        return
    me, kind, announced, chunks = weakref.ref(response), type(response), response.length, [0]

    def chunk_size() -> int:
        size: int = kind._read_next_chunk_size(me())
        chunks.append(size)
        return size

    def end() -> None:
        found = me()
        if found is None:
            return
        left, is_chunked, was_closed = found.length, found.chunked, found.closed
        kind._close_conn(found)
        with contextlib.suppress(Exception):
            whole = not was_closed and (not left or found._method == "HEAD")
            whole = whole and (not is_chunked or not chunks[-1])
            if announced is not None and left is not None:
                watch.info.received = announced - left
            else:
                watch.info.received = sum(chunks) if is_chunked and whole else UNCOUNTED
            watch.done(Marks(began, head, time.monotonic() if whole else 0.0))

    response._close_conn, response._read_next_chunk_size = end, chunk_size
