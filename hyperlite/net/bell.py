"""A descriptor that any thread can make readable, to wake the one that polls it."""

import contextlib
import socket
import threading

from .forking import watch


class Bell:
    """A pair of sockets: one byte in the first makes the second readable.

    They are sockets because a selector on Windows takes nothing else.

    Any thread may call `ring()` and `close()` at any time, and a finalizer may do so in the middle of either.
    So no call waits: it notes what it wants, and if another thread has the lock, that thread does the work.
    Under the lock no socket is closed while a thread writes to it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rung = False  # a byte is to be written
        self._closing = False
        self._closed = False
        self._inside, self._outside = socket.socketpair()
        self._inside.setblocking(False)
        self._outside.setblocking(False)
        watch(self)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._inside.fileno()

    def ring(self) -> None:
        """Wake the thread that polls; nothing after `close()`."""
        self._rung = True
        self._serve()

    def hush(self) -> None:
        """Stop ringing; for the thread that polls alone."""
        with contextlib.suppress(BlockingIOError):
            while self._inside.recv(4096):
                pass

    def close(self) -> None:
        """Close the sockets: at once, or when the thread that is writing has done so."""
        self._closing = True
        self._serve()

    def _serve(self) -> None:
        """Do what the calls have noted, unless another thread is doing so: that one looks again."""
        while (self._rung or self._closing) and not self._closed and not self._lock.locked():
            with self._lock:  # not acquire(): see HTTP2Connection.abandon()
                if self._closing:
                    self._closed = True
                    self._outside.close()
                    self._inside.close()
                elif self._rung:
                    self._rung = False  # first: a call that comes later wants another byte
                    with contextlib.suppress(OSError):  # the socket is full, so it rings already
                        self._outside.send(b"!")

    def after_fork(self) -> None:
        """In the child: close both sockets without a ring, which would wake the parent."""
        self._lock = threading.Lock()
        self._closing = True
        self._serve()
