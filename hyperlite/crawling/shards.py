"""Shards: the pieces in which a crawl is done, and written down.

A shard has at most `SHARD` URLs.  All URLs of a host are in the shards of one *lane*, which are done one
after the
other: so no host is in two shards at a time that are under way.  A host with many URLs has a lane of its
own; hosts with few share one, so that shards are not small.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .addresses import Reach
from .sites import Site

SHARD = 200
_part_name = re.compile(r"[0-9]{5,}-a[0-9]+").fullmatch
# Hosts that are read at a time.
PAGE = 1000


class Shard:
    """A shard that is under way, in one attempt.

    Attributes:
        number, lane: which it is.
        attempt: counts the attempts at it; each writes a part of its own.
        size, records: how much of its part counts: bytes, and lines.
    """

    __slots__ = ("__weakref__", "attempt", "lane", "number", "records", "size")

    def __init__(self, number: int, lane: int, attempt: int) -> None:
        self.number: int = number
        self.lane: int = lane
        self.attempt: int = attempt
        self.size: int = 0
        self.records: int = 0

    @property
    def name(self) -> str:
        """The name of what the attempt writes."""
        return part_name(self.number, self.attempt)


def part_name(number: int, attempt: int) -> str:
    """Return the name of what an attempt at a shard writes, without an ending."""
    return f"{number:05d}-a{attempt}"


def is_part_name(name: str) -> bool:
    """Tell whether a name is like those that `part_name()` returns."""
    return _part_name(name) is not None


class Found(NamedTuple):
    """A URL of a crawl before the state has it.

    Attributes:
        url: as it was given, or found.
        depth: how many links led to it; 0: it was given.
        reach: how far inside it may lead.
    """

    url: str
    depth: int = 0
    reach: Reach = Reach.HERE


class Moved(NamedTuple):
    """Where a URL goes on: a redirect has led to a host that another worker may be asking.

    Attributes:
        url: what is to be asked for.
        host: of that.
        reach: how far inside it may lead.
        hops: how many redirects have led there.
        attempts: how many requests were made before, redirects not counted.
    """

    url: str
    host: str
    reach: Reach
    hops: int
    attempts: int

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Moved":
        """Return it, of what JSON has kept of it."""
        url, host, reach, hops, attempts = values
        return cls(url, host, Reach(reach), hops, attempts)


class Entry(str):
    """A URL of a crawl, as it was given.

    It is an item for `fetch_many()`; its attributes lead from the outcome back to the state.

    Attributes:
        number: the URL's, in the state.
        host: the name of the host that is asked.
        depth: how many links led to it.
        reach: how far inside it may lead.
        asked: the monotonic time at which it was asked for.
        site: which was asked; None: the URL is invalid.
        part: the part that has an earlier record of it; None: there is none.
        shard: the attempt in which it is fetched.
        home: the number of the shard to which it belongs, in the state.
        moved: where it goes on; None: at its beginning.
    """

    __slots__ = ("asked", "depth", "home", "host", "moved", "number", "part", "reach", "shard", "site")

    number: int
    host: str
    depth: int
    part: int | None
    reach: Reach
    asked: float
    site: Site | None
    shard: Shard
    home: int
    moved: Moved | None


def open_entries(database: sqlite3.Connection, shard: Shard) -> Iterator[Entry]:
    """Yield those URLs of a shard that have no outcome, host by host."""
    for url, number, host, depth, reach, part, moved in database.execute(
        "SELECT u.url, u.id, h.name, u.depth, u.reach, u.part, u.moved"
        " FROM urls u JOIN hosts h ON h.id = u.host"
        " WHERE u.shard = ? AND u.status IS NULL ORDER BY u.host, u.id",
        (shard.number,),
    ):
        entry = Entry(url)
        entry.number, entry.host, entry.depth, entry.reach = number, host, depth, Reach(reach)
        entry.part, entry.shard, entry.home, entry.moved = part, shard, shard.number, None
        if moved is not None:
            entry.moved = Moved.of(json.loads(moved))
            entry.host = entry.moved.host
        yield entry


class Cutter:
    """Cuts the URLs that have no shard yet into shards, within the caller's transaction.

    Args:
        database: the state's.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._rooms: dict[int, tuple[int, int]] = {}  # by lane: a shard that is not full, and its size
        self._shared = 0, SHARD  # the lane that further small hosts share, and how many URLs it has

    def cut(self) -> int:
        """Cut them; return how many URLs there were."""
        cut, last = 0, -1
        while True:
            page = self._database.execute(
                "SELECT u.host, count(*), h.lane FROM urls u JOIN hosts h ON h.id = u.host"
                " WHERE u.shard IS NULL AND u.host > ? GROUP BY u.host ORDER BY u.host LIMIT ?",
                (last, PAGE),
            ).fetchall()
            for host, count, lane in page:
                self._cut_host(host, count, self._lane(host, count) if lane is None else lane)
                cut += count
            if len(page) < PAGE:
                return cut
            last = page[-1][0]

    def _lane(self, host: int, count: int) -> int:
        """Choose the lane of a host, for all times."""
        lane = host
        if count < SHARD:
            lane, size = self._shared
            if size + count > SHARD:
                lane, size = host, 0
            self._shared = lane, size + count
        self._database.execute("UPDATE hosts SET lane = ? WHERE id = ?", (lane, host))
        return lane

    def _cut_host(self, host: int, count: int, lane: int) -> None:
        while count:
            shard, size = self._rooms.get(lane, (0, SHARD))
            if size >= SHARD:
                shard, size = self._new_shard(lane), 0
            piece = min(count, SHARD - size)
            self._database.execute(
                "UPDATE urls SET shard = ? WHERE id IN"
                " (SELECT id FROM urls WHERE shard IS NULL AND host = ? ORDER BY id LIMIT ?)",
                (shard, host, piece),
            )
            self._database.execute("UPDATE shards SET open = open + ? WHERE id = ?", (piece, shard))
            self._rooms[lane] = shard, size + piece
            count -= piece
        if self._rooms[lane][1] >= SHARD:
            del self._rooms[lane]

    def hand_over(self, handed: Iterable[tuple[Entry, Moved]]) -> None:
        """Put URLs behind those of the lanes of other hosts, where they go on."""
        database = self._database
        for entry, moved in handed:
            database.execute("INSERT OR IGNORE INTO hosts (name) VALUES (?)", (moved.host,))
            host, lane = database.execute(
                "SELECT id, lane FROM hosts WHERE name = ?", (moved.host,)
            ).fetchone()
            lane = self._lane(host, 1) if lane is None else lane
            shard, size = self._rooms.get(lane, (0, SHARD))
            if size >= SHARD:
                shard, size = self._new_shard(lane), 0
            self._rooms[lane] = shard, size + 1
            database.execute(
                "UPDATE urls SET shard = ?, moved = ? WHERE id = ?",
                (shard, json.dumps(moved), entry.number),
            )
            database.execute("UPDATE shards SET open = open + 1 WHERE id = ?", (shard,))
            database.execute("UPDATE shards SET open = open - 1 WHERE id = ?", (entry.home,))

    def _new_shard(self, lane: int) -> int:
        number = self._database.execute("INSERT INTO shards (lane, open) VALUES (?, 0)", (lane,)).lastrowid
        assert number is not None
        return number
