"""How far a crawl is."""

import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from .parts import Result
from .summary import kind_of

# Seconds between two reports.
PAUSE = 0.1


class CrawlProgress(NamedTuple):
    """How far a crawl is: what the function gets that is `progress` of `crawl()`.

    Attributes:
        urls: how many different URLs there are.
        done: how many of them have an outcome, also of earlier runs.
        failed: how many have had no response in this run.
        errors: how many, by the kind of the error.
        hosts: how many hosts are being asked.
        size: bytes of bodies in this run.
        http2: the share of responses that came over HTTP/2, from 0 to 1; None: there is no response yet.
        rate: outcomes a second in this run.
        elapsed: seconds since the run began.
        remaining: seconds that are left at this rate; None: there is none yet.
    """

    urls: int
    done: int
    failed: int
    errors: dict[str, int]
    hosts: int
    size: int
    http2: float | None
    rate: float
    elapsed: float
    remaining: float | None


Report = Callable[[CrawlProgress], object]


class Tally:
    """Counts the outcomes of a run, and reports now and then.

    Args:
        urls: how many URLs there are.
        done: how many had an outcome when the run began.
        report: is called with how far the crawl is; None: nothing is reported.
        stop_after, stop_after_bytes: after how many seconds, and bytes of bodies, the run is to end; or None.

    Attributes:
        urls: how many there are now.
        hosts: how many are being asked.
    """

    def __init__(
        self,
        urls: int,
        done: int,
        report: Report | None,
        stop_after: float | None = None,
        stop_after_bytes: int | None = None,
    ) -> None:
        self.urls: int = urls
        self.hosts: int = 0
        self._before = done
        self._report = report
        self._stop_after = stop_after
        self._stop_after_bytes = stop_after_bytes
        self._began = time.monotonic()
        self._next = self._began
        self._count = 0
        self._size = 0
        self._http2 = 0
        self._errors: Counter[str] = Counter()

    def note(self, result: Result) -> None:
        """Count what has become of a URL."""
        self._count += 1
        self._size += result.size
        self._http2 += result.http_version == "HTTP/2"
        if result.error is not None:
            self._errors[kind_of(result.error)] += 1
        if self._report is not None and time.monotonic() >= self._next:
            self.report()

    @property
    def is_over(self) -> bool:
        """Whether nothing further is to be asked for."""
        if self._stop_after_bytes is not None and self._size >= self._stop_after_bytes:
            return True
        return self._stop_after is not None and time.monotonic() - self._began >= self._stop_after

    def report(self) -> None:
        """Report how far the crawl is."""
        if self._report is not None:
            self._report(self.progress())
            self._next = time.monotonic() + PAUSE

    def progress(self) -> CrawlProgress:
        """Return how far it is."""
        elapsed = time.monotonic() - self._began
        rate = self._count / elapsed if elapsed else 0.0
        done = self._before + self._count
        failed = self._errors.total()
        return CrawlProgress(
            urls=self.urls,
            done=done,
            failed=failed,
            errors=dict(self._errors.most_common()),
            hosts=self.hosts,
            size=self._size,
            http2=self._http2 / (self._count - failed) if self._count > failed else None,
            rate=rate,
            elapsed=elapsed,
            remaining=(self.urls - done) / rate if rate else None,
        )
