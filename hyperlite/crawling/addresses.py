"""Nothing leads inside: neither a link nor a redirect leads from a public address to a private one.

The addresses of a name are looked at when they are connected to, each time, so a name that changes its
addresses is of no use.  See docs/howto/crawling.md for what may lead where.
"""

import enum
import errno
import ipaddress
import socket
import threading
from collections import OrderedDict

from ..net.resolving import Resolver

# Hosts that are known; more of them are not asked at a time.
MAX_HOSTS = 50_000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(enum.IntEnum):
    """How far inside an address is; what is public leads to no address that is further inside."""

    PUBLIC = 0
    PRIVATE = 1
    """Of a network that is not the Internet; or no address of a host, as those for multicast."""
    HERE = 2
    """This machine, and its link: loopback, link-local."""


# IANA's registries of special-purpose addresses (RFC 6890), for IPv4 and IPv6: what is not global.
# The ipaddress module has them too, but not the same in each Python.
_PRIVATE_4 = [
    "10.0.0.0/8",  # RFC 1918
    "100.64.0.0/10",  # shared by customers of a carrier (RFC 6598)
    "172.16.0.0/12",
    "192.0.0.0/24",  # protocol assignments (RFC 6890)
    "192.0.2.0/24",  # documentation (RFC 5737)
    "192.88.99.0/24",  # relays of 6to4, which are given up (RFC 7526)
    "192.168.0.0/16",
    "198.18.0.0/15",  # benchmarks (RFC 2544)
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and the limited broadcast
]
_HERE_4 = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16"]
# All but 2000::/3, the global unicast addresses, is private, and so are these.
_GLOBAL_6 = "2000::/3"
_PRIVATE_6 = [
    "2001::/23",  # protocol assignments, Teredo and ORCHID among them (RFC 2928)
    "2001:db8::/32",  # documentation
    "3fff::/20",  # documentation (RFC 9637)
]
_HERE_6 = ["::/127", "fe80::/10"]
# IPv6 addresses with an IPv4 address in them, to which the packets go; the bits behind that; the least reach.
_EMBEDDING = [
    ("::ffff:0:0/96", 0, Reach.PUBLIC),  # IPv4-mapped (RFC 4291)
    ("::ffff:0:0:0/96", 0, Reach.PUBLIC),  # IPv4-translated (RFC 2765)
    ("64:ff9b::/96", 0, Reach.PUBLIC),  # NAT64 (RFC 6052)
    ("2002::/16", 80, Reach.PRIVATE),  # 6to4 (RFC 3056), which is given up
]


def _networks(texts: list[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text) for text in texts]


_here = _networks(_HERE_4 + _HERE_6)
_private = _networks(_PRIVATE_4 + _PRIVATE_6)
_global_6 = ipaddress.IPv6Network(_GLOBAL_6)
_embedding = [(ipaddress.IPv6Network(text), bits, least) for text, bits, least in _EMBEDDING]


def reach_of(address: str) -> Reach:
    """Return how far inside an address is.

    Args:
        address: IPv4 or IPv6, with or without a zone.

    Raises:
        ValueError: it is no address.
    """
    return _reach(ipaddress.ip_address(address.partition("%")[0]))


def _reach(address: Address) -> Reach:
    if isinstance(address, ipaddress.IPv6Address):
        for network, bits, least in _embedding:
            if address in network:
                return max(least, _reach(ipaddress.IPv4Address((int(address) >> bits) & 0xFFFFFFFF)))
    if any(address in network for network in _here):
        return Reach.HERE
    if any(address in network for network in _private):
        return Reach.PRIVATE
    return Reach.PUBLIC if address.version == 4 or address in _global_6 else Reach.PRIVATE


def by_system(host: str, port: int) -> list[str]:
    """Return the addresses that the system knows of a host; a `Resolver`."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)]


class Guard:
    """A pool's resolver that lets no request further inside than it may go.

    ::

        permit(host, reach) ──> the pool connects: it asks for the addresses ──> reach_of(host)

    A host stays where it was first found to be: a name that was public and is private now, or the other way
    round, is refused.  Of the hosts that were asked last, `MAX_HOSTS` are known.

    Args:
        resolver: knows the addresses; None: the system does.
    """

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver
        self._lock = threading.Lock()
        # -- guarded by _lock --
        self._permitted: OrderedDict[str, Reach] = OrderedDict()
        self._found: dict[str, Reach] = {}

    def permit(self, host: str, reach: Reach) -> None:
        """Say how far inside the next connections to a host may go; without it: nowhere."""
        with self._lock:
            self._permitted[host] = reach
            self._permitted.move_to_end(host)
            if len(self._permitted) > MAX_HOSTS:
                self._found.pop(self._permitted.popitem(last=False)[0], None)

    def reach(self, host: str) -> Reach | None:
        """Return how far inside a host is; None: that is not known, as nothing was connected to it yet."""
        with self._lock:
            return self._found.get(host)

    def __call__(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host; of those that are public and others, the public ones.

        Raises:
            PermissionError: they are further inside than the host may be. OSError: as the resolver.
        """
        found = None if self._resolver is None else self._resolver(host, port)
        addresses = by_system(host, port) if found is None else list(found)
        if not addresses:
            return addresses
        reaches = [reach_of(address) for address in addresses]
        least, most = min(reaches), max(reaches)
        with self._lock:
            permitted = self._permitted.setdefault(host, Reach.PUBLIC)
            before = self._found.setdefault(host, most if most > permitted else least)
        shown = addresses[reaches.index(most)]
        if most > permitted:
            raise leads_inside(host, f"its address {shown} is inside")
        if least != before:
            raise leads_inside(
                host, f"it has changed from {_word(before)} addresses to {_word(least)} ones, {shown}"
            )
        return [address for address, reach in zip(addresses, reaches, strict=True) if reach == least]


def leads_inside(host: str, reason: str) -> PermissionError:
    """Return the error of a URL that leads inside."""
    return PermissionError(
        errno.EACCES, f"no link and no redirect leads to {host}: {reason} (allow_private=True?)"
    )


def _word(reach: Reach) -> str:
    return "public" if reach is Reach.PUBLIC else "private"
