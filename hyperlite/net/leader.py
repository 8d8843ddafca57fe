"""Threads that wait on one connection: the leader does all I/O, the followers sleep.

Each follower sleeps on a lock of its own.  It is woken when its own exchange changes, not whenever any
exchange does: a shared condition costs milliseconds at 250 threads.  A thread that leaves while the lead
is free wakes exactly one follower, which becomes the leader.

Rule: all of this runs under the connection's lock, except working and sleeping.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import RequestTimeout
from ..messages.waiters import Awaited, without
from .timeouts import remaining

T = TypeVar("T")
# A job for a thread to do outside the lock. It gets the seconds that the thread has left.
Job = Callable[[float | None], None]


def TRY_AGAIN(_timeout: float | None) -> None:  # noqa: N802  a constant: there is nothing to do
    """Do nothing: bytes were received, and the attempt may succeed now."""


NOTHING = contextlib.nullcontext()


class Leadership:
    """Makes one waiting thread the leader and lets the others sleep.

    Args:
        lock: the connection's.
        around: a context that a thread leaves before it sleeps, once the lock is free. A job that waits
            leaves it by itself, and so does the caller of `wait`.

    Attributes:
        held: a thread leads.
    """

    def __init__(
        self, lock: threading.Lock, around: contextlib.AbstractContextManager[None, None] = NOTHING
    ) -> None:
        self._lock = lock
        self._around = around
        self.held: bool = False
        self._sleepers: dict[threading.Lock, None] = {}

    def wait(
        self,
        awaited: Awaited | None,
        attempt: Callable[[], T | None],
        step: Callable[[bool], Job | None],
        timeout: float | None,
        complaint: str,
    ) -> T:
        """Call `attempt` until it returns something; work or sleep between two calls.

        Args:
            awaited: whose change can make the attempt succeed; None: what other threads do, alone.
            attempt: called under the lock; returns None if it is too early.
            step: called under the lock, told whether this thread leads; returns what is to
                be done outside the lock, or None to sleep.
            timeout: seconds for all of it, or None.
            complaint: what to say when they are over.

        Raises:
            RequestTimeout: the complaint. And whatever `attempt`, `step` and the job raise.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        sleeper: threading.Lock | None = None
        first, holding, left = True, False, False
        try:
            while True:
                with self._lock:
                    if sleeper is not None:
                        self._get_up(sleeper, awaited)
                        sleeper = None
                    job = None
                    if (result := attempt()) is None:
                        if not first and deadline is not None and time.monotonic() >= deadline:
                            raise _timeout(awaited, f"{complaint} within {timeout:g} s")
                        first = False
                        if not self.held:
                            holding = self.held = True
                        job = step(holding)
                        if job is TRY_AGAIN:
                            result = attempt()
                    if result is not None:  # leave, while the lock is held anyway
                        if self._sleepers and (holding or not self.held):
                            self._pass_on()
                        # One line, as an interrupt in the middle would have a second thread lead.
                        self.held, holding, left = self.held and not holding, False, True
                        return result
                    if job is None:
                        sleeper = threading.Lock()
                        self._lie_down(sleeper, awaited)
                if sleeper is not None:
                    self._sleep(sleeper, deadline)
                elif job is not None:
                    job(remaining(deadline))
        finally:
            if not left:
                self._leave(sleeper, awaited, holding)

    def _sleep(self, sleeper: threading.Lock, deadline: float | None) -> None:
        """Sleep until another thread releases the lock, or to the deadline."""
        with self._around:
            patience = remaining(deadline)
        sleeper.acquire(timeout=-1 if patience is None else min(patience, threading.TIMEOUT_MAX))

    def _leave(self, sleeper: "threading.Lock | None", awaited: Awaited | None, holding: bool) -> None:
        """Undo what a wait has done, also where this is interrupted: the others must be able to go on."""
        try:
            self._undo(sleeper, awaited, holding)
        except BaseException:
            self._undo(sleeper, awaited, holding)
            raise

    def _undo(self, sleeper: "threading.Lock | None", awaited: Awaited | None, holding: bool) -> None:
        """Undo what a wait has done. A second call does nothing."""
        with self._lock:
            if sleeper is not None:
                self._get_up(sleeper, awaited)
            if holding:
                self.held = False
            if self._sleepers and not self.held:
                self._pass_on()

    def call(self) -> None:
        """Wake one sleeping thread, if there is one: there is more work than the leader does."""
        if self._sleepers:
            self._pass_on()

    def wake_all(self) -> None:
        """Wake all sleeping threads."""
        for sleeper in self._sleepers:
            _wake(sleeper)

    def _lie_down(self, sleeper: threading.Lock, awaited: Awaited | None) -> None:
        """Register a sleeper. The lock has been held since the attempt failed, so no change is missed."""
        sleeper.acquire()
        self._sleepers[sleeper] = None
        if awaited is not None:
            awaited.waiters += (sleeper,)

    def _get_up(self, sleeper: threading.Lock, awaited: Awaited | None) -> None:
        self._sleepers.pop(sleeper, None)
        if awaited is not None and sleeper in awaited.waiters:
            awaited.waiters = without(awaited.waiters, sleeper)

    def _pass_on(self) -> None:
        """Wake one sleeper, since the lead is free. If one is awake already, it does this when it leaves."""
        _wake(next(iter(self._sleepers)))


def _timeout(awaited: Awaited | None, message: str) -> RequestTimeout:
    return RequestTimeout(message, stream_id=None if awaited is None else awaited.stream_id)


def _wake(sleeper: threading.Lock) -> None:
    with contextlib.suppress(RuntimeError):  # it was woken before
        sleeper.release()
