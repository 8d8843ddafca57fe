"""robots.txt: what a site allows a crawler (RFC 9309), parsed by protego.

::

    2xx: its rules        4xx: everything is allowed        429, 5xx, no answer: nothing is, for a while
    3xx: five redirects are followed, and behind that everything is allowed

Rule: a file, however large and strange it is, costs bounded memory, and bounded time for each URL.
"""

import re
from typing import Any

from .refusals import Disallowed, RobotsUnreachable

PATH = "/robots.txt"
# Redirects that are followed (RFC 9309 section 2.3.1.2).
REDIRECTS = 5
# Bytes that are parsed: the least that the RFC allows (section 2.5), and what Google's parser takes.
MAX_SIZE = 500 << 10
# Lines with wildcards: each costs up to a microsecond for each URL.  With more, nothing is allowed.
MAX_WILDCARDS = 5000
# Seconds for which a file holds: the RFC's limit (section 2.4).
LIFETIME = 24 * 3600.0
# Seconds after which a file is asked for again that could not be had.
UNREACHABLE = 600.0
# The longest Crawl-delay that is kept, in seconds.
LONGEST_DELAY = 60.0

_TOKEN = r"[A-Za-z_-]+"  # noqa: S105  no password: RFC 9309 section 2.2.1
_COMPATIBLE = rf"(?i)[^(]*\(compatible;\s*({_TOKEN})"


def product_token(user_agent: str) -> str:
    """Return the name by which the lines of a robots.txt call a crawler with this User-Agent."""
    found = re.match(_COMPATIBLE, user_agent) or re.match(rf"\s*({_TOKEN})", user_agent)
    return found[1].lower() if found else ""


class Robots:
    """What a site allows.

    Attributes:
        delay: seconds between two requests, or None.
        sitemaps: URLs, as they are written there.
        lifetime: seconds for which all this holds.
    """

    def __init__(self, rules: Any, agent: str, *, complaint: str = "", lifetime: float = LIFETIME) -> None:
        self._rules = rules
        self._agent = agent
        self._complaint = complaint
        self.lifetime = lifetime
        self.delay: float | None = None
        self.sitemaps: list[str] = []
        if rules is not None:
            delay = rules.crawl_delay(agent)
            self.delay = None if delay is None else min(delay, LONGEST_DELAY)
            self.sitemaps = list(rules.sitemaps)

    def check(self, url: str) -> None:
        """Raise a `CrawlRefusal` if a URL may not be fetched."""
        if self._complaint:
            raise RobotsUnreachable(self._complaint)
        if self._rules is not None and not self._rules.can_fetch(url, self._agent):
            raise Disallowed(f"robots.txt disallows it for {self._agent or 'all'}")


def everything() -> Robots:
    """Return what a site without a robots.txt allows."""
    return Robots(None, "")


def nothing(reason: str) -> Robots:
    """Return what a site allows whose robots.txt cannot be had, for the time being."""
    return Robots(
        None, "", complaint=f"robots.txt cannot be had, so nothing is allowed: {reason}", lifetime=UNREACHABLE
    )


def answered(status: int, body: bytes, agent: str) -> Robots:
    """Return what a site allows, by its answer; a redirect is one that is not followed.

    Args:
        status: of the answer.
        body: of the answer, decoded.
        agent: the crawler's product token.
    """
    if 200 <= status < 300:
        return parsed(body, agent)
    return nothing(f"its status is {status}") if status >= 500 or status == 429 else everything()


def parsed(body: bytes, agent: str) -> Robots:
    """Return what a file allows."""
    from protego import Protego  # noqa: PLC0415  an extra, and only for crawls

    if len(body) > MAX_SIZE:  # a line that is cut could say something else
        kept = body[:MAX_SIZE]
        body = kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1]
    text = body.decode("utf-8-sig", "replace")
    if sum("*" in line or "$" in line for line in text.splitlines()) > MAX_WILDCARDS:
        return nothing(f"it has more than {MAX_WILDCARDS} lines with wildcards")
    return Robots(Protego.parse(text), agent)
