"""Threads for what would block, and what comes of it for the thread that has asked."""

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from ..net.forking import watch

# Threads at most: for dialling, and for as many HTTP/1.1 requests at once.
MAX_THREADS = 128
# Seconds after which a thread that has nothing to do ends.
IDLE = 10.0

# What the thread that has asked does with what came of the work, or with what it has raised.
Done = Callable[[Any, Exception | None], None]


class Workers:
    """At most `limit` daemon threads, started when there is work for them.

    Daemons, because a peer that never answers must not keep the program from ending.

    Args:
        limit: how many threads at most.
        wake: called by a thread that has done something, when `posts` has word of it.

    Attributes:
        posts: what came of the work; for the thread that has asked, by `settle()`.
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
        """Have a thread do something; `settle()` then calls `done`, also if no thread can be started."""
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

    def settle(self) -> None:
        """Deal with what came of the work, in the thread that has asked for it.

        Raises:
            BaseException: work was interrupted, or has ended the program: so is what it was for.
        """
        while self.posts:
            self.posts.popleft()()

    def close(self) -> None:
        """Forget what was not begun, and let the threads end; from a finalizer too: it does not wait."""
        self._closed = True
        self._jobs.clear()
        if self._changed.acquire(blocking=False):
            self._changed.notify_all()
            self._changed.release()

    def _do(self, work: Callable[[], Any], done: Done) -> None:
        """Do something, and leave word of it."""
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
