"""Bars that are drawn by rich (the extra `cli`)."""

from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from .text import width

# Columns of a bar's name, so that all of the bar fits into 80.
_NAME = 22


class RichBars:
    """A bar for each download; rich draws them anew ten times a second, on a thread of its own."""

    def __init__(self, stream: TextIO) -> None:
        # The terminal shows Ctrl-C as ^C, which would begin another line if the bars had the whole width.
        self._console = Console(file=stream, highlight=False, width=width() - 2)
        self._progress: Progress | None = None

    def begin(self, name: str, done: int, total: int | None) -> int:
        """Add a download; returns its number."""
        if self._progress is None:
            name_column = Column(width=_NAME, no_wrap=True, overflow="ellipsis")
            columns = (
                TextColumn("{task.description}", table_column=name_column, markup=False),
                BarColumn(bar_width=None),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(compact=True),
            )
            self._progress = Progress(*columns, console=self._console, expand=True)
            self._progress.start()
        return self._progress.add_task(name, total=total, completed=done)

    def update(self, number: int, done: int, total: int | None) -> None:
        """Show how much of it is there."""
        assert self._progress is not None
        self._progress.update(number, completed=done, total=total)  # type: ignore[arg-type]

    def end(self, number: int) -> None:
        """Leave its bar as it is."""
        assert self._progress is not None
        self._progress.stop_task(number)  # type: ignore[arg-type]

    def clear(self) -> None:
        """Make room for a line: rich has put itself in the place of `sys.stderr`, and does it."""

    def close(self) -> None:
        """Leave the bars, and give the cursor back."""
        if self._progress is not None:
            self._progress.stop()
