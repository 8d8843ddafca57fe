"""What a crawl knows of the sites that it asks: their robots.txt, and their pace."""

import time
from collections import OrderedDict
from collections.abc import Iterator

from ..origins.limits import Limits
from .pace import Pace, with_crawl_delay
from .robots import Robots

Origin = tuple[str, str, int]

# Sites that are kept, and bytes of their files: of those beyond, the file is asked for again.
MAX_SITES = 10_000
MAX_SIZE = 16 << 20


class Site:
    """A site: one origin.

    Attributes:
        origin: scheme, host and port.
        pace: how fast it is asked.
        robots: what it allows; None: that is not known yet.
        contacted: an answer, or a failure, has shown how far inside its host is.
        expires: the monotonic time until which `robots` holds.
        size: bytes of its robots.txt.
    """

    __slots__ = ("contacted", "expires", "origin", "pace", "robots", "size")

    def __init__(self, origin: Origin, limits: Limits) -> None:
        self.origin: Origin = origin
        self.pace: Pace = Pace(limits)
        self.robots: Robots | None = None
        self.contacted: bool = False
        self.expires: float = 0.0
        self.size: int = 0


class Sites:
    """The sites of a crawl that were asked last.

    Args:
        limits: for each of them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sites: OrderedDict[Origin, Site] = OrderedDict()
        self._size = 0

    def get(self, origin: Origin) -> Site:
        """Return a site."""
        site = self._sites.get(origin)
        if site is None:
            site = self._sites[origin] = Site(origin, self._limits)
            self._reduce()
        else:
            self._sites.move_to_end(origin)
        return site

    def __iter__(self) -> Iterator[Site]:
        return iter(self._sites.values())

    def learn(self, site: Site, robots: Robots, size: int) -> None:
        """Take note of what a site allows."""
        if self._sites.get(site.origin) is site:
            self._size += size - site.size
        site.robots, site.size, site.expires = robots, size, time.monotonic() + robots.lifetime
        usual = with_crawl_delay(self._limits, robots.delay)
        if usual != site.pace.usual:
            site.pace.change(usual)
        self._reduce()

    def _reduce(self) -> None:
        while len(self._sites) > MAX_SITES or (self._size > MAX_SIZE and len(self._sites) > 1):
            self._size -= self._sites.popitem(last=False)[1].size
