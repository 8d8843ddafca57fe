"""What has become of a crawl, in figures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CrawlSummary:
    """What `crawl()` returns: how many URLs there are, and what has become of them.

    Attributes:
        urls: how many different URLs there are.
        left: how many of them have no outcome yet.
        duplicates: how many URLs of the input were another one's: their WHATWG form is the same.
        hosts: how many hosts they have.
        statuses: how many URLs have a response of each status.
        errors: how many have none, by the kind of the error.
        fetched, failed: how many have a response, of whatever status, and how many have none.
    """

    urls: int
    left: int
    duplicates: int
    hosts: int
    statuses: dict[int, int]
    errors: dict[str, int]

    @property
    def fetched(self) -> int:
        """How many URLs have a response, of whatever status."""
        return sum(self.statuses.values())

    @property
    def failed(self) -> int:
        """How many URLs have no response."""
        return sum(self.errors.values())


def error_text(error: BaseException) -> str:
    """Return an error as the state and the records have it: its kind and its text."""
    return f"{type(error).__name__}: {error}"


def kind_of(text: str) -> str:
    """Return the kind of an error, of its text."""
    return text.partition(":")[0]
