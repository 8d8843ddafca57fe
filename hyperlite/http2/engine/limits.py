"""What each side of a connection lets the other do: our limits, and the peer's SETTINGS."""

from typing import TYPE_CHECKING, NamedTuple

from .frames import CONCURRENT_BEFORE_SETTINGS, DEFAULT_FRAME
from .windows import DEFAULT_WINDOW

if TYPE_CHECKING:
    import h2.settings


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

    def apply(self, settings: "h2.settings.Settings") -> None:
        """Take what the peer has just said, as h2 has checked it."""
        self.greeted = True
        self.max_concurrent_streams = settings.max_concurrent_streams
        self.window = settings.initial_window_size
        self.max_frame = settings.max_frame_size
