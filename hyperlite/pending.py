"""The requests of a connection object: from the caller's arguments to the transport.

Rule: an id is given out when the request is in a transport's hands; a call that raises has
left nothing under way.
"""

import http.client as http_client
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from .errors import ConnectionGoingAway, RequestTimeout
from .http2.engine import make_upgrading_engine
from .http2.stream import Stream
from .http2.upgrade import asking, switches
from .messages.draft import Drafts
from .messages.exchange import Exchange, Transport
from .messages.fields import Headers, trailer_fields
from .messages.replay import MAX_TRIES
from .messages.request import NO_HEADERS, SAFE_TO_REPEAT, UNSET, Priority, Request, split_body
from .net.timeouts import checked_seconds, deadline_after, end_of_step, remaining, resolve_timeout, soonest
from .transports import DiallingConnection


class RequestingConnection(DiallingConnection):
    """What `HTTP20Connection` does to send; for the arguments see there."""

    deadline: float | None
    _scheme: bytes
    _next_id: int  # guarded by _dialling
    _lock: threading.Lock
    # -- guarded by _lock --
    _pending: dict[int, Exchange]
    _sending: weakref.WeakValueDictionary[int, Exchange]
    # -- made by the first `putrequest()` --
    _drafts: Drafts | None = None

    def request(  # type: ignore[override]  # http.client returns None
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Headers = NO_HEADERS,
        *,
        encode_chunked: bool = False,
        end_stream: bool = True,
        trailers: Headers | None = None,
        priority: Priority | None = None,
        timeout: float | None = UNSET,
        deadline: float | None = None,
    ) -> int:
        """Send a request; returns its stream id, to ask `getresponse` for its response.

        When it returns, the request is sent; or queued, if the server takes no further stream now.  If the
        body is a file or an iterable, it waits until that is sent.  With `Expect: 100-continue` in the
        headers of a request with a body (or with one that `send()` will give), it waits a second for the
        server's 100; if a refusal comes instead, no body is sent.

        Args:
            method, url, body, encode_chunked: as in http.client.
            headers: a mapping as in http.client, or (name, value) pairs, in which a name may be repeated.
            end_stream: false: `send()` gives the body, until `end()`.
            trailers: header fields to be sent behind the body (RFC 9110 section 6.5).
            priority: how urgent the response is (RFC 9218): 0, most, to 7, or (urgency, incremental).
            timeout: seconds that each step of this exchange may last, None for no limit; by default
                the connection's. Connecting is one step; the shorter of the two timeouts holds for it.
            deadline: seconds for all of it, from now to the end of the response's body, however slowly
                the body drips; by default the connection's.

        Raises:
            ValueError, http.client.InvalidURL: something that may not be sent; nothing was.
            http.client.CannotSendRequest: the body has another length than the headers announce; if it is
                in memory, nothing was sent. Or this thread has begun a request with `putrequest()`.
            RequestTimeout: the server did not let it be sent in time.
            HTTP2Error, OSError: connecting failed, or the connection while the body was sent.
        """
        if self._drafts is not None:
            self._drafts.refuse_another()
        request = Request(  # by position: a dict of keywords would cost as much as the rest of the call
            method,
            url,
            body,
            headers,
            self._scheme,
            self._authority,
            self.blocksize,
            encode_chunked,
            end_stream,
            trailers,
            priority,
            timeout if timeout is UNSET else checked_seconds(timeout, "timeout"),
            self._due(deadline),
        )
        return self._send_all([request])[0]

    def request_many(self, requests: Iterable[tuple[Any, ...]]) -> list[int]:
        """Send many requests with one write; returns their stream ids in order.

        Args:
            requests: of each the arguments of `request()`: (method, url), (method, url, body) or
                (method, url, body, headers).  All are checked before the first is sent.

        Raises:
            As `request()`; ValueError for a body that is a file or an iterable.
        """
        if self._drafts is not None:
            self._drafts.refuse_another()
        made, authority = [], self._authority
        for arguments in requests:
            request = self._make_request(authority, *arguments)
            if not request.repeatable:
                raise ValueError(
                    "request_many() takes bytes or str for a body: a file would hold up the others"
                )
            made.append(request)
        return self._send_all(made)

    def _make_request(
        self, authority: bytes, method: str, url: str, body: Any = None, headers: Headers = NO_HEADERS
    ) -> Request:
        request = Request(method, url, body, headers, self._scheme, authority, self.blocksize)
        request.deadline = self._due(None)
        return request

    def _due(self, seconds: float | None) -> float | None:
        """Return when an exchange that begins now must be over."""
        if seconds is None and (seconds := self.deadline) is None:
            return None
        return deadline_after(checked_seconds(seconds, "deadline"))

    def _send_all(self, requests: list[Request]) -> list[int]:
        by = end_of_step(requests[0]) if requests else None
        pending: list[Exchange] = []  # filled before a transport has them: an interrupt must find them
        try:
            self._while_dialling(by, lambda: self._hand_over_all(requests, by, pending))
            self._settle(pending)
            ids = [one.stream_id for one in pending]
        except BaseException:
            with self._lock:  # `close()` goes through them
                for one in pending:  # the caller will never know their ids
                    self._pending.pop(one.stream_id, None)
            for one in pending:
                self._cancel(one)
            raise
        return ids

    def _hand_over_all(self, requests: list[Request], by: float | None, pending: list[Exchange]) -> None:
        """Give requests to the current transport; one that asks for another protocol goes over HTTP/1.1."""
        for request in requests:
            if request.upgrades:
                break
        else:
            self._hand_over(self._usable_transport(by), requests, by, pending)
            return
        self._protocols.insist_on_http1()
        for request in requests:
            transport = self._lane(by) if request.upgrades else self._usable_transport(by)
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
        if self._upgrade_next and _may_ask(current, requests[0]):
            stream_id, self._next_id = self._next_id, self._next_id + 2
            pending.append(self._ask_to_upgrade(current, Stream(stream_id, requests[0])))
            self._expect(pending)
            self._hand_over(self._transport or current, requests[1:], by, pending)
            return
        made: list[Any] = []
        for request in requests:
            made.append(current.exchange_class(self._next_id, request))
            self._next_id += 2
        pending += made
        if not current.submit(made, gather=True):
            self._submit(self._usable_transport(by), made, by)
        self._expect(made)

    def _settle(self, pending: Iterable[Exchange]) -> None:
        """Wait until what has been handed over is sent, or queued."""
        for one in map(standing, pending):
            if one.transport is not None:  # or else another thread is sending it again
                one.transport.settle(one)

    def _ask_to_upgrade(self, lane: Any, stream: Stream, by: float | None = None) -> Exchange:
        """Send a request, and see whether the server goes on in HTTP/2 (RFC 7540 section 3.2).

        Args:
            lane: the current transport; nothing is under way on it.
            stream: the request.
            by: the monotonic time until which to wait, if that is earlier than the request's own.

        Returns:
            What the request is now: the stream, on the HTTP/2 connection that is the current transport; or,
            where the server does not want to, or has not answered in time, an exchange on the lane.
        """
        self._upgrade_next = False
        request = stream.request
        engine, settings = make_upgrading_engine(
            request.fields, trace=self.debuglevel > 0, **self._options.engine
        )
        exchange: Exchange = lane.exchange_class(stream.stream_id, asking(request, settings))
        exchange.thread = stream.thread
        timeout = resolve_timeout(self.timeout if request.timeout is UNSET else request.timeout)
        by = soonest(soonest(deadline_after(timeout), request.deadline), by)
        try:
            lane.submit([exchange])
            lane.settle(exchange)
            if not switches(self.sock, by):
                return exchange
            self._talk_http2(lane.surrender(), engine).adopt(stream)
        except BaseException:
            lane.drop(exchange)  # the next requests would wait for its answer
            if not stream.tries.repeats:  # or else the thread that waits for it sends it again
                self._cancel(stream)
            if lane.closed and self._transport is lane:  # the socket was given up, and nothing has it
                self._transport = self.sock = None
            raise
        return stream

    def _expect(self, pending: Iterable[Exchange]) -> None:
        """Have responses waited for."""
        with self._lock:
            for one in pending:
                self._pending[one.stream_id] = one
                if one.request.open:
                    self._sending[one.stream_id] = one

    def _submit(self, current: Transport[Any], exchanges: Sequence[Exchange], by: float | None) -> None:
        """Hand exchanges to the current transport, or to its successor if that takes no more."""
        for _ in range(MAX_TRIES):
            if self._upgrade_next:
                exchanges = self._submit_by_upgrade(current, exchanges, by)
                current = self._transport or current
            if not exchanges:
                return
            if current.submit([_for_transport(current, one) for one in exchanges], gather=True):
                return
            current = self._usable_transport(by)
        raise ConnectionGoingAway(
            "the server closes each connection before it takes a request", retry_safe=True
        )

    def _submit_by_upgrade(self, lane: Any, streams: Sequence[Any], by: float | None) -> Sequence[Any]:
        """Have one of these requests ask for HTTP/2, and return the others; all, if none of them can ask.

        The request is sent before the protocol of its answer is known, so it must be safe to repeat.

        Raises:
            RequestTimeout: there was no answer by the monotonic time `by`; all are as they were.
        """
        able = [
            one for one in streams if _may_ask(lane, one.request) and one.request.method in SAFE_TO_REPEAT
        ]
        if not able:
            return streams
        stream = able[0]
        try:
            outcome = self._ask_to_upgrade(lane, stream, by)
            if outcome is not stream and remaining(by) == 0:
                self._retire()
                raise RequestTimeout("not sent again in time", stream_id=stream.stream_id)
        except BaseException:
            stream.tries = stream.tries._replace(doubtful=True)
            raise
        if outcome is not stream:
            stream.heir = outcome
        return [one for one in streams if one is not stream]

    def send(self, data: Any, stream_id: int | None = None) -> None:
        """Send a piece of the body of a request that is open.

        A request is open if it was made with `end_stream=False`, or by `endheaders()` with a body to come.

        The call waits for the server's window and returns when the piece is written.  If the server has
        answered completely, or refused instead of 100 Continue, it wants no more of the body: the piece is
        dropped.  Framing completes a request of `endheaders()`; `end()` completes the others.

        Args:
            data: bytes-like, str, a file or an iterable of bytes, as a body in http.client.
            stream_id: what `request()` or `endheaders()` returned; by default the latest open request of this
                thread.

        Raises:
            http.client.CannotSendRequest: there is no such request, or its end was sent; or this is more
                than its content-length has announced; or, without an id, `endheaders()` was not called yet.
            ValueError: these are no chunks, which the headers of `putheader()` have announced; the request
                is as it was before.
            HTTP2Error: the stream failed; RequestTimeout: the window did not open in time.
        """
        exchange, transport = self._find_sending(stream_id)
        request = exchange.request
        body, pieces = split_body(data, self.blocksize)
        for piece in pieces if pieces is not None else (body or b"",):
            for part in request.announced.contents(piece):
                transport.write(exchange, part)
        if request.announced.is_whole and not request.needs_end:
            self._finish(exchange, transport)

    def end(self, stream_id: int | None = None, trailers: Headers | None = None) -> None:
        """Complete an open request: mostly one that was made with `end_stream=False`.

        Args:
            stream_id: what `request()` or `endheaders()` returned; by default the latest open request of this
                thread.
            trailers: header fields to be sent behind the body, besides those given to `request()`.

        Raises:
            ValueError: a trailer field that may not be sent; the request is still open.
            http.client.CannotSendRequest: less was sent than the headers have announced; or, on
                HTTP/1.1, there are trailers beside a content-length. The request is still open.
            Otherwise as `send()`.
        """
        exchange, transport = self._find_sending(stream_id)
        request = exchange.request
        before = request.trailers
        if trailers is not None:
            request.trailers = [*before, *trailer_fields(trailers)]
        try:
            self._finish(exchange, transport)
        except http_client.CannotSendRequest:  # the request is still open, and its end is yet to be told
            request.trailers = before
            raise

    def _finish(self, exchange: Exchange, transport: Transport[Any]) -> None:
        """Send the end of an open request, and its trailers."""
        transport.end(exchange)
        with self._lock:
            self._sending.pop(exchange.stream_id, None)

    def _find_sending(self, stream_id: int | None) -> tuple[Exchange, Transport[Any]]:
        """Return a request whose body is not complete, and the transport that carries it."""
        if stream_id is None and self._drafts is not None:
            self._drafts.refuse_another()
        with self._lock:
            if stream_id is None:
                me = threading.get_ident()
                mine = [pending for pending in self._sending.values() if pending.thread == me]
                found = mine[-1] if mine else None
            else:
                found = self._sending.get(stream_id)
        exchange = None if found is None else standing(found)
        if exchange is None or exchange.transport is None:
            which = "no request of this thread" if stream_id is None else f"no request with id {stream_id!r}"
            raise http_client.CannotSendRequest(f"{which} takes more of a body")
        return exchange, exchange.transport

    def cancel(self, stream_id: int | None = None) -> None:
        """Give up a request whose response was not yet taken: its stream is reset, its id spent.

        A response that was taken is given up by its own `close()`.

        Args:
            stream_id: what `request()` or `endheaders()` returned; None: what this thread has begun with
                `putrequest()` and not sent, if there is such a request.

        Raises:
            http.client.ResponseNotReady: there is no such request, or its response was taken.
        """
        if stream_id is None:
            if self._drafts is not None:
                self._drafts.draft = None
            return
        pending = self._take(stream_id)
        try:
            self._cancel(pending)
        except BaseException:  # interrupted: nothing else knows the request any more
            self._cancel(pending)
            raise

    @staticmethod
    def _cancel(exchange: Exchange) -> None:
        exchange.given_up = True  # first: another thread may be about to send it again
        for one in (exchange, exchange.heir):
            if one is not None and one.transport is not None:
                one.transport.drop(one)

    def _take(self, stream_id: int | None) -> Exchange:
        """Return a pending request; from now on no other thread can have it.

        Where this is interrupted, the request is still pending, or it is cancelled.
        """
        taken: Exchange | None = None
        try:
            with self._lock:
                if stream_id is None:
                    stream_id = self._oldest_locked()
                taken = self._pending.get(stream_id)
                if taken is None:
                    raise unknown(stream_id)
                del self._pending[stream_id]  # no call, which could be interrupted before its result is kept
        except BaseException:
            if taken is not None:
                self._pending.pop(taken.stream_id, None)
                self._cancel(taken)
            raise
        return taken

    def _oldest_locked(self) -> int:
        me = threading.get_ident()
        for stream_id, pending in self._pending.items():
            if pending.thread == me:
                return stream_id
        raise http_client.ResponseNotReady("no request of this thread waits for its response")


def standing(exchange: Exchange) -> Exchange:
    """Return what a request is now: the exchange, or its heir where it goes on over another protocol."""
    return exchange.heir or exchange


def _for_transport(transport: Transport[Any], exchange: Any) -> Any:
    """Return what a transport takes for an exchange: where it speaks another protocol, that is an heir."""
    if isinstance(exchange, transport.exchange_class):
        exchange.heir = None
        return exchange
    exchange.heir = transport.exchange_class(exchange.stream_id, exchange.request)
    exchange.heir.thread = exchange.thread
    return exchange.heir


def unknown(stream_id: int) -> http_client.ResponseNotReady:
    """Return the error for an id that no request has, or whose response was taken."""
    return http_client.ResponseNotReady(f"no request with id {stream_id!r} waits for its response")


def _may_ask(transport: Transport[Any], request: Request) -> bool:
    """Tell whether a request can ask for HTTP/2.

    One with a body cannot: Apache and Jetty do not switch then, and Tomcat refuses a body above 4 KiB. One
    that asks for another protocol cannot, nor one behind others, whose answers would come first.
    """
    return request.bare and not request.upgrades and not any(transport.counts)
