"""The streams of one HTTP/2 connection: slots, queue, credit.

Nothing here does I/O or waits: the table changes streams and calls the engine, and `socket_io` sends the
engine's frames. All of this runs under the connection's lock.

- A request takes a *slot* when its header block is sent, and gives it back when both sides are done with the
  stream, or one side resets it. The peer says how many slots there are (SETTINGS_MAX_CONCURRENT_STREAMS);
  a request that finds none free waits in the queue.
- A body that arrives lies in its stream's inbox; its credit is returned as it is read (`unread`).
- A body to be sent is made into frames when the peer's windows and the socket have room for them (`turns`).
"""

import threading
import time
from collections import deque
from collections.abc import Collection, Container

from ..errors import (
    BufferLimitExceeded,
    ConnectionGoingAway,
    ErrorCode,
    HTTP2Error,
    StreamReset,
)
from ..messages.waiters import wake
from .engine import Engine
from .engine.windows import STREAM_WINDOW
from .liveness import Liveness
from .stream import Stream
from .turns import WRITE_AHEAD, Turns
from .unread import Unread
from .writer import Writer

# The most bytes that one recv on a TLS connection returns: one record (RFC 8446 section 5.1).
RECORD = 16 << 10
# The payload of the PING that checks whether the peer is alive; the payloads of `ping()` are numbers.
_SIGN_OF_LIFE = b"alive?\0\0"


class StreamTable:
    """The open streams of a connection, and the requests that wait for a slot.

    Args:
        engine: fresh.
        writer: takes the frames.
        liveness: learns when something is sent.
        unread: counts the unread bytes.

    Attributes:
        engine: `HTTP2Connection.trace` replaces it by one that prints frames, and back.
        turns: the streams with a body still to be sent.
        open: the streams that hold a slot, by wire id.
        queue: the streams that wait for a slot.
        abandoned: streams that finalizers have given up: see `tidy`.
        answered: how many responses have come.
        now: the monotonic time at which the latest bytes came, or requests went.
        draining: the connection takes no further requests and closes with the last stream.
        closed: why the connection is closed; None: it is open.
        busy: the engine is at work. If a thread is interrupted meanwhile, this stays true: half a frame may
            have been made or read, and the connection cannot be used again.
    """

    __slots__ = (
        "_pushed",
        "abandoned",
        "answered",
        "busy",
        "closed",
        "draining",
        "engine",
        "liveness",
        "now",
        "open",
        "queue",
        "turns",
        "unread",
        "writer",
    )

    def __init__(self, engine: Engine, writer: Writer, liveness: Liveness, unread: Unread) -> None:
        self.engine: Engine = engine
        self.writer: Writer = writer
        self.liveness: Liveness = liveness
        self.unread: Unread = unread
        self.turns: Turns = Turns()
        self.open: dict[int, Stream] = {}
        self.queue: deque[Stream] = deque()
        self.abandoned: deque[Stream] = deque()
        self.answered: int = 0
        self.now: float = 0.0
        self.draining: bool = False
        self.closed: HTTP2Error | None = None
        self.busy: bool = False
        self._pushed = 0  # streams in `open` that the server has opened: they take no slot

    @property
    def usable(self) -> bool:
        """Whether further requests may be submitted."""
        return self.closed is None and not self.draining and not self.engine.exhausted

    @property
    def is_over(self) -> bool:
        """Whether nothing is under way on a connection that takes no further requests."""
        return self.draining and not self.open and not self.queue

    # -- from the queue to a slot -----------------------------------------------------------------

    def want(self, streams: Collection[Stream]) -> bool:
        """Take note that a thread waits for these responses, so they start even if much lies unread.

        Returns:
            Whether one was queued, and may have started now.
        """
        queued = [stream for stream in streams if not stream.wire_id and not stream.inbox.wanted]
        for stream in queued:
            stream.inbox.wanted = True
        if queued:
            self.start_queued()
        return bool(queued)

    def start_queued(self) -> None:
        """Start queued requests while slots are free; if too much lies unread, only those waited for."""
        engine, queue = self.engine, self.queue
        if not queue or self.closed is not None:
            return
        free = engine.peer.max_concurrent_streams - len(self.open) + self._pushed
        self.now = now = time.monotonic()
        if free > 0 and self.liveness.is_doubtful(now):  # the PING costs no round trip of its own
            self.ping(_SIGN_OF_LIFE)
            self.liveness.challenge()
        before, is_full = free, self.unread.is_full
        while queue and free > 0 and not engine.exhausted:
            if not is_full:
                self._start(queue.popleft())
            else:
                wanted = next((stream for stream in queue if stream.inbox.wanted), None)
                if wanted is None:
                    break
                queue.remove(wanted)
                self._start(wanted)
            free -= 1
        if free < before:
            self.liveness.request(now)
        if queue and engine.exhausted:
            self.draining = True
            self.refuse_queue(ConnectionGoingAway("the connection's stream numbers are used up"))

    def _start(self, stream: Stream) -> None:
        writer, request, engine = self.writer, stream.request, self.engine
        stream.written_at, stream.inbox.sent_at = writer.written, self.now
        busy, self.busy = self.busy, True  # an interrupt here would leave HPACK's table in doubt
        wire_id = stream.wire_id = engine.open(request.fields, end_stream=request.bare)
        self.open[wire_id] = stream
        if stream.upload is not None:
            self.turns.begin(stream, engine, len(writer.out))
        self.busy = busy

    def add_pushed(self, parent: Stream, pushed: Stream) -> None:
        """Add a stream that the server has opened for a pushed response (RFC 9113 section 8.4)."""
        pushed.transport, pushed.thread, pushed.upload = parent.transport, parent.thread, None
        self.open[pushed.wire_id] = pushed
        self._pushed += 1
        parent.inbox.pushes = parent.inbox.pushes or []
        parent.inbox.pushes.append(pushed)
        wake(parent)

    # -- the end of a stream ----------------------------------------------------------------------

    def complete(self, stream: Stream) -> None:
        """End a stream whose response is complete; the rest of its request is not sent (RFC 9113, 8.1)."""
        stream.inbox.complete = True
        stream.inbox.end_at = self.now
        if stream.upload is not None:
            self.engine.reset(stream.wire_id, ErrorCode.NO_ERROR)
        self.finish(stream)

    def finish(self, stream: Stream) -> None:
        """Free the slot of a stream that has ended on the wire."""
        wire_id = stream.wire_id
        del self.open[wire_id]
        if not wire_id % 2:
            self._pushed -= 1
        if stream.upload is not None:
            self.turns.forget(stream)
        if stream.waiters:
            wake(stream)
        if self.queue:
            self.start_queued()

    def fail(self, stream: Stream) -> None:
        """Free the slot of a failed stream, and drop its pushes if no response is there to take them from."""
        self.finish(stream)
        if not stream.status:
            self.abandoned += stream.inbox.pushes or ()

    def cancel(self, stream: Stream, error: HTTP2Error | None = None) -> bool:
        """Fail a stream if it is open, and tell whether it was; see `HTTP2Connection.cancel`."""
        if stream.table is not self or stream.inbox.complete or stream.error is not None:
            return False
        stream.error = error or _cancelled(stream)
        if stream.wire_id:
            busy, self.busy = self.busy, True
            self.engine.reset(stream.wire_id, ErrorCode.CANCEL)
            self.finish(stream)
            self.busy = busy
        else:
            if stream in self.queue:
                self.queue.remove(stream)
            wake(stream)
        if not stream.status:
            self.abandoned += stream.inbox.pushes or ()  # no caller can take them: there is no response
        return True

    def drop(self, stream: Stream) -> None:
        """Forget a stream that no thread reads any more; see `HTTP2Connection.drop`."""
        if stream.table is not self:
            return
        stream.given_up = True
        self.cancel(stream)
        if stream.inbox.size:
            self.lose(stream)
            self.unread.discard(stream)
        for pushed in stream.inbox.pushes or ():
            self.drop(pushed)
        stream.inbox.pushes = None
        if self.queue:  # unread bytes may have held it up
            self.start_queued()

    def tidy(self) -> None:
        """Drop the streams that finalizers have given up."""
        while self.abandoned:
            self.drop(self.abandoned.popleft())

    def lose(self, stream: Stream) -> None:
        """Take note that bytes of a body are lost: a complete stream counts as failed from now on."""
        if stream.inbox.complete:
            stream.inbox.complete, stream.error = False, _cancelled(stream)

    def refuse_queue(self, error: HTTP2Error) -> None:
        """Fail the queued requests, which never started here and can be sent on another connection."""
        while self.queue:
            stream = self.queue.popleft()
            stream.error = error.for_stream(stream.stream_id, retry_safe=True)
            wake(stream)

    def drain(self, error: HTTP2Error) -> None:
        """Take no further requests, and fail the queued ones with this error."""
        self.draining = True
        self.refuse_queue(error)

    def fail_all(self, error: HTTP2Error, gone: int | None = None, repeat: Container[str] = ()) -> None:
        """Fail every stream.

        Args:
            error: the error.
            gone: how many of the bytes written may have left this machine; None: that does not matter.
            repeat: methods that may be repeated although the server may have processed them.
        """
        streams = list(self.open.values())
        self.open.clear()
        self.turns.senders.clear()
        for stream in streams:
            # The server cannot have processed a request that never left this machine.
            unsent = gone is not None and stream.written_at >= gone
            safe = not stream.answered and (error.retry_safe or unsent)
            if not stream.answered and stream.request.method in repeat:
                stream.tries = stream.tries._replace(repeat=True)
            stream.error = error.for_stream(stream.stream_id, retry_safe=safe)
            stream.upload = None
            wake(stream)
        self.refuse_queue(error)

    # -- credit -----------------------------------------------------------------------------------

    def took(self, stream: Stream, size: int) -> bool:
        """Take note that `size` bytes of a body were read; tell whether there are frames to send now."""
        due = self.unread.take(stream, size)
        credited = False
        if due and not stream.inbox.complete and stream.wire_id in self.open:
            credited = True
            self._credit(stream, due)
        if self.queue:
            self.start_queued()
            return True
        return credited

    def _credit(self, stream: Stream, size: int) -> None:
        if self.engine.window_left(stream.wire_id) < STREAM_WINDOW // 2:
            self.liveness.stir(time.monotonic())  # the peer may have waited for this credit
        busy, self.busy = self.busy, True
        self.engine.credit(stream.wire_id, size)
        self.busy = busy

    def credit_ahead(self, waiting: Collection[Stream]) -> float | None:
        """Give credit for unread bytes if a wait depends on it: see `unread`.

        Returns:
            0: credit was given. Otherwise the seconds of silence to wait before it is given; None: no need.
        """
        unread, streams = self.unread, self.open.values()
        patience = unread.patience(
            waiting, streams, self.engine.window_left, self.answered, self.liveness.quiet
        )
        if patience == 0:
            for stream in streams:
                if size := unread.advance(stream):
                    self._credit(stream, size)
        return patience

    def check_progress(self, waiting: Collection[Stream]) -> None:
        """Raise BufferLimitExceeded if a wait cannot end after `credit_ahead` gave all it may."""
        unread, streams = self.unread, self.open.values()
        if unread.is_deadlocked(waiting, streams, self.engine.window_left, threading.get_ident()):
            raise BufferLimitExceeded(
                f"{unread.total} bytes lie unread on {len(streams)} streams, and no other can go on "
                f"before they are read: read them first, or pass max_buffered above {unread.max_buffered}"
            )

    # -- what is sent and received ----------------------------------------------------------------

    def ping(self, payload: bytes) -> None:
        """Send a PING."""
        busy, self.busy = self.busy, True
        self.engine.ping(payload)
        self.busy = busy

    def produce(self) -> bool:
        """Hand the frames to send to the writer; tell whether there may be more once they are written."""
        writer = self.writer
        more = False
        if self.turns.senders and len(writer.out) < WRITE_AHEAD:
            more = True
            self.turns.feed(self.engine, len(writer.out))
            self.liveness.stir(time.monotonic())
        if fresh := self.engine.take():
            writer.written += len(fresh)
            writer.out += fresh
        return more

    def expected(self, most: int) -> int:
        """Return how many pieces the peer has to send at least, from 1 to `most`.

        Each response takes at least one piece, and a long body takes many.
        """
        under_way = len(self.open) or 1
        if under_way == 1:
            for stream in self.open.values():
                inbox = stream.inbox
                if inbox.length is not None:
                    under_way += (inbox.length - inbox.taken - inbox.size) // RECORD
        return under_way if under_way < most else most


def _cancelled(stream: Stream) -> StreamReset:
    return StreamReset("the request was cancelled", error_code=ErrorCode.CANCEL, stream_id=stream.stream_id)
