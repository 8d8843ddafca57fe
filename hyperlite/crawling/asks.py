"""What a crawl asks for, beside the URLs that it was given: items for `fetch_many()`, each a str.

An `Entry` is the first request for its URL.  What follows it, and what must come before it, is here.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..fetching.response import FetchResponse
from .addresses import Reach
from .shards import Entry, Moved
from .sites import Site


class Again(str):
    """A further request for an entry: a redirect that is followed, or another try.

    Attributes:
        entry: for which it is made.
        host: the name of the host that is asked.
        reach: how far inside it may lead.
        site: which is asked; None: the URL is invalid.
        history: the redirects so far.
        hops: how many redirects other workers have followed before these.
        later: how often the host has answered "later".
        asked: the monotonic time at which it was asked for.
        attempts: how many requests were made for the entry before, redirects not counted.
    """

    __slots__ = ("asked", "attempts", "entry", "history", "hops", "host", "later", "reach", "site")

    entry: Entry
    host: str
    reach: Reach
    asked: float
    site: Site | None
    history: list[FetchResponse]
    hops: int
    later: int
    attempts: int

    @classmethod
    def of(cls, before: "Entry | Again", url: str, host: str) -> "Again":
        """Return a request that follows another."""
        made = cls(url)
        made.host = host
        if isinstance(before, Again):
            made.entry, made.history, made.later = before.entry, before.history, before.later
            made.attempts, made.hops = before.attempts, before.hops
        else:
            made.entry, made.history, made.later, made.attempts, made.hops = before, [], 0, 0, 0
        made.reach = before.reach
        return made

    @classmethod
    def from_elsewhere(cls, entry: Entry) -> "Again":
        """Return the request with which an entry goes on that has moved."""
        assert entry.moved is not None
        url, host, reach, hops, attempts = entry.moved
        made = cls.of(entry, url, host)
        made.reach, made.hops, made.attempts = reach, hops, attempts
        return made


class Handover(NamedTuple):
    """An entry that goes on elsewhere; `history` is the redirects that led there."""

    entry: Entry
    moved: Moved
    history: Sequence[FetchResponse] = ()


class RobotsFile(str):
    """A request for a site's robots.txt.

    Attributes:
        origin: of the site, scheme, host and port.
        host: the name of the host that is asked, which another one's redirect may have named.
        reach: how far inside it may lead.
        redirects: how many were followed.
    """

    __slots__ = ("host", "origin", "reach", "redirects")

    origin: tuple[str, str, int]
    host: str
    reach: Reach
    redirects: int


class Wake(str):
    """No URL, so its outcome comes at once: the driver, which may wait for a slow host, looks at its turn."""

    __slots__ = ()


Page = Entry | Again
Ask = Page | RobotsFile
