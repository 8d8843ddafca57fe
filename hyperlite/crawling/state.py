"""The state of a crawl: an SQLite database, of which the driver is the only writer.

What is committed there has happened, and nothing else has: the URLs that were copied, the parts that count,
the outcomes.  Rule: `turn()` is the only way in which a crawl goes on, and it is one transaction.
"""

import contextlib
import errno
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from .asks import Handover
from .bounds import Bounds
from .durable import Lock, settle_folder
from .figures import Figures
from .identity import identity
from .parts import Counted, Result
from .schema import APPLICATION, TABLES, VERSION
from .scope import domain_of
from .shards import Cutter, Entry, Found, Shard, open_entries
from .summary import CrawlSummary

DATABASE = "state.sqlite3"
PARTS = "parts"
# Rows of one transaction while the input is copied.
ROWS = 5000
# Kilobytes of the database that are held in memory.
CACHE = 32768
# Seconds to wait for another process that looks at the database.
PATIENCE = 30

ADD = (
    "INSERT OR IGNORE INTO urls (url, key, host, depth, reach)"
    " VALUES (?, ?, (SELECT id FROM hosts WHERE name = ?), ?, ?)"
)
IN_USE = "this crawl is running already: one process at a time works on a state"


class Turn(NamedTuple):
    """What has happened since the last turn.

    Attributes:
        results: of URLs.
        written: the shards whose parts have more records that count.
        found: further URLs.
        at: until when this has happened, in seconds since 1970.
        handed: URLs that go on in other lanes.
        figures: of the results, if they are known.
    """

    results: list[Result]
    written: list[Shard]
    found: list[Found]
    at: float
    handed: Sequence[Handover] = ()
    figures: str | None = None


class Given(NamedTuple):
    """A shard that was given out, and those of its URLs that have no outcome."""

    shard: Shard
    entries: list[Entry]


class Turned(NamedTuple):
    """What a turn has brought: how many URLs are new, and the shards that were given out."""

    added: int
    given: list[Given]


class State:
    """The state in a folder.

    Args:
        folder: which holds the database and the parts; `create` makes it.
        create: there may be none yet; otherwise that is a FileNotFoundError.
        read_only: for a look, beside a run that may go on.

    Attributes:
        bounds: of the URLs that are found.
        run: the number of the run that was begun.

    Raises:
        BlockingIOError: another process runs the crawl. ValueError: it is of another version, or no state.
        OSError: it cannot be read or written.
    """

    def __init__(self, folder: Path, *, create: bool = False, read_only: bool = False) -> None:
        self.bounds: Bounds | None = None
        self.run: int = 0
        self.folder: Path = folder
        self.parts: Path = folder / PARTS
        if create:
            self.parts.mkdir(parents=True, exist_ok=True)
        elif not (folder / DATABASE).exists():
            raise FileNotFoundError(errno.ENOENT, "there is no state of a crawl", str(folder))
        with contextlib.ExitStack() as opened:
            if not read_only:
                opened.callback(Lock(folder / "lock", IN_USE).release)
            address = f"file:{quote(str((folder / DATABASE).absolute()))}?mode={'rw' if read_only else 'rwc'}"
            with self._checked():
                self._database = sqlite3.connect(
                    address, uri=True, isolation_level=None, timeout=PATIENCE, check_same_thread=False
                )
                opened.callback(self._database.close)
                self._prepare(read_only=read_only)
            self._opened = opened.pop_all()

    def _prepare(self, *, read_only: bool) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, VERSION} or (read_only and not version):
            raise ValueError(f"{self.folder} holds the state of a crawl by another version of hyperlite")
        if read_only:
            self._database.execute("PRAGMA query_only = ON")
            return
        (mode,) = self._database.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise OSError(
                errno.ENOTSUP, "SQLite has no WAL here: keep the state on a local disk", str(self.folder)
            )
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(f"PRAGMA cache_size = -{CACHE}")
        if not version:
            self._database.executescript(
                f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION};"
                f" PRAGMA user_version = {VERSION}; COMMIT"
            )
            settle_folder(self.folder)

    @contextlib.contextmanager
    def _checked(self) -> Iterator[None]:
        """Make an error of SQLite's an OSError that says what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            code = (error.sqlite_errorcode or 0) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                raise OSError(errno.ENOSPC, "no space is left for the state", str(self.folder)) from error
            raise OSError(errno.EIO, f"the state cannot be used: {error}", str(self.folder)) from error
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.folder / DATABASE} holds no state of a crawl: {error}") from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Have all that is changed within the block be changed together, or not at all."""
        with self._checked():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back some errors itself
                    self._database.execute("ROLLBACK")
                raise

    def _select(self, query: str, *values: Any) -> list[Any]:
        with self._checked():
            return self._database.execute(query, values).fetchall()

    # -- the whole --------------------------------------------------------------------------------

    def get(self, name: str) -> Any:
        """Return a value that was set, or None."""
        found = self._select("SELECT value FROM meta WHERE name = ?", name)
        return json.loads(found[0][0]) if found else None

    def _set(self, name: str, value: Any) -> None:
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    def begin(self, settings: Mapping[str, Any], options: Mapping[str, Any]) -> int:
        """Begin a run, and return its number.

        Args:
            settings: what may not change between the runs of a crawl.
            options: what may, and is noted.

        Raises:
            ValueError: a setting is another one than before.
        """
        before = self.get("settings")
        for name, value in settings.items():
            if before is not None and before.get(name) != value:
                raise ValueError(f"this crawl was begun with {name}={before.get(name)!r}, not {value!r}")
        with self.transaction() as database:
            self._set("settings", dict(settings))
            number = database.execute(
                "INSERT INTO runs (began, options) VALUES (?, ?)", (time.time(), json.dumps(dict(options)))
            ).lastrowid
        assert number is not None
        self.run = number
        return number

    def end(self, number: int, how: str) -> None:
        """Note how a run has ended."""
        with self.transaction() as database:
            database.execute("UPDATE runs SET ended = ?, how = ? WHERE id = ?", (time.time(), how, number))

    @property
    def ending(self) -> str | None:
        """The ending of the names of parts; None: no run has begun."""
        ending: str | None = (self.get("settings") or {}).get("ending")
        return ending

    def runs(self) -> list[tuple[float, float | None, str | None, dict[str, Any]]]:
        """Return of each run when it began and ended, how, and its options."""
        rows = self._select("SELECT began, ended, how, options FROM runs ORDER BY id")
        return [(began, ended, how, json.loads(options)) for began, ended, how, options in rows]

    def turns(self) -> list[tuple[int, float, str]]:
        """Return of each turn its run, its time, and its figures."""
        return self._select("SELECT run, at, figures FROM turns ORDER BY id")

    def workers(self) -> list[tuple[int, str, int, int, float, float]]:
        """Return of each worker the run, its name, and how many tasks, URLs, seconds and seconds of CPU."""
        return self._select("SELECT run, name, tasks, urls, seconds, cpu FROM workers ORDER BY run, name")

    def troubles(self, hosts: int) -> list[tuple[str, str, int]]:
        """Return how many URLs of each host have no response, or a status of 400 and above, by the kind.

        Args:
            hosts: so many are looked at, those with most of them.
        """
        return self._select(
            "SELECT h.name,"
            " iif(u.status, 'status ' || u.status, substr(u.error, 1, instr(u.error, ':') - 1)), count(*)"
            " FROM urls u JOIN hosts h ON h.id = u.host"
            " WHERE (u.status = 0 OR u.status >= 400) AND u.host IN (SELECT host FROM urls"
            " WHERE status = 0 OR status >= 400 GROUP BY host ORDER BY count(*) DESC LIMIT ?) GROUP BY 1, 2",
            hosts,
        )

    def close(self) -> None:
        """Close it, and let others run the crawl."""
        self._opened.close()

    # -- URLs -------------------------------------------------------------------------------------

    @property
    def is_copied(self) -> bool:
        """Whether all of the input was copied."""
        return bool(self.get("copied"))

    def copy(self, urls: Iterable[str], *, again: bool) -> None:
        """Copy the input, before anything is fetched.

        Args:
            urls: the input, from its beginning.
            again: the input can be read again, so what an earlier copy has left that was not completed is
                removed; otherwise it stays.
        """
        if again:
            with self.transaction() as database:
                database.execute("DELETE FROM urls")
                database.execute("DELETE FROM hosts")
                self._set("given", 0)
        piece: list[Found] = []
        for url in urls:
            piece.append(Found(url))
            if len(piece) >= ROWS:
                self._copy_piece(piece)
                piece = []
        with self.transaction():
            self._add(piece)
            self._set("given", (self.get("given") or 0) + len(piece))
            Cutter(self._database).cut()
            self._set("copied", True)

    def _copy_piece(self, piece: list[Found]) -> None:
        with self.transaction():
            self._add(piece)
            self._set("given", (self.get("given") or 0) + len(piece))

    def _add(self, urls: Iterable[Found]) -> int:
        """Add those URLs that are not there yet; return how many."""
        rows = [(url, *identity(url), depth, reach) for url, depth, reach in urls]
        self._database.executemany(
            "INSERT OR IGNORE INTO hosts (name) VALUES (?)", {(row[2],) for row in rows}
        )
        if rows and rows[0][3] and self.bounds is not None:
            return self._add_within(self.bounds, rows)
        return self._database.executemany(ADD, rows).rowcount

    def _add_within(self, bounds: Bounds, rows: list[Any]) -> int:
        """Add URLs that were found, as far as the bounds allow; return how many."""
        added = 0
        for row in rows:
            if bounds.admits(row[2]) and self._database.execute(ADD, row).rowcount:
                bounds.note(row[2])
                added += 1
        return added

    def bound(self, most: int | None, most_of_host: int | None) -> None:
        """Bound the URLs of the crawl, and those of each host; None: any number."""
        by_host: dict[str, int] = {}
        if most_of_host is not None:
            by_host = dict(
                self._select(
                    "SELECT h.name, count(*) FROM urls u JOIN hosts h ON h.id = u.host GROUP BY u.host"
                )
            )
        ((urls,),) = self._select("SELECT count(*) FROM urls")
        self.bounds = Bounds(most, most_of_host, urls, by_host)

    def domains(self) -> frozenset[str]:
        """Return the hosts of the URLs that were given, each by `domain_of()`."""
        hosts = self._select(
            "SELECT DISTINCT h.name FROM urls u JOIN hosts h ON h.id = u.host WHERE u.depth = 0"
        )
        return frozenset(domain_of(host) for (host,) in hosts)

    def retry_failed(self) -> int:
        """Have the URLs fetched again that have no response, or an answer of 429, or of 500 and above.

        Their records count until there are new ones.  Returns how many they are.
        """
        with self.transaction() as database:
            database.execute(
                "UPDATE urls SET status = NULL, shard = NULL, moved = NULL"
                " WHERE status IS NOT NULL AND (status = 0 OR status = 429 OR status >= 500)"
            )
            return Cutter(database).cut()

    # -- the crawl --------------------------------------------------------------------------------

    def turn(self, turn: Turn, wanting: Mapping[int, int], busy: Collection[int], room: int) -> Turned:
        """Write down what has happened, and give out further shards, in one transaction.

        Args:
            turn: what has happened.
            wanting: lanes whose next shard is wanted, and the last one of each that was given out.
            busy: all lanes that are under way.
            room: how many further lanes to begin.

        Returns:
            How many URLs were added; the next shards of these lanes, and the first of others.
        """
        with self.transaction():
            added = self.write_down(turn)
            given = [self._give_out(*shard) for shard in self._next_shards(wanting, busy, room)]
            return Turned(added, given)

    def write_down(self, turn: Turn) -> int:
        """Write down what has happened, within the caller's transaction; return how many URLs were added."""
        database, results = self._database, turn.results
        parts = {shard: self._count_in(shard) for shard in turn.written}
        database.executemany(
            "UPDATE urls SET status = ?, tries = ifnull(tries, 0) + ?, error = ?, part = ? WHERE id = ?",
            [
                (one.status, one.tries, one.error, parts.get(one.entry.shard), one.entry.number)
                for one in results
            ],
        )
        database.executemany(
            "UPDATE shards SET open = open - ? WHERE id = ?",
            [(many, one) for one, many in Counter(one.entry.home for one in results).items()],
        )
        database.executemany(
            "UPDATE parts SET dropped = dropped + 1 WHERE id = ?",
            [(one.entry.part,) for one in results if one.entry.part is not None],
        )
        if results:
            database.execute(
                "INSERT INTO turns (run, at, figures) VALUES (?, ?, ?)",
                (self.run, turn.at, turn.figures or str(Figures.of(results))),
            )
        if turn.handed:
            Cutter(database).hand_over([(entry, moved) for entry, moved, _ in turn.handed])
        added = self._add(turn.found) if turn.found else 0
        if added:
            Cutter(database).cut()
        return added

    def _count_in(self, shard: Shard) -> int:
        """Let a part count, as far as it was written; return its number."""
        (number,) = self._database.execute(
            "INSERT INTO parts (shard, attempt, bytes, records) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET bytes = excluded.bytes, records = excluded.records RETURNING id",
            (shard.number, shard.attempt, shard.size, shard.records),
        ).fetchone()
        return int(number)

    def _next_shards(
        self, wanting: Mapping[int, int], busy: Collection[int], room: int
    ) -> list[tuple[int, int, int]]:
        """Return the number, lane and attempt of each shard to be given out."""
        find = (
            "SELECT id, lane, attempt + 1 FROM shards WHERE open > 0 AND lane = ? AND id > ?"
            " ORDER BY id LIMIT 1"
        )
        found: list[tuple[int, int, int]] = []
        for lane in wanting.items():
            found += self._database.execute(find, lane)
        if room > 0:
            lanes = self._database.execute(
                "SELECT DISTINCT lane FROM shards WHERE open > 0 ORDER BY lane LIMIT ?", (room + len(busy),)
            )
            for (lane,) in [lane for lane in lanes if lane[0] not in busy][:room]:
                found += self._database.execute(find, (lane, 0))
        return found

    def _give_out(self, number: int, lane: int, attempt: int) -> Given:
        """Begin an attempt at a shard; what it writes has a name of its own."""
        self._database.execute("UPDATE shards SET attempt = ? WHERE id = ?", (attempt, number))
        shard = Shard(number, lane, attempt)
        return Given(shard, list(open_entries(self._database, shard)))

    # -- what there is ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Have all that is read within the block be of one moment, whatever a run changes meanwhile."""
        with self._checked():
            self._database.execute("BEGIN")
            try:
                yield
            finally:
                self._database.execute("COMMIT")

    def counted(self) -> list[Counted]:
        """Return the manifest: the parts that count."""
        rows = self._select(
            "SELECT id, shard, attempt, bytes, records, dropped FROM parts ORDER BY shard, attempt"
        )
        return [Counted(*row) for row in rows]

    def part_of(self, key: bytes) -> int | None:
        """Return the number of the part that has the last record of a URL, by the URL's key."""
        found = self._select("SELECT part FROM urls WHERE key = ?", key)
        return found[0][0] if found else None

    def part_of_number(self, number: int) -> int | None:
        """Return the same by the URL's number."""
        found = self._select("SELECT part FROM urls WHERE id = ?", number)
        return found[0][0] if found else None

    def summary(self) -> CrawlSummary:
        """Count what there is."""
        rows = self._select(
            "SELECT status, substr(error, 1, instr(error, ':') - 1), count(*) FROM urls GROUP BY 1, 2"
        )
        statuses: Counter[int] = Counter()
        errors: Counter[str] = Counter()
        left = 0
        for status, error, count in rows:
            if status is None:
                left += count
            elif status:
                statuses[status] += count
            else:
                errors[error] += count
        urls = left + statuses.total() + errors.total()
        ((hosts,),) = self._select(
            "SELECT count(*) FROM hosts WHERE name != '' AND id IN (SELECT host FROM urls)"
        )
        found = self._select("SELECT count(*) FROM urls WHERE depth > 0")[0][0]
        given = self.get("given") or 0
        return CrawlSummary(
            urls=urls,
            left=left,
            duplicates=given - (urls - found),
            hosts=hosts,
            statuses=dict(sorted(statuses.items())),
            errors=dict(errors.most_common()),
        )
