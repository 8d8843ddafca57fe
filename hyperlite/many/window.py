"""What one run of fetch_many() has to fetch from one origin."""

from collections import deque

from ..fetching.task import Task
from ..net.proxy import Proxy
from ..origins.lease import Lease
from ..origins.limits import Place
from ..origins.origin import Origin

# Scheme, host, port and proxy of a window's requests, and whether they ask for another protocol by Upgrade.
Route = tuple[str, str, int, Proxy | None, bool]


class Window:
    """The requests of one route: at most `concurrency` of them are under way or wait to be taken.

    Args:
        route: what its requests have in common.
        origin: the connections for these requests at the moment.

    Attributes:
        route: the same.
        place: the origin for which limits may be set.
        origin: of the requests that began last. It changes if the TLS context is changed during the run.
        queue: the requests that have not begun.
        busy: how many requests are under way, or have outcomes that the caller has not taken.
        in_flight: how many of these are under way on HTTP/2, in the loop.
        jobs: how many of these are under way on threads.
        dialling: how many connections are being dialled.
        dialled: leases of connections that were dialled for its requests, which keep them open until then.
        dial_refused: the last dial of a further connection failed, so the existing ones have to do.
        rests: it is among the resting windows of `Timers`.
        active: the window is one of MAX_ORIGINS that may have requests under way.
        waiting: the window waits to become active.
    """

    __slots__ = (
        "active",
        "busy",
        "dial_refused",
        "dialled",
        "dialling",
        "in_flight",
        "jobs",
        "origin",
        "place",
        "queue",
        "rests",
        "route",
        "waiting",
    )

    def __init__(self, route: Route, origin: Origin) -> None:
        self.route: Route = route
        self.place: Place = route[:3]
        self.origin: Origin = origin
        self.queue: deque[Task] = deque()
        self.busy: int = 0
        self.in_flight: int = 0
        self.jobs: int = 0
        self.dialling: int = 0
        self.dialled: list[Lease] = []
        self.dial_refused: bool = False
        self.rests: bool = False
        self.active: bool = False
        self.waiting: bool = False
