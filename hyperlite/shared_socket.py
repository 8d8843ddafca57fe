"""What `conn.sock` is on HTTP/2: a stand-in for a socket that many streams share."""

from typing import Any

from .mux import Mux
from .timeouts import checked_seconds
from .tls import context_of

# What may be asked of the socket without disturbing the streams on it.
_DELEGATED = frozenset(
    {
        "cipher",
        "compression",
        "family",
        "fileno",
        "get_channel_binding",
        "getpeercert",
        "getpeername",
        "getsockname",
        "getsockopt",
        "proto",
        "selected_alpn_protocol",
        "server_hostname",
        "server_side",
        "session",
        "session_reused",
        "setsockopt",
        "shared_ciphers",
        "type",
        "version",
    }
)


class SharedSocket:
    """The socket of an HTTP/2 connection, for those who ask it about its peer.

    It cannot be read or written: the bytes belong to the streams.  `close()` lets the responses
    that are under way be read to their end, as closing a socket does while a `makefile()` is open.
    """

    def __init__(self, mux: Mux) -> None:
        self._mux = mux
        self._context: Any = None  # once it was asked for

    def settimeout(self, timeout: float | None) -> None:
        """Set the seconds that each blocking step of a request may last; None: no limit."""
        self._mux.timeout = checked_seconds(timeout, "timeout")

    def gettimeout(self) -> float | None:
        """Return the seconds that each blocking step of a request may last."""
        return self._mux.timeout

    @property
    def context(self) -> Any:
        """The context that the connection was made with, or one like it where that is shared."""
        if self._context is None:
            self._context = context_of(self._mux.sock)
        return self._context

    def close(self) -> None:
        """Close the connection when the last response is read."""
        self._mux.drain()

    def __getattr__(self, name: str) -> Any:
        if name in _DELEGATED:
            return getattr(self._mux.sock, name)
        raise AttributeError(f"{name!r}: the socket of an HTTP/2 connection is shared by its streams")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._mux!r}>"
