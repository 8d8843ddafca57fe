"""Settings of a TLS context that the ssl module cannot read: they are read from a ClientHello.

The ssl module cannot read the ALPN protocols, the curve or the pre-shared key that were set on a context.
They are in the first message of a handshake (RFC 8446 section 4.1.2).  Here the context writes that message
into memory; no peer receives it.
"""

import contextlib
import ssl
from typing import NamedTuple

_HANDSHAKE = 22  # the type of a record
_CLIENT_HELLO = 1  # the type of a message
_SUPPORTED_GROUPS, _ALPN, _PRE_SHARED_KEY = 10, 16, 41  # extensions

# Cipher suites by a key that both sides have: RFC 4279, 4785, 5487, 5489, 6209, 6367, 6655, 7905, 8442.
# OpenSSL offers them only on a context that has a callback for the key.
_PSK_SUITES = frozenset(
    (
        *range(0x002C, 0x002F),
        *range(0x008A, 0x0096),
        *range(0x00A8, 0x00BA),
        *range(0xC033, 0xC03C),
        *range(0xC064, 0xC072),
        *range(0xC08E, 0xC09C),
        *range(0xC0A4, 0xC0AC),
        *range(0xCCAB, 0xCCAF),
        *range(0xD001, 0xD006),
    )
)


class ClientHello(NamedTuple):
    """The parts of a ClientHello that hyperlite needs.

    Attributes:
        protocols: what ALPN offers (RFC 7301), best first; None: there is no ALPN.
        groups: the numbers of the curves, or other groups, for the key exchange.
        has_psk: whether a pre-shared key is offered.
    """

    protocols: tuple[str, ...] | None
    groups: tuple[int, ...]
    has_psk: bool


class _Reader:
    """Bytes that are taken from the front; IndexError if there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __bool__(self) -> bool:
        return bool(self._data)

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        taken, self._data = self._data[:size], self._data[size:]
        if len(taken) < size:
            raise IndexError("the message is cut off")
        return taken

    def number(self, size: int) -> int:
        """Return the next `size` bytes as a number."""
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> "_Reader":
        """Read a length of `size` bytes, and return so many bytes behind it."""
        return _Reader(self.take(self.number(size)))

    def numbers(self, size: int) -> list[int]:
        """Return all that is left, as numbers of `size` bytes each."""
        found = []
        while self:
            found.append(self.number(size))
        return found


def client_hello(context: ssl.SSLContext, server_hostname: str) -> ClientHello | None:
    """Return what a context would offer to a server.

    Args:
        context: it is not changed, but a debugging callback of it sees the message.
        server_hostname: as for `context.wrap_socket`.

    Returns:
        None if the context makes no ClientHello, or none that can be read.
    """
    outgoing = ssl.MemoryBIO()
    try:
        made = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_hostname)
        with contextlib.suppress(ssl.SSLWantReadError):
            made.do_handshake()
    except (OSError, ValueError):
        return None
    return parse(outgoing.read())


def parse(data: bytes) -> ClientHello | None:
    """Parse a ClientHello in TLS records; None if it is malformed, or another message."""
    try:
        return _parse(_message(data))
    except (IndexError, UnicodeDecodeError):
        return None


def _message(data: bytes) -> _Reader:
    """Return the body of a ClientHello, which may lie in several records."""
    records, message = _Reader(data), b""
    while records:
        kind = records.number(1)
        records.take(2)  # a version without meaning
        if kind != _HANDSHAKE:
            raise IndexError("this is no handshake")
        message += records.take(records.number(2))
    whole = _Reader(message)
    if whole.number(1) != _CLIENT_HELLO:
        raise IndexError("this is no ClientHello")
    return whole.vector(3)


def _parse(hello: _Reader) -> ClientHello:
    hello.take(2 + 32)  # version, random
    hello.vector(1)  # session id
    suites = hello.vector(2).numbers(2)
    hello.vector(1)  # compression
    extensions: dict[int, _Reader] = {}
    rest = hello.vector(2) if hello else hello
    while rest:
        kind = rest.number(2)
        extensions[kind] = rest.vector(2)
    return ClientHello(
        _protocols(extensions[_ALPN]) if _ALPN in extensions else None,
        tuple(extensions[_SUPPORTED_GROUPS].vector(2).numbers(2)) if _SUPPORTED_GROUPS in extensions else (),
        _PRE_SHARED_KEY in extensions or not _PSK_SUITES.isdisjoint(suites),
    )


def _protocols(extension: _Reader) -> tuple[str, ...]:
    names, found = extension.vector(2), []
    while names:
        found.append(names.take(names.number(1)).decode("ascii"))
    return tuple(found)
