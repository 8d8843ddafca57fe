"""One HTTP/2 connection as the connection object and the responses see it: requests in, responses out.

Every call may be made by any thread.  What happens under the lock is in `slots.py` and
`arrivals.py`, how a call waits in `link.py`.

Lock order: the connection's lock, then `_lock`.
"""

import functools
import socket
import struct
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from ..errors import ConnectionLost, HTTP2Error, RequestTimeout
from ..messages.exchange import Promise
from ..messages.replay import may_repeat
from ..messages.request import EXPECT_WAIT
from ..net.forking import watch
from ..net.protocols import H2, Protocols
from ..net.timeouts import soonest
from .body import HTTP2Body
from .ending import Ending, is_late, is_refused, overdue
from .engine import Engine, with_trace, without_trace
from .liveness import KEEPALIVE_IDLE, PING_TIMEOUT
from .push import HTTP20Push
from .socket_io import LOOKS
from .stream import Stream
from .streams import Ping
from .unread import MAX_BUFFERED

T = TypeVar("T")
Taken = TypeVar("Taken", bytes, int)


class HTTP2Connection(Ending):
    """One HTTP/2 connection.

    Args:
        sock: connected, and not used by anybody else from now on.
        engine: fresh; its preface is sent with the first request.
        timeout: seconds that each wait may last, or None.
        max_buffered: bytes of unread data to take beyond the stream windows where progress needs it.
        keepalive_idle: seconds of silence after which a request brings a PING along; None: never.
        ping_timeout: seconds of waiting in which the peer must then say something.
        protocols: are told if the peer requires HTTP/1.1; None: nothing is.
    """

    protocol = H2
    exchange_class = Stream
    tries_again = False

    def __init__(
        self,
        sock: socket.socket,
        engine: Engine,
        *,
        timeout: float | None = None,
        max_buffered: int = MAX_BUFFERED,
        keepalive_idle: float | None = KEEPALIVE_IDLE,
        ping_timeout: float = PING_TIMEOUT,
        protocols: Protocols | None = None,
    ) -> None:
        super().__init__(
            sock,
            engine,
            timeout=timeout,
            max_buffered=max_buffered,
            keepalive_idle=keepalive_idle,
            ping_timeout=ping_timeout,
            protocols=protocols,
        )
        watch(self)  # the last: in a child that is forked before this there is nothing to be closed

    # -- state ------------------------------------------------------------------------------------

    @property
    def counts(self) -> tuple[int, int]:
        """How many streams hold a slot, and how many wait for one."""
        return len(self._streams), len(self._queue)

    @property
    def stream_limit(self) -> int:
        """How many streams may be open at once: what the peer says, or what is assumed until it has."""
        return self._engine.max_concurrent_streams

    def __repr__(self) -> str:
        if self._closed is not None:
            state = f"closed: {self._closed}"
        elif self._draining:
            state = "draining"
        else:
            state = "open" if self._streams or self._queue else "idle"
        return f"<HTTP2Connection {state}, {len(self._streams)} streams, {len(self._queue)} queued>"

    def check(self) -> bool:
        """Look, before an idle connection is used again, whether the peer has closed it meanwhile.

        Whatever else has come (TLS session tickets, PING, SETTINGS) is dealt with and is no end.
        """
        if not self._streams:  # or else somebody reads, and sees it
            try:
                with self._lock:
                    if not self._streams and not self._baton.held:
                        for _ in range(
                            LOOKS
                        ):  # over TLS one brings one record: GOAWAY may lie behind another
                            if not self._look_locked():
                                break
            finally:
                if self._abandoned or self._detached:  # as Aftermath does, but for two calls: it is hot
                    self._settle()
        return self.usable

    def ask(self, question: Callable[[Any], T]) -> T:
        """Ask the socket something, or what remains of it, while no other thread is inside it."""
        with self._aftermath, self._lock:
            return question(self._remains or self.sock)

    # -- requests ---------------------------------------------------------------------------------

    def submit(self, streams: Sequence[Stream], *, gather: bool = False) -> bool:
        """Send requests, or queue those for which no slot is free; false if this mux takes no more.

        What the socket does not take at once waits for `settle`.

        Args:
            streams: the requests.
            gather: more of them may follow at once: the kernel may wait for those, until somebody waits.
        """
        try:
            with self._lock:
                if not self.usable:
                    return False
                for stream in streams:
                    stream.transport, stream.answered_before = self, self.answered
                if gather and self._streams and not self._corked and not self._baton.held:
                    self._cork_locked(True)  # it is not the first, and no thread waits yet
                self._queue.extend(streams)
                self._start_queued_locked()
                self._push_locked()
                return True
        finally:
            if self._abandoned or self._detached:  # as Aftermath does, but for two calls: it is hot
                self._settle()

    def adopt(self, stream: Stream) -> None:
        """Take over the request on stream 1, which was made on HTTP/1.1 (RFC 7540 section 3.2)."""
        with self._aftermath, self._lock:
            stream.transport, stream.wire_id, stream.sent = self, 1, True
            stream.answered_before = self.answered
            stream.written_at = -1  # it was sent before anything was written here
            self._streams[1] = stream
            self._push_locked()

    def settle(self, stream: Stream) -> None:
        """Wait until a submitted request is written, its body included, if it was started.

        A body that is a file or an iterable, or that the peer is to ask for by 100 Continue, is sent here,
        until the peer has enough of it.

        Raises:
            RequestTimeout: the peer did not let it be written in time; the stream was reset.
            HTTP2Error: the stream failed in a way that does not allow the request to be sent again.
        """
        if self._out or self._senders:
            self._wait_written(stream, queued=True)
        if stream.request.pieces is not None or stream.request.expects:
            self._send_body(stream)

    def _send_body(self, stream: Stream) -> None:
        request = stream.request
        if (
            stream.transport is not self or stream.tries.repeats
        ):  # another thread has sent it again, body and all
            return
        try:
            if request.expects and self._wait_continue(stream):
                request.expects = False
            if request.open or request.expects:
                return
            for piece in request.pieces if request.pieces is not None else (request.body or b"",):
                if not self.write(stream, piece):
                    return
            self.end(stream)
        except HTTP2Error as error:
            if stream.error is not error or not may_repeat(
                stream
            ):  # or else the thread that waits repeats it
                raise

    def end(self, stream: Stream) -> None:
        """Send the end of a request that is open, and its trailers.

        Raises:
            http.client.CannotSendRequest: less was sent than was announced. Otherwise as `write`.
        """
        if not (stream.sent or is_refused(stream)):
            stream.request.check_whole()
        self.write(stream, b"", last=True)

    def write(self, stream: Stream, data: bytes | memoryview, *, last: bool = False) -> bool:
        """Send a piece of a request's body; false if the peer needs no more of it.

        That is where the response is complete, or a refusal has come in the place of 100 Continue. Returns
        when the piece is written: this waits for the peer's window, and for a slot.

        Args:
            stream: which.
            data: the piece. An empty one is sent only if it is the last.
            last: the piece ends the body.

        Raises:
            http.client.CannotSendRequest: this is more than was announced.
            HTTP2Error: the stream failed; RequestTimeout: the window did not open in time.
        """
        if is_refused(stream):
            return False
        stream.request.count(len(data))
        if not (len(data) or last):
            return True

        def attempt() -> bool | None:
            if stream.error is not None:
                raise stream.error
            if stream.sent:
                return False
            if stream.outgoing is not None:  # another thread's piece, which goes first
                if not stream.wire_id:
                    self._want_locked((stream,))
                return None
            if self._corked:
                self._cork_locked(False)
            stream.outgoing, stream.outgoing_last = memoryview(data), last
            if stream.wire_id:
                self._senders[stream.wire_id] = stream
            self._push_locked()
            return True

        with self._aftermath, self._lock:  # mostly there is none
            begun = attempt()
        if begun is None:
            begun = self._wait_for(stream, attempt, "the request could not be sent")
        if not begun:
            return False
        self._wait_written(stream, queued=False)
        return last or not stream.sent

    def _wait_written(self, stream: Stream, *, queued: bool) -> None:
        """Wait until what there is to send on a stream is written; a `queued` one need not be."""
        mark: int | None = None

        def attempt() -> bool | None:
            nonlocal mark
            if stream.transport is not self:  # another thread has sent it again, elsewhere
                return True
            if stream.error is not None and not queued:
                raise stream.error
            if stream.error is not None or stream.complete:
                return True
            if not stream.wire_id:
                if not queued:
                    self._want_locked((stream,))
                return queued or None
            if stream.outgoing is not None:
                return None
            mark = self._written if mark is None else mark
            return True if self._flushed >= mark else None

        try:
            self._wait_for(stream, attempt, "the request could not be sent")
        except BaseException as error:
            self.cancel(stream, error if isinstance(error, HTTP2Error) else None)
            if not (
                stream.complete and isinstance(error, RequestTimeout)
            ):  # or else it was answered just then
                raise

    def _wait_continue(self, stream: Stream) -> bool:
        """Wait until the peer wants the body of a request that expects 100 Continue; false if it does not.

        It need not say so: after a while the body is sent unasked (RFC 9110 section 10.1.1).
        """

        def attempt() -> bool | None:
            if stream.transport is not self:  # another thread has sent it again, body and all
                return False
            if stream.error is not None:
                raise stream.error
            if stream.status:
                return stream.status < 300
            if any(status == 100 for status, _ in stream.informational):
                return True
            self._want_locked((stream,))
            return None

        try:
            return self._wait_for(stream, attempt, "no 100 Continue came", EXPECT_WAIT)
        except RequestTimeout:
            return True

    def _wait_for(
        self,
        stream: Stream,
        attempt: Callable[[], T | None],
        complaint: str,
        limit: float | None = None,
        *,
        shared: bool = False,
    ) -> T:
        """Wait for something to happen on one stream, for as long as its request allows, and `limit`.

        Args:
            stream: that must change.
            attempt: called under the lock; returns None if it is too early.
            complaint: what to say when the time is over.
            limit: seconds, or None.
            shared: what other threads have polled in vain counts too: see `liveness`.
        """
        request = stream.request
        timeout = self.timeout_of(stream)
        timeout = soonest(timeout, limit)
        patience = timeout
        if shared and timeout is not None and stream.wire_id:
            patience = max(0.0, timeout - self._liveness.silence(stream.told))
        if request.deadline is not None:
            left = max(0.0, request.deadline - time.monotonic())
            if patience is None or left < patience:
                timeout = patience = left
        try:
            return self._wait((stream,), attempt, patience, complaint)
        except RequestTimeout as error:
            if limit is None and timeout is not None:
                stream.told = self._liveness.waited
                self.distrust(timeout)
            if is_late(stream):
                late = overdue(stream, complaint)
                self.cancel(stream, late)  # all of it has taken too long, not only this step
                raise late from error
            if patience != timeout:
                complaint = f"{complaint}: nothing has moved on the connection for {timeout:g} s"
                raise RequestTimeout(complaint, stream_id=stream.stream_id) from error
            raise

    def wait_head(self, stream: Stream) -> bool:
        """Wait for a response's header block; false if the stream was moved to another mux meanwhile.

        Raises:
            HTTP2Error: what became of the stream instead; RequestTimeout if nothing did.
        """
        if stream.status:
            return True
        attempt = functools.partial(self._head_locked, stream)
        return self._wait_for(stream, attempt, "no response came", shared=True)

    def _head_locked(self, stream: Stream) -> bool | None:
        if stream.status:
            return True
        if stream.transport is not self:
            return False
        if stream.error is not None:
            raise stream.error
        if not stream.wire_id:
            self._want_locked((stream,))
        return None

    def wait_any(
        self, streams: Collection[Stream], timeout: float | None, _dial_by: float | None = None
    ) -> None:
        """Wait until the response or the failure of at least one stream is there, or `timeout` is over."""

        def attempt() -> bool | None:
            if any(stream.settled or stream.transport is not self for stream in streams):
                return True
            self._want_locked(streams)
            return None

        try:
            self._wait(streams, attempt, timeout, "")
        except RequestTimeout:
            return

    def open_body(self, stream: Stream) -> HTTP2Body:
        """Return the body of a response, as the file that http.client reads from."""
        return HTTP2Body(self, stream)

    def promises(self, stream: Stream, response: Any) -> list[Promise]:
        """Return what the peer has promised to answer unasked, for the caller who has this response."""
        return [HTTP20Push(promised, response) for promised in stream.pushes or ()]

    def read(self, stream: Stream, limit: int) -> bytes:
        """Take up to `limit` bytes of a body, as soon as any are there; b"" at its end.

        Raises:
            HTTP2Error: the stream failed, and what had arrived before was read.
        """

        def take(readable: int) -> bytes:
            if not readable:
                return b""
            size = min(limit, readable)
            self._taken_locked(stream, size)  # first: an interrupt between the two shows that bytes are lost
            return stream.inbox.take(size)

        data = self._read(stream, take)
        if self._out:
            self._linger_after(stream, data)
        return data

    def read_rest(self, stream: Stream) -> bytes:
        """Take what is left of a complete body: there is nothing to wait for.

        Raises:
            HTTP2Error: another thread has given the response up.
        """
        with self._lock:
            if stream.error is not None:
                raise stream.error
            size = stream.inbox.size
            self._taken_locked(stream, size)
            data = stream.inbox.take(size) if size else b""
        if self._abandoned or self._detached:  # as Aftermath does, where nothing else can go wrong: it is hot
            self._settle()
        if self._out:
            self._linger_after(stream, data)
        return data

    def read_into(self, stream: Stream, view: memoryview) -> int:
        """Take as much of a body as is there and fits; 0 at its end. For the rest see `read`."""

        def take(readable: int) -> int:
            size = min(len(view), readable)
            self._taken_locked(stream, size)
            return stream.inbox.take_into(view[:size])

        size = self._read(stream, take)
        if self._out:
            self._linger_after(stream, view[:size])
        return size

    def _linger_after(self, stream: Stream, taken: bytes | memoryview) -> None:
        """Stay until the credit for a read is written; where that is interrupted, the read is undone."""
        try:
            self._linger()
        except BaseException:
            self.put_back(stream, bytes(taken))
            raise

    def _read(self, stream: Stream, take: Callable[[int], Taken]) -> Taken:
        """Take something of a body as soon as any is there, or at its end, when that is nothing."""
        if not stream.complete and stream.error is None and is_late(stream):
            self.pump()  # what has come in time counts
            late = overdue(stream, "the body did not end")
            if self.cancel(stream, late):
                raise late
        with self._aftermath, self._lock:  # mostly it is there already
            taken = self._read_locked(stream, take)
        if taken is None:
            attempt = functools.partial(self._read_locked, stream, take)
            taken = self._wait_for(
                stream,
                attempt,
                "no more of the body came",
                shared=True,
            )
        return taken

    def _read_locked(self, stream: Stream, take: Callable[[int], Taken]) -> Taken | None:
        if (readable := stream.readable) or stream.complete:
            return take(readable)
        if stream.error is not None:  # what had come before it was read
            raise stream.error
        self._engine.grow(stream.wire_id)
        self._push_locked()
        return None

    def put_back(self, stream: Stream, data: bytes) -> None:
        """Undo a read: the bytes are the next to be read again. Their credit stays given."""
        with self._aftermath, self._lock:
            if stream.given_up:  # by another thread meanwhile: these bytes are lost with the rest
                if data:
                    self._lose_locked(stream)
                return
            stream.inbox.put_back(data)
            self._unread.put_back(stream, len(data))

    def ping(self, timeout: float | None) -> float:
        """Send PING and wait for its acknowledgement; returns the round-trip time in seconds.

        Raises:
            RequestTimeout: none came within `timeout` seconds. HTTP2Error: the connection ended.
        """
        start = time.monotonic()
        with self._aftermath, self._lock:
            self._pinged += 1
            ping = self._pings[struct.pack(">Q", self._pinged)] = Ping()
            if self._check_locked():
                self._busy = True
                self._engine.ping(struct.pack(">Q", self._pinged))
                self._busy = False
                self._push_locked()

        def attempt() -> float | None:
            if self._closed is not None:
                raise self._closed
            return ping.answered

        try:
            return self._wait((ping,), attempt, timeout, "the PING was not acknowledged") - start
        finally:
            with self._aftermath, self._lock:
                self._pings = {payload: one for payload, one in self._pings.items() if one is not ping}

    def prioritize(self, stream_id: int, value: bytes) -> None:
        """Change the priority of a request that is under way here, or that waits for a slot."""
        with self._aftermath, self._lock:
            for stream in self._queue:
                if stream.stream_id == stream_id:
                    fields = [field for field in stream.request.fields if field[0] != b"priority"]
                    stream.request.fields = [*fields, (b"priority", value)]
            for wire_id, stream in self._streams.items():
                if stream.stream_id == stream_id and wire_id % 2 and self._check_locked():
                    self._busy = True
                    self._engine.prioritize(wire_id, value)
                    self._busy = False
            self._push_locked()

    def trace(self, shown: bool) -> None:
        """Print each frame from now on, or no more of them."""
        with self._aftermath, self._lock:
            self._engine = with_trace(self._engine) if shown else without_trace(self._engine)

    def close(self) -> None:
        """Give up what was not answered yet, and close when the last response was read."""
        with self._aftermath, self._lock:
            self._draining = True
            for stream in [*self._queue, *self._streams.values()]:
                if not stream.status:
                    error = ConnectionLost("the connection was closed", stream_id=stream.stream_id)
                    self._cancel_locked(stream, error)
            self._push_locked()
            self._close_if_idle_locked()
