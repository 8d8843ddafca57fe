"""Leases: which URLs workers may be at.

A lease is given in the transaction that numbers its attempt, before the task is submitted.  It ends in the
transaction that writes down what has become of it.  While there is one, no other is given for its lanes: so
no host is asked by two workers, in whatever process, after whatever restart of the driver.

All functions here work within the caller's transaction.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .shards import Entry, Shard, part_name
from .tasks import Sidecar

# How many workers are lost with a shard before it is a task of its own; and with that, before it is cut into
# so many pieces, or its only URL fails.
ALONE, GUILTY, PIECES = 2, 3, 8


# The fields of an `Item`.
_ITEMS = (
    "SELECT u.id, u.url, h.name, u.depth, u.reach, u.part, u.moved, s.id, s.lane"
    " FROM urls u JOIN hosts h ON h.id = u.host JOIN shards s ON s.id = u.shard"
    " WHERE u.shard = ? AND u.status IS NULL ORDER BY u.host, u.id LIMIT ?"
)


class Ready(NamedTuple):
    """A lane with something to do, and how often a worker was lost with its next shard."""

    lane: int
    shard: int
    tries: int


class Lease(NamedTuple):
    """A lease.

    Attributes:
        number: of it.
        shard, attempt: the first shard of its task, and the number of the attempt: they name it.
        seconds: for which it lasts, counted from the receipt of the task.
        lanes: of its URLs.
    """

    number: int
    shard: int
    attempt: int
    seconds: float
    lanes: frozenset[int]

    @property
    def name(self) -> str:
        """The name of what the attempt writes, without an ending."""
        return part_name(self.shard, self.attempt)


class Given(NamedTuple):
    """A lease that was given, and its URLs: plain tuples, as those of `Item`, which cost least to send."""

    lease: Lease
    items: list[Any]


class Leases:
    """The leases in a state.

    Args:
        database: the state's.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def outstanding(self) -> list[Lease]:
        """Return the leases that there are."""
        rows = self._database.execute("SELECT id, shard, attempt, seconds FROM leases ORDER BY id").fetchall()
        return [
            Lease(number, shard, attempt, seconds, self._lanes(number))
            for number, shard, attempt, seconds in rows
        ]

    def _lanes(self, number: int) -> frozenset[int]:
        found = self._database.execute("SELECT lane FROM shards WHERE lease = ?", (number,))
        return frozenset(lane for (lane,) in found)

    def ready(self, after: int) -> Iterator[Ready]:
        """Yield the lanes with something to do, those behind a lane first, and then those before it."""
        lane, last = after, None
        while True:
            found = self._database.execute(
                "SELECT lane, id, tries FROM shards WHERE open > 0 AND lane > ? ORDER BY lane, id LIMIT 1",
                (lane,),
            ).fetchone()
            if found is None:
                if last is not None:
                    return
                lane, last = -1, after
            elif last is not None and found[0] > last:
                return
            else:
                lane = found[0]
                yield Ready(*found)

    def give(self, lanes: Sequence[Ready], most: int, seconds: float) -> Given:
        """Lease the next URLs of lanes.

        Args:
            lanes: of which none is leased.
            most: URLs of each.
            seconds: for which the lease lasts.
        """
        first = lanes[0].shard
        database = self._database
        (attempt,) = database.execute(
            "UPDATE shards SET attempt = attempt + 1 WHERE id = ? RETURNING attempt", (first,)
        ).fetchone()
        number = database.execute(
            "INSERT INTO leases (shard, attempt, seconds) VALUES (?, ?, ?)", (first, attempt, seconds)
        ).lastrowid
        assert number is not None
        items: list[Any] = []
        for lane in lanes:
            items += self._take(lane, most, number)
        return Given(Lease(number, first, attempt, seconds, frozenset(lane.lane for lane in lanes)), items)

    def _take(self, lane: Ready, most: int, number: int) -> list[Any]:
        """Lease the next shards of a lane, until they have so many URLs."""
        shards = self._database.execute(
            "SELECT id, tries, open FROM shards WHERE open > 0 AND lane = ? ORDER BY id", (lane.lane,)
        )
        taken: list[int] = []
        left = most
        for shard, tries, count in shards:
            if taken and tries >= ALONE:
                break
            taken.append(shard)
            left -= count
            if left <= 0 or tries >= ALONE:
                break
        shards.close()
        items: list[Any] = []
        for shard in taken:
            self._database.execute("UPDATE shards SET lease = ? WHERE id = ?", (number, shard))
            items += self._database.execute(_ITEMS, (shard, most - len(items)))
        return [_moved(item) if item[6] else item for item in items]

    def end(self, lease: Lease, *, is_lost: bool = False, cut: Iterable[int] = ()) -> list[int]:
        """End a lease.

        Args:
            lease: which it is.
            is_lost: its worker was lost with it.
            cut: the shards of the URLs that were under way when it ended by its time.

        Returns:
            The URLs, by number, with which workers were lost too often, each alone.
        """
        database = self._database
        shards = [
            one for (one,) in database.execute("SELECT id FROM shards WHERE lease = ?", (lease.number,))
        ]
        blamed = set(shards) if is_lost else set(cut)
        database.execute("DELETE FROM leases WHERE id = ?", (lease.number,))
        database.execute("UPDATE shards SET lease = NULL WHERE lease = ?", (lease.number,))
        guilty: list[int] = []
        for shard in shards:
            if shard not in blamed:
                database.execute("UPDATE shards SET tries = 0 WHERE id = ? AND tries", (shard,))
                continue
            tries, open_ = database.execute(
                "UPDATE shards SET tries = tries + 1 WHERE id = ? RETURNING tries, open", (shard,)
            ).fetchone()
            if tries >= GUILTY and open_ > 0:
                guilty += self._cut_up(shard, tries, open_)
        return guilty

    def _cut_up(self, shard: int, tries: int, count: int) -> list[int]:
        """Cut a shard into pieces, which are tried by themselves; return its URL if it has only one."""
        database = self._database
        numbers = [
            one
            for (one,) in database.execute(
                "SELECT id FROM urls WHERE shard = ? AND status IS NULL ORDER BY host, id", (shard,)
            )
        ]
        if len(numbers) <= 1:
            return numbers
        step = -(-count // PIECES)
        for start in range(step, len(numbers), step):
            piece = numbers[start : start + step]
            new = database.execute(
                "INSERT INTO shards (lane, open, tries) SELECT lane, ?, ? FROM shards WHERE id = ?",
                (len(piece), tries, shard),
            ).lastrowid
            database.executemany("UPDATE urls SET shard = ? WHERE id = ?", [(new, one) for one in piece])
            database.execute("UPDATE shards SET open = open - ? WHERE id = ?", (len(piece), shard))
        return []

    def note_worker(self, run: int, sidecar: Sidecar) -> None:
        """Take note of what a worker has done."""
        self._database.execute(
            "INSERT INTO workers (run, name, tasks, urls, seconds, cpu) VALUES (?, ?, 1, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET tasks = tasks + 1, urls = urls + excluded.urls,"
            " seconds = seconds + excluded.seconds, cpu = cpu + excluded.cpu",
            (run, sidecar.worker, len(sidecar.results), sidecar.seconds, sidecar.cpu),
        )

    def entry(self, number: int) -> Entry:
        """Return a URL, which has no outcome."""
        url, shard, part, depth = self._database.execute(
            "SELECT url, shard, part, depth FROM urls WHERE id = ?", (number,)
        ).fetchone()
        (attempt,) = self._database.execute(
            "UPDATE shards SET attempt = attempt + 1 WHERE id = ? RETURNING attempt", (shard,)
        ).fetchone()
        entry = Entry(url)
        entry.number, entry.part, entry.depth, entry.home = number, part, depth, shard
        entry.shard = Shard(shard, 0, attempt)
        return entry


def _moved(item: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the fields of a URL that goes on elsewhere."""
    moved = json.loads(item[6])
    return (*item[:2], moved[1], *item[3:6], moved, *item[7:])
