"""One HTTP/2 connection as the connection object and the responses see it: requests in, responses out.

It owns its parts. Each part imports only parts that stand below it in this list:

- `uploads`, `downloads`: bodies of requests and of responses;
- `waiting`: how long a thread waits for a stream, and what becomes of the stream then;
- `socket_io`: the socket that threads share, its lock, and its waiting threads;
- `receive`: from the engine's events to the streams;
- `streams`: the table of streams, with `turns`, `unread`, `liveness`, `writer` and the engine.

Any thread may make any call.
"""

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..errors import ConnectionLost, HTTP2Error
from ..messages.exchange import Promise
from ..messages.waiters import Arrivals
from ..net.forking import watch
from ..net.protocols import H2, Protocols
from .body import HTTP2Body
from .downloads import Downloads
from .engine import Engine, with_trace, without_trace
from .liveness import KEEPALIVE_IDLE, PING_TIMEOUT, Liveness
from .push import HTTP20Push
from .receive import Ping, Receiver
from .socket_io import SocketIO
from .stream import Stream
from .streams import StreamTable
from .unread import MAX_BUFFERED, Unread
from .uploads import Uploads
from .waiting import Waiting
from .writer import Writer

T = TypeVar("T")


class HTTP2Connection:
    """One HTTP/2 connection.

    Args:
        sock: connected; no other code uses it from now on.
        engine: fresh; its preface is sent with the first request.
        timeout: seconds that each wait may last, or None.
        max_buffered: bytes of unread bodies to accept beyond the stream windows, where another response
            could not come otherwise.
        keepalive_idle: seconds of silence after which a request brings a PING along; None: never.
        ping_timeout: seconds of waiting within which the peer must then send something.
        protocols: learns it if the peer requires HTTP/1.1; or None.
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
        sock.setblocking(False)
        liveness = Liveness(time.monotonic(), keepalive_idle, ping_timeout)
        self.table: StreamTable = StreamTable(engine, Writer(sock), liveness, Unread(max_buffered))
        self._receiver = Receiver(self.table, protocols)
        self._io = SocketIO(sock, self.table, self._receiver, timeout)
        self._waiting = Waiting(self._io)
        self._uploads = Uploads(self._io, self._waiting)
        self._downloads = Downloads(self._io, self._waiting)
        watch(self)  # last: `after_fork()` needs the attributes above

    def after_fork(self) -> None:
        """In the child: let go of the parent's socket; see net/forking.py."""
        self._io.after_fork()

    # -- state ------------------------------------------------------------------------------------

    @property
    def sock(self) -> socket.socket:
        """The socket."""
        return self._io.sock

    @property
    def session(self) -> Any:
        """The TLS session, for the next connection to resume it, once this one drains or is closed."""
        return self._io.session

    @property
    def timeout(self) -> float | None:
        """Seconds that each wait may last, or None; it can be set."""
        return self._io.timeout

    @timeout.setter
    def timeout(self, timeout: float | None) -> None:
        self._io.timeout = timeout

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self.table.closed is not None

    @property
    def usable(self) -> bool:
        """Whether further requests may be submitted."""
        return self.table.usable

    @property
    def answered(self) -> int:
        """How many responses have come."""
        return self.table.answered

    @property
    def counts(self) -> tuple[int, int]:
        """How many streams hold a slot, and how many wait for one."""
        return len(self.table.open), len(self.table.queue)

    @property
    def stream_limit(self) -> int:
        """How many streams may be open at once: what the peer says, or what is assumed until it has."""
        return self.table.engine.peer.max_concurrent_streams

    def __repr__(self) -> str:
        table, (under_way, queued) = self.table, self.counts
        if table.closed is not None:
            state = f"closed: {table.closed}"
        elif table.draining:
            state = "draining"
        else:
            state = "open" if under_way or queued else "idle"
        return f"<HTTP2Connection {state}, {under_way} streams, {queued} queued>"

    def check(self) -> bool:
        """Tell whether further requests may be submitted; on an idle connection, look whether it has ended.

        Other bytes that have come (TLS session tickets, PING, SETTINGS) are processed.
        """
        io, table = self._io, self.table
        if not table.open:  # or else a thread reads, and sees it
            try:
                with io.lock:
                    if not table.open:
                        io.look()
            finally:
                if table.abandoned or io.detached:  # as Aftermath does, but for two calls: it is hot
                    io.clean_up()
        return table.usable

    def ask(self, question: Callable[[Any], T]) -> T:
        """Ask the socket, or its `Remains`, a question under the lock, so that no other thread uses it."""
        io = self._io
        with io.aftermath, io.lock:
            return question(io.remains or io.sock)

    # -- for a selector that polls many connections -----------------------------------------------

    def fileno(self) -> int:
        """Return the socket's descriptor, or -1."""
        return self._io.sock.fileno()

    def attach(self) -> int | None:
        """Return the descriptor for a selector, or None if the connection is closed.

        The descriptor stays open until `detach()`, so no other socket gets its number meanwhile.
        """
        io = self._io
        with io.aftermath, io.lock:
            if self.table.closed is not None:
                return None
            io.pollers += 1
            return io.sock.fileno()

    def detach(self) -> None:
        """Undo `attach()`. This does not wait, so a finalizer may call it."""
        self._io.detached.append(None)
        self._io.clean_up()

    @property
    def wants_write(self) -> bool:
        """Whether bytes wait until the socket takes them."""
        return bool(self.table.writer.out)

    @property
    def grace(self) -> float | None:
        """Seconds of polling within which the peer must send something; None: no PING asked it to."""
        return self.table.liveness.grace

    def unheard(self, seconds: float) -> None:
        """Take note that a selector has polled the socket for `seconds`, and nothing came."""
        io = self._io
        with io.aftermath, io.lock:
            if self.table.closed is None and self.table.liveness.unheard(seconds):
                io.shut_unresponsive()

    def pump(self, *, receive: bool = True) -> None:
        """Send what the socket takes, and, if `receive`, receive what has come; never wait."""
        self._waiting.pump(receive=receive)

    # -- requests ---------------------------------------------------------------------------------

    def submit(self, streams: Sequence[Stream], *, gather: bool = False) -> bool:
        """Send requests, or queue those for which no slot is free; false if the connection takes no more.

        Bytes that the socket does not take at once are sent in `wait_sent`.

        Args:
            streams: the requests.
            gather: more requests may follow at once. The kernel may hold these back to send all together,
                until a thread waits.
        """
        io, table = self._io, self.table
        try:
            with io.lock:
                if not table.usable:
                    return False
                for stream in streams:
                    stream.transport, stream.answered_before = self, table.answered
                if gather and table.open and not table.writer.corked and not io.leadership.held:
                    table.writer.cork(True)  # other requests are under way, and no thread waits yet
                table.queue.extend(streams)
                table.start_queued()
                io.push()
                return True
        finally:
            if table.abandoned or io.detached:  # as Aftermath does, but for two calls: it is hot
                io.clean_up()

    def adopt(self, stream: Stream) -> None:
        """Take over, as stream 1, the request that was sent on HTTP/1.1 (RFC 7540 section 3.2)."""
        io, table = self._io, self.table
        with io.aftermath, io.lock:
            stream.transport, stream.answered_before = self, table.answered
            stream.wire_id, stream.upload = 1, None
            stream.written_at = -1  # it was sent before anything was written here
            table.open[1] = stream
            io.push()

    def wait_sent(self, stream: Stream) -> None:
        """Wait until a submitted request and its body are written; a queued request is not waited for.

        This sends a body that is a file or an iterable, or that waits for 100 Continue. It stops when the
        peer needs no more of the body.

        Raises:
            RequestTimeout: the peer did not let it be written in time; the stream was reset.
            HTTP2Error: the stream failed in a way that does not allow the request to be sent again.
        """
        table, request = self.table, stream.request
        if table.writer.out or table.turns.senders:
            self._uploads.wait_written(stream, queued=True)
        if request.pieces is not None or request.expects:
            self._uploads.send_body(stream)

    def end(self, stream: Stream) -> None:
        """Send the end of a request that is open, and its trailers.

        Raises:
            http.client.CannotSendRequest: less was sent than was announced. Otherwise as `write`.
        """
        self._uploads.end(stream)

    def write(self, stream: Stream, data: bytes | memoryview, *, last: bool = False) -> bool:
        """Send a piece of a request's body; false if the peer needs no more of it.

        The peer needs no more when the response is complete, or when a refusal has come instead of 100
        Continue. This waits for a slot and for the peer's window, and returns when the piece is written.

        Args:
            stream: the request.
            data: the piece. An empty one is sent only if it is the last.
            last: the piece ends the body.

        Raises:
            http.client.CannotSendRequest: this is more than was announced.
            HTTP2Error: the stream failed; RequestTimeout: the window did not open in time.
        """
        return self._uploads.write(stream, data, last=last)

    # -- responses ---------------------------------------------------------------------------------

    def wait_head(self, stream: Stream) -> bool:
        """Wait for a response's header block; false if the stream was moved to another connection.

        Raises:
            HTTP2Error: the stream failed. RequestTimeout: nothing came in time.
        """
        return stream.status != 0 or self._waiting.wait_head(stream)

    def wait_any(
        self, arrivals: Arrivals[Stream], timeout: float | None, _dial_by: float | None = None
    ) -> None:
        """Wait until the response or the failure of at least one stream is there, or `timeout` is over."""
        self._waiting.wait_any(arrivals, timeout)

    def open_body(self, stream: Stream) -> HTTP2Body:
        """Return the body of a response, as the file that http.client reads from."""
        return HTTP2Body(self, stream)

    def promises(self, stream: Stream, response: Any) -> list[Promise]:
        """Return the pushed responses that were promised with this one and that no caller has taken."""
        pushes = stream.inbox.pushes or []
        return [HTTP20Push(promised, response, pushes) for promised in pushes]

    def read(self, stream: Stream, limit: int) -> bytes:
        """Take up to `limit` bytes of a body, as soon as there are any; b"" at its end.

        Raises:
            HTTP2Error: the stream failed. The bytes that came before the failure are returned first.
        """
        return self._downloads.read(stream, limit)

    def read_rest(self, stream: Stream) -> bytes:
        """Take the rest of a body that has come completely, without waiting.

        Raises:
            HTTP2Error: another thread has given the response up.
        """
        return self._downloads.read_rest(stream)

    def read_into(self, stream: Stream, view: memoryview) -> int:
        """Read into a buffer the bytes of a body that have come; returns their number. Else as `read`."""
        return self._downloads.read_into(stream, view)

    def put_back(self, stream: Stream, data: bytes) -> None:
        """Undo a read: the next read returns these bytes again. The peer keeps the credit for them."""
        self._downloads.put_back(stream, data)

    def cancel(self, stream: Stream, error: HTTP2Error | None = None) -> bool:
        """Reset an open stream: it fails, and its slot is free.

        A stream that is complete or has failed already stays as it is. A reader gets the bytes that came
        before, and then the error.

        Args:
            stream: the stream.
            error: the stream's error; by default a `StreamReset`.

        Returns:
            Whether the stream was open.
        """
        return self._waiting.cancel(stream, error)

    def drop(self, stream: Stream, error: HTTP2Error | None = None) -> None:
        """Give a stream up: no thread will read it or send it again.

        An open stream is cancelled. Unread bytes and promises that no caller has taken are thrown away. If
        a complete stream loses bytes by this, it counts as failed, so that no read hides the loss.

        Args:
            stream: the stream.
            error: a further read of the body raises this, even if the stream was complete.
        """
        io = self._io
        with io.aftermath, io.lock:
            io.check()
            self.table.drop(stream)
            if error is not None:
                stream.inbox.complete, stream.error = False, error
            io.push()
        if self.table.writer.out:
            io.linger()

    def abandon(self, stream: Stream) -> None:
        """Drop a stream from a finalizer, which may run at any moment and must not wait.

        If the lock is taken, the thread that holds it (perhaps this thread) drops the stream afterwards.
        """
        self.table.abandoned.append(stream)
        self._io.clean_up()

    def abandon_all(self) -> None:
        """Do nothing: open streams keep the connection alive, and it closes with the last of them."""

    def due(self, stream: Stream, since: float) -> float | None:
        """Return the monotonic time at which to call `expire`; None: never. For `since` see `expire`."""
        return self._waiting.due(stream, since)

    def expire(self, stream: Stream, since: float) -> bool:
        """Fail a request if its time is over and it has no answer; tell whether it is settled now.

        Args:
            stream: the request, whose response has no header block yet.
            since: the monotonic time from which its timeout counts; infinity: only its deadline counts.
        """
        return self._waiting.expire(stream, since)

    def distrust(self, timeout: float) -> None:
        """After a timeout, drain the connection if it is silent: other requests then use another one."""
        self._waiting.distrust(timeout)

    def timeout_of(self, stream: Stream) -> float | None:
        """Return the seconds that each wait for a stream may last, or None."""
        return self._waiting.timeout_of(stream)

    # -- the connection ---------------------------------------------------------------------------

    def ping(self, timeout: float | None) -> float:
        """Send PING and wait for its acknowledgement; returns the round-trip time in seconds.

        Raises:
            RequestTimeout: none came within `timeout` seconds. HTTP2Error: the connection ended.
        """
        io, table, pings = self._io, self.table, self._receiver.pings
        start = time.monotonic()
        with io.aftermath, io.lock:
            payload = self._receiver.next_ping()
            ping = pings[payload] = Ping()
            if io.check():
                table.ping(payload)
                io.push()

        def attempt() -> float | None:
            if table.closed is not None:
                raise table.closed
            return ping.answered

        try:
            return io.wait(ping, (), attempt, timeout, "the PING was not acknowledged") - start
        finally:
            with io.aftermath, io.lock:
                pings.pop(payload, None)

    def rouse(self) -> None:
        """Send a PING whose answer wakes the leader, so that it looks again at its own exchange."""
        io = self._io
        with io.aftermath, io.lock:
            if io.leadership.held and io.check():
                self.table.ping(self._receiver.next_ping())
                io.push()
        if self.table.writer.out:
            io.linger()

    def prioritize(self, stream_id: int, value: bytes) -> None:
        """Change the priority of a request that is queued or under way on this connection."""
        io, table = self._io, self.table
        with io.aftermath, io.lock:
            for stream in table.queue:
                if stream.stream_id == stream_id:
                    fields = [field for field in stream.request.fields if field[0] != b"priority"]
                    stream.request.fields = [*fields, (b"priority", value)]
            for wire_id, stream in table.open.items():
                if stream.stream_id == stream_id and wire_id % 2 and io.check():
                    table.busy = True
                    table.engine.prioritize(wire_id, value)
                    table.busy = False
            io.push()

    def trace(self, shown: bool) -> None:
        """Print each frame from now on, or no more of them."""
        with self._io.aftermath, self._io.lock:
            engine = self.table.engine
            self.table.engine = with_trace(engine) if shown else without_trace(engine)

    # -- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Fail the requests that have no answer yet, and close when the last response was read."""
        self._end("the connection was closed", answered=False)

    def drain(self) -> None:
        """Take no further requests, and close when the last of those under way is over."""
        with self._io.aftermath, self._io.lock:
            self.table.draining = True
            self._io.keep_session()
            self._io.close_if_over()

    def leave(self) -> None:
        """Close at once and reset no stream, so the server may finish the requests under way."""
        with self._io.aftermath, self._io.lock:
            self._io.check()
            self._io.shut(ConnectionLost("the connection was closed"))

    def shut_down(self) -> None:
        """Close at once: every request under way fails and is not sent again."""
        self._end("the socket was shut down", answered=True)

    def _end(self, reason: str, *, answered: bool) -> None:
        """Take no further requests, and fail those under way; `answered`: also those that have an answer."""
        io, table = self._io, self.table
        with io.aftermath, io.lock:
            io.check()
            table.draining = True
            for stream in [*table.queue, *table.open.values()]:
                # The end of a stream without a body may be still to come, and no thread waits for it.
                if answered or not stream.status or stream.request.method == "HEAD":
                    table.cancel(stream, ConnectionLost(reason, stream_id=stream.stream_id))
            if answered:
                io.shut(ConnectionLost(reason))
            io.push()
