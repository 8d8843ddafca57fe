"""HTTP/1.1 for HTTP20Connection: many requests queued, one at a time on the wire.

Where ALPN does not choose HTTP/2, http.client's own code does the talking.  What this adds is the
queue: a request goes out when the response before it was read, or when its own response is asked
for; then what lies before it is read into memory first.

Rules: `_current` is the one exchange whose response may still be coming in on the socket.  The
thread that has the baton sends and receives, outside the lock; what it comes upon it keeps in the
exchange, for the one whose request that is.
"""

import contextlib
import functools
import http.client as http_client
import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from .baton import Baton, Job
from .errors import ConnectionLost, RequestTimeout, StreamReset
from .forking import watch
from .http1_response import Kept, QueuedResponse
from .request import Request
from .response import HTTP20Response
from .transport import break_off, is_stale

T = TypeVar("T")


class Exchange:
    """One request and its response on HTTP/1.1.

    Args:
        stream_id: the id that the caller knows it by.
        request: what is asked for.
    """

    __slots__ = ("connection", "error", "lane", "request", "response", "stream_id", "thread", "waiters")

    def __init__(self, stream_id: int, request: Request) -> None:
        self.stream_id = stream_id
        self.request = request
        self.thread = threading.get_ident()
        self.waiters: list[threading.Lock] = []
        # -- owned by the lane; `connection` is set when the request was sent --
        self.lane: Lane | None = None
        self.connection: http_client.HTTPConnection | None = None
        self.response: QueuedResponse | None = None
        self.error: BaseException | None = None


class Lane:
    """A kept HTTP/1.1 connection with a queue before it.

    Args:
        dial: opens a socket to the origin.
        speak: makes an http.client connection of a socket.
        sock: already open.
        timeout: seconds that each wait may last, or None.
        max_buffered: bytes of unread responses to hold so that those behind them can come. Past
            that, an unread response keeps its connection, and the others get a new one.
    """

    def __init__(
        self,
        dial: Callable[[], socket.socket],
        speak: Callable[[socket.socket], http_client.HTTPConnection],
        sock: socket.socket,
        *,
        timeout: float | None,
        max_buffered: int,
    ) -> None:
        self._dial = dial
        self._speak = speak
        self._timeout = timeout
        self._max_buffered = max_buffered
        self._lock = threading.Lock()
        watch(self)
        # -- guarded by _lock --
        self._baton = Baton(self._lock)
        self._sock: socket.socket | None = sock
        self._queue: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._closed = False
        self._working = False  # a thread uses the socket, outside the lock
        self._doomed: list[socket.socket] = []  # to be closed when it has stopped
        self._kept: weakref.WeakSet[Kept] = weakref.WeakSet()  # bodies in memory that nobody has read yet

    @property
    def counts(self) -> tuple[int, int]:
        """How many requests are on the wire, and how many wait for their turn."""
        return int(self._current is not None), len(self._queue)

    def submit(self, exchanges: Iterable[Exchange]) -> None:
        """Queue requests; `settle` sees to it that they are sent."""
        with self._lock:
            for exchange in exchanges:
                exchange.lane = self
                self._queue.append(exchange)

    def settle(self, exchange: Exchange) -> None:
        """Send a submitted request if nothing is before it; otherwise it goes when its turn comes.

        One whose body can be read only once is waited for: what is before it is read into memory.
        """
        if exchange.request.repeatable:
            self._take_turn()
            if exchange.error is not None:
                raise exchange.error
        else:
            self._wait(exchange, lambda: exchange.connection, "the request could not be sent")

    def response(self, exchange: Exchange) -> HTTP20Response:
        """Return an exchange's response, when its header block has arrived."""
        return self._wait(exchange, lambda: exchange.response, "no response came")

    def cancel(self, exchange: Exchange) -> None:
        """Forget a request; if it is on the wire already, the connection is of no further use."""
        with self._lock:
            if exchange in self._queue:
                self._queue.remove(exchange)
            elif exchange is self._current:
                self._hang_up_locked()
            self._fail_locked(
                exchange, StreamReset("the request was cancelled", stream_id=exchange.stream_id)
            )

    def close(self) -> None:
        """Close the connection. A response that was handed out can still be read."""
        with self._lock:
            self._closed = True
            self._fail_unanswered_locked("the connection was closed")
            self._hang_up_locked()

    def after_fork(self) -> None:
        """In the child: the connection is the parent's. See forking.py."""
        self._lock = threading.Lock()
        self._baton = Baton(self._lock)
        with self._lock:
            self._fail_unanswered_locked("the connection belongs to the parent of this process")
            self._current = None
            if self._sock is not None:
                self._sock.close()
                self._sock = None

    # -- taking turns -----------------------------------------------------------------------------

    def _wait(self, exchange: Exchange, outcome: Callable[[], T | None], complaint: str) -> T:
        """Do, or let others do, what must be done before there is an outcome."""

        def attempt() -> T | None:
            if exchange.error is not None:
                raise exchange.error
            return outcome()

        def step(holding: bool) -> Job | None:
            return self._next_job_locked() if holding else None

        return self._baton.wait((exchange,), attempt, step, self._timeout, complaint)

    def _take_turn(self) -> None:
        """Send the next request, if nothing is on the wire and nobody is at work."""
        working = False

        def attempt() -> bool | None:
            nothing_to_do = not self._queue or self._current is not None
            return True if nothing_to_do or (self._baton.held and not working) else None

        def step(_holding: bool) -> Job | None:
            nonlocal working
            working = True
            return self._next_job_locked()

        self._baton.wait((), attempt, step, self._timeout, "the request could not be sent")

    def _next_job_locked(self) -> Job:
        """Choose what must be done next before what is queued can be answered."""
        self._working = True
        current = self._current
        if current is None:
            self._current = current = self._queue.popleft()
            return functools.partial(self._work, self._send, current)
        if current.response is None:
            return functools.partial(self._work, self._receive, current)
        return functools.partial(self._work, self._clear, current.response)

    # -- at work, with the baton ------------------------------------------------------------------

    def _work(self, job: Callable[[Any, float | None], None], subject: Any, timeout: float | None) -> None:
        """Do a job outside the lock, and then close what others wanted closed meanwhile."""
        try:
            job(subject, timeout)
        finally:
            with self._lock:
                self._working = False
                while self._doomed:
                    self._doomed.pop().close()

    def _send(self, exchange: Exchange, _timeout: float | None) -> None:
        request = exchange.request
        try:
            sock = self._ready()
            connection = self._speak(sock)
            connection.request(
                request.method,
                request.url,
                request.http1_body,
                request.headers,  # type: ignore[arg-type]
                encode_chunked=request.encode_chunked,
            )
        except BaseException as error:
            self._give_up(exchange, error)
            return
        with self._lock:
            exchange.connection = connection
            if self._current is not exchange and self._sock is sock:
                # Given up while it was sent: an answer may come that nobody expects.
                self._doomed.append(sock)
                self._sock = None

    def _ready(self) -> socket.socket:
        """Return the socket, opened anew if the server has closed it since the last response."""
        sock = self._sock
        if sock is not None and not is_stale(sock):
            return sock
        fresh = self._dial()
        with self._lock:
            if sock is not None:
                self._doomed.append(sock)
            if self._closed:
                self._doomed.append(fresh)
                raise ConnectionLost("the connection was closed")
            self._sock = fresh
        return fresh

    def _receive(self, exchange: Exchange, _timeout: float | None) -> None:
        assert exchange.connection is not None
        try:
            response = exchange.connection.getresponse()
        except BaseException as error:
            self._give_up(exchange, error)
            return
        assert isinstance(response, QueuedResponse)
        with self._lock:
            if exchange.error is not None:  # given up meanwhile
                response.close()
                return
            response.stream_id = exchange.stream_id
            exchange.response = response
            if response.will_close:  # and so http.client has closed the socket, but for the response
                self._current = self._sock = None
            elif response.isclosed():
                self._current = None
            else:
                response.when_closed = self._on_closed
            self._baton.wake(exchange)

    def _clear(self, response: QueuedResponse, timeout: float | None) -> None:
        """Read a response into memory, because others wait behind it, or let it have its connection."""
        budget = self._max_buffered - sum(kept.size for kept in self._kept)
        made_way, kept = response.make_way(budget, timeout)
        if not made_way:
            return
        with self._lock:
            self._current = None
            if kept is not None:
                self._kept.add(kept)
                if kept.has_rest and self._sock is not None:
                    self._sock.close()  # its file is still open: it goes on reading
                    self._sock = None

    def _give_up(self, exchange: Exchange, error: BaseException) -> None:
        """Keep an error for the one whose request it is; the connection is in no known state."""
        with self._lock:
            self._fail_locked(exchange, error)
            if self._current is exchange:
                self._hang_up_locked()
        if not isinstance(error, Exception):
            raise error

    # -- when a response was read -----------------------------------------------------------------

    def _on_closed(self, response: QueuedResponse, complete: bool) -> None:
        """Go on with the next request, now that a response was read from the wire, or given up."""
        with self._lock:
            if self._current is not None and self._current.response is response:
                self._current = None
                if not complete:
                    self._hang_up_locked()
            # To open a connection is for him who waits for a response: who has read one does not.
            ready = bool(self._queue) and self._sock is not None and not is_stale(self._sock)
        if ready:
            with contextlib.suppress(RequestTimeout):
                self._take_turn()

    # -- under the lock ---------------------------------------------------------------------------

    def _fail_locked(self, exchange: Exchange, error: BaseException) -> None:
        if exchange.error is None:  # the first reason is the true one
            exchange.error = error
        self._baton.wake(exchange)

    def _fail_unanswered_locked(self, reason: str) -> None:
        unanswered = [*self._queue]
        self._queue.clear()
        if self._current is not None and self._current.response is None:
            unanswered.append(self._current)
        for exchange in unanswered:
            self._fail_locked(exchange, ConnectionLost(reason, stream_id=exchange.stream_id))

    def _hang_up_locked(self) -> None:
        """Let go of the connection.

        Where a thread is sending on it, or waits for a response, that thread is interrupted and closes
        it: of a descriptor that is closed under its hands, the number may be another connection's when
        it writes on.  A response keeps what it reads from open.
        """
        current, self._current = self._current, None
        if current is not None and current.response is not None:
            current.response.when_closed = None
        sock, self._sock = self._sock, None
        if sock is not None and self._working and (current is None or current.response is None):
            break_off(sock)
            self._doomed.append(sock)
        elif sock is not None:
            sock.close()
