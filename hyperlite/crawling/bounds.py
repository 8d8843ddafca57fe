"""How many URLs a crawl may have: those that are found beyond are left out."""


class Bounds:
    """Counts the URLs of a crawl.

    Args:
        most: the most URLs; None: any number.
        most_of_host: the same, of each host.
        urls: how many there are.
        by_host: how many, by the name of the host; needed with `most_of_host` alone.
    """

    def __init__(
        self, most: int | None, most_of_host: int | None, urls: int, by_host: dict[str, int]
    ) -> None:
        self._most = most
        self._most_of_host = most_of_host
        self._urls = urls
        self._by_host = by_host

    def admits(self, host: str) -> bool:
        """Tell whether a further URL of a host may be added."""
        if self._most is not None and self._urls >= self._most:
            return False
        return self._most_of_host is None or self._by_host.get(host, 0) < self._most_of_host

    def note(self, host: str) -> None:
        """Take note that a URL of a host was added."""
        self._urls += 1
        if self._most_of_host is not None:
            self._by_host[host] = self._by_host.get(host, 0) + 1
