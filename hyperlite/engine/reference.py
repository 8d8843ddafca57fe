"""H2Engine: every frame by h2, through its public API. The judge of any faster engine.

h2's habits, and what is done about each:

- A bad frame makes `receive_data` drop the good events before it: h2 is fed frame by frame.
- It checks a frame's length after buffering the frame: we check the nine bytes that announce it.
- After GOAWAY it refuses the frames of streams that may still finish: GOAWAY is read here and never
  fed to it.
- A malformed message kills the whole connection, though RFC 9113 section 8.1.1 makes it a stream's
  error: h2 is shown no more of a header block than it needs (`_FieldTap`), `Message` judges the
  rest, and a stream that failed is reset *before* h2 sees the frame that shows it.
"""

import contextlib
import struct
from collections.abc import Sequence

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import hpack

from ..errors import ErrorCode, MalformedResponse, code_name
from ..fields import Field
from ..message import Block, Message
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
from .hpack_encoder import BoundedEncoder
from .windows import CONNECTION_WINDOW, DEFAULT_WINDOW, InboundWindow

FRAME_HEADER = struct.Struct(">HBBBL")  # length (16 + 8 bits), type, flags, stream
DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE = 0x0, 0x1, 0x3, 0x4, 0x5
GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x7, 0x8, 0x9
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8

# RFC 9113 section 6.5.2: what to expect of a peer whose SETTINGS have not come yet.
CONCURRENT_BEFORE_SETTINGS = 100
MAX_WIRE_ID = 2**31 - 1
MAX_FRAME = 16384


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
        self, *, stream_window: int, max_stream_window: int, max_header_list: int, first_wire_id: int
    ) -> None:
        self._stream_window = stream_window
        self._max_stream_window = max_stream_window
        self._next_wire_id = first_wire_id
        self._streams: dict[int, _Stream] = {}
        self._input = bytearray()
        self._greeted = False  # the peer's SETTINGS came
        self._in_block = False  # between HEADERS and the CONTINUATION that ends the block
        self._failed = False
        self._tap = _FieldTap(max_header_list)
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,  # fields.py has done it, more strictly
                normalize_outbound_headers=False,
            )
        )
        self._h2.decoder = self._tap
        self._h2.encoder = BoundedEncoder()
        codes = h2.settings.SettingCodes
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                codes.ENABLE_PUSH: 0,
                codes.INITIAL_WINDOW_SIZE: stream_window,
                codes.MAX_HEADER_LIST_SIZE: max_header_list,
            },
        )
        del self._h2.local_settings[codes.ENABLE_CONNECT_PROTOCOL]  # a server's setting
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - DEFAULT_WINDOW)

    # -- state -------------------------------------------------------------------------------

    @property
    def max_concurrent_streams(self) -> int:
        """How many streams the peer lets us have open at once; 100 until its SETTINGS came."""
        return (
            self._h2.remote_settings.max_concurrent_streams if self._greeted else CONCURRENT_BEFORE_SETTINGS
        )

    @property
    def exhausted(self) -> bool:
        """Whether the stream numbers of this connection are used up."""
        return self._next_wire_id > MAX_WIRE_ID

    # -- calls in, bytes out -----------------------------------------------------------------

    def open(self, fields: Sequence[Field], *, end_stream: bool) -> int:
        """Send a request's header block; returns the wire id."""
        wire_id = self._next_wire_id
        self._h2.send_headers(wire_id, fields, end_stream=end_stream)
        self._next_wire_id += 2
        self._streams[wire_id] = _Stream(
            Message(head=fields[0][1] == b"HEAD"), InboundWindow(self._stream_window)
        )
        if end_stream:
            self._end(wire_id)
        return wire_id

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
        if self._streams.pop(wire_id, None) is not None and not self._failed:
            # Where the last frame ended the stream on both sides, there is nothing left to reset.
            with contextlib.suppress(h2.exceptions.StreamClosedError):
                self._h2.reset_stream(wire_id, error_code)

    def credit(self, wire_id: int, size: int) -> None:
        """Tell that `size` bytes of a stream's body were consumed."""
        if stream := self._streams.get(wire_id):
            self._window_update(wire_id, stream.window.consumed(size))

    def window_left(self, wire_id: int) -> int:
        """Return how many bytes the peer may still send on an open stream."""
        return self._streams[wire_id].window.left

    def grow(self, wire_id: int) -> None:
        """Tell that a stream's reader waits with nothing to read."""
        if stream := self._streams.get(wire_id):
            self._window_update(wire_id, stream.window.grow(self._max_stream_window))

    def ping(self, payload: bytes) -> None:
        """Send a PING of eight bytes."""
        self._h2.ping(payload)

    def take(self) -> bytes:
        """Return the bytes to be sent, and forget them."""
        return self._h2.data_to_send()

    def close(self, error_code: int = 0) -> None:
        """Send GOAWAY: the connection takes no more part."""
        if not self._failed:
            self._failed = True
            self._h2.close_connection(error_code)

    def _end(self, wire_id: int) -> None:
        """Take note that the request is complete."""
        self._streams[wire_id].ended = True
        self._forget_if_over(wire_id)

    def _window_update(self, wire_id: int, increment: int) -> None:
        # A response that is complete needs no more credit: h2 refuses to give it some.
        if increment and not self._failed and not self._streams[wire_id].message.complete:
            self._h2.increment_flow_control_window(increment, wire_id)

    # -- bytes in, events out ----------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Take what came from the socket and tell what it meant."""
        events: list[Event] = []
        self._input += data
        start = 0
        while not self._failed and len(self._input) - start >= FRAME_HEADER.size:
            high, low, kind, flags, wire_id = FRAME_HEADER.unpack_from(self._input, start)
            length = high << 8 | low
            if not self._greeted and not self._check_greeting(kind, flags, start, events):
                break
            if length > MAX_FRAME:
                self._fail(
                    events, ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes, {MAX_FRAME} are allowed"
                )
                break
            end = start + FRAME_HEADER.size + length
            if len(self._input) < end:
                break
            self._receive_frame(kind, flags, wire_id & MAX_WIRE_ID, bytes(self._input[start:end]), events)
            start = end
        if self._failed:
            self._input.clear()
        else:
            del self._input[:start]
        return events

    def _check_greeting(self, kind: int, flags: int, start: int, events: list[Event]) -> bool:
        """Check that the peer begins with SETTINGS (RFC 9113 section 3.4), and say so if it is no HTTP/2."""
        if kind == SETTINGS and not flags & ACK:
            return True
        beginning = bytes(self._input[start : start + 64])
        reason = f"the peer did not begin with SETTINGS but with {beginning!r}"
        if beginning.startswith(b"HTTP/"):
            line = beginning.partition(b"\r\n")[0].decode("latin-1")
            reason = f"the peer answered in HTTP/1 on an HTTP/2 connection: {line}"
        self._fail(events, ErrorCode.PROTOCOL_ERROR, reason, not_http2=True)
        return False

    def _receive_frame(self, kind: int, flags: int, wire_id: int, frame: bytes, events: list[Event]) -> None:
        if kind == GOAWAY and wire_id == 0 and len(frame) >= 17 and not self._in_block:
            last, code = struct.unpack_from(">LL", frame, 9)
            events.append(GoAwayReceived(last & MAX_WIRE_ID, code, frame[17:]))
            return
        if reason := self._refusal(kind, flags, wire_id, len(frame) - FRAME_HEADER.size):
            self._fail(events, *reason)
            return
        if kind in (HEADERS, PUSH_PROMISE, CONTINUATION):
            self._in_block = not flags & END_HEADERS
        if kind == HEADERS:
            self._tap.end_stream = bool(flags & END_STREAM)
        if stream := self._streams.get(wire_id):
            self._judge_frame(kind, flags, wire_id, stream, frame, events)
        self._tap.expected = wire_id in self._streams
        try:
            for event in self._h2.receive_data(frame):
                self._translate(event, events)
        except h2.exceptions.ProtocolError as error:
            self._failed = True  # h2 has written GOAWAY
            events.append(ConnectionFailed(int(error.error_code), f"{error} ({code_name(error.error_code)})"))
            return
        if kind == DATA:
            self._credit_connection()

    def _refusal(self, kind: int, flags: int, wire_id: int, length: int) -> tuple[ErrorCode, str] | None:
        """Return what is wrong with a frame that h2 lets pass, or gives another name."""
        if kind == SETTINGS and flags & ACK and length:
            return ErrorCode.FRAME_SIZE_ERROR, f"an acknowledgement of SETTINGS with {length} bytes"
        idle = wire_id and (not wire_id % 2 or wire_id >= self._next_wire_id)
        if idle and kind in (DATA, HEADERS, RST_STREAM, WINDOW_UPDATE) and not self._in_block:
            return ErrorCode.PROTOCOL_ERROR, f"a frame of type {kind} on stream {wire_id}, which is idle"
        return None

    def _judge_frame(
        self, kind: int, flags: int, wire_id: int, stream: _Stream, frame: bytes, events: list[Event]
    ) -> None:
        """Reset the stream before h2 sees a frame that would make it close the connection."""
        if kind == DATA:
            padding = 1 + frame[9] if flags & PADDED and len(frame) > 9 else 0
            size = len(frame) - FRAME_HEADER.size - padding
            if size < 0:
                return  # a connection error, and h2 says so
            try:
                stream.message.data(size, end_stream=bool(flags & END_STREAM))
            except MalformedResponse as error:
                self._fail_stream(wire_id, error, events)
        elif kind == HEADERS:
            try:
                stream.message.check_block(end_stream=bool(flags & END_STREAM))
            except MalformedResponse as error:
                self._fail_stream(wire_id, error, events)

    def _translate(self, event: h2.events.Event, events: list[Event]) -> None:
        match event:
            case h2.events.DataReceived(stream_id=wire_id, data=data, stream_ended=ended):
                self._streams[wire_id].window.received(event.flow_controlled_length)
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
                if self._streams.pop(wire_id, None):
                    reason = "reset by the peer" if remote else "the peer overflowed our sending window"
                    events.append(StreamFailed(wire_id, int(code), f"{reason}: {code_name(code)}", remote))
            case h2.events.RemoteSettingsChanged():
                self._greeted = True
                events.append(SettingsReceived())
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
            events.append(ResponseReceived(wire_id, message.status, fields, message.length, end_stream))
        elif block is Block.TRAILERS:
            events.append(TrailersReceived(wire_id, fields))
        else:
            events.append(InformationalReceived(wire_id, int(fields[0][1]), fields))
        self._forget_if_over(wire_id)

    def _forget_if_over(self, wire_id: int) -> None:
        stream = self._streams[wire_id]
        if stream.ended and stream.message.complete:
            del self._streams[wire_id]

    def _fail_stream(self, wire_id: int, error: MalformedResponse, events: list[Event]) -> None:
        code = ErrorCode.PROTOCOL_ERROR if error.error_code is None else error.error_code
        self.reset(wire_id, code)
        events.append(StreamFailed(wire_id, code, str(error), remote=False))

    def _fail(self, events: list[Event], code: ErrorCode, reason: str, *, not_http2: bool = False) -> None:
        self.close(code)
        events.append(ConnectionFailed(code, f"{reason} ({code.name})", not_http2))

    def _credit_connection(self) -> None:
        left = self._h2.inbound_flow_control_window
        if left < CONNECTION_WINDOW // 2:
            self._h2.increment_flow_control_window(CONNECTION_WINDOW - left)
