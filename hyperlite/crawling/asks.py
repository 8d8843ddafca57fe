"""What a crawl asks for, beside the URLs that it was given: items for `fetch_many()`, each a str.

An `Entry` is the first request for its URL.  What follows it, and what must come before it, is here.
"""

from ..fetching.response import FetchResponse
from .addresses import Reach
from .shards import Entry
from .sites import Site


class Again(str):
    """A further request for an entry: a redirect that is followed, or another try.

    Attributes:
        entry: for which it is made.
        host: the name of the host that is asked.
        reach: how far inside it may lead.
        site: which is asked; None: the URL is invalid.
        history: the redirects so far.
        later: how often the host has answered "later".
        asked: the monotonic time at which it was asked for.
        attempts: how many requests were made for the entry before, redirects not counted.
    """

    __slots__ = ("asked", "attempts", "entry", "history", "host", "later", "reach", "site")

    entry: Entry
    host: str
    reach: Reach
    asked: float
    site: Site | None
    history: list[FetchResponse]
    later: int
    attempts: int

    @classmethod
    def of(cls, before: "Entry | Again", url: str, host: str) -> "Again":
        """Return a request that follows another."""
        made = cls(url)
        made.host = host
        if isinstance(before, Again):
            made.entry, made.history, made.later = before.entry, before.history, before.later
            made.attempts = before.attempts
        else:
            made.entry, made.history, made.later, made.attempts = before, [], 0, 0
        made.reach = before.reach
        return made


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
