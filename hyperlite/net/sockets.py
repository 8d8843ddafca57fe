"""Waiting on a socket, ending a connection from another thread, and a closed socket's stand-in."""

import contextlib
import math
import select
import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from .timeouts import LONGEST_POLL, remaining

T = TypeVar("T")


def wait_for(sock: socket.socket, *, read: bool, write: bool, timeout: float | None) -> bool:
    """Wait until a socket can be read or written, at most `timeout` seconds; tell whether it can.

    `poll` and `select` are looked up at each call, so that gevent's replacements are used.
    """
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
        return bool(poller.poll(_milliseconds(timeout)))
    ready = select.select([sock] if read else [], [sock] if write else [], [], timeout)
    return any(ready)


def _milliseconds(timeout: float | None) -> int | None:
    """Return milliseconds for `poll`, rounded up: a thread that wakes too early must sleep again."""
    if timeout is None:
        return None
    return math.ceil((timeout if timeout < LONGEST_POLL else LONGEST_POLL) * 1000)


def in_time(
    sock: socket.socket,
    call: Callable[[], T],
    *,
    writes: bool,
    deadline: float | None,
    late: Callable[[], Exception],
) -> T:
    """Call a method of a non-blocking socket as soon as it can do something; return its result.

    Args:
        sock: the socket.
        call: its `send` or `recv`, with the argument.
        writes: it is a `send`.
        deadline: the monotonic time by which it must have done something, or None.
        late: returns the error to raise if it has not.
    """
    while True:
        try:
            return call()
        except BlockingIOError:
            wants_write = writes
        except ssl.SSLWantReadError:
            wants_write = False
        except ssl.SSLWantWriteError:
            wants_write = True
        ready = wait_for(sock, read=not wants_write, write=wants_write, timeout=remaining(deadline))
        if not ready or remaining(deadline) == 0:
            raise late()


class Watch:
    """`wait_for`, for repeated waits to read from one socket; one thread at a time.

    Args:
        sock: the socket; it must be open while a thread waits.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._poller: Any = None
        self._made_by: object = None

    def wait(self, timeout: float | None) -> bool:
        """Wait until there is something to read, at most `timeout` seconds; tell whether there is."""
        make = getattr(select, "poll", None)
        if make is None:
            return wait_for(self._sock, read=True, write=False, timeout=timeout)
        if make is not self._made_by:
            self._poller, self._made_by = make(), make
            self._poller.register(self._sock, select.POLLIN)
        return bool(self._poller.poll(timeout and _milliseconds(timeout)))


def is_stale(sock: socket.socket, *, fresh: bool = False) -> bool:
    """Tell whether an idle HTTP/1.1 connection can no longer be used.

    No request is under way, so bytes that have come mean that it has ended, or belong to no response.  The
    ssl module consumes TLS session tickets, which mean nothing here.

    Args:
        sock: of the connection.
        fresh: it has brought no response yet. So a TLS alert says what the server makes of the handshake: on
            TLS 1.3 this side ends it before the server has judged the client's certificate.

    Raises:
        ssl.SSLError: such an alert.
    """
    try:
        if not wait_for(sock, read=True, write=False, timeout=0) and not (
            isinstance(sock, ssl.SSLSocket) and sock.pending()
        ):
            return False
    except (OSError, ValueError):  # it was closed on this side
        return True
    timeout = sock.gettimeout()
    sock.settimeout(0)
    try:
        sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError as error:
        if fresh and "ALERT" in str(getattr(error, "reason", "")):
            raise
    finally:
        sock.settimeout(timeout)
    return True


def break_off(sock: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """End a connection that another thread may be using: its call returns, and its descriptor stays open.

    Args:
        sock: of the connection; one that is closed already stays as it is.
        how: as for `socket.shutdown()`.
    """
    base: Any = super(ssl.SSLSocket, sock) if isinstance(sock, ssl.SSLSocket) else sock
    with contextlib.suppress(OSError):
        base.shutdown(how)  # SSLSocket.shutdown() drops the TLS state: that thread would then read ciphertext


class Remains:
    """Answers for a socket that is about to be closed while its response is still unread.

    http.client keeps the socket open until the response is read.  hyperlite closes it when the response has
    come.

    Args:
        sock: is still open.
        session: its TLS session. Reading it takes ten times as long as the rest of this object.
    """

    def __init__(self, sock: socket.socket, session: ssl.SSLSession | None) -> None:
        self._sock = sock
        self._answers: dict[str, Any] = {}  # OpenSSL does not give them after its close_notify
        for name in ("getpeername", "getsockname", "version", "cipher", "selected_alpn_protocol"):
            if hasattr(sock, name):
                with contextlib.suppress(OSError):
                    self._answers[name] = getattr(sock, name)()
        if isinstance(sock, ssl.SSLSocket):
            self.session: ssl.SSLSession | None = session
            self.session_reused: bool | None = sock.session_reused
            # There was no handshake; or the caller has shut it down, which ends TLS (AttributeError).
            with contextlib.suppress(OSError, ValueError, AttributeError):
                self._answers["getpeercert"] = sock.getpeercert()
                self._answers["DER"] = sock.getpeercert(True)

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the server's certificate, decoded, or its bytes; None if it was not available."""
        return self._answers.get("DER" if binary_form else "getpeercert")

    def setsockopt(self, *_: object) -> None:
        """Do nothing: no option acts on a closed socket."""

    def __getattr__(self, name: str) -> Any:
        if name in self._answers:
            return lambda: self._answers[name]
        return getattr(self._sock, name)
