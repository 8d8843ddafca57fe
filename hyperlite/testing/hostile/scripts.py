"""What more than one script does."""

import struct

from hyperframe.frame import PushPromiseFrame

from .case import pattern
from .line import Line

KB, MB = 1024, 1 << 20
LATER = 0.6  # the timeout of what must time out


def short(line: Line, size: int = 500) -> int:
    """Announce a thousand bytes and send fewer."""
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", "1000")])
    line.send_data(stream_id, pattern(size))
    return stream_id


def give_back(line: Line) -> None:
    """Give the connection's credit back for an upload that came to nothing."""
    line.window_update(0, MB)


def promise(line: Line, number: int, associated: int = 1) -> bytes:
    """Return a PUSH_PROMISE."""
    block = line.frames.block(
        [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", f"/{number}")]
    )
    return line.frames.raw(PushPromiseFrame.type, 4, associated, struct.pack(">L", number) + block)
