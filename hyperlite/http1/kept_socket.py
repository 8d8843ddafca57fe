"""The socket of a kept HTTP/1.1 connection, and the rules by which threads close and replace it.

Rules: the connection's lock guards it.  A thread that is at work uses the socket outside the lock.  Meanwhile
no other thread closes the socket: its descriptor could belong to another connection when the thread at work
goes on.  Such a socket is *doomed*, and the thread at work closes it when it has stopped.
"""

import socket

from ..net.sockets import break_off, is_stale


class KeptSocket:
    """The socket of a kept connection, or None while there is none.

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
        self.working: bool = False
        self._doomed: list[socket.socket] = []

    def alive(self) -> socket.socket | None:
        """Return the socket; None if there is none, or the server has closed it.

        Raises:
            ssl.SSLError: the server has refused the handshake, after this side had ended it.
        """
        sock = self.sock
        return None if sock is None or is_stale(sock, fresh=sock is not self.proven) else sock

    def replace(self, fresh: socket.socket) -> None:
        """Replace the socket by another."""
        if self.sock is not None:
            self._doomed.append(self.sock)
        self.sock = fresh

    def take(self) -> socket.socket | None:
        """Return the socket, which the caller owns from now on."""
        sock, self.sock = self.sock, None
        return sock

    def doom(self, sock: socket.socket) -> None:
        """Have the thread at work close a socket, which is not used again."""
        self._doomed.append(sock)
        if self.sock is sock:
            self.sock = None

    def let_go(self, sock: socket.socket | None) -> None:
        """Close a socket; a response that reads from it keeps it open."""
        if sock is not None:
            sock.close()
            if self.sock is sock:
                self.sock = None

    def hang_up(self, *, interrupt: bool) -> None:
        """Close the socket; a response that reads from it keeps it open.

        Args:
            interrupt: also end the call of a thread at work that sends on it, or waits for a response.
        """
        sock = self.take()
        if sock is not None and self.working and interrupt:
            break_off(sock)
            self._doomed.append(sock)
        elif sock is not None:
            sock.close()

    def stop_work(self) -> None:
        """Close the doomed sockets, now that the thread at work has stopped."""
        self.working = False
        while self._doomed:
            self._doomed.pop().close()

    def after_fork(self) -> None:
        """In the child: close its copy, which no thread uses here."""
        self.working, self._doomed = False, []
        sock = self.take()
        if sock is not None:
            sock.close()
