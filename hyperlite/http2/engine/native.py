"""NativeEngine: HTTP/2 in as little work for each request and each byte as Python allows. The fast `Engine`.

Rule: guard.py and messages/response_rules decide what a peer may do, for both engines alike.  Both engines
must do the same, and a test drives them side by side.
"""

import struct
from collections.abc import Sequence

import hpack

from ...errors import ErrorCode, MalformedResponse, code_name
from ...messages.fields import Field
from ...messages.response_rules import Block, Message
from .events import (
    ConnectionFailed,
    DataReceived,
    Event,
    GoAwayReceived,
    InformationalReceived,
    PingAcknowledged,
    ResponseReceived,
    SettingsReceived,
    StreamFailed,
    TrailersReceived,
    WindowOpened,
)
from .frames import (
    ACK,
    CONTINUATION,
    DATA,
    DEFAULT_FRAME,
    END_HEADERS,
    END_STREAM,
    FRAME_HEADER,
    GOAWAY,
    HAS_PRIORITY,
    HEADER_SIZE,
    HEADERS,
    MAX_FRAME,
    MAX_WINDOW,
    MAX_WIRE_ID,
    PADDED,
    PING,
    PREFACE,
    PRIORITY_UPDATE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)
from .guard import (
    FRAME_EARNS,
    HEAD_EARNS,
    PAUSE_EARNS,
    TINY,
    USEFUL,
    Guard,
    Violation,
    check_greeting,
    data_size,
    increment_of,
)
from .hpack_decoder import MemoDecoder
from .hpack_encoder import MemoEncoder
from .limits import HEADER_TABLE_SIZE, Limits, PeerSettings
from .open_stream import OpenStream
from .settings import announced, read_settings
from .speedups import Decoder, compiled_decoder
from .windows import CONNECTION_WINDOW, DEFAULT_WINDOW

_WORD = struct.Struct(">L")
_UNUSUAL = PADDED | HAS_PRIORITY
_RESPONSE, _TRAILERS = Block.RESPONSE, Block.TRAILERS


class NativeEngine:
    """The fast `Engine`. For the arguments see `make_engine`."""

    def __init__(self, limits: Limits, *, first_wire_id: int = 1) -> None:
        self._limits = limits
        self.peer: PeerSettings = PeerSettings()
        self._next_wire_id = first_wire_id
        self.exhausted: bool = first_wire_id > MAX_WIRE_ID
        self._streams: dict[int, OpenStream] = {}
        self.pending: bytes = b""  # what came of a frame that is not complete
        self._failed = False
        self._guard = Guard(limits.max_header_list)
        self._decoder: Decoder = (compiled_decoder or MemoDecoder)(limits.max_header_list)
        self._encoder = MemoEncoder()
        self._inbound = CONNECTION_WINDOW  # how many bytes of DATA the peer may still send on all streams
        self._outbound = DEFAULT_WINDOW  # how many bytes of DATA we may still send on all streams
        self._out: list[bytes | memoryview] = [PREFACE, announced(limits)]
        # By stream, and the last to go out: a stream that is reset before gets none. HAProxy is said to lose
        # the request behind credit and a reset of the same stream.
        self._credits: dict[int, int] = {}
        self._update_window(0, CONNECTION_WINDOW - DEFAULT_WINDOW)

    # -- calls in, bytes out -----------------------------------------------------------------

    def open(self, fields: Sequence[Field], *, end_stream: bool) -> int:
        """Send a request's header block; returns the wire id."""
        wire_id = self._next_wire_id
        self._send_block(wire_id, fields, END_STREAM if end_stream else 0)
        self._next_wire_id += 2
        self.exhausted = wire_id + 2 > MAX_WIRE_ID
        message = Message(fields[0][1] == b"HEAD", self._limits.max_fields)
        self._streams[wire_id] = OpenStream(message, self._limits.stream_window, self.peer.window, end_stream)
        return wire_id

    def _send_block(self, wire_id: int, fields: Sequence[Field], flags: int) -> None:
        block = self._encoder.encode(fields)
        size = self.peer.max_frame
        if len(block) <= size:
            header = FRAME_HEADER.pack(len(block) << 8 | HEADERS, flags | END_HEADERS, wire_id)
            self._out.append(header + block)
            return
        self._out.append(frame(HEADERS, flags, wire_id, block[:size]))
        for start in range(size, len(block), size):
            last = END_HEADERS if start + size >= len(block) else 0
            self._out.append(frame(CONTINUATION, last, wire_id, block[start : start + size]))

    def send(self, wire_id: int, data: bytes | memoryview, *, end_stream: bool) -> int:
        """Send as much of the body as the windows allow; returns how many bytes that was."""
        stream = self._streams[wire_id]
        total = len(data)
        allowed = max(0, min(total, stream.outbound, self._outbound))
        if total <= allowed and total <= self.peer.max_frame:  # nearly always
            if total or end_stream:
                flags = END_STREAM if end_stream else 0
                self._out += (FRAME_HEADER.pack(total << 8, flags, wire_id), data)
            sent = total
        else:
            sent = self._send_pieces(wire_id, memoryview(data)[:allowed], end_stream and allowed == total)
        if sent:
            if self._guard.useless:
                self._guard.earn(FRAME_EARNS * -(-sent // self.peer.max_frame))
            stream.outbound -= sent
            self._outbound -= sent
        if end_stream and sent == total:
            self._end(wire_id, stream)
        return sent

    def _send_pieces(self, wire_id: int, view: memoryview, ends: bool) -> int:
        """Cut a body into frames."""
        size = self.peer.max_frame
        for start in range(0, len(view), size):
            piece = view[start : start + size]
            flags = END_STREAM if ends and start + len(piece) == len(view) else 0
            self._out += (FRAME_HEADER.pack(len(piece) << 8, flags, wire_id), piece)
        return len(view)

    def trailers(self, wire_id: int, fields: Sequence[Field]) -> None:
        """Send a trailer section, which ends the stream."""
        self._send_block(wire_id, fields, END_STREAM)
        self._end(wire_id, self._streams[wire_id])

    def reset(self, wire_id: int, error_code: int) -> None:
        """Send RST_STREAM and forget the stream; nothing if it is over already."""
        if wire_id in self._streams and not self._failed:
            self._out.append(frame(RST_STREAM, 0, wire_id, _WORD.pack(error_code)))
        self.forget(wire_id)

    def forget(self, wire_id: int) -> None:
        """Forget a stream without a word, which the peer's GOAWAY has excluded."""
        stream = self._streams.pop(wire_id, None)
        if stream is not None and not self._failed:
            self._credits.pop(wire_id, None)
            self._guard.cut_short(wire_id, stream.left)

    def credit(self, wire_id: int, size: int) -> None:
        """Take note that the reader consumed `size` bytes of a body."""
        if stream := self._streams.get(wire_id):
            self._credit(wire_id, stream, stream.consumed(size))

    def window_left(self, wire_id: int) -> int:
        """Return how many bytes the peer may still send on an open stream."""
        return self._streams[wire_id].left

    def grow(self, wire_id: int) -> None:
        """Take note that a stream's reader waits with nothing to read."""
        if stream := self._streams.get(wire_id):
            self._credit(wire_id, stream, stream.grow(self._limits.max_stream_window))

    def _credit(self, wire_id: int, stream: OpenStream, increment: int) -> None:
        # A response that is complete needs no more credit.
        if increment and not self._failed and not stream.message.complete:
            self._credits[wire_id] = self._credits.get(wire_id, 0) + increment

    def _update_window(self, wire_id: int, increment: int) -> None:
        self._out.append(frame(WINDOW_UPDATE, 0, wire_id, _WORD.pack(increment)))

    def prioritize(self, wire_id: int, value: bytes) -> None:
        """Send PRIORITY_UPDATE (RFC 9218 section 7.1) with a value of the `priority` field."""
        if not self._failed:
            self._out.append(frame(PRIORITY_UPDATE, 0, 0, _WORD.pack(wire_id) + value))

    def ping(self, payload: bytes) -> None:
        """Send a PING of eight bytes."""
        self._out.append(frame(PING, 0, 0, payload))

    def pause(self) -> None:
        """Take note that the peer paused before what comes next: it does not flood."""
        self._guard.earn(PAUSE_EARNS)

    def take(self) -> bytes:
        """Return the bytes to be sent, and forget them."""
        if self._credits:
            for wire_id, increment in self._credits.items():
                if wire_id in self._streams and not self._failed:
                    self._update_window(wire_id, increment)
            self._credits.clear()
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def close(self, error_code: int = 0) -> None:
        """Send GOAWAY; the connection sends and takes nothing more."""
        if not self._failed:
            self._failed = True
            self._out.append(frame(GOAWAY, 0, 0, struct.pack(">LL", 0, error_code)))

    def _end(self, wire_id: int, stream: OpenStream) -> None:
        """Take note that the request is complete."""
        stream.ended = True
        if stream.message.complete:
            del self._streams[wire_id]

    # -- bytes in, events out ----------------------------------------------------------------

    def receive(self, *pieces: bytes) -> list[Event]:
        """Take bytes from the socket; return the events that they make."""
        events: list[Event] = []
        if self._failed:
            return events
        data = b"".join((self.pending, *pieces)) if self.pending or len(pieces) > 1 else pieces[0]
        try:
            self._receive_frames(data, events)
        except Violation as violation:
            self.pending = b""
            self.close(violation.code)
            reason = f"{violation.reason} ({code_name(violation.code)})"
            events.append(ConnectionFailed(violation.code, reason, violation.not_http2))
        return events

    def _receive_frames(self, data: bytes, events: list[Event]) -> None:
        """Take the frames that are complete, and keep what is left."""
        streams, guard, peer = self._streams, self._guard, self.peer
        at, end = 0, len(data)
        if not peer.greeted:
            check_greeting(data[:64])
        while end - at >= HEADER_SIZE:
            head, flags, wire_id = FRAME_HEADER.unpack_from(data, at)
            kind, length = head & 0xFF, head >> 8
            wire_id &= MAX_WIRE_ID
            start = at + HEADER_SIZE
            stop = start + length
            stream = streams.get(wire_id)
            # Nearly all frames are of these kinds, and nothing is wrong with their headers.
            if (
                stream is not None
                and (kind <= HEADERS or (kind == WINDOW_UPDATE and length == _WORD.size))
                and not flags & _UNUSUAL
                and length <= MAX_FRAME
                and peer.greeted
                and not guard.block_of
            ):
                if stop > end:
                    # Take what has come of a large one at once: its reader need not wait for the rest.
                    if kind == DATA and end - start >= DEFAULT_FRAME:
                        self._data(wire_id, stream, data[start:], end - start, False, events)
                        self.pending = FRAME_HEADER.pack(stop - end << 8, flags, wire_id)
                        return
                    break
                if kind == DATA:
                    if flags or length < USEFUL or guard.useless:  # or else each makes up for some of that
                        at = stop
                        self._data(wire_id, stream, data[start:stop], length, flags & END_STREAM != 0, events)
                    else:
                        at = self._run(wire_id, stream, data, start, stop, events)
                    continue
                if kind == WINDOW_UPDATE:  # a server sends one for each small body
                    at = stop
                    guard.spend(1)
                    self._widen(wire_id, stream, increment_of(data[start:stop]), events)
                    continue
                if flags & END_HEADERS:
                    at = stop
                    self._block(wire_id, stream, data[start:stop], flags & END_STREAM != 0, events)
                    continue
            guard.check_header(kind, flags, wire_id, length, self._next_wire_id)
            if stop > end:
                break
            self._receive_frame(kind, flags, wire_id, data[at:stop], events)
            if self._failed:
                break
            at = stop
        self.pending = data[at:]

    def _run(
        self,
        wire_id: int,
        stream: OpenStream,
        data: bytes,
        start: int,
        stop: int,
        events: list[Event],
    ) -> int:
        """Take a whole DATA frame, and those that follow on its stream, as one piece; return where they end.

        All of these are whole, without flags, and neither useless nor too much; `_data` judges others.
        """
        end, at, room, view = len(data), stop, stream.room, memoryview(data)
        size = stop - start
        parts = [view[start:stop]]
        while end - at >= HEADER_SIZE:
            head, bits, number = FRAME_HEADER.unpack_from(data, at)
            length, begin = head >> 8, at + HEADER_SIZE
            if head & 0xFF or bits or number != wire_id or not USEFUL <= length <= MAX_FRAME:
                break
            if begin + length > end or size + length > room:
                break
            at = begin + length
            parts.append(view[begin:at])
            size += length
        body = b"".join(parts) if len(parts) > 1 else data[start:stop]
        self._data(wire_id, stream, body, size, False, events)
        return at

    def _receive_frame(self, kind: int, flags: int, wire_id: int, whole: bytes, events: list[Event]) -> None:
        """Take a frame of any kind, whose header was checked."""
        guard, payload = self._guard, whole[HEADER_SIZE:]
        stream = self._streams.get(wire_id)
        if kind == DATA:
            size = data_size(flags, len(payload), payload[0] if payload else 0)
            body = payload[1 : 1 + size] if flags & PADDED else payload
            if stream is None:
                guard.late_data(wire_id, len(payload))
                self._consume_connection(len(payload))
            else:
                self._data(wire_id, stream, body, len(payload), flags & END_STREAM != 0, events)
        elif kind in (HEADERS, CONTINUATION):
            if kind == HEADERS and stream is None:
                guard.late_headers(wire_id, len(payload))
            take = guard.begin_block if kind == HEADERS else guard.continue_block
            if (block := take(wire_id, flags, payload)) is not None:
                self._block(wire_id, stream, block, guard.block_ends_stream, events)
        else:
            guard.spend_on(kind, len(payload))
            if wire_id == 0:
                self._connection_frame(kind, flags, payload, events)
            elif kind == WINDOW_UPDATE:
                self._widen(wire_id, stream, increment_of(payload), events)
            elif kind == RST_STREAM and stream is not None:
                del self._streams[wire_id]
                guard.cut_short(wire_id, stream.left)
                code = _WORD.unpack(payload)[0]
                events.append(StreamFailed(wire_id, code, f"reset by the peer: {code_name(code)}", True))

    def _data(
        self, wire_id: int, stream: OpenStream, body: bytes, length: int, ends: bool, events: list[Event]
    ) -> None:
        """Take DATA of an open stream; `length` includes the padding, all of which is flow-controlled."""
        message, size = stream.message, len(body)
        if size >= USEFUL:
            if self._guard.useless:
                self._guard.earn(size // USEFUL)
        elif size < TINY and not ends:
            self._guard.spend(1)
        try:
            message.data(size, end_stream=ends)
        except MalformedResponse as error:
            self._fail_stream(wire_id, error, events)
            self._guard.late_data(wire_id, length)
            self._consume_connection(length)
            return
        stream.left -= length
        if stream.left < 0:
            raise Violation(ErrorCode.FLOW_CONTROL_ERROR, f"more DATA on stream {wire_id} than its window")
        self._inbound -= length
        if self._inbound < CONNECTION_WINDOW // 2:
            self._refill()
        if length > size:
            self._credit(wire_id, stream, stream.consumed(length - size))
        events.append(DataReceived(wire_id, body, ends))
        if ends and stream.ended:
            del self._streams[wire_id]

    def _consume_connection(self, length: int) -> None:
        """Take note of DATA that is of no use."""
        self._inbound -= length
        if self._inbound < CONNECTION_WINDOW // 2:
            self._refill()

    def _refill(self) -> None:
        """Return the connection's window: on receipt, so that an unread stream holds up no other.

        Half of it is always left, and no frame is as large: the peer cannot exceed it.
        """
        self._update_window(0, CONNECTION_WINDOW - self._inbound)
        self._inbound = CONNECTION_WINDOW

    def _block(
        self, wire_id: int, stream: OpenStream | None, block: bytes, ends: bool, events: list[Event]
    ) -> None:
        """Take a whole header block. A late one is decoded too: it changes the HPACK table."""
        try:
            fields = self._decoder.decode(block)
        except hpack.OversizedHeaderListError as error:
            raise Violation(ErrorCode.ENHANCE_YOUR_CALM, f"{error} (max_header_list)") from error
        except hpack.HPACKError as error:
            raise Violation(ErrorCode.COMPRESSION_ERROR, f"no HPACK: {error}") from error
        if stream is None:
            return
        message = stream.message
        try:
            kind = message.block(fields, end_stream=ends, regular=self._decoder.regular)
        except MalformedResponse as error:
            self._fail_stream(wire_id, error, events, over=ends and stream.ended)
            return
        if kind is _RESPONSE:
            if self._guard.useless:
                self._guard.earn(HEAD_EARNS)
            events.append(ResponseReceived(wire_id, message.status, fields, message.length, ends))
        elif kind is _TRAILERS:
            events.append(TrailersReceived(wire_id, fields))
        else:
            self._guard.spend(1)
            events.append(InformationalReceived(wire_id, int(fields[0][1]), fields))
        if stream.ended and message.complete:
            del self._streams[wire_id]

    def _widen(self, wire_id: int, stream: OpenStream | None, increment: int, events: list[Event]) -> None:
        """Take the peer's credit for a body."""
        if stream is None:
            return
        stream.outbound += increment
        if stream.outbound > MAX_WINDOW:
            code = ErrorCode.FLOW_CONTROL_ERROR
            self.reset(wire_id, code)
            reason = f"the peer overflowed our sending window: {code.name}"
            events.append(StreamFailed(wire_id, code, reason, remote=False))
            return
        events.append(WindowOpened(wire_id))

    def _fail_stream(
        self, wire_id: int, error: MalformedResponse, events: list[Event], *, over: bool = False
    ) -> None:
        """Reset a stream; one that both sides have ended is `over` and may be reset no more."""
        code = ErrorCode.PROTOCOL_ERROR if error.error_code is None else error.error_code
        if over:
            del self._streams[wire_id]
        else:
            self.reset(wire_id, code)
        events.append(StreamFailed(wire_id, code, str(error), remote=False))

    # -- frames of the connection ------------------------------------------------------------

    def _connection_frame(self, kind: int, flags: int, payload: bytes, events: list[Event]) -> None:
        """Take a frame of stream 0; an acknowledgement of SETTINGS asks for nothing."""
        if kind == WINDOW_UPDATE:
            self._widen_connection(increment_of(payload), events)
        elif kind == SETTINGS and not flags & ACK:
            self._apply_settings(payload, events)
        elif kind == PING and flags & ACK:
            events.append(PingAcknowledged(payload))
        elif kind == PING:
            self._out.append(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            last, code = struct.unpack_from(">LL", payload)
            events.append(GoAwayReceived(last & MAX_WIRE_ID, code, payload[8:]))

    def _widen_connection(self, increment: int, events: list[Event]) -> None:
        """Take the peer's credit for the bodies of all streams."""
        self._outbound += increment
        if self._outbound > MAX_WINDOW:
            raise Violation(ErrorCode.FLOW_CONTROL_ERROR, "the peer overflowed our sending window")
        events.append(WindowOpened(0))

    def _apply_settings(self, payload: bytes, events: list[Event]) -> None:
        """Take the peer's SETTINGS, and acknowledge them."""
        named, before = read_settings(payload), self.peer.window
        self.peer.apply(named)
        if HEADER_TABLE_SIZE in named:
            self._encoder.header_table_size = named[HEADER_TABLE_SIZE]
        change = self.peer.window - before
        for wire_id, stream in self._streams.items() if change else ():
            stream.outbound += change
            if stream.outbound > MAX_WINDOW:
                raise Violation(
                    ErrorCode.FLOW_CONTROL_ERROR, f"SETTINGS overflowed the window of stream {wire_id}"
                )
        events.append(SettingsReceived())
        self._out.append(frame(SETTINGS, ACK, 0))
