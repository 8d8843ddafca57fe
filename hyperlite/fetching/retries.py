"""The rules for further tries: which requests are tried again, how often, and after what pauses."""

import http.client as http_client
import random
import socket
import ssl
import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import (
    ConnectionGoingAway,
    DecodingError,
    ErrorCode,
    InadequateSecurity,
    MalformedResponse,
    ProtocolError,
    RedirectError,
    StreamReset,
)
from ..messages.replay import FIRST, Tried, Tries, is_unprocessed
from .checks import seconds, whole

# RFC 9110 section 9.2.2: sending these twice has the same effect as sending them once.
_IDEMPOTENT = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "QUERY", "TRACE"})
# Answers that mean "later" where they say when.
_LATER = frozenset({429, 503})
# Another try would fail in the same way.
_HOPELESS = (
    DecodingError,
    InadequateSecurity,
    MalformedResponse,
    PermissionError,  # the system or a pool's resolver does not let the connection be made
    ProtocolError,
    TimeoutError,  # the caller's time is over
    http_client.InvalidURL,
    ssl.SSLCertVerificationError,
)


class HopTries(NamedTuple):
    """What is known of the tries of one hop of a fetch.

    Attributes:
        of_all: what is known of any request that is sent again.
        counted: how many tries `Retries.total` counts.
        stale: one of them, which is not counted, failed because a kept connection had ended.
        last: no further try follows, and the error is the outcome as it is: the program itself raised it.
    """

    of_all: Tries = FIRST
    counted: int = 0
    stale: bool = False
    last: bool = False

    def after_answer(self) -> "HopTries":
        """Return the state after an answer that asks for another try later."""
        return HopTries(self.of_all._replace(doubtful=True), self.counted + 1, self.stale)


# The state of the first hop, before it is tried.
FIRST_HOP = HopTries()


@dataclass(frozen=True, slots=True)
class Retries:
    """Which requests are tried again after a failure, how often, and after what pauses.

    Only requests with idempotent methods, and with bodies that can be sent again, are tried again.  Besides,
    a request that the server provably did not process is sent again, whatever its method.

    Attributes:
        total: how often a request is tried again at most.
        backoff: seconds before the first further try; doubled each time.  Each pause is shorter by up to half
            of that, at random, so that clients that have failed together do not come back together.
        statuses: of answers that mean "later": after the time that they say (Retry-After, RFC 9110 section
            10.2.3), or, if they say none, after a pause as above.  None: 429 and 503 that say when.
        longest: seconds; an answer that asks for a longer wait is returned to the caller, and no pause
            after an answer is longer. None: no limit.

    Raises:
        ValueError, TypeError: one of them is no number of the kind, or `backoff` is infinite.
    """

    total: int = 2
    backoff: float = 0.1
    statuses: Collection[int] | None = None
    longest: float | None = 30.0

    def __post_init__(self) -> None:
        whole(self.total, "total")
        backoff = seconds(self.backoff, "backoff")
        if backoff is None:
            raise ValueError(f"backoff is a number of seconds, not {self.backoff!r}")
        object.__setattr__(self, "backoff", backoff)  # a frozen dataclass can be set in no other way
        object.__setattr__(self, "longest", seconds(self.longest, "longest"))
        if self.statuses is not None:
            if not isinstance(self.statuses, Collection) or isinstance(self.statuses, str | bytes):
                raise TypeError(f"statuses is a set of status codes, not {self.statuses!r}")
            statuses = frozenset(whole(status, "a status in statuses") for status in self.statuses)
            object.__setattr__(self, "statuses", statuses)

    def allows(self, method: str, tries: HopTries) -> bool:
        """Tell whether a request that may have been processed is tried again."""
        return method in _IDEMPOTENT and tries.counted < self.total

    def again(
        self, error: BaseException, tries: HopTries, method: str, tried: Tried
    ) -> tuple[float, HopTries] | None:
        """Return the seconds before another try, and what is known then; None: the error is the outcome.

        Args:
            error: what happened.
            tries: what is known before.
            method: of the request.
            tried: the try that has failed.
        """
        if not isinstance(error, (http_client.HTTPException, OSError)) or isinstance(error, RedirectError):
            return None
        of_all, counted, stale, last = tries
        if last:
            return None
        if is_unprocessed(error):
            pause = None if isinstance(error, TimeoutError) else of_all.pause(progress=tried.progress)
            if pause is None:
                return None
            return pause, HopTries(of_all.after(error, progress=tried.progress), counted, stale)
        if isinstance(error, _HOPELESS) or _is_unknown_name(error) or method not in _IDEMPOTENT:
            return None
        required = getattr(error, "error_code", None) == ErrorCode.HTTP_1_1_REQUIRED
        if required and isinstance(error, (StreamReset, ConnectionGoingAway)):
            return None  # it is excluded, or an answer had begun
        of_all = of_all._replace(doubtful=of_all.doubtful or tried.sent)
        if (tried.reused or required) and not stale and isinstance(error, ConnectionError):
            return 0.0, HopTries(of_all, counted, True)
        if not self.allows(method, tries):
            return None
        pause = self._pause(counted)
        return between(pause / 2, pause), HopTries(of_all, counted + 1, stale)

    def covers(self, status: int) -> bool:
        """Tell whether answers with this status may mean "later"."""
        return status in (_LATER if self.statuses is None else self.statuses)

    def later(
        self, status: int, said: float | None, method: str, tries: HopTries
    ) -> tuple[float, float] | None:
        """Return between which seconds an answer is asked for again; None: it is the outcome.

        Args:
            status: of the answer.
            said: the seconds that it asks for, or None.
            method: of the request.
            tries: what is known of the tries.
        """
        if not (self.covers(status) and self.allows(method, tries)):
            return None
        if said is not None:
            return None if self.longest is not None and said > self.longest else (said, said)
        if self.statuses is None:
            return None
        pause = self._pause(tries.counted)
        if self.longest is not None:
            pause = min(pause, self.longest)
        return pause / 2, pause

    def _pause(self, counted: int) -> float:
        """Return the longest pause before another try, after so many."""
        pause = self.backoff * 2.0 ** min(counted, 60)  # beyond 1023 it overflows
        return min(pause, threading.TIMEOUT_MAX)  # the longest sleep


def between(least: float, most: float) -> float:
    """Return a pause between two, at random."""
    return random.uniform(least, most)  # noqa: S311  it is no secret


def _is_unknown_name(error: BaseException) -> bool:
    return isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
