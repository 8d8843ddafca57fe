"""The requests that one `as_ready()` waits for, on whichever transports they are."""

from typing import Any

from .messages.exchange import Exchange, Transport, standing
from .messages.waiters import Arrivals
from .net.timeouts import remaining


class ReadyWait:
    """The requests that one `as_ready()` waits for, and which transport carries each.

    Those that settle are posted (see `Arrivals`), and looked at. All are looked at only when nothing was
    posted for a while: another thread may have taken a response, or the time of a request may be over.

    Args:
        requests: by id, in the order in which they were made.

    Attributes:
        requests: those that are waited for.
        due: the monotonic time before which no request's time is over; None: no such time is known.
    """

    def __init__(self, requests: dict[int, Exchange]) -> None:
        self.requests = requests
        self.due: float | None = None
        self._carried: dict[Transport[Any], Arrivals[Any]] = {}
        self._moving: list[int] = []  # those on no transport: another thread is sending them again

    def all(self) -> list[Exchange]:
        """Return all requests, to be looked at: each is placed once more, or forgotten."""
        for arrivals in self._carried.values():
            arrivals.take()
        self._moving.clear()
        self.due = None
        return list(self.requests.values())

    def news(self) -> list[Exchange]:
        """Return the requests to be looked at: those that were posted; all, if none was or a time is over."""
        posted: list[int] = []
        for arrivals in self._carried.values():
            posted += arrivals.take()
        if not posted or remaining(self.due) == 0:
            return self.all()
        posted += self._moving
        self._moving.clear()
        return [self.requests[key] for key in dict.fromkeys(posted) if key in self.requests]

    def place(self, request: Exchange, since: float) -> float | None:
        """Have a request posted when it settles; for `since` see `Transport.due`.

        Returns:
            The monotonic time at which its time is over; None: never.
        """
        exchange = standing(request)
        transport = exchange.transport
        if transport is None:
            self._moving.append(request.stream_id)
            due = exchange.request.deadline
        else:
            arrivals = self._carried.get(transport)
            if arrivals is None:
                arrivals = self._carried[transport] = Arrivals(transport)
            arrivals.add(exchange)
            due = transport.due(exchange, since)
        if due is not None and (self.due is None or due < self.due):
            self.due = due
        return due

    def forget(self, request: Exchange) -> None:
        """Wait for a request no longer."""
        del self.requests[request.stream_id]
        for arrivals in self._carried.values():
            arrivals.exchanges.pop(request.stream_id, None)

    def carriers(self) -> dict[Transport[Any], Arrivals[Any]]:
        """Return the transports that carry the requests, and what they are to post of them."""
        self._carried = {carrier: one for carrier, one in self._carried.items() if one.exchanges}
        return self._carried
