"""What each side of a connection lets the other do: our limits, and the peer's SETTINGS."""

from collections.abc import Mapping
from typing import NamedTuple

from .frames import CONCURRENT_BEFORE_SETTINGS, DEFAULT_FRAME
from .windows import DEFAULT_WINDOW

# RFC 9113 section 6.5.2; the last is of RFC 8441.
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS = 1, 2, 3
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 4, 5, 6
ENABLE_CONNECT_PROTOCOL = 8
# More than a peer can name: it has not limited its streams.
_UNLIMITED = 2**32


class Limits(NamedTuple):
    """What we let the peer do; `make_engine` has the defaults.

    Attributes:
        stream_window: bytes that it may send on a stream before its reader has read any.
        max_stream_window: bytes that the window may grow to while its reader waits.
        max_header_list: bytes of one decoded header list (RFC 9113 section 10.5.1).
        max_fields: fields of one header block.
    """

    stream_window: int
    max_stream_window: int
    max_header_list: int
    max_fields: int


class PeerSettings:
    """What the peer lets us do: until its SETTINGS come, the defaults of RFC 9113 section 6.5.2.

    Attributes:
        greeted: they have come.
        max_concurrent_streams: how many streams we may have open at once.
        window: bytes that we may send on a new stream before the peer gives credit.
        max_frame: the largest payload of a frame.
    """

    __slots__ = ("greeted", "max_concurrent_streams", "max_frame", "window")

    def __init__(self) -> None:
        self.greeted: bool = False
        self.max_concurrent_streams: int = CONCURRENT_BEFORE_SETTINGS
        self.window: int = DEFAULT_WINDOW
        self.max_frame: int = DEFAULT_FRAME

    def apply(self, named: Mapping[int, int]) -> None:
        """Take what the peer's SETTINGS say: by number, checked; what is not named stays."""
        if not self.greeted:
            self.greeted = True
            self.max_concurrent_streams = _UNLIMITED
        self.max_concurrent_streams = named.get(MAX_CONCURRENT_STREAMS, self.max_concurrent_streams)
        self.window = named.get(INITIAL_WINDOW_SIZE, self.window)
        self.max_frame = named.get(MAX_FRAME_SIZE, self.max_frame)
