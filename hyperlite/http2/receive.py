"""From the engine's events to the streams and their inboxes.

All of this runs under the connection's lock. Events are applied in the order in which they came.
"""

import struct
import time
from collections.abc import Callable, Container
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
from ..messages.waiters import Waiter, wake
from ..net.protocols import Protocols
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
from .streams import StreamTable

# Bytes of a GOAWAY's debug data that an error message shows.
DEBUG_SHOWN = 200
# Promised responses to one request that no caller has taken, at most. SETTINGS_MAX_CONCURRENT_STREAMS does
# not bound them: a complete one holds no stream.
MAX_UNTAKEN = 100
# After so many refusals in a row, with no answer between them, a connection takes no further requests. One
# or two may be chance: the server was restarted, or has lowered its limit. Node refuses every further stream
# of a connection on which 40 downloads were given up.
MAX_REFUSED = 3
_REFUSALS = frozenset({ErrorCode.REFUSED_STREAM, ErrorCode.ENHANCE_YOUR_CALM})


class Ping:
    """A PING that a thread waits for."""

    stream_id: int | None = None

    def __init__(self) -> None:
        self.answered: float | None = None  # the monotonic time
        self.waiters: tuple[Waiter, ...] = ()


class Refusals:
    """Counts the requests that a server refuses in a row. The connection's lock guards it.

    Requests that were sent together count once.
    """

    __slots__ = ("_answered", "_count", "_written")

    def __init__(self) -> None:
        self._count = 0
        self._answered = 0  # how many responses had come at the last refusal
        self._written = 0  # how many bytes were written at the last refusal

    def note(self, written_at: int, written: int, answered: int) -> bool:
        """Take note of a refusal; tell whether the connection is to take no further requests.

        Args:
            written_at: how many bytes were written before the request.
            written: how many bytes have been written until now.
            answered: how many responses have come on the connection.
        """
        if self._answered != answered:
            self._count, self._answered = 0, answered
        if written_at < self._written and self._count:
            return False
        self._count, self._written = self._count + 1, written
        return self._count >= MAX_REFUSED


class Receiver:
    """Applies the engine's events to the streams. The connection's lock guards it.

    Args:
        table: the streams.
        protocols: learns it if the peer requires HTTP/1.1; or None.

    Attributes:
        pings: the PINGs that the peer has not acknowledged, by payload.
    """

    __slots__ = ("_going_away", "_greeted", "_pinged", "_protocols", "_refusals", "_table", "pings")

    def __init__(self, table: StreamTable, protocols: Protocols | None) -> None:
        self._table = table
        self._protocols = protocols
        self._refusals = Refusals()
        self._greeted = False  # the peer's SETTINGS have come
        self._going_away: GoAwayReceived | None = None
        self._pinged = 0
        self.pings: dict[bytes, Ping] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open and no PING waits for its acknowledgement."""
        return not self._table.open and not self.pings

    def next_ping(self) -> bytes:
        """Return a payload that no other PING of the connection has."""
        self._pinged += 1
        return struct.pack(">Q", self._pinged)

    def receive(self, *pieces: bytes) -> HTTP2Error | None:
        """Apply bytes that came from the socket; return why the connection has failed, or None."""
        table = self._table
        events = table.engine.receive(*pieces)
        if not events:
            return None
        table.now = time.monotonic()
        table.liveness.answered()
        failure = None
        if isinstance(events[-1], ConnectionFailed):
            failure = _failure(events[-1])
            table.drain(failure)  # first: events before the failure must not start queued requests
        for event in events:
            _HANDLERS[type(event)](self, event)
        return failure

    def ended(self, cause: OSError | None) -> tuple[HTTP2Error, Container[str]]:
        """Return what the streams fail with when the socket has ended.

        Returns:
            The error, and the methods that may be repeated although the server may have processed them.
        """
        reason, code = "the server closed the connection", None
        if not (self._greeted or self._table.writer.secure):
            reason += (
                " and said nothing: perhaps the port does not take HTTP/2 in cleartext (but TLS, or HTTP/1.1)"
            )
        if self._going_away is not None and self._going_away.error_code:
            code = self._going_away.error_code
            reason += f": {_going_away_reason(self._going_away)}"
        elif cause is not None:
            reason += f": {cause}"
        required = code == ErrorCode.HTTP_1_1_REQUIRED and self._require_http1()
        # If there are several, the server may have processed all but the one that needs HTTP/1.1.
        alone = sum(wire_id % 2 and not stream.answered for wire_id, stream in self._table.open.items()) == 1
        error = ConnectionLost(reason, error_code=code, retry_safe=required and alone)
        error.__cause__ = cause
        return error, SAFE_TO_REPEAT if required else ()

    def _on_informational(self, event: InformationalReceived) -> None:
        if stream := self._table.open.get(event.wire_id):
            stream.inbox.informational += ((event.status, event.fields),)
            wake(stream)

    def _on_response(self, event: ResponseReceived) -> None:
        if stream := self._table.open.get(event.wire_id):
            stream.inbox.fields = event.fields
            stream.inbox.length = event.length
            stream.inbox.head_at = self._table.now
            stream.status = event.status  # last: `settled` is read without the lock
            self._table.answered += 1
            if event.end_stream:
                self._table.complete(stream)
            elif stream.waiters:
                wake(stream)

    def _on_data(self, event: DataReceived) -> None:
        if stream := self._table.open.get(event.wire_id):
            if event.data:
                stream.inbox.put(event.data)
                self._table.unread.total += len(event.data)
            if event.end_stream:
                self._table.complete(stream)
            elif stream.waiters:
                wake(stream)

    def _on_trailers(self, event: TrailersReceived) -> None:
        if stream := self._table.open.get(event.wire_id):
            stream.inbox.trailers = event.fields
            self._table.complete(stream)

    def _on_push(self, event: PushPromised) -> None:
        table = self._table
        parent = table.open.get(event.wire_id)
        authority = dict(event.fields)[b":authority"]
        too_much = parent and (len(parent.inbox.pushes or ()) >= MAX_UNTAKEN or table.unread.is_full)
        if parent is None or too_much or authority != dict(parent.request.fields)[b":authority"]:
            # No caller will take it; or the server has no authority for it (RFC 9113 section 8.4).
            table.engine.reset(event.promised_id, ErrorCode.REFUSED_STREAM)
            return
        pushed = Stream(event.promised_id, Request.promised(event.fields))
        pushed.wire_id = event.promised_id
        table.add_pushed(parent, pushed)

    def _on_settings(self, _event: SettingsReceived) -> None:
        self._greeted = True
        self._table.start_queued()

    def _on_window(self, _event: WindowOpened) -> None:
        """Do nothing: `push()` follows, and each time it sends pieces of the bodies that have credit."""

    def _on_ping(self, event: PingAcknowledged) -> None:
        if ping := self.pings.get(event.payload):
            ping.answered = time.monotonic()
            wake(ping)

    def _on_connection_failed(self, _event: ConnectionFailed) -> None:
        """Do nothing: `receive` returns the failure, and the connection closes with it."""

    def _on_stream_failed(self, event: StreamFailed) -> None:
        stream = self._table.open.get(event.wire_id)
        if stream is None:
            return
        kind = StreamReset if event.remote else MalformedResponse
        refused = event.remote and event.error_code == ErrorCode.REFUSED_STREAM
        reason = event.reason
        if event.remote and event.error_code == ErrorCode.HTTP_1_1_REQUIRED:
            refused = self._require_http1()
            reason += _in_vain(stream, excluded=not refused)
        stream.error = kind(
            reason,
            error_code=event.error_code,
            stream_id=stream.stream_id,
            retry_safe=refused and not stream.answered,
        )
        if event.remote and event.error_code in _REFUSALS and not stream.status:
            self._refused(stream)
        self._table.fail(stream)

    def _refused(self, stream: Stream) -> None:
        """Take note of a refusal; drain the connection if the server refuses every request on it.

        If an earlier request is still under way, the server only takes few at a time, and the connection
        goes on.
        """
        table = self._table
        if not self._refusals.note(stream.written_at, table.writer.written, table.answered) or table.draining:
            return
        if any(not other.status and other.written_at < stream.written_at for other in table.open.values()):
            return
        reason = "the server refuses every request on this connection"
        table.drain(ConnectionGoingAway(reason, retry_safe=True))

    def _require_http1(self) -> bool:
        """Take note that the peer requires HTTP/1.1; tell whether the caller's protocols allow it.

        If so, this connection takes no further requests. A request that was refused with this code counts as
        not processed, whatever its method, as in curl and in browsers.
        """
        if self._protocols is None or not self._protocols.require_http1():
            return False
        if not self._table.draining:
            reason, code = "the server requires HTTP/1.1", ErrorCode.HTTP_1_1_REQUIRED
            self._table.drain(ConnectionGoingAway(reason, error_code=code, retry_safe=True))
        return True

    def _on_going_away(self, event: GoAwayReceived) -> None:
        table, self._going_away = self._table, event
        table.draining = True
        required = event.error_code == ErrorCode.HTTP_1_1_REQUIRED
        excluded = required and not self._require_http1()
        error = ConnectionGoingAway(
            f"the server is going away: {_going_away_reason(event)}",
            error_code=event.error_code,
            retry_safe=True,
        )
        table.refuse_queue(error)  # first: each slot that gets free would start a queued request
        for wire_id, stream in list(table.open.items()):
            if wire_id % 2 and wire_id > event.last_wire_id:  # pushed streams go on
                # The peer says that it did not process these. An answer that has begun disproves it.
                if stream.answered:
                    table.engine.reset(wire_id, ErrorCode.CANCEL)
                else:  # to Go and h2o it is idle: on RST_STREAM they would end the connection (RFC 9113, 5.1)
                    table.engine.forget(wire_id)
                safe = not (stream.answered or excluded)
                stream.error = error.for_stream(stream.stream_id, retry_safe=safe)
                if required:
                    stream.error.args = (str(error) + _in_vain(stream, excluded=excluded),)
                table.finish(stream)
                table.abandoned += stream.inbox.pushes or ()


_HANDLERS: dict[type[Event], Callable[[Receiver, Any], None]] = {
    ResponseReceived: Receiver._on_response,
    DataReceived: Receiver._on_data,
    PushPromised: Receiver._on_push,
    TrailersReceived: Receiver._on_trailers,
    InformationalReceived: Receiver._on_informational,
    StreamFailed: Receiver._on_stream_failed,
    WindowOpened: Receiver._on_window,
    SettingsReceived: Receiver._on_settings,
    PingAcknowledged: Receiver._on_ping,
    GoAwayReceived: Receiver._on_going_away,
    ConnectionFailed: Receiver._on_connection_failed,
}


def _in_vain(stream: Stream, *, excluded: bool) -> str:
    """Return the reason why a request that the server wants in HTTP/1.1 is not sent again; or "".

    Args:
        stream: the request.
        excluded: the caller's protocols exclude HTTP/1.1.
    """
    if excluded:
        return ": the server requires HTTP/1.1, which the choice of protocols excludes"
    if not stream.request.repeatable:
        return ": the server requires HTTP/1.1, and the body cannot be sent again; the next request uses it"
    return ""


def _failure(event: ConnectionFailed) -> HTTP2Error:
    kind = NotHTTP2 if event.not_http2 else ProtocolError
    return kind(event.reason, error_code=event.error_code)


def _going_away_reason(event: GoAwayReceived) -> str:
    debug = f" ({event.debug[:DEBUG_SHOWN].decode('latin-1')})" if event.debug else ""
    return code_name(event.error_code) + debug
