"""When a request is sent again: the server has provably not processed it (RFC 9113 section 8.7).

Where it goes then is decided by `connection` and `translator`; whether it may, after what pause and how often
is decided here, for both.
"""

import time

from .stream import Stream

# Sent again so often without the server having answered anything meanwhile. Go gives up after 6 tries.
MAX_TRIES = 5
# Seconds before the second try that brought no progress; doubled each time.
BACKOFF = 0.05


def may_replay(stream: Stream) -> bool:
    """Tell whether a request has failed in a way that allows it to be sent again."""
    return (
        stream.error is not None
        and stream.error.retry_safe
        and stream.request.repeatable
        and stream.tries < MAX_TRIES
        and not stream.given_up
    )


def pause(stream: Stream, answered: int) -> None:
    """Wait, before a request is sent again, for as long as it has been refused without progress.

    Args:
        stream: the request.
        answered: how many responses have come on the connection that has refused it.
    """
    stuck = stream.tries if answered == stream.answered_before else 0
    if stuck:
        time.sleep(BACKOFF * 2.0 ** (stuck - 1))


def begin_again(stream: Stream, answered: int) -> None:
    """Count the try, and make the request ready to be submitted; for `answered` see `pause`."""
    stream.tries = 1 if answered > stream.answered_before else stream.tries + 1
    stream.reset()
