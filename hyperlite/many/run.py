"""A run of fetch_many(), as its caller has it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..fetching.outcome import Outcome
from ..net.forking import OwnLock
from .loop import Loop

if TYPE_CHECKING:
    from types import GeneratorType, TracebackType

Item = TypeVar("Item")


class FetchRun(Iterator[Outcome[Item]]):
    """The outcomes of `fetch_many()` as they come, and a way to add further items meanwhile.

    ::

        with pool.fetch_many([start]) as run:
            for outcome in run:
                for url in links_of(outcome):
                    run.add(url)
                if run.idle:
                    run.close()

    A run to which nothing was added ends when its iterable does.  One to which something was added goes on
    until `close()` was called and nothing is left.  Until then `next()` waits: another thread may add more.

    `close()` means that nothing more comes, and what is there is still fetched, as for multiprocessing.Pool
    and for queues.  It is not what `close()` of a generator is, because the thread that feeds a run is seldom
    the one that takes its outcomes: it has to say that it is done, without ending the work of the other.
    `cancel()` gives up what is left.  So do the end of a `with` block and the garbage collector.

    It is an iterator, so that `for` and `next()` take outcomes.  One thread at a time may take them.
    """

    def __init__(self, loop: Loop, max_buffered: int) -> None:
        self._loop = loop
        made = loop.outcomes(max_buffered)
        self._outcomes = cast("GeneratorType[Outcome[Any], None, None]", made)
        # Held in next(): Python 3.11 may crash if a thread closes a generator in which another thread is.
        self._taking = OwnLock()

    def __next__(self) -> Outcome[Item]:
        if self._outcomes.gi_running:
            raise ValueError("one thread at a time takes the outcomes of a run of fetch_many()")
        with self._taking.own:
            return next(self._outcomes)

    def add(self, item: Item) -> None:
        """Add an item: a URL, a FetchRequest or a mapping. Any thread may call this at any time.

        It does not wait.  Items that were added wait in memory; they are read before further ones of the
        iterable, and no further ahead than needed.  An invalid item has an error as its outcome.

        Raises:
            ValueError: `close()` was called, or the run is over.
        """
        self._loop.feed.add(item)

    def close(self) -> None:
        """Say that nothing more will be added; any thread may call this at any time, and repeatedly.

        What was added, and what the iterable still gives, is fetched.
        """
        self._loop.feed.close()

    def cancel(self) -> None:
        """Give up what is left: requests under way are cancelled, and no further outcome comes.

        Any thread may call this at any time.  One that waits for the next outcome stops waiting, as at the
        end of the run.
        """
        self._loop.feed.cancel()
        if not self._taking.own.locked():  # or else a thread is in it, and sees that the run is over
            with self._taking.own:
                self._outcomes.close()
        self._loop.give_back()

    @property
    def idle(self) -> bool:
        """Whether each item has its outcome, and the caller has taken it: without `add()` nothing more comes.

        It is for the thread that takes the outcomes.  To know it, the run may have to read the iterable.
        """
        return self._loop.is_idle()

    def __enter__(self) -> "FetchRun[Item]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self.cancel()
