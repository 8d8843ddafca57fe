"""A TCP proxy that cuts, resets, freezes or drips connections, at a byte that a seed chooses."""

import contextlib
import random
import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

# Bytes of one direction after which a fault begins: in the TLS handshake, in the heads, or in the bodies.
FAULTS = ("cut", "reset", "freeze", "drip")
MOMENTS = (0, 1, 300, 1_000, 2_000, 3_000, 5_000, 10_000, 30_000, 100_000)
# Seconds between two bytes of a connection that drips, and how many bytes drip before it is whole again.
DRIP, DRIPPED = 0.01, 50
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, for no time


@dataclass
class Fault:
    """What happens to one connection.

    Attributes:
        kind: "none", "cut" (both ends see the end of the stream), "reset", "freeze" (nothing is forwarded any
            more, and nothing is closed) or "drip".
        to_server: in which direction the bytes are counted.
        after: how many bytes of it pass before.
    """

    kind: str
    to_server: bool
    after: int


def deal(dice: random.Random) -> Iterator[Fault]:
    """Yield the fault of each connection: the first eight have one, each kind twice; then half have."""
    deck = [*FAULTS, *FAULTS]
    while True:
        dice.shuffle(deck)
        for kind in deck:
            yield Fault(kind, dice.random() < 0.5, dice.choice(MOMENTS) + dice.randrange(100))
        deck = [*FAULTS, *("none" for _ in FAULTS)]


class FaultProxy:
    """Forwards connections from a free port of 127.0.0.1 to `upstream`, each with a fault of its own.

    Attributes:
        port: where it listens.
        upstream: the port that new connections are forwarded to; it may change.
        faults: the faults of the connections so far that have begun, by kind.
    """

    def __init__(self, upstream: int, seed: str) -> None:
        self.upstream = upstream
        self.faults: list[str] = []
        self._dealt = deal(random.Random(seed))
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._lock:
            for sock in [self._listener, *self._open]:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                sock = self._listener.accept()[0]
                thread = threading.Thread(target=self._serve, args=[sock, next(self._dealt)], daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket, fault: Fault) -> None:
        with (
            sock,
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.upstream)) as far,
        ):
            with self._lock:
                self._open |= {sock, far}
            try:
                self._relay(sock, far, fault)
            finally:
                with self._lock:
                    self._open -= {sock, far}

    def _relay(self, near: socket.socket, far: socket.socket, fault: Fault) -> None:
        """Forward in both directions until one of them ends, or until the fault has ended it."""
        left = fault.after
        with selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while not self._over.is_set():
                for key, _ in selector.select(1):
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    data = source.recv(65536)
                    if not data:
                        return
                    counted = fault.kind != "none" and (source is near) == fault.to_server
                    if counted and len(data) > left:
                        key.data.sendall(data[:left])
                        self.faults.append(fault.kind)
                        self._strike(near, far, fault.kind, key.data, data[left:])
                        if fault.kind != "drip":
                            return
                        fault.kind = "none"
                        continue
                    left -= len(data) if counted else 0
                    key.data.sendall(data)

    def _strike(
        self, near: socket.socket, far: socket.socket, kind: str, to: socket.socket, data: bytes
    ) -> None:
        if kind == "reset":
            for sock in (near, far):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        elif kind == "freeze":
            self._freeze(near)
        elif kind == "drip":
            for byte in data[:DRIPPED]:
                to.sendall(bytes([byte]))
                self._over.wait(DRIP)
            to.sendall(data[DRIPPED:])

    def _freeze(self, near: socket.socket) -> None:
        """Forward nothing any more, until the client lets go of the connection."""
        near.settimeout(0.5)
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                if not near.recv(65536):
                    return
