"""SOCKS proxies, which connect any protocol (SOCKS 4 and 4a; SOCKS 5: RFC 1928, RFC 1929).

One deadline holds for connecting to the proxy and for all that it answers, however slowly its bytes drip.
Texts are checked before they are sent: SOCKS 4 ends a text with NUL, SOCKS 5 gives its length in one byte.
"""

import errno
import functools
import ipaddress
import socket
from collections.abc import Callable
from typing import NoReturn, TypeVar

from ..messages.fields import host_bytes
from .happy_eyeballs import create_connection
from .proxy import Proxy
from .resolving import Address, Resolver, check_host, given_by
from .sockets import in_time
from .timeouts import deadline_after

T = TypeVar("T")

_LONGEST = 255  # bytes of a name, a password, a host
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4  # RFC 1928 section 5
_NO_AUTHENTICATION, _PASSWORD, _NONE_ACCEPTABLE = 0, 2, 255  # RFC 1928 section 3
_GRANTED_4 = 90

_REFUSALS_5 = {  # RFC 1928 section 6
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}
_REFUSALS_4 = {91: "rejected or failed", 92: "no identd on this machine", 93: "identd knows another user"}


def through(proxy: Proxy, resolver: Resolver | None = None) -> Callable[..., socket.socket]:
    """Return a function that connects as `create_connection` does, but through a SOCKS proxy.

    Args:
        proxy: the proxy.
        resolver: says which addresses the far host has, or refuses it; where the proxy looks names up, it can
            only refuse.  None: the system knows them.

    It raises OSError if the proxy refuses or its answer is invalid, TimeoutError if the time is over, and
    ValueError, before anything is sent, if a name or a password is too long or contains a NUL.
    """
    ask = _ask_5 if proxy.scheme.startswith("socks5") else _ask_4

    def create(
        address: tuple[str, int],
        timeout: float | None = None,
        source_address: tuple[str, int] | None = None,
    ) -> socket.socket:
        deadline = deadline_after(timeout)
        far = _Far(*address, is_resolved=proxy.scheme in {"socks4", "socks5"}, resolver=resolver)
        talk = ask(proxy, far)
        sock = create_connection((proxy.host, proxy.port), timeout, source_address)
        try:
            sock.settimeout(0)
            talk(_Conversation(sock, proxy, deadline))
            sock.settimeout(timeout)
        except BaseException:
            sock.close()
            raise
        return sock

    return create


class _Far:
    """The host that the proxy is to connect to.

    Args:
        host, port: as the caller has them.
        is_resolved: names are looked up here, and not by the proxy.
        resolver: see `through()`.

    Raises:
        As `addresses_of()`: the resolver refuses the host.
    """

    def __init__(self, host: str, port: int, *, is_resolved: bool, resolver: Resolver | None) -> None:
        self.host, self.port, self.is_resolved = host, port, is_resolved
        self._given: list[Address] | None = None
        if resolver is not None and is_resolved:
            self._given = given_by(resolver, host, port)
        elif resolver is not None:
            check_host(resolver, host, port)

    def address(self, family: socket.AddressFamily) -> bytes | None:
        """Return the address as bytes; the first of the family if names are looked up here; None for a name.

        Raises:
            OSError: the name has none.
        """
        if self._given is not None:
            found = [one for one in self._given if family in (one[0], socket.AF_UNSPEC)]
            if not found:
                which = " that SOCKS 4 can name" if self._given else ""
                raise OSError(f"{self.host}:{self.port} has no address{which}")
            return _packed(found)
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).packed
        except ValueError:
            if not self.is_resolved:
                return None
        return _packed(socket.getaddrinfo(self.host, self.port, family, socket.SOCK_STREAM))

    @property
    def name(self) -> bytes:
        """The host as text."""
        return _limited("host", host_bytes(self.host))

    @property
    def port_bytes(self) -> bytes:
        """The port in network order."""
        return self.port.to_bytes(2, "big")


def _packed(found: list[Address]) -> bytes:
    return ipaddress.ip_address(str(found[0][4][0]).partition("%")[0]).packed


class _Conversation:
    """A socket on which one side asks and the other answers, within one deadline."""

    def __init__(self, sock: socket.socket, proxy: Proxy, deadline: float | None) -> None:
        self._sock = sock
        self._proxy = f"{proxy.host}:{proxy.port}"
        self._deadline = deadline

    def ask(self, question: bytes, size: int) -> bytes:
        """Send a question, and return the first `size` bytes of the answer."""
        view = memoryview(question)
        while view:
            view = view[self._in_time(functools.partial(self._sock.send, view), writes=True) :]
        return self.receive(size)

    def receive(self, size: int) -> bytes:
        """Return so many bytes, and read none behind them: those come from the far end."""
        data = b""
        while len(data) < size:
            piece = self._in_time(functools.partial(self._sock.recv, size - len(data)), writes=False)
            if not piece:
                self.fail("closed the connection")
            data += piece
        return data

    def fail(self, reason: str) -> NoReturn:
        """Raise the error that says what the proxy has done."""
        raise OSError(f"the SOCKS proxy {self._proxy} {reason}")

    def _in_time(self, call: Callable[[], T], *, writes: bool) -> T:
        return in_time(self._sock, call, writes=writes, deadline=self._deadline, late=self._late)

    def _late(self) -> TimeoutError:
        return TimeoutError(errno.ETIMEDOUT, f"the SOCKS proxy {self._proxy} did not answer in time")


def _ask_5(proxy: Proxy, far: _Far) -> Callable[[_Conversation], None]:
    name, _, password = (proxy.user or b"").partition(b":")
    methods = bytes([_NO_AUTHENTICATION, _PASSWORD] if name else [_NO_AUTHENTICATION])
    login = b"\1" + _counted("user name", name) + _counted("password", password)

    def request() -> bytes:
        address = far.address(socket.AF_UNSPEC)
        if address is None:
            target = bytes([_NAME]) + _counted("host", far.name)
        else:
            target = bytes([_IPV4 if len(address) == 4 else _IPV6]) + address
        return bytes([5, _CONNECT, 0]) + target + far.port_bytes

    if not far.is_resolved:
        request()  # an invalid question is an error before the proxy is connected to

    def talk(conversation: _Conversation) -> None:
        version, method = conversation.ask(bytes([5, len(methods)]) + methods, 2)
        if version != 5:
            conversation.fail("does not speak SOCKS 5")
        if method == _NONE_ACCEPTABLE or method not in methods:
            conversation.fail("requires another authentication method than those offered")
        if method == _PASSWORD and conversation.ask(login, 2)[1]:
            conversation.fail("refused the user name and the password")
        version, refusal, _, kind = conversation.ask(request(), 4)
        if version != 5 or refusal:
            conversation.fail(f"refused: {refusal:#04x}, {_REFUSALS_5.get(refusal, 'unknown')}")
        if kind == _NAME:
            conversation.receive(conversation.receive(1)[0] + 2)
        elif kind in (_IPV4, _IPV6):
            conversation.receive((4 if kind == _IPV4 else 16) + 2)
        else:
            conversation.fail(f"answered with an address of kind {kind}")

    return talk


def _ask_4(proxy: Proxy, far: _Far) -> Callable[[_Conversation], None]:
    name = _limited("user name", (proxy.user or b"").partition(b":")[0])
    address, host = far.address(socket.AF_INET), b""
    if address is None:
        address, host = b"\0\0\0\1", far.name + b"\0"  # SOCKS 4a: an invalid address, followed by a name
    elif len(address) != 4:
        raise OSError(errno.EAFNOSUPPORT, f"SOCKS 4 has no IPv6 addresses: {far.host}")
    request = bytes([4, _CONNECT]) + far.port_bytes + address + name + b"\0" + host

    def talk(conversation: _Conversation) -> None:
        version, answer = conversation.ask(request, 8)[:2]
        if version or answer != _GRANTED_4:
            conversation.fail(f"refused: {answer}, {_REFUSALS_4.get(answer, 'unknown')}")

    return talk


def _limited(what: str, text: bytes) -> bytes:
    if len(text) > _LONGEST or b"\0" in text:
        raise ValueError(f"a {what} for a SOCKS proxy has up to {_LONGEST} bytes, none of which is NUL")
    return text


def _counted(what: str, text: bytes) -> bytes:
    return bytes([len(_limited(what, text))]) + text
