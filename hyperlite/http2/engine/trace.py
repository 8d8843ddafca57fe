"""What `set_debuglevel()` shows of HTTP/2: each frame, in and out, as one readable line."""

import struct
from typing import Any

from ...stock import say
from .events import Event
from .interface import Engine

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADER = struct.Struct(">HBBBL")
_KINDS = [
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
]
_FLAGS = {
    "DATA": {0x1: "END_STREAM", 0x8: "PADDED"},
    "HEADERS": {0x1: "END_STREAM", 0x4: "END_HEADERS", 0x8: "PADDED", 0x20: "PRIORITY"},
    "SETTINGS": {0x1: "ACK"},
    "PING": {0x1: "ACK"},
    "CONTINUATION": {0x4: "END_HEADERS"},
    "PUSH_PROMISE": {0x4: "END_HEADERS", 0x8: "PADDED"},
}


class Frames:
    """Prints the frames of one direction, however its bytes are cut.

    Args:
        label: what each line begins with.
        begun: the bytes of an incomplete frame that have passed already.
    """

    def __init__(self, label: str, begun: bytes = b"") -> None:
        self._label = label
        self._pending = bytearray(begun)

    def feed(self, data: bytes) -> None:
        """Take bytes, and print the frames that are complete."""
        self._pending += data
        if self._pending.startswith(PREFACE):
            say(self._label, "preface")
            del self._pending[: len(PREFACE)]
        while len(self._pending) >= _HEADER.size:
            high, low, kind, flags, stream_id = _HEADER.unpack_from(self._pending)
            length = high << 8 | low
            if len(self._pending) < _HEADER.size + length:
                return
            say(self._label, describe(kind, flags, stream_id & 0x7FFFFFFF, length))
            del self._pending[: _HEADER.size + length]


def describe(kind: int, flags: int, stream_id: int, length: int) -> str:
    """Return a frame's header in words."""
    name = _KINDS[kind] if kind < len(_KINDS) else f"type {kind:#x}"
    known = _FLAGS.get(name, {})
    words = [word for bit, word in known.items() if flags & bit]
    return " ".join([name, f"stream {stream_id}", f"{length} bytes", *words])


class TracedEngine:
    """An engine whose frames are printed as they pass.

    Attributes:
        untraced: the engine without that.
    """

    def __init__(self, engine: Engine) -> None:
        self.untraced = engine
        self._incoming = Frames("frame in:", engine.pending)
        self._outgoing = Frames("frame out:")

    def receive(self, *pieces: bytes) -> list[Event]:
        """Print the frames that came, and give them to the engine."""
        for piece in pieces:
            self._incoming.feed(piece)
        return self.untraced.receive(*pieces)

    def take(self) -> bytes:
        """Print the frames to be sent, and return them."""
        data = self.untraced.take()
        self._outgoing.feed(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.untraced, name)
