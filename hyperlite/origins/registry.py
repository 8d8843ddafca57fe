"""The origins of a pool: each by its key, with one limit for the idle connections to all of them."""

import threading
import time
from typing import Any

from ..net.forking import watch
from .idle import IdleConnections
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
        self._idle = IdleConnections(settings.max_idle)
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
        if origin is None:
            with self._lock:
                if self.closed:
                    raise ValueError("the pool is closed")
                origin = self._origins.get(key)
                if origin is None:
                    origin = Origin(key, self._settings, self.counters, self._idle)
                    self._origins[key] = origin
        if now - self._swept > SWEEP:
            with self._lock:
                origin.last_used = now
                others = [one for one in self._origins.values() if one is not origin]
                self._swept = now
            self._sweep(others, now)
        return origin

    def _sweep(self, origins: list[Origin], now: float) -> None:
        """Close connections that were idle for too long; forget origins that were not used for long."""
        for origin in origins:
            origin.collect()
            if not origin.sweep(now) and now - origin.last_used > FORGET:
                with self._lock:
                    self._origins.pop(origin.key, None)
        self._idle.forget_gone()

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

    def collect(self) -> None:
        """End the leases that finalizers have abandoned."""
        with self._lock:
            origins = [origin for origin in self._origins.values() if origin.abandoned]
        for origin in origins:
            origin.collect()

    def close_idle(self) -> None:
        """Close the connections that no request uses."""
        self.collect()
        self._idle.reduce(0)

    def close(self) -> None:
        """Close all connections, and lease no others."""
        with self._lock:
            self.closed = True
            origins = list(self._origins.values())
            self._origins.clear()
        for origin in origins:
            origin.close()
        self._idle.forget_gone()

    def after_fork(self) -> None:
        """In the child: make the lock anew; the connections have an `after_fork()` of their own."""
        self._lock = threading.Lock()
