"""HTTP20Connection: http.client's connection, with many requests under way at once.

::

    request() ──> id        queued ──> sent ──> answered          getresponse(id) ──> response
                               │         │
                               └─────────┴──> refused by the server, unprocessed: sent again elsewhere

A connection object outlives its sockets.  It has one current transport, a `HTTP2Connection` on HTTP/2 or a
`HTTP1Connection` on HTTP/1.1, and as many draining ones as still have streams to finish.  An id is 1, 3, 5, …
for the life of the object, whatever number the wire knows the stream by.

Lock order: `_dialling`, `_lock`, then the transport's own.  A thread that connects holds `_dialling`, so that
no two threads do it at once.  A thread that only asks for a response never needs that lock.
"""

import contextlib
import http.client as http_client
import math
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from . import stock
from .errors import HTTP2Error, RequestTimeout
from .http2.engine import MAX_HEADER_LIST
from .http2.liveness import KEEPALIVE_IDLE, PING_TIMEOUT
from .http2.unread import MAX_BUFFERED
from .messages.exchange import Exchange, Transport
from .messages.fields import authority
from .messages.replay import begin_again, for_all_tries, may_replay, pause
from .messages.request import Priority, priority_value
from .messages.response import HTTP20Response
from .net.forking import watch
from .net.protocols import BOTH, H2, Protocols, checked_protocols
from .net.timeouts import UNSET_TIMEOUT, checked_seconds, deadline_after, end_of_step, remaining, soonest
from .pending import standing, unknown
from .putting import PuttingConnection
from .transports import TransportOptions

# Seconds in which `as_ready` looks once at each of several connections.
TURN = 0.02
# Seconds after which `as_ready` looks whether another thread has cancelled its requests: a cancellation wakes
# a thread that sleeps, but not the one that polls the socket.
LOOK = 0.25


class HTTP20Connection(PuttingConnection):
    """A connection to one origin that speaks HTTP/2, or HTTP/1.1 where the server has no HTTP/2.

    Args:
        host: the name, or `name:port`.
        port: by default 443, or 80 with `secure=False`.
        secure: with TLS; ALPN then tells the protocol. False: cleartext HTTP/2, by prior knowledge, unless
            `upgrade` or `protocols` says otherwise.
        timeout: seconds that each blocking step may last; None: no limit.  By default that of
            `socket.setdefaulttimeout`.
        source_address: (host, port) to connect from.
        context: the ssl.SSLContext; by default one that verifies (`hyperlite.create_context`).
            It is never changed. If ALPN is set on it, that is offered, else HTTP/2 and HTTP/1.1.
            For a context of another class see docs/differences.md.
        blocksize: bytes of a file to read, and send, at a time.
        max_buffered: bytes of unread responses to hold beyond the streams' flow-control windows (1 MiB and
            more each), where progress needs it.
        deadline: seconds for a whole exchange, from `request()` to the end of the response's body; None: no
            limit.
        keepalive_idle: seconds of silence after which the next request brings a PING along; None: never.
        require_close_notify: where an HTTP/1.1 body ends with the connection, a TLS connection that ends
            without close_notify (RFC 8446 section 6.1) has cut it off: an `IncompleteBody`, because any
            attacker on the way can end it so.  False: it is an end, as in http.client; some servers send
            no close_notify.
        ping_timeout: seconds of waiting in which the server must then say something; otherwise the
            connection is given up, and what is safe to repeat (GET, HEAD, OPTIONS, TRACE) is sent
            again on another.
        upgrade: with `secure=False`: begin in HTTP/1.1, and ask by the first request without a body to go on
            in HTTP/2 (RFC 7540 section 3.2).  If the server declines, the connection stays in HTTP/1.1.  The
            next connection asks again.
        protocols: which may be spoken: a tuple or list of "h2", "http/1.1" or both, in any order.  With TLS
            ALPN offers them; with ("h2",), a server that does not choose HTTP/2 is an error
            (`NotHTTP2`).  With `secure=False`, ("h2",) is prior knowledge, ("http/1.1",) is HTTP/1.1, and
            both is as None.  None: both; with TLS, what the variable HYPERLITE_PROTOCOLS says, if it is set.
        enable_push: let the server push responses: `response.pushes`. Off, a push breaks the protocol.
        max_header_list: bytes of one response's header fields, by the measure of RFC 9113 section
            10.5.1 (each field 32 more than its name and value). On HTTP/2; http.client has limits of
            its own.
        max_response_headers: how many header fields a response may have. None: 1,000 on HTTP/2, and on
            HTTP/1.1 as many as http.client takes, which is 100.
    """

    response_class = HTTP20Response

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        secure: bool = True,
        timeout: float | None = UNSET_TIMEOUT,
        source_address: tuple[str, int] | None = None,
        context: Any = None,
        blocksize: int = 65536,
        max_buffered: int = MAX_BUFFERED,
        deadline: float | None = None,
        keepalive_idle: float | None = KEEPALIVE_IDLE,
        ping_timeout: float = PING_TIMEOUT,
        enable_push: bool = False,
        upgrade: bool = False,
        protocols: Sequence[str] | None = None,
        max_header_list: int = MAX_HEADER_LIST,
        max_response_headers: int | None = None,
        require_close_notify: bool = True,
    ) -> None:
        self.default_port = http_client.HTTPS_PORT if secure else http_client.HTTP_PORT
        if timeout is not UNSET_TIMEOUT:
            timeout = checked_seconds(timeout, "timeout")
        # Not HTTPSConnection's: that would load a context whether one is needed or not.
        stock.HTTPConnection.__init__(self, host, port, timeout, source_address, blocksize)
        self.source_address = source_address
        self.max_response_headers = max_response_headers
        self._secure = secure
        self._context = context
        self.deadline = checked_seconds(deadline, "deadline")
        if upgrade and secure:
            raise ValueError("upgrade=True is for secure=False: with TLS, ALPN chooses the protocol")
        self._upgrade = upgrade
        allowed = checked_protocols(protocols)
        if upgrade and allowed not in (None, BOTH):
            raise ValueError("upgrade=True goes from HTTP/1.1 to HTTP/2: protocols must allow both")
        self._protocols = Protocols(allowed, secure=secure)
        self._options = TransportOptions(
            max_buffered,
            keepalive_idle,
            ping_timeout,
            max_header_list,
            max_response_headers,
            enable_push,
            require_close_notify,
        ).checked()
        self._scheme = b"https" if secure else b"http"
        self._named = self.host, self.port, authority(self.host, self.port, self.default_port)
        self._dialling = threading.RLock()
        # -- guarded by _dialling --
        self._transport: Transport[Any] | None = None
        self._draining: list[Transport[Any]] = []
        self._next_id = 1
        self._lock = threading.Lock()
        # -- guarded by _lock --
        self._pending: dict[int, Exchange] = {}  # requests with an untaken response, in order
        self._sending: weakref.WeakValueDictionary[int, Exchange] = weakref.WeakValueDictionary()
        watch(self)

    # -- responses --------------------------------------------------------------------------------

    def getresponse(self, stream_id: int | None = None) -> HTTP20Response:
        """Return the response to a request, when its header block has arrived.

        Args:
            stream_id: what `request()` returned; by default that of the oldest request of this
                thread whose response was not yet taken.

        Raises:
            http.client.ResponseNotReady: there is no such request, or its response was taken.
            RequestTimeout: nothing came within the timeout. On HTTP/2, silence before this call counts too:
                the time in which a wait for another response brought nothing, if nothing has moved since.
            HTTP2Error: the connection or the stream failed.
            Whatever is raised, the request is over: it is cancelled, and its id is spent.
        """
        pending = self._take(stream_id)
        try:
            response: HTTP20Response = self._answered(pending).make_response(self.response_class)
            if response.sock is not None:  # as with http.client, which goes on to use it
                self.sock = self._switched = response.sock
            return response
        except BaseException as error:
            self._cancel(pending)
            for_all_tries(error, doubtful=pending.doubtful)
            raise

    def as_ready(self, ids: Iterable[int] | None = None, timeout: float | None = None) -> Iterator[int]:
        """Yield stream ids as their responses' header blocks, or their failures, arrive.

        `getresponse(id)` then returns the one or raises the other, without waiting. An id whose request is
        cancelled meanwhile, or whose response is taken, by this thread or another, is not yielded.

        Args:
            ids: which; by default all requests of this thread whose responses were not yet taken.
            timeout: seconds for all of them together, in the place of the requests' own timeouts; 0: those
                that are there now.  None: a request fails if nothing comes within its own timeout.  Its
                deadline holds in any case.  A request that must be sent again on a new connection stays
                pending if connecting takes longer: each call begins to connect anew, and `getresponse()`
                waits for it.

        Raises:
            http.client.ResponseNotReady: one of the ids is unknown, or its response was taken.
            RequestTimeout: the time was over before all had arrived.
        """
        waiting = self._pending_among(None if ids is None else [*ids])  # the caller's code: without a lock
        timeout = checked_seconds(timeout, "timeout")
        deadline = deadline_after(timeout)
        # When the wait for the next one began, if the requests' own timeouts count.
        since = time.monotonic() if timeout is None else math.inf
        over = False  # and what had come by then was looked at
        while waiting:
            gone = [key for key, item in waiting.items() if self._pending.get(key) is not item]
            for key in gone:
                del waiting[key]
            ready = [key for key, item in waiting.items() if self._is_ready(item, since, deadline)]
            for key in ready:
                item = waiting.pop(key)
                if self._pending.get(key) is item:  # the caller may have cancelled it since the last one
                    yield key
            if ready or gone:
                since, over = max(since, time.monotonic()), False
                continue
            if over:
                raise RequestTimeout(f"{len(waiting)} responses did not come within {timeout:g} s")
            left = remaining(deadline)
            self._wait_for_one(waiting.values(), since, left)
            over = left == 0

    def _pending_among(self, ids: list[int] | None) -> dict[int, Exchange]:
        """Return the pending requests with these ids; None: all of this thread."""
        me = threading.get_ident()
        with self._lock:
            if ids is None:
                return {key: item for key, item in self._pending.items() if item.thread == me}
            found = {}
            for stream_id in ids:
                if stream_id not in self._pending:
                    raise unknown(stream_id)
                found[stream_id] = self._pending[stream_id]
            return found

    def prioritize(self, stream_id: int, priority: Priority) -> None:
        """Change how urgent a response is (RFC 9218 section 7), while it is awaited or read.

        It goes in a PRIORITY_UPDATE frame, or in the request itself if that was not sent yet. Over HTTP/1.1,
        and when the response has come, there is nothing to change.

        Args:
            stream_id: what `request()` returned.
            priority: urgency 0, most, to 7, or (urgency, incremental).

        Raises:
            ValueError: no such urgency, or an id that `request()` has not returned.
        """
        value = priority_value(priority)
        if not 0 < stream_id < self._next_id or not stream_id % 2:
            raise ValueError(f"no request has the id {stream_id!r}")
        for current in (self._transport, *self._draining):
            if current is not None:
                current.prioritize(stream_id, value)

    def ping(self, timeout: float | None = None) -> float:
        """Send PING (RFC 9113 section 6.7) and wait for the answer; returns the round trip in seconds.

        Args:
            timeout: seconds to wait; by default the connection's own.

        Raises:
            http.client.NotConnected: there is no open HTTP/2 connection.
            RequestTimeout: no answer came.
        """
        current = self._transport
        if current is None or current.closed:
            raise http_client.NotConnected("PING needs an open HTTP/2 connection")
        return current.ping(current.timeout if timeout is None else checked_seconds(timeout, "timeout"))

    def _answered(self, pending: Exchange) -> Exchange:
        """Wait for a response's head, and send the request again where that is safe; return what has it."""
        while True:
            exchange = standing(pending)
            transport = exchange.transport
            if transport is None:  # another thread is sending it again
                self._while_dialling(end_of_step(exchange.request), lambda: None)
                continue
            try:
                if transport.wait_head(exchange):
                    return exchange
            except HTTP2Error as error:
                if transport.tries_again or not self._replay(transport, exchange, error):
                    raise

    def _is_ready(self, pending: Exchange, since: float, until: float | None) -> bool:
        """Tell whether `getresponse()` would not wait; sends the request again where that is safe.

        If that takes longer than `until`, a monotonic time, the request is not ready yet, and has not failed.
        """
        exchange = standing(pending)
        transport, error = exchange.transport, exchange.error
        if transport is None:
            return False
        if not exchange.settled:
            return transport.expire(exchange, since)
        if error is None or transport.tries_again:
            return True
        own = end_of_step(exchange.request)
        try:
            return not self._replay(transport, exchange, error, until)
        except (http_client.HTTPException, OSError) as failure:
            is_early = isinstance(failure, TimeoutError) and remaining(until) == 0
            # Otherwise the failure is the stream's, for getresponse to raise.
            return not is_early or (own is not None and until is not None and own <= until)

    def _wait_for_one(self, waiting: Iterable[Exchange], since: float, timeout: float | None) -> None:
        """Wait for one of these requests, `timeout` seconds at most, or until the time of one is over."""
        by_transport: dict[Transport[Any], list[Exchange]] = {}
        by = end = deadline_after(timeout)
        for item in map(standing, waiting):
            end = soonest(end, item.request.deadline)
            if item.transport is not None:
                by_transport.setdefault(item.transport, []).append(item)
                end = soonest(end, item.transport.due(item, since))
        if not by_transport:  # another thread is sending them again
            with contextlib.suppress(RequestTimeout):
                self._while_dialling(soonest(deadline_after(LOOK), end), lambda: None)
            return
        # One drains and its successor is in use: each in turn, for a moment.
        turn = LOOK if len(by_transport) == 1 else TURN / len(by_transport)
        left = remaining(end)
        for transport, items in by_transport.items():
            transport.wait_any(items, soonest(turn, left), by)

    # -- replay -----------------------------------------------------------------------------------

    def _replay(
        self, transport: Transport[Any], stream: Any, error: BaseException, until: float | None = None
    ) -> bool:
        """Send again what the server has provably not processed; false if that cannot be done.

        All others that met the same fate go with it: they were sent side by side, and are so again.

        Args:
            transport: on which it has failed.
            stream: the one that is waited for.
            error: with which it has failed.
            until: the monotonic time at which this thread is to go on with something else.

        Raises:
            TimeoutError: that was too early, and the stream is as it was; or another limit is over.
            HTTPException, OSError: it cannot be sent.
        """
        if not self._may_replay(stream):
            return False
        pause(stream, until)
        by = soonest(end_of_step(stream.request), until)
        batch = self._while_dialling(by, lambda: self._send_again(transport, stream, error, by))
        for one in batch or ():
            if until is None and one.transport is not None:  # or else the thread that waits sends the rest
                one.transport.settle(one)
        return batch is not None

    def _send_again(
        self, transport: Transport[Any], stream: Any, error: BaseException, by: float | None
    ) -> list[Any] | None:
        """Return what was sent again: a stream, and those beside it; None if no thread wants it any more."""
        if stream.transport is not transport or stream.error is not error:
            return []  # another thread has done it
        with self._lock:
            others = [item for item in self._pending.values() if item is not stream]
        batch: list[Any] = [stream, *(other for other in others if other.transport is transport)]
        current = self._usable_transport(by)
        batch = [one for one in batch if self._may_replay(one)]
        if stream.given_up:  # while this thread was connecting
            return None
        try:
            for one in batch:
                begin_again(one)
            self._submit(current, batch, by)
        except BaseException as failure:
            for one in batch:
                if one.heir is not None and one.heir.transport is None:
                    one.heir = None
                if one.transport is None and one.heir is None:  # no transport has it
                    one.transport, one.error = transport, error.for_stream(one.stream_id, retry_safe=True)
                    one.error.__cause__ = failure
            raise
        for one in batch:
            if one.given_up:  # by a thread that has found it on no transport
                self._cancel(one)
        return batch

    def _may_replay(self, stream: Any) -> bool:
        return bool(self.auto_open) and may_replay(stream)

    # -- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connection; the next request opens it again.

        Requests whose responses were not taken are cancelled; requests begun with `putrequest()` are
        dropped.  A response that was taken can be read to its end, and the last one closes the socket.  The
        socket of the latest 101 is closed at once.
        """
        with self._dialling, self._lock:
            vars(self).pop("_drafts", None)
            self._retire()
            for mux in self._draining:
                mux.close()
            if self._beside is not None:
                self._beside.close()
            if self._switched is not None:
                self._switched.close()
            self._beside = self._switched = None
            for item in self._pending.values():  # what was answered, but not taken
                self._cancel(item)
            self._pending.clear()
            super().close()

    def __del__(self) -> None:
        """Have a connection in HTTP/1.1 that its caller drops close at once, and not when it is collected."""
        for transport in (vars(self).get("_transport"), self._beside):  # or else __init__ was interrupted
            if transport is not None:
                transport.abandon_all()

    def after_fork(self) -> None:
        """In the child: the transports are the parent's, and the next request connects anew."""
        self._dialling = threading.RLock()
        self._lock = threading.Lock()
        self.sock = None  # to shut it down would end the parent's connection

    def __enter__(self) -> "HTTP20Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        origin = f"{type(self).__name__} {self._authority.decode()}"
        current = self._transport
        if current is None or current.closed:
            return f"<{origin}, closed, {len(self._pending)} untaken>"
        protocol = "HTTP/2" if current.protocol == H2 else "HTTP/1.1"
        under_way, queued = current.counts
        return f"<{origin}, {protocol}, {under_way} streams, {queued} queued, {len(self._pending)} untaken>"
