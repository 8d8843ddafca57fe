"""What can be asked for, and in which order: the URLs that the state has given out, and what follows them.

Hosts take turns.  Each has at most `per_host` requests under way, and while it is held none but those for
robots.txt begin.  A host begins when those that have begun have nothing to be asked for now: so few are
known at a time, with their connections and their files, however many there are.
"""

from collections import deque
from collections.abc import Iterable

from .asks import Ask, RobotsFile
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
    """A host: what waits, how much is under way, and may be; if it has begun, is in a row, and is held."""

    __slots__ = ("begun", "held", "most", "queue", "queued", "under_way")

    def __init__(self, most: int) -> None:
        self.most: int = most
        self.queue: deque[Ask] = deque()
        self.under_way: int = 0
        self.begun: bool = False
        self.queued: bool = False
        self.held: bool = False


class Frontier:
    """What can be asked for.

    Args:
        per_host: how many requests to a host are under way at most.

    Attributes:
        per_host: the same.
        waiting: how much waits.
    """

    def __init__(self, per_host: int) -> None:
        self.per_host: int = per_host
        self._lanes: dict[int, _Lane] = {}
        self._hosts: dict[str, _Host] = {}
        self._row: deque[_Host] = deque()  # of the hosts of which a URL may be asked for now
        self._new: deque[_Host] = deque()  # of those that were not asked for any yet, which come last
        self._following: deque[_Host] = deque()  # of those that have something else first, which goes before
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
            host = self._host(entry.host)
            host.queue.append(entry)
            self._line_up(host)
            lane.waiting += 1
            lane.open += 1
            self.waiting += 1

    def next(self, *, fresh: bool) -> Ask | None:
        """Take what may be asked for now; None: nothing.  Its host has one request more under way.

        Args:
            fresh: it may be a URL that was not asked for yet.
        """
        while self._following:
            host = self._following.popleft()
            if self._may_begin(host) and not isinstance(host.queue[0], Entry):
                return self._begin(host)
        while fresh and (row := self._row or self._new):
            host = row.popleft()
            host.queued = False
            if self._may_begin(host):  # or else it was held meanwhile
                return self._begin(host)
        return None

    def _begin(self, host: _Host) -> Ask:
        ask = host.queue.popleft()
        host.begun = True
        host.under_way += 1
        self._count(ask, -1)
        self._line_up(host)
        return ask

    def put_back(self, ask: Ask) -> None:
        """Put back what was taken, as the first in its host's row; the host's request is another one."""
        self._host(ask.host).queue.appendleft(ask)
        self._count(ask, 1)

    def push(self, ask: Ask) -> None:
        """Add what follows an answer, as the first in its host's row."""
        host = self._host(ask.host)
        host.queue.appendleft(ask)
        self._count(ask, 1)
        self._line_up(host)

    def release(self, name: str) -> None:
        """Take note that a request to a host is over."""
        host = self._hosts[name]
        host.under_way -= 1
        self._look(name, host)

    def narrow(self, name: str, most: int | None) -> None:
        """Change how many requests to a host may be under way; None: as many as usual."""
        host = self._hosts.get(name)
        if host is not None:
            host.most = self.per_host if most is None else min(most, self.per_host)
            self._line_up(host)

    def hold(self, name: str) -> None:
        """Begin no further request to a host, until `free()`."""
        self._host(name).held = True

    def free(self, name: str) -> None:
        """Let requests to a host begin again."""
        host = self._hosts.get(name)
        if host is not None and host.held:
            host.held = False
            self._look(name, host)

    def close(self, entry: Entry) -> None:
        """Take note that a URL has its outcome."""
        self._lanes[entry.shard.lane].open -= 1

    def forget_lanes(self) -> None:
        """Forget the lanes of which nothing is left, so that others can begin."""
        for number in [number for number, lane in self._lanes.items() if not lane.open]:
            del self._lanes[number]

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(self.per_host)
        return host

    def _count(self, ask: Ask, change: int) -> None:
        self.waiting += change
        if isinstance(ask, Entry):
            self._lanes[ask.shard.lane].waiting += change

    def _look(self, name: str, host: _Host) -> None:
        """Put a host into the row, or forget it."""
        if host.queue:
            self._line_up(host)
        elif not host.under_way and not host.held:
            del self._hosts[name]

    def _line_up(self, host: _Host) -> None:
        if not self._may_begin(host):
            return
        if not isinstance(host.queue[0], Entry):
            self._following.append(host)
        elif not host.queued:
            host.queued = True
            (self._row if host.begun else self._new).append(host)

    def _may_begin(self, host: _Host) -> bool:
        if not host.queue or host.under_way >= host.most:
            return False
        return not host.held or isinstance(host.queue[0], RobotsFile)
