"""A KeyboardInterrupt at each moment at which one can come.

CPython runs the handlers of signals when a function begins and when a call of a C function has returned; and
within those C functions that wait. At each of these moments that lie in hyperlite's code, in the thread that
makes the call, `Interrupt` can raise; `moments` goes through them, one for each run.

A moment between two other instructions is none: no handler runs there, so what is done without a call is not
torn apart.
"""

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import hyperlite

PACKAGE = str(Path(hyperlite.__file__).parent) + os.sep
TESTING = PACKAGE + "testing"
# They can be interrupted before they have done anything.
WAITING = {"acquire", "connect", "do_handshake", "poll", "recv", "recv_into", "select", "send", "sleep"}
# A generator "is called" too when the collector ends it, and what is raised then is printed and ignored.
GENERATOR = inspect.CO_GENERATOR
# With this in the environment each moment is tried, which takes minutes.
EVERY = "HYPERLITE_EVERY_INTERRUPT"


class Interrupt:
    """Raises KeyboardInterrupt at the nth moment; as a context manager.

    Attributes:
        seen: how many moments there have been.
        where: the one at which it was raised.
    """

    def __init__(self, at: int, also: str = "") -> None:
        self.at = at
        self.also = also
        self.seen = 0
        self.where = ""

    def __enter__(self) -> "Interrupt":
        sys.setprofile(self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        sys.setprofile(None)
        return kind is KeyboardInterrupt

    def _look(self, frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            if function.__name__ not in WAITING:
                return
        elif event not in ("call", "c_return") or (event == "call" and frame.f_code.co_flags & GENERATOR):
            return
        if not (_counts(frame) or frame.f_code.co_filename == self.also):
            return
        self.seen += 1
        if self.seen == self.at:
            name = "" if event == "call" else f" {event} {function.__name__}"
            code = frame.f_code
            self.where = f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_qualname}{name}"
            sys.setprofile(None)
            raise KeyboardInterrupt


def _counts(frame: FrameType) -> bool:
    """Tell whether this is hyperlite's code, and no finalizer: what that raises is printed and ignored."""
    name = frame.f_code.co_filename
    if not name.startswith(PACKAGE) or name.startswith(TESTING):
        return False
    above: FrameType | None = frame
    while above is not None:
        if above.f_code.co_name in ("__del__", "forget"):  # the latter: of forking.watch()
            return False
        above = above.f_back
    return True


def moments(samples: int, also: str = "") -> Iterator[Interrupt]:
    """Yield an `Interrupt` for each run: first one that only counts, then so many, evenly spread.

    The run is over at a moment that does not come any more.

    Args:
        samples: how many.
        also: a further file whose code counts.
    """
    first = Interrupt(0, also)
    yield first
    stride = 1 if os.environ.get(EVERY) else max(1, first.seen // samples)
    at = 1
    while True:
        interrupt = Interrupt(at, also)
        yield interrupt
        if not interrupt.where:
            return
        at += stride


class Struck:
    """A lock; the first thread that takes it by acquire() is interrupted while it holds it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._strikes = True

    def acquire(self, *args: Any, **options: Any) -> bool:
        taken: bool = self._lock.acquire(*args, **options)
        if taken and self._strikes:
            self._strikes = False
            raise KeyboardInterrupt
        return taken

    def __enter__(self) -> Any:
        return self._lock.__enter__()

    def __exit__(self, *error: object) -> None:
        self._lock.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


Scenario = Callable[[hyperlite.HTTP20Connection, list[int]], object]
