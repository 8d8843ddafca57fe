"""The streams of an HTTP/2 connection: where each of them stands, and all that is sent on them."""

import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from h2.connection import H2Connection
from h2.errors import ErrorCodes
from hpack import NeverIndexedHeaderTuple

from hyperlite.testing.exchange import Exchange, PlainHandler
from hyperlite.testing.messages import Headers, Request, Response, is_bodiless


@dataclass(eq=False, slots=True)
class Stream:
    """A request that has been taken, and its response; for the connection's thread alone."""

    id: int
    request: Request
    handler: PlainHandler | None = None
    """What will answer it, if the handler is a plain one."""
    received: list[bytes] = field(default_factory=list)
    """The body so far, for that handler."""

    exchange: "Http2Exchange | None" = None
    """What the handler works on, if it is a streaming one."""
    owed: int = 0
    """How many bytes have been received for the exchange and not yet credited to the client."""
    complete: bool = False
    """Whether the whole request has arrived."""

    chunk: bytes | memoryview = b""
    """What to send next."""
    source: Iterator[bytes] | None = None
    """Where the chunks after it come from."""
    last: bool = False
    """Whether nothing but the trailers comes after the chunk and the source."""
    trailers: Headers = ()
    ended: bool = False
    """Whether the response has been sent to its end."""
    abandoned: bool = False
    """Whether the streaming handler has returned."""


class Streams:
    """The streams that are not over yet. h2 collects the frames; to send them is the connection's affair."""

    def __init__(self, h2: H2Connection) -> None:
        """Take the connection's protocol state."""
        self._h2 = h2
        self._open: dict[int, Stream] = {}
        self._ready: deque[Stream] = deque()  # Those with something to send, the next in front.
        self._blocked: dict[int, Stream] = {}  # Those with something to send and no window for it.

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, stream: Stream) -> bool:
        return stream.id in self._open

    @property
    def ready(self) -> bool:
        """Whether `pump` has something to send."""
        return bool(self._ready)

    def add(self, stream: Stream) -> None:
        """Take on a stream."""
        self._open[stream.id] = stream

    def get(self, number: int) -> Stream | None:
        """Return the stream with this number; None when it is over, or was never taken."""
        return self._open.get(number)

    def lose_above(self, number: int) -> None:
        """Drop the streams with higher numbers than this."""
        for stream in list(self._open.values()):
            if stream.id > number:
                self.lose(stream)

    def perform(self, action: Callable[..., None], stream: Stream, *arguments: object) -> None:
        """Call one of the methods below for a stream, unless it is over by now."""
        if stream in self:
            action(stream, *arguments)

    def inform(self, stream: Stream, status: int, headers: Headers) -> None:
        """Send an informational response."""
        self._h2.send_headers(stream.id, _fields(headers, status))

    def respond(self, stream: Stream, response: Response) -> None:
        """Send a response, as `pump` is called."""
        body = response.body
        if is_bodiless(stream.request.method, response.status):
            body, stream.trailers = b"", ()
        else:
            stream.trailers = response.trailers
        empty = body == b"" and not stream.trailers
        self._h2.send_headers(
            stream.id, _fields(response.lengthy_headers(), response.status), end_stream=empty
        )
        if empty:
            self._ended(stream)
            return
        if isinstance(body, bytes):
            stream.chunk = body
        else:
            stream.source = filter(None, body)  # An empty chunk is no reason to send a frame.
        stream.last = True
        self._ready.append(stream)

    def start(self, stream: Stream, status: int, headers: Headers) -> None:
        """Start a response whose body is written, piece by piece."""
        self._h2.send_headers(stream.id, _fields(headers, status))

    def write(self, stream: Stream, data: bytes) -> None:
        """Send a piece, as `pump` is called; its exchange is told when it has been sent."""
        stream.chunk = data
        self._ready.append(stream)

    def end(self, stream: Stream, trailers: Headers) -> None:
        """End a response whose body was written."""
        stream.last = True
        stream.trailers = trailers
        self._ready.append(stream)

    def complete(self, stream: Stream) -> None:
        """Note that the whole request has arrived."""
        stream.complete = True
        if stream.exchange is not None:
            stream.exchange.complete()
        if stream.ended:
            self._over(stream)

    def abandon(self, stream: Stream) -> None:
        """Note that the streaming handler has returned, so that the rest of the request stays unread."""
        stream.abandoned = True
        if stream.ended:
            self.reset(stream, ErrorCodes.NO_ERROR)

    def credit(self, stream: Stream, size: int) -> None:
        """Let the client send this many bytes more."""
        stream.owed -= size
        self._h2.acknowledge_received_data(size, stream.id)

    def remind(self) -> None:
        """Let the client send as many bytes as the windows allow by now."""
        for number in self._open:
            self._h2.acknowledge_received_data(0, number)

    def reset(self, stream: Stream, error_code: int) -> None:
        """Break a stream off."""
        self._h2.reset_stream(stream.id, error_code)
        self.lose(stream)

    def lose(self, stream: Stream) -> None:
        """Drop a stream that has been broken off, or that will never be answered."""
        self._over(stream)
        if stream.exchange is not None:
            stream.exchange.lose()

    def unblock(self, number: int) -> None:
        """Note that a stream may have more window than before; or any stream if the number is 0."""
        if number:
            if stream := self._blocked.pop(number, None):
                self._ready.append(stream)
        else:
            self._ready.extend(self._blocked.values())
            self._blocked.clear()

    def pump(self, budget: int) -> None:
        """Send what flow control allows, a frame of each stream in turn, up to about `budget` bytes."""
        while self._ready and budget > 0:
            stream = self._ready.popleft()
            if stream in self:
                budget -= self._send(stream)

    def _send(self, stream: Stream) -> int:
        """Send a frame and return how many bytes of the body it had."""
        if not stream.chunk and stream.source is not None and not self._pull(stream):
            return 0
        if not stream.chunk:
            self._send_nothing(stream)
            return 0
        room = min(self._h2.local_flow_control_window(stream.id), self._h2.max_outbound_frame_size)
        if room <= 0:
            self._blocked[stream.id] = stream
            return 0
        chunk, stream.chunk = stream.chunk, b""
        size = len(chunk)
        if size > room:
            chunk = memoryview(chunk)
            chunk, stream.chunk = chunk[:room], chunk[room:]
            size = room
        ends = stream.last and not stream.chunk and stream.source is None and not stream.trailers
        self._h2.send_data(stream.id, chunk, end_stream=ends)
        if ends:
            self._ended(stream)
        else:
            self._ready.append(stream)
        return size

    def _send_nothing(self, stream: Stream) -> None:
        """Go on with a stream whose chunks have all been sent."""
        if not stream.last:
            if stream.exchange is not None:
                stream.exchange.drained()
        elif stream.trailers:
            self._h2.send_headers(stream.id, _fields(stream.trailers), end_stream=True)
            self._ended(stream)
        else:
            self._h2.end_stream(stream.id)
            self._ended(stream)

    def _pull(self, stream: Stream) -> bool:
        """Get the next chunk, or drop the source at its end; return False if it has failed instead."""
        assert stream.source is not None
        try:
            stream.chunk = next(stream.source, b"")
        except Exception:
            traceback.print_exc()
            self.reset(stream, ErrorCodes.INTERNAL_ERROR)
            return False
        if not stream.chunk:
            stream.source = None
        return True

    def _ended(self, stream: Stream) -> None:
        stream.ended = True
        if stream.complete:
            self._over(stream)
        elif stream.abandoned:
            self.reset(stream, ErrorCodes.NO_ERROR)

    def _over(self, stream: Stream) -> None:
        del self._open[stream.id]
        self._blocked.pop(stream.id, None)
        # The client is to have back what it has spent of the connection's window, read or not.
        self._h2.acknowledge_received_data(stream.owed, stream.id)


class Http2Exchange(Exchange):
    """The handler's end of a stream. The connection's thread calls the methods that are public here."""

    def __init__(
        self,
        stream: Stream,
        streams: Streams,
        delay: float,
        post: Callable[[Callable[[], None]], None],
        goaway: Callable[[int], None],
        disconnect: Callable[[], None],
    ) -> None:
        """Take the stream, how to call something in the connection's thread, and what to call there."""
        super().__init__(stream.request, delay)
        self._send_goaway = goaway
        self._break_off = disconnect
        self._stream = stream
        self._streams = streams
        self._post = post
        self._changed = threading.Condition()
        self._arrived = bytearray()
        self._complete = False
        self._sending = False

    def arrive(self, data: bytes) -> None:
        """Add to the body."""
        with self._changed:
            self._arrived += data
            self._changed.notify_all()

    def complete(self) -> None:
        """Note that the body and the trailers are there."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()

    def drained(self) -> None:
        """Note that what was written has been sent."""
        with self._changed:
            self._sending = False
            self._changed.notify_all()

    def lose(self) -> None:
        """Note that the stream is gone."""
        with self._changed:
            self.dead = True
            self._changed.notify_all()

    def _do(self, action: Callable[..., None], *arguments: object) -> None:
        if self.dead:
            raise ConnectionError("The stream is gone.")
        self._post(partial(self._streams.perform, action, self._stream, *arguments))

    def _wait(self, condition: Callable[[], object], timeout: float | None = None) -> None:
        """Wait for a condition, with the lock held."""
        self._changed.wait_for(lambda: self.dead or condition(), timeout)
        if self.dead:
            raise ConnectionError("The stream is gone.")

    def pause(self, seconds: float | None) -> None:
        """Wait so many seconds; ConnectionError once the stream is gone."""
        with self._changed:
            self._wait(lambda: False, seconds)

    def _read(self, n: int) -> bytes:
        with self._changed:
            self._wait(lambda: self._arrived or self._complete)
            data = bytes(self._arrived[:n])
            del self._arrived[:n]
        if data:
            self._do(self._streams.credit, len(data))
        return data

    def _inform(self, status: int, headers: Headers) -> None:
        self._do(self._streams.inform, status, headers)

    def _start(self, status: int, headers: Headers) -> None:
        self._do(self._streams.start, status, headers)

    def _send(self, data: bytes) -> None:
        self._sending = True
        self._do(self._streams.write, data)
        with self._changed:
            self._wait(lambda: not self._sending)

    def _end(self, trailers: Headers) -> None:
        self._do(self._streams.end, trailers)

    def _reset(self, error_code: int) -> None:
        # The exchange counts as dead from here on, which is no reason not to tell the client.
        self._post(partial(self._streams.perform, self._streams.reset, self._stream, error_code))

    def _goaway(self) -> None:
        self._post(partial(self._send_goaway, max(0, self._stream.id - 2)))

    def _disconnect(self) -> None:
        self._post(self._break_off)


def _fields(headers: Headers, status: int | None = None) -> list[tuple[bytes, bytes]]:
    """Encode headers for h2, after a status if there is one."""
    fields: list[tuple[bytes, bytes]] = [] if status is None else [(b":status", b"%d" % status)]
    for name, value in headers:
        field = name.lower().encode("latin-1"), value.encode("latin-1")
        # Lengths vary: in the compression table they would do nothing but make every search longer.
        fields.append(NeverIndexedHeaderTuple(*field) if field[0] == b"content-length" else field)
    return fields
