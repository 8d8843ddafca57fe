"""Threads for what would block."""

import threading
from collections import deque
from collections.abc import Callable

# Seconds after which a thread that has nothing to do ends.
PATIENCE = 10.0


class Workers:
    """At most `limit` daemon threads, started when there is work for them.

    Daemons, because a peer that never answers must not keep the program from ending.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        # -- guarded by _changed --
        self._jobs: deque[Callable[[], None]] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def run(self, job: Callable[[], None]) -> None:
        """Have a job done; it must not raise."""
        with self._changed:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
                return
            if self._threads >= self._limit:
                return
            self._threads += 1
        threading.Thread(target=self._work, name="hyperlite", daemon=True).start()

    def close(self) -> None:
        """Forget what was not begun, and let the threads end; from a finalizer too: it does not wait."""
        self._closed = True
        self._jobs.clear()
        if self._changed.acquire(blocking=False):
            self._changed.notify_all()
            self._changed.release()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._jobs and not self._closed:
                    if not self._changed.wait(PATIENCE) and not self._jobs:
                        break
                self._idle -= 1
                if not self._jobs:
                    self._threads -= 1
                    return
                job = self._jobs.popleft()
            job()
            del job
