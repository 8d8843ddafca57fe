"""A TCP proxy that meddles with the first connection at one moment, which is told by what has passed.

What passes is taken apart into units: TLS records, frames of HTTP/2, or lines of HTTP/1.1 (those of bodies
that have lines, too).  A moment is a place in a unit of one direction: before its first byte, behind it, or
before its last byte.  So the same moment means the same in each run, however long a signature is.
"""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple, Self

KINDS = ("cut", "reset", "half-close", "freeze", "drip")
PLACES = ("before", "first byte", "last byte missing")
# Seconds between two bytes that drip, and how many do.
DRIP, DRIPPED = 0.002, 40
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, for no time
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Returns the length of the unit with which some bytes begin; 0 if that is not known yet.
Measure = Callable[[bytes], int]


def tls_record(data: bytes) -> int:
    """Measure a record."""
    return 5 + int.from_bytes(data[3:5], "big") if len(data) >= 5 else 0


def http2_frame(data: bytes) -> int:
    """Measure a frame, or the preface."""
    if data[:3] == _PREFACE[:3]:
        return len(_PREFACE)
    return 9 + int.from_bytes(data[:3], "big") if len(data) >= 9 else 0


def http1_line(data: bytes) -> int:
    """Measure a line."""
    return data.find(b"\n") + 1


class Moment(NamedTuple):
    """When, and what happens.

    Attributes:
        kind: "cut" (both ends see the end), "reset", "half-close" (the receiver sees the end, and can still
            send), "freeze" (nothing is forwarded any more) or "drip" (a byte at a time for a while).
        to_server: in which direction the units are counted.
        unit: which one, from 0.
        place: in it; see `PLACES`.
    """

    kind: str
    to_server: bool
    unit: int
    place: str

    @property
    def silent(self) -> bool:
        """Whether the client may hear nothing more, not even the end."""
        return self.kind == "freeze" or (self.kind == "half-close" and self.to_server)

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.kind} {'>' if self.to_server else '<'}{self.unit} {self.place}"


class _Direction:
    """What has passed in one direction."""

    def __init__(self, measure: Measure, moment: Moment | None) -> None:
        self._measure = measure
        self._moment = moment
        self._begun = b""  # the unit under way
        self.units = 0

    def until_moment(self, data: bytes) -> int | None:
        """Take bytes that are to pass; return how many do before the moment, None if it is not among them."""
        before = len(self._begun)
        self._begun += data
        passed = 0  # of _begun
        while True:
            length = self._measure(self._begun[passed:])
            at = self._place(len(self._begun) - passed, length)
            if at is not None and self.units == (self._moment.unit if self._moment else -1):
                return max(0, passed + at - before)
            if not length or len(self._begun) - passed < length:
                break
            passed += length
            self.units += 1
        self._begun = self._begun[passed:]
        return None

    def _place(self, there: int, length: int) -> int | None:
        """Return where in a unit the moment is; None if as much has not come."""
        if self._moment is None:
            return None
        if self._moment.place == "before":
            return 0 if there else None
        if self._moment.place == "first byte":
            return 1 if there > 1 else None
        return length - 1 if length > 2 and there >= length else None


class MomentProxy:
    """Forwards connections to a server; the first one meets a fault at a moment.

    Args:
        upstream: the server's port.
        measure: takes apart what passes.
        moment: of the fault; None: there is none.

    Attributes:
        port: where it listens.
        struck: the moment has come.
        units: how many units have passed on the first connection, to the server and from it.
    """

    def __init__(self, upstream: int, measure: Measure, moment: Moment | None) -> None:
        self._upstream = upstream
        self._moment = moment
        self.struck = threading.Event()
        self._ways = {
            to_server: _Direction(measure, moment if moment and moment.to_server == to_server else None)
            for to_server in (True, False)
        }
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def units(self) -> tuple[int, int]:
        """How many units have passed, to the server and from it."""
        return self._ways[True].units, self._ways[False].units

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for sock in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for sock in [self._listener, *self._open]:
            sock.close()

    def _accept(self) -> None:
        first = True
        while not self._over.is_set():
            try:
                near = self._listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                return
            self._open += [near, far]
            thread = threading.Thread(target=self._relay, args=[near, far, first], daemon=True)
            self._threads.append(thread)
            thread.start()
            first = False

    def _relay(self, near: socket.socket, far: socket.socket, first: bool) -> None:
        """Forward until one side ends, or the fault has ended it."""
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while not self._over.is_set() and selector.get_map():
                for key, _ in selector.select(0.2):
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    data = source.recv(65536)
                    if not data:
                        return
                    at = self._ways[source is near].until_moment(data) if first else None
                    if at is None:
                        key.data.sendall(data)
                        continue
                    key.data.sendall(data[:at])
                    self.struck.set()
                    if self._strike(near, far, key.data, data[at:]):
                        return
                    if self._moment is not None and self._moment.kind == "half-close":
                        selector.unregister(source)
                    first = False
        for sock in (near, far):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _strike(self, near: socket.socket, far: socket.socket, to: socket.socket, data: bytes) -> bool:
        """Do it; tell whether the connection is over."""
        kind = self._moment.kind if self._moment else "none"
        if kind == "reset":
            for sock in (near, far):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                sock.close()
        elif kind == "half-close":
            to.shutdown(socket.SHUT_WR)
        elif kind == "freeze":
            self._over.wait()
        elif kind == "drip":
            for byte in data[:DRIPPED]:
                to.sendall(bytes([byte]))
                self._over.wait(DRIP)
            to.sendall(data[DRIPPED:])
        else:
            for sock in (near, far):
                sock.shutdown(socket.SHUT_RDWR)
        return kind in {"cut", "reset", "freeze"}
