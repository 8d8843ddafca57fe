"""One hop of a fetch: what becomes of its response."""

import contextlib

from .fetching import FetchResponse
from .origins import Lease
from .redirects import FOLLOWED
from .response import HTTP20Response
from .tasks import Task

# What is read of a redirect's body so that its connection can be used again; more is not worth it.
REDIRECT_BODY = 1 << 16


def wrap(task: Task, raw: HTTP20Response, lease: Lease) -> FetchResponse:
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
