"""From a name to a connected socket: its addresses tried side by side.

As RFC 8305 says, the next address is tried a quarter of a second after the one before, or as soon as that has
failed. The first to answer is used.
"""

import errno
import os
import selectors
import socket
import time
from collections.abc import Sequence

from ..observing import Steps
from .resolving import Address, Resolver, addresses_of
from .timeouts import deadline_after, pollable, remaining, soonest

# Seconds before the next address is tried too (RFC 8305 section 8).
ATTEMPT_DELAY = 0.25

# Results of a non-blocking connect that is under way.
_UNDER_WAY = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY, errno.EISCONN}


def create_connection(
    address: tuple[str, int],
    timeout: float | None = None,
    source_address: tuple[str, int] | None = None,
    *,
    steps: Steps | None = None,
    resolver: Resolver | None = None,
) -> socket.socket:
    """Connect to a host, as `socket.create_connection`, but without waiting for a dead address.

    Args:
        address: (host, port).
        timeout: seconds for all addresses together, or None.
        source_address: (host, port) to bind to.
        steps: is told when the name is resolved.
        resolver: says which addresses the host has; None: the system does.

    Raises:
        OSError: no address could be reached; TimeoutError: not in time. And as `addresses_of()`.
    """
    host, port = address
    deadline = deadline_after(timeout)
    addresses = interleave(addresses_of(host, port, resolver))
    if steps is not None:
        steps.resolved = time.monotonic()
    with _Race(source_address) as race:
        sock = race.run(addresses, deadline, f"{host}:{port}")
    sock.settimeout(timeout)
    return sock


def interleave(addresses: Sequence[Address]) -> list[Address]:
    """Return addresses with their families in turn, the system's first choice first."""
    first = [one for one in addresses if one[0] == addresses[0][0]]
    others = [one for one in addresses if one[0] != addresses[0][0]]
    mixed: list[Address] = []
    while first or others:
        mixed += first[:1] + others[:1]
        del first[:1], others[:1]
    return mixed


class _Race:
    """Connections that are being made; the first that is connected wins."""

    def __init__(self, source_address: tuple[str, int] | None) -> None:
        self._source_address = source_address
        self._selector = selectors.DefaultSelector()
        self._errors: list[OSError] = []

    def __enter__(self) -> "_Race":
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def run(self, addresses: list[Address], deadline: float | None, name: str) -> socket.socket:
        """Return the first socket that is connected."""
        while True:
            if addresses:
                self._start(addresses.pop(0))
            if not self._selector.get_map():
                if addresses:
                    continue
                raise self._errors[-1] if self._errors else OSError(f"{name} has no address")
            left = remaining(deadline)
            if left is not None and not left:
                raise TimeoutError(errno.ETIMEDOUT, f"connecting to {name} timed out")
            winner = self._await(soonest(ATTEMPT_DELAY, left) if addresses else left)
            if winner is not None:
                return winner

    def _start(self, address: Address) -> None:
        family, kind, protocol, _, target = address
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            if self._source_address:
                sock.bind(self._source_address)
            code = sock.connect_ex(target)
            if code not in _UNDER_WAY:
                raise OSError(code, f"{os.strerror(code)}: {target[0]}")
            self._selector.register(sock, selectors.EVENT_WRITE)
        except OSError as error:
            self._errors.append(error)
            if sock is not None:
                sock.close()
        except BaseException:
            if sock is not None:
                sock.close()
            raise

    def _await(self, timeout: float | None) -> socket.socket | None:
        """Wait for one to succeed, or for one to fail, or until it is time to try another."""
        for key, _ in self._selector.select(pollable(timeout)):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            self._selector.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return sock
            self._errors.append(OSError(code, os.strerror(code)))
            sock.close()
        return None
