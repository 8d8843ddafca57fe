"""How a request is fetched: the options of `fetch()`, and the rules for further tries."""

import http.client as http_client
import socket
import ssl
import threading
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
from ..messages.fields import Header
from ..messages.replay import FIRST, Tried, Tries, is_unprocessed
from .checks import seconds, whole
from .proxy_rules import Rules

# RFC 9110 section 9.2.2: sending these twice has the same effect as sending them once.
_IDEMPOTENT = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "QUERY", "TRACE"})
# Another try would fail in the same way.
_HOPELESS = (
    DecodingError,
    InadequateSecurity,
    MalformedResponse,
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
    """

    of_all: Tries = FIRST
    counted: int = 0
    stale: bool = False

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
        backoff: seconds before the first further try; doubled each time.
        statuses: of answers that mean "later", if they say when (Retry-After, RFC 9110 section 10.2.3).
        longest: seconds; an answer that asks for a longer wait is returned to the caller. None: no limit.

    Raises:
        ValueError: `backoff` or `longest` is negative or not a number, or `backoff` is infinite.
    """

    total: int = 2
    backoff: float = 0.1
    statuses: frozenset[int] = frozenset({429, 503})
    longest: float | None = 30.0

    def __post_init__(self) -> None:
        whole(self.total, "total")
        backoff = seconds(self.backoff, "backoff")
        if backoff is None:
            raise ValueError(f"backoff is a number of seconds, not {self.backoff!r}")
        object.__setattr__(self, "backoff", backoff)  # a frozen dataclass can be set in no other way
        object.__setattr__(self, "longest", seconds(self.longest, "longest"))

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
        of_all, counted, stale = tries
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
        pause = self.backoff * 2.0 ** min(counted, 60)  # beyond 1023 it overflows
        return min(pause, threading.TIMEOUT_MAX), HopTries(of_all, counted + 1, stale)  # the longest sleep


class Options(NamedTuple):
    """How a request is fetched; see `ConnectionPool.fetch()`."""

    timeout: float | None
    deadline: float | None
    redirects: int
    decode: bool
    max_body: int
    retries: Retries
    allow_downgrade: bool
    context: ssl.SSLContext | None
    proxies: Rules | None  # None: the environment's
    headers: tuple[Header, ...]  # header fields that are sent unless the request has its own
    protocols: tuple[str, ...] | None  # that may be spoken; None: see `HTTP20Connection`


def _is_unknown_name(error: BaseException) -> bool:
    return isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
