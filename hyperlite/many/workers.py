"""Threads for work that would block, and the results for the thread that has asked for it."""

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from ..net.forking import watch

# The most threads: for dials and HTTP/1.1 requests together.
MAX_THREADS = 128
# Seconds after which a thread that has nothing to do ends.
IDLE = 10.0

# What the asking thread does with the result of the work, or with its error.
Done = Callable[[Any, Exception | None], None]


class Workers:
    """At most `limit` daemon threads, started when there is work for them.

    They are daemons, because a peer that never answers must not keep the program from ending.

    Args:
        limit: the most threads.
        wake: called by a thread after it has added a result to `posts`.

    Attributes:
        posts: the results, which the asking thread processes in `collect()`.
    """

    def __init__(self, limit: int, wake: Callable[[], None]) -> None:
        self._limit = limit
        self._wake = wake
        self.posts: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        # -- guarded by _changed --
        self._jobs: deque[Callable[[], None]] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False
        watch(self)

    def after_fork(self) -> None:
        """In the child: the lock is free, and the threads are the parent's."""
        self._changed = threading.Condition()
        self._threads = self._idle = 0

    def run(self, work: Callable[[], Any], done: Done) -> None:
        """Have a thread do some work; `collect()` then calls `done`, also if no thread could be started."""
        job = partial(self._do, work, done)
        with self._changed:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
                return
            if self._threads >= self._limit:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._serve, name="hyperlite", daemon=True).start()
        except Exception as error:
            with self._changed:
                self._threads -= 1
                if self._threads or job not in self._jobs:
                    return  # another thread does it
                self._jobs.remove(job)
            self.posts.append(partial(done, None, error))

    def collect(self) -> None:
        """In the asking thread: process the results.

        Raises:
            BaseException: the work has raised one that is no Exception (KeyboardInterrupt, SystemExit).
        """
        while self.posts:
            self.posts.popleft()()

    def close(self) -> None:
        """Forget work and results, and let the threads end. A finalizer may call this: it does not wait."""
        self._closed = True
        self._jobs.clear()
        self.posts.clear()
        if self._changed.acquire(blocking=False):
            self._changed.notify_all()
            self._changed.release()

    def _do(self, work: Callable[[], Any], done: Done) -> None:
        """Do the work, and post its result."""
        result: Any = None
        failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:
            failure = error
        self.posts.append(partial(_conclude, done, result, failure))
        self._wake()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._jobs and not self._closed:
                    if not self._changed.wait(IDLE) and not self._jobs:
                        break
                self._idle -= 1
                if not self._jobs:
                    self._threads -= 1
                    return
                job = self._jobs.popleft()
            job()
            del job


def _conclude(done: Done, result: Any, failure: BaseException | None) -> None:
    if failure is not None and not isinstance(failure, Exception):
        raise failure
    done(result, failure)
