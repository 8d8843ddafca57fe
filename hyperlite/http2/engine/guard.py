"""What a peer may not do, the same for both engines: rules that cost little and end at a number.

Each rule is checked before memory is spent on the frame.  A broken rule raises `Violation`, and the
engine then ends the connection.  No rule reads a clock, but the engine is told when the peer pauses:
an honest peer pauses between useless frames, such as a PING now and then, and a flood does not.
"""

import struct

from ...errors import ErrorCode
from ...messages.greetings import WANTS_TLS, is_tls
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
    MAX_WIRE_ID,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)

# Frames that bring nothing, in a row. nghttp2 lets 10,000 "glitches" pass at once and 330 a second
# after them, Go queues 10,000 frames of its own in answer to the peer's.
MAX_USELESS = 10_000
# What a useless frame takes of it, where that is not 1: these two concern the whole connection.
_COST = {SETTINGS: 10, GOAWAY: 10}
# Bytes of SETTINGS that count as one frame: a hundred settings. A frame has room for 10,922.
SETTINGS_SHARE = 600
# A late header block must be decoded like any other (RFC 9113 section 4.3): so many bytes of it cost 1.
BLOCK_SHARE = 256
# DATA that carries fewer bytes is a useless frame itself: a byte at a time is how CVE-2019-9511 does it, and
# a thousand of these are no flood. But servers send a frame for each line that is flushed (Go's).
TINY = 2
# Bytes of a body that make up for one useless frame.
USEFUL = 8
# Other things that make up for useless frames: a response's head; a frame of a request's body (servers
# answer each with two WINDOW_UPDATEs, and some with PING); a pause (PING once a second, for days).
HEAD_EARNS, FRAME_EARNS, PAUSE_EARNS = 16, 4, 4
# Frames of one header block. h2 takes 64, nghttp2 8 after the first, Go as many as fill its size limit.
MAX_BLOCK_FRAMES = 64
# And more only where longer header lists are allowed, in parts of this size.
SMALL_FRAGMENT = 4096
# Streams that ended before their time and whose frames may still be under way.
MAX_REMEMBERED = 1024

_CONNECTION_ALONE = frozenset({SETTINGS, PING, GOAWAY})
_STREAM_ALONE = frozenset({DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE, CONTINUATION})
_NEVER_IDLE = frozenset({DATA, HEADERS, RST_STREAM, WINDOW_UPDATE})
_LENGTHS = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
_NAMES = (
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
)


class Violation(Exception):
    """The peer broke a rule, and that ends the connection."""

    def __init__(self, code: int, reason: str, *, not_http2: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.not_http2 = not_http2


def check_greeting(beginning: bytes) -> None:
    """Check that the peer begins with SETTINGS (RFC 9113 section 3.4), and say so if it is no HTTP/2.

    A TLS alert is shorter than the header of a frame, and the last that comes: its first bytes are enough.

    Args:
        beginning: what has come so far, up to 64 bytes of it.
    """
    reason = f"the peer did not begin with SETTINGS but with {beginning!r}"
    if is_tls(beginning):
        raise Violation(ErrorCode.PROTOCOL_ERROR, f"{reason}: {WANTS_TLS}", not_http2=True)
    if len(beginning) < HEADER_SIZE:
        return
    head, flags, _ = FRAME_HEADER.unpack_from(beginning)
    if head & 0xFF == SETTINGS and not flags & ACK:
        return
    if beginning.startswith(b"HTTP/"):
        line = beginning.partition(b"\r\n")[0].decode("latin-1")
        reason = f"the peer answered in HTTP/1 on an HTTP/2 connection: {line}"
    raise Violation(ErrorCode.PROTOCOL_ERROR, reason, not_http2=True)


class Guard:
    """Counts what a peer may do only so often, on one connection.

    Args:
        max_header_list: bytes that one header block may have.
        push: the peer may push responses.
    """

    def __init__(self, max_header_list: int, *, push: bool = False) -> None:
        self._max_block = max_header_list
        self._max_block_frames = max(MAX_BLOCK_FRAMES, max_header_list // SMALL_FRAGMENT)
        self._push = push
        self.last_promised: int = 0  # the highest number of a promised stream
        # -- the header block that is under way, if `block_of` is not 0 --
        self.block_of: int = 0
        self.block_ends_stream: bool = False
        self._fragments: list[bytes] = []
        self._block_size = 0
        # -- frames that brought nothing --
        self.useless: int = 0
        # -- streams that ended before their time, and what may still come on them --
        self._cut_short: dict[int, int] = {}
        self._forgotten = 0  # the highest number among those that are not remembered any more

    # -- the nine bytes of a frame's header ------------------------------------------------------

    def check_header(self, kind: int, flags: int, wire_id: int, length: int, next_wire_id: int) -> None:
        """Check what the header alone shows, before the rest comes."""
        if length > MAX_FRAME:
            raise Violation(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes, {MAX_FRAME} are allowed")
        if self.block_of:
            if kind != CONTINUATION or wire_id != self.block_of:
                raise _breach(f"{_name(kind)} within the header block of stream {self.block_of}")
        elif kind == CONTINUATION:
            raise _breach("CONTINUATION of nothing")
        if (kind in _CONNECTION_ALONE and wire_id) or (kind in _STREAM_ALONE and not wire_id):
            raise _breach(f"{_name(kind)} on stream {wire_id}")
        if kind == PUSH_PROMISE and not self._push:
            raise _breach("PUSH_PROMISE, though SETTINGS_ENABLE_PUSH is 0")
        if (
            (kind in _LENGTHS and length != _LENGTHS[kind])
            or (kind == GOAWAY and length < 8)
            or (kind == SETTINGS and (length % 6 or (flags & ACK and length)))
            or (kind in (DATA, HEADERS, PUSH_PROMISE) and flags & PADDED and not length)
        ):
            raise Violation(ErrorCode.FRAME_SIZE_ERROR, f"{_name(kind)} of {length} bytes")
        first_idle = next_wire_id if wire_id % 2 else self.last_promised + 1
        if wire_id and kind in _NEVER_IDLE and wire_id >= first_idle:
            raise _breach(f"{_name(kind)} on stream {wire_id}, which is idle")

    # -- header blocks ---------------------------------------------------------------------------

    def begin_block(self, wire_id: int, flags: int, payload: bytes) -> bytes | None:
        """Take HEADERS; returns the whole block, or None if CONTINUATION is to follow."""
        fragment = block_fragment(flags, payload)
        self.block_ends_stream = bool(flags & END_STREAM)
        self.block_of = wire_id
        return self.continue_block(wire_id, flags, fragment)

    def begin_promise(self, wire_id: int, flags: int, payload: bytes) -> int:
        """Take PUSH_PROMISE; returns the number of the promised stream."""
        start, end = (1, len(payload) - payload[0]) if flags & PADDED else (0, len(payload))
        if end - start < 4:
            raise Violation(ErrorCode.FRAME_SIZE_ERROR, "PUSH_PROMISE without the number of a stream")
        promised: int = struct.unpack_from(">L", payload, start)[0] & MAX_WIRE_ID
        if promised % 2 or promised <= self.last_promised:
            raise _breach(f"PUSH_PROMISE of stream {promised}")
        self.last_promised = promised
        self.block_ends_stream = False
        self.block_of = wire_id
        self.continue_block(wire_id, flags, payload[start + 4 : end])
        return promised

    def continue_block(self, _wire_id: int, flags: int, fragment: bytes) -> bytes | None:
        """Take a further part; returns the whole block, or None if more is to follow."""
        self._fragments.append(fragment)
        self._block_size += len(fragment)
        if self._block_size > self._max_block:
            raise Violation(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"a header block of more than {self._max_block} bytes (max_header_list)",
            )
        if flags & END_HEADERS:
            block = b"".join(self._fragments)
            self._fragments = []
            self.block_of = self._block_size = 0
            return block
        if len(self._fragments) >= self._max_block_frames:
            raise Violation(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"a header block of more than {self._max_block_frames} frames (max_header_list)",
            )
        return None

    # -- frames that bring nothing ---------------------------------------------------------------

    def spend_on(self, kind: int, length: int) -> None:
        """Take note of a frame that brings nothing; a large one counts as several."""
        share = SETTINGS_SHARE if kind == SETTINGS else DEFAULT_FRAME
        self.spend(_COST.get(kind, 1) * max(1, -(-length // share)))

    def spend(self, cost: int) -> None:
        """Take note of a frame that brings nothing."""
        self.useless += cost
        if self.useless > MAX_USELESS:
            raise Violation(
                ErrorCode.ENHANCE_YOUR_CALM, f"a flood: {MAX_USELESS} frames in a row that bring nothing"
            )

    def earn(self, units: int) -> None:
        """Take note of something useful, which makes up for so many useless frames."""
        if self.useless:
            self.useless = max(0, self.useless - units)

    # -- streams that are over -------------------------------------------------------------------

    def cut_short(self, wire_id: int, window: int) -> None:
        """Remember a stream that ended before its time, and how many bytes may still come on it."""
        self._cut_short[wire_id] = window
        if len(self._cut_short) > MAX_REMEMBERED:
            oldest = next(iter(self._cut_short))
            del self._cut_short[oldest]
            self._forgotten = max(self._forgotten, oldest)

    def late_headers(self, wire_id: int, length: int) -> None:
        """Take note of HEADERS on a stream that is over."""
        self._check_late(HEADERS, wire_id)
        self.spend(1 + length // BLOCK_SHARE)

    def late_data(self, wire_id: int, length: int) -> None:
        """Take note of DATA on a stream that is over: the peer may not have heard of it yet.

        It cannot have more than the stream's window under way.
        """
        self._check_late(DATA, wire_id)
        self.spend(1 if length < TINY or wire_id not in self._cut_short else 0)
        if wire_id in self._cut_short:
            self._cut_short[wire_id] -= length
            if self._cut_short[wire_id] < 0:
                raise Violation(
                    ErrorCode.FLOW_CONTROL_ERROR,
                    f"more DATA on stream {wire_id}, which was reset, than its window",
                )

    def _check_late(self, kind: int, wire_id: int) -> None:
        """Check that a stream which is over was not ended by the peer itself (RFC 9113 section 5.1)."""
        if wire_id not in self._cut_short and wire_id > self._forgotten:
            raise Violation(
                ErrorCode.STREAM_CLOSED, f"{_name(kind)} on stream {wire_id} after its END_STREAM"
            )


def data_size(flags: int, payload_length: int, first: int) -> int:
    """Return how many bytes of a DATA frame's payload are body; `first` is the payload's first byte.

    Raises:
        Violation: the padding is longer than the frame (RFC 9113 section 6.1).
    """
    if not flags & PADDED:
        return payload_length
    size = payload_length - 1 - first
    if size < 0:
        raise _breach("DATA with more padding than there is room")
    return size


def block_fragment(flags: int, payload: bytes) -> bytes:
    """Return the part of a HEADERS frame's payload that is header block (RFC 9113 section 6.2).

    Raises:
        Violation: the padding, or a priority (which is obsolete and ignored), is longer than the frame.
    """
    start, end = 0, len(payload)
    if flags & PADDED:
        start, end = 1, end - payload[0]
    if flags & HAS_PRIORITY:
        start += 5
        if start > len(payload):
            raise Violation(ErrorCode.FRAME_SIZE_ERROR, "HEADERS with half a priority")
    if start > end:
        raise _breach("HEADERS with more padding than there is room")
    return payload[start:end]


def increment_of(payload: bytes) -> int:
    """Return the increment of a WINDOW_UPDATE; a reserved bit is ignored, none at all is a breach.

    RFC 9113 section 6.9 makes an increment of 0 an error of its stream alone, where there is one.  h2 and
    nghttp2 end the connection for it, as section 5.4.2 allows: a peer that sends it counts wrong.
    """
    increment: int = struct.unpack(">L", payload)[0] & MAX_WIRE_ID
    if not increment:
        raise _breach("WINDOW_UPDATE with an increment of 0")
    return increment


def _name(kind: int) -> str:
    return _NAMES[kind] if kind < len(_NAMES) else f"a frame of type {kind:#x}"


def _breach(reason: str) -> Violation:
    return Violation(ErrorCode.PROTOCOL_ERROR, reason)
