"""What a server has seen: the requests, and the frames of HTTP/2 in both directions."""

import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hyperlite.testing.messages import Request

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = struct.Struct(">BHBBL")  # 24 bits of length, type, flags, stream
_NAMES = {
    0x0: "DATA",
    0x1: "HEADERS",
    0x2: "PRIORITY",
    0x3: "RST_STREAM",
    0x4: "SETTINGS",
    0x5: "PUSH_PROMISE",
    0x6: "PING",
    0x7: "GOAWAY",
    0x8: "WINDOW_UPDATE",
    0x9: "CONTINUATION",
    0x10: "PRIORITY_UPDATE",
}
_FLAGS = {0x1: "END_STREAM", 0x4: "END_HEADERS", 0x8: "PADDED", 0x20: "PRIORITY"}
_ACKNOWLEDGED = ("SETTINGS", "PING")
# Seconds after which a waiting thread looks again at what is no record, such as a body that has arrived.
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that a server has sent or received."""

    connection: int
    """The number of the connection: the first that the server accepted is 1."""
    sent: bool
    """Whether the server has sent it; otherwise the client has."""
    type: str
    """The name of RFC 9113 section 6, such as "HEADERS"; a number in hexadecimal if it has none."""
    stream_id: int
    """The stream; 0 is the connection."""
    flags: frozenset[str]
    """Those of END_STREAM, END_HEADERS, PADDED, PRIORITY and ACK that are set."""
    length: int
    """Bytes of the payload."""
    error_code: int | None = None
    """The error code of a RST_STREAM or a GOAWAY."""
    last_stream_id: int | None = None
    """The last stream that a GOAWAY promises to look at."""


class FrameReader:
    """Finds the frames in the bytes of one direction of one connection."""

    def __init__(self, connection: int, *, sent: bool) -> None:
        """Take the connection's number and the direction."""
        self._connection = connection
        self._sent = sent
        self._data = bytearray()
        self._begun = sent  # a client begins with the preface

    def read(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete with these bytes."""
        self._data += data
        if not self._begun:
            if len(self._data) < len(_PREFACE):
                return
            del self._data[: len(_PREFACE)]
            self._begun = True
        while len(self._data) >= _HEAD.size:
            high, low, number, flags, stream_id = _HEAD.unpack_from(self._data)
            end = _HEAD.size + (high << 16 | low)
            if len(self._data) < end:
                return
            yield self._frame(number, flags, stream_id & 0x7FFFFFFF, bytes(self._data[_HEAD.size : end]))
            del self._data[:end]

    def _frame(self, number: int, flags: int, stream_id: int, payload: bytes) -> Frame:
        name = _NAMES.get(number, f"{number:#x}")
        names = {1: "ACK"} if name in _ACKNOWLEDGED else _FLAGS
        error_code = last = None
        if name == "RST_STREAM" and len(payload) == 4:
            error_code = int.from_bytes(payload)
        elif name == "GOAWAY" and len(payload) >= 8:
            last, error_code = struct.unpack_from(">LL", payload)
        return Frame(
            self._connection,
            self._sent,
            name,
            stream_id,
            frozenset(text for bit, text in names.items() if flags & bit),
            len(payload),
            error_code,
            last,
        )


class Records:
    """What one server has seen so far. Any thread may call."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._frames: list[Frame] = []

    @property
    def requests(self) -> list[Request]:
        """The requests, in the order they were taken."""
        with self._changed:
            return self._requests.copy()

    @property
    def frames(self) -> list[Frame]:
        """The frames of all HTTP/2 connections, in their order."""
        with self._changed:
            return self._frames.copy()

    def add_request(self, request: Request) -> None:
        """Keep a request."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def add_frames(self, reader: FrameReader, data: bytes) -> None:
        """Keep the frames in further bytes of a connection."""
        with self._changed:
            self._frames.extend(reader.read(data))
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[], object], seconds: float) -> None:
        """Wait until a condition holds. Raises TimeoutError when it does not within so many seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                raise TimeoutError(f"What the server was to see has not come within {seconds:g} s.")
            with self._changed:
                self._changed.wait(_LOOK)
