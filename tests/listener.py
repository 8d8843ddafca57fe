"""What the proxies of the tests have in common: they listen, and they hand bytes on."""

import contextlib
import selectors
import socket
import threading
from typing import Self


class Listener:
    """Listens on a free port until its end, and serves each connection in a thread of its own.

    Attributes:
        port: where it listens.
        opened: the sockets that its end closes: those accepted, and those a subclass adds.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.opened: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def serve(self, sock: socket.socket) -> None:
        """Serve one connection."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        sockets = [self._listener, *self.opened]
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in sockets:
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock = self._listener.accept()[0]
                self.opened.append(sock)
                self._threads.append(threading.Thread(target=self.serve, args=[sock], daemon=True))
                self._threads[-1].start()


def relay(one: socket.socket, other: socket.socket) -> None:
    """Hand on what comes on either, until one of them ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65536)
                if not data:
                    return
                key.data.sendall(data)
