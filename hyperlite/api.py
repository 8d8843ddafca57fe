"""fetch() and fetch_many() for callers without a pool of their own: all of them share one."""

import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from .fetching.response import FetchResponse, Outcome
from .pool import ConnectionPool

_default: ConnectionPool | None = None
_default_lock = threading.Lock()


def _renew_lock() -> None:
    """Forget, in a child, that another thread of its parent held the lock."""
    global _default_lock  # noqa: PLW0603
    _default_lock = threading.Lock()


def default_pool() -> ConnectionPool:
    """Return the pool that `hyperlite.fetch()` and `hyperlite.fetch_many()` use."""
    global _default  # noqa: PLW0603
    with _default_lock:
        if _default is None or _default.closed:
            _default = ConnectionPool()
        return _default


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def fetch(url: str, method: str = "GET", **arguments: Any) -> FetchResponse:
    """Fetch a URL, on connections that all callers of this function share.

    Args:
        url, method, arguments: as for `ConnectionPool.fetch()`.
    """
    return default_pool().fetch(url, method, **arguments)


def fetch_many(requests: Iterable[Any], **arguments: Any) -> Iterator[Outcome]:
    """Fetch many URLs, on connections that all callers of this function share.

    Args:
        requests, arguments: as for `ConnectionPool.fetch_many()`.
    """
    return default_pool().fetch_many(requests, **arguments)
