"""Time limits: this module alone checks what callers give, and makes seconds of it."""

import math
import socket
import threading
import time
from typing import overload

from ..messages.request import UNSET, Request

# http.client's default for `timeout`: it stands for socket.getdefaulttimeout().
UNSET_TIMEOUT = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]

# Seconds that one poll may last: poll and epoll take milliseconds, in a C int. It is some 23 days.
LONGEST_POLL = 2e6


def checked_seconds(seconds: object, name: str) -> float | None:
    """Return how long a caller will wait; None for no limit, which infinity means too.

    Args:
        seconds: the caller's value: None, or anything with `__float__` or `__index__` (a bool too,
            as for `socket.settimeout`; also Decimal, Fraction and numpy's scalars).
        name: the argument's, for the error.

    Raises:
        ValueError: it is negative, or not a number. TypeError: it is something else.
    """
    if seconds is None:
        return None
    if type(seconds) is not float:
        seconds = _as_float(seconds, name)
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"{name} is a number of seconds, or None for no limit, not {seconds!r}")
    return None if seconds > threading.TIMEOUT_MAX else seconds  # some 292 years: nothing can wait longer


def _as_float(number: object, name: str) -> float:
    kind = type(number)
    # float() would take text, and numpy's text has a __float__ for that.
    if isinstance(number, (str, bytes)) or not (hasattr(kind, "__float__") or hasattr(kind, "__index__")):
        raise TypeError(f"{name} is a number of seconds, or None for no limit, not {number!r}")
    try:
        return float(number)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf if number > 0 else -math.inf  # type: ignore[operator]
    except (TypeError, ValueError) as error:  # an array; a signalling NaN
        raise type(error)(f"{name} is a number of seconds, or None for no limit: {error}") from None


def resolve_timeout(timeout: object) -> float | None:
    """Return seconds, or None for no limit: http.client's default stands for the socket module's.

    Raises:
        ValueError: it is negative, or not a number. TypeError: it is something else.
    """
    return socket.getdefaulttimeout() if timeout is UNSET_TIMEOUT else checked_seconds(timeout, "timeout")


def deadline_after(timeout: float | None) -> float | None:
    """Return the monotonic time `timeout` seconds from now, or None for never."""
    return None if timeout is None else time.monotonic() + timeout


def remaining(deadline: float | None) -> float | None:
    """Return the seconds left until `deadline`, not below 0, or None for no limit."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    return left if left > 0 else 0.0


@overload
def soonest(one: float, other: float | None) -> float: ...
@overload
def soonest(one: float | None, other: float) -> float: ...
@overload
def soonest(one: float | None, other: float | None) -> float | None: ...
def soonest(one: float | None, other: float | None) -> float | None:
    """Return the smaller of two time limits: both in seconds, or both monotonic times. None is no limit."""
    if one is None:
        return other
    return one if other is None or one < other else other


def pollable(seconds: float | None) -> float | None:
    """Limit the seconds of one poll to what it can take: a thread that wakes too early polls again."""
    return None if seconds is None else min(seconds, LONGEST_POLL)


def end_of_step(request: Request) -> float | None:
    """Return the monotonic time by which a step of an exchange that begins now must be over; None: no limit.

    Its own timeout and its deadline count here, not the timeout of its connection.
    """
    if request.timeout is UNSET:
        return request.deadline
    return soonest(deadline_after(request.timeout), request.deadline)
