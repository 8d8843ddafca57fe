"""The errors of URLs that a crawl does not ask for."""


class CrawlRefusal(Exception):
    """A crawl does not ask for a URL, because its rules forbid it."""


class Disallowed(CrawlRefusal):
    """robots.txt forbids the URL."""


class RobotsUnreachable(CrawlRefusal):
    """robots.txt cannot be had, so that nothing is allowed for the time being."""


class HostGivenUp(CrawlRefusal):
    """The host answers that it is overloaded, or does not answer in time, again and again."""


class WorkerLost(Exception):
    """The workers that fetched the URL have ended, or were not done in time, again and again."""
