"""HTTP/1.1 for HTTP20Connection: many requests queued, one at a time on the wire.

A request goes out when the response before it was read, or when its own response is asked for; then the
responses before it are first read into memory.  A request whose body is still being written keeps its turn.

Rules: `_current` is the one exchange whose response may still be coming in on the socket.  The leader sends
    and receives outside the lock, for all threads, and stores results and errors in the exchanges.  When its
    own timeout ends it stops (`Paused`), and the next leader resumes.
"""

import contextlib
import functools
import http.client as http_client
import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ..errors import ConnectionLost, HTTP2Error, RequestTimeout, StreamReset
from ..messages.replay import for_all_tries
from ..messages.waiters import Arrivals, wake
from ..net.forking import FOREIGN, watch
from ..net.leader import Job, Leadership
from ..net.protocols import HTTP11
from ..net.timeouts import deadline_after, end_of_step, remaining, soonest
from ..net.tls import Session, session_of
from .body import HTTP1Body
from .exchange import HTTP1Exchange
from .kept_socket import KeptSocket
from .request_writer import Outgoing
from .response import QueuedResponse
from .timed_socket import Paused

T = TypeVar("T")
Work = Callable[[HTTP1Exchange, float | None], None]


class HTTP1Connection:
    """A kept HTTP/1.1 connection, and the queue of requests that wait for their turn on it.

    Args:
        dial: opens a socket to the origin for this connection, by a monotonic time if one is given.
        speak: makes an http.client connection of a socket.
        sock: already open.
        timeout: seconds that each wait may last, or None; it may be set at any time.
        max_buffered: bytes of unread responses to hold so that the responses behind them can come. Beyond
            that, an unread response keeps its connection, and the others get a new one.
        require_close_notify: a body that ends with its TLS connection needs a close_notify.
    """

    protocol = HTTP11
    exchange_class = HTTP1Exchange
    tries_again = True
    answered = 0

    def __init__(
        self,
        dial: "Callable[[HTTP1Connection, float | None], socket.socket]",
        speak: Callable[[Any], http_client.HTTPConnection],
        sock: socket.socket,
        *,
        timeout: float | None,
        max_buffered: int,
        require_close_notify: bool = True,
    ) -> None:
        self._dial = dial
        self._speak = speak
        self.timeout = timeout
        self._max_buffered = max_buffered
        self._require_close_notify = require_close_notify
        self.session: Session | None = None  # of the last connection that brought a response
        self._lock = threading.Lock()
        # -- guarded by _lock --
        self._leadership = Leadership(self._lock)
        self._written = threading.Condition(self._lock)  # an open request was ended, or given up
        self._socket = KeptSocket(sock)
        self._queue: deque[HTTP1Exchange] = deque()
        self._current: HTTP1Exchange | None = None
        self.closed: bool = False
        self._draining = False
        self._kept: weakref.WeakSet[HTTP1Body] = weakref.WeakSet()  # unread bodies
        watch(self)  # last: `after_fork()` needs the attributes above

    @property
    def counts(self) -> tuple[int, int]:
        """How many requests are on the wire, and how many wait for their turn."""
        return int(self._current is not None), len(self._queue)

    def check(self) -> bool:
        """Tell whether further requests may be submitted: if the socket has ended, they open a new one."""
        return not (self.closed or self._draining)

    def submit(self, exchanges: Sequence[HTTP1Exchange], *, gather: bool = False) -> bool:
        """Queue requests, which `wait_sent` sends; false if the connection takes no more."""
        with self._lock:
            if self.closed or self._draining:
                return False
            for exchange in exchanges:
                exchange.transport = self
                self._queue.append(exchange)
            return True

    def wait_sent(self, exchange: HTTP1Exchange) -> None:
        """Send a submitted request if nothing is before it; otherwise it goes when its turn comes.

        If its body can be read only once, wait for its turn: the responses before it are read into memory.
        """
        if exchange.request.repeatable:
            self._take_turn(exchange.patience(self.timeout))
            if exchange.error is not None:
                raise exchange.error
        else:
            self._wait(exchange, lambda: exchange.sent, "the request could not be sent")

    def write(self, exchange: HTTP1Exchange, data: Any) -> bool:
        """Send a piece of the body of a request that is open, when its turn has come.

        Returns:
            False if the response has come before the request's end: the server needs no more of it.

        Raises:
            http.client.CannotSendRequest: the request is complete, or this is more than its
                content-length announced.
            RequestTimeout, OSError, HTTP2Error: it cannot be sent; the exchange is over.
        """
        with self._sending(exchange) as outgoing:
            return outgoing.write(data)

    def end(self, exchange: HTTP1Exchange) -> None:
        """Send the end of a request that is open, and its trailers.

        Raises:
            As `write`; http.client.CannotSendRequest: the body is too short, or has trailers and no chunks.
        """
        with self._sending(exchange) as outgoing:
            outgoing.end()
        with self._lock:
            self._written.notify_all()

    @contextlib.contextmanager
    def _sending(self, exchange: HTTP1Exchange) -> Iterator[Outgoing]:
        """Wait for the turn of an open request; any failure within the block, but a wrong call, ends it."""
        if not exchange.request.open:
            raise http_client.CannotSendRequest("the request is complete")
        self._wait(exchange, lambda: exchange.sent, "the request could not be sent")
        assert exchange.outgoing is not None
        try:
            yield exchange.outgoing
        except http_client.CannotSendRequest:
            raise
        except BaseException as error:
            self._end(exchange, error)
            raise

    def wait_head(self, exchange: HTTP1Exchange) -> bool:
        """Wait until the head of a response has arrived; returns true."""
        return bool(self._wait(exchange, lambda: exchange.response, "no response came"))

    def wait_any(
        self, arrivals: Arrivals[HTTP1Exchange], timeout: float | None, dial_by: float | None
    ) -> None:
        """Wait until the response or the failure of at least one exchange is there, or `timeout` is over.

        Only opening a connection may last longer, until `dial_by`, because it cannot be interrupted and
        resumed.
        """

        def attempt() -> bool | None:
            arrivals.enlist()
            return True if arrivals.posted else None

        with contextlib.suppress(RequestTimeout):
            self._leadership.wait(arrivals, attempt, self._step_until(dial_by), timeout, "")

    def due(self, exchange: HTTP1Exchange, _since: float) -> float | None:
        """Return when to call `expire`: the deadline, since calls on the socket keep to the timeout."""
        return exchange.request.deadline

    def expire(self, exchange: HTTP1Exchange, _since: float) -> bool:
        """Fail a request if its deadline is over; tell whether it is over."""
        late = remaining(exchange.request.deadline) == 0
        if late:
            complaint = "no response came before the deadline"
            self.drop(exchange, RequestTimeout(complaint, stream_id=exchange.stream_id))
        return late

    def drop(self, exchange: HTTP1Exchange, error: HTTP2Error | None = None) -> None:
        """Forget a request; if it is on the wire already, the connection cannot be used again."""
        with self._lock:
            if exchange in self._queue:
                self._queue.remove(exchange)
            elif exchange is self._current:
                self._hang_up_locked()
            error = error or StreamReset("the request was cancelled", stream_id=exchange.stream_id)
            self._fail_locked(exchange, error)
            self._close_if_over_locked()
        if exchange.outgoing is not None:
            exchange.outgoing.response.close()  # no caller has taken it

    def surrender(self) -> socket.socket:
        """Give up the socket, on which another protocol goes on, and its exchange."""
        with self._lock:
            sock = self._socket.take()
            self._current = None
            self.closed = True
        assert sock is not None
        return sock

    def close(self) -> None:
        """Close the connection. A response that was handed out can still be read."""
        with self._lock:
            self.closed = True
            current = self._current
            self._fail_unanswered_locked("the connection was closed")
            self._hang_up_locked()
        if current is not None:
            current.drop()

    def drain(self) -> None:
        """Take no further requests, and close when those under way are over."""
        with self._lock:
            self._draining = True
            self._close_if_over_locked()

    def prioritize(self, _stream_id: int, _value: bytes) -> None:
        """Do nothing: HTTP/1.1 has no priorities."""

    def trace(self, _shown: bool) -> None:
        """Do nothing: http.client's own objects print requests and responses."""

    def ping(self, _timeout: float | None) -> float:
        """Raise http.client.NotConnected: HTTP/1.1 has no PING."""
        raise http_client.NotConnected("PING needs an open HTTP/2 connection")

    def abandon_all(self) -> None:
        """From a finalizer, break reference cycles; if a thread has the lock, leave them to the collector."""
        if not self._lock.locked():
            with self._lock:
                self.closed, self._current, self._socket.sock = True, None, None
                self._queue.clear()

    def after_fork(self) -> None:
        """In the child: the connection is the parent's. See net/forking.py."""
        self._lock = threading.Lock()
        self._leadership = Leadership(self._lock)
        self._written = threading.Condition(self._lock)
        self._socket.after_fork()
        with self._lock:
            current = self._current
            self._fail_unanswered_locked(FOREIGN)
            self._current = None
            if current is not None and current.response is not None:
                current.response.after_fork()
                self._fail_locked(current, ConnectionLost(FOREIGN, stream_id=current.stream_id))

    # -- taking turns -----------------------------------------------------------------------------

    def _wait(self, exchange: HTTP1Exchange, outcome: Callable[[], T | None], complaint: str) -> T:
        """Wait for an outcome; meanwhile lead, or sleep while another thread leads."""

        def attempt() -> T | None:
            if exchange.error is not None:
                raise exchange.error
            return outcome()

        patience = exchange.patience(self.timeout)
        step = self._step_until(deadline_after(patience))
        return self._leadership.wait(exchange, attempt, step, patience, complaint)

    def _step_until(self, dial_by: float | None) -> Callable[[bool], Job | None]:
        """Return a function that chooses the job of a waiting thread, or none."""
        return lambda holding: self._next_job_locked(dial_by) if holding else None

    def _take_turn(self, timeout: float | None) -> None:
        """Send the next request, if nothing is on the wire and no thread is at work."""
        working, dial_by = False, deadline_after(timeout)

        def attempt() -> bool | None:
            nothing_to_do = not self._queue or self._current is not None
            return True if nothing_to_do or (self._leadership.held and not working) else None

        def step(_holding: bool) -> Job | None:
            nonlocal working
            working = True
            return self._next_job_locked(dial_by)

        self._leadership.wait(None, attempt, step, timeout, "the request could not be sent")

    def _next_job_locked(self, dial_by: float | None) -> Job:
        """Choose the next job that brings the queued requests closer to their responses."""
        self._socket.working = True
        current = self._current
        if current is None:
            self._current = current = self._queue.popleft()
        if not current.sent:
            return functools.partial(self._work, functools.partial(self._send, dial_by=dial_by), current)
        if current.response is None:
            return functools.partial(self._work, self._receive, current)
        return functools.partial(self._work, self._clear, current)

    # -- at work, with the lead ------------------------------------------------------------------

    def _work(self, job: Work, exchange: HTTP1Exchange, timeout: float | None) -> None:
        """Do a job outside the lock; then close the sockets that other threads have doomed meanwhile.

        Any failure in the job ends its exchange here, unless the request is sent again.
        """
        try:
            job(exchange, deadline_after(timeout))
        except Paused:
            pass  # the thread whose time is over raises
        except BaseException as error:
            if not self._tries_again(exchange, error):
                self._end(exchange, error)
            if not isinstance(error, Exception):
                raise
        finally:
            with self._lock:
                self._socket.stop_work()
                self._close_if_over_locked()

    def _send(self, exchange: HTTP1Exchange, until: float | None, *, dial_by: float | None) -> None:
        if exchange.outgoing is None:
            exchange.sock = self._ready(end_of_step(exchange.request), dial_by)
            exchange.outgoing = exchange.outgoing_on(
                exchange.sock, self._speak, require_close_notify=self._require_close_notify
            )
        exchange.outgoing.run(until)
        with self._lock:
            if self._current is exchange:
                exchange.sent = True
                wake(exchange)
                return
            if exchange.sock is not None and self._socket.sock is exchange.sock:
                self._socket.doom(exchange.sock)  # given up while it was sent: an answer to it may come
        exchange.drop()

    def _ready(self, end: float | None, dial_by: float | None) -> socket.socket:
        """Return the socket; open a new one if the server has closed it since the last response.

        Args:
            end: the monotonic time at which the exchange has failed.
            dial_by: the monotonic time at which the thread at work stops, `Paused`.
        """
        sock = self._socket.alive()
        if sock is not None:
            return sock
        try:
            fresh = self._dial(self, soonest(end, dial_by))
        except TimeoutError:
            if remaining(dial_by) == 0 and dial_by == soonest(end, dial_by):
                raise Paused from None
            raise
        with self._lock:
            self._socket.replace(fresh)
            if self.closed:
                self._socket.doom(fresh)
                raise ConnectionLost("the connection was closed")
        return fresh

    def _receive(self, exchange: HTTP1Exchange, until: float | None) -> None:
        outgoing = exchange.outgoing
        assert outgoing is not None
        response = outgoing.response
        response.begin(until)
        with self._lock:
            if exchange.error is not None:  # given up meanwhile
                response.close()
                return
            if outgoing.stopped:
                response.will_close = True
            if exchange.sock is not self._socket.proven:
                self._socket.proven = exchange.sock
                # TLS 1.3's tickets have come by now; later another thread may be reading.
                if not exchange.request.open:
                    self.session = session_of(exchange.sock) or self.session
            exchange.response = response
            if exchange.request.open:
                response.exchange = exchange  # perhaps only its writer still refers to it
            if response.sock is not None:  # the caller owns it: another protocol goes on there
                self._current = self._socket.sock = None
            elif response.will_close:  # the response owns the socket from now on
                self._current = None
                self._socket.let_go(exchange.sock)
            else:
                response.when_closed = self._on_closed
            wake(exchange)

    def _clear(self, exchange: HTTP1Exchange, until: float | None) -> None:
        """Read a response into memory, because others wait behind it, or leave its connection to it."""
        outgoing, response = exchange.outgoing, exchange.response
        assert outgoing is not None
        assert response is not None
        with self._lock:
            while not outgoing.done and self._current is exchange:
                if not self._written.wait(remaining(until)):
                    return
        budget = self._max_buffered - sum(body.held for body in self._kept)
        made_way = response.make_way(budget, until)
        if made_way is None:
            return
        body, is_free = made_way
        with self._lock:
            if self._current is not exchange:
                return
            self._current = None
            if body is not None:
                self._kept.add(body)
            if not is_free:
                self._socket.let_go(exchange.sock)  # the body goes on reading from its file

    def _tries_again(self, exchange: HTTP1Exchange, error: BaseException) -> bool:
        """Send a request again that met the end of a kept connection (RFC 9112 section 9.3.1).

        A kept connection has brought a response. The new one has not, so there is no third try.
        """
        outgoing = exchange.outgoing
        if outgoing is None or not outgoing.may_be_repeated(error):
            return False
        with self._lock:
            sock = exchange.sock
            if self._current is not exchange or sock is None or sock is not self._socket.proven:
                return False
            exchange.doubt = error
            exchange.sock = exchange.outgoing = exchange.sent = None
            self._socket.doom(sock)
        outgoing.response.close()
        return True

    def _end(self, exchange: HTTP1Exchange, error: BaseException) -> None:
        """End an exchange that has failed, and its connection, whose state is unknown.

        The error is kept for the thread that asks for the response. If a thread is interrupted while it
        works for another thread, the interrupt (KeyboardInterrupt) is raised in the first one only.
        """
        kept = error
        if not isinstance(error, Exception):
            reason = "a thread was interrupted while it used the connection"
            kept = ConnectionLost(reason, stream_id=exchange.stream_id)
        else:
            if exchange.doubt is not None and isinstance(error, http_client.NotConnected):
                error.__cause__ = exchange.doubt  # of the first try; there is no second one
            for_all_tries(error, doubtful=exchange.doubt is not None)
        with self._lock:
            self._fail_locked(exchange, kept)
            if self._current is exchange:
                self._hang_up_locked()
        exchange.drop()

    # -- when a response was read -----------------------------------------------------------------

    def _on_closed(self, response: QueuedResponse, usable: bool) -> None:
        """Go on with the next request, now that a response was read from the wire, or given up."""
        with self._lock:
            current = self._current
            if current is not None and current.response is response:
                assert current.outgoing is not None
                finished = current.outgoing.done
                current.outgoing.stop()  # a complete answer needs no more of the request
                if not (usable and finished):  # first: after an interrupt no other request may meet the rest
                    self._socket.hang_up(interrupt=True)
                self._current = None
                self._written.notify_all()
            self._close_if_over_locked()
            # Only a thread that waits for a response may open a connection, not one that has read its own.
            ready = bool(self._queue) and self._socket.alive() is not None
        if ready:
            with contextlib.suppress(RequestTimeout):
                self._take_turn(self.timeout)

    # -- under the lock ---------------------------------------------------------------------------

    def _fail_locked(self, exchange: HTTP1Exchange, error: BaseException) -> None:
        if exchange.error is None:  # the first error is the cause
            exchange.error = error
        wake(exchange)
        self._written.notify_all()

    def _fail_unanswered_locked(self, reason: str) -> None:
        unanswered = [*self._queue]
        self._queue.clear()
        if self._current is not None and self._current.response is None:
            unanswered.append(self._current)
        for exchange in unanswered:
            self._fail_locked(exchange, ConnectionLost(reason, stream_id=exchange.stream_id))

    def _close_if_over_locked(self) -> None:
        if self._draining and self._current is None and not self._queue:
            self.closed = True
            self._hang_up_locked()

    def _hang_up_locked(self) -> None:
        """Let go of the connection; a response that reads from the socket keeps it open."""
        current, self._current = self._current, None
        if current is not None and current.response is not None:
            current.response.when_closed = None
        self._socket.hang_up(interrupt=current is None or current.response is None)
