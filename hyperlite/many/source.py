"""The requests that fetch_many() is given: read lazily, and made into tasks."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..fetching.arguments import ADDED_ALONE, ManyArguments, checked, no_option
from ..fetching.checks import kind
from ..fetching.options import Options
from ..fetching.outcome import Failed
from ..fetching.request import FetchRequest
from ..fetching.task import Task, make_task, with_defaults
from ..messages.fields import Header
from ..messages.urls import parse
from .feed import Feed

# How many requests to read ahead, in units of `concurrency`: few while all are for one origin, more if
# requests for other origins may follow. A source that has a length is in memory anyhow.
AHEAD_OF_ONE = 5
AHEAD_OF_MANY = 100
# How many requests are read before they are sent, and how many seconds that may take: the iterable may be
# slow.
PIECE = 128
TURN = 0.005


class Source:
    """The requests of a run that were not read yet: those that were added, and then those of the iterable.

    Attributes:
        exhausted: the iterable gives no more.
        feed: those that were added.
    """

    def __init__(self, requests: Iterable[Any], concurrency: int, options: Options) -> None:
        self._items = iter(requests)
        self.feed: Feed = Feed(waits=requests is ADDED_ALONE)
        self._options = options
        defaults = options.defaults
        self._completes = defaults.base is not None or defaults.params is not None  # each URL is completed
        self._concurrency = concurrency
        self._length = len(requests) if isinstance(requests, Sequence) else None
        self.exhausted: bool = False
        self._failure: Exception | None = None  # of the source
        self._taken = 0
        self._headers: list[Header] | None = None  # of a request of which only the URL is given

    @property
    def total(self) -> int | None:
        """How many requests the run has in all; None: the iterable has no length, or more may be added."""
        return None if self._length is None or self.feed.waits else self._length + self.feed.added

    def wants(self, queued: int, *, several: bool) -> bool:
        """Tell whether to read further requests.

        Args:
            queued: how many were read and have not begun.
            several: the run has more than one origin.
        """
        return self._room(queued, several=several) > 0

    def _room(self, queued: int, *, several: bool) -> int:
        if self.exhausted and not self.feed.items:
            return 0
        ahead = AHEAD_OF_MANY if several or self._length is not None else AHEAD_OF_ONE
        return self._concurrency * ahead - queued

    def take(self, queued: int, *, several: bool) -> Iterator[Task | Failed[Any]]:
        """Yield some tasks; or the outcome, where there is none to be made of a request.

        Args:
            queued, several: as for `wants`.
        """
        start = time.monotonic()
        added = self.feed.items
        for number in range(min(PIECE, self._room(queued, several=several))):
            if number % 8 == 7 and time.monotonic() - start > TURN:
                return
            try:
                item = added.popleft() if added else next(self._items)
            except StopIteration:
                self.exhausted = True
                return
            except Exception as error:
                self.exhausted, self._failure = True, error
                return
            index = self._taken
            self._taken += 1
            try:
                task = self._make_task(item, index)
            except Exception as error:  # whatever it is that the item's own methods raise
                yield Failed(item, index, error)
            else:
                yield task

    def has_ended(self) -> bool:
        """Tell whether all requests were read, and no more may be added; in that case none can be."""
        return self.exhausted and self.feed.has_ended(failed=self._failure is not None)

    def finish(self) -> None:
        """Raise the error of the iterable, once all requests before it have their outcomes."""
        if self._failure is not None:
            raise self._failure

    def _make_task(self, item: Any, index: int) -> Task:
        options = self._options
        if isinstance(item, str) and not self._completes:
            url = parse(item)
            if self._headers is None:
                self._headers = with_defaults([], url._replace(user=None), options)
            headers = self._headers if url.user is None else with_defaults([], url, options)
            return Task(url, "GET", headers, None, options, item=item, index=index)
        request = _from_mapping(item) if isinstance(item, Mapping) else item
        if isinstance(request, str):
            request = FetchRequest(request)
        if not isinstance(request, FetchRequest):
            raise TypeError(f"a request is a URL, a FetchRequest or a mapping, not {kind(item)}")
        own = {name: getattr(request, name) for name in ("timeout", "deadline", "redirects")}
        own = {name: value for name, value in own.items() if value is not None}
        return make_task(
            request.url,
            request.method,
            options._replace(**checked(own)) if own else options,
            headers=request.headers,
            body=request.body,
            json=request.json,
            params=request.params,
            item=item,
            index=index,
        )


_FIELDS = tuple(FetchRequest.__dataclass_fields__)


def _from_mapping(item: Mapping[str, Any]) -> FetchRequest:
    """Return the request that a mapping describes; TypeError for a key that is none of its fields."""
    for name in item:
        if name in ManyArguments.__optional_keys__ and name not in _FIELDS:
            raise TypeError(f"{name!r} is no option of one request: give it to fetch_many(), for all of them")
        if name not in _FIELDS:
            no_option(name, "a request of fetch_many()", _FIELDS)
    if "url" not in item:
        raise TypeError("a request of fetch_many() has no url")
    return FetchRequest(**item)
