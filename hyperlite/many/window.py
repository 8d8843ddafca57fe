"""What one run of fetch_many() has to fetch from one origin."""

from collections import deque

from ..fetching.task import Task
from ..net.proxy import Proxy
from ..origins.origin import Origin

# What requests of one window have in common: scheme, host, port and proxy; and that they are to go on in
# another protocol, or not.
Route = tuple[str, str, int, Proxy | None, bool]


class Window:
    """What there is to fetch from one origin, by one route.

    Args:
        origin: the connections, as of now: other ones serve once the TLS context is set to trust others.

    Attributes:
        origin: of the requests that were begun last.
        route: what its requests have in common.
        queue: what is not under way yet.
        busy: what is under way, or was not taken yet; at most `concurrency`.
        in_flight: what of it is on HTTP/2, in the loop's hands.
        jobs: what of it is on a thread.
        dialling: connections that are being dialled.
        dial_refused: a further connection could not be dialled; those that are there must do.
        active: it is among the MAX_ORIGINS.
        waiting: it waits to be among them.
    """

    __slots__ = (
        "active",
        "busy",
        "dial_refused",
        "dialling",
        "in_flight",
        "jobs",
        "origin",
        "queue",
        "route",
        "waiting",
    )

    def __init__(self, route: Route, origin: Origin) -> None:
        self.route = route
        self.origin = origin
        self.queue: deque[Task] = deque()
        self.busy = self.in_flight = self.jobs = self.dialling = 0
        self.dial_refused = self.active = self.waiting = False
