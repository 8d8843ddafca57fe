"""The URLs that the state has given out and that were not asked for yet: which one is next.

Hosts take turns.  Each has at most `per_host` URLs under way.
"""

from collections import deque
from collections.abc import Iterable

from .shards import SHARD, Entry, Shard

# Lanes under way at a time, and so hosts, or groups of small ones.
LANES = 200


class _Lane:
    """A lane under way: its last shard, and how many URLs wait, or have no outcome."""

    __slots__ = ("last", "open", "waiting")

    def __init__(self) -> None:
        self.last: int = 0
        self.waiting: int = 0
        self.open: int = 0


class _Host:
    """A host: its URLs that wait, how many are under way, and whether it stands in the row of the hosts."""

    __slots__ = ("queue", "queued", "under_way")

    def __init__(self) -> None:
        self.queue: deque[Entry] = deque()
        self.under_way: int = 0
        self.queued: bool = False


class Frontier:
    """What can be asked for.

    Args:
        per_host: how many URLs of a host are under way at most.

    Attributes:
        waiting: how many URLs wait.
    """

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._lanes: dict[int, _Lane] = {}
        self._hosts: dict[str, _Host] = {}
        self._row: deque[_Host] = deque()  # of the hosts of which a URL may be asked for now
        self.waiting: int = 0

    @property
    def hosts(self) -> int:
        """How many hosts have URLs that wait or are under way."""
        return len(self._hosts)

    @property
    def busy(self) -> set[int]:
        """The lanes under way."""
        return set(self._lanes)

    @property
    def room(self) -> int:
        """How many further lanes may begin."""
        return LANES - len(self._lanes)

    def wanting(self) -> dict[int, int]:
        """Return the lanes whose next shard is wanted, and the last one of each."""
        return {number: lane.last for number, lane in self._lanes.items() if lane.waiting < SHARD}

    def add(self, shard: Shard, entries: Iterable[Entry]) -> None:
        """Take in a shard that was given out."""
        lane = self._lanes.setdefault(shard.lane, _Lane())
        lane.last = shard.number
        for entry in entries:
            host = self._hosts.get(entry.host)
            if host is None:
                host = self._hosts[entry.host] = _Host()
            host.queue.append(entry)
            self._line_up(host)
            lane.waiting += 1
            lane.open += 1
            self.waiting += 1

    def next(self) -> Entry | None:
        """Take a URL that may be asked for now; None: there is none."""
        if not self._row:
            return None
        host = self._row.popleft()
        host.queued = False
        entry = host.queue.popleft()
        host.under_way += 1
        self.waiting -= 1
        self._lanes[entry.shard.lane].waiting -= 1
        self._line_up(host)
        return entry

    def done(self, entry: Entry) -> None:
        """Take note that a URL has its outcome."""
        host = self._hosts[entry.host]
        host.under_way -= 1
        if host.queue:
            self._line_up(host)
        elif not host.under_way:
            del self._hosts[entry.host]
        self._lanes[entry.shard.lane].open -= 1

    def forget_lanes(self) -> None:
        """Forget the lanes of which nothing is left, so that others can begin."""
        for number in [number for number, lane in self._lanes.items() if not lane.open]:
            del self._lanes[number]

    def _line_up(self, host: _Host) -> None:
        if host.queue and not host.queued and host.under_way < self._per_host:
            host.queued = True
            self._row.append(host)
