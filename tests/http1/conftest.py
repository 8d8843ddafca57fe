"""A scripted HTTP/1.1 server on TLS: each connection is a function that reads and sends bytes."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite.testing.certificates import certificates

TIMEOUT = 10.0


class Wire:
    """The server's end of one connection."""

    def __init__(self, sock: ssl.SSLSocket, over: threading.Event) -> None:
        self.sock = sock
        self.over = over
        self._data = bytearray()

    def until(self, mark: bytes) -> bytes:
        """Read up to a mark, and return it with what is before it."""
        while mark not in self._data:
            self._fill()
        return self.read(self._data.index(mark) + len(mark))

    def head(self) -> bytes:
        """Read the head of a request."""
        return self.until(b"\r\n\r\n")

    def read(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self._data) < size:
            self._fill()
        found = bytes(self._data[:size])
        del self._data[:size]
        return found

    def send(self, *pieces: bytes) -> None:
        """Send each in a record of its own."""
        for piece in pieces:
            self.sock.sendall(piece)

    def drip(self, data: bytes, pause: float = 0.02) -> None:
        """Send byte by byte, slowly, until the client is gone."""
        for byte in data:
            self.sock.sendall(bytes([byte]))
            if self.over.wait(pause):
                return

    def wait(self) -> None:
        """Wait until the client is gone; what it sends meanwhile is dropped."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass

    def close(self, *, notify: bool = True) -> None:
        """Close, with close_notify or without."""
        with contextlib.suppress(OSError):
            if notify:
                self.sock.unwrap()
        self.sock.close()

    def _fill(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the client is gone")
        self._data += data


Script = Callable[[Wire], None]


class Scripted:
    """A server whose nth connection runs the nth script, the last one ever after."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self._over = threading.Event()
        self.threads: list[threading.Thread] = []
        self._context = certificates().server_context(("http/1.1",))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.errors: list[BaseException] = []
        self.connections = 0
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(sock, script), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket, script: Script) -> None:
        sock.settimeout(TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            secured = self._context.wrap_socket(sock, server_side=True)
            try:
                script(Wire(secured, self._over))
            except AssertionError as error:
                self.errors.append(error)
            finally:
                secured.close()

    def stop(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(TIMEOUT)
        for thread in self.threads:
            thread.join(TIMEOUT)
            assert not thread.is_alive()
        if self.errors:
            raise self.errors[0]


Talk = Callable[..., hyperlite.HTTP20Connection]


@pytest.fixture
def talk() -> Iterator[Talk]:
    """Start a scripted server and connect to it; the connection has it as `server`."""
    with contextlib.ExitStack() as stack:

        def start(*scripts: Script, **options: Any) -> hyperlite.HTTP20Connection:
            server = Scripted(*scripts)
            stack.callback(server.stop)
            options.setdefault("timeout", TIMEOUT)
            context = certificates().client_context()
            conn = hyperlite.HTTP20Connection("localhost", server.port, context=context, **options)
            conn.server = server
            return stack.enter_context(conn)

        yield start


def says(*pieces: bytes, notify: bool = True, close: bool = True) -> Script:
    """Answer one request with these bytes, and close or wait."""

    def script(wire: Wire) -> None:
        wire.head()
        wire.send(*pieces)
        if close:
            wire.close(notify=notify)
        else:
            wire.wait()

    return script


def response(body: bytes, *fields: bytes) -> bytes:
    """Return a whole response."""
    lines = [b"HTTP/1.1 200 OK", *fields, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
