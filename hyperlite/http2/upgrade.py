"""From HTTP/1.1 to HTTP/2 on a cleartext connection, if the server agrees (RFC 7540 section 3.2).

RFC 9113 has removed this upgrade, and few servers support it.
"""

import copy
import http.client as http_client
import io
import socket
import time

from ..errors import RequestTimeout
from ..messages.fields import header_fields
from ..messages.request import Request
from ..net.sockets import wait_for
from ..net.timeouts import remaining

_SWITCHING = b"HTTP/1.1 101"
_BEHIND_THE_CODE = b" \r\n"  # one of these bytes follows it; the reason may be missing
_END = b"\r\n\r\n"
# Bytes of the head of a 101, at most. http.client reads 65,536 bytes of a line.
MAX_HEAD = 65536
# Seconds between two looks at an answer while only its first few bytes have come.
GLANCE = 0.005


def asking(request: Request, settings: bytes) -> Request:
    """Return a copy of the request that asks for HTTP/2; `settings` are SETTINGS in base64url."""
    asking = copy.copy(request)
    fields = ("Connection", b"Upgrade, HTTP2-Settings"), ("Upgrade", b"h2c"), ("HTTP2-Settings", settings)
    asking.headers = [*request.headers, *fields]
    asking.checked = [*request.checked, *header_fields(fields)]
    return asking


def switches(sock: socket.socket, deadline: float | None) -> bool:
    """Wait for the beginning of an answer, and tell whether the server switches to HTTP/2.

    If it does, this reads the head of the answer; otherwise, or if nothing comes in time, no byte.

    Raises:
        OSError: the connection failed.
        RequestTimeout: the head of the 101 had not ended by the deadline.
        http.client.HTTPException: the server switches to something else.
    """
    while True:
        if not wait_for(sock, read=True, write=False, timeout=remaining(deadline)):
            return False
        beginning = sock.recv(len(_SWITCHING) + 1, socket.MSG_PEEK)
        if len(beginning) > len(_SWITCHING) or not _SWITCHING.startswith(beginning) or not beginning:
            break
        if remaining(deadline) == 0:  # peeked bytes stay there, so `wait_for` never times out
            return False
        time.sleep(GLANCE)
    if beginning[:-1] != _SWITCHING or beginning[-1] not in _BEHIND_THE_CODE:
        return False
    head = _take_head(sock, deadline)
    named = ",".join(http_client.parse_headers(head).get_all("Upgrade", []))
    protocols = [protocol.strip().lower() for protocol in named.split(",")]
    # Jetty names no protocol, although RFC 9110 section 7.8 asks for it; only h2c was offered.
    if any(protocols) and "h2c" not in protocols:
        raise http_client.HTTPException(f"the server switches to {named!r}, not to h2c")
    return True


def _take_head(sock: socket.socket, deadline: float | None) -> io.BytesIO:
    """Read the head of a 101, and not a byte of the HTTP/2 behind it; return its header lines."""
    head = b""
    while not head.endswith(_END):
        ready = wait_for(sock, read=True, write=False, timeout=remaining(deadline))
        if not ready or remaining(deadline) == 0:
            raise RequestTimeout("the head of 101 Switching Protocols did not end in time")
        seen = head + sock.recv(MAX_HEAD, socket.MSG_PEEK)
        end = seen.find(_END)
        if len(seen) == len(head) or (end < 0 and len(seen) > MAX_HEAD):
            raise http_client.HTTPException("the head of 101 Switching Protocols has no end")
        head += sock.recv((len(seen) if end < 0 else end + len(_END)) - len(head))
    return io.BytesIO(head.partition(b"\r\n")[2])
