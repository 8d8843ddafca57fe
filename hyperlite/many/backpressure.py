"""Which requests go on while a run of fetch_many() holds as much as it may.

Without one that goes on nothing would be taken, and the run would stand still.  So one is favoured: the one
that all others wait for, where there is an order; otherwise one that is under way, until it is done.
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
        budget: what is held.
        outcomes: on their way to the caller.
        poller: of the connections, on which bytes may wait to be received.
        flights: what is under way on HTTP/2, by index.
        jobs: what is under way on threads, by index.
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
        self._holds_back = False  # some are held back
        self._stalled: dict[int, Flight] = {}  # of these, those of which much lies unread

    def stall(self, flight: Flight) -> None:
        """Leave what has come for a request unread, so that its peer has to wait."""
        self._stalled[flight.task.index] = flight

    def look(self) -> list[Flight]:
        """Choose anew what goes on; return what was left unread before, and may be read now."""
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
        """Whether there is something to look at before anything is waited for."""
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
            elif job is not None and not self._budget.has_begun(awaited):
                window = job[1]  # it may wait for a connection
        if awaited is None or window is not None:
            self._chosen = self._choose(window)
            if self._chosen is not None:
                favoured.add(self._chosen)
        if self._budget.waiting >= MAX_THREADS and self._jobs:  # what is awaited may need a thread
            favoured.add(next(iter(self._jobs)))
        return favoured

    def _choose(self, window: Window | None) -> int | None:
        """Choose one that is under way, of this window if there is one: the same as before, or the oldest.

        One that has a stream, or a connection, already: what has none may wait for those of the others.
        """
        chosen = self._chosen
        if chosen is not None:
            flight, job = self._flights.get(chosen), self._jobs.get(chosen)
            there = job[1] if job is not None and self._budget.has_begun(chosen) else None
            if flight is not None and flight.stream.wire_id:
                there = flight.window
            if there is not None and window in {None, there}:
                return chosen
        for index, flight in self._flights.items():
            if window in {None, flight.window} and flight.stream.wire_id:
                return index
        for index, (_, there) in self._jobs.items():
            if window in {None, there} and self._budget.has_begun(index):
                return index
        return None
