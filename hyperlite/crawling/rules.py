"""What a crawl may ask for, and what follows an answer: robots.txt, addresses, pace, redirects, links.

::

    before(ask) ──> the same: ask for it │ its robots.txt first │ an error: it is not asked for
    after(outcome) ──> outcomes of URLs, and further asks: the next hop, another try

Rule: each request has passed `before()`, those that redirects and links lead to included.

Rule: the first request to a host goes alone: what it finds out, how far inside the host is and what its
robots.txt allows, holds for the others.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.client import InvalidURL
from typing import Any
from urllib.parse import quote_from_bytes

from ..errors import RedirectError, TooManyRedirects
from ..fetching import redirects
from ..fetching.checks import kind
from ..fetching.failures import Stage, named
from ..fetching.outcome import Failed, Fetched, Outcome
from ..fetching.response import FetchResponse
from ..fetching.task import retry_after
from ..messages.urls import URL, parse
from ..origins.limits import Limits
from ..pool import ConnectionPool
from . import robots
from .addresses import Guard, Reach, leads_inside
from .asks import Again, Ask, Handover, Page, RobotsFile
from .contacts import Contacts
from .links import links_of, resolved
from .pace import LATER, LONGEST_DELAY, Paced
from .refusals import CrawlRefusal
from .scope import CrawlScope, targets
from .shards import Entry, Found, Moved
from .sites import Origin, Site, Sites
from .unpacked import unpacked

# Redirects that are followed, as `fetch()` does.
MAX_REDIRECTS = 10
# Seconds between two requests to a site from which on only so many wait at a time.
LONG, WAITING = 0.25, 2
# How often a URL is asked for again whose host has said when.
MAX_LATER = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """How a crawl treats hosts, and which links it follows.

    Attributes:
        agent: the crawler's product token.
        limits: of each site.
        obeys_robots: whether robots.txt is heeded.
        allow_downgrade: follow redirects from https to http.
        scope: of the links that are followed; None: none.
        follow: returns the URLs that are to be fetched, of a response; None: `scope` decides.
        domains: the hosts of the input, by `domain_of()`.
        packed: bodies come in their content coding.
        hosts: the hosts that may be asked; None: all.  A redirect to another one is not followed here.
    """

    agent: str
    limits: Limits
    obeys_robots: bool = True
    allow_downgrade: bool = False
    scope: CrawlScope | None = None
    follow: Callable[[FetchResponse], Iterable[str]] | None = None
    domains: frozenset[str] = frozenset()
    packed: bool = False
    hosts: frozenset[str] | None = None


class Rules:
    """Decides what is asked for, and what follows.

    Args:
        policy: of the crawl.
        pool: whose limits keep the pace of each site.
        guard: the pool's resolver; None: anything may lead anywhere.

    Attributes:
        found: URLs that are to be fetched, as links lead to them, or robots.txt names them.
    """

    def __init__(self, policy: Policy, pool: ConnectionPool, guard: Guard | None) -> None:
        self._policy = policy
        self._pool = pool
        self._guard = guard
        self._sites = Sites(policy.limits)
        self._contacts = Contacts()
        self.found: list[Found] = []

    # -- before -----------------------------------------------------------------------------------

    def before(self, ask: Page) -> Ask | Exception:
        """Return what is to be asked for now: this, or robots.txt; or the error: nothing is.

        In the first two cases `is_contacting()` tells whether the host's other requests have to wait.
        """
        ask.asked, ask.site = time.monotonic(), None
        try:
            url = parse(ask)
        except InvalidURL:
            return ask  # the run says what is wrong with it
        site = ask.site = self._sites.get(url.origin)
        if site.pace.given_up is not None:
            return site.pace.given_up
        if (refusal := self._permit(url.host, ask.reach)) is not None:
            return refusal
        if self._policy.obeys_robots:
            if site.robots is None or ask.asked >= site.expires:
                return self._first(self._robots_file(site, ask.reach))
            try:
                site.robots.check(str(url))
            except CrawlRefusal as error:
                return error
        elif self._guard is not None and not site.contacted:
            return self._first(ask)
        return ask

    def is_contacting(self, host: str) -> bool:
        """Tell whether the first request to a host is under way."""
        return host in self._contacts

    def contacted(self) -> list[str]:
        """Return the hosts of which the first request is over since the last call."""
        over, self._contacts.over = self._contacts.over, []
        return over

    def _first(self, ask: Ask) -> Ask:
        self._contacts.begin(ask.host, ask)
        return ask

    def _permit(self, host: str, reach: Reach) -> PermissionError | None:
        """Let the next connections to a host reach so far; or return an error: it is further inside."""
        if self._guard is None:
            return None
        known = self._guard.reach(host)
        if known is not None and known > reach:
            return leads_inside(host, "its address is inside")
        self._guard.permit(host, reach)
        return None

    def _robots_file(self, site: Site, reach: Reach) -> RobotsFile:
        scheme, host, port = site.origin
        made = RobotsFile(str(URL(scheme, host, port, robots.PATH)))
        made.origin, made.host, made.reach, made.redirects = site.origin, host, reach, 0
        return made

    # -- after ------------------------------------------------------------------------------------

    def after(self, outcome: Outcome[Any]) -> Iterator[Outcome[Entry] | Ask | Handover]:
        """Yield what follows an outcome: that of an entry, or a further request for it; or nothing."""
        ask: Ask = outcome.request
        if isinstance(ask, RobotsFile):
            yield from self._read_robots(ask, outcome)
            return
        if self._contacts.is_first(ask.host, ask):
            yield from self._end_contact(ask.host)
            if ask.site is not None:
                ask.site.contacted = True
        attempts = outcome.attempts + (ask.attempts if isinstance(ask, Again) else 0)
        again = self._heed_overload(ask, outcome)
        response = outcome.response
        try:
            if not again and response is not None and response.status in redirects.FOLLOWED:
                again = self._redirected(ask, response)
        except RedirectError as error:
            assert response is not None  # which is the redirect
            failure = named(error, "GET", response._url, Stage.ASKING)
            outcome = Failed(ask, outcome.index, failure, attempts=attempts)
            response = None
        if again is not None:
            again.attempts = attempts
            yield again if self._may_ask(again.host) else self._handover(again)
            return
        entry = ask.entry if isinstance(ask, Again) else ask
        if response is None:
            yield Failed(entry, outcome.index, outcome.error, attempts=attempts)
            return
        if isinstance(ask, Again):
            response.history = ask.history + response.history
            outcome = Fetched(entry, outcome.index, response, attempts=attempts)
        self._follow(entry, response)
        yield outcome

    def width(self, ask: Ask) -> int | None:
        """Return how many requests to a site may wait for its pace; None: any number.

        Those that wait are held back by the pool's limits, and take the places of requests to other hosts.
        """
        site = self._sites.get(ask.origin) if isinstance(ask, RobotsFile) else ask.site
        if site is None:
            return None
        limits = site.pace.limits
        pause = max(limits.delay or 0.0, 1 / limits.per_second if limits.per_second else 0.0)
        return limits.under_way or (WAITING if pause >= LONG else None)

    def _heed_overload(self, ask: Page, outcome: Outcome[Any]) -> Again | None:
        """Slow a site down that is overloaded; return another try, if there is to be one."""
        site, response = ask.site, outcome.response
        if site is None:
            return None
        pace, now = site.pace, time.monotonic()
        before, said = pace.limits, None
        if response is None:
            if isinstance(outcome.error, TimeoutError):
                pace.slow_down("there was no answer in time", now, ask.asked)
        elif response.status not in LATER:
            pace.speed_up(now - response.elapsed)
        else:
            said = retry_after(response.headers.get("retry-after"))
            reason = f"the answer was {response.status} {response.reason}".rstrip()
            pace.slow_down(reason, now, now - response.elapsed, said)
        if pace.limits is not before:
            slower = response is None or response.status in LATER
            pause = pace.limits.delay if slower else None
            self._pool.set_limits(pace.limits, str(URL(*site.origin, "/")), pause=pause or 0.0)
        later = ask.later if isinstance(ask, Again) else 0
        if said is None or said > LONGEST_DELAY or later >= MAX_LATER or pace.given_up:
            return None
        again = Again.of(ask, ask, ask.host)
        again.later = later + 1
        return again

    def _redirected(self, ask: Page, response: FetchResponse) -> Again | None:
        """Return the request to which a redirect leads; None: it leads nowhere.

        Raises:
            RedirectError: it is not followed.
        """
        places = response.raw.headers.get_all("location")
        if not places or not any(places):
            return None
        history = [*(ask.history if isinstance(ask, Again) else []), response]
        if len(history) + (ask.hops if isinstance(ask, Again) else 0) > MAX_REDIRECTS:
            raise TooManyRedirects(f"another redirect, after {MAX_REDIRECTS} redirects")
        before = parse(ask)
        following = redirects.target(
            before, redirects.the_one(places), allow_downgrade=self._policy.allow_downgrade
        )
        if following.user is None and following.origin == before.origin:
            following = following._replace(user=before.user)
        again = Again.of(ask, _spelt(following), following.host)
        again.history = history
        again.reach = self._reach_of(before.host)
        return again

    def _may_ask(self, host: str) -> bool:
        return self._policy.hosts is None or host in self._policy.hosts

    def _handover(self, again: Again) -> Handover:
        """Return what becomes of a redirect to a host that other workers may be asking."""
        hops = again.hops + len(again.history)
        moved = Moved(str(again), again.host, again.reach, hops, again.attempts)
        return Handover(again.entry, moved, again.history)

    def _reach_of(self, host: str) -> Reach:
        """Return how far inside what a host sends may lead."""
        if self._guard is None:
            return Reach.HERE
        return self._guard.reach(host) or Reach.PUBLIC

    # -- what other workers know ------------------------------------------------------------------

    def recall(self, paced: Iterable[Paced]) -> None:
        """Take over what is known of overloaded sites."""
        for scheme, host, port, delay, rounds, given_up in paced:
            pace = self._sites.get((scheme, host, port)).pace
            pace.recall(delay, rounds, given_up)
            self._pool.set_limits(pace.limits, str(URL(scheme, host, port, "/")))

    def paced(self) -> list[Paced]:
        """Return what is known of overloaded sites."""
        return [(*site.origin, *kept) for site in self._sites if (kept := site.pace.kept()) is not None]

    def rests(self) -> dict[str, float]:
        """Return for how many seconds each host is to be left alone, so that another worker keeps its pace.

        Hosts without limits are left out.
        """
        rests: dict[str, float] = {}
        for site in self._sites:
            limits = site.pace.limits
            rest = limits.delay or 0.0
            if limits.per_second is not None:  # what may begin in a second begins at once
                rest = max(rest, 1.0, 1 / limits.per_second)
            if rest:
                rests[site.origin[1]] = max(rest, rests.get(site.origin[1], 0.0))
        return rests

    # -- robots.txt -------------------------------------------------------------------------------

    def _read_robots(self, ask: RobotsFile, outcome: Outcome[Any]) -> Iterator[RobotsFile]:
        """Learn what a site allows; yield what is to be asked for now, as robots.txt leads there."""
        response, size = outcome.response, 0
        following: RobotsFile | robots.Robots | None
        if response is None:
            # One that is inside is asked for again, for others that may lead there.
            following = None if self._is_inside(ask) else robots.nothing(str(outcome.error))
        elif response.status in redirects.FOLLOWED and response.raw.headers.get("location"):
            following = self._robots_elsewhere(ask, response)
        elif (readable := self._readable(response)) is None:
            following = robots.nothing("its body is not valid in its content coding, or too long")
        else:
            size = min(len(readable.body), robots.MAX_SIZE)
            following = robots.answered(response.status, readable.body, self._policy.agent)
        if ask.host != ask.origin[1] and self._contacts.is_first(ask.host, ask):
            yield from self._end_contact(ask.host)
        if isinstance(following, RobotsFile):
            yield from self._go_on(following)
        else:
            yield from self._learn(ask.origin, following, size)

    def _learn(self, origin: Origin, found: robots.Robots | None, size: int = 0) -> Iterator[RobotsFile]:
        """Take note of what a site allows; yield what has waited for that."""
        if found is not None:
            site = self._sites.get(origin)
            self._sites.learn(site, found, size)
            if site.pace.usual != self._policy.limits:
                self._pool.set_limits(site.pace.limits, str(URL(*origin, "/")))
            if self._policy.scope is not None and self._policy.scope.sitemaps:
                self._note_found(URL(*origin, robots.PATH), 0, found.sitemaps)
        yield from self._end_contact(origin[1])

    def _end_contact(self, host: str) -> Iterator[RobotsFile]:
        for ask in self._contacts.end(host):
            yield from self._go_on(ask)

    def _go_on(self, ask: RobotsFile) -> Iterator[RobotsFile]:
        """Yield a request to which a robots.txt has redirected, unless it has to wait, or may not be made."""
        if ask.host != ask.origin[1] and ask.host in self._contacts:
            if not self._contacts.wait(ask):
                yield from self._learn(
                    ask.origin, robots.nothing(f"it and that of {ask.host} lead to each other")
                )
        elif (refusal := self._permit(ask.host, ask.reach)) is not None:
            yield from self._learn(ask.origin, robots.nothing(str(refusal)))
        else:
            if self._guard is not None and self._guard.reach(ask.host) is None:
                self._contacts.begin(ask.host, ask)
            yield ask

    def _is_inside(self, ask: RobotsFile) -> bool:
        """Tell whether a site is found to be further inside than its request might lead."""
        known = None if self._guard is None else self._guard.reach(ask.host)
        return known is not None and known > ask.reach and ask.host == ask.origin[1]

    def _robots_elsewhere(self, ask: RobotsFile, response: FetchResponse) -> RobotsFile | robots.Robots:
        """Return the request to which a redirect of robots.txt leads, or what it means that there is none."""
        if ask.redirects >= robots.REDIRECTS:
            return robots.everything()
        try:
            place = redirects.the_one(response.raw.headers.get_all("location") or [])
            following = redirects.target(parse(ask), place, allow_downgrade=True)
        except RedirectError:
            return robots.everything()
        made = RobotsFile(str(following._replace(user=None, fragment="")))
        made.origin, made.host, made.redirects = ask.origin, following.host, ask.redirects + 1
        made.reach = self._reach_of(ask.host)
        return made

    # -- links ------------------------------------------------------------------------------------

    def _follow(self, entry: Entry, response: FetchResponse) -> None:
        """Take note of the URLs to which a response leads."""
        policy = self._policy
        if policy.follow is not None:
            reach = self._reach_of(response._url.host)
            page = self._readable(response)
            links = () if page is None else policy.follow(page)
            if isinstance(links, str | bytes) or not isinstance(links, Iterable):
                raise TypeError(f"follow returns an iterable of URLs, not {kind(links)}")
            urls = resolved(response._url, links)
            self.found += [Found(url, entry.depth + 1, reach) for url in urls]
        elif policy.scope is not None and (policy.scope.depth is None or entry.depth < policy.scope.depth):
            page = self._readable(response)
            found = [] if page is None else links_of(page, policy.agent, nofollow=policy.scope.nofollow)
            self._note_found(response._url, entry.depth, found)

    def _readable(self, response: FetchResponse) -> FetchResponse | None:
        """Return a response with its body decoded; None: that cannot be done."""
        return unpacked(response) if self._policy.packed else response

    def _note_found(self, page: URL, depth: int, links: Iterable[str]) -> None:
        scope = self._policy.scope
        assert scope is not None
        reach = self._reach_of(page.host)
        for target in targets(links):
            if scope.follows(page, target, self._policy.domains):
                self.found.append(Found(str(target), depth + 1, reach))


def refused(ask: Ask, error: Exception) -> Failed[Entry]:
    """Return the outcome of a URL for which a request is not made."""
    assert not isinstance(ask, RobotsFile)
    if isinstance(ask, Again):
        return Failed(ask.entry, 0, error, attempts=ask.attempts)
    return Failed(ask, 0, error)


def _spelt(url: URL) -> str:
    """Return a URL with its credentials."""
    if url.user is None:
        return str(url)
    return str(url).replace("://", f"://{quote_from_bytes(url.user, safe=':')}@", 1)
