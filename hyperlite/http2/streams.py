"""The streams of one HTTP/2 connection: slots, bodies, credit.

How threads share the socket is `link.py`'s affair, what the peer does to a stream `arrivals.py`'s, and what
callers may ask for `mux.py`'s; this is what goes on between them, all of it under the lock.

- A request takes a *slot* when its header block is sent, and gives it back when both sides are done
  with the stream, or one side resets it.  The peer says how many slots there are
  (SETTINGS_MAX_CONCURRENT_STREAMS); who finds none free waits in `_queue`.
- A body that arrives lies in its stream's inbox; its credit is returned as it is read.
- A body to be sent is made into frames when the peer's windows and the socket have room for them.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Collection, Container

from ..errors import (
    BufferLimitExceeded,
    ConnectionGoingAway,
    ConnectionLost,
    ErrorCode,
    HTTP2Error,
    StreamReset,
)
from ..messages.request import SAFE_TO_REPEAT
from ..net.leader import Awaited, Waiter
from ..net.protocols import Protocols
from .engine import Engine
from .engine.events import GoAwayReceived
from .engine.windows import STREAM_WINDOW
from .liveness import Liveness
from .socket_io import Link
from .stream import Stream
from .unread import Unread

# How much of the requests' bodies is made into frames ahead of the socket.
WRITE_AHEAD = 256 << 10
# A body up to this size goes out with its header block; there are no more of them than slots.
SMALL_BODY = 16 << 10
# The most that one piece from a TLS connection brings (RFC 8446 section 5.1).
RECORD = 16 << 10
# What one stream writes before the next one has its turn.
BODY_TURN = 64 << 10
# The payload of that PING; those of `ping()` are numbers.
_SIGN_OF_LIFE = b"alive?\0\0"


class Ping:
    """A PING whose acknowledgement is waited for."""

    stream_id: int | None = None

    def __init__(self) -> None:
        self.answered: float | None = None  # when
        self.waiters: tuple[Waiter, ...] = ()


class Slots(Link):
    """The streams that are open on a connection, and those that wait to be."""

    def __init__(
        self,
        sock: socket.socket,
        engine: Engine,
        *,
        timeout: float | None,
        max_buffered: int,
        keepalive_idle: float | None,
        ping_timeout: float,
        protocols: Protocols | None,
    ) -> None:
        super().__init__(sock, timeout, Liveness(time.monotonic(), keepalive_idle, ping_timeout))
        self._protocols = protocols
        self._engine = engine
        # -- guarded by _lock --
        self._streams: dict[int, Stream] = {}  # by wire id: those that hold a slot
        self._pushed = 0  # of these, those that the server has opened: they take no slot
        self._queue: deque[Stream] = deque()  # those that wait for one
        self._senders: dict[int, Stream] = {}  # those with a body still to be sent
        self._unread = Unread(max_buffered)
        self._pings: dict[bytes, Ping] = {}  # by payload
        self._pinged = 0
        self.answered = 0  # responses that have come
        self._refused = 0  # requests that were refused one after the other
        self._refused_since = 0  # how many responses had come by then
        self._refused_at = 0  # how many bytes were written by then
        self._greeted = False  # the peer's SETTINGS have come
        self._going_away: GoAwayReceived | None = None
        self._draining = False  # takes no further requests, and closes when the last stream is over

    @property
    def usable(self) -> bool:
        """Whether further requests may be submitted."""
        return self._closed is None and not self._draining and not self._engine.exhausted

    # -- under the lock: streams ------------------------------------------------------------------

    def _want_locked(self, streams: Collection[Stream]) -> None:
        """Take note that these responses are waited for: they start though much lies unread."""
        for stream in streams:
            if not stream.wire_id and not stream.wanted:
                stream.wanted = True
                self._start_queued_locked()
                self._push_locked()

    def _start_queued_locked(self) -> None:
        """Start queued requests while slots are free, and while not too much lies unread already."""
        engine, queue = self._engine, self._queue
        if not queue or self._closed is not None:
            return
        free = engine.max_concurrent_streams - len(self._streams) + self._pushed
        now = time.monotonic()
        if free > 0 and self._liveness.is_doubtful(now):
            self._ask_for_life_locked()
        while queue and free > 0 and not engine.exhausted:
            if not self._unread.is_full:
                self._start_locked(queue.popleft(), now)
            else:
                wanted = next((stream for stream in queue if stream.wanted), None)
                if wanted is None:
                    return
                queue.remove(wanted)
                self._start_locked(wanted, now)
            free -= 1
        if queue and engine.exhausted:
            self._draining = True
            self._refuse_queue_locked(ConnectionGoingAway("the connection's stream numbers are used up"))

    def _ask_for_life_locked(self) -> None:
        """Have a PING go out with the first request after a silence: no round trip of its own, no thread."""
        busy, self._busy = self._busy, True
        self._engine.ping(_SIGN_OF_LIFE)
        self._busy = busy
        self._liveness.challenge()

    def _start_locked(self, stream: Stream, now: float) -> None:
        self._liveness.request(now)
        stream.written_at = self._written
        request = stream.request
        engine = self._engine
        busy, self._busy = self._busy, True  # an interrupt here would leave HPACK in no known state
        stream.sent = request.bare
        wire_id = stream.wire_id = engine.open(request.fields, end_stream=request.bare)
        self._streams[wire_id] = stream
        if stream.outgoing is not None:  # the first piece of a body, which has waited for this
            self._senders[wire_id] = stream
        elif not request.bare and request.pieces is None and (stream.tries.repeats or not request.expects):
            self._send_body_locked(stream, request.body or b"")
        self._busy = busy

    def _send_body_locked(self, stream: Stream, body: bytes) -> None:
        """Send a body that is in memory, behind its header block: at once if it is small."""
        if len(body) <= SMALL_BODY and not stream.request.trailers and len(self._out) < WRITE_AHEAD:
            sent = self._engine.send(stream.wire_id, body, end_stream=True)
            if sent == len(body):
                stream.sent = True
                return
            body = body[sent:]
        stream.outgoing, stream.outgoing_last = memoryview(body), True
        self._senders[stream.wire_id] = stream

    def _taken_locked(self, stream: Stream, size: int) -> None:
        """Take note that so much of a body was read."""
        due = self._unread.take(stream, size)
        if due and not stream.complete and stream.wire_id in self._streams:
            self._credit_locked(stream, due)
            self._push_locked()
        if self._queue:
            self._start_queued_locked()
            self._push_locked()

    def _cancel_locked(self, stream: Stream, error: HTTP2Error | None) -> bool:
        """Fail a stream that is open; tell whether it was. One that is complete, or has failed, stays so."""
        if stream.transport is not self or stream.complete or stream.error is not None:
            return False
        stream.error = error or _cancelled(stream)
        if stream.wire_id:
            busy, self._busy = self._busy, True
            self._engine.reset(stream.wire_id, ErrorCode.CANCEL)
            self._finish_locked(stream)
            self._busy = busy
        else:
            if stream in self._queue:
                self._queue.remove(stream)
            self._baton.wake(stream)
        if not stream.status:
            self._abandoned += stream.pushes or ()  # there is no response from which they could be taken
        self._close_if_idle_locked()
        return True

    def _drop_locked(self, stream: Stream) -> None:
        """Forget a stream that nothing reads any more, and its unread bytes; see `HTTP2Connection.drop`."""
        if stream.transport is not self:
            return
        stream.given_up = True
        self._cancel_locked(stream, None)
        if stream.inbox.size:
            self._lose_locked(stream)
            self._unread.discard(stream)
        for pushed in stream.pushes or ():
            self._drop_locked(pushed)
        stream.pushes = None
        if self._queue:  # what lay unread may have held it up
            self._start_queued_locked()

    def _lose_locked(self, stream: Stream) -> None:
        """Take note that bytes of a body are lost: a stream that was complete is not without them."""
        if stream.complete:
            stream.complete, stream.error = False, _cancelled(stream)

    def _credit_locked(self, stream: Stream, size: int) -> None:
        if self._engine.window_left(stream.wire_id) < STREAM_WINDOW // 2:
            self._liveness.stir(time.monotonic())  # or else the peer could have sent without it, and did not
        busy, self._busy = self._busy, True
        self._engine.credit(stream.wire_id, size)
        self._busy = busy

    def _complete_locked(self, stream: Stream) -> None:
        """End a stream whose response is whole: the rest of its request is of no use (RFC 9113, 8.1)."""
        stream.complete = True
        if not stream.sent:
            self._engine.reset(stream.wire_id, ErrorCode.NO_ERROR)
        self._finish_locked(stream)

    def _finish_locked(self, stream: Stream) -> None:
        """Free the slot of a stream that is over on the wire."""
        wire_id = stream.wire_id
        del self._streams[wire_id]
        if not wire_id % 2:
            self._pushed -= 1
        if not stream.sent:
            self._senders.pop(wire_id, None)
            stream.outgoing = None
            stream.sent = True
        if stream.waiters:
            self._baton.wake(stream)
        if self._queue:
            self._start_queued_locked()

    def _refuse_queue_locked(self, error: HTTP2Error) -> None:
        """Fail what waits for a slot: it can be started no more here, but on another connection."""
        while self._queue:
            stream = self._queue.popleft()
            stream.error = error.for_stream(stream.stream_id, retry_safe=True)
            self._baton.wake(stream)

    def _relieve_locked(self, waiting: Collection[Awaited]) -> float | None:
        """Give credit for unread bytes where a wait depends on it: see `unread`.

        Returns:
            The seconds of silence that are missing for that; None if there is nothing to be done later.

        Raises:
            BufferLimitExceeded: the thread would wait for itself.
        """
        unread, streams, window_left = self._unread, self._streams.values(), self._engine.window_left
        patience = unread.patience(waiting, streams, window_left, self.answered, self._liveness.quiet)
        if patience != 0:
            return patience
        for stream in streams:
            if size := unread.advance(stream):
                self._credit_locked(stream, size)
        self._push_locked()
        if unread.is_deadlocked(waiting, streams, window_left, threading.get_ident()):
            raise BufferLimitExceeded(
                f"{unread.total} bytes lie unread on {len(streams)} streams, and no other can go on "
                f"before they are read: read them first, or pass max_buffered above {unread.max_buffered}"
            )
        return None

    # -- under the lock: the connection -----------------------------------------------------------

    def _tidy_locked(self) -> None:
        while self._abandoned:
            self._drop_locked(self._abandoned.popleft())

    def _produce_locked(self) -> bool:
        more = bool(self._senders) and len(self._out) < WRITE_AHEAD
        if more:
            self._feed_bodies_locked()
        if fresh := self._engine.take():
            self._written += len(fresh)
            self._out += fresh
        return more

    def _feed_bodies_locked(self) -> None:
        """Make frames of the bodies to be sent, each stream in turn."""
        ahead = 0
        for wire_id, stream in list(self._senders.items()):
            if len(self._out) + ahead >= WRITE_AHEAD:
                return
            outgoing = stream.outgoing
            assert outgoing is not None
            turn = outgoing[:BODY_TURN]
            trailers = stream.request.trailers
            last = stream.outgoing_last and len(turn) == len(outgoing)
            sent = self._engine.send(wire_id, turn, end_stream=last and not trailers)
            ahead += sent
            self._liveness.stir(time.monotonic())
            if sent < len(outgoing):
                stream.outgoing = outgoing[sent:]
                if sent:  # the others have their turn first
                    self._senders[wire_id] = self._senders.pop(wire_id)
                continue
            if last and trailers:
                self._engine.trailers(wire_id, trailers)
            stream.outgoing = None
            stream.sent = stream.outgoing_last
            del self._senders[wire_id]
            self._baton.wake(stream)

    def _expected_locked(self, most: int) -> int:
        """Each response takes a piece at the least, and a long body many."""
        under_way = len(self._streams)
        if under_way == 1:
            stream = next(iter(self._streams.values()))
            if stream.length is not None:
                under_way += (stream.length - stream.taken - stream.inbox.size) // RECORD
        return max(1, min(under_way, most))

    def _idle_locked(self) -> bool:
        return not self._streams and not self._pings

    def _paused_locked(self) -> None:
        self._engine.pause()

    def _unresponsive_locked(self) -> None:
        self._shut_locked(
            ConnectionLost(f"no answer to a PING within {self._liveness.ping_timeout:g} s"),
            repeat=SAFE_TO_REPEAT,
        )

    def _shut_locked(self, error: HTTP2Error, repeat: Container[str] = ()) -> None:
        if self._closed is not None:
            return
        self._closed = error
        if not self._busy:
            self._engine.close()
            self._out += self._engine.take()
            self._send_locked()
        self._fail_all_locked(error, self._gone, repeat)
        self._close_socket_locked()

    def _fail_all_locked(
        self, error: HTTP2Error, gone: int | None = None, repeat: Container[str] = ()
    ) -> None:
        """Fail every stream.

        Args:
            error: what is to be raised.
            gone: how many of the bytes written may have left this machine.
            repeat: methods that may be repeated although the server may have processed them.
        """
        streams = list(self._streams.values())
        self._streams.clear()
        self._senders.clear()
        for stream in streams:
            # What never left this machine cannot have been processed.
            unsent = gone is not None and stream.written_at >= gone
            safe = not stream.answered and (error.retry_safe or unsent)
            stream.repeat = not stream.answered and stream.request.method in repeat
            stream.error = error.for_stream(stream.stream_id, retry_safe=safe)
            stream.outgoing = None
            stream.sent = True
            self._baton.wake(stream)
        self._refuse_queue_locked(error)

    def _close_if_idle_locked(self) -> None:
        if self._draining and not self._streams and not self._queue:
            self._shut_locked(ConnectionLost("the connection was closed"))


def _cancelled(stream: Stream) -> StreamReset:
    return StreamReset("the request was cancelled", error_code=ErrorCode.CANCEL, stream_id=stream.stream_id)
