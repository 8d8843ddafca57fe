"""The dials of an origin: how many are under way, and which error the threads that wait for one get."""

import time

# Seconds for which no further connection is dialled after a dial has failed while others stand.
FULL = 5.0


class Dials:
    """Counts dials and keeps the last failure. The origin's lock guards it.

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
        """Take note that a dial has ended; `failure` is for the threads that waited for it."""
        self.under_way -= 1
        self.ended += 1
        self._failure = failure

    def failure_since(self, ended: int | None) -> Exception | None:
        """Return the last dial's failure if a dial has ended since `ended` was read; None: not waited yet."""
        return self._failure if ended is not None and ended < self.ended else None

    def refuse_more(self) -> None:
        """Dial no further connection for FULL seconds: a dial has failed while others stand."""
        self._full_until = time.monotonic() + FULL

    @property
    def are_refused(self) -> bool:
        """Whether a dial has failed within the last FULL seconds while others stood."""
        return time.monotonic() < self._full_until
