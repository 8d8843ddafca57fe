"""A connection to a host, dialled with the arguments that a test is about."""

import socket
from collections.abc import Sequence
from typing import Any

from hyperlite.net.dialer import Dialer
from hyperlite.net.protocols import BOTH


def connect(
    host: str,
    port: int,
    *,
    timeout: float | None = None,
    by: float | None = None,
    alpn: Sequence[str] = BOTH,
    **options: Any,
) -> tuple[socket.socket, str | None]:
    """Return the socket and the protocol that ALPN chose; for the options see `Dialer`."""
    return Dialer(host, port, **options).dial(alpn, timeout=timeout, by=by)
