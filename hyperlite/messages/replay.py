"""When a request is sent again, and what is known of its tries (RFC 9113 section 8.7).

Where it goes then is decided by `connection`, `translator`, `http1`, `pool` and `many`; whether it may, after
what pause and how often is decided here, for all of them.

Two things are kept apart.  A try is *unprocessed* if the server has provably not processed it: then the
request may be sent again whatever its method.  Where that is not known, the method may allow it; but there is
a doubt from then on: no later error of this request is `retry_safe`, because that speaks of all tries.
"""

import http.client as http_client
import time

from ..errors import HTTP2Error, RequestTimeout
from ..http2.stream import Stream

# Sent again so often without the server having answered anything meanwhile. Go gives up after 6 tries.
MAX_TRIES = 5
# Seconds before the second try that brought no progress; doubled each time.
BACKOFF = 0.05


def is_unprocessed(error: BaseException) -> bool:
    """Tell whether a try that has ended so has provably not been processed."""
    if isinstance(error, http_client.NotConnected):
        return error.__cause__ is None or is_unprocessed(error.__cause__)  # of what was to be tried again
    return bool(getattr(error, "retry_safe", False))


def for_all_tries(error: BaseException, *, doubtful: bool) -> None:
    """Make the error that a caller gets speak of all tries, and not of the last one alone.

    Args:
        error: the last try's, of this request alone.
        doubtful: an earlier try, or hop, may have been processed.
    """
    if doubtful and isinstance(error, HTTP2Error):
        error.retry_safe = False


def backoff(tries: int) -> float:
    """Return the seconds before another try, after so many without progress: the first is made at once."""
    return BACKOFF * 2.0 ** (tries - 1) if tries else 0.0


def may_repeat(stream: Stream) -> bool:
    """Tell whether a request has failed in a way that allows it to be sent again, its body included."""
    error = stream.error
    return error is not None and (is_unprocessed(error) or stream.repeat) and stream.request.repeatable


def may_replay(stream: Stream) -> bool:
    """Tell whether a request is to be sent again, after so many tries."""
    return may_repeat(stream) and stream.tries < MAX_TRIES and not stream.given_up


def pause(stream: Stream, answered: int, until: float | None = None) -> None:
    """Wait, before a request is sent again, for as long as it has been refused without progress.

    Args:
        stream: the request.
        answered: how many responses have come on the connection that has refused it.
        until: the monotonic time at which the thread has to go on; a later call waits for what is left.

    Raises:
        RequestTimeout: that is earlier.
    """
    now = time.monotonic()
    if not stream.again_at:
        stream.again_at = now + backoff(stream.tries if answered == stream.answered_before else 0)
    seconds = stream.again_at - now
    if seconds <= 0:
        return
    if until is not None and until < stream.again_at:
        time.sleep(max(0.0, until - now))
        raise RequestTimeout("not sent again in time", stream_id=stream.stream_id, retry_safe=True)
    time.sleep(seconds)


def begin_again(stream: Stream, answered: int) -> None:
    """Count the try, and make the request ready to be submitted; for `answered` see `pause`."""
    stream.tries = 1 if answered > stream.answered_before else stream.tries + 1
    stream.doubtful |= stream.error is None or not is_unprocessed(stream.error)
    stream.again_at = 0.0
    stream.reset()
