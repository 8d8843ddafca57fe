"""Servers whose TLS context a test makes, and the first message that a client sends."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import trustme

from hyperlite.testing.server import Response, Server
from tests.peer import TIMEOUT, Task

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


class SecureServer(Server):
    """The embedded server with a TLS context of the test's; it answers every request with `hello`."""

    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        routes = {
            "/": lambda _: Response(body=b"hello"),
            "/host": lambda request: Response(body=request.authority.encode()),
        }
        super().__init__(routes, **options)
        self.tls = context


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def unknown_ca() -> trustme.CA:
    return trustme.CA(organization_name="trusted by no client")


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    return VERSIONS[request.param]


@pytest.fixture(params=["h2", "http/1.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def server_context(
    ca: trustme.CA,
    *names: str,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    protocol: str = "h2",
    **certificate: Any,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, **certificate).configure_cert(context)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols([protocol])
    return context


def client_context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


class Frozen(ssl.SSLContext):
    """A context on which nothing may be changed once `freeze()` was called."""

    frozen = False

    def freeze(self) -> "Frozen":
        self.frozen = True
        return self

    def __getattribute__(self, name: str) -> Any:
        if name.startswith(("set_", "load_", "_set_")) and self.frozen:
            raise AssertionError(f"{name}() of a caller's context was called")
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        # Up to Python 3.11 http.client's own constructor sets check_hostname to what it is.
        if self.frozen and getattr(self, name) != value:
            raise AssertionError(f"{name} of a caller's context was set")
        super().__setattr__(name, value)


def frozen_context(ca: trustme.CA) -> Frozen:
    context = Frozen(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(context)
    return context


# -- what is said first -------------------------------------------------------------------------------


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        yield listener


def hello_of(connect: Callable[[int], Any]) -> "Hello":
    """Return the ClientHello of a client that connects to a port; the connection is cut off afterwards."""
    with listening() as listener:
        connecting = Task(connect, listener.getsockname()[1])
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(TIMEOUT)
            head = _exactly(sock, 5)
            hello = Hello(head + _exactly(sock, struct.unpack_from(">H", head, 3)[0]))
        with suppress(OSError):
            connecting.result()
    return hello


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, "the client closed"
        data += piece
    return data


class Hello:
    """A ClientHello in one record, taken apart.

    Attributes:
        raw: all of it.
        version, ciphers: as they are on the wire.
        extensions: number to content.
    """

    def __init__(self, record: bytes) -> None:
        self.raw = record
        hello = record[9:]
        self.version = hello[:2]
        at = 34 + 1 + hello[34]
        size = int.from_bytes(hello[at : at + 2])
        self.ciphers = hello[at + 2 : at + 2 + size]
        at += 2 + size
        at += 1 + hello[at]
        self.extensions: dict[int, bytes] = {}
        end = at + 2 + int.from_bytes(hello[at : at + 2])
        at += 2
        while at < end:
            kind, length = struct.unpack_from(">HH", hello, at)
            self.extensions[kind] = hello[at + 4 : at + 4 + length]
            at += 4 + length

    @property
    def alpn(self) -> list[str] | None:
        if 16 not in self.extensions:
            return None
        names, protocols = self.extensions[16][2:], []
        while names:
            protocols.append(names[1 : 1 + names[0]].decode())
            names = names[1 + names[0] :]
        return protocols


# -- what answers on a socket -------------------------------------------------------------------------

Script = Callable[[socket.socket], Any]


class Listener:
    """A TCP server that plays one script for each connection, in a thread."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT)
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._tasks: list[Task] = []

    def play(self) -> Task:
        """Accept one connection; the task's result is what the script returns."""
        self._tasks.append(Task(self._accept))
        return self._tasks[-1]

    def _accept(self) -> Any:
        sock, _ = self._listener.accept()
        self._sockets.append(sock)
        sock.settimeout(TIMEOUT)
        return self._script(sock)

    def close(self) -> None:
        """End everything."""
        self._listener.close()
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # which wakes a script that reads
            sock.close()
        for task in self._tasks:
            task.join()


@pytest.fixture
def listen() -> Iterator[Callable[[Script], Listener]]:
    with ExitStack() as stack:

        def make(script: Script) -> Listener:
            listener = Listener(script)
            stack.callback(listener.close)
            return listener

        yield make


@pytest.fixture
def keep() -> Iterator[Callable[..., Any]]:
    """Return what it is given, and close it at the end."""
    with ExitStack() as stack:

        def keep(sock: Any) -> Any:
            stack.callback(sock.close)
            return sock

        yield keep


@pytest.fixture(scope="session")
def client(ca: trustme.CA) -> Callable[[], ssl.SSLContext]:
    def make() -> ssl.SSLContext:
        context = ssl.create_default_context()
        ca.configure_trust(context)
        return context

    return make


def localhost_context(ca: trustme.CA, alpn: tuple[str, ...] = (), **certificate: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.setdefault("key_type", trustme.KeyType.ECDSA)
    ca.issue_cert("localhost", **certificate).configure_cert(context)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def tls(context: ssl.SSLContext, then: Script = lambda sock: sock.recv(1)) -> Script:
    """Return a script that shakes hands first."""

    def script(sock: socket.socket) -> Any:
        with context.wrap_socket(sock, server_side=True) as wrapped:
            return then(wrapped)

    return script


def until_eof(sock: socket.socket) -> bytes:
    """Read to the end: the client has closed when this returns."""
    received = b""
    while data := sock.recv(65536):
        received += data
    return received
