"""The dials of an origin: how many are under way, and what the threads that wait for one are told."""

import time

# Seconds for which no further connection is tried after one was refused beside others.
FULL = 5.0


class Dials:
    """Arithmetic of dialling; the origin's lock guards it.

    Attributes:
        under_way: how many dials there are now.
        ended: how many have ended so far.
    """

    __slots__ = ("_failure", "_full_until", "ended", "under_way")

    def __init__(self) -> None:
        self.under_way: int = 0
        self.ended: int = 0
        self._failure: Exception | None = None
        self._full_until = 0.0

    def end(self, failure: Exception | None) -> None:
        """Take note that one has ended; `failure` is for the threads that have waited for it."""
        self.under_way -= 1
        self.ended += 1
        self._failure = failure

    def failure_since(self, ended: int | None) -> Exception | None:
        """Return the failure of the latest dial, if one has ended since so many had; None: never waited."""
        return self._failure if ended is not None and ended < self.ended else None

    def refuse_more(self) -> None:
        """Take note that the server has refused one beside others, which must do for FULL seconds."""
        self._full_until = time.monotonic() + FULL

    @property
    def are_refused(self) -> bool:
        """Whether the server has just refused one beside others."""
        return time.monotonic() < self._full_until
