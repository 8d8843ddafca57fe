"""A request's share of a connection, and a thread's attempt to use one."""

from collections import deque
from collections.abc import Collection
from typing import Protocol

from ..errors import StreamReset
from ..http2.connection import HTTP2Connection
from ..messages.replay import Tried
from ..net.forking import OwnLock
from ..net.sockets import break_off
from ..telling import Watch
from .bonds import Bond, Claim
from .connection import PooledConnection
from .limits import Permit


class Lessor(Protocol):
    """Leases connections; see `Origin`."""

    has_bonds: bool
    abandoned: "deque[Lease]"

    def release(self, leases: "Collection[Lease]", *, reusable: bool = True) -> None:
        """End leases."""

    def note_answer(self, lease: "Lease", *, goes_on: bool) -> None:
        """Take note of the answer to a request with credentials."""

    def discard(self, connection: PooledConnection) -> None:
        """Lease a connection no more."""


class Lease:
    """One request's share of a connection: made and ended under the lock of its origin.

    A lease ends once: by `end()`, by `Origin.release()`, or by the garbage collector.  A further end does
    nothing, so the number of a connection's leases stays exact after any failure.

    Args:
        origin: of the connection.
        connection: the connection.
        claim: of a request whose credentials may authenticate the connection; or None.

    Attributes:
        origin, connection: the same; on HTTP/1.1 no other request has the connection meanwhile.
        attempt: a thread's attempt, which lets go of the connection before the lease ends; or None.
        over: the lease has ended; the origin's lock guards this.
        permit: counts the request among those that the pool's limits allow; or None: there are no limits.
        watch: tells observers of the response while it is streamed; or None.
        bond: of the connection, while the request carries NTLM or Negotiate and has no answer; or None.
    """

    __slots__ = ("__weakref__", "attempt", "bond", "connection", "origin", "over", "permit", "watch")

    def __init__(self, origin: Lessor, connection: PooledConnection, claim: Claim | None = None) -> None:
        self.over: bool = True  # as long as it does not count
        self.origin: Lessor = origin
        self.connection: PooledConnection = connection
        self.attempt: Attempt | None = None
        self.permit: Permit | None = None
        self.watch: Watch | None = None
        self.bond: Bond | None = None
        if claim is not None and claim.carried:
            self.bond = connection.bond = connection.bond or Bond(claim)
            self.bond.begin(claim)
            origin.has_bonds = True
        connection.leased += 1
        self.over = False

    def end(self, *, reusable: bool = True) -> None:
        """Give the connection back; do nothing if the lease has ended.

        Args:
            reusable: the connection can take another request. An HTTP/2 connection that is open always can.
        """
        if self.attempt is not None:
            self.attempt.end()
        self.origin.release((self,), reusable=reusable)

    def note_answer(self, *, goes_on: bool) -> None:
        """Take note of an answer to a request with credentials: whether it wants a further message."""
        self.origin.note_answer(self, goes_on=goes_on)

    def abandon(self) -> None:
        """End the lease from a finalizer, which may run at any moment and must not wait.

        On HTTP/1.1, if the rest of a response is still to come, the connection takes no further request.
        """
        if not self.over:
            if self.permit is not None:  # a thread that waits for it does not look at the origin
                self.permit.abandon()
            self.origin.abandoned.append(self)

    __del__ = abandon


class Attempt:
    """One request that a thread makes, so that another thread can break it off."""

    __slots__ = ("_answered", "_connection", "_http2", "_lock", "_over", "begun", "reused")

    def __init__(self) -> None:
        self.begun: bool = False  # whether there is, or was, a connection
        self.reused: bool = False  # whether the connection had been used before
        self._http2: HTTP2Connection | None = None
        self._answered = 0
        self._lock = OwnLock()
        # -- guarded by _lock --
        self._connection: PooledConnection | None = None
        self._over = False

    def begin(self, connection: "PooledConnection") -> None:
        """Take note of the connection.

        Raises:
            StreamReset: the attempt was ended already.
        """
        self.begun = True
        self.reused = connection.used
        self._http2 = connection.http2
        self._answered = self._http2.answered if self._http2 is not None else 0
        with self._lock.own:
            if self._over:
                raise StreamReset("the request was cancelled")
            self._connection = connection

    @property
    def tried(self) -> Tried:
        """What a failure of the attempt says about the connection."""
        progress = self._http2 is not None and self._http2.answered > self._answered
        return Tried(self.reused, progress, self.begun)

    def end(self) -> None:
        """Let go of the connection, which another request may use from now on."""
        with self._lock.own:
            self._connection = None

    def break_off(self) -> None:
        """Break the attempt off, on HTTP/1.1 at once. A finalizer may call this, so it does not wait."""
        self._over = True
        if not self._lock.own.locked():
            with self._lock.own:  # not acquire(): see HTTP2Connection.abandon()
                connection = self._connection
                if connection is not None and connection.http2 is None and connection.sock is not None:
                    break_off(connection.sock)
