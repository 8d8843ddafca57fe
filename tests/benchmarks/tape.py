"""What crossed a connection once, kept, to be had again without the server, TLS or a socket.

A tape is cut into chunks: what the client wrote for the chunk's requests, and the pieces in which their
responses came out of TLS.  `record` makes one, `TapeSocket` plays one to hyperlite inside this process, and
`play` to a client over TLS, from a process of its own.
"""

import multiprocessing
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import hyperlite
from hyperlite.testing.certificates import certificates

PATIENCE = 10.0
# Bytes that a player writes to its socket at once.
BATCH = 1 << 20

Result = TypeVar("Result")


@dataclass
class Chunk:
    """The requests of one chunk, and their responses."""

    paths: list[str]
    written: list[bytes] = field(default_factory=list)
    """What each call of send took."""
    read: list[bytes] = field(default_factory=list)
    """What each call of recv returned."""


def record(
    port: int,
    context: ssl.SSLContext,
    paths: Sequence[str],
    chunk: int,
    *,
    many: bool,
    protocol: str = "h2",
) -> list[Chunk]:
    """Fetch the paths in chunks, by `request_many()` or by `request()`, and keep every byte."""
    tape: list[Chunk] = []

    class Recorder(ssl.SSLSocket):
        def send(self, data, flags=0):
            sent = super().send(data, flags)
            tape[-1].written.append(bytes(data[:sent]))
            return sent

        def recv(self, size=1024, flags=0):
            data = super().recv(size, flags)
            tape[-1].read.append(data)
            return data

        def recv_into(self, buffer, nbytes=None, flags=0):
            count = super().recv_into(buffer, nbytes, flags)
            tape[-1].read.append(bytes(memoryview(buffer)[:count]))
            return count

    context.sslsocket_class = Recorder
    with hyperlite.HTTP20Connection(
        "localhost", port, context=context, timeout=PATIENCE, protocols=(protocol,)
    ) as conn:
        for start in range(0, len(paths), chunk):
            tape.append(Chunk(list(paths[start : start + chunk])))
            fetch(conn, tape[-1].paths, many=many)
        tape.append(Chunk([]))  # for what is said at the end
    return tape[:-1]


def fetch(conn: hyperlite.HTTP20Connection, paths: Sequence[str], *, many: bool) -> None:
    """Fetch one chunk."""
    if many:
        ids = conn.request_many(("GET", path) for path in paths)
    else:
        ids = [conn.request("GET", path) for path in paths]
    for stream_id in ids:
        response = conn.getresponse(stream_id)
        assert response.read()
        assert response.status == 200


class TapeSocket:
    """A socket in the place of a real one: it swallows what is sent and returns what was recorded.

    The responses of a chunk are there from `release()` on, not before.
    """

    def __init__(self, tape: Sequence[Chunk]) -> None:
        self._chunks = iter(tape)
        self._ready: list[bytes] = []
        # Something to poll: there is a byte in it while a piece is there to be received.
        self._ends = socket.socketpair()

    def release(self) -> None:
        """Let the responses of the next chunk arrive."""
        if not self._ready:
            self._ends[1].send(b"!")
        self._ready = next(self._chunks).read[::-1] + self._ready  # the next to come is the last

    def send(self, data, _flags=0) -> int:
        return len(data)

    def recv(self, size: int, _flags=0) -> bytes:
        if not self._ready:
            raise BlockingIOError
        piece = self._ready.pop()
        if len(piece) > size:
            self._ready.append(piece[size:])
        if not self._ready:
            self._ends[0].recv(1)
        return piece[:size]

    def recv_into(self, buffer, nbytes=0, _flags=0) -> int:
        data = self.recv(nbytes or len(buffer))
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def fileno(self) -> int:
        return self._ends[0].fileno()

    def close(self) -> None:
        for end in self._ends:
            end.close()

    def setblocking(self, _flag) -> None: ...
    def settimeout(self, _seconds) -> None: ...
    def setsockopt(self, *_) -> None: ...
    def shutdown(self, _how) -> None: ...


@contextmanager
def play(tape: Sequence[Chunk]) -> Iterator[int]:
    """Serve a tape over TLS, from another process, once; yields the port."""
    with _elsewhere(_play, tape) as port:
        yield port


@contextmanager
def swallow(size: int) -> Iterator[int]:
    """Take so many bytes over TLS, in another process, once, and say when they are there; yields the port."""
    with _elsewhere(_swallow, size) as port:
        yield port


class Player:
    """The server's end of a connection over TLS.

    Records are written to the socket a megabyte at once: a write for each of them would wake the client for
    each of them, and its waiting would cost more than what is to be measured.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = certificates().server_context(["h2"])
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._when_received(self._tls.do_handshake)
        self._flush()

    def _when_received(self, call: Callable[[], Result]) -> Result:
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                self._flush()
                if data := self._socket.recv(65536):
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._socket.sendall(self._outgoing.read())

    def take(self, size: int) -> None:
        """Receive so many bytes."""
        buffer = bytearray(65536)
        while size:
            size -= self._when_received(partial(self._tls.read, min(size, len(buffer)), buffer))

    def give(self, pieces: Sequence[bytes]) -> None:
        """Send each piece as a record."""
        for piece in pieces:
            self._tls.write(piece)
            if self._outgoing.pending >= BATCH:
                self._flush()
        self._flush()


@contextmanager
def _elsewhere(serve: Callable[[Player, Any], None], what: Any) -> Iterator[int]:
    certificates()  # both processes are to have the same
    with socket.create_server(("127.0.0.1", 0)) as listener:
        player = multiprocessing.get_context("fork").Process(
            target=_accept, args=(listener, serve, what), daemon=True
        )
        player.start()
        try:
            yield listener.getsockname()[1]
        finally:
            player.terminate()
            player.join()


def _accept(listener: socket.socket, serve: Callable[[Player, Any], None], what: Any) -> None:
    sock, _ = listener.accept()
    with sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serve(Player(sock), what)
        sock.recv(1)  # until the client goes


def _play(player: Player, tape: Sequence[Chunk]) -> None:
    for chunk in tape:
        player.take(sum(map(len, chunk.written)))
        player.give(chunk.read)


def _swallow(player: Player, size: int) -> None:
    player.take(size)
    player.give([b"!"])


def call(port: int) -> ssl.SSLSocket:
    """Return a connection to a player."""
    sock = socket.create_connection(("localhost", port), PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(None)  # with one, Python would poll before each call
    return certificates().client_context().wrap_socket(sock, server_hostname="localhost")


def floor(sock: ssl.SSLSocket, chunks: Sequence[Chunk]) -> None:
    """Write and read the same bytes by bare calls, and look at none of them."""
    buffer = bytearray(65536)
    for chunk in chunks:
        for data in chunk.written:
            sock.send(data)
        missing = sum(map(len, chunk.read))
        while missing > 0:
            missing -= sock.recv_into(buffer)
