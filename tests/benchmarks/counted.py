"""What `make bench-count` counts: nine workloads on a tape of bytes, in one thread, without a server or TLS.

It runs as a file under callgrind, with one commit's hyperlite on PYTHONPATH.  The server is a tape: its
responses lie ready before anything is counted, and a socket hands out the next one while the client sends
the request for it.  No other thread or process decides how often the client waits, so counts repeat.
"""

import contextlib
import gc
import itertools
import logging
import os
import socket
import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import hpack
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

import hyperlite

ORIGIN = ("127.0.0.1", 1)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, WINDOW_UPDATE = 0, 1, 4, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PIECE = 16384
MOST = 2**31 - 1
# What a request is answered with; tests/benchmarks/sites.py has the same size.
SMALL, LARGE = 1024, 16 * PIECE
# The lengths of ten values, as those of ids, dates and timings are.
FRESH_LENGTHS = range(8, 37, 3)

# -- the tape -------------------------------------------------------------------------------------


def _frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    return struct.pack(">HBBBL", len(payload) >> 8, len(payload) & 255, kind, flags, stream_id) + payload


def _greeting() -> bytes:
    """Return what an HTTP/2 server says first: it takes 128 streams at once, and uploads without a bound."""
    settings = struct.pack(">HLHL", 3, 128, 4, MOST)
    window = struct.pack(">L", MOST - 65535)
    return (
        _frame(SETTINGS, 0, 0, settings) + _frame(SETTINGS, ACK, 0, b"") + _frame(WINDOW_UPDATE, 0, 0, window)
    )


def _fields(number: int, size: int) -> list[tuple[str, str]]:
    """Return the header of a response as nginx writes it; three of its values are the file's own."""
    return [
        ("server", "nginx/1.22.1"),
        ("date", f"Sun, 29 Nov 2026 08:{number // 60 % 60:02}:{number % 60:02} GMT"),
        ("content-type", "application/octet-stream"),
        ("content-length", str(size)),
        ("last-modified", f"Sat, 28 Nov 2026 07:00:{number % 60:02} GMT"),
        ("etag", f'"{1_700_000_000 + number:x}-{size:x}"'),
        ("accept-ranges", "bytes"),
    ]


def _http2_tape(count: int, size: int) -> list[bytes]:
    """Return the responses of one HTTP/2 connection, in the order of their streams."""
    encoder = hpack.Encoder()
    tape = []
    for number in range(count):
        stream_id = 2 * number + 1
        block = encoder.encode([(":status", "200"), *_fields(number, size)])
        frames = [_frame(HEADERS, END_HEADERS, stream_id, block)]
        for start in range(0, size, PIECE):
            length = min(PIECE, size - start)
            frames.append(_frame(DATA, END_STREAM * (start + length == size), stream_id, bytes(length)))
        tape.append(b"".join(frames))
    return tape


def _fresh_tape(count: int, size: int) -> list[bytes]:
    """Return responses with ten values more that no response before has had, as nginx sends them."""
    huffman = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
    dice = Random(10)

    def literal(name: str, value: str) -> bytes:
        """Return a field that is not indexed, its name neither (RFC 7541 section 6.2.2)."""
        strings = [huffman.encode(text.encode()) for text in (name, value)]
        return b"\0" + b"".join(bytes([0x80 | len(string)]) + string for string in strings)

    encoder = hpack.Encoder()
    tape = []
    for number in range(count):
        stream_id = 2 * number + 1
        block = encoder.encode([(":status", "200"), *_fields(0, size)])
        for length in FRESH_LENGTHS:
            block += literal(f"x-fresh-{length}", f"{dice.getrandbits(4 * length):0{length}x}")
        frames = [
            _frame(HEADERS, END_HEADERS, stream_id, block),
            _frame(DATA, END_STREAM, stream_id, bytes(size)),
        ]
        tape.append(b"".join(frames))
    return tape


def _http1_tape(count: int, size: int) -> list[bytes]:
    """Return the responses of one HTTP/1.1 connection."""
    heads = ("".join(f"{name}: {value}\r\n" for name, value in _fields(n, size)) for n in range(count))
    return [f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + bytes(size) for head in heads]


class TapeSocket(socket.socket):
    """The client's end of a connection: each request sent through it brings the tape's next response."""

    tape: list[bytes]
    """The responses that the next connections bring."""
    record: int
    """The bytes that one call brings, at the most: what a record of TLS would."""
    _listener: socket.socket
    _server = -1
    """The other end's file descriptor; a socket that never connects, such as one of a pair, has no tape."""

    @classmethod
    def install(cls) -> None:
        """Take the place of `socket.socket`, for sockets that are made from now on."""
        cls._listener = socket.create_server(("127.0.0.1", 0))
        socket.socket = cls  # type: ignore[misc]

    def connect_ex(self, _address: object) -> int:
        """Connect to the tape, whatever the address."""
        code = super().connect_ex(self._listener.getsockname())
        self._server, _ = self._listener._accept()  # type: ignore[attr-defined]
        os.set_blocking(self._server, False)
        self._unread = bytearray()
        self._waiting = bytearray()
        self._responses: Iterator[bytes] | None = None
        self._http2 = False
        return code

    def connect(self, address: object) -> None:
        """Connect to the tape, whatever the address."""
        self.connect_ex(address)

    def send(self, data, _flags: int = 0) -> int:
        """Take a request, and let the response to it arrive."""
        if self._server < 0:
            return super().send(data)
        self._unread += data
        if self._responses is None:
            self._http2 = self._unread.startswith(b"PRI")
            self._responses = iter(self.tape)
            if self._http2:
                del self._unread[: len(PREFACE)]
                self._waiting += _greeting()
        if self._http2:
            self._take_frames()
        else:
            while (end := self._unread.find(b"\r\n\r\n")) >= 0:
                del self._unread[: end + 4]
                self._waiting += next(self._responses)
        self._hand_out()
        return len(data)

    def sendall(self, data, _flags: int = 0) -> None:
        """Take a request, and let the response to it arrive."""
        self.send(data)

    def sendmsg(self, buffers, *_) -> int:
        """Take a request, and let the response to it arrive."""
        return self.send(b"".join(buffers))

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive from the tape."""
        self._hand_out()
        return super().recv(min(size, self.record), flags)

    def recv_into(self, buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive from the tape."""
        self._hand_out()
        return super().recv_into(buffer, min(nbytes or len(buffer), self.record), flags)

    def _take_frames(self) -> None:
        assert self._responses is not None
        unread = self._unread
        while len(unread) >= 9:
            end = 9 + int.from_bytes(unread[:3], "big")
            if len(unread) < end:
                break
            if unread[3] <= HEADERS and unread[4] & END_STREAM:
                self._waiting += next(self._responses)
            del unread[:end]

    def _hand_out(self) -> None:
        """Move what the kernel takes into the client's socket."""
        if self._server >= 0 and self._waiting:
            with contextlib.suppress(BlockingIOError):
                del self._waiting[: os.write(self._server, self._waiting)]

    def close(self) -> None:
        """Close both ends."""
        if self._server >= 0:
            os.close(self._server)
            self._server = -1
        super().close()


# -- the workloads --------------------------------------------------------------------------------

NUMBERS = itertools.count()


def one_at_a_time(conn: hyperlite.HTTP20Connection, count: int) -> None:
    """Ask, read, and ask again, as a script does that changed its import."""
    for _ in range(count):
        conn.request("GET", f"/file/{next(NUMBERS)}", headers={"Accept": "*/*"})
        response = conn.getresponse()
        assert (response.status, len(response.read())) == (200, SMALL)


def a_hundred_at_once(conn: hyperlite.HTTP20Connection, count: int) -> None:
    """Send a hundred requests before the first response is read."""
    for _ in range(count // 100):
        ids = [conn.request("GET", f"/file/{next(NUMBERS)}") for _ in range(100)]
        for stream_id in ids:
            assert len(conn.getresponse(stream_id).read()) == SMALL


def large_bodies(conn: hyperlite.HTTP20Connection, count: int) -> None:
    """Send a body and receive one, both of a quarter of a megabyte."""
    body = bytes(LARGE)
    for _ in range(count):
        conn.request("POST", f"/file/{next(NUMBERS)}", body)
        response = conn.getresponse()
        size = 0
        while data := response.read(PIECE):
            size += len(data)
        assert size == LARGE


def downloads(conn: hyperlite.HTTP20Connection, count: int) -> None:
    """Receive a body of a quarter of a megabyte, in records and frames that end at different places."""
    buffer = bytearray(4 * PIECE)
    for _ in range(count):
        conn.request("GET", f"/file/{next(NUMBERS)}")
        response = conn.getresponse()
        size = 0
        while length := response.readinto(buffer):
            size += length
        assert size == LARGE


def fetch_many(pool: hyperlite.ConnectionPool, count: int) -> None:
    """Give the pool all URLs at once."""
    urls = [f"http://127.0.0.1/file/{next(NUMBERS)}" for _ in range(count)]
    for outcome in pool.fetch_many(urls):
        assert len(outcome.result().body) == SMALL


def _connection(protocol: str) -> hyperlite.HTTP20Connection:
    return hyperlite.HTTP20Connection("127.0.0.1", 80, secure=False, protocols=(protocol,), timeout=60)


def _http2() -> hyperlite.HTTP20Connection:
    return _connection("h2")


def _http1() -> hyperlite.HTTP20Connection:
    return _connection("http/1.1")


def _pool() -> hyperlite.ConnectionPool:
    return hyperlite.ConnectionPool(protocols=("h2",), timeout=60)


class _Nothing(hyperlite.Observer):
    """Is told everything but frames, and does nothing."""


def _observed() -> hyperlite.ConnectionPool:
    return hyperlite.ConnectionPool(protocols=("h2",), timeout=60, observers=[_Nothing()])


@contextlib.contextmanager
def _logged() -> Iterator[hyperlite.ConnectionPool]:
    """A pool whose connections, requests and retries are logged, to a handler that drops the lines."""
    log, frames = logging.getLogger("hyperlite"), logging.getLogger("hyperlite.frames")
    handler = logging.NullHandler()
    log.addHandler(handler)
    log.propagate = False
    log.setLevel(logging.DEBUG)
    frames.setLevel(logging.INFO)
    try:
        with _pool() as pool:
            yield pool
    finally:
        log.removeHandler(handler)
        log.propagate = True
        log.setLevel(logging.NOTSET)
        frames.setLevel(logging.NOTSET)


class Workload(NamedTuple):
    """What is counted together.

    Attributes:
        name: for the table.
        client: returns what the requests are made with.
        work: makes so many requests.
        tape: returns so many responses of a size.
        size: bytes of each response's body.
        warm_up: requests that are not counted.
        requests: those that are.
        record: bytes that one call of recv brings, at the most.
    """

    name: str
    client: Callable[[], Any]
    work: Callable[[Any, int], None]
    tape: Callable[[int, int], list[bytes]]
    size: int
    warm_up: int
    requests: int
    record: int = 1 << 20


WORKLOADS = (
    Workload("HTTP/2, one at a time", _http2, one_at_a_time, _http2_tape, SMALL, 50, 300),
    Workload("HTTP/2, a hundred at once", _http2, a_hundred_at_once, _http2_tape, SMALL, 100, 400),
    Workload("fetch_many() over HTTP/2", _pool, fetch_many, _http2_tape, SMALL, 100, 400),
    Workload("HTTP/1.1, one at a time", _http1, one_at_a_time, _http1_tape, SMALL, 50, 300),
    Workload("HTTP/2, bodies of 256 KiB", _http2, large_bodies, _http2_tape, LARGE, 2, 20),
    Workload("HTTP/2, ten new values each", _http2, a_hundred_at_once, _fresh_tape, SMALL, 100, 100),
    Workload("HTTP/2, downloads of 256 KiB", _http2, downloads, _http2_tape, LARGE, 2, 20, record=PIECE),
    Workload("fetch_many(), an observer", _observed, fetch_many, _http2_tape, SMALL, 100, 200),
    Workload("fetch_many(), the log", _logged, fetch_many, _http2_tape, SMALL, 100, 200),
)


def main() -> None:
    """Do each workload, and mark for callgrind where it begins and ends."""
    TapeSocket.install()
    for workload in WORKLOADS:
        TapeSocket.tape = workload.tape(workload.warm_up + workload.requests, workload.size)
        TapeSocket.record = workload.record
        with workload.client() as client:
            workload.work(client, workload.warm_up)
            gc.collect()
            os.getppid()  # callgrind writes a dump here
            workload.work(client, workload.requests)
            os.getppid()


if __name__ == "__main__":
    main()
