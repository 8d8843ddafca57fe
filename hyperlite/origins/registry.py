"""The origins of a pool: each by its key, with one limit for the connections to all of them."""

import threading
import time
from typing import Any

from ..net.forking import watch
from .key import Key
from .origin import Counters, Origin, Settings

# Seconds between two sweeps of idle connections.
SWEEP = 5.0
# Seconds after which an origin without connections is forgotten, and with it the protocol that it speaks.
FORGET = 300.0


class Registry:
    """All origins of a pool.

    There is no background thread: `get()` closes connections that were idle for too long.

    Args:
        settings: what the connections have in common.

    Attributes:
        counters: what was done so far.
        closed: `close()` was called, and no further connection is leased.
    """

    def __init__(self, settings: Settings) -> None:
        self.counters: Counters = Counters()
        self._settings = settings
        self._lock = threading.Lock()
        # -- guarded by _lock --
        self._origins: dict[Key, Origin] = {}
        self._swept = time.monotonic()
        self.closed: bool = False
        watch(self)

    def get(self, key: Key) -> Origin:
        """Return the connections that a key stands for.

        Raises:
            ValueError: the pool is closed.
        """
        origin = self._origins.get(key)
        now = time.monotonic()
        if origin is None or now - self._swept > SWEEP:
            with self._lock:
                if self.closed:
                    raise ValueError("the pool is closed")
                origin = self._origins.get(key)
                if origin is None:
                    origin = self._origins[key] = Origin(key, self._settings, self.counters)
                origin.last_used = now
                others = [one for one in self._origins.values() if one is not origin]
                self._swept = now
            self._sweep(others, now)
        return origin

    def _sweep(self, origins: list[Origin], now: float) -> None:
        """Close connections that were idle for too long or are beyond `max_idle`."""
        origins.sort(key=lambda one: one.last_used, reverse=True)
        kept = 0
        for origin in origins:
            origin.collect()
            left = origin.sweep(now, self._settings.max_idle - kept)
            kept += left
            if not left and now - origin.last_used > FORGET:
                with self._lock:
                    self._origins.pop(origin.key, None)

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state of each origin, by a name of its own."""
        with self._lock:
            origins = list(self._origins.values())
        states: dict[str, Any] = {}
        for origin in origins:
            name = str(origin.key)
            while name in states:  # the same origin, by another TLS context, or in other protocols
                name += "'"
            states[name] = origin.state()
        return states

    def close_idle(self) -> None:
        """Close the connections that no request uses."""
        with self._lock:
            origins = list(self._origins.values())
        for origin in origins:
            origin.collect()
            origin.sweep(time.monotonic(), allowance=-1)

    def close(self) -> None:
        """Close all connections, and lease no others."""
        with self._lock:
            self.closed = True
            origins = list(self._origins.values())
            self._origins.clear()
        for origin in origins:
            origin.close()

    def after_fork(self) -> None:
        """In the child: make the lock anew; the connections have an `after_fork()` of their own."""
        self._lock = threading.Lock()
