"""What `conn.sock` is on HTTP/2: a stand-in for a socket that many streams share.

Rule: a call that only asks the socket something runs under the connection's lock, because another thread may
be inside its TLS object.  A call that would read or write bytes of the streams raises an error, which says
what to do instead.
"""

import errno
import functools
import io
import operator
import os
import socket
from typing import Any, NoReturn

from ..errors import ConnectionLost
from ..net.timeouts import checked_seconds
from ..net.tls import context_of
from .stream import Stream, StreamTransport

# Calls that do not disturb the streams on the socket.
_ATTRIBUTES = frozenset(
    {"family", "proto", "server_hostname", "server_side", "session", "session_reused", "type"}
)
_METHODS = frozenset(
    {
        "cipher",
        "compression",
        "fileno",
        "get_channel_binding",
        "get_inheritable",
        "get_unverified_chain",
        "get_verified_chain",
        "getpeercert",
        "getpeername",
        "getsockname",
        "getsockopt",
        "pending",
        "selected_alpn_protocol",
        "set_inheritable",
        "setsockopt",
        "shared_ciphers",
        "version",
    }
)
READ = "read the response that getresponse() returns"
_SEND = "send by request() or send()"
_OWN = "a connection in HTTP/1.1 has a socket of its own: HYPERLITE_PROTOCOLS=http/1.1"
_CLOSE = "close() ends the connection"
# Calls of a socket that a shared one refuses, and what a program does instead.
_REFUSED = {
    **dict.fromkeys(("makefile", "read", "recv", "recv_into", "recvfrom", "recvfrom_into"), READ),
    **dict.fromkeys(("recvmsg", "recvmsg_into"), READ),
    **dict.fromkeys(("send", "sendall", "sendfile", "sendmsg", "sendto", "write"), _SEND),
    **dict.fromkeys(
        ("accept", "bind", "connect", "connect_ex", "detach", "dup", "ioctl", "listen", "share"), _OWN
    ),
    **dict.fromkeys(("do_handshake", "verify_client_post_handshake"), _OWN),
    "unwrap": _CLOSE,
}


class SharedSocket:
    """The socket of an HTTP/2 connection, for programs that ask it about its peer.

    Reading or writing it raises io.UnsupportedOperation (an OSError): the bytes belong to the streams.
    After `close()`, responses under way can be read to their end, as after a socket's `close()` while a
    `makefile()` is open.
    """

    def __init__(self, transport: StreamTransport) -> None:
        self._transport = transport
        self._context: Any = None  # once it was asked for

    def settimeout(self, timeout: float | None) -> None:
        """Set the seconds that each blocking step of a request may last; None: no limit."""
        self._transport.timeout = checked_seconds(timeout, "timeout")

    def gettimeout(self) -> float | None:
        """Return the seconds that each blocking step of a request may last."""
        return self._transport.timeout

    @property
    def timeout(self) -> float | None:
        """The same as `gettimeout()`."""
        return self.gettimeout()

    def setblocking(self, flag: bool) -> None:
        """Remove the limit of the time that a step may last; false: a step that would wait times out."""
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """Tell whether a step may wait."""
        return self.gettimeout() != 0

    @property
    def context(self) -> Any:
        """The context that the connection was made with; a copy of it, if other connections share it."""
        if self._context is None:
            self._context = context_of(self._transport.sock)
        return self._context

    def shutdown(self, how: int, /) -> None:
        """Close the connection at once: all threads that wait for a response, or read one, get an error.

        Args:
            how: as for a socket. SHUT_WR closes the connection when the requests under way are over.

        Raises:
            OSError: EINVAL, for another number.
        """
        if only_writing(how):
            self._transport.drain()
        else:
            self._transport.shut_down()

    def close(self) -> None:
        """Close the connection when the last response was read."""
        self._transport.drain()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name in _REFUSED:
            return functools.partial(_refuse, name)
        if name in _ATTRIBUTES:
            return self._transport.ask(operator.attrgetter(name))
        if name in _METHODS and hasattr(type(self._transport.sock), name):
            return functools.partial(self._call, name)
        raise AttributeError(f"{name!r}: the socket of an HTTP/2 connection is shared by its streams")

    def _call(self, name: str, *args: Any, **options: Any) -> Any:
        return self._transport.ask(operator.methodcaller(name, *args, **options))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._transport!r}>"


class ResponseSocket(SharedSocket):
    """The socket as `response.fp.raw._sock`: its timeout and its end are those of that response."""

    def __init__(self, transport: StreamTransport, stream: Stream) -> None:
        super().__init__(transport)
        self._stream = stream

    def settimeout(self, timeout: float | None) -> None:
        """Set the seconds that each wait for more of the response may last; None: no limit."""
        self._stream.request.timeout = checked_seconds(timeout, "timeout")

    def gettimeout(self) -> float | None:
        """Return the seconds that each wait for more of the response may last."""
        return self._transport.timeout_of(self._stream)

    def shutdown(self, how: int, /) -> None:
        """Give the response up: its stream is reset, and a thread that reads it gets a ConnectionLost.

        Args:
            how: as for a socket. SHUT_WR does nothing: the request has been sent.
        """
        if not only_writing(how):
            error = ConnectionLost("the socket was shut down", stream_id=self._stream.stream_id)
            self._transport.cancel(self._stream, error)
            self._transport.rouse()

    def close(self) -> None:
        """Do nothing: as in http.client, the response goes on until it is closed itself."""


class RawBody(io.RawIOBase):
    """What `response.fp.raw` is on HTTP/2: the body, unbuffered.

    The socket is `_sock`, as in socket.SocketIO: programs ask it for the server's certificate or address.
    """

    mode = "rb"

    def __init__(self, transport: StreamTransport, stream: Stream) -> None:
        self._transport = transport
        self._stream = stream
        self._sock = ResponseSocket(transport, stream)

    def readable(self) -> bool:
        """Return true: a body can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what has come of the body, or wait for more; 0 at its end."""
        view = memoryview(buffer).cast("B")
        return self._transport.read_into(self._stream, view) if len(view) else 0

    def fileno(self) -> int:
        """Return the descriptor of the socket, which other streams share."""
        return self._transport.fileno()

    @property
    def name(self) -> int:
        """The descriptor, as socket.SocketIO has it."""
        return self.fileno()

    def close(self) -> None:
        """Give the response up, if it was not read to its end."""
        if not self.closed:
            super().close()
            if not self._stream.inbox.exhausted:
                self._transport.drop(self._stream)

    def __del__(self) -> None:
        """Leave the stream to the response: closing here could wait, and a finalizer must not wait."""


def only_writing(how: int) -> bool:
    """Tell whether a number for `shutdown()` is SHUT_WR; OSError (EINVAL): it is no such number."""
    if how not in {socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR}:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return how == socket.SHUT_WR


def _refuse(name: str, *_: object, **__: object) -> NoReturn:
    raise unsupported(name, _REFUSED[name])


def unsupported(name: str, instead: str) -> io.UnsupportedOperation:
    """Return the error for a call that a shared socket refuses; `instead` says what to do."""
    return io.UnsupportedOperation(
        f"{name}: on HTTP/2 the socket is shared by the connection's streams; {instead}"
    )
