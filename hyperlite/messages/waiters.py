"""What a thread waits for, and what wakes it: something that happens to one exchange, or to any of many.

Rule: all of this runs under the lock of the connection that carries the exchanges, but for those methods of
`Arrivals` that are the waiting thread's own.
"""

import weakref
from collections import deque
from typing import Generic, Protocol, TypeVar


class Waiter(Protocol):
    """An object that is released when something happens: the lock that a thread sleeps on, or a stand-in."""

    def release(self) -> None:
        """Wake the waiter; RuntimeError if it was released before."""
        ...


class Awaited(Protocol):
    """What a thread can wait for: mostly a request and its response."""

    @property
    def stream_id(self) -> int | None:
        """The id that callers know it by, where it has one."""
        ...

    waiters: tuple[Waiter, ...]
    """What is released when something happens to it."""


class Carried(Awaited, Protocol):
    """A request and its response, carried by a transport."""

    @property
    def stream_id(self) -> int:
        """The id that callers know it by."""
        ...

    @property
    def transport(self) -> object:
        """The connection that carries it, or None."""
        ...

    @property
    def settled(self) -> bool:
        """Whether the response's head, or the failure, has arrived."""
        ...


C = TypeVar("C", bound=Carried)


def wake(awaited: Awaited) -> None:
    """Wake the threads that wait for something to happen to this. The connection's lock is held."""
    for waiter in awaited.waiters:
        try:  # noqa: SIM105  contextlib.suppress() costs more than all the rest
            waiter.release()
        except RuntimeError:  # it was woken before
            pass


def without(waiters: tuple[Waiter, ...], gone: Waiter) -> tuple[Waiter, ...]:
    """Return the waiters but for one."""
    return () if waiters == (gone,) else tuple(one for one in waiters if one is not gone)


class Arrivals(Generic[C]):
    """Exchanges of one transport, for a thread that waits for any of them: those that settle are posted here.

    So a wait costs the same for ten of them as for ten thousand. The waiting thread alone calls `add` and
    `take`, without the lock.

    Args:
        transport: that carries the exchanges.

    Attributes:
        exchanges: those that were added and not taken, by id.
        posted: ids of those that are to be looked at: they have settled, or another transport has them.
    """

    stream_id: int | None = None

    def __init__(self, transport: object) -> None:
        self._transport = transport
        self._fresh: list[C] = []  # those that `enlist` is to see
        self.exchanges: dict[int, C] = {}
        self.posted: deque[int] = deque()
        self.waiters: tuple[Waiter, ...] = ()

    def add(self, exchange: C) -> None:
        """Have an exchange posted when it settles; nothing if it was added before, and not taken."""
        if self.exchanges.get(exchange.stream_id) is not exchange:
            self.exchanges[exchange.stream_id] = exchange
            self._fresh.append(exchange)

    def take(self) -> list[int]:
        """Return what was posted; to be posted once more, it must be added once more."""
        taken = []
        while self.posted:
            stream_id = self.posted.popleft()
            if self.exchanges.pop(stream_id, None) is not None:
                taken.append(stream_id)
        return taken

    def enlist(self) -> list[C]:
        """Under the lock: have what was added posted when it settles; returns what is new of it."""
        fresh, self._fresh = self._fresh, []
        for exchange in fresh:
            if exchange.settled or exchange.transport is not self._transport:
                self.posted.append(exchange.stream_id)
            else:
                if exchange.waiters:  # drop the waiters of waits that have ended
                    exchange.waiters = tuple(
                        one for one in exchange.waiters if not (isinstance(one, _Post) and one.is_over)
                    )
                exchange.waiters += (_Post(exchange, self),)
        return fresh

    def post(self, exchange: C) -> None:
        """Under the lock: have the thread look at an exchange that has settled."""
        self.posted.append(exchange.stream_id)
        if self.waiters:
            wake(self)


class _Post:
    """The waiter of one exchange: posts it when it has settled.

    It keeps neither alive: a caller may drop the wait, or the connection, at any time.
    """

    __slots__ = ("_arrivals", "_exchange")

    def __init__(self, exchange: C, arrivals: Arrivals[C]) -> None:
        self._exchange = weakref.ref(exchange)
        self._arrivals = weakref.ref(arrivals)

    @property
    def is_over(self) -> bool:
        """Whether no thread waits any more."""
        return self._arrivals() is None

    def release(self) -> None:
        """Post the exchange, if it has settled, and be its waiter no longer."""
        exchange, arrivals = self._exchange(), self._arrivals()
        if exchange is None or not (exchange.settled or arrivals is None):
            return
        exchange.waiters = without(exchange.waiters, self)
        if arrivals is not None:
            arrivals.post(exchange)
