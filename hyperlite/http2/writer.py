"""Bytes on their way to one socket: what was not written yet, and how much may have left this machine."""

import contextlib
import os
import socket
import ssl

# Linux alone lets go of what it has gathered by itself; the BSDs' TCP_NOPUSH is no such thing.
_CORK: int | None = getattr(socket, "TCP_CORK", None)
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Writer:
    """What is to be written to a socket that does not block. The connection's lock guards it.

    What the socket does not take stays in `out`, byte for byte: TLS wants the same bytes again.

    Args:
        sock: the socket, non-blocking.

    Attributes:
        out: bytes to be written.
        written: how many bytes went into `out`, ever.
        flushed: how many of these the socket has taken.
        gone: how many of these may have left: TLS writes on while it says that it would block.
        error: why the socket takes no more; None: it does.
        corked: the kernel gathers what is written.
        backlog: what was there to be sent could not be written at once.
        secure: TLS is spoken.
    """

    __slots__ = (
        "_pid",
        "_sock",
        "backlog",
        "corked",
        "error",
        "flushed",
        "gone",
        "out",
        "secure",
        "written",
    )

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pid = os.getpid()
        self.secure = isinstance(sock, ssl.SSLSocket)
        self.out = bytearray()
        self.written = self.flushed = self.gone = 0
        self.error: OSError | None = None
        self.corked = self.backlog = False

    @property
    def is_foreign(self) -> bool:
        """Whether this process is a child of the one whose socket it is, and `after_fork()` is to come."""
        return os.getpid() != self._pid

    def cork(self, corked: bool) -> None:
        """Have the kernel gather what is written, or send it as it comes, and what it has gathered.

        Each small write wakes the peer, which costs more than all that is done here for a request.
        The first request of many goes out at once; those that follow, while no thread waits for an
        answer yet, are gathered.  Nothing can be forgotten: the kernel keeps them for 0.2 s at the
        most, or until a segment is full (tcp(7), TCP_CORK).
        """
        if _CORK is not None:
            with contextlib.suppress(OSError):  # not TCP, or closed
                self._sock.setsockopt(socket.IPPROTO_TCP, _CORK, corked)
            self.corked = corked  # the last: a thread that is interrupted before it leaves it to the next

    def send(self) -> bool:
        """Write `out`, all of it if the socket takes it; false if the socket may take no more now."""
        if self.error is not None or os.getpid() != self._pid:  # a finalizer, before `after_fork()`
            self.out.clear()
            return False
        out = self.out
        try:
            while out:
                # TLS writes on while it says that it would block; a plain socket does not.
                before, self.gone = self.gone, self.flushed + len(out)
                sent = self._sock.send(out)
                self.flushed += sent
                if not self.secure:
                    self.gone = self.flushed
                del out[:sent]
        except WOULD_BLOCK:
            if not self.secure:
                self.gone = before
            return False
        except OSError as error:
            if not self.secure:
                self.gone = before
            # What the peer said before it closed may still be there to be read: an answer, or GOAWAY.
            self.error = error
            out.clear()
            return False
        return True
