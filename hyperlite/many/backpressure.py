"""Which requests go on while a run of fetch_many() holds as many bytes as it may.

If no request went on, no outcome would come and the run would stand still.  So one request is favoured.  With
an order, it is the request whose outcome comes next; otherwise one that is under way, until it is done.
"""

from collections.abc import Mapping

from ..origins.lease import Attempt
from .budget import Budget
from .flight import Flight
from .outcomes import OutcomeQueue
from .poller import Poller
from .window import Window
from .workers import MAX_THREADS


class Backpressure:
    """Favours requests, and holds the others back.

    Args:
        budget: counts the bytes held.
        outcomes: knows which outcome comes next.
        poller: is told on which connections to receive.
        flights: the requests under way on HTTP/2, by index.
        jobs: the requests under way on threads, by index.
    """

    def __init__(
        self,
        budget: Budget,
        outcomes: OutcomeQueue,
        poller: Poller,
        flights: Mapping[int, Flight],
        jobs: Mapping[int, tuple[Attempt, Window]],
    ) -> None:
        self._budget = budget
        self._outcomes = outcomes
        self._poller = poller
        self._flights = flights
        self._jobs = jobs
        self._chosen: int | None = None
        self._holds_back = False  # the run was full at the last look
        self._stalled: dict[int, Flight] = {}  # held back, with unread bytes

    def stall(self, flight: Flight) -> None:
        """Leave the bytes that have come for a request unread, so that its window fills."""
        self._stalled[flight.task.index] = flight

    def look(self) -> list[Flight]:
        """Choose again which requests go on; return the stalled ones that may be read now."""
        budget = self._budget
        if not (budget.full or self._holds_back or self._stalled):
            return []
        budget.has_new_waiter = False
        self._holds_back = budget.full
        favoured = self._favourites() if budget.full else ()
        budget.favour(frozenset(favoured))
        flights = [self._flights[index] for index in favoured if index in self._flights]
        self._poller.read_only({flight.http2 for flight in flights} if budget.full else None)
        ready = [index for index in self._stalled if budget.allows(index)]
        return [self._stalled.pop(index) for index in ready]

    @property
    def hurries(self) -> bool:
        """Whether `look()` has something to decide before the loop waits."""
        return self._budget.has_new_waiter or self._budget.full != self._holds_back

    def _favourites(self) -> set[int]:
        awaited = self._outcomes.awaited
        favoured: set[int] = set()
        if awaited is None:
            window = None
        else:
            favoured.add(awaited)
            window = self._outcomes.awaited_window
            flight, job = self._flights.get(awaited), self._jobs.get(awaited)
            if flight is not None and not flight.stream.wire_id:
                window = flight.window  # it waits for a stream
            elif job is not None and not job[0].begun:
                window = job[1]  # it may wait for a connection
        if awaited is None or window is not None:
            self._chosen = self._choose(window)
            if self._chosen is not None:
                favoured.add(self._chosen)
        if self._budget.waiting >= MAX_THREADS and self._jobs:  # the awaited request may need a thread
            favoured.add(next(iter(self._jobs)))
        return favoured

    def _choose(self, window: Window | None) -> int | None:
        """Choose a request under way, from `window` if that is given: the last choice, or the oldest.

        It must have a stream or a connection already. One without may be waiting for those of the others.
        """
        chosen = self._chosen
        if chosen is not None:
            flight, job = self._flights.get(chosen), self._jobs.get(chosen)
            there = job[1] if job is not None and job[0].begun else None
            if flight is not None and flight.stream.wire_id:
                there = flight.window
            if there is not None and window in {None, there}:
                return chosen
        for index, flight in self._flights.items():
            if window in {None, flight.window} and flight.stream.wire_id:
                return index
        for index, (attempt, there) in self._jobs.items():
            if window in {None, there} and attempt.begun:
                return index
        return None
