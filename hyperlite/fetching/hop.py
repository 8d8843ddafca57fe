"""One hop of a fetch: what becomes of its response."""

from ..messages.response import HTTP20Response
from ..origins.origin import Lease
from .response import FetchResponse
from .task import Task

# What is read of the body of a redirect, or of an answer that means "later", so that its connection can be
# used again. More is not worth it.
REDIRECT_BODY = 1 << 16
# Seconds that this may take: to open another connection takes about as long. On HTTP/2 a stream is reset.
REDIRECT_TIME = 0.25


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
    )


def wrap_whole(
    task: Task, raw: HTTP20Response, body: bytes, failure: Exception | None = None
) -> FetchResponse:
    """Return a task's response, for which nothing more is waited for; `body` undoes its coding.

    Args:
        task: the task.
        raw: the response.
        body: what has come of it.
        failure: why that is not all of it, which is none of the task's concern if another response follows.

    Raises:
        DecodingError: it has too many codings; BodyTooLarge.
    """
    options = task.options
    last = raw.status < 300 or not task.goes_on(raw)
    response = FetchResponse(
        raw,
        url=task.url,
        history=task.history,
        decode=options.decode,
        max_body=options.max_body if last else max(options.max_body, len(body)),
        whole=body,
    )
    if failure is not None:
        response.fail(failure)
    return response


def drain(response: FetchResponse) -> None:
    """Let go of a response that another one follows, and that cannot hold that up with a body that drips."""
    response.pass_over(REDIRECT_BODY, REDIRECT_TIME)
