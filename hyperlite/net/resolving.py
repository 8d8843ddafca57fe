"""From the name of a host to its addresses, which the system knows, or a function of the program."""

import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

# Called with a host and a port, it returns the addresses to connect to, as text, best first; or None for
# those that the system has.  To refuse the host, it raises an OSError.
Resolver: TypeAlias = Callable[[str, int], Iterable[str] | None]

# What getaddrinfo returns of one address.
Address = tuple[Any, Any, int, str, Any]


def addresses_of(host: str, port: int, resolver: Resolver | None = None) -> list[Address]:
    """Return the addresses of a host, as `socket.getaddrinfo` does.

    Args:
        host: a name in ASCII, or an address.
        port: of the server.
        resolver: is asked first; None: the system alone is.

    Raises:
        socket.gaierror: the name is unknown. And as `given_by()`.
    """
    given = None if resolver is None else given_by(resolver, host, port)
    return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM) if given is None else given


def given_by(resolver: Resolver, host: str, port: int) -> list[Address] | None:
    """Return the addresses that a resolver gives; None: it leaves the host to the system.

    Raises:
        OSError: the resolver refuses the host, or (socket.gaierror) does not know it.
        TypeError, ValueError: it returns something else.
    """
    found = resolver(host, port)
    if found is None:
        return None
    if isinstance(found, str | bytes) or not isinstance(found, Iterable):
        raise TypeError(f"resolver returns a list of addresses, or None, not {found!r}")
    return [one for address in found for one in _numeric(address, port)]


def check_host(resolver: Resolver, host: str, port: int) -> None:
    """Let a resolver refuse a host to which this process does not connect itself, but a proxy.

    A name that is unknown here is left to the proxy.

    Raises:
        As `given_by()`, but for socket.gaierror. OSError: it returns no address.
    """
    with contextlib.suppress(socket.gaierror):
        if given_by(resolver, host, port) == []:
            raise OSError(f"{host}:{port} has no address that the resolver lets through")


def _numeric(address: object, port: int) -> list[Address]:
    if not isinstance(address, str):
        raise TypeError(f"resolver returns addresses as str, not {address!r}")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.inet_pton(family, address.partition("%")[0])  # getaddrinfo also takes "127.1"
        return socket.getaddrinfo(address, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        raise ValueError(f"resolver returned {address!r}, which is no address") from None
