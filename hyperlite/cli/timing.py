"""`--timing`: where the time of each request went: a table, and a waterfall that shows streams interleave."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from ..observing import ConnectionInfo, Frame, Observer, RequestInfo, Timings
from ..telling import redacted
from .exits import harmless
from .screen import size
from .text import Piece, Write

_COLUMNS = (("DNS", 5), ("connect", 7), ("TLS", 6), ("1st byte", 8), ("body", 7), ("total", 7), ("bytes", 9))
# Columns of a line of the table that are not its URL.
_BESIDE_URL = 12 + sum(width + 1 for _, width in _COLUMNS)
# Columns of a line of the waterfall that are not the drawing: the request's number, where it went, its total.
_BESIDE_DRAWING = 24
# Where data came, two pieces are kept apart if this share of the time since the beginning lies between them.
_APART = 1 / 2000


class Step(NamedTuple):
    """A part of a request's time, as the waterfall draws it."""

    mark: str
    style: str
    meaning: str


QUEUED = Step("┄", "dim", "unsent")
DNS = Step("D", "cyan", "DNS")
CONNECT = Step("C", "magenta", "connect")
TLS = Step("T", "blue", "TLS")
WAITING = Step("·", "", "waiting")
DATA = Step("▇", "green", "data")
PAUSE = Step("━", "green", "between")
FAILED = Step("✗", "red", "failed")
STEPS = (QUEUED, DNS, CONNECT, TLS, WAITING, DATA, PAUSE, FAILED)


class Row:
    """A request: what is known of it, and when bytes of its body came.

    Args:
        info: what observers are told of it.

    Attributes:
        info: the same.
        came: the monotonic times at which bytes of its body were read.
        ended: the monotonic time at which it was over; 0: it is not.
        failed: it has failed.
    """

    __slots__ = ("came", "ended", "failed", "info")

    def __init__(self, info: RequestInfo) -> None:
        self.info: RequestInfo = info
        self.came: list[float] = []
        self.ended: float = 0.0
        self.failed: bool = False


class Timing(Observer):
    """Keeps the times of requests, and makes a table of them.

    On HTTP/2 the frames tell when data came; on HTTP/1.1, when it was read.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._rows: dict[int, Row] = {}
        self._came: dict[tuple[int, int], list[float]] = {}

    def frame(self, connection: ConnectionInfo, frame: Frame) -> None:
        """Note when data came on a stream."""
        if frame.kind == "DATA" and frame.length and not frame.outgoing:
            self._note(self._came.setdefault((connection.number, frame.stream_id), []))

    def sent(self, request: RequestInfo) -> None:
        """Note a request."""
        self._row(request)

    def body(self, request: RequestInfo, size: int) -> None:
        """Note when bytes of a body were read."""
        self._note(self._row(request).came)

    def done(self, request: RequestInfo) -> None:
        """Note the end of a request."""
        last = request.timings.last_byte
        self._row(request).ended = time.monotonic() if last is None else request.began + last

    def retried(self, request: RequestInfo, reason: Exception | int, pause: float) -> None:
        """Note the failure of one try."""
        if isinstance(reason, Exception):
            self.failed(request, reason)

    def failed(self, request: RequestInfo, error: Exception) -> None:
        """Note the failure of a request."""
        row = self._row(request)
        row.failed, row.ended = True, time.monotonic()

    def _row(self, request: RequestInfo) -> Row:
        return self._rows.setdefault(request.number, Row(request))

    def _note(self, came: list[float]) -> None:
        now = time.monotonic()
        if not came or now - came[-1] >= _APART * (now - self._began):
            came.append(now)

    # -- the report -------------------------------------------------------------------------------

    def report(self, write: Write, width: int) -> None:
        """Write the table and the waterfall; nothing, if there was no request.

        Args:
            write: writes text on the screen.
            width: columns of the screen.
        """
        rows = [row for _, row in sorted(self._rows.items())]
        if rows:
            write([*self._table(rows, width), ("\n", ""), *self._waterfall(rows, width)])

    def _table(self, rows: list[Row], width: int) -> Iterator[Piece]:
        heads = " ".join(f"{name:>{room}}" for name, room in _COLUMNS)
        yield f"{'':8} {heads}  URL (ms)\n", "dim"
        for number, row in enumerate(rows, 1):
            info = row.info
            took = row.ended - info.began if row.ended else None
            cells = [
                *_steps(info.timings),
                _ms(took),
                f"{info.received:,}" if info.received < 10**6 else size(info.received),
            ]
            shown = " ".join(f"{cell:>{room}}" for cell, (_, room) in zip(cells, _COLUMNS, strict=True))
            status = "fail" if row.failed else str(info.status or "-")
            yield f"{number:>3} ", "dim"
            yield f"{status:>4} ", "red" if row.failed or info.status >= 400 else "green"
            yield f"{shown}  {_end_of(info.url, width - _BESIDE_URL)}\n", ""

    def _waterfall(self, rows: list[Row], width: int) -> Iterator[Piece]:
        start = min(row.info.began for row in rows)
        end = max(max(row.ended, row.info.began) for row in rows)
        columns = max(10, width - _BESIDE_DRAWING)
        scale = (end - start) / columns or 1e-9
        used: set[Step] = set()
        last = f"{_ms(end - start)} ms"
        yield f"{'':>13} 0{last:>{columns - 1}}\n", "dim"
        for number, row in enumerate(rows, 1):
            yield f"{number:>3} {self._where(row.info):<9} ", "dim"
            cells = self._cells(row, start, scale, columns)
            used.update(cell for cell in cells if cell is not None)
            yield from _joined(cells)
            yield f" {_ms(row.ended - row.info.began if row.ended else None):>8}\n", "dim"
        legend = "  ".join(f"{step.mark} {step.meaning}" for step in STEPS if step in used)
        yield f"{'':>3} {legend}\n", "dim"

    def _where(self, info: RequestInfo) -> str:
        connection = info.connection
        if connection is None:
            return ""
        return f"{connection.number}/{info.stream_id}" if info.stream_id else f"{connection.number}"

    def _cells(self, row: Row, start: float, scale: float, columns: int) -> list[Step | None]:
        """Return what each column of a row shows."""
        cells: list[Step | None] = [None] * columns
        for step, begin, end in self._spans(row):
            first = min(columns - 1, int((begin - start) / scale))
            # A step that is shorter than a column has the column in which it ends, if no other one has it.
            last = max(first + 1, min(columns, round((end - start) / scale)))
            cells[first:last] = [step] * (last - first)
        return cells

    def _spans(self, row: Row) -> Iterator[tuple[Step, float, float]]:
        """Yield the steps of a request, each with the monotonic times at which it began and ended."""
        info, times = row.info, row.info.timings
        at = info.began
        if times.connect is not None and info.connection is not None:
            yield QUEUED, at, info.connection.began
            at = info.connection.began
            for step, took in ((DNS, times.dns), (CONNECT, times.connect), (TLS, times.tls)):
                if took is not None:
                    yield step, at, at + took
                    at += took
        end = row.ended or time.monotonic()
        sent = end if times.sent is None else max(at, info.began + times.sent)
        if sent > at:
            yield QUEUED, at, sent
        first = end if times.first_byte is None else info.began + times.first_byte
        if times.sent is not None:
            yield WAITING, sent, first
        if times.first_byte is not None:
            yield PAUSE, first, end
            key = (0 if info.connection is None else info.connection.number, info.stream_id)
            for came in self._came.get(key, row.came):
                yield DATA, came, came
        if row.failed:
            yield FAILED, end, end


def _steps(times: Timings) -> list[str]:
    """Return the cells of a row that say how long the steps were."""
    body = None
    if times.last_byte is not None and times.first_byte is not None:
        body = times.last_byte - times.first_byte
    return [_ms(one) for one in (times.dns, times.connect, times.tls, times.first_byte, body)]


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{1000 * seconds:.1f}" if seconds < 10 else f"{1000 * seconds:.0f}"


def _end_of(url: str, width: int) -> str:
    """Return a URL, or as much of its end as there is room for."""
    text = harmless(redacted(url))
    if len(text) <= width:
        return text
    return f"…{text[1 - width :]}" if width > 1 else ""


def _joined(cells: list[Step | None]) -> Iterator[Piece]:
    """Yield neighbouring columns that look the same as one piece."""
    begin = 0
    for at in range(1, len(cells) + 1):
        if at == len(cells) or cells[at] is not cells[begin]:
            step = cells[begin]
            yield (" " if step is None else step.mark) * (at - begin), "" if step is None else step.style
            begin = at
