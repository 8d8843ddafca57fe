"""Bodies that are too long for memory: their URLs are asked for once more, and the bodies go to the disk.

`fetch_many()` holds bodies in memory, and gives up one that is too long for that as soon as it knows.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from http.client import HTTPException

from ..errors import BodyTooLarge, FetchError
from ..fetching.arguments import Changes
from ..fetching.outcome import Failed, Outcome
from ..fetching.response import FetchResponse
from ..pool import ConnectionPool
from .asks import Again, Page
from .parts import Result
from .records import Recorder
from .shards import Entry

# Bodies that go to the disk at a time.
THREADS = 4
ENDED = "the run has ended"


class LargeBodies:
    """The URLs with long bodies, on threads.

    Args:
        pool: fetches them.
        recorder: takes the responses.
        until: the monotonic time at which they are given up; None: when they are complete.
        deadline: of each fetch, as for the pool.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        recorder: Recorder,
        until: float | None = None,
        deadline: float | None = None,
    ) -> None:
        self._pool = pool
        self._recorder = recorder
        self._until = until
        self._deadline = deadline
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hyperlite-large")
        self._futures: dict[Future[Result], str] = {}
        self._stopped = threading.Event()

    def __len__(self) -> int:
        return len(self._futures)

    def takes(self, outcome: Outcome[Entry], ask: Page) -> bool:
        """Take over a URL if its body was too long for memory; tell whether it was.

        Args:
            outcome: of the URL.
            ask: its last request, which is made once more.
        """
        if not (self._recorder.streams and isinstance(outcome.error, BodyTooLarge)):
            return False
        future = self._threads.submit(self._fetch, outcome.request, ask, outcome.attempts)
        self._futures[future] = ask.host
        return True

    def done(self, *, block: bool) -> Iterator[tuple[str, Result]]:
        """Yield what has become of URLs, each with the host that was asked.

        Args:
            block: wait until there is one at least.

        Raises:
            InterruptedError: they were given up.
        """
        if self._futures:
            for future in wait(self._futures, None if block else 0, return_when=FIRST_COMPLETED).done:
                yield self._futures.pop(future), future.result()

    def close(self) -> None:
        """Give up what is under way."""
        self._stopped.set()
        self._threads.shutdown(cancel_futures=True)

    def _fetch(self, entry: Entry, ask: Page, attempts: int) -> Result:
        options: Changes = {}
        if self._until is not None:
            left = max(self._until - time.monotonic(), 0.001)
            options["deadline"] = left if self._deadline is None else min(left, self._deadline)
        try:
            with self._pool.fetch(
                ask, stream=True, redirects=0, decode=self._recorder.decodes, **options
            ) as response:
                response.history = ask.history if isinstance(ask, Again) else []
                return self._recorder.take_stream(entry, response, self._pieces(response), attempts + 1)
        except (FetchError, HTTPException) as error:  # and not those of the disk
            if self._is_over():
                raise InterruptedError(ENDED) from error
            return self._recorder.take(Failed(entry, 0, error, attempts=attempts + 1))

    def _pieces(self, response: FetchResponse) -> Iterator[bytes]:
        for piece in response:
            if self._is_over():
                raise InterruptedError(ENDED)
            yield piece

    def _is_over(self) -> bool:
        return self._stopped.is_set() or (self._until is not None and time.monotonic() >= self._until - 0.01)
