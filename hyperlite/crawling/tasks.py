"""What goes to a worker, and what comes back: plain values.

A task is a piece of the crawl: some URLs of some lanes.  Bodies do not travel: the worker writes a part, and
a sidecar that says what has become of the URLs.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .addresses import Reach
from .asks import Handover
from .pace import Paced
from .parts import Result
from .shards import Entry, Found, Moved, Shard, part_name


class Setting(NamedTuple):
    """What all tasks of a run have in common.

    Attributes:
        storage: where parts are written: see `storage_at()`.
        bodies: the folder of bodies in files of their own, absolute; empty: they are in the storage.
        body, max_body: as for `crawl()`; with `body` None, parts are of a WARC file.
        per_host: how many requests to a host are under way at most.
        options: the other arguments of `crawl()`; see `CrawlArguments`.
        domains: the hosts of the input, if the scope needs them.
        lease: seconds from the receipt of a task until nothing is asked for any more.
    """

    storage: str
    bodies: str
    body: Any
    max_body: int
    per_host: int
    options: dict[str, Any]
    domains: frozenset[str]
    lease: float


class Item(NamedTuple):
    """A URL of a task; see `Entry`.  `lane` and `home` are those of its shard."""

    number: int
    url: str
    host: str
    depth: int
    reach: int
    part: int | None
    moved: Any
    home: int
    lane: int


class Task(NamedTuple):
    """A task.

    Attributes:
        shard, attempt: the first of the shards in it, and the number of its attempt: they name it.
        items: its URLs, the fields of an `Item` each.
        paced: what is known of overloaded sites.
        is_slow: its hosts may keep the worker waiting.
        setting: of the run.
    """

    shard: int
    attempt: int
    items: list[Any]
    paced: list[Paced]
    is_slow: bool
    setting: Setting

    @property
    def name(self) -> str:
        """The name of what the attempt writes, without an ending."""
        return part_name(self.shard, self.attempt)

    def entries(self) -> tuple[Shard, list[Entry]]:
        """Return what a loop takes in: all URLs, as if they were one shard."""
        shard = Shard(self.shard, 0, self.attempt)
        entries = []
        for item in map(Item._make, self.items):
            entry = Entry(item.url)
            entry.number, entry.host, entry.depth, entry.reach = (
                item.number,
                item.host,
                item.depth,
                Reach(item.reach),
            )
            entry.part, entry.home, entry.shard = item.part, item.home, shard
            entry.moved = None if item.moved is None else Moved.of(item.moved)
            entries.append(entry)
        return shard, entries


class Report(NamedTuple):
    """What comes back through the executor.

    Attributes:
        is_done: there is a sidecar; otherwise the attempt had begun before, and this one did nothing.
        error: what has ended the attempt, or None.
    """

    is_done: bool
    error: Exception | None = None


class Sidecar(NamedTuple):
    """What has become of a task.

    Attributes:
        worker: its machine and process.
        seconds, cpu: how long it took, and the CPU time of that.
        size, records: of the part.
        figures: of the results; see `Figures`.
        results: of URLs, without their records.
        found: further URLs.
        handed: URLs that go on in other lanes.
        cut: the shards of URLs that were under way when the lease ended.
        slow: the lanes that have kept the worker waiting.
        rest: by lane, the seconds for which its hosts are to be left alone.
        paced: what is known of overloaded sites.
    """

    worker: str
    seconds: float
    cpu: float
    size: int
    records: int
    figures: str
    results: list[Any]
    found: list[Any]
    handed: list[Any]
    cut: list[int]
    slow: list[int]
    rest: list[tuple[int, float]]
    paced: list[Any]

    def encoded(self) -> bytes:
        """Return it as a file."""
        return json.dumps(self._asdict(), separators=(",", ":")).encode()

    @classmethod
    def decoded(cls, data: bytes | None) -> "Sidecar | None":
        """Return it, of a file; None: there is none, or only the beginning of one."""
        try:
            return None if data is None else cls(**json.loads(data))
        except ValueError:
            return None

    def outcomes(self, shard: Shard) -> list[Result]:
        """Return the results as the state takes them."""
        return [
            Result(_entry(shard, number, home, part), status, tries, error, b"", size, version, None, seconds)
            for number, home, part, status, tries, error, size, version, seconds in self.results
        ]

    def links(self) -> list[Found]:
        """Return the further URLs."""
        return [Found(url, depth, Reach(reach)) for url, depth, reach in self.found]

    def handovers(self, shard: Shard) -> Iterator[Handover]:
        """Yield the URLs that go on elsewhere."""
        for number, home, moved in self.handed:
            yield Handover(_entry(shard, number, home, None), Moved.of(moved))


def rows(results: Iterable[Result]) -> list[Any]:
    """Return results as a sidecar has them."""
    return [
        (
            one.entry.number,
            one.entry.home,
            one.entry.part,
            one.status,
            one.tries,
            one.error,
            one.size,
            one.http_version,
            one.seconds,
        )
        for one in results
    ]


def _entry(shard: Shard, number: int, home: int, part: int | None) -> Entry:
    entry = Entry("")
    entry.number, entry.home, entry.part, entry.shard = number, home, part, shard
    return entry
