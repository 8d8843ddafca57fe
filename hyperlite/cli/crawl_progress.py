"""How far a crawl is: a line on a terminal, drawn again and again, or lines of JSON; a table at the end."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..crawling.progress import CrawlProgress
from ..crawling.summary import CrawlSummary
from ..crawling.wording import lasting, sized
from .text import has_colour, width, write

_BAR = 20
# Seconds between two lines of JSON.
_PAUSE = 1.0


@contextlib.contextmanager
def progress_for(options: argparse.Namespace) -> Iterator[Callable[[CrawlProgress], None] | None]:
    """Return what shows how far a crawl is, on standard error; None: nothing is to be shown."""
    if options.log_json:
        yield _JSONLines().show
    elif options.quiet or not sys.stderr.isatty():
        yield None
    else:
        try:
            yield _draw
        finally:
            sys.stderr.write("\n")


class _JSONLines:
    """Writes a line of JSON each second, and one when all is done."""

    def __init__(self) -> None:
        self._next = 0.0

    def show(self, progress: CrawlProgress) -> None:
        now = time.monotonic()
        if now >= self._next or progress.done == progress.urls:
            self._next = now + _PAUSE
            print(json.dumps(progress._asdict()), file=sys.stderr, flush=True)


def _draw(progress: CrawlProgress) -> None:
    """Draw the line in the place of the last one."""
    share = progress.done / progress.urls if progress.urls else 1.0
    filled = round(share * _BAR)
    facts = [
        f"{'━' * filled}{'┄' * (_BAR - filled)} {progress.done:,} of {progress.urls:,}",
        f"{progress.rate:,.0f}/s",
        f"{progress.hosts:,} host{'s' * (progress.hosts != 1)}",
        sized(progress.size),
    ]
    if progress.http2 is not None:
        facts.append(f"{progress.http2:.0%} HTTP/2")
    if progress.remaining is not None:
        facts.append(f"{lasting(progress.remaining)} left")
    if progress.failed:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in list(progress.errors.items())[:3])
        facts.append(f"{progress.failed:,} failed ({kinds})")
    line = "  ".join(facts)[: width() - 1]
    write([(f"\r\x1b[K{line}" if has_colour(sys.stderr) else f"\r{line:<{width() - 1}}", "")])


# Options of a run that are worth a note.
_NOTES = {
    "ignore_robots": "without robots.txt",
    "allow_private": "private addresses allowed",
}


def summary_table(
    summary: CrawlSummary, runs: list[tuple[float, float | None, str | None, dict[str, Any]]] | None = None
) -> str:
    """Return a table of what has become of a crawl.

    Args:
        summary: of the crawl.
        runs: its runs, to be shown as well.
    """
    rows = [
        ("URLs", f"{summary.urls:,}"),
        ("hosts", f"{summary.hosts:,}"),
        ("duplicates", f"{summary.duplicates:,}"),
        ("fetched", f"{summary.fetched:,}"),
        *((f"  {status}", f"{count:,}") for status, count in summary.statuses.items()),
        ("failed", f"{summary.failed:,}"),
        *((f"  {kind}", f"{count:,}") for kind, count in summary.errors.items()),
        ("left", f"{summary.left:,}"),
    ]
    for began, ended, how, options in runs or ():
        start = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))
        lasted = "" if ended is None else f" after {lasting(ended - began)}"
        notes = "".join(f", {note}" for name, note in _NOTES.items() if options.get(name))
        rows.append((f"run of {start}", f"{how or 'goes on, or was killed'}{lasted}{notes}"))
    first = max(len(name) for name, _ in rows)
    second = max(len(value) for name, value in rows if not name.startswith("run"))
    return "".join(
        f"{name:<{first}}  {value if name.startswith('run') else value.rjust(second)}\n"
        for name, value in rows
    )
