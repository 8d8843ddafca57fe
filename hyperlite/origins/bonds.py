"""Which requests a connection serves that NTLM or Negotiate has authenticated (RFC 4559 section 6).

::

    a request with credentials ──> its connection is bound to them, and to the thread
      401 with a token         ──> the thread's next request with credentials goes out there
      anything else            ──> the exchange of messages is over; the credentials keep the connection

Rule: a bound connection serves only requests with the credentials that it has carried.  While messages are
exchanged, it serves only one thread.
"""

import re
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from ..messages.fields import credentials_of_connection, is_of_connection

# Between two messages a connection is kept for so many seconds even if other requests wait for its place: a
# handler may have to ask a domain controller.
HELD = 5.0
# The most idle bound connections of an origin.
MAX_BOUND = 100

# The first message of NTLM, and the first token of GSSAPI (RFC 2743 section 3.1), in base64.
_is_first = re.compile(rb"\S+\s+(?:TlRMTVNTUAAB|Y[A-P])").match

_here = threading.local()


def _mark() -> object:
    """Return an object that stands for this thread. Unlike thread ids, no later thread gets the same."""
    mark: object = vars(_here).setdefault("mark", object())
    return mark


class Claim:
    """What a request asks of its connection.

    Args:
        auth: the object that answers challenges for the request, or None.
        fields: the request's header fields.

    Attributes:
        carried: its credentials that authenticate a connection; empty if it has none (yet).
        begins: these begin an exchange of messages.
        mark: stands for the thread.
    """

    __slots__ = ("auth", "begins", "carried", "mark")

    def __init__(self, auth: Any, fields: Any) -> None:
        self.auth: Any = auth
        self.carried: tuple[bytes, ...] = credentials_of_connection(fields)
        self.begins: bool = any(_is_first(one) for one in self.carried)
        self.mark: object = _mark()


class Bond:
    """The credentials, and during an exchange the thread, that a connection serves. Guard: the origin's lock.

    Args:
        claim: of the first request with credentials on the connection.
    """

    __slots__ = ("_auth", "_begins", "_carried", "_mark", "since")

    def __init__(self, claim: Claim) -> None:
        self._auth = None if claim.auth is None else _reference(claim.auth)
        self.begin(claim)

    def begin(self, claim: Claim) -> None:
        """Take note of a request with credentials: the connection is its thread's."""
        self._mark: object | None = claim.mark
        self._begins = claim.begins
        self._carried = claim.carried if self._auth is None else ()  # else it need not be remembered
        self.since: float = time.monotonic()

    def note_answer(self, *, goes_on: bool) -> None:
        """Take note of the answer: whether the server wants a further message."""
        self.since = time.monotonic()
        if not goes_on:
            self._mark = None

    def is_continued_by(self, claim: Claim) -> bool:
        """Tell whether a request carries the next message of the exchange under way."""
        return self._mark is claim.mark and not claim.begins and bool(claim.carried) and self._owns(claim)

    def serves(self, claim: Claim) -> bool:
        """Tell whether a request's credentials allow it to use the connection."""
        if self._mark is not None or not self._owns(claim):
            return False
        return self._auth is not None or (self._carried == claim.carried and not claim.begins)

    def _owns(self, claim: Claim) -> bool:
        return (None if self._auth is None else self._auth()) is claim.auth

    @property
    def is_spent(self) -> bool:
        """Whether no later request can have the credentials of this connection."""
        if self._auth is not None:
            return self._auth() is None
        return self._mark is None and self._begins

    @property
    def is_held(self) -> bool:
        """Whether an exchange of messages is under way: then the connection is not closed to make room."""
        return self._mark is not None and time.monotonic() - self.since < HELD


class Bindable(Protocol):
    """A connection, as far as bonds are concerned; see `PooledConnection`."""

    bond: Bond | None
    leased: int
    idle_since: float

    @property
    def room(self) -> int:
        """How many more requests it takes at once."""


C = TypeVar("C", bound=Bindable)


def own_of(connections: Iterable[C], claim: Claim) -> C | None:
    """Choose a connection for a request that has credentials, or an auth object that may make some; or None.

    In this order: the connection on which its messages are being exchanged; one that its credentials have
    authenticated; if it carries credentials, an idle one that is not bound.

    Args:
        connections: those that take requests.
        claim: of the request.
    """
    own: list[C] = []
    free: list[C] = []
    for one in connections:
        bond = one.bond
        if bond is not None and bond.is_continued_by(claim):
            return one  # even if an earlier response is unread: that is read into memory
        if one.leased if claim.carried else one.room <= 0:
            continue
        if bond is None:
            free.append(one)
        elif bond.serves(claim):
            own.append(one)
    return max(own or (free if claim.carried else []), key=lambda one: one.idle_since, default=None)


def in_the_way(connections: Sequence[C], has_expired: Callable[[C], bool], *, full: bool) -> list[C]:
    """Return the bound connections to close when another connection is needed.

    Args:
        connections: all connections of an origin.
        has_expired: tells whether a connection was idle for too long.
        full: no further connection may be opened.
    """
    idle = [(one, one.bond) for one in connections if one.bond is not None and not one.leased]
    idle.sort(key=lambda pair: pair[0].idle_since)
    surplus = len(idle) - MAX_BOUND
    gone = [
        one
        for number, (one, bond) in enumerate(idle)
        if number < surplus or bond.is_spent or has_expired(one)
    ]
    if full and not gone:
        gone += [one for one, bond in idle if not bond.is_held][:1]
    return gone


def _reference(auth: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(auth)
    except TypeError:  # of a class with slots
        return lambda: auth


def goes_on(status: int, fields: Any) -> bool:
    """Tell whether a response asks for a further message: it has a challenge with a token (RFC 4559, 4.1).

    Args:
        status: of the response.
        fields: its header fields, (name, value) pairs of str.
    """
    name = {401: "www-authenticate", 407: "proxy-authenticate"}.get(status)
    if name is None:
        return False
    values = ",".join(value for given, value in fields if given.lower() == name)
    challenges = values.encode("latin-1").split(b",")
    return any(is_of_connection(one) and len(one.split()) > 1 for one in challenges)
