"""Which links of a page are followed: a crawl's scope."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from http.client import InvalidURL
from typing import Literal, get_args

from ..fetching.checks import kind, truth, whole
from ..messages.urls import URL, parse

Hosts = Literal["same", "domain", "any"]
# Characters of a URL that is found: longer ones are made by mistake, as by links that grow with each page.
LONGEST_URL = 4096


@dataclass(frozen=True, slots=True)
class CrawlScope:
    """Which links are followed.

    Attributes:
        hosts: "same": those to the host of their page. "domain": those to a host of the input, with "www." or
            without, or to one below it. "any".
        depth: the most links that lead from a URL of the input to another; None: any number.
        include: regular expressions, of which one must match somewhere in the URL; none: all URLs.
        exclude: regular expressions, of which none may.
        sitemaps: whether those that robots.txt names are read, and what is in them is followed.
        nofollow: heed `rel=nofollow`, `<meta name=robots>` and X-Robots-Tag.
        max_urls: the most URLs of the crawl, those of the input included; None: any number.
        max_urls_per_host: the same, of each host.

    Raises:
        TypeError, ValueError: one of them is wrong.
    """

    hosts: Hosts = "same"
    depth: int | None = None
    include: Collection[str] = ()
    exclude: Collection[str] = ()
    sitemaps: bool = False
    nofollow: bool = True
    max_urls: int | None = None
    max_urls_per_host: int | None = None
    _include: tuple[Callable[[str], object], ...] = field(init=False, repr=False, compare=False)
    _exclude: tuple[Callable[[str], object], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.hosts not in get_args(Hosts):
            raise ValueError(f"hosts is one of {', '.join(get_args(Hosts))}, not {self.hosts!r}")
        for name in ("depth", "max_urls", "max_urls_per_host"):
            if getattr(self, name) is not None:
                whole(getattr(self, name), name)
        truth(self.sitemaps, "sitemaps")
        truth(self.nofollow, "nofollow")
        object.__setattr__(self, "_include", _patterns(self.include, "include"))
        object.__setattr__(self, "_exclude", _patterns(self.exclude, "exclude"))

    def follows(self, page: URL, url: URL, domains: Collection[str]) -> bool:
        """Tell whether a link is followed, as far as its host and the patterns are concerned.

        Args:
            page: the URL of the page.
            url: to which it leads.
            domains: the hosts of the input, each by `domain_of()`.
        """
        if self.hosts == "same" and url.host != page.host:
            return False
        if self.hosts == "domain" and not is_below(url.host, domains):
            return False
        text = str(url)
        if self._include and not any(match(text) for match in self._include):
            return False
        return not any(match(text) for match in self._exclude)


def domain_of(host: str) -> str:
    """Return the name of a host without "www."."""
    return host.rstrip(".").removeprefix("www.")


def is_below(host: str, domains: Collection[str]) -> bool:
    """Tell whether a host is one of these, or below one."""
    name = domain_of(host)
    while name:
        if name in domains:
            return True
        name = name.partition(".")[2]
    return False


def targets(links: Iterable[str]) -> list[URL]:
    """Return what links point at, each once and without its fragment; what cannot be fetched is left out."""
    found: dict[URL, None] = {}
    for link in links:
        if len(link) <= LONGEST_URL:
            try:
                found[parse(link)._replace(user=None, fragment="")] = None
            except InvalidURL:
                continue
    return list(found)


def _patterns(given: object, name: str) -> tuple[Callable[[str], object], ...]:
    if isinstance(given, str) or not isinstance(given, Collection):
        raise TypeError(f"{name} is a list of regular expressions, not {kind(given)}")
    try:
        return tuple(re.compile(one).search for one in given)
    except re.error as error:
        raise ValueError(f"{name}: {error.pattern!r} is no regular expression: {error}") from None
