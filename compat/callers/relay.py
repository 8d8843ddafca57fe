"""A relay for TCP: a CONNECT proxy, or the way to one target, that can be cut."""

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Any, Self


class Relay(socketserver.ThreadingTCPServer):
    """A relay that runs in threads of its own until the end of a `with`.

    Args:
        target: the port of 127.0.0.1 that every new connection leads to; None: a CONNECT request tells.

    Attributes:
        port: the port to connect to.
        requests: the first line of each CONNECT request.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: int | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.port: int = self.server_address[1]
        self.requests: list[str] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.cut()
        self._thread.join()
        self.server_close()

    def __enter__(self) -> Self:
        return self

    def cut(self) -> None:
        """Break off every connection."""
        with self._lock:
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def join_up(self, client: socket.socket, target: socket.socket) -> None:
        """Relay both ways until both have ended."""
        with self._lock:
            self._open |= {client, target}
        try:
            back = threading.Thread(target=_pump, args=(target, client), daemon=True)
            back.start()
            _pump(client, target)
            back.join()
        finally:
            with self._lock:
                self._open -= {client, target}


class _Handler(socketserver.StreamRequestHandler):
    """One connection to the relay."""

    server: Any

    def handle(self) -> None:
        port = self.server.target or self._connect_request()
        with socket.create_connection(("127.0.0.1", port)) as target:
            self.server.join_up(self.connection, target)

    def _connect_request(self) -> int:
        """Take a CONNECT request, say yes and return the port that it names."""
        line = self.rfile.readline().decode("ascii")
        self.server.requests.append(line.rstrip())
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return int(line.split()[1].rpartition(":")[2])


def _pump(source: socket.socket, drain: socket.socket) -> None:
    """Pass on what comes until the end, and then the end."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            drain.sendall(data)
    with suppress(OSError):
        drain.shutdown(socket.SHUT_WR)
