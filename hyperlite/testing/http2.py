"""The server's side of an HTTP/2 connection: a loop that owns its state and waits for no stream."""

import heapq
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from hyperlite.testing.exchange import PlainHandler, StreamingHandler
from hyperlite.testing.http2_streams import Http2Exchange, Stream, Streams
from hyperlite.testing.messages import Request, Response
from hyperlite.testing.records import FrameReader
from hyperlite.testing.service import Service
from hyperlite.testing.sockets import Channel, break_off, part

_SETTINGS: dict[SettingCodes | int, int] = {
    SettingCodes.MAX_CONCURRENT_STREAMS: 100,
    SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20,
    SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 16,
}
# So wide that unread uploads, which their streams' windows hold back, do not hold back the others.
_CONNECTION_WINDOW = 1 << 30
# The most to have ready for a socket that takes no more, in bytes.
_BURST = 1 << 18


class Http2Connection:
    """A connection that speaks HTTP/2; `run` serves it in the calling thread.

    Other threads may call `goaway`.
    """

    def __init__(self, sock: socket.socket, service: Service, number: int, received: bytes = b"") -> None:
        """Take a connected socket and what has been read from it already."""
        self._socket = sock
        self._service = service
        self._number = number
        self._received = received
        self._channel = Channel(sock)
        self._sent = FrameReader(number, sent=True)
        self._arrived = FrameReader(number, sent=False)
        self._h2 = _protocol()
        self._streams = Streams(self._h2)
        self._answerable: list[tuple[Stream, PlainHandler]] = []
        self._delayed: list[tuple[float, int, Stream, Response]] = []  # A heap: the first is due next.
        self._posted: deque[Callable[[], None]] = deque()
        self._taken = 0
        self._highest = 0
        self._last: int | None = None  # The last stream that a GOAWAY has promised to look at.
        self._actions: dict[type[events.Event], Callable[..., None]] = {
            events.RequestReceived: self._on_request,
            events.DataReceived: self._on_data,
            events.TrailersReceived: self._on_trailers,
            events.StreamEnded: self._on_end,
            events.StreamReset: self._on_reset,
            events.WindowUpdated: self._on_window,
            events.RemoteSettingsChanged: self._on_settings,
            events.SettingsAcknowledged: self._on_acknowledgement,
            events.ConnectionTerminated: self._on_goaway,
        }

    def goaway(self, last_stream_id: int | None = None) -> None:
        """Finish what has been taken, up to this stream, and close; any thread may ask for it.

        The default is the last stream taken. Streams above it are ignored from then on.
        """
        self._post(partial(self._goaway, last_stream_id))

    def run(self) -> None:
        """Serve the client until it goes, breaks the rules, or the last stream before a GOAWAY is over.

        Raises OSError when the connection breaks or the client closes it.
        """
        try:
            self._loop()
        finally:
            self._streams.lose_above(0)
            self._channel.close()
        part(self._socket)

    def _loop(self) -> None:
        self._h2.update_settings(_SETTINGS | dict(self._service.settings))
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW - 65535)
        data = self._received
        while True:
            if data and not self._take(data):
                return
            # By now h2's state is no further than ours: a stream that it has seen reset is not answered.
            self._work()
            if self._last is not None and not self._streams and not self._channel.unsent:
                return
            data = self._channel.receive(self._timeout())

    def _take(self, data: bytes) -> bool:
        """Note what has arrived; return False if it breaks the rules."""
        self._record(self._arrived, data)
        try:
            received = self._h2.receive_data(data)
        except ProtocolError:
            self._flush()  # h2 has made the GOAWAY that says why.
            return False
        for event in received:
            if action := self._actions.get(type(event)):
                action(event)
        return True

    def _work(self) -> None:
        """Do all that there is to do, and send what comes of it in one go."""
        while self._posted:
            self._posted.popleft()()
        for stream, handler in self._answerable:
            if stream in self._streams:
                self._answer(stream, handler)
        self._answerable.clear()
        while self._delayed and self._delayed[0][0] <= time.monotonic():
            _, _, stream, response = heapq.heappop(self._delayed)
            self._streams.perform(self._streams.respond, stream, response)
        self._streams.pump(_BURST - self._channel.unsent)
        self._flush()

    def _timeout(self) -> float | None:
        """Return how many seconds to wait for the socket; None if there is nothing else to wait for."""
        if self._streams.ready and not self._channel.blocked:
            return 0.0
        if self._delayed:
            return max(0.0, self._delayed[0][0] - time.monotonic())
        return None

    def _flush(self) -> None:
        self._queue(self._h2.data_to_send())
        self._channel.flush()

    def _queue(self, data: bytes) -> None:
        self._record(self._sent, data)
        self._channel.queue(data)

    def _record(self, reader: FrameReader, data: bytes) -> None:
        if data and self._service.records is not None:
            self._service.records.add_frames(reader, data)

    def _post(self, action: Callable[[], None]) -> None:
        """Have something done by the thread of `run`."""
        self._posted.append(action)
        self._channel.ring()

    def _answer(self, stream: Stream, handler: PlainHandler) -> None:
        response = self._service.answer(handler, stream.request)
        for status, headers in response.informational:
            self._streams.inform(stream, status, headers)
        if delay := self._service.delay + response.delay:
            heapq.heappush(self._delayed, (time.monotonic() + delay, stream.id, stream, response))
        else:
            self._streams.respond(stream, response)

    def _goaway(self, last: int | None = None) -> None:
        promise = self._highest if last is None else last
        self._last = promise if self._last is None else min(promise, self._last)
        self._streams.lose_above(self._last)
        # h2's own close_connection() would let nothing be sent after the GOAWAY.
        self._queue(self._h2.data_to_send())
        self._queue(GoAwayFrame(last_stream_id=self._last).serialize())

    def _disconnect(self) -> None:
        self._flush()
        break_off(self._socket)

    def _on_request(self, event: events.RequestReceived) -> None:
        if self._last is not None and event.stream_id > self._last:
            return
        stream = Stream(event.stream_id, _request(event, self._number))
        self._streams.add(stream)
        self._highest = stream.id
        self._taken += 1
        handler = self._service.take(stream.request)
        if isinstance(handler, StreamingHandler):
            stream.exchange = Http2Exchange(
                stream,
                self._streams,
                self._service.delay,
                self._post,
                self._goaway,
                self._disconnect,
            )
            self._service.spawn(self._conduct, handler, stream.exchange, stream)
        else:
            stream.handler = handler
            if stream.request.expects_continue and event.stream_ended is None:
                # The stream may be reset in what h2 has read already, hence not at once.
                inform = self._streams.inform
                self._posted.append(partial(self._streams.perform, inform, stream, 100, ()))
        if self._taken == self._service.requests_per_connection:
            self._goaway()

    def _conduct(self, handler: StreamingHandler, exchange: Http2Exchange, stream: Stream) -> None:
        """Run a streaming handler, in a thread of its own."""
        handler.conduct(exchange)
        self._post(partial(self._streams.perform, self._streams.abandon, stream))

    def _on_data(self, event: events.DataReceived) -> None:
        stream = self._streams.get(event.stream_id)
        credit = event.flow_controlled_length
        if stream is not None and stream.exchange is not None:
            # The padding is credited at once, the data when it is read.
            credit -= len(event.data)
            stream.owed += len(event.data)
            stream.exchange.arrive(event.data)
        elif stream is not None:
            stream.received.append(event.data)
        self._h2.acknowledge_received_data(credit, event.stream_id)

    def _on_trailers(self, event: events.TrailersReceived) -> None:
        if stream := self._streams.get(event.stream_id):
            stream.request.trailers += _decoded(event.headers)

    def _on_end(self, event: events.StreamEnded) -> None:
        if stream := self._streams.get(event.stream_id):
            self._streams.complete(stream)
            if stream.handler is not None:
                stream.request.body = b"".join(stream.received)
                self._answerable.append((stream, stream.handler))

    def _on_reset(self, event: events.StreamReset) -> None:
        if stream := self._streams.get(event.stream_id):
            self._streams.lose(stream)

    def _on_window(self, event: events.WindowUpdated) -> None:
        self._streams.unblock(event.stream_id)

    def _on_settings(self, event: events.RemoteSettingsChanged) -> None:
        self._streams.unblock(0)

    def _on_acknowledgement(self, event: events.SettingsAcknowledged) -> None:
        # What was read of an upload may have been too little to tell the client of, but not for the window
        # as it is now; and the client may have used that up, so that nothing more comes to remind h2 of it.
        self._streams.remind()

    def _on_goaway(self, event: events.ConnectionTerminated) -> None:
        # h2 does not send anything from here on.
        raise ConnectionError("The client has closed the connection.")


def _protocol() -> H2Connection:
    """Return the protocol state of a new connection."""
    h2 = H2Connection(
        H2Configuration(
            client_side=False,
            header_encoding=None,
            # To look at every header again would add a sixth to the server's work.
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_inbound_headers=False,
            normalize_outbound_headers=False,
        )
    )
    # h2 starts from limits of its own, but none holds before the client has heard of it.
    h2.local_settings = Settings(client=False)
    return h2


def _request(event: events.RequestReceived, connection: int) -> Request:
    fields = _decoded(event.headers)
    pseudo = dict(field for field in fields if field[0].startswith(":"))
    headers = [field for field in fields if not field[0].startswith(":")]
    request = Request(
        pseudo.get(":method", ""),
        pseudo.get(":path", ""),
        pseudo.get(":authority", ""),
        headers,
        "h2",
        connection,
        event.stream_id,
    )
    request.authority = request.authority or request.header("host") or ""
    return request


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
