"""HTTP/1.1 for HTTP20Connection: many requests queued, one at a time on the wire.

Where ALPN does not choose HTTP/2, http.client's own code does the talking.  What this adds is the
queue: a request goes out when the response before it was read, or when its own response is asked
for; then what lies before it is read into memory first.

Rule: `_current` is the one exchange whose response may still be coming in on the socket.
"""

import contextlib
import http.client
import socket
import threading
from collections import deque
from collections.abc import Callable

from .request import Request
from .response import HTTP20Response
from .transport import is_stale


class Exchange:
    """One request and its response on HTTP/1.1.

    Args:
        stream_id: the id that the caller knows it by.
        request: what is asked for.
    """

    __slots__ = ("connection", "error", "request", "response", "stream_id", "thread")

    def __init__(self, stream_id: int, request: Request) -> None:
        self.stream_id = stream_id
        self.request = request
        self.thread = threading.get_ident()
        # -- owned by the lane --
        self.connection: http.client.HTTPConnection | None = None
        self.response: HTTP20Response | None = None
        self.error: BaseException | None = None


class Lane:
    """A kept HTTP/1.1 connection with a queue before it.

    Args:
        dial: opens a socket to the origin.
        speak: makes an http.client connection of a socket.
        sock: already open, or None.
    """

    def __init__(
        self,
        dial: Callable[[], socket.socket],
        speak: Callable[[socket.socket], http.client.HTTPConnection],
        sock: socket.socket | None,
    ) -> None:
        self._dial = dial
        self._speak = speak
        self._lock = threading.RLock()
        # -- guarded by _lock --
        self.sock = sock
        self._queue: deque[Exchange] = deque()
        self._current: Exchange | None = None

    @property
    def counts(self) -> tuple[int, int]:
        """How many requests are on the wire, and how many wait for their turn."""
        return int(self._current is not None), len(self._queue)

    def submit(self, exchange: Exchange) -> None:
        """Send a request now if nothing is before it, otherwise queue it.

        One whose body can be read only once is not queued: what is before it is read into memory.
        """
        with self._lock:
            self._queue.append(exchange)
            if self._current is None:
                self._advance()
            while not exchange.request.repeatable and exchange in self._queue:
                self._advance()

    def response(self, exchange: Exchange) -> HTTP20Response:
        """Return an exchange's response, when its header block has arrived."""
        with self._lock:
            while exchange.response is None:
                if exchange.error is not None:
                    raise exchange.error
                self._advance()
            return exchange.response

    def cancel(self, exchange: Exchange) -> None:
        """Forget a request; if it is on the wire already, the connection is of no further use."""
        with self._lock:
            if exchange in self._queue:
                self._queue.remove(exchange)
            elif exchange is self._current:
                self._hang_up()

    def close(self) -> None:
        """Close the connection. A response that was handed out can still be read."""
        with self._lock:
            self._queue.clear()
            self._hang_up()

    # -- under the lock ---------------------------------------------------------------------------

    def _advance(self) -> None:
        """Do the next thing that must be done before what is queued can be answered."""
        current = self._current
        if current is None:
            self._send(self._queue.popleft())
        elif current.response is None:
            self._receive(current)
        else:
            current.response.buffer()
            self._current = None

    def _hang_up(self) -> None:
        self._current = None
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def _send(self, exchange: Exchange) -> None:
        request = exchange.request
        try:
            if self.sock is not None and is_stale(self.sock):
                self._hang_up()
            if self.sock is None:
                self.sock = self._dial()
            self._current = exchange
            exchange.connection = self._speak(self.sock)
            exchange.connection.request(
                request.method,
                request.url,
                request.body if request.repeatable else request.body_argument,
                request.headers,  # type: ignore[arg-type]
                encode_chunked=request.encode_chunked,
            )
        except BaseException as error:
            self._fail(exchange, error)
            raise

    def _receive(self, exchange: Exchange) -> None:
        assert exchange.connection is not None
        try:
            response = exchange.connection.getresponse()
        except BaseException as error:
            self._fail(exchange, error)
            raise
        assert isinstance(response, HTTP20Response)
        response.stream_id = exchange.stream_id
        exchange.response = response
        if response.will_close:  # and so http.client has closed the socket, but for the response
            self._current = self.sock = None
        elif response.isclosed():
            self._current = None
        else:
            response.when_closed = self._on_closed

    def _fail(self, exchange: Exchange, error: BaseException) -> None:
        """Keep an error for the one whose request it is; the connection is in no known state."""
        exchange.error = error
        self._hang_up()

    def _on_closed(self, complete: bool) -> None:
        """Go on with the next request, now that a response was read or given up."""
        with self._lock:
            self._current = None
            if not complete:
                self._hang_up()
            if self._queue:
                with contextlib.suppress(http.client.HTTPException, OSError):
                    self._send(self._queue.popleft())  # an error is kept for the one who asks
