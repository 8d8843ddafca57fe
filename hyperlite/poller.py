"""One thread that polls many HTTP/2 connections, and the bell by which other threads wake it."""

import os
import selectors
import time
from collections.abc import Callable

from .mux import Mux


class Poller:
    """Waits for many muxes at once, and pumps those to which something happened."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._bell = Bell()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._polling = False
        self._watched: dict[Mux, tuple[int, int]] = {}  # the descriptor, and what is waited for

    def watch(self, mux: Mux) -> None:
        """Wait for what this mux waits for, from now until it is closed."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if mux.wants_write else 0)
        known = self._watched.get(mux)
        if mux.closed:
            if known is not None:
                self._forget(mux)
        elif known is None:
            for other in [one for one in self._watched if one.closed]:
                self._forget(other)  # its descriptor may be this one's by now
            number = mux.fileno()
            self._selector.register(number, wanted, mux)
            self._watched[mux] = number, wanted
        elif known[1] != wanted:
            self._selector.modify(known[0], wanted, mux)
            self._watched[mux] = known[0], wanted

    def poll(self, timeout: float | None, hurry: Callable[[], bool]) -> None:
        """Wait until something happens, at most `timeout` seconds; not at all if there is reason to hurry."""
        asked = [mux for mux in self._watched if mux.grace is not None]  # for a sign of life
        for mux in asked:
            if (grace := mux.grace) is not None:
                timeout = grace if timeout is None else min(timeout, grace)
        start = time.monotonic()
        self._polling = True  # before it is asked whether to hurry: who comes later than that rings
        try:
            events = self._selector.select(0 if hurry() else timeout)
        finally:
            self._polling = False
        for key, _ in events:
            if key.data is None:
                self._bell.hush()
            else:
                key.data.pump()
                self.watch(key.data)
        if asked:
            spent = time.monotonic() - start
            for mux in asked:
                mux.unheard(spent)  # which counts only if it has still said nothing

    def wake(self) -> None:
        """End a poll that is under way; any thread may, at any time."""
        if self._polling:
            self._bell.ring()

    def close(self) -> None:
        """Close what was opened here; the connections stay."""
        self._watched.clear()
        self._selector.close()
        self._bell.close()

    def _forget(self, mux: Mux) -> None:
        number, _ = self._watched.pop(mux)
        try:
            self._selector.unregister(number)
        except (KeyError, ValueError, OSError):
            return  # closing it has done so


class Bell:
    """A descriptor that can be read when somebody has rung."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._open = True

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._read

    def ring(self) -> None:
        """Wake the one who polls; any thread may, at any time."""
        if self._open:
            try:
                os.write(self._write, b"!")
            except OSError:
                return  # it is full, and so it rings already; or it was closed this very moment

    def hush(self) -> None:
        """Stop ringing."""
        try:
            while os.read(self._read, 4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close the descriptors."""
        self._open = False
        os.close(self._read)
        os.close(self._write)
