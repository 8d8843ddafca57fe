"""Shards: the pieces in which a crawl is done, and written down.

A shard has at most `SHARD` URLs.  All URLs of a host are in the shards of one *lane*, which are done one
after the
other: so no host is in two shards at a time that are under way.  A host with many URLs has a lane of its
own; hosts with few share one, so that shards are not small.
"""

import sqlite3
from typing import NamedTuple

from .addresses import Reach
from .sites import Site

SHARD = 200
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


class Entry(str):
    """A URL of a crawl, as it was given.

    It is an item for `fetch_many()`; its attributes lead from the outcome back to the state.

    Attributes:
        number: the URL's, in the state.
        host: its host's name.
        depth: how many links led to it.
        reach: how far inside it may lead.
        asked: the monotonic time at which it was asked for.
        site: which was asked; None: the URL is invalid.
        part: the part that has an earlier record of it; None: there is none.
        shard: to which it belongs.
    """

    __slots__ = ("asked", "depth", "host", "number", "part", "reach", "shard", "site")

    number: int
    host: str
    depth: int
    part: int | None
    reach: Reach
    asked: float
    site: Site | None
    shard: Shard


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

    def _new_shard(self, lane: int) -> int:
        number = self._database.execute("INSERT INTO shards (lane, open) VALUES (?, 0)", (lane,)).lastrowid
        assert number is not None
        return number
