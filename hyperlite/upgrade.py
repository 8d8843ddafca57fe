"""From HTTP/1.1 to HTTP/2 on a cleartext connection, if the server agrees (RFC 7540 section 3.2).

RFC 9113 has taken this way out again, and few servers know it.
"""

import copy
import http.client as http_client
import io
import socket
import time
from collections.abc import Iterator

from .fields import HeaderValue
from .request import Request
from .transport import remaining, wait_for

_SWITCHING = b"HTTP/1.1 101"
# Bytes of the head of a 101. http.client reads 65,536 of a line.
MAX_HEAD = 65536
# Seconds between two looks at an answer of which only the first few bytes have come.
GLANCE = 0.005


class _Headers:
    """A caller's headers, and what asks for the upgrade."""

    def __init__(self, request: Request, settings: bytes) -> None:
        self._given = list(request.headers.items())
        self._settings = settings

    def items(self) -> Iterator[tuple[str | bytes, HeaderValue]]:
        """Return the (name, value) pairs in order."""
        yield from self._given
        yield "Connection", "Upgrade, HTTP2-Settings"
        yield "Upgrade", "h2c"
        yield "HTTP2-Settings", self._settings


def asking(request: Request, settings: bytes) -> Request:
    """Return the request as one that asks to go on in HTTP/2, with these SETTINGS, in base64url."""
    asking = copy.copy(request)
    asking.headers = _Headers(request, settings)
    return asking


def switches(sock: socket.socket, deadline: float | None) -> bool:
    """Wait for the beginning of an answer, and tell whether the server switches to HTTP/2.

    If so, its head is read; if not, or if nothing comes in time, nothing is.

    Raises:
        OSError: the connection failed.
        http.client.HTTPException: the server switches to something else.
    """
    while True:
        if not wait_for(sock, read=True, write=False, timeout=remaining(deadline)):
            return False
        beginning = sock.recv(len(_SWITCHING), socket.MSG_PEEK)
        if len(beginning) == len(_SWITCHING) or not _SWITCHING.startswith(beginning) or not beginning:
            break
        if remaining(deadline) == 0:  # what has come is still there, so there is always something to read
            return False
        time.sleep(GLANCE)
    if beginning != _SWITCHING:
        return False
    head = _take_head(sock)
    fields = http_client.parse_headers(head)
    if (fields.get("Upgrade") or "").strip().lower() != "h2c":
        raise http_client.HTTPException(f"the server switches to {fields.get('Upgrade')!r}, not to h2c")
    return True


def _take_head(sock: socket.socket) -> io.BytesIO:
    """Read the head of a 101, and no byte more: what follows is HTTP/2. Returns its header lines."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte or len(head) > MAX_HEAD:
            raise http_client.HTTPException("the head of 101 Switching Protocols has no end")
        head += byte
    return io.BytesIO(bytes(head).partition(b"\r\n")[2])
