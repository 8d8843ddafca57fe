"""Bytes for one socket: those that it has not taken yet, and how many may have left this machine."""

import contextlib
import os
import socket
import ssl

# Only Linux sends gathered bytes by itself after a while; the BSDs' TCP_NOPUSH does not.
_CORK: int | None = getattr(socket, "TCP_CORK", None)
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Writer:
    """Bytes to be written to a socket that does not block. The connection's lock guards it.

    Bytes that the socket does not take stay in `out` unchanged: TLS needs the same bytes again.

    Args:
        sock: the socket, non-blocking.

    Attributes:
        out: bytes to be written.
        written: how many bytes went into `out`, ever.
        flushed: how many of these the socket has taken.
        gone: how many of these may have left: TLS may write some and still say that it would block.
        error: why the socket takes no more; None: it takes more.
        corked: the kernel gathers small writes.
        backlog: the last `push()` left bytes in `out`.
        secure: the socket speaks TLS.
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
        self.secure: bool = isinstance(sock, ssl.SSLSocket)
        self.out: bytearray = bytearray()
        self.written: int = 0
        self.flushed: int = 0
        self.gone: int = 0
        self.error: OSError | None = None
        self.corked: bool = False
        self.backlog: bool = False

    @property
    def is_foreign(self) -> bool:
        """Whether this process is a child of the socket's owner, and `after_fork()` has not run yet."""
        return os.getpid() != self._pid

    def cork(self, corked: bool) -> None:
        """Have the kernel gather small writes; false: send what it has gathered, and gather no more.

        Each small write wakes the peer, which costs more than all the work for a request here.  The first
        of many requests goes out at once.  The following ones are gathered while no thread waits for an
        answer.  The kernel keeps them for 0.2 s at most, or until a segment is full (tcp(7), TCP_CORK).
        """
        if _CORK is not None:
            with contextlib.suppress(OSError):  # not TCP, or closed
                self._sock.setsockopt(socket.IPPROTO_TCP, _CORK, corked)
            self.corked = corked  # last: after an interrupt before this line, the next thread does it again

    def send(self) -> bool:
        """Write `out`; false if the socket may take no more now."""
        if self.error is not None or os.getpid() != self._pid:  # a finalizer, before `after_fork()`
            self.out.clear()
            return False
        out = self.out
        try:
            while out:
                # TLS may write some bytes and still say that it would block; a plain socket does not.
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
            # The peer may have sent an answer or GOAWAY before it closed, so reading goes on.
            self.error = error
            out.clear()
            return False
        return True
