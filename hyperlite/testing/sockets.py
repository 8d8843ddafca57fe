"""What the server's loops do with sockets: wait, be woken, send without blocking, and part in good order."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from select import POLLIN, POLLOUT, poll

_LINGER = 1.0
_RECEIVE = 1 << 16


class Bell:
    """Wakes a thread that waits for sockets: it waits for the bell, too, and other threads ring it."""

    def __init__(self) -> None:
        self._inside, self._outside = socket.socketpair()
        self._inside.setblocking(False)
        self._outside.setblocking(False)
        # A late ring must not reach whatever has got the closed bell's descriptor since.
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._inside.fileno()

    def ring(self) -> None:
        """Wake the thread, now or when it waits next; any thread may, even after `close`."""
        with self._lock, suppress(OSError):  # A full buffer is loud enough.
            self._outside.send(b"\0")

    def clear(self) -> None:
        """Silence the rings so far."""
        with suppress(BlockingIOError):
            self._inside.recv(_RECEIVE)

    def close(self) -> None:
        """Release the descriptors."""
        with self._lock:
            self._inside.close()
            self._outside.close()


class Channel:
    """A non-blocking socket, the bytes to send on it and a bell; for one thread, though any may ring."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket, plain or TLS after its handshake; it stays the caller's to close."""
        sock.setblocking(False)
        self._socket = sock
        self._bell = Bell()
        self.ring: Callable[[], None] = self._bell.ring
        self._unsent = bytearray()
        self._poll = poll()
        self._poll.register(sock, POLLIN)
        self._poll.register(self._bell, POLLIN)
        self.blocked: bool = False
        """Whether the socket has refused bytes and may not have room yet."""

    @property
    def unsent(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._unsent)

    def queue(self, data: bytes) -> None:
        """Add bytes to those that wait; `flush` sends them."""
        self._unsent += data

    def flush(self) -> None:
        """Send what the socket takes. Raises OSError when the connection is broken."""
        blocked = False
        while self._unsent and not blocked:
            try:
                del self._unsent[: self._socket.send(self._unsent)]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                blocked = True
        if blocked != self.blocked:
            self.blocked = blocked
            self._poll.modify(self._socket, POLLIN | POLLOUT if blocked else POLLIN)

    def receive(self, timeout: float | None) -> bytes:
        """Wait for something to happen and return what has arrived, b"" if it was something else.

        That is a ring, room to send, or `timeout` seconds gone by. Raises ConnectionError when the client has
        closed the connection and OSError when it is broken.
        """
        data = b""
        for descriptor, events in self._poll.poll(None if timeout is None else timeout * 1000):
            if descriptor == self._bell.fileno():
                self._bell.clear()
            elif events & ~POLLOUT:
                data = self._receive()
        return data

    def _receive(self) -> bytes:
        # No TLS record is longer than this: none is left half read inside the socket, where poll is blind.
        try:
            data = self._socket.recv(_RECEIVE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        if not data:
            raise ConnectionError("The client has closed the connection.")
        return data

    def close(self) -> None:
        """Release the bell."""
        self._bell.close()


def part(sock: socket.socket) -> None:
    """Say that nothing more will come and wait, a second at most, for the client to have heard it.

    A socket that is closed while bytes are still coming in resets the connection, and the client may lose the
    end of what it was sent.
    """
    with suppress(OSError):
        sock.setblocking(False)
        if isinstance(sock, ssl.SSLSocket):
            with suppress(ssl.SSLError):
                sock.unwrap()
        # What follows is no longer for TLS to read, hence the plain socket's methods.
        socket.socket.shutdown(sock, socket.SHUT_WR)
        sock.settimeout(_LINGER)
        while socket.socket.recv(sock, _RECEIVE):
            pass


def break_off(sock: socket.socket) -> None:
    """Shut a connection down at once in both directions; another thread that waits for it wakes up."""
    with suppress(OSError):
        # A TLS socket's own method would take the TLS state from under the other thread.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
