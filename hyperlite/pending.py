"""The requests of a connection object whose responses no thread has taken: from an id to its exchange.

::

    begin() ──> id        queued ──> sent ──> answered          take(id), answered() ──> exchange
                             │         │
                             └─────────┴──> refused by the server, unprocessed: sent again elsewhere

Rule: an id is given out when the request is in a transport's hands; a call that raises has
left nothing under way.
"""

import contextlib
import http.client as http_client
import math
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .as_ready import ReadyWait
from .errors import ConnectionGoingAway, HTTP2Error, RequestTimeout, StreamReset
from .messages.exchange import Exchange, Transport, give_up, standing
from .messages.fields import Field
from .messages.replay import MAX_TRIES, begin_again, may_replay, pause
from .messages.request import SAFE_TO_REPEAT, Request, split_body
from .net.timeouts import deadline_after, end_of_step, remaining, soonest
from .telling import NONE, Observers, Watch
from .transports import Transports, may_ask
from .watching import Beginning, Watched

# Seconds in which `as_ready` looks once at each of several connections.
TURN = 0.02
# Seconds after which `as_ready` looks whether another thread has cancelled its requests: a cancellation wakes
# threads that sleep, but not the one that polls the socket.
LOOK = 0.25


class Pending:
    """The requests that are under way, and which thread waits for which response.

    Ids are 1, 3, 5, … for the life of the connection object. The stream's number on the wire may be another.

    Args:
        transports: of the connection object.
        observers: of the connection object.

    Attributes:
        next_id: the id of the next request; guarded by `transports.dialling`.
        lock: guards what follows.
        requests: those whose response no thread has taken, by id, in order.
        sending: those that are open: their body is not complete.
        watched: tells observers of them.
    """

    def __init__(self, transports: Transports, observers: Observers = NONE) -> None:
        self._transports = transports
        self.watched: Watched = Watched(observers)
        self.next_id: int = 1
        self.lock: threading.Lock = threading.Lock()
        self.requests: dict[int, Exchange] = {}
        self.sending: weakref.WeakValueDictionary[int, Exchange] = weakref.WeakValueDictionary()

    # -- sending ----------------------------------------------------------------------------------

    def begin(self, requests: list[Request]) -> list[int]:
        """Send requests, or queue them, and return their ids."""
        by = end_of_step(requests[0]) if requests else None
        tell = self.watched.tell
        beginning = None if tell is None else Beginning(tell)
        begun: list[Exchange] = []  # filled before a transport has them: an interrupt must find them
        ids: list[int] = []
        try:
            self._transports.while_dialling(by, self._hand_over_all, requests, by, begun)
            for one in begun:
                ids.append(one.stream_id)
                current = one.heir or one
                if current.transport is not None:  # or else another thread is sending it again
                    current.transport.wait_sent(current)
            if beginning is not None:
                self.watched.sent(beginning, begun)
            return ids
        except BaseException as error:
            if beginning is not None:
                beginning.refused(requests, error)
            with self.lock:  # `close()` goes through them
                for one in begun:  # the caller will never know their ids
                    self.requests.pop(one.stream_id, None)
                    self.watched.pending.pop(one.stream_id, None)
            for one in begun:
                give_up(one)
            raise

    def _hand_over_all(self, requests: list[Request], by: float | None, pending: list[Exchange]) -> None:
        """Give requests to the current transport; one that asks for another protocol goes over HTTP/1.1."""
        for request in requests:
            if request.upgrades:
                break
        else:
            self._hand_over(self._transports.usable(by), requests, by, pending)
            return
        self._transports.protocols.insist_on_http1()
        for request in requests:
            transport = self._transports.in_http1(by) if request.upgrades else self._transports.usable(by)
            self._hand_over(transport, [request], by, pending)

    def _hand_over(
        self,
        current: Transport[Any],
        requests: list[Request],
        by: float | None,
        pending: list[Exchange],
    ) -> None:
        """Give requests to a transport, or to its successor, and add to `pending` what they are there."""
        if not requests:
            return
        if self._transports.asks and may_ask(current, requests[0]):
            stream_id, self.next_id = self.next_id, self.next_id + 2
            pending.append(self._transports.ask(stream_id, requests[0]))
            self._expect(pending)
            self._hand_over(self._transports.current or current, requests[1:], by, pending)
            return
        made: list[Any] = []
        for request in requests:
            made.append(current.exchange_class(self.next_id, request))
            self.next_id += 2
        pending += made
        if not current.submit(made, gather=True):
            self._submit(self._transports.usable(by), made, by)
        self._expect(made)

    def _expect(self, pending: Iterable[Exchange]) -> None:
        """Add exchanges to those whose responses can be taken."""
        with self.lock:
            for one in pending:
                self.requests[one.stream_id] = one
                if one.request.open:
                    self.sending[one.stream_id] = one

    def _submit(self, current: Transport[Any], exchanges: Sequence[Exchange], by: float | None) -> None:
        """Hand exchanges to the current transport, or to its successor if that takes no more."""
        for _ in range(MAX_TRIES):
            if self._transports.asks:
                exchanges = self._submit_by_upgrade(current, exchanges, by)
                current = self._transports.current or current
            if not exchanges:
                return
            if current.submit([_for_transport(current, one) for one in exchanges], gather=True):
                return
            current = self._transports.usable(by)
        raise ConnectionGoingAway(
            "the server closes each connection before it takes a request", retry_safe=True
        )

    def _submit_by_upgrade(self, current: Any, exchanges: Sequence[Any], by: float | None) -> Sequence[Any]:
        """Have one of these requests ask for HTTP/2, and return the others; return all if none can ask.

        The request is sent before the protocol of its answer is known, so it must be safe to repeat.

        Raises:
            RequestTimeout: no answer came by the monotonic time `by`; the requests are unchanged.
        """
        able = [
            one for one in exchanges if may_ask(current, one.request) and one.request.method in SAFE_TO_REPEAT
        ]
        if not able:
            return exchanges
        stream = able[0]
        try:
            outcome = self._transports.upgrade(stream, by)
            if outcome is not stream and remaining(by) == 0:
                give_up(outcome)
                self._transports.retire()
                raise RequestTimeout("not sent again in time", stream_id=stream.stream_id)
        except BaseException:
            stream.tries = stream.tries._replace(doubtful=True)
            raise
        if outcome is not stream:
            stream.heir = outcome
        return [one for one in exchanges if one is not stream]

    def _open(self, stream_id: int | None) -> tuple[Exchange, Transport[Any]]:
        """Return a request whose body is not complete, and the transport that carries it."""
        with self.lock:
            if stream_id is None:
                me = threading.get_ident()
                mine = [pending for pending in self.sending.values() if pending.thread == me]
                found = mine[-1] if mine else None
            else:
                found = self.sending.get(stream_id)
        exchange = None if found is None else standing(found)
        if exchange is None or exchange.transport is None:
            which = "no request of this thread" if stream_id is None else f"no request with id {stream_id!r}"
            raise http_client.CannotSendRequest(f"{which} takes more of a body")
        return exchange, exchange.transport

    def send(self, data: Any, stream_id: int | None, blocksize: int) -> None:
        """Send a piece of an open request's body, and the end if the framing shows that this was the last.

        Args:
            data, stream_id: as for `HTTP20Connection.send()`.
            blocksize: bytes of a file to read at a time.
        """
        exchange, transport = self._open(stream_id)
        request = exchange.request
        body, pieces = split_body(data, blocksize)
        for piece in pieces if pieces is not None else (body or b"",):
            for part in request.announced.contents(piece):
                transport.write(exchange, part)
        if request.announced.is_whole and not request.needs_end:
            self._end(exchange, transport)

    def end(self, stream_id: int | None, trailers: Iterable[Field]) -> None:
        """Send the end of an open request; `trailers` are added to those that it has."""
        exchange, transport = self._open(stream_id)
        request = exchange.request
        before = request.trailers
        request.trailers = [*before, *trailers]
        try:
            self._end(exchange, transport)
        except http_client.CannotSendRequest:  # the request is still open, and may be ended again
            request.trailers = before
            raise

    def _end(self, exchange: Exchange, transport: Transport[Any]) -> None:
        transport.end(exchange)
        with self.lock:
            self.sending.pop(exchange.stream_id, None)

    # -- taking -----------------------------------------------------------------------------------

    def take(self, stream_id: int | None) -> Exchange:
        """Return a pending request; from now on no other thread can have it.

        If this is interrupted, the request is either still pending or cancelled.
        """
        taken: Exchange | None = None
        try:
            with self.lock:
                if stream_id is None:
                    stream_id = self._oldest_locked()
                taken = self.requests.get(stream_id)
                if taken is None:
                    raise unknown(stream_id)
                del self.requests[stream_id]  # no call, which could be interrupted before its result is kept
        except BaseException:
            if taken is not None:
                self.requests.pop(taken.stream_id, None)
                give_up(taken)
            raise
        return taken

    def _oldest_locked(self) -> int:
        me = threading.get_ident()
        for stream_id, pending in self.requests.items():
            if pending.thread == me:
                return stream_id
        raise http_client.ResponseNotReady("no request of this thread waits for its response")

    def answered(self, pending: Exchange) -> Exchange:
        """Wait for a response's head; return the exchange that has it. Send it again where that is safe."""
        while True:
            exchange = standing(pending)
            transport = exchange.transport
            if transport is None:  # another thread is sending it again
                self._transports.while_dialling(end_of_step(exchange.request), lambda: None)
                continue
            try:
                if transport.wait_head(exchange):
                    return exchange
            except HTTP2Error as error:
                if transport.tries_again or not self._replay(transport, exchange, error):
                    raise

    def _is_ready(self, pending: Exchange, until: float | None) -> bool:
        """Tell whether `getresponse()` would return or raise at once; send the request again if that is safe.

        If sending takes longer than `until`, a monotonic time, the request is not ready, and has not failed.
        """
        exchange = standing(pending)
        transport, error = exchange.transport, exchange.error
        if transport is None or not exchange.settled:
            return False
        if error is None or transport.tries_again:
            return True
        own = end_of_step(exchange.request)
        try:
            return not self._replay(transport, exchange, error, until)
        except (http_client.HTTPException, OSError) as failure:
            is_early = isinstance(failure, TimeoutError) and remaining(until) == 0
            # Otherwise the failure is the stream's, for getresponse to raise.
            return not is_early or (own is not None and until is not None and own <= until)

    def _wait_for_one(self, awaited: ReadyWait, timeout: float | None) -> None:
        """Wait for one of these requests, `timeout` seconds at most, or until the time of one is over."""
        by = deadline_after(timeout)
        end = soonest(by, awaited.due)
        carriers = awaited.carriers()
        if not carriers:  # another thread is sending them again
            with contextlib.suppress(RequestTimeout):
                self._transports.while_dialling(soonest(deadline_after(LOOK), end), lambda: None)
            return
        # One transport drains and its successor is in use: wait on each in turn, for a moment.
        turn = LOOK if len(carriers) == 1 else TURN / len(carriers)
        left = remaining(end)
        for transport, arrivals in carriers.items():
            transport.wait_any(arrivals, soonest(turn, left), by)

    def as_ready(self, ids: Iterable[int] | None, timeout: float | None) -> Iterator[int]:
        """Yield ids as their responses' heads, or their failures, arrive; see `HTTP20Connection.as_ready`."""
        awaited = ReadyWait(self._among(None if ids is None else [*ids]))  # the caller's code: without a lock
        deadline = deadline_after(timeout)
        # When the wait for the next response began; infinity if the requests' own timeouts do not count.
        since = time.monotonic() if timeout is None else math.inf
        over = False  # the time is over, and all that had come by then is looked at
        items = awaited.all()
        while awaited.requests:
            ready, gone, now = [], False, time.monotonic()
            for item in items:
                if self.requests.get(item.stream_id) is not item:  # it was cancelled, or its response taken
                    gone = True
                elif self._is_ready(item, deadline):
                    ready.append(item)
                else:
                    due = awaited.place(item, since)
                    if due is None or now < due or not _expire(item, since):
                        continue
                    ready.append(item)
                awaited.forget(item)
            for item in ready:
                if self.requests.get(item.stream_id) is item:  # the caller may have cancelled it just now
                    yield item.stream_id
            if ready or gone:
                since = max(since, time.monotonic())
            elif over:
                raise RequestTimeout(f"{len(awaited.requests)} responses did not come within {timeout:g} s")
            left = remaining(deadline)
            if awaited.requests:
                self._wait_for_one(awaited, left)
            over = left == 0
            items = awaited.all() if over else awaited.news()

    def _among(self, ids: list[int] | None) -> dict[int, Exchange]:
        """Return the pending requests with these ids, in their order; None: all of this thread."""
        me = threading.get_ident()
        with self.lock:
            if ids is None:
                return {key: item for key, item in self.requests.items() if item.thread == me}
            for stream_id in ids:
                if stream_id not in self.requests:
                    raise unknown(stream_id)
            return {stream_id: self.requests[stream_id] for stream_id in sorted(ids)}

    # -- replay -----------------------------------------------------------------------------------

    def _replay(
        self, transport: Transport[Any], stream: Any, error: BaseException, until: float | None = None
    ) -> bool:
        """Send again the requests that the server has provably not processed; false if that cannot be done.

        All requests that failed in the same way go together, because they had been sent side by side.

        Args:
            transport: the one on which the stream has failed.
            stream: the request for which this thread waits.
            error: the stream's.
            until: the monotonic time at which this thread stops.

        Raises:
            TimeoutError: `until` has come, and the stream is unchanged; or another time limit is over.
            HTTPException, OSError: the requests cannot be sent.
        """
        if not self._may_replay(stream):
            return False
        pause(stream, until)
        by = soonest(end_of_step(stream.request), until)
        batch = self._transports.while_dialling(by, self._send_again, transport, stream, error, by)
        for one in batch or ():
            if until is None and one.transport is not None:  # otherwise its own waiting thread sends it again
                one.transport.wait_sent(one)
        return batch is not None

    def _send_again(
        self, transport: Transport[Any], stream: Any, error: BaseException, by: float | None
    ) -> list[Any] | None:
        """Return the requests that were sent again; None if no thread wants the first one any more."""
        if stream.transport is not transport or stream.error is not error:
            return []  # another thread has done it
        with self.lock:
            others = [item for item in self.requests.values() if item is not stream]
        batch: list[Any] = [stream, *(other for other in others if other.transport is transport)]
        current = self._transports.usable(by)
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
                give_up(one)
        return batch

    def _may_replay(self, stream: Any) -> bool:
        return self._transports.reopens and may_replay(stream)

    # -- the end ----------------------------------------------------------------------------------

    def cancel(self, stream_id: int) -> None:
        """Give up a request whose response was not yet taken.

        Raises:
            http.client.ResponseNotReady: there is no such request.
        """
        exchange = self.take(stream_id)
        if self.watched.pending:
            self.watched.failed(exchange, StreamReset("the request was cancelled", stream_id=stream_id))
        try:
            give_up(exchange)
        except BaseException:  # interrupted: nothing else knows the request any more
            give_up(exchange)
            raise

    def cancel_all_locked(self) -> list[Watch]:
        """Give up all requests, including those whose responses have come; return what tells of them."""
        for exchange in self.requests.values():
            give_up(exchange)
        self.requests.clear()
        dropped = [*self.watched.pending.values()]
        self.watched.pending.clear()
        return dropped

    def after_fork(self) -> None:
        """In the child: another thread may have had the lock, in the parent."""
        self.lock = threading.Lock()


def _expire(pending: Exchange, since: float) -> bool:
    """Fail a request whose time is over; tell whether it is. For `since` see `Transport.expire`."""
    exchange = standing(pending)
    return exchange.transport is not None and exchange.transport.expire(exchange, since)


def _for_transport(transport: Transport[Any], exchange: Any) -> Any:
    """Return an exchange for this transport: an heir, if the transport speaks another protocol."""
    if isinstance(exchange, transport.exchange_class):
        exchange.heir = None
        return exchange
    exchange.heir = transport.exchange_class(exchange.stream_id, exchange.request)
    exchange.heir.thread = exchange.thread
    return exchange.heir


def unknown(stream_id: int) -> http_client.ResponseNotReady:
    """Return the error for an id that no request has, or whose response was taken."""
    return http_client.ResponseNotReady(f"no request with id {stream_id!r} waits for its response")
