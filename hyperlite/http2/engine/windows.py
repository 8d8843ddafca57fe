"""How much the peer may send: the inbound flow-control policy, as arithmetic (RFC 9113 section 5.2).

A stream's window is returned as its reader consumes, so a slow reader slows one stream.  The
connection's window is returned on receipt, so unread streams never starve their siblings.  The sum of
the stream windows bounds the memory.
"""

# A hundred unread streams hold 100 MiB at the most. Go: 4 MiB a stream, curl 10 MB, Firefox 128 KiB.
STREAM_WINDOW = 1 << 20
# What a window grows to while its reader waits: 16 MiB fills 1.3 Gbit/s at 100 ms of latency.
MAX_STREAM_WINDOW = 16 << 20
# By what factor it grows: two round trips from the first width to the last.
GROWTH = 4
# The part of a window that is read before the peer gets credit for it.
CREDIT_SHARE = 8
# So wide that only stream windows hold a body back: half of what the protocol can express.
CONNECTION_WINDOW = 1 << 30
# RFC 9113 section 6.9.2.
DEFAULT_WINDOW = 65535


class InboundWindow:
    """How much the peer may still send on one stream, and when to allow it more.

    Attributes:
        size: of the whole window.
        left: bytes that the peer may still send. The engine subtracts what comes, padding included; below 0
            the peer sent more than allowed.
    """

    __slots__ = ("_before", "_pending", "left", "size")

    def __init__(self, size: int) -> None:
        self.size: int = size
        self.left: int = size
        self._pending = 0
        self._before = size  # what `left` would be if nothing had come since the window last grew

    def consumed(self, size: int) -> int:
        """Take note of what was read; returns the increment to send now, or 0.

        An eighth of a window at a time: one WINDOW_UPDATE for many frames, and yet nearly the whole
        window is always with the peer. Credit that is held back costs bandwidth where latency is high.
        """
        self._pending += size
        if self._pending * CREDIT_SHARE < self.size:
            return 0
        increment, self._pending = self._pending, 0
        self.left += increment
        self._before += increment
        return increment

    def widen(self, size: int) -> int:
        """Make the window at least `size` wide; returns the increment to send now, or 0."""
        increment = size - self.size
        if increment <= 0:
            return 0
        self.size = size
        increment, self._pending = increment + self._pending, 0
        self.left += increment
        self._before += increment
        return increment

    def grow(self, limit: int) -> int:
        """Widen the window, up to `limit`, if a windowful came since it last grew; returns the increment.

        Called while the reader has nothing to read: then the window is the limit, not the reader.
        """
        if self._before - self.left < self.size:
            return 0
        self._before = self.left
        return self.widen(min(GROWTH * self.size, limit))
