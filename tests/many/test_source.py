"""What fetch_many() is given: read lazily, and made into tasks."""

import math
from collections.abc import Iterable, Iterator
from http.client import InvalidURL
from typing import Any

import pytest

from hyperlite import ConnectionPool, Failed, FetchRequest
from hyperlite.fetching.task import Task
from hyperlite.many import source
from hyperlite.many.source import AHEAD_OF_MANY, AHEAD_OF_ONE, PIECE, Source

URL = "http://localhost:1/"


@pytest.fixture(autouse=True)
def _no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a loaded machine takes, a turn is not over."""
    monkeypatch.setattr(source, "TURN", math.inf)


class Counted:
    """An iterable of URLs that counts how many were read; it fails, or ends, behind the last."""

    def __init__(self, size: int, failure: Exception | None = None) -> None:
        self.size = size
        self.failure = failure
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        while self.read < self.size:
            self.read += 1
            yield f"{URL}{self.read}"
        if self.failure is not None:
            raise self.failure


def source_of(pool: ConnectionPool, requests: Iterable[Any], concurrency: int = 10) -> Source:
    return Source(requests, concurrency, pool.options())


def take(made: Source, queued: int = 0, *, several: bool = False) -> list[Any]:
    return list(made.take(queued, several=several))


class TestHowMuchIsRead:
    def test_nothing_before_it_is_wanted(self, pool: ConnectionPool) -> None:
        urls = Counted(10)
        made = source_of(pool, urls)
        assert (urls.read, made.total, made.exhausted) == (0, None, False)

    @pytest.mark.parametrize(
        ("several", "ahead"), [(False, AHEAD_OF_ONE), (True, AHEAD_OF_MANY)], ids=["one", "several"]
    )
    def test_so_far_ahead_of_what_is_under_way(self, pool: ConnectionPool, several: bool, ahead: int) -> None:
        made = source_of(pool, Counted(10**6), concurrency=3)
        assert made.wants(3 * ahead - 1, several=several)
        assert not made.wants(3 * ahead, several=several)
        assert len(take(made, 3 * ahead - 2, several=several)) == 2

    def test_what_has_a_length_is_in_memory_anyhow(self, pool: ConnectionPool) -> None:
        made = source_of(pool, [URL] * 1000, concurrency=1)
        assert made.total == 1000
        assert made.wants(AHEAD_OF_MANY - 1, several=False)
        assert not made.wants(AHEAD_OF_MANY, several=False)

    def test_a_piece_at_a_time(self, pool: ConnectionPool) -> None:
        urls = Counted(10**6)
        assert len(take(source_of(pool, urls, concurrency=1000))) == PIECE
        assert urls.read == PIECE

    def test_a_slow_one_is_left_after_a_turn(
        self, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So that what was read is sent meanwhile."""
        monkeypatch.setattr(source, "TURN", -1.0)
        assert len(take(source_of(pool, Counted(100)))) == 7

    def test_to_its_end(self, pool: ConnectionPool) -> None:
        made = source_of(pool, Counted(3))
        assert [task.index for task in take(made)] == [0, 1, 2]
        assert made.exhausted
        assert not made.wants(0, several=True)
        assert take(made) == []
        made.finish()  # which raises nothing

    def test_one_that_fails(self, pool: ConnectionPool) -> None:
        """What it gave before is done first."""
        made = source_of(pool, Counted(2, failure=LookupError("the list is gone")))
        assert len(take(made)) == 2
        assert made.exhausted
        with pytest.raises(LookupError, match="the list is gone"):
            made.finish()


class TestWhatIsMadeOfIt:
    def test_a_url(self, pool: ConnectionPool) -> None:
        (task,) = take(source_of(pool, [URL + "page"]))
        assert (task.url.host, task.url.port, task.method, task.body) == ("localhost", 1, "GET", None)
        assert task.item == URL + "page"

    def test_credentials_of_one_url_are_not_sent_to_the_next(self, pool: ConnectionPool) -> None:
        tasks = take(source_of(pool, [URL, "http://me:secret@localhost:1/", URL]))
        named = [[name.lower() for name, _ in task.headers] for task in tasks]
        assert ["authorization" in names for names in named] == [False, True, False]

    @pytest.mark.parametrize("kind", ["request", "mapping"])
    def test_a_request_and_what_it_says_of_itself(self, pool: ConnectionPool, kind: str) -> None:
        told = {"url": URL, "method": "POST", "body": b"body", "timeout": 1.5, "redirects": 0}
        item = FetchRequest(**told) if kind == "request" else told
        first, second = take(source_of(pool, [item, URL]))
        assert (first.method, first.body, first.item) == ("POST", b"body", item)
        assert (first.options.timeout, first.options.redirects) == (1.5, 0)
        assert second.options == pool.options()

    @pytest.mark.parametrize(
        ("item", "error"),
        [
            (7, TypeError),
            (None, TypeError),
            ("ftp://localhost/", InvalidURL),
            ({"url": URL, "colour": "red"}, TypeError),
            (FetchRequest(URL, timeout="soon"), TypeError),  # type: ignore[arg-type]
        ],
        ids=str,
    )
    def test_of_what_is_none_the_outcome_says_so(
        self, pool: ConnectionPool, item: Any, error: type[Exception]
    ) -> None:
        """The others are fetched."""
        before, outcome, after = take(source_of(pool, [URL, item, URL]))
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, error)
        assert (outcome.request, outcome.index) == (item, 1)
        assert [type(before), type(after), after.index] == [Task, Task, 2]
