"""One thread that polls many HTTP/2 connections."""

import contextlib
import selectors
import time
from collections.abc import Callable, Collection

from ..errors import ConnectionLost
from ..http2.connection import HTTP2Connection
from ..net.bell import Bell
from ..net.forking import watch
from ..net.timeouts import pollable, soonest

# A connection that is ready, or a connection that cannot be polled and the reason.
Event = tuple[HTTP2Connection, Exception | None]


class Poller:
    """Waits for many connections at once.

    A watched connection keeps its descriptor open until `forget()`, even if another thread closes the
    connection.  So no other socket gets the number meanwhile.
    """

    def __init__(self) -> None:
        self._polling = False
        self._foreign = False  # this process is a child of the one that polls
        self._only: Collection[HTTP2Connection] | None = None
        self._watched: dict[HTTP2Connection, tuple[int, int]] = {}  # the descriptor, and the events
        self._bell = Bell()
        try:
            self._selector = selectors.DefaultSelector()
        except BaseException:
            self._bell.close()
            raise
        self._selector.register(self._bell, selectors.EVENT_READ)
        watch(self)

    def watch(self, connection: HTTP2Connection) -> None:
        """Poll this connection from now on, until it is closed.

        Raises:
            OSError, ValueError, KeyError: the selector refuses it.
        """
        if connection in self._watched or (number := connection.attach()) is None:
            return
        self._watched[connection] = number, 0
        try:
            self._adjust(connection)
        except Exception:
            self.forget(connection)
            raise

    def read_only(self, connections: Collection[HTTP2Connection] | None) -> None:
        """Receive only on these connections from now on; None: on all. All of them go on sending."""
        self._only = connections

    def reads(self, connection: HTTP2Connection) -> bool:
        """Tell whether to receive on this connection."""
        return self._only is None or connection in self._only

    def poll(self, timeout: float | None, hurry: Callable[[], bool]) -> list[Event]:
        """Wait until a connection is ready, for `timeout` seconds at most; not at all if `hurry()`.

        Returns:
            The connections that can receive or send.

        Raises:
            ConnectionLost: this process is a child of the one in which the poller was made.
        """
        if self._foreign:
            raise ConnectionLost("this run of fetch_many() belongs to the parent of this process")
        events, asked = self._look()
        for connection in asked:
            timeout = soonest(timeout, connection.grace)
        start = time.monotonic()
        self._polling = True  # before `hurry()`: a thread that posts after that rings the bell
        try:
            ready = self._selector.select(0 if hurry() or events else pollable(timeout))
        finally:
            self._polling = False
        spent = time.monotonic() - start
        for key, _ in ready:
            if key.data is None:
                self._bell.hush()
            else:
                events.append((key.data, None))
                asked.discard(key.data)
        for connection in asked:
            try:
                connection.unheard(spent)
            except Exception as error:
                events.append((connection, error))
        return events

    def _look(self) -> tuple[list[Event], set[HTTP2Connection]]:
        """Adjust the selector; return connections that it cannot watch, and those that a PING challenges."""
        broken: list[Event] = []
        asked: set[HTTP2Connection] = set()
        for connection in list(self._watched):
            try:
                self._adjust(connection)
            except Exception as error:
                self.forget(connection)
                broken.append((connection, error))
            else:
                if connection.grace is not None and self.reads(connection):
                    asked.add(connection)
        return broken, asked

    def _adjust(self, connection: HTTP2Connection) -> None:
        """Register the events that a connection needs now; forget it if it is closed."""
        if connection.closed:
            self.forget(connection)
            return
        number, known = self._watched[connection]
        wanted = selectors.EVENT_READ if self.reads(connection) else 0
        if connection.wants_write:
            wanted |= selectors.EVENT_WRITE
        if wanted == known:
            return
        if known and wanted:
            self._selector.modify(number, wanted, connection)
        elif known:
            self._selector.unregister(number)
        else:
            self._selector.register(number, wanted, connection)
        self._watched[connection] = number, wanted

    def forget(self, connection: HTTP2Connection) -> None:
        """Stop polling this connection, if it is polled."""
        if connection in self._watched:
            number, known = self._watched.pop(connection)
            if known:
                with contextlib.suppress(KeyError, ValueError, OSError):
                    self._selector.unregister(number)
            connection.detach()

    def wake(self) -> None:
        """End a poll that is under way; any thread may call this at any time."""
        if self._polling:
            self._bell.ring()

    def close(self) -> None:
        """Close the selector and the bell, not the connections. A finalizer may call this."""
        self._selector.close()
        while self._watched:
            self._watched.popitem()[0].detach()
        self._bell.close()

    def after_fork(self) -> None:
        """In the child: forget everything, since the kernel's poll set is shared with the parent."""
        self._foreign = True
        self._watched.clear()
        self._selector.close()
