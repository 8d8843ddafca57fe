"""The baton: of the threads that wait on one connection, one works for all and the others sleep.

Each sleeps on a lock of its own, so that it is woken when something happened to what *it* waits for,
and not with all the others (a shared condition costs milliseconds at 250 threads).  Whoever leaves
while nobody holds the baton wakes exactly one sleeper, who takes it up.

Rule: everything here is done under the connection's lock, but for working and sleeping.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol, TypeVar

from ..errors import RequestTimeout
from .timeouts import remaining

T = TypeVar("T")
# What a thread does outside the lock, given the seconds that are left to it.
Job = Callable[[float | None], None]


def TRY_AGAIN(_timeout: float | None) -> None:  # noqa: N802  a constant: that there is nothing to be done
    """Do nothing: something was received, which may be what is waited for."""


NOTHING = contextlib.nullcontext()


class Waiter(Protocol):
    """What is released when something happens: the lock that a thread sleeps on, or what stands for one."""

    def release(self) -> None:
        """Go on; RuntimeError where it was released before."""
        ...


class Awaited(Protocol):
    """What a thread can wait for: a request and its response."""

    @property
    def stream_id(self) -> int | None:
        """The id that callers know it by, where it has one."""
        ...

    waiters: "tuple[Waiter, ...]"
    """What is released when something happens to it."""


class Baton:
    """Who works, and who sleeps.

    Args:
        lock: the connection's.
        around: what is left when the lock is free, before the thread sleeps. A job that waits does so itself,
            and so does the caller of `wait`.

    Attributes:
        held: somebody has it.
    """

    def __init__(
        self, lock: threading.Lock, around: contextlib.AbstractContextManager[None, None] = NOTHING
    ) -> None:
        self._lock = lock
        self._around = around
        self.held = False
        self._sleepers: dict[threading.Lock, None] = {}

    def wait(
        self,
        awaited: Collection[Awaited],
        attempt: Callable[[], T | None],
        step: Callable[[bool], Job | None],
        timeout: float | None,
        complaint: str,
    ) -> T:
        """Try `attempt` until it returns something, and work or sleep in between.

        Args:
            awaited: that which must change for the attempt to succeed.
            attempt: called under the lock; returns None if it is too early.
            step: called under the lock, told whether this thread has the baton; returns what is to
                be done outside the lock, or None to sleep.
            timeout: seconds for all of it, or None.
            complaint: what to say when they are over.

        Raises:
            RequestTimeout: the complaint. And whatever `attempt`, `step` and the job raise.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        sleeper: threading.Lock | None = None
        first, holding = True, False
        try:
            while True:
                with self._lock:
                    if sleeper is not None:
                        self._get_up(sleeper, awaited)
                        sleeper = None
                    if (result := attempt()) is not None:
                        return result
                    if not first and deadline is not None and time.monotonic() >= deadline:
                        raise _timeout(awaited, f"{complaint} within {timeout:g} s")
                    first = False
                    if not self.held:
                        holding = self.held = True
                    job = step(holding)
                    if job is TRY_AGAIN and (result := attempt()) is not None:
                        return result
                    if job is None:
                        sleeper = threading.Lock()
                        self._lie_down(sleeper, awaited)
                if sleeper is not None:
                    with self._around:
                        left = remaining(deadline)
                    sleeper.acquire(timeout=-1 if left is None else min(left, threading.TIMEOUT_MAX))
                elif job is not None:
                    job(remaining(deadline))
        finally:
            try:
                self._leave(sleeper, awaited, holding)
            except BaseException:  # interrupted: the others must be able to go on all the same
                self._leave(sleeper, awaited, holding)
                raise

    def _leave(self, sleeper: "threading.Lock | None", awaited: Iterable[Awaited], holding: bool) -> None:
        """Undo what a wait has done. Doing it twice does no harm."""
        with self._lock:
            if sleeper is not None:
                self._get_up(sleeper, awaited)
            if holding:
                self.held = False
            if self._sleepers and not self.held:
                self._pass_on()

    def wake(self, awaited: Awaited) -> None:
        """Wake those who wait for something to happen to this."""
        if awaited.waiters:
            for sleeper in awaited.waiters:
                _wake(sleeper)

    def call(self) -> None:
        """Wake one thread that sleeps, if there is any: there is work besides that of the thread at work."""
        if self._sleepers:
            self._pass_on()

    def wake_all(self) -> None:
        """Wake everybody."""
        for sleeper in self._sleepers:
            _wake(sleeper)

    def _lie_down(self, sleeper: threading.Lock, awaited: Iterable[Awaited]) -> None:
        """Register a sleeper: in the same breath as the attempt failed, so that no change is missed."""
        sleeper.acquire()
        self._sleepers[sleeper] = None
        for one in awaited:
            one.waiters += (sleeper,)

    def _get_up(self, sleeper: threading.Lock, awaited: Iterable[Awaited]) -> None:
        self._sleepers.pop(sleeper, None)
        for one in awaited:
            if sleeper in one.waiters:
                one.waiters = tuple(other for other in one.waiters if other is not sleeper)

    def _pass_on(self) -> None:
        """Wake one sleeper, as nobody has the baton; one that was woken before does so when it leaves."""
        _wake(next(iter(self._sleepers)))


def _timeout(awaited: Collection[Awaited], message: str) -> RequestTimeout:
    only = next(iter(awaited)).stream_id if len(awaited) == 1 else None
    return RequestTimeout(message, stream_id=only)


def _wake(sleeper: Waiter) -> None:
    with contextlib.suppress(RuntimeError):  # it was woken before
        sleeper.release()
