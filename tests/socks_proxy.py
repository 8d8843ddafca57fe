"""A SOCKS proxy for tests, of either version; what it answers, and how slowly, a test may decide."""

import contextlib
import socket
import time
from collections.abc import Callable

from tests.listener import Listener, relay

Send = Callable[[socket.socket, bytes], None]


def send(sock: socket.socket, data: bytes) -> None:
    """Send an answer at once."""
    sock.sendall(data)


def drip(sock: socket.socket, data: bytes) -> None:
    """Send an answer a byte at a time, each well within a timeout, together long beyond it."""
    for at in range(len(data)):
        time.sleep(0.15)  # this is the behaviour under test
        sock.sendall(data[at : at + 1])


class SocksProxy(Listener):
    """Listens on a free port until its end, and connects to 127.0.0.1 whatever the host.

    Attributes:
        seen: what clients sent, piece by piece: the methods, name and password, the request.

    Args:
        users: name and password; without them, the proxy asks for none.
        refusal: the code of the answer.
        bound: the address in the answer, for SOCKS 5, its kind before it.
        send: sends an answer.
    """

    def __init__(
        self,
        *,
        users: tuple[bytes, bytes] | None = None,
        refusal: int = 0,
        bound: bytes = b"\1" + bytes(4),
        send: Send = send,
    ) -> None:
        self.seen: list[bytes] = []
        self._users, self._refusal, self._bound, self._send = users, refusal, bound, send
        super().__init__()

    def url(self, scheme: str, credentials: str = "") -> str:
        """Return what to give as a proxy's URL."""
        return f"{scheme}://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}"

    def serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), sock:
            version, count = self._take(sock, 2)
            port = self._serve_4(sock, count) if version == 4 else self._serve_5(sock, count)
            if port:
                with socket.create_connection(("127.0.0.1", port)) as far:
                    self.opened.append(far)
                    relay(sock, far)

    def _serve_4(self, sock: socket.socket, command: int) -> int:
        head = self._take(sock, 6)
        texts = [self._text(sock)]
        if head[2:5] == bytes(3):
            texts.append(self._text(sock))
        self.seen.append(bytes([4, command]) + head + b"".join(text + b"\0" for text in texts))
        self._send(sock, bytes([0, self._refusal or 90]) + bytes(6))
        return 0 if self._refusal else int.from_bytes(head[:2], "big")

    def _serve_5(self, sock: socket.socket, count: int) -> int:
        methods = self._take(sock, count)
        self.seen.append(methods)
        wanted = 2 if self._users else 0
        self._send(sock, bytes([5, wanted if wanted in methods else 255]))
        if self._users:
            if wanted not in methods:
                return 0
            name = self._take(sock, self._take(sock, 2)[1])
            password = self._take(sock, self._take(sock, 1)[0])
            self.seen.append(name + b":" + password)
            self._send(sock, bytes([1, (name, password) != self._users]))
        head = self._take(sock, 4)
        length = {1: b"\4", 4: b"\x10"}.get(head[3]) or self._take(sock, 1)
        rest = self._take(sock, length[0] + 2)
        self.seen.append(head[3:] + (length if head[3] == 3 else b"") + rest)
        self._send(sock, bytes([5, self._refusal, 0]) + self._bound + bytes(2))
        return 0 if self._refusal else int.from_bytes(rest[-2:], "big")

    def _take(self, sock: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = sock.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _text(self, sock: socket.socket) -> bytes:
        text = b""
        while not text.endswith(b"\0"):
            text += self._take(sock, 1)
        return text[:-1]
