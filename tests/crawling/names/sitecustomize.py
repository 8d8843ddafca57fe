"""Has all names below .test lead to this machine, in a Python that finds this file: see `compare`."""

import socket
from typing import Any

_getaddrinfo, _gethostbyname = socket.getaddrinfo, socket.gethostbyname


def _here(host: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    return "127.0.0.1" if isinstance(name, str) and name.endswith(".test") else host


socket.getaddrinfo = lambda host, *rest, **named: _getaddrinfo(_here(host), *rest, **named)
socket.gethostbyname = lambda host: _gethostbyname(_here(host))
