"""The first requests to hosts, which go alone; and requests for robots.txt that wait for them."""

from .asks import Ask, RobotsFile


class Contacts:
    """The hosts of which nothing is known yet.

    Attributes:
        over: the hosts of which something is known since this was last looked at.
    """

    def __init__(self) -> None:
        self._first: dict[str, Ask] = {}  # by host
        self._waiting: dict[str, list[RobotsFile]] = {}  # by the host that they wait for
        self._awaited: dict[str, str] = {}  # which host a site's robots.txt waits for, by the site's host
        self.over: list[str] = []

    def __contains__(self, host: object) -> bool:
        return host in self._first

    def begin(self, host: str, ask: Ask) -> None:
        """Take note that the first request to a host begins."""
        self._first[host] = ask

    def is_first(self, host: str, ask: Ask) -> bool:
        """Tell whether this is the first request to a host."""
        return self._first.get(host) is ask

    def end(self, host: str) -> list[RobotsFile]:
        """Take note that something is known of a host; return the requests that have waited for that."""
        if self._first.pop(host, None) is None:
            return []
        self.over.append(host)
        waited = self._waiting.pop(host, [])
        for ask in waited:
            del self._awaited[ask.origin[1]]
        return waited

    def wait(self, ask: RobotsFile) -> bool:
        """Have a request wait for the first one to its host; false: they would wait for one another."""
        host: str | None = ask.host
        while host is not None and (first := self._first.get(host)) is not None:
            owner = first.origin[1] if isinstance(first, RobotsFile) else host
            if owner == ask.origin[1]:
                return False
            host = self._awaited.get(owner)
        self._waiting.setdefault(ask.host, []).append(ask)
        self._awaited[ask.origin[1]] = ask.host
        return True
