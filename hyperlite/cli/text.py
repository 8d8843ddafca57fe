"""Text with styles, on standard error: colours on a terminal alone, and never where NO_COLOR is set.

Nothing else is needed for them.  While bars are drawn there, rich has replaced `sys.stderr`, and shows above
the bars what is written.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import TextIO, TypeAlias

# Text, and how it is to look: one of `_STYLES`, or "".
Piece: TypeAlias = tuple[str, str]
# Writes pieces, which have their line ends; several threads may call it.
Write: TypeAlias = Callable[[Iterable[Piece]], None]

# "Select Graphic Rendition" (ECMA-48 section 8.3.117): colours that are readable on light and on dark.
_STYLES = {"dim": "2", "red": "31", "green": "32", "blue": "34", "magenta": "35", "cyan": "36"}
# What stands for characters that are not in every encoding.
_ASCII = str.maketrans({"▇": "#", "━": "=", "·": ".", "┄": "-", "✗": "x", "…": "..."})
# Columns, where the width of the screen is not known.
_WIDTH = 80


class Line:
    """The line of the terminal at which standard output has stopped.

    Attributes:
        is_open: it has text, and no end yet.
    """

    def __init__(self) -> None:
        self.is_open: bool = False


LINE = Line()


def write(pieces: Iterable[Piece]) -> None:
    """Write pieces to standard error, all at once."""
    # What rich puts in the place of sys.stderr knows neither its encoding nor whether it is a terminal.
    real = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
    coloured = has_colour(real)
    text = "".join(_styled(*piece) if coloured else piece[0] for piece in pieces)
    if LINE.is_open and real.isatty():
        text, LINE.is_open = f"\n{text}", False
    try:
        text.encode(real.encoding)
    except UnicodeError:
        text = text.translate(_ASCII)
    with contextlib.suppress(OSError):  # a transfer does not fail because nothing can be said of it
        sys.stderr.write(text)
        sys.stderr.flush()


def has_colour(file: TextIO) -> bool:
    """Tell whether text in a file may be coloured: https://no-color.org."""
    return file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Return the columns of the terminal that standard error is; 80 if it is none."""
    if (given := os.environ.get("COLUMNS", "")).isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(sys.__stderr__.fileno()).columns or _WIDTH  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):  # there is none; it is no terminal; it is closed
        return _WIDTH


def _styled(text: str, style: str) -> str:
    """Return text in its style, which ends before the end of the line."""
    if not (style and text):
        return text
    shown = text.rstrip("\n")
    return f"\x1b[{_STYLES[style]}m{shown}\x1b[0m{text[len(shown) :]}"
