"""When a request is sent again, and what is known of its tries (RFC 9113 section 8.7).

This module decides whether a request may be sent again, after what pause and how often.  `connection`,
`strict_socket`, `http1`, `fetching` and `many` ask it, and decide where the request goes then.

There are two cases.  A try is *unprocessed* if the server has provably not processed it: the request may be
sent again whatever its method.  If that is not known, the method may allow it; but a doubt stays: no later
error of this request is `retry_safe`, because that covers all tries.
"""

import http.client as http_client
import time
from typing import NamedTuple, Protocol

from ..errors import HTTP2Error, RequestTimeout
from .exchange import Exchange

# How often a request is sent again while the server answers nothing. Go gives up after 6 tries.
MAX_TRIES = 5
# Seconds before the second try that brought no progress; doubled each time.
BACKOFF = 0.05


def is_unprocessed(error: BaseException) -> bool:
    """Tell whether the error of a try proves that it was not processed."""
    if isinstance(error, http_client.NotConnected):
        # Its cause is the error of a request that was to be sent again.
        return error.__cause__ is None or is_unprocessed(error.__cause__)
    return bool(getattr(error, "retry_safe", False))


def for_all_tries(error: BaseException, *, doubtful: bool) -> None:
    """Make `retry_safe` of a caller's error cover all tries, and not only the last one.

    Args:
        error: the last try's, of this request alone.
        doubtful: an earlier try, or hop, may have been processed.
    """
    if doubtful and isinstance(error, HTTP2Error):
        error.retry_safe = False


class Tries(NamedTuple):
    """What is known of the tries of one request; an immutable value that each further try replaces.

    Attributes:
        repeats: how often it was sent again while the server answered nothing.
        doubtful: one of the tries, or an earlier hop, may have been processed.
        again_at: the monotonic time at which the next one may begin; 0: that was not decided yet.
        repeat: the last may be followed by another although the server may have processed it.
    """

    repeats: int = 0
    doubtful: bool = False
    again_at: float = 0.0
    repeat: bool = False

    def pause(self, *, progress: bool) -> float | None:
        """Return the seconds to wait before the request is sent again, 0 the first time; None: give up.

        Args:
            progress: the server has answered some request since this one was last sent.  Refusals do not
                count then, so that a server that takes a few requests at a time gets through.
        """
        if progress or not self.repeats:
            return 0.0
        return None if self.repeats >= MAX_TRIES else BACKOFF * 2.0 ** (self.repeats - 1)

    def after(self, error: BaseException | None, *, progress: bool) -> "Tries":
        """Return what is known when the request is sent again; for `progress` see `pause`."""
        doubtful = self.doubtful or error is None or not is_unprocessed(error)
        return Tries(1 if progress else self.repeats + 1, doubtful)


# The state of a request that was sent once.
FIRST = Tries()


class Tried(NamedTuple):
    """One try of a request that has failed: what its connection had to do with that.

    Attributes:
        reused: the connection had been used before: it may have been closed while the request was on its way.
        progress: the connection has brought a response to some request since this one was sent.  Such a try
            is not counted, so that a server that takes a few requests at a time serves all.
        sent: there was a connection at all, so that the request may have left.
    """

    reused: bool = False
    progress: bool = False
    sent: bool = True


# A try for which there was no connection.
UNSENT = Tried(sent=False)


class Repeatable(Exchange, Protocol):
    """An exchange that its owner sends again: a stream."""

    tries: Tries
    """What is known of its tries."""
    answered_before: int
    """What its transport had had answered when it was submitted."""

    def reset(self) -> None:
        """Make the request ready to be submitted to another transport."""
        ...


def may_repeat(stream: Repeatable) -> bool:
    """Tell whether a request has failed in a way that allows it to be sent again, its body included."""
    error = stream.error
    return error is not None and (is_unprocessed(error) or stream.tries.repeat) and stream.request.repeatable


def may_replay(stream: Repeatable) -> bool:
    """Tell whether a request is to be sent again, after so many tries."""
    if stream.given_up or not may_repeat(stream):
        return False
    return stream.tries.pause(progress=_has_progress(stream)) is not None


def pause(stream: Repeatable, until: float | None = None) -> None:
    """Before a request is sent again, wait for as long as its number of refusals without progress asks.

    Args:
        stream: the request.
        until: the monotonic time at which the thread must go on; a later call waits for the rest.

    Raises:
        RequestTimeout: `until` is earlier.
    """
    now, tries = time.monotonic(), stream.tries
    if not tries.again_at:
        seconds = tries.pause(progress=_has_progress(stream)) or 0.0
        tries = stream.tries = tries._replace(again_at=now + seconds)
    seconds = tries.again_at - now
    if seconds <= 0:
        return
    if until is not None and until < tries.again_at:
        time.sleep(max(0.0, until - now))
        raise RequestTimeout("not sent again in time", stream_id=stream.stream_id, retry_safe=True)
    time.sleep(seconds)


def begin_again(stream: Repeatable) -> None:
    """Count the try, and make the request ready to be submitted."""
    stream.tries = stream.tries.after(stream.error, progress=_has_progress(stream))
    stream.reset()


def _has_progress(stream: Repeatable) -> bool:
    """Tell whether the transport has brought a response to any request since this one was submitted."""
    transport = stream.transport
    return transport is not None and transport.answered > stream.answered_before
