"""H2Engine: every frame by h2, through its public API. The judge of any faster engine.

h2's habits, and our answer to each:

- A bad frame makes `receive_data` drop the good events before it: h2 is fed frame by frame.
- It checks a frame's length after buffering the frame: guard.py checks the nine bytes that announce it.
- After GOAWAY it refuses the frames of streams that may still finish: GOAWAY is read here and never
  fed to it.
- A malformed message kills the whole connection, though RFC 9113 section 8.1.1 makes it a stream's
  error: h2 is shown no more of a header block than it needs (`_FieldTap`), `Message` judges the
  rest, and a stream that failed is reset *before* h2 sees the frame that shows it.
"""

import struct
from collections.abc import Sequence

import h2.errors
import h2.events
import h2.exceptions
import hpack

from ...errors import ErrorCode, MalformedResponse, code_name
from ...messages.fields import Field
from ...messages.response_rules import MAX_PUSHED_FIELDS, Block, Message, field_size, is_promise
from .events import (
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
from .frames import (
    CONTINUATION,
    DATA,
    DEFAULT_FRAME,
    END_STREAM,
    FRAME_HEADER,
    GOAWAY,
    HAS_PRIORITY,
    HEADER_SIZE,
    HEADERS,
    MAX_WIRE_ID,
    PADDED,
    PRIORITY,
    PRIORITY_UPDATE,
    PUSH_PROMISE,
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
    block_fragment,
    check_greeting,
    data_size,
    increment_of,
)
from .h2_client import h2_client
from .hpack_encoder import BoundedEncoder
from .limits import Limits, PeerSettings
from .windows import CONNECTION_WINDOW, DEFAULT_WINDOW, InboundWindow

_WORD = struct.Struct(">L")
# Pushed responses under way at once. nghttp2 lets 200 wait.
MAX_PUSHES = 100


class _CompressionError(h2.exceptions.ProtocolError):
    """A header block that is no HPACK; h2 would call it a PROTOCOL_ERROR."""

    error_code = h2.errors.ErrorCodes.COMPRESSION_ERROR


class _FieldTap(hpack.Decoder):
    """An HPACK decoder that keeps what it decoded and shows h2 only whether it was a 1xx response."""

    def __init__(self, max_header_list: int) -> None:
        super().__init__(max_header_list_size=max_header_list)
        self.fields: list[Field] = []
        self.expected = False  # by a stream that is open
        self.end_stream = False

    def decode(self, data: bytes, raw: bool = False) -> list[hpack.HeaderTuple]:
        """Decode a header block into `fields`; returns what h2 is to see of it."""
        try:
            decoded = super().decode(data, raw=True)
        except hpack.OversizedHeaderListError:
            raise  # h2 knows that one
        except hpack.HPACKError as error:
            raise _CompressionError(f"Error decoding header block: {error}") from error
        self.fields = [(bytes(name), bytes(value)) for name, value in decoded]
        informational = (
            self.expected
            and not self.end_stream
            and bool(self.fields)
            and self.fields[0][0] == b":status"
            and self.fields[0][1].startswith(b"1")
        )
        return [hpack.HeaderTuple(b":status", b"100" if informational else b"200")]


class _Stream:
    """What the engine knows of a stream while it is open."""

    __slots__ = ("ended", "message", "window")

    def __init__(self, message: Message, window: InboundWindow) -> None:
        self.message = message
        self.window = window
        self.ended = False  # by us: the request is complete


class H2Engine:
    """The reference `Engine`. For the arguments see `make_engine`."""

    def __init__(
        self,
        limits: Limits,
        *,
        first_wire_id: int = 1,
        enable_push: bool = False,
        upgrade: Sequence[Field] | None = None,
    ) -> None:
        self._limits = limits
        self.peer: PeerSettings = PeerSettings()
        self._next_wire_id = first_wire_id
        self._streams: dict[int, _Stream] = {}
        self.pending: bytes = b""  # what came of a frame that is not complete
        self._out = b""  # what is to be sent before what h2 has to send
        self._credits: dict[int, int] = {}  # by stream, and the last to go out: see NativeEngine
        self._failed = False
        self._guard = Guard(limits.max_header_list, push=enable_push)
        self._promised: tuple[int, int] | None = (
            None  # the stream that promises, and the promised one, while the block comes
        )
        self._tap = _FieldTap(limits.max_header_list)
        self._h2 = h2_client(limits, push=enable_push)
        self._h2.decoder = self._tap
        self._h2.encoder = BoundedEncoder()
        # What goes into HTTP2-Settings, where the first request was made on HTTP/1.1 (RFC 7540 section 3.2).
        self.upgrade_settings: bytes = b""
        if upgrade is None:
            self._h2.initiate_connection()
        else:
            self.upgrade_settings = (self._h2.initiate_upgrade_connection() or b"").rstrip(b"=")
            self._add_stream(upgrade).ended = True
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - DEFAULT_WINDOW)

    # -- state -------------------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """Whether the stream numbers of this connection are used up."""
        return self._next_wire_id > MAX_WIRE_ID

    # -- calls in, bytes out -----------------------------------------------------------------

    def open(self, fields: Sequence[Field], *, end_stream: bool) -> int:
        """Send a request's header block; returns the wire id."""
        wire_id = self._next_wire_id
        self._h2.send_headers(wire_id, fields, end_stream=end_stream)
        self._add_stream(fields)
        if end_stream:
            self._end(wire_id)
        return wire_id

    def _add_stream(self, fields: Sequence[Field]) -> _Stream:
        message = Message(head=fields[0][1] == b"HEAD", max_fields=self._limits.max_fields)
        stream = self._streams[self._next_wire_id] = _Stream(
            message, InboundWindow(self._limits.stream_window)
        )
        self._next_wire_id += 2
        return stream

    def send(self, wire_id: int, data: bytes | memoryview, *, end_stream: bool) -> int:
        """Send as much of the body as the windows allow; returns how many bytes that was."""
        view = memoryview(data)
        total = len(view)
        allowed = min(total, max(0, self._h2.local_flow_control_window(wire_id)))
        frame_size = self._h2.max_outbound_frame_size
        sent = 0
        while sent < allowed:
            piece = view[sent : min(sent + frame_size, allowed)]
            sent += len(piece)
            self._guard.earn(FRAME_EARNS)
            self._h2.send_data(wire_id, piece, end_stream=end_stream and sent == total)
        if end_stream and not total:
            self._h2.end_stream(wire_id)
        if end_stream and sent == total:
            self._end(wire_id)
        return sent

    def trailers(self, wire_id: int, fields: Sequence[Field]) -> None:
        """Send a trailer section, which ends the stream."""
        self._h2.send_headers(wire_id, fields, end_stream=True)
        self._end(wire_id)

    def reset(self, wire_id: int, error_code: int) -> None:
        """Send RST_STREAM and forget the stream; nothing if it is over already."""
        stream = self._streams.pop(wire_id, None)
        if stream is not None and not self._failed:
            self._credits.pop(wire_id, None)
            try:
                self._h2.reset_stream(wire_id, error_code)
            except h2.exceptions.StreamClosedError:
                return  # the last frame ended the stream on both sides: there is nothing left to reset
            self._guard.cut_short(wire_id, stream.window.left)

    def forget(self, wire_id: int) -> None:
        """Forget a stream without a word, which the peer's GOAWAY has excluded."""
        self._out += self._h2.data_to_send()
        self.reset(wire_id, ErrorCode.CANCEL)  # h2 has no other way
        self._out += _without_resets(self._h2.data_to_send())

    def credit(self, wire_id: int, size: int) -> None:
        """Take note that the reader consumed `size` bytes of a body."""
        if stream := self._streams.get(wire_id):
            self._window_update(wire_id, stream.window.consumed(size))

    def window_left(self, wire_id: int) -> int:
        """Return how many bytes the peer may still send on an open stream."""
        return self._streams[wire_id].window.left

    def grow(self, wire_id: int) -> None:
        """Take note that a stream's reader waits with nothing to read."""
        if stream := self._streams.get(wire_id):
            self._window_update(wire_id, stream.window.grow(self._limits.max_stream_window))

    def prioritize(self, wire_id: int, value: bytes) -> None:
        """Send PRIORITY_UPDATE (RFC 9218 section 7.1) with a value of the `priority` field."""
        if not self._failed:  # h2 does not know this frame
            self._out += self._h2.data_to_send() + frame(PRIORITY_UPDATE, 0, 0, _WORD.pack(wire_id) + value)

    def pause(self) -> None:
        """Take note that the peer paused before what comes next: it does not flood."""
        self._guard.earn(PAUSE_EARNS)

    def ping(self, payload: bytes) -> None:
        """Send a PING of eight bytes."""
        self._h2.ping(payload)

    def take(self) -> bytes:
        """Return the bytes to be sent, and forget them."""
        self._give_credits()
        data, self._out = self._out + self._h2.data_to_send(), b""
        return data

    def close(self, error_code: int = 0) -> None:
        """Send GOAWAY; the connection sends and takes nothing more."""
        if not self._failed:
            self._failed = True
            self._h2.close_connection(error_code)

    def _give_credits(self) -> None:
        for wire_id, increment in self._credits.items():
            stream = self._streams.get(wire_id)
            if stream is not None and not stream.message.complete and not self._failed:
                self._h2.increment_flow_control_window(increment, wire_id)
        self._credits.clear()

    def _end(self, wire_id: int) -> None:
        """Take note that the request is complete."""
        self._streams[wire_id].ended = True
        self._forget_if_over(wire_id)

    def _window_update(self, wire_id: int, increment: int) -> None:
        # A response that is complete needs no more credit: h2 refuses to give it some.
        if increment and not self._failed and not self._streams[wire_id].message.complete:
            self._credits[wire_id] = self._credits.get(wire_id, 0) + increment

    # -- bytes in, events out ----------------------------------------------------------------

    def receive(self, *pieces: bytes) -> list[Event]:
        """Take bytes from the socket; return the events that they make."""
        events: list[Event] = []
        if self._failed:
            return events
        self._give_credits()  # which h2 must know of before what comes
        data = b"".join((self.pending, *pieces))
        at = 0
        try:
            if not self.peer.greeted:
                check_greeting(data[:64])
            while not self._failed and len(data) - at >= HEADER_SIZE:
                head, flags, wire_id = FRAME_HEADER.unpack_from(data, at)
                kind, length = head & 0xFF, head >> 8
                wire_id &= MAX_WIRE_ID
                self._guard.check_header(kind, flags, wire_id, length, self._next_wire_id)
                end = at + HEADER_SIZE + length
                came = len(data) - at - HEADER_SIZE
                if len(data) < end and self._is_dealt_with_in_parts(kind, flags, wire_id, came):
                    part = frame(DATA, flags & ~END_STREAM, wire_id, data[at + HEADER_SIZE :])
                    self._receive_frame(DATA, flags & ~END_STREAM, wire_id, part, events)
                    data, at = FRAME_HEADER.pack(length - came << 8, flags, wire_id), 0
                if len(data) < end:
                    break
                self._receive_frame(kind, flags, wire_id, data[at:end], events)
                at = end
        except Violation as violation:
            self.close(violation.code)
            reason = f"{violation.reason} ({code_name(violation.code)})"
            events.append(ConnectionFailed(violation.code, reason, violation.not_http2))
        self.pending = data[at:]
        return events

    def _is_dealt_with_in_parts(self, kind: int, flags: int, wire_id: int, came: int) -> bool:
        """Tell whether the part of a frame that has come is taken at once, as a frame by itself."""
        plain = kind == DATA and not flags & (PADDED | HAS_PRIORITY)
        return plain and came >= DEFAULT_FRAME and wire_id in self._streams

    def _receive_frame(self, kind: int, flags: int, wire_id: int, whole: bytes, events: list[Event]) -> None:
        payload = whole[HEADER_SIZE:]
        late = wire_id != 0 and wire_id not in self._streams
        if kind == DATA:
            self._judge_data(flags, wire_id, payload, events)
        elif kind in (HEADERS, CONTINUATION):
            self._judge_block(kind, flags, wire_id, payload, events)
        elif kind == PUSH_PROMISE:
            self._guard.spend(1)
            self._promised = wire_id, self._guard.begin_promise(wire_id, flags, payload)
        else:
            self._guard.spend_on(kind, len(payload))
        if kind == GOAWAY:
            last, code = struct.unpack_from(">LL", payload)
            events.append(GoAwayReceived(last & MAX_WIRE_ID, code, payload[8:]))
            return
        if kind == WINDOW_UPDATE:  # without the reserved bit, which RFC 9113 section 6.9 has ignored
            whole = frame(WINDOW_UPDATE, 0, wire_id, _WORD.pack(increment_of(payload)))
        if kind == HEADERS:  # h2 does not take a block that is empty but for padding, and heeds priorities
            plain = flags & ~(PADDED | HAS_PRIORITY)
            whole = frame(HEADERS, plain, wire_id, block_fragment(flags, payload))
        if kind == PRIORITY or kind > CONTINUATION:
            return  # nothing that we heed, but h2 would complain of some
        if late and kind in (RST_STREAM, WINDOW_UPDATE):
            return  # nothing is left of the stream that they could change
        if kind == SETTINGS:  # h2 would widen the windows of streams that are over; counting drops them
            _ = self._h2.open_outbound_streams
        self._tap.expected = wire_id in self._streams
        self._feed_h2(whole, wire_id, events)
        if kind == DATA:
            self._credit_connection()

    def _feed_h2(self, whole: bytes, wire_id: int, events: list[Event]) -> None:
        if late := wire_id != 0 and wire_id not in self._streams:
            self._out += self._h2.data_to_send()
        try:
            for event in self._h2.receive_data(whole):
                self._translate(event, events)
        except h2.exceptions.ProtocolError as error:
            self._failed = True  # h2 has written GOAWAY
            too_large = isinstance(error, h2.exceptions.DenialOfServiceError)
            reason = f"{error}{' (max_header_list)' * too_large} ({code_name(error.error_code)})"
            events.append(ConnectionFailed(int(error.error_code), reason))
            return
        if late:  # h2 answers each late frame by one more RST_STREAM; its WINDOW_UPDATE is wanted
            self._out += _without_resets(self._h2.data_to_send())

    def _judge_data(self, flags: int, wire_id: int, payload: bytes, events: list[Event]) -> None:
        """Reset the stream before h2 sees DATA that would make it close the connection."""
        size = data_size(flags, len(payload), payload[0] if payload else 0)
        stream = self._streams.get(wire_id)
        if stream is None:
            self._guard.late_data(wire_id, len(payload))
            return
        if size >= USEFUL:
            self._guard.earn(size // USEFUL)
        elif size < TINY and not flags & END_STREAM:
            self._guard.spend(1)
        try:
            stream.message.data(size, end_stream=bool(flags & END_STREAM))
        except MalformedResponse as error:
            self._fail_stream(wire_id, error, events)
            self._guard.late_data(wire_id, len(payload))

    def _judge_block(self, kind: int, flags: int, wire_id: int, payload: bytes, events: list[Event]) -> None:
        """Reset the stream before h2 sees a header block that would make it close the connection."""
        stream = self._streams.get(wire_id)
        if kind == HEADERS:
            self._tap.end_stream = bool(flags & END_STREAM)
            if stream is None:
                self._guard.late_headers(wire_id, len(payload))
        take = self._guard.begin_block if kind == HEADERS else self._guard.continue_block
        if take(wire_id, flags, payload) is not None and stream is not None:
            try:
                stream.message.check_block(end_stream=self._guard.block_ends_stream)
            except MalformedResponse as error:
                self._fail_stream(wire_id, error, events)

    def _translate(self, event: h2.events.Event, events: list[Event]) -> None:
        match event:
            case h2.events.DataReceived(stream_id=wire_id, data=data, stream_ended=ended):
                self._streams[wire_id].window.left -= event.flow_controlled_length
                if padding := event.flow_controlled_length - len(data):
                    self.credit(wire_id, padding)
                events.append(DataReceived(wire_id, bytes(data), ended is not None))
                self._forget_if_over(wire_id)
            case (
                h2.events.ResponseReceived(stream_id=wire_id)
                | h2.events.TrailersReceived(stream_id=wire_id)
                | h2.events.InformationalResponseReceived(stream_id=wire_id)
            ):
                self._header_block(wire_id, events)
            case h2.events.StreamReset(stream_id=wire_id, error_code=code, remote_reset=remote):
                if stream := self._streams.pop(wire_id, None):
                    self._guard.cut_short(wire_id, stream.window.left)
                    reason = "reset by the peer" if remote else "the peer overflowed our sending window"
                    events.append(StreamFailed(wire_id, int(code), f"{reason}: {code_name(code)}", remote))
            case h2.events.RemoteSettingsChanged():
                self.peer.apply(self._h2.remote_settings)
                events.append(SettingsReceived())
            case h2.events.PushedStreamReceived():
                self._promise(events)
            case h2.events.WindowUpdated(stream_id=wire_id):
                events.append(WindowOpened(wire_id))
            case h2.events.PingAckReceived(ping_data=payload):
                events.append(PingAcknowledged(payload))

    def _header_block(self, wire_id: int, events: list[Event]) -> None:
        message = self._streams[wire_id].message
        fields, end_stream = self._tap.fields, self._tap.end_stream
        try:
            block = message.block(fields, end_stream=end_stream)
        except MalformedResponse as error:
            self._fail_stream(wire_id, error, events)
            return
        if block is Block.RESPONSE:
            self._guard.earn(HEAD_EARNS)
            events.append(ResponseReceived(wire_id, message.status, fields, message.length, end_stream))
        elif block is Block.TRAILERS:
            events.append(TrailersReceived(wire_id, fields))
        else:
            self._guard.spend(1)
            events.append(InformationalReceived(wire_id, int(fields[0][1]), fields))
        self._forget_if_over(wire_id)

    def _promise(self, events: list[Event]) -> None:
        """Take a push, or reset its stream: with REFUSED_STREAM if there are many, or PROTOCOL_ERROR."""
        assert self._promised is not None
        wire_id, promised_id = self._promised
        fields = self._tap.fields
        stream = _Stream(
            Message(fields[:1] == [(b":method", b"HEAD")], self._limits.max_fields, promise=fields),
            InboundWindow(self._limits.stream_window),
        )
        stream.ended = True
        self._streams[promised_id] = stream
        pushed = sum(not number % 2 for number in self._streams)
        too_much = pushed > MAX_PUSHES or field_size(fields) > MAX_PUSHED_FIELDS
        if wire_id not in self._streams or too_much:
            self.reset(promised_id, ErrorCode.REFUSED_STREAM)
        elif not is_promise(fields):
            self.reset(promised_id, ErrorCode.PROTOCOL_ERROR)
        else:
            events.append(PushPromised(wire_id, promised_id, fields))

    def _forget_if_over(self, wire_id: int) -> None:
        stream = self._streams[wire_id]
        if stream.ended and stream.message.complete:
            del self._streams[wire_id]

    def _fail_stream(self, wire_id: int, error: MalformedResponse, events: list[Event]) -> None:
        code = ErrorCode.PROTOCOL_ERROR if error.error_code is None else error.error_code
        self.reset(wire_id, code)
        events.append(StreamFailed(wire_id, code, str(error), remote=False))

    def _credit_connection(self) -> None:
        left = self._h2.inbound_flow_control_window
        if left < CONNECTION_WINDOW // 2:
            self._h2.increment_flow_control_window(CONNECTION_WINDOW - left)


def _without_resets(data: bytes) -> bytes:
    """Return frames but for RST_STREAM among them."""
    kept, at = [], 0
    while at < len(data):
        head, _, _ = FRAME_HEADER.unpack_from(data, at)
        end = at + HEADER_SIZE + (head >> 8)
        if head & 0xFF != RST_STREAM:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)
