"""`--frames`: each frame of HTTP/2, with the time at which it passed.

::

          ms conn   kind            stream  length
         1.9    1 > HEADERS              1      57  END_STREAM END_HEADERS
                  > :method: GET
         8.3    1 < DATA                 1    2113  END_STREAM
"""

import time
from collections.abc import Callable, Iterator

from ..observing import ConnectionInfo, Frame, Observer
from ..telling import shown
from .exits import harmless
from .text import Piece, Write

_HEADING = f"{'ms':>10} {'conn':>4}   {'kind':<15} {'stream':>6} {'length':>8}\n"
# Where the header fields of a frame begin.
_INDENT = 16


class FrameLines(Observer):
    """Writes a line for each frame, and one for each header field that it ends.

    Args:
        write: writes text on the screen.
        secrets: show secrets, too.
        clock: the monotonic time.
    """

    def __init__(
        self, write: Write, *, secrets: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._secrets = secrets
        self._clock = clock
        self._began = clock()
        self._is_begun = False

    def dialled(self, connection: ConnectionInfo) -> None:
        """Say of a connection that it has no frames."""
        if connection.protocol != "h2":
            self._write([(f"connection {connection.number} speaks HTTP/1.1, which has no frames\n", "dim")])

    def frame(self, connection: ConnectionInfo, frame: Frame) -> None:
        """Show a frame."""
        now = 1000 * (self._clock() - self._began)
        if not self._is_begun:
            self._is_begun = True
            self._write([(_HEADING, "dim")])
        self._write([(f"{now:>10.1f} {connection.number:>4} ", "dim"), *self._pieces(frame)])

    def _pieces(self, frame: Frame) -> Iterator[Piece]:
        mark, style = (">", "cyan") if frame.outgoing else ("<", "green")
        lines = frame.detail.split() if frame.kind == "SETTINGS" else []  # too long for one line
        said = [*frame.flags] if lines else [*frame.flags, frame.detail]
        yield f"{mark} {frame.kind:<15}", style
        where = f" {frame.stream_id:>6} {frame.length:>8}  {' '.join(said)}"
        yield f"{harmless(where.rstrip())}\n", ""
        for name, value in frame.fields:
            lines.append(f"{name}: {value if self._secrets else shown(name, value)}")
        for line in lines:
            yield f"{'':{_INDENT}}{mark} {harmless(line)}\n", style
