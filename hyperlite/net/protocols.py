"""Which protocols are spoken with an origin: what the caller allows, and what the server requires.

Rule: a request that only HTTP/1.1 can carry goes over a new connection, on which ALPN offers `http/1.1` and
nothing else.  There are two kinds: requests that the server refuses with HTTP_1_1_REQUIRED (RFC 9113 section
7), and requests that ask for another protocol by `Upgrade` (RFC 9110 section 7.8).
"""

import os
import ssl
import time
from collections.abc import Sequence

from ..errors import NotHTTP2

H2 = "h2"
HTTP11 = "http/1.1"
BOTH = (H2, HTTP11)

# The variable that names the protocols of TLS connections for which the program names none.
VARIABLE = "HYPERLITE_PROTOCOLS"
# Seconds to remember that an origin has no HTTP/2, or requires HTTP/1.1: enough for a crawl.
REMEMBERED = 300.0


def checked_protocols(protocols: Sequence[str] | None) -> tuple[str, ...] | None:
    """Check a caller's `protocols` and return them, HTTP/2 first; None for None, the default.

    Raises:
        ValueError: it is no tuple or list of "h2", "http/1.1" or both.
    """
    if protocols is None:
        return None
    if not isinstance(protocols, tuple | list):
        raise ValueError(f'protocols is a tuple such as ("h2", "http/1.1"), not {protocols!r}')
    return _checked(protocols, f"protocols={protocols!r}")


def _checked(names: Sequence[str], given: str) -> tuple[str, ...]:
    for name in names:
        if name not in BOTH:
            raise ValueError(f'{given}: {name!r} is not among the protocols, which are "h2" and "http/1.1"')
    if not names or len(set(names)) < len(names):
        complaint = "a protocol comes twice" if names else "no protocol is left"
        raise ValueError(f'{given}: {complaint}; it names "h2", "http/1.1" or both')
    return tuple(name for name in BOTH if name in names)


def environment() -> tuple[str, ...] | None:
    """Return the protocols in the variable HYPERLITE_PROTOCOLS; None if it is empty or not set.

    It holds "h2", "http/1.1", or both with a comma between them.

    Raises:
        ValueError: the variable has another value.
    """
    text = os.environ.get(VARIABLE, "")
    if not text.strip():
        return None
    return _checked([name.strip() for name in text.split(",")], f"{VARIABLE}={text!r}")


class Protocols:
    """The protocols that a connection object, or the connections to one origin, may speak.

    Args:
        allowed: by the caller, of `checked_protocols()`; None: both, or those in the environment.
        secure: TLS is used. Without TLS the environment is ignored: only the program knows its server.

    Attributes:
        allowed: by the caller.
        secure: TLS is used.

    Raises:
        ValueError: the environment has no such protocols.
    """

    __slots__ = ("_http1_until", "_spoken", "_spoken_until", "allowed", "secure")

    def __init__(self, allowed: tuple[str, ...] | None, *, secure: bool) -> None:
        if allowed is None and secure:
            allowed = environment()
        self.allowed: tuple[str, ...] = allowed or BOTH
        self.secure: bool = secure
        self._http1_until = 0.0
        self._spoken: str | None = None  # on the latest connection
        self._spoken_until = 0.0

    @property
    def http1_alone(self) -> bool:
        """Whether a new connection is to be HTTP/1.1 in any case."""
        return H2 not in self.allowed or (self._http1_until > 0 and time.monotonic() < self._http1_until)

    def require_http1(self) -> bool:
        """Remember for REMEMBERED seconds that the server requires HTTP/1.1; false if that is excluded."""
        if HTTP11 not in self.allowed:
            return False
        self._http1_until = time.monotonic() + REMEMBERED
        return True

    @property
    def spoken(self) -> str | None:
        """The protocol that the server speaks ("h2", "http/1.1"); None: unknown, or forgotten."""
        if self.http1_alone:
            return HTTP11
        return None if self._spoken == HTTP11 and time.monotonic() >= self._spoken_until else self._spoken

    def note(self, protocol: str) -> None:
        """Set the protocol of a new connection; HTTP/1.1 is remembered for REMEMBERED seconds."""
        self._spoken, self._spoken_until = protocol, time.monotonic() + REMEMBERED

    def insist_on_http1(self) -> tuple[str, ...]:
        """Return what a connection may speak for a request that asks for another protocol: HTTP/1.1.

        Raises:
            ValueError: the caller excludes that.
        """
        if HTTP11 not in self.allowed:
            raise ValueError("Upgrade is for HTTP/1.1, which the choice of protocols excludes")
        return (HTTP11,)

    def offer(self) -> tuple[str, ...]:
        """Return what a new connection may speak, best first."""
        return (HTTP11,) if self.http1_alone else self.allowed


# -- ALPN -----------------------------------------------------------------------------------------


def narrowed(own: Sequence[str] | None, alpn: Sequence[str]) -> tuple[str, ...]:
    """Return what ALPN offers.

    Args:
        own: the ALPN that the caller has set on the TLS context, or None: it is respected.
        alpn: the protocols that may be spoken; if there is only one, the other is left out.
    """
    if own and H2 in alpn and HTTP11 in alpn:
        return tuple(own)
    if own and HTTP11 in alpn:
        return tuple(name for name in own if name != H2) or tuple(alpn)
    return tuple(alpn)


def check_choice(protocol: str | None, alpn: Sequence[str], peer: str) -> None:
    """Refuse a protocol that is not in `alpn`.

    Args:
        protocol: the server's choice; None: it chose none, which means HTTP/1.1.
        alpn: what may be spoken.
        peer: the server, for the error.

    Raises:
        NotHTTP2: only HTTP/2 may be spoken. ConnectionError: HTTP/2 may not be spoken.
    """
    if protocol == H2 and H2 not in alpn:
        raise ConnectionError(
            f"{peer} chose HTTP/2, which may not be spoken here: the TLS context, which makes its sockets "
            "itself, offers it"
        )
    if protocol != H2 and HTTP11 not in alpn:
        raise not_http2(peer)


def not_http2(peer: str) -> NotHTTP2:
    """Return the error for a server that does not choose HTTP/2, if only that may be spoken."""
    return NotHTTP2(f"{peer} did not choose HTTP/2, and the choice of protocols allows nothing else")


def is_refused(error: BaseException, alpn: Sequence[str]) -> bool:
    """Tell whether a handshake has failed because only HTTP/2 was offered and the server has none."""
    # Not every release of Python has a `reason` for it.
    refused = (
        isinstance(error, ssl.SSLError) and "no application protocol" in str(error).replace("_", " ").lower()
    )
    return refused and HTTP11 not in alpn
