"""Frames as they pass, in and out: for `set_debuglevel()`, the log, and observers."""

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from hpack import HPACKError

from ...errors import code_name
from ...observing import Frame
from ...stock import say
from .events import Event
from .frames import PREFACE
from .hpack_decoder import MemoDecoder
from .interface import Engine

_HEADER = struct.Struct(">HBBBL")
_KINDS = {
    0: "DATA",
    1: "HEADERS",
    2: "PRIORITY",
    3: "RST_STREAM",
    4: "SETTINGS",
    5: "PUSH_PROMISE",
    6: "PING",
    7: "GOAWAY",
    8: "WINDOW_UPDATE",
    9: "CONTINUATION",
    12: "ORIGIN",
    16: "PRIORITY_UPDATE",
}
_FLAGS = {
    "DATA": {0x1: "END_STREAM", 0x8: "PADDED"},
    "HEADERS": {0x1: "END_STREAM", 0x4: "END_HEADERS", 0x8: "PADDED", 0x20: "PRIORITY"},
    "SETTINGS": {0x1: "ACK"},
    "PING": {0x1: "ACK"},
    "CONTINUATION": {0x4: "END_HEADERS"},
    "PUSH_PROMISE": {0x4: "END_HEADERS", 0x8: "PADDED"},
}
_SETTINGS = {
    1: "HEADER_TABLE_SIZE",
    2: "ENABLE_PUSH",
    3: "MAX_CONCURRENT_STREAMS",
    4: "INITIAL_WINDOW_SIZE",
    5: "MAX_FRAME_SIZE",
    6: "MAX_HEADER_LIST_SIZE",
    8: "ENABLE_CONNECT_PROTOCOL",
    9: "NO_RFC7540_PRIORITIES",
}
# Bytes of a header block that is shown; what a connection accepts is bounded by its engine.
_MOST = 1 << 20


# Is called with each frame, under the connection's lock.
Sink: TypeAlias = Callable[[Frame], None]


def show(frame: Frame) -> None:
    """Print a frame, and header fields as http.client does: what `set_debuglevel()` asks for."""
    say("frame out:" if frame.outgoing else "frame in:", frame)
    for name, value in frame.fields:
        say("send:" if frame.outgoing else "header:", f"{name}:", value)


class Frames:
    """Takes the frames of one direction apart, however their bytes are cut.

    Args:
        outgoing: the direction.
        tell: is given each frame.
        begun: the bytes of an incomplete frame that have passed already.
        fresh: nothing has passed yet, so that header blocks can be decoded.
    """

    def __init__(self, outgoing: bool, tell: Sink, begun: bytes = b"", *, fresh: bool) -> None:
        self._outgoing = outgoing
        self._tell = tell
        self._pending = bytearray(begun)
        self._decoder: MemoDecoder | None = MemoDecoder(_MOST) if fresh else None
        self._block = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes, and tell the frames that are complete."""
        self._pending += data
        if self._pending.startswith(PREFACE):
            self._tell(Frame(self._outgoing, "preface", 0, len(PREFACE)))
            del self._pending[: len(PREFACE)]
        while len(self._pending) >= _HEADER.size:
            high, low, number, bits, stream_id = _HEADER.unpack_from(self._pending)
            end = _HEADER.size + (high << 8 | low)
            if len(self._pending) < end:
                return
            payload = bytes(self._pending[_HEADER.size : end])
            del self._pending[:end]
            self._tell(self._frame(number, bits, stream_id & 0x7FFFFFFF, payload))

    def _frame(self, number: int, bits: int, stream_id: int, payload: bytes) -> Frame:
        kind = _KINDS.get(number, f"type {number:#x}")
        flags = tuple(word for bit, word in _FLAGS.get(kind, {}).items() if bits & bit)
        fields: tuple[tuple[str, str], ...] = ()
        if kind in ("HEADERS", "PUSH_PROMISE", "CONTINUATION"):
            self._block += _fragment(kind, flags, payload)
            if "END_HEADERS" in flags or len(self._block) > _MOST:
                fields = self._decoded()
        return Frame(self._outgoing, kind, stream_id, len(payload), flags, fields, _detail(kind, payload))

    def _decoded(self) -> tuple[tuple[str, str], ...]:
        block, self._block = bytes(self._block), bytearray()
        if self._decoder is None:
            return ()
        try:
            found = self._decoder.decode(block)
        except HPACKError:  # the engine says so; what comes after it cannot be decoded
            self._decoder = None
            return ()
        return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in found)


def _fragment(kind: str, flags: tuple[str, ...], payload: bytes) -> bytes:
    """Return the part of a header block that is in a frame."""
    start, end = 0, len(payload)
    if "PADDED" in flags and payload:
        start, end = 1, max(1, end - payload[0])
    start += 5 if "PRIORITY" in flags else 4 if kind == "PUSH_PROMISE" else 0
    return payload[start:end]


def _detail(kind: str, payload: bytes) -> str:
    """Return in words what a frame's payload says."""
    try:
        if kind == "SETTINGS":
            pairs = struct.iter_unpack(">HL", payload)
            return " ".join(f"{_SETTINGS.get(name, hex(name))}={value}" for name, value in pairs)
        if kind == "WINDOW_UPDATE":
            return f"+{struct.unpack('>L', payload)[0] & 0x7FFFFFFF}"
        if kind == "RST_STREAM":
            return code_name(*struct.unpack(">L", payload))
        if kind == "GOAWAY":
            last, code = struct.unpack_from(">LL", payload)
            said = payload[8:208].decode("latin-1")
            return f"last stream {last & 0x7FFFFFFF}, {code_name(code)} {said}".rstrip()
        if kind == "PUSH_PROMISE":
            return f"promises stream {struct.unpack_from('>L', payload)[0] & 0x7FFFFFFF}"
        if kind == "PRIORITY_UPDATE":
            return f"of stream {struct.unpack_from('>L', payload)[0]}: {payload[4:].decode('latin-1')}"
    except struct.error:
        return "malformed"
    return ""


class TracedEngine:
    """An engine whose frames are told as they pass.

    Args:
        engine: the engine.
        sinks: each is given each frame.
        fresh: nothing has passed yet.

    Attributes:
        untraced: the engine without that.
        sinks: the same.
    """

    def __init__(self, engine: Engine, sinks: tuple[Sink, ...], *, fresh: bool) -> None:
        self.untraced = engine
        self.sinks = sinks
        self._incoming = Frames(False, self._tell, engine.pending, fresh=fresh)
        self._outgoing = Frames(True, self._tell, fresh=fresh)

    def _tell(self, frame: Frame) -> None:
        for sink in self.sinks:
            sink(frame)

    def receive(self, *pieces: bytes) -> list[Event]:
        """Tell the frames that came, and give them to the engine."""
        for piece in pieces:
            self._incoming.feed(piece)
        return self.untraced.receive(*pieces)

    def take(self) -> bytes:
        """Tell the frames to be sent, and return them."""
        data = self.untraced.take()
        self._outgoing.feed(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.untraced, name)
