"""Runs two threads so that one of them stands still at a line that is chosen, until the other can do no more.

A schedule is a number: the line event of the first thread, in hyperlite's own code, at which it stands still.
All of them together are all ways to preempt that thread once.  The other thread runs until it is over, or
until it has reached no further line for a moment: then it waits, perhaps for the first one, which goes on.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import hyperlite

OWN = str(Path(hyperlite.__file__).parent)
# Seconds in which a thread that can go on reaches another line, and within which all must be over.
MOMENT, PATIENCE = 0.03, 20.0

Call = Callable[[], Any]


class Outcome:
    """What a thread has returned, or raised; `is_over` once it has."""

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self.is_over = threading.Event()

    def run(self, call: Call) -> None:
        """Call, and keep what comes of it."""
        try:
            self.value = call()
        except BaseException as error:
            self.error = error
        finally:
            self.is_over.set()


class Explorer:
    """One schedule.

    Args:
        stop_at: the line event at which the first thread stands still; None: nowhere.

    Attributes:
        lines: how many line events the first thread has had.
        where: the line at which it stood still.
    """

    def __init__(self, stop_at: int | None) -> None:
        self._stop_at = stop_at
        self._stands = threading.Event()
        self._goes_on = threading.Event()
        self._beats = 0  # line events of the other thread
        self.lines = 0
        self.where = ""

    def run(self, first: Call, other: Call) -> tuple[Outcome, Outcome]:
        """Run both; return what became of them.

        Raises:
            AssertionError: one of them hangs.
        """
        mine, others = Outcome(), Outcome()
        threads = [
            threading.Thread(target=self._traced, args=[mine, first, self._first_line], daemon=True),
            threading.Thread(target=self._traced, args=[others, other, self._other_line], daemon=True),
        ]
        threads[0].start()
        while not (self._stands.wait(0.001) or mine.is_over.is_set()):
            if self._stop_at is None:
                break
        threads[1].start()
        self._let_run(others)
        self._goes_on.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"a thread hangs; the first stood still at {self.where}"
        return mine, others

    def _let_run(self, others: Outcome) -> None:
        """Wait until the other thread is over, or reaches no further line."""
        seen = -1
        while seen != self._beats and not others.is_over.is_set():
            seen = self._beats
            others.is_over.wait(MOMENT)

    def _traced(self, outcome: Outcome, call: Call, on_line: Callable[[FrameType], None]) -> None:
        def trace(frame: FrameType, event: str, _: Any) -> Any:
            if not frame.f_code.co_filename.startswith(OWN):
                return None
            if event == "line":
                on_line(frame)
            return trace

        sys.settrace(trace)
        try:
            outcome.run(call)
        finally:
            sys.settrace(None)

    def _first_line(self, frame: FrameType) -> None:
        self.lines += 1
        if self.lines == self._stop_at:
            self.where = f"{frame.f_code.co_filename.removeprefix(OWN)}:{frame.f_lineno}"
            self._stands.set()
            self._goes_on.wait(PATIENCE)

    def _other_line(self, _: FrameType) -> None:
        self._beats += 1
