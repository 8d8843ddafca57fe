"""The connections to one origin: which one takes the next request, and which thread dials another.

::

    lease() ──> a connection with room          h2: shared, as long as its stream limit allows
        │  └──> an idle one                     HTTP/1.1: one request at a time
        ├─────> dial another                    one thread at a time while the protocol is unknown
        └─────> wait for one of these

A connection of a pool is one socket for its life: it does not reconnect, and it sends no request again.  The
leaseholder asks the pool for another connection instead.

Rule: `_lock` guards everything here, and no thread waits for the network while it holds it.
"""

import operator
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from ..errors import RequestTimeout, again
from ..net.forking import watch
from ..net.protocols import H2, HTTP11
from ..net.timeouts import deadline_after, remaining, soonest
from ..transports import TransportOptions
from .bonds import Claim, in_the_way, own_of
from .connection import PooledConnection, dial
from .dials import Dials
from .idle import IdleConnections
from .key import Key
from .lease import Lease

# An HTTP/2 connection that was given back so few seconds ago is not checked, which would cost a twentieth of
# a small request: a close could just as well come right after the check. GOAWAY is heeded anyhow.
RECENT = 0.001
# Seconds after which a waiting thread looks again: finalizers wake no thread.
LOOK = 0.5


class Settings(NamedTuple):
    """What the connections of a pool have in common."""

    max_connections: int  # to one origin
    max_http1: int  # the same, of an origin that has no HTTP/2
    max_idle: int  # that no request uses, to all origins together
    idle_timeout: float | None
    source_address: tuple[str, int] | None
    transports: TransportOptions
    connect: Callable[..., PooledConnection] | None = None  # instead of `dial()`


class Counters:
    """What a pool has done so far; approximate, because no lock guards it."""

    def __init__(self) -> None:
        self.dialled = self.failed_dials = self.requests = self.retries = self.redirects = 0


class Origin:
    """The connections of one key: to one origin, through one proxy or none, with one TLS context."""

    def __init__(self, key: Key, settings: Settings, counters: Counters, idle: IdleConnections) -> None:
        self.key = key
        self._settings = settings
        self._counters = counters
        self._idle = idle
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._protocols = key.choice()  # which the connections tell what the server requires
        # -- guarded by _lock --
        self._connections: list[PooledConnection] = []
        self._dials = Dials()
        self._waiting = 0
        self._closed = False
        self._dismissed: list[
            PooledConnection
        ] = []  # which get no further requests: to be drained, or closed
        self.has_bonds = False  # there is, or was, a connection with a bond
        self.abandoned: deque[Lease] = deque()  # by finalizers, which may not take the lock
        self.last_used: float = time.monotonic()
        watch(self)

    # -- leasing ----------------------------------------------------------------------------------

    def lease(self, timeout: float | None, claim: Claim | None = None) -> Lease:
        """Lease a connection for one request.

        Args:
            timeout: seconds to wait for it, dialling included; None: no limit.
            claim: of a request whose credentials may authenticate the connection; or None.

        Raises:
            OSError, ssl.SSLError: dialling failed. RequestTimeout: no connection was free in time.
        """
        self.last_used = time.monotonic()
        deadline = deadline_after(timeout)
        joined: int | None = None  # how many dials had ended when this thread began to wait
        alone = claim is not None and bool(claim.carried)  # no other request may share its connection
        while True:
            if self.abandoned:
                self.collect()
            with self._lock:
                lease = self._pick_locked(claim=claim)
                if lease is None:
                    if self.has_bonds:
                        self._make_room_locked(alone=alone)
                    failure = self._dials.failure_since(joined)
                    if failure is not None and not self._connections:
                        raise again(failure) from failure
                    if not self._may_dial_locked(eager=alone, alone=alone):
                        joined = self._wait_locked(deadline, timeout)
                        continue
                    self._dials.under_way += 1
            self._dismiss()
            if lease is None:
                try:
                    return self._dial(remaining(deadline), claim)
                except OSError:
                    if not self._has_enough():
                        raise
                    continue
            if self._is_good((lease,)):
                return lease

    def try_lease(self, count: int, *, insist: bool) -> list[Lease] | None:
        """Lease an open HTTP/2 connection for up to `count` requests, without waiting; None if there is none.

        Args:
            count: the most leases to take.
            insist: if all are full and no more may be opened, take the one with the shortest queue.
        """
        while True:
            if self.abandoned:
                self.collect()
            with self._lock:
                first = self._pick_locked(shared=True, queue=insist)
                if first is None and self.has_bonds:
                    self._make_room_locked()
                leases = [] if first is None else [first]
                if first is not None:
                    further = min(count - 1, first.connection.room)
                    leases += [Lease(self, first.connection) for _ in range(further)]
            self._dismiss()
            if not leases:
                return None
            if self._is_good(leases):
                return leases

    def expand(self, timeout: float | None) -> Lease | None:
        """Dial a further connection, if one may be opened, and lease it for the first of some requests.

        Raises:
            As `lease`.
        """
        with self._lock:
            if self._closed:
                raise _closed()
            if not self._may_dial_locked(eager=True):
                return None
            self._dials.under_way += 1
        return self._dial(timeout)

    def extend(self, lease: Lease, count: int) -> list[Lease]:
        """Lease the connection of a lease for up to `count` requests, without waiting; return all leases."""
        with self._lock:
            further = min(count - 1, lease.connection.room)
            return [lease, *(Lease(self, lease.connection) for _ in range(further))]

    def release(self, leases: Collection[Lease], *, reusable: bool = True) -> None:
        """End leases; do nothing for one that has ended before.

        Args:
            leases: of this origin.
            reusable: as for `Lease.end()`.
        """
        unused: list[PooledConnection] = []
        idle: list[PooledConnection] = []
        with self._lock:
            ended = {lease for lease in leases if not lease.over}
            for lease in ended:
                lease.over = True
                lease.connection.leased -= 1
                if lease.bond is not None:  # no answer has come
                    lease.bond.note_answer(goes_on=False)
            now = time.monotonic()
            for connection in {lease.connection for lease in ended}:
                connection.used = True
                connection.idle_since = now
                in_use, bond = connection.leased > 0, connection.bond
                # On HTTP/1.1 the rest of an unread response would come before the next one.
                spent = connection.http2 is None and not (reusable and (in_use or connection.healthy))
                spent |= not in_use and bond is not None and bond.is_spent
                if spent and connection in self._connections:
                    self._connections.remove(connection)
                if in_use:
                    continue
                if connection not in self._connections:
                    unused.append(connection)
                elif not connection.noted:
                    connection.noted = True
                    idle.append(connection)
            if self._waiting:
                self._changed.notify(len(leases))
        for connection in unused:
            connection.close()
        for connection in idle:
            self._idle.note(connection, self)
        for lease in ended:
            if lease.permit is not None:
                lease.permit.end()

    def note_answer(self, lease: Lease, *, goes_on: bool) -> None:
        """See `Lease.note_answer()`."""
        with self._lock:
            bond, lease.bond = lease.bond, None
            if bond is not None:
                bond.note_answer(goes_on=goes_on)
            if self._waiting:
                self._changed.notify()

    def collect(self) -> None:
        """End the leases that finalizers have abandoned."""
        while self.abandoned:
            lease = self.abandoned.popleft()
            self.release((lease,), reusable=lease.connection.is_idle)

    def discard(self, connection: PooledConnection) -> None:
        """Lease a connection no more; requests under way on it go on."""
        with self._lock:
            if connection in self._connections:
                self._connections.remove(connection)
            self._dismissed.append(connection)
            self._changed.notify()
        self._dismiss()

    def _dismiss(self) -> None:
        """Drain or close the connections that get no further requests."""
        while self._dismissed:
            connection = self._dismissed.pop()
            if connection.http2 is not None:
                connection.http2.drain()
            else:
                connection.close()

    def _pick_locked(
        self, *, shared: bool = False, queue: bool = True, claim: Claim | None = None
    ) -> Lease | None:
        """Choose a connection and lease it; None: the caller has to dial one, or to wait."""
        if self._closed:
            raise _closed()
        self._forget_unusable_locked()
        if claim is not None and (claim.carried or self.has_bonds):
            own = own_of(self._connections, claim)
            if own is not None or claim.carried:
                return None if own is None else Lease(self, own, claim)
        free = [one for one in self._connections if one.bond is None and not (shared and one.http2 is None)]
        # The fullest that has room: the others become idle and are closed.
        best = max((one for one in free if one.room > 0), key=_leased, default=None)
        if best is None and queue and not self._dials.under_way and not self._may_dial_locked(eager=True):
            # All are full and there may be no more: the shortest queue.
            best = min((one for one in free if one.http2 is not None), key=_leased, default=None)
        return None if best is None else Lease(self, best)

    def _forget_unusable_locked(self) -> None:
        """Give up connections that take no more requests: they finish what they have; their place is free."""
        http1_alone = self._protocols.http1_alone
        kept = [
            one for one in self._connections if one.http2 is None or (one.http2.usable and not http1_alone)
        ]
        if len(kept) < len(self._connections):
            if http1_alone:
                self._dismissed += [one for one in self._connections if one.http2 is not None]
            self._connections = kept

    def _make_room_locked(self, *, alone: bool = False) -> None:
        """Give up bound connections that are useless, surplus, or in the place of one that is needed."""
        now = time.monotonic()
        full = self._places_locked(alone=alone) <= 0
        gone = in_the_way(self._connections, lambda one: self._has_expired(one, now), full=full)
        if gone:
            self._connections = [one for one in self._connections if one not in gone]
            self._dismissed += gone

    def _is_good(self, leases: Collection[Lease]) -> bool:
        """Check a connection that was just leased; if it fails, end the leases and give it up."""
        connection = next(iter(leases)).connection
        try:
            # A connection that other requests use needs no check.
            good = connection.leased > len(leases) or self._is_fresh(connection)
        except BaseException:  # interrupted: the connection is as good as before
            self.release(leases)
            raise
        if not good:
            self.discard(connection)
            self.release(leases)
        return good

    def _is_fresh(self, connection: PooledConnection) -> bool:
        """Check an idle connection before it is used again."""
        if not connection.used:
            return True
        now = time.monotonic()
        if self._has_expired(connection, now):
            return False
        if connection.http2 is not None and now - connection.idle_since < RECENT:
            return True
        return connection.healthy

    def _has_expired(self, connection: PooledConnection, now: float) -> bool:
        limit = self._settings.idle_timeout
        return limit is not None and now - connection.idle_since > limit

    def _has_enough(self) -> bool:
        """After a failed dial: dial no further ones for a while; tell whether there are other connections."""
        with self._lock:
            self._dials.refuse_more()
            return any(one.bond is None for one in self._connections)

    def _may_dial_locked(self, *, eager: bool = False, alone: bool = False) -> bool:
        if self._connections and self._dials.are_refused:
            return False
        if self._places_locked(alone=alone) <= 0:
            return False
        if not self._dials.under_way or eager:
            return True
        return self.protocol == HTTP11  # otherwise one dial serves all waiting threads

    @property
    def protocol(self) -> str | None:
        """What the origin speaks ("h2", "http/1.1"); None: it is not known, or has changed."""
        return self._protocols.spoken

    @property
    def max_connections(self) -> int:
        """The most connections, which depends on the protocol."""
        settings = self._settings
        return settings.max_http1 if self.protocol == HTTP11 else settings.max_connections

    @property
    def vacancies(self) -> int:
        """How many further connections may be dialled."""
        with self._lock:
            return self._places_locked()

    def _places_locked(self, *, alone: bool = False) -> int:
        """Return how many connections may be dialled.

        A bound connection serves one request at a time, so the limit of HTTP/1.1 holds, also on HTTP/2.

        Args:
            alone: for a request that binds its connection.
        """
        places = self.max_connections - len(self._connections) - self._dials.under_way
        if not self.has_bonds or self.protocol == HTTP11:
            return places
        settings = self._settings
        further = max(settings.max_http1 - settings.max_connections, 0)
        if alone:
            return places + further
        return places + min(further, sum(one.bond is not None for one in self._connections))

    def _wait_locked(self, deadline: float | None, timeout: float | None) -> int:
        left = remaining(deadline)
        if left is not None and not left:
            raise RequestTimeout(
                f"no connection to {self.key} was free within {timeout:g} s", retry_safe=True
            )
        joined = self._dials.ended
        self._waiting += 1
        try:
            self._changed.wait(soonest(LOOK, left))
        finally:
            self._waiting -= 1
        return joined

    # -- dialling ---------------------------------------------------------------------------------

    def _dial(self, timeout: float | None, claim: Claim | None = None) -> Lease:
        """Open a connection and lease it for one request. The caller has counted it in `_dials`."""
        connection: PooledConnection | None = None
        lease: Lease | None = None
        failure: BaseException | None = None
        try:
            self._counters.dialled += 1
            connection = (self._settings.connect or dial)(
                self.key,
                self._protocols,
                self._settings.transports,
                timeout=timeout,
                source_address=self._settings.source_address,
            )
        except BaseException as error:
            self._counters.failed_dials += 1
            failure = error
            raise
        finally:
            with self._lock:
                # Threads that wait for this dial get its error, unless only its own thread is out of time.
                over = timeout is not None and isinstance(failure, TimeoutError)
                self._dials.end(failure if isinstance(failure, Exception) and not over else None)
                if connection is not None:
                    self._protocols.note(HTTP11 if connection.http2 is None else H2)
                    if not self._closed:
                        lease = Lease(self, connection, claim)
                        self._connections.append(connection)
                self._changed.notify_all()
        if lease is None:  # the thread that asked may be gone, as when a run of fetch_many() is over
            connection.close()
            raise _closed()
        return lease

    # -- all connections --------------------------------------------------------------------------

    def keeps(self, connection: PooledConnection) -> bool:
        """Tell whether a connection may take a request; once it may not, it never may again."""
        return connection in self._connections

    def close_if_idle(self, connection: PooledConnection, since: float) -> float | None:
        """Close a connection that no request has used since that time.

        Returns:
            A later time at which it became idle; or None: it is closed, or in use.
        """
        with self._lock:
            here = connection in self._connections
            if here and not connection.leased:
                if connection.idle_since > since:
                    return connection.idle_since
                self._connections.remove(connection)
            connection.noted = False
            idle = here and not connection.leased
        if idle:
            connection.close()
        return None

    def sweep(self, now: float) -> bool:
        """Close connections that are idle for too long, or dead; tell whether any are left."""
        old: list[PooledConnection] = []
        with self._lock:
            for connection in self._connections:
                dead = connection.http2 is not None and connection.http2.closed
                if not connection.leased and (dead or self._has_expired(connection, now)):
                    old.append(connection)
            if old:
                self._connections = [one for one in self._connections if one not in old]
            left = bool(self._connections or self._dials.under_way)
        for connection in old:
            connection.close()
        return left

    def close(self) -> None:
        """Close the connections; a response on HTTP/2 can still be read to its end."""
        with self._lock:
            self._closed = True
            connections, self._connections = self._connections + self._dismissed, []
            self._changed.notify_all()
        for connection in connections:
            connection.close()

    def after_fork(self) -> None:
        """In the child: the connections are the parent's."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._connections = []
        self._dials = Dials()
        self._waiting = 0

    def state(self) -> dict[str, Any]:
        """Return the state of the origin, for `ConnectionPool.stats()`."""
        self.collect()
        with self._lock:
            return {
                "protocol": self.protocol,
                "connections": len(self._connections),
                "leased": sum(one.leased for one in self._connections),
                "dialling": self._dials.under_way,
                "waiting": self._waiting,
            }


_leased = operator.attrgetter("leased")


def _closed() -> ValueError:
    return ValueError("the pool is closed")
