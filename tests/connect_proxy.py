"""A small forward proxy for tests: CONNECT, and http:// targets in absolute form."""

import contextlib
import socket
import time
from collections.abc import Callable

from tests.listener import Listener, relay

GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def grant(sock: socket.socket) -> bool:
    """Answer CONNECT as proxies do."""
    sock.sendall(GRANTED)
    return True


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Answer CONNECT with these bytes, and close."""
    return lambda sock: sock.sendall(answer)


def drip(sock: socket.socket, head: bytes = b"HTTP/1.1 200 OK\r\nX-Slow: ") -> bool:
    """Answer CONNECT a byte at a time, for longer than any test waits; the tunnel works then."""
    sock.sendall(head)
    for _ in range(80):
        sock.sendall(b"x")
        time.sleep(0.025)  # this is the behaviour under test
    sock.sendall(b"\r\n\r\n")
    return True


class Proxy(Listener):
    """Listens on a free port until its end; `seen` has the first line and the headers of each request."""

    def __init__(
        self, *, refuse: bytes | None = None, answer: Callable[[socket.socket], bool | None] = grant
    ) -> None:
        """Begin to listen.

        Args:
            refuse: what to answer to every request, such as b"407 Proxy Authentication Required".
            answer: answers CONNECT, when the far end is connected; false: the connection is closed then.
        """
        self._answer = answer
        self.seen: list[list[str]] = []
        self._refuse = refuse
        super().__init__()

    def url(self, credentials: str = "") -> str:
        """Return what to give as a proxy's URL."""
        return f"http://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}"

    def serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = sock.recv(1)
                if not byte:
                    return
                head += byte
            lines = head.decode("latin-1").split("\r\n")[:-2]
            self.seen.append(lines)
            method, target, _ = lines[0].split(" ")
            if self._refuse:
                sock.sendall(b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % self._refuse)
                return
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                first = b""
            else:
                netloc, _, path = target.removeprefix("http://").partition("/")
                host, _, port = netloc.partition(":")
                first = f"{method} /{path} HTTP/1.1\r\n".encode() + head.partition(b"\r\n")[2]
            with socket.create_connection((host.strip("[]"), int(port or 80))) as far:
                self.opened.append(far)
                far.sendall(first)
                if first or self._answer(sock):
                    relay(sock, far)
