"""The socket of an HTTP/1.1 connection that is kept, and opened anew when the server has closed it.

Rules: the connection's lock guards it.  A thread that is at work uses the socket outside the lock.  While it
does, no other thread closes the socket: its descriptor could be another connection's when the thread at work
goes on.  Such a socket is *doomed*, and the thread at work closes it when it has stopped.
"""

import socket

from ..net.sockets import break_off, is_stale


class KeptSocket:
    """A socket, or its place.

    Args:
        sock: connected.

    Attributes:
        sock: the socket on which the next request goes out; None: it has to be opened.
        proven: the last socket that has brought a response.
        working: a thread uses the socket, outside the lock.
    """

    __slots__ = ("_doomed", "proven", "sock", "working")

    def __init__(self, sock: socket.socket) -> None:
        self.sock: socket.socket | None = sock
        self.proven: socket.socket | None = None
        self.working = False
        self._doomed: list[socket.socket] = []

    def alive(self) -> socket.socket | None:
        """Return the socket; None if there is none, or the server has closed it."""
        return None if self.sock is None or is_stale(self.sock) else self.sock

    def replace(self, fresh: socket.socket) -> None:
        """Put another in its place."""
        if self.sock is not None:
            self._doomed.append(self.sock)
        self.sock = fresh

    def take(self) -> socket.socket | None:
        """Return the socket, which is the caller's from now on."""
        sock, self.sock = self.sock, None
        return sock

    def doom(self, sock: socket.socket) -> None:
        """Have the thread at work close a socket, which is not used again."""
        self._doomed.append(sock)
        if self.sock is sock:
            self.sock = None

    def let_go(self, sock: socket.socket | None) -> None:
        """Close a socket, but for the response that reads from it."""
        if sock is not None:
            sock.close()
            if self.sock is sock:
                self.sock = None

    def hang_up(self, *, interrupt: bool) -> None:
        """Close the socket; what a response reads from keeps it open.

        Args:
            interrupt: a thread that is at work may be sending on it, or waiting for a response: that ends.
        """
        sock = self.take()
        if sock is not None and self.working and interrupt:
            break_off(sock)
            self._doomed.append(sock)
        elif sock is not None:
            sock.close()

    def stop_work(self) -> None:
        """Close what is doomed, now that the thread at work has stopped."""
        self.working = False
        while self._doomed:
            self._doomed.pop().close()

    def after_fork(self) -> None:
        """In the child: close its copy, which no thread uses here."""
        self.working, self._doomed = False, []
        sock = self.take()
        if sock is not None:
            sock.close()
