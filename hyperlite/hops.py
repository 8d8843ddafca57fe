"""One hop of a fetch: the connection that its response holds, and what becomes of the response."""

import contextlib

from .fetching import FetchResponse
from .origins import Origin
from .pooled import Attempt, PooledConnection
from .redirects import FOLLOWED
from .response import HTTP20Response
from .tasks import Task

# What is read of a redirect's body so that its connection can be used again; more is not worth it.
REDIRECT_BODY = 1 << 16


class Leased:
    """A connection that a response has."""

    __slots__ = ("_attempt", "_connection", "_origin")

    def __init__(self, origin: Origin, connection: PooledConnection, attempt: Attempt) -> None:
        self._attempt = attempt
        self._origin = origin
        self._connection = connection

    def limit(self, seconds: float | None) -> None:
        """Bound the next read."""
        self._connection.limit(seconds)

    def end(self, *, reusable: bool) -> None:
        """Give it back; an HTTP/2 connection can always be used again if it is open."""
        self._attempt.end()
        if not reusable and self._connection.mux is None:
            self._origin.discard(self._connection)
        self._origin.release(self._connection)

    def abandon(self) -> None:
        """Give it back from a finalizer."""
        self._origin.abandon(self._connection)


def wrap(task: Task, raw: HTTP20Response, lease: Leased) -> FetchResponse:
    """Return a task's response, whose body is still to be read."""
    options = task.options
    return FetchResponse(
        raw,
        url=task.url,
        history=task.history,
        decode=options.decode,
        max_body=options.max_body,
        lease=lease,
        timeout=options.timeout,
        deadline=task.deadline,
    )


def wrap_whole(task: Task, raw: HTTP20Response, body: bytes) -> FetchResponse:
    """Return a task's response, of which everything has arrived.

    Raises:
        DecodingError: its body is not what its coding says; BodyTooLarge.
    """
    options = task.options
    response = FetchResponse(
        raw,
        url=task.url,
        history=task.history,
        decode=options.decode,
        max_body=options.max_body,
        whole=body,
    )
    if response.status < 300 or not is_followed(task, response):
        _ = response.body
    return response


def is_followed(task: Task, response: FetchResponse) -> bool:
    """Tell whether an answer is a redirect to be followed: nobody wants its body at any price."""
    if response.status not in FOLLOWED or task.options.redirects <= 0:
        return False
    return bool(response.raw.getheader("location"))


def drain(response: FetchResponse) -> None:
    """Read what little there may be of a redirect's body, so that the connection can be used again."""
    with contextlib.suppress(Exception):
        response.keep(REDIRECT_BODY)
    response.close()
