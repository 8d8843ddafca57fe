"""A TCP proxy that makes the network slow: everything arrives, in order, half a round trip later."""

import selectors
import socket
import struct
import threading
import time
from collections import deque
from contextlib import closing, suppress

from hyperlite.testing.sockets import Bell

_BACKLOG = 1024
_PIECE = 1 << 18
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, for no time


class _End:
    """One of the two sockets of a connection that goes through the proxy."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self.peer = self
        self.unsent = bytearray()
        """What is due at this socket and not taken by it yet."""
        self.events = 0
        """What the selector watches it for."""
        self.reading = True
        """Whether more may come from it."""
        self.ending = False
        """Whether nothing is to be sent after what is unsent."""
        self.ended = False
        """Whether it has been shut down for sending."""


class LatencyProxy:
    """Forwards connections to another port of 127.0.0.1 and every chunk half of `latency` seconds later.

    There is no limit to how much can be under way. Ends of streams and resets take as long as data; a
    receiver that takes nothing stops its sender. Delays are rounded up to whole milliseconds.
    """

    def __init__(self, upstream: int, latency: float, port: int = 0) -> None:
        """Start to forward from `port`, or from any free one, to the port `upstream`.

        Raises OSError when the port is taken.
        """
        self._upstream = ("127.0.0.1", upstream)
        self._lag = latency / 2
        self._listener = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        """The port that is listened on."""
        self._bell = Bell()
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._ends: set[_End] = set()
        # What is under way: when, to which side, and what. None is a reset, b"" the end of the stream. As
        # everything takes equally long, the first is always the next.
        self._transit: deque[tuple[float, _End, bytes | None]] = deque()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Drop every connection and stop."""
        self._closed = True
        self._bell.ring()
        self._thread.join()

    def _run(self) -> None:
        with self._selector, self._listener, closing(self._bell):
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(self._bell, selectors.EVENT_READ)
            while not self._closed:
                for key, events in self._selector.select(self._timeout()):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.data in self._ends:  # The other end may have taken it along a moment ago.
                        self._attend(key.data, events)
                self._deliver()
            while self._ends:
                self._drop(next(iter(self._ends)))

    def _timeout(self) -> float | None:
        return max(0.0, self._transit[0][0] - time.monotonic()) if self._transit else None

    def _accept(self) -> None:
        with suppress(OSError):
            client, _ = self._listener.accept()
            try:
                server = socket.create_connection(self._upstream)
            except OSError:
                client.close()
                raise
            here, there = _End(client), _End(server)
            here.peer, there.peer = there, here
            self._ends |= {here, there}
            self._watch(here)
            self._watch(there)

    def _attend(self, end: _End, events: int) -> None:
        if events & selectors.EVENT_READ:
            self._receive(end)
        if events & selectors.EVENT_WRITE:
            self._send(end)

    def _receive(self, end: _End) -> None:
        try:
            data: bytes | None = end.socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = None
        end.reading = bool(data)
        self._dispatch(end.peer, data)
        self._watch(end)

    def _dispatch(self, end: _End, data: bytes | None) -> None:
        self._transit.append((time.monotonic() + self._lag, end, data))

    def _deliver(self) -> None:
        """Hand over what is due."""
        while self._transit and self._transit[0][0] <= time.monotonic():
            _, end, data = self._transit.popleft()
            if end not in self._ends:
                continue
            if data is None:
                self._drop(end)
                continue
            end.unsent += data
            end.ending = end.ending or not data
            self._send(end)

    def _send(self, end: _End) -> None:
        """Send what the socket takes, and the end of the stream if it comes next."""
        try:
            while end.unsent:
                del end.unsent[: end.socket.send(end.unsent)]
            if end.ending and not end.ended:
                end.ended = True
                end.socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            end.unsent.clear()
            end.reading = False
            self._dispatch(end.peer, None)
        if end.ended and end.peer.ended:
            self._drop(end, reset=False)
        else:
            self._watch(end)
            self._watch(end.peer)

    def _watch(self, end: _End) -> None:
        """Have the selector wait for what can be done, or it would report a closed socket for ever."""
        events = selectors.EVENT_READ if end.reading and not end.peer.unsent else 0
        events |= selectors.EVENT_WRITE if end.unsent else 0
        if events == end.events:
            return
        if not end.events:
            self._selector.register(end.socket, events, end)
        elif not events:
            self._selector.unregister(end.socket)
        else:
            self._selector.modify(end.socket, events, end)
        end.events = events

    def _drop(self, end: _End, reset: bool = True) -> None:
        """Close both ends."""
        for side in (end, end.peer):
            self._ends.discard(side)
            if side.events:
                self._selector.unregister(side.socket)
                side.events = 0
            if reset:
                # The next close sends a reset rather than the end of the stream.
                side.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            side.socket.close()
