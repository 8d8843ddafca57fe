"""What one run of fetch_many() has to fetch from one origin."""

from collections import deque

from ..fetching.task import Task
from ..origins.origin import Origin


class Window:
    """What there is to fetch from one origin.

    Attributes:
        parked: what is not under way yet.
        busy: what is under way, or was not taken yet; at most `concurrency`.
        flying: what of it is on HTTP/2, in the loop's hands.
        jobs: what of it is on a thread.
        dialling: connections that are being dialled.
        grounded: a further connection could not be dialled; those that are there must do.
        active: it is among the MAX_ORIGINS.
        waiting: to be.
    """

    __slots__ = ("active", "busy", "dialling", "flying", "grounded", "jobs", "origin", "parked", "waiting")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.parked: deque[Task] = deque()
        self.busy = self.flying = self.jobs = self.dialling = 0
        self.grounded = self.active = self.waiting = False
