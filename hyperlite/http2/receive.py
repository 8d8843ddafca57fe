"""What the peer of an HTTP/2 connection does to its streams: from the engine's events to their inboxes.

All of it under the lock, in the order in which it came.
"""

import time
from collections.abc import Callable
from typing import Any

from ..errors import (
    ConnectionGoingAway,
    ConnectionLost,
    ErrorCode,
    HTTP2Error,
    MalformedResponse,
    NotHTTP2,
    ProtocolError,
    StreamReset,
    code_name,
)
from ..messages.request import SAFE_TO_REPEAT, Request
from .engine.events import (
    ConnectionFailed,
    DataReceived,
    Event,
    GoAwayReceived,
    InformationalReceived,
    PingAcknowledged,
    PushPromised,
    ResponseReceived,
    SettingsReceived,
    StreamFailed,
    TrailersReceived,
    WindowOpened,
)
from .stream import Stream
from .streams import Slots

# What of a GOAWAY's debug data goes into an error message.
DEBUG_SHOWN = 200
# Promised responses to one request that wait to be taken: those that are complete take no stream any more.
MAX_UNTAKEN = 100
# Requests that are refused one after the other, without an answer to any, after which a connection takes no
# more of them. One or two are no more than bad luck: the server was restarted, or has lowered its limit.
# Node refuses every further stream of a connection on which 40 downloads were given up, until it is closed.
MAX_REFUSED = 3
_REFUSALS = frozenset({ErrorCode.REFUSED_STREAM, ErrorCode.ENHANCE_YOUR_CALM})


class Arrivals(Slots):
    """The streams of a connection, and what comes for them."""

    def _consume_locked(self, data: bytes) -> None:
        events = self._engine.receive(data)
        if events:
            self._liveness.answered()
        if events and isinstance(events[-1], ConnectionFailed):
            self._draining = True
            self._refuse_queue_locked(_failure(events[-1]))  # nothing may be started by what came before it
        for event in events:
            _HANDLERS[type(event)](self, event)
        self._busy = False  # the engine is whole again
        if self._draining:
            self._close_if_idle_locked()

    def _ended_locked(self, cause: OSError | None) -> None:
        reason, code = "the server closed the connection", None
        if not (self._greeted or self._secure):
            reason += (
                " and said nothing: perhaps the port does not take HTTP/2 in cleartext (but TLS, or HTTP/1.1)"
            )
        if self._going_away is not None and self._going_away.error_code:
            code = self._going_away.error_code
            reason += f": {_going_away_reason(self._going_away)}"
        elif cause is not None:
            reason += f": {cause}"
        required = code == ErrorCode.HTTP_1_1_REQUIRED and self._require_http1_locked()
        # Of several requests the server may have processed all but the one that needs HTTP/1.1.
        alone = sum(wire_id % 2 and not stream.answered for wire_id, stream in self._streams.items()) == 1
        error = ConnectionLost(reason, error_code=code, retry_safe=required and alone)
        error.__cause__ = cause
        self._shut_locked(error, repeat=SAFE_TO_REPEAT if required else ())

    def _on_informational(self, event: InformationalReceived) -> None:
        if stream := self._streams.get(event.wire_id):
            stream.informational += ((event.status, event.fields),)
            self._baton.wake(stream)

    def _on_response(self, event: ResponseReceived) -> None:
        if stream := self._streams.get(event.wire_id):
            stream.response_fields = event.fields
            stream.length = event.length
            stream.status = event.status  # the last: `settled` is asked without the lock
            self.answered += 1
            if event.end_stream:
                self._complete_locked(stream)
            elif stream.waiters:
                self._baton.wake(stream)

    def _on_data(self, event: DataReceived) -> None:
        if stream := self._streams.get(event.wire_id):
            if event.data:
                stream.inbox.put(event.data)
                self._unread.total += len(event.data)
            if event.end_stream:
                self._complete_locked(stream)
            elif stream.waiters:
                self._baton.wake(stream)

    def _on_trailers(self, event: TrailersReceived) -> None:
        if stream := self._streams.get(event.wire_id):
            stream.trailers = event.fields
            self._complete_locked(stream)

    def _on_push(self, event: PushPromised) -> None:
        parent = self._streams.get(event.wire_id)
        authority = dict(event.fields)[b":authority"]
        too_much = parent and (len(parent.pushes or ()) >= MAX_UNTAKEN or self._unread.is_full)
        if parent is None or too_much or authority != dict(parent.request.fields)[b":authority"]:
            # Nobody is interested any more; or it is not the server's to answer (RFC 9113 section 8.4).
            self._engine.reset(event.promised_id, ErrorCode.REFUSED_STREAM)
            return
        pushed = Stream(event.promised_id, Request.promised(event.fields))
        pushed.transport, pushed.wire_id, pushed.sent = parent.transport, event.promised_id, True
        parent.pushes = parent.pushes or []
        pushed.thread, pushed.pushed_to = parent.thread, parent.pushes
        self._streams[event.promised_id] = pushed
        self._pushed += 1
        parent.pushes.append(pushed)
        self._baton.wake(parent)

    def _on_settings(self, _event: SettingsReceived) -> None:
        self._greeted = True
        self._start_queued_locked()

    def _on_window(self, _event: WindowOpened) -> None:
        """Do nothing: bodies are fed with every push, and one follows."""

    def _on_ping(self, event: PingAcknowledged) -> None:
        if ping := self._pings.get(event.payload):
            ping.answered = time.monotonic()
            self._baton.wake(ping)

    def _on_connection_failed(self, event: ConnectionFailed) -> None:
        self._busy = False  # the engine is whole: it has its GOAWAY to send
        self._shut_locked(_failure(event))

    def _on_stream_failed(self, event: StreamFailed) -> None:
        stream = self._streams.get(event.wire_id)
        if stream is None:
            return
        kind = StreamReset if event.remote else MalformedResponse
        refused = event.remote and event.error_code == ErrorCode.REFUSED_STREAM
        reason = event.reason
        if event.remote and event.error_code == ErrorCode.HTTP_1_1_REQUIRED:
            refused = self._require_http1_locked()
            reason += _in_vain(stream, excluded=not refused)
        stream.error = kind(
            reason,
            error_code=event.error_code,
            stream_id=stream.stream_id,
            retry_safe=refused and not stream.answered,
        )
        if event.remote and event.error_code in _REFUSALS and not stream.status:
            self._refused_locked(stream)
        self._finish_locked(stream)
        if not stream.status:
            self._abandoned += stream.pushes or ()  # there is no response from which they could be taken

    def _refused_locked(self, stream: Stream) -> None:
        """Take note of a refusal: a connection on which everything is refused takes no further requests.

        Those that were sent side by side count once. A server that takes a few requests at a time, and
        refuses the rest, has one under way that was sent before.
        """
        if self._refused_since != self.answered:
            self._refused, self._refused_since = 0, self.answered
        if stream.written_at < self._refused_at and self._refused:
            return
        self._refused, self._refused_at = self._refused + 1, self._written
        if self._refused < MAX_REFUSED or self._draining:
            return
        if any(not other.status and other.written_at < stream.written_at for other in self._streams.values()):
            return
        self._draining = True
        self._refuse_queue_locked(
            ConnectionGoingAway("the server refuses every request on this connection", retry_safe=True)
        )

    def _require_http1_locked(self) -> bool:
        """Take note that the peer requires HTTP/1.1; tell whether that may be spoken.

        Then a request that it refuses so counts as not processed, whatever its method, as it does for curl
        and for browsers, and this connection takes no further ones.
        """
        if self._protocols is None or not self._protocols.require_http1():
            return False
        if not self._draining:
            self._draining = True
            reason, code = "the server requires HTTP/1.1", ErrorCode.HTTP_1_1_REQUIRED
            self._refuse_queue_locked(ConnectionGoingAway(reason, error_code=code, retry_safe=True))
        return True

    def _on_going_away(self, event: GoAwayReceived) -> None:
        self._going_away = event
        self._draining = True
        required = event.error_code == ErrorCode.HTTP_1_1_REQUIRED
        excluded = required and not self._require_http1_locked()
        error = ConnectionGoingAway(
            f"the server is going away: {_going_away_reason(event)}",
            error_code=event.error_code,
            retry_safe=True,
        )
        self._refuse_queue_locked(error)  # first: each slot that is given back would have one of them started
        for wire_id, stream in list(self._streams.items()):
            if wire_id % 2 and wire_id > event.last_wire_id:  # those that the server has opened go on
                self._engine.reset(wire_id, ErrorCode.CANCEL)
                # Where an answer has begun to come, that disproves what the peer says here.
                safe = not (stream.answered or excluded)
                stream.error = error.for_stream(stream.stream_id, retry_safe=safe)
                if required:
                    stream.error.args = (str(error) + _in_vain(stream, excluded=excluded),)
                self._finish_locked(stream)
                self._abandoned += stream.pushes or ()


_HANDLERS: dict[type[Event], Callable[[Arrivals, Any], None]] = {
    ResponseReceived: Arrivals._on_response,
    DataReceived: Arrivals._on_data,
    PushPromised: Arrivals._on_push,
    TrailersReceived: Arrivals._on_trailers,
    InformationalReceived: Arrivals._on_informational,
    StreamFailed: Arrivals._on_stream_failed,
    WindowOpened: Arrivals._on_window,
    SettingsReceived: Arrivals._on_settings,
    PingAcknowledged: Arrivals._on_ping,
    GoAwayReceived: Arrivals._on_going_away,
    ConnectionFailed: Arrivals._on_connection_failed,
}


def _in_vain(stream: Stream, *, excluded: bool) -> str:
    """Return why a request that the server wants in HTTP/1.1 is not sent again so; nothing if it may be.

    Args:
        stream: the request.
        excluded: HTTP/1.1 may not be spoken.
    """
    if excluded:
        return ": the server requires HTTP/1.1, which the choice of protocols excludes"
    if not stream.request.repeatable:
        return (
            ": the server requires HTTP/1.1, and the body cannot be sent again; the next request is so sent"
        )
    return ""


def _failure(event: ConnectionFailed) -> HTTP2Error:
    kind = NotHTTP2 if event.not_http2 else ProtocolError
    return kind(event.reason, error_code=event.error_code)


def _going_away_reason(event: GoAwayReceived) -> str:
    debug = f" ({event.debug[:DEBUG_SHOWN].decode('latin-1')})" if event.debug else ""
    return code_name(event.error_code) + debug
