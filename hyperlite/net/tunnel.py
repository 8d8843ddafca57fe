"""A tunnel through an HTTP proxy: CONNECT, and the proxy's answer to it (RFC 9110 section 9.3.6).

http.client's own `_tunnel()` writes the request and checks the answer, so that both are as in the running
Python.  It gets a stand-in for the socket, which adds what http.client lacks:

- What the caller gave is checked by the rules of `fields`, so that no CR, LF or NUL reaches the proxy.
- One deadline holds for the whole exchange.  A socket's timeout starts again with each byte that drips in.
- The bytes behind the answer's head stay in the socket: the origin may speak first, as HTTP/2 does.
- 1xx responses before the answer are skipped, and the answer is bounded in lines and in bytes.
- Nothing stays open after a failure, so no later request goes to the proxy instead of the origin.
"""

import functools
import http.client as http_client
import io
import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import ConnectionLost, ErrorCode
from ..messages.fields import authority, name_bytes, value_bytes
from ..messages.head import malformed, status_code
from ..messages.hosts import ascii_host
from ..messages.request import framed
from ..messages.response_rules import MAX_KEPT
from .sockets import in_time

T = TypeVar("T")


def establish(
    connection: Any,
    talk: Callable[[], None],
    deadline: float | None,
    to_ascii: Callable[[str], str] = ascii_host,
) -> None:
    """Have the proxy at the other end of a connection's socket connect it to the origin.

    Args:
        connection: an http.client.HTTPConnection whose `sock` is connected to the proxy.
        talk: its `_tunnel()`, as http.client has it.
        deadline: the monotonic time by which the proxy must have answered, or None.
        to_ascii: returns the ASCII form of the origin's host, or raises ValueError.

    Raises:
        ValueError, TypeError, http.client.InvalidURL: the origin's host or a header field may not be sent.
        TimeoutError: the proxy did not answer in time.
        OSError, http.client.HTTPException: it refused, or its answer is invalid. The connection is closed.
    """
    sock, given = connection.sock, (connection._tunnel_host, connection._tunnel_headers)
    try:
        host = authority(to_ascii(given[0]), None, 0).decode("ascii")
        connection._tunnel_host, connection._tunnel_headers = host, _checked(*given, host)
        if isinstance(sock, socket.socket):
            _talk_guarded(connection, talk, sock, deadline)
        else:  # a stand-in already, which has its own reading and time limits
            talk()
    except BaseException:
        connection.close()
        sock.close()
        raise
    finally:
        connection._tunnel_host, connection._tunnel_headers = given


def _talk_guarded(
    connection: Any, talk: Callable[[], None], sock: socket.socket, deadline: float | None
) -> None:
    timeout = sock.gettimeout()
    most = getattr(connection, "max_response_headers", None)  # since Python 3.15
    guarded = _ProxySocket(sock, f"{connection.host}:{connection.port}", deadline, most)
    sock.settimeout(0)
    connection.sock = guarded
    talk()
    if guarded.answer.cut_off:
        raise ConnectionLost("the proxy closed the connection within its answer to CONNECT", retry_safe=True)
    connection.sock = sock
    sock.settimeout(timeout)


class _Fields:
    """Header fields in the form that http.client's `_tunnel()` reads."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def items(self) -> list[tuple[str, str]]:
        return self._pairs


def _checked(host: str, headers: Any, sent_host: str) -> _Fields:
    """Return the fields for the proxy. Values may have any type, because http.client writes any as text."""
    pairs, fields = [], []
    for name, value in headers.items():
        checked = value_bytes(value if isinstance(value, (str, bytes)) else str(value))
        fields.append((name_bytes(name), checked))
        text = checked.decode("latin-1")
        if fields[-1][0] == b"host" and host != sent_host:  # some releases of http.client forget the brackets
            text = sent_host + text.removeprefix(host) if text.startswith(f"{host}:") else text
        pairs.append((name if isinstance(name, str) else name.decode("ascii"), text))
    framed(fields)  # otherwise the proxy takes the first bytes in the tunnel for a body
    if [name for name, _ in fields].count(b"host") > 1:
        raise ValueError("more than one Host among the headers")
    return _Fields(pairs)


class _ProxySocket:
    """A stand-in for the socket while http.client asks the proxy; its calls keep to one deadline.

    Args:
        sock: the socket itself, which does not block.
        proxy: its peer's name, for errors.
        deadline: a monotonic time, or None.
        most: header fields that the answer may have; None: as many as http.client accepts.
    """

    def __init__(self, sock: socket.socket, proxy: str, deadline: float | None, most: int | None) -> None:
        self._sock = sock
        self._proxy = proxy
        self._deadline = deadline
        self.answer = _Answer(self.receive, most)

    def makefile(self, *_: Any, **__: Any) -> "_Answer":
        """Return a file from which the answer is read."""
        return self.answer

    def sendall(self, data: bytes) -> None:
        """Send the request."""
        view = memoryview(data)
        while view:
            view = view[self._in_time(functools.partial(self._sock.send, view), writes=True) :]

    def receive(self, size: int) -> bytes:
        """Return up to `size` bytes of the line that comes, and none behind it; b"" at the end."""
        if isinstance(self._sock, ssl.SSLSocket):  # which cannot look ahead
            return self._in_time(functools.partial(self._sock.recv, 1), writes=False)
        ahead = self._in_time(functools.partial(self._sock.recv, size, socket.MSG_PEEK), writes=False)
        return self._sock.recv(ahead.find(b"\n") + 1 or len(ahead)) if ahead else b""

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _in_time(self, call: Callable[[], T], *, writes: bool) -> T:
        return in_time(self._sock, call, writes=writes, deadline=self._deadline, late=self._late)

    def _late(self) -> TimeoutError:
        return TimeoutError(f"the proxy {self._proxy} did not answer CONNECT in time")


class _Answer(io.RawIOBase):
    """The head of a proxy's final answer, line by line; the limits are http.client's own and `MAX_KEPT`.

    Args:
        receive: returns up to so many bytes of the next line, b"" at the end of the connection.
        most: see `_ProxySocket`.

    Attributes:
        cut_off: the connection ended within the head.
    """

    def __init__(self, receive: Callable[[int], bytes], most: int | None) -> None:
        self._receive = receive
        self._most = most
        self._lines = 0  # of the present head
        self._room = MAX_KEPT  # bytes, of all heads
        self._is_complete = False
        self.cut_off = False

    def readable(self) -> bool:
        """Return true."""
        return True

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line, b"" behind the head; of a longer one the first `size` bytes."""
        line = self._line(size)
        if self._lines == 1:
            while line and len(line) != size and 100 <= status_code(line) < 200 and status_code(line) != 101:
                while self._line(size) not in (b"\r\n", b"\n", b""):
                    pass
                self._lines, self._is_complete = 0, False
                line = self._line(size)
        return line

    def _line(self, size: int | None) -> bytes:
        longest = MAX_KEPT if size is None or size < 0 else size
        line = b""
        while not self._is_complete and len(line) < longest and line[-1:] != b"\n":
            piece = self._receive(longest - len(line))
            if not piece:
                self.cut_off = self._is_complete = True
            self._room -= len(piece)
            if self._room < 0:
                raise malformed(
                    f"more than {MAX_KEPT} bytes in a proxy's answer to CONNECT", ErrorCode.ENHANCE_YOUR_CALM
                )
            line += piece
        if line:
            self._lines += 1
            self._is_complete = self._is_complete or line in (b"\r\n", b"\n")
            usual: int = http_client._MAXHEADERS  # type: ignore[attr-defined]
            most = usual if self._most is None else self._most
            if self._lines > most + 2:  # the status line, and the empty one
                raise http_client.HTTPException(f"got more than {most} headers")
        return line
