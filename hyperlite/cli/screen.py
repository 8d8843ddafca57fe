"""Standard error, as `get` uses it: sentences, and a bar for each download that takes long.

On a terminal `rich` draws the bars, if it is installed (the extra `cli`); otherwise a line of text stands for
all of them.  Where standard error is no terminal, there are none.
"""

import os
import sys
import threading
import time
from typing import Protocol, Self, TextIO

from .text import width, write

# Seconds that a download may take without a bar: most are over by then, and rich takes a while to import.
PATIENCE = 0.5
# Seconds between two looks of a line of progress.
_FRAME = 0.1


class Bars(Protocol):
    """What draws progress."""

    def begin(self, name: str, done: int, total: int | None) -> int:
        """Add a download; returns its number."""
        ...

    def update(self, number: int, done: int, total: int | None) -> None:
        """Show how much of it is there."""
        ...

    def end(self, number: int) -> None:
        """Take note that it is over, whole or not."""
        ...

    def clear(self) -> None:
        """Make room for a line of text."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class Screen:
    """Standard error.  Several threads may use it.

    Args:
        bars: show bars, if it is a terminal.
    """

    def __init__(self, *, bars: bool) -> None:
        self._shows_bars = bars and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._lock = threading.Lock()
        self._bars: Bars | None = None

    def say(self, text: str) -> None:
        """Write a line."""
        with self._lock:
            if self._bars is not None:
                self._bars.clear()
            write([(f"{text}\n", "")])

    def bar(self, name: str) -> "Bar":
        """Return what a download calls with its progress.

        Args:
            name: what stands before the bar.
        """
        return Bar(self, name)

    def show(self, number: int | None, name: str, done: int, total: int | None) -> int | None:
        """Show how far a download is; returns the number of its bar, or None.

        Args:
            number: of its bar; None: it has none yet.
            name: what stands before the bar.
            done: bytes that are there.
            total: bytes of the whole, or None.
        """
        if not self._shows_bars:
            return None
        with self._lock:
            if self._bars is None:
                self._bars = _bars()
            if number is None:
                return self._bars.begin(name, done, total)
            self._bars.update(number, done, total)
            return number

    def hide(self, number: int) -> None:
        """Take note that a download is over."""
        with self._lock:
            if self._bars is not None:
                self._bars.end(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._bars is not None:
                self._bars.close()


def _bars() -> Bars:
    try:
        from .rich_bars import RichBars  # noqa: PLC0415  it takes long
    except ImportError:  # an extra has rich
        return PlainBars(sys.stderr)
    return RichBars(sys.stderr)


class Bar:
    """The progress of one download: called with the bytes that are there, and those of the whole or None."""

    def __init__(self, screen: Screen, name: str) -> None:
        self._screen = screen
        self._name = name
        self._from = time.monotonic() + PATIENCE
        self._number: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Show it, unless the download has only begun."""
        if time.monotonic() >= self._from:
            self._number = self._screen.show(self._number, self._name, done, total)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._number is not None:
            self._screen.hide(self._number)


class PlainBars:
    """One line of text for all downloads under way, without rich."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._names: list[str] = []
        self._under_way: dict[int, tuple[int, int | None]] = {}
        self._drawn_at = 0.0
        self._began = time.monotonic()
        self._moved = 0

    def begin(self, name: str, done: int, total: int | None) -> int:
        """Add a download; returns its number."""
        self._names.append(name)
        number = len(self._names) - 1
        self._under_way[number] = done, total
        return number

    def update(self, number: int, done: int, total: int | None) -> None:
        """Draw the line anew, unless it was drawn just now."""
        self._moved += done - self._under_way[number][0]
        self._under_way[number] = done, total
        now = time.monotonic()
        if now >= self._drawn_at + _FRAME:
            self._drawn_at = now
            self._stream.write(f"\r\x1b[K{self._line(now)}")
            self._stream.flush()

    def _line(self, now: float) -> str:
        """Return what is under way, on one line."""
        done = sum(so_far for so_far, _ in self._under_way.values())
        totals = [total for _, total in self._under_way.values()]
        whole = sum(total for total in totals if total is not None) if None not in totals else 0
        number, *others = self._under_way
        name = f"{len(others) + 1} downloads" if others else self._names[number]
        speed = self._moved / max(now - self._began, 0.001)
        words = [f"{name[:22]:<22}", f"{done * 100 // whole:3} %" if whole else "     ", size(done)]
        words += [f"of {size(whole)}"] if whole else []
        words.append(f"{size(speed)}/s")
        if whole and speed:
            left = int((whole - done) / speed)
            words.append(f"{left // 60}:{left % 60:02} left")
        return "  ".join(words)[: width() - 3]  # the terminal shows Ctrl-C as ^C behind it

    def end(self, number: int) -> None:
        """Take a download off the line."""
        del self._under_way[number]
        if not self._under_way:
            self.close()

    def clear(self) -> None:
        """Remove the line; the next piece of a body draws it anew."""
        if self._drawn_at:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Remove the line."""
        self.clear()


def size(count: float) -> str:
    """Return a number of bytes in words: "12.3 MB"."""
    if count < 1000:
        return f"{count:.0f} bytes"
    units = ["kB", "MB", "GB"]
    count /= 1000
    while count >= 999.95 and len(units) > 1:
        count /= 1000
        del units[0]
    return f"{count:.1f} {units[0]}"
