"""Which requests a connection serves that NTLM or Negotiate has authenticated (RFC 4559 section 6).

::

    a request with credentials ──> its connection is bound to them, and to the thread
      401 with a token         ──> the thread's next request with credentials goes out there
      anything else            ──> the exchange of messages is over; the credentials keep the connection

Rule: a bound connection serves the credentials that it has carried, and nothing else.  While messages are
exchanged it serves one thread.
"""

import re
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from ..messages.fields import credentials_of_connection, is_of_connection

# Seconds for which an exchange of messages keeps its connection between two of them, where others wait for
# its place: a handler may have to ask a domain controller.
HELD = 5.0
# Bound connections of an origin that no request uses, at most.
MAX_BOUND = 100

# The first message of NTLM, and the first token of GSSAPI (RFC 2743 section 3.1), in base64.
_is_first = re.compile(rb"\S+\s+(?:TlRMTVNTUAAB|Y[A-P])").match

_here = threading.local()


def _mark() -> object:
    """Return an object that stands for this thread; another has another one, whenever it runs."""
    mark: object = vars(_here).setdefault("mark", object())
    return mark


class Claim:
    """What a request asks of its connection.

    Args:
        auth: the object that answers challenges for the request, or None.
        fields: the request's header fields.

    Attributes:
        carried: the credentials in it that authenticate a connection; None may be there yet.
        begins: they begin an exchange of messages.
    """

    __slots__ = ("auth", "begins", "carried", "mark")

    def __init__(self, auth: Any, fields: Any) -> None:
        self.auth: Any = auth
        self.carried: tuple[bytes, ...] = credentials_of_connection(fields)
        self.begins: bool = any(_is_first(one) for one in self.carried)
        self.mark: object = _mark()


class Bond:
    """Whose a connection is; the origin's lock guards it.

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
        """Take note of what came of it: whether the server wants a further message."""
        self.since = time.monotonic()
        if not goes_on:
            self._mark = None

    def is_continued_by(self, claim: Claim) -> bool:
        """Tell whether a request carries the next message of the exchange that is under way."""
        return self._mark is claim.mark and not claim.begins and bool(claim.carried) and self._owns(claim)

    def serves(self, claim: Claim) -> bool:
        """Tell whether a request may have the connection, as far as credentials are concerned."""
        if self._mark is not None or not self._owns(claim):
            return False
        return self._auth is not None or (self._carried == claim.carried and not claim.begins)

    def _owns(self, claim: Claim) -> bool:
        return (None if self._auth is None else self._auth()) is claim.auth

    @property
    def is_spent(self) -> bool:
        """Whether no request can come that the connection may serve."""
        if self._auth is not None:
            return self._auth() is None
        return self._mark is None and self._begins

    @property
    def is_held(self) -> bool:
        """Whether messages are being exchanged, so that the connection is not closed to make room."""
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
    """Choose a connection for a request that has credentials, or an object that may make some; or None.

    That is the one on which its messages are being exchanged; or one that its credentials have authenticated;
    or, if it carries some, one that no request uses, and that has carried none.

    Args:
        connections: those that take requests.
        claim: of the request.
    """
    own: list[C] = []
    free: list[C] = []
    for one in connections:
        bond = one.bond
        if bond is not None and bond.is_continued_by(claim):
            return one  # also where an earlier response is unread: it is read into memory then
        if one.leased if claim.carried else one.room <= 0:
            continue
        if bond is None:
            free.append(one)
        elif bond.serves(claim):
            own.append(one)
    return max(own or (free if claim.carried else []), key=lambda one: one.idle_since, default=None)


def in_the_way(connections: Sequence[C], has_expired: Callable[[C], bool], *, full: bool) -> list[C]:
    """Return the bound connections that are to be closed, as another connection is wanted.

    Args:
        connections: all of an origin.
        has_expired: tells whether one was idle for too long.
        full: there may be no more than there are.
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
    """Tell whether a response wants a further message of those that authenticate its connection.

    That is a challenge with a token (RFC 4559 section 4.1).

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
