"""A scripted HTTP/2 server: the test says, line by line, what the peer reads and what it sends.

The test's own thread plays both sides.  `conn.request()` returns when the request is written, so the
peer can read it and answer before a thread waits for the answer::

    with Peer() as peer:
        conn = peer.connect()
        stream_id = conn.request("GET", "/")
        peer.accept()
        peer.greet(max_concurrent_streams=1)
        assert peer.want(HeadersFrame).fields[0] == (":method", "GET")
        peer.send_headers(1, [(":status", "200")])
        peer.send_data(1, b"hello", end_stream=True)
        assert conn.getresponse(stream_id).read() == b"hello"

Where a call of the client's waits for what the peer has still to say, `peer.background(call)` runs
it in a thread and returns a `Task`, whose `result()` is the call's.

Whatever is asked of the peer itself and is not the peer's own is asked of the `Wire` accepted last;
a test with several connections keeps what `accept()` returned.

Rules:

- Nothing here waits longer than `TIMEOUT` seconds, and nothing is left open at the end.
- The peer is not a server: it sends what it is told, broken or not, checks nothing, and does only two
  things by itself: it acknowledges SETTINGS (`auto_ack`), and it reads header blocks in order, so that
  its HPACK table stays the client's.
- `EnginePeer` is the same script around an engine, without a socket: what is sent goes into
  `receive()`, whose events it returns.
"""

import contextlib
import itertools
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from hyperframe.frame import (
    DataFrame,
    Frame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

import hyperlite
from hyperlite.http2.engine import Engine
from hyperlite.http2.engine.events import Event
from tests.frames import OK, Fields, FrameFactory, FrameReader
from tests.inside import transports_of

# How long the peer, or a task, waits for the client before the test fails.
TIMEOUT = 5.0

F = TypeVar("F", bound=Frame)

# What a client sends at times of its own choosing, and most scripts do not care about.
_HOUSEKEEPING = (SettingsFrame, WindowUpdateFrame)


# -- a script ----------------------------------------------------------------------------------------


class _Script:
    """What a peer can say. Every method returns what `send_raw` returns."""

    def __init__(self) -> None:
        self.frames = FrameFactory()
        self.seen: list[Frame] = []

    def send_raw(self, data: bytes) -> Any:
        """Send bytes as they are."""
        raise NotImplementedError

    def greet(self, settings: Mapping[int, int] | Iterable[tuple[int, int]] = (), **named: int) -> Any:
        """Send the SETTINGS that a server begins with; for the arguments see `FrameFactory.settings`."""
        return self.send_raw(self.frames.settings(settings, **named))

    def send_settings(
        self, settings: Mapping[int, int] | Iterable[tuple[int, int]] = (), **named: int
    ) -> Any:
        """Send further SETTINGS."""
        return self.send_raw(self.frames.settings(settings, **named))

    def send_frame(self, kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b"") -> Any:
        """Send any frame."""
        return self.send_raw(self.frames.raw(kind, flags, stream_id, payload))

    def send_headers(self, stream_id: int, fields: Fields = OK, **options: Any) -> Any:
        """Send a header block; for the options see `FrameFactory.headers`."""
        return self.send_raw(self.frames.headers(stream_id, fields, **options))

    def send_data(self, stream_id: int, data: bytes = b"", **options: Any) -> Any:
        """Send one DATA frame, however large; for the options see `FrameFactory.data`."""
        return self.send_raw(self.frames.data(stream_id, data, **options))

    def send_body(self, stream_id: int, body: bytes, *, end_stream: bool = True, size: int = 16384) -> Any:
        """Send a body in DATA frames of `size` bytes, without a look at any window."""
        pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        frames = [self.frames.data(stream_id, piece) for piece in pieces[:-1]]
        frames.append(self.frames.data(stream_id, pieces[-1], end_stream=end_stream))
        return self.send_raw(b"".join(frames))

    def answer(self, stream_id: int, body: bytes = b"", *, status: int = 200, fields: Fields = ()) -> Any:
        """Send a whole response, in one write."""
        block = self.frames.headers(stream_id, [(":status", str(status)), *fields], end_stream=not body)
        return self.send_raw(block + (self.frames.data(stream_id, body, end_stream=True) if body else b""))

    def rst(self, stream_id: int, code: int = 0) -> Any:
        """Send RST_STREAM."""
        return self.send_raw(self.frames.rst(stream_id, code))

    def goaway(self, last_stream_id: int, code: int = 0, debug: bytes = b"") -> Any:
        """Send GOAWAY."""
        return self.send_raw(self.frames.goaway(last_stream_id, code, debug))

    def ping(self, payload: bytes = b"peerping", *, ack: bool = False) -> Any:
        """Send PING."""
        return self.send_raw(self.frames.ping(payload, ack=ack))

    def window_update(self, stream_id: int, increment: int) -> Any:
        """Send WINDOW_UPDATE."""
        return self.send_raw(self.frames.window_update(stream_id, increment))

    def of(self, kind: type[F], stream_id: int | None = None) -> list[F]:
        """Return the frames of a kind that the client has sent and the peer has read."""
        return [
            frame
            for frame in self.seen
            if isinstance(frame, kind) and (stream_id is None or frame.stream_id == stream_id)
        ]


class Wire(_Script):
    """One accepted connection.

    Attributes:
        seen: every frame of the client's that was read, in order.
        auto_ack: acknowledge the client's SETTINGS when they are read, and ours are sent.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self.sock = sock
        self.auto_ack = True
        self._sending = threading.Lock()  # a script may speak in one thread and acknowledge in another
        self.reader = FrameReader()
        self._greeted = False
        self._unacknowledged = 0

    # -- speaking --

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        with self._sending:
            self.sock.sendall(data)

    def greet(self, settings: Mapping[int, int] | Iterable[tuple[int, int]] = (), **named: int) -> None:
        """Send the SETTINGS that a server begins with; for the arguments see `FrameFactory.settings`."""
        super().greet(settings, **named)
        self._greeted = True
        self._acknowledge()

    def _acknowledge(self) -> None:
        while self.auto_ack and self._greeted and self._unacknowledged:
            self._unacknowledged -= 1
            self.send_raw(self.frames.settings_ack())

    # -- listening --

    @property
    def story(self) -> str:
        """What the client has sent, in short."""
        return ", ".join(f"{type(frame).__name__[:-5]}({frame.stream_id})" for frame in self.seen[-20:])

    def read_frame(self) -> Frame | None:
        """Return the client's next frame, or None when it has closed (FIN or RST)."""
        while (frame := self.reader.next()) is None:
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                raise AssertionError(f"the client sent nothing more after {self.story}") from None
            except (ConnectionResetError, ConnectionAbortedError):
                return None
            if not data:
                assert not self.reader.midway, "the client closed in the middle of a frame"
                return None
            self.reader.feed(data)
        self.note(frame)
        return frame

    def note(self, frame: Frame) -> None:
        self.seen.append(frame)
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self._unacknowledged += 1
            with contextlib.suppress(OSError):  # a client may be gone: its last frames are still to be read
                self._acknowledge()

    def want(self, kind: type[F], stream_id: int | None = None) -> F:
        """Return the client's next frame, which must be of a kind, and on a stream if one is given.

        SETTINGS and the connection's WINDOW_UPDATE are passed over unless they are wanted.
        """
        while True:
            frame = self.read_frame()
            assert frame is not None, f"the client closed; wanted {kind.__name__}, seen {self.story}"
            if isinstance(frame, kind) and stream_id in (None, frame.stream_id):
                return frame
            housekeeping = isinstance(frame, _HOUSEKEEPING) and frame.stream_id == 0
            assert housekeeping, f"wanted {kind.__name__} on stream {stream_id}, seen {self.story}"

    def want_end(self, stream_id: int) -> bytes:
        """Return the body of a request whose header block was read, up to its END_STREAM."""
        body = bytearray()
        while True:
            frame = self.want(DataFrame, stream_id)
            body += frame.data
            if "END_STREAM" in frame.flags:
                return bytes(body)

    def want_body(self, stream_id: int, size: int) -> bytes:
        """Return `size` bytes of a request's body: what the client can send while its window lasts."""
        body = bytearray()
        while len(body) < size:
            body += self.want(DataFrame, stream_id).data
        assert len(body) == size, f"{len(body)} bytes came, {size} were allowed"
        return bytes(body)

    def want_eof(self) -> list[Frame]:
        """Read to the client's end; returns the frames that came before it."""
        start = len(self.seen)
        while self.read_frame() is not None:
            pass
        return self.seen[start:]

    def requests(self) -> Iterator[tuple[int, dict[str, str], bytes]]:
        """Yield complete requests as (stream id, fields, body) until the client closes, crediting all."""
        waiting: dict[int, tuple[dict[str, str], bytearray]] = {}
        while (frame := self.read_frame()) is not None:
            if isinstance(frame, HeadersFrame):
                waiting[frame.stream_id] = (dict(frame.fields), bytearray())
            elif isinstance(frame, DataFrame):
                waiting[frame.stream_id][1].extend(frame.data)
                if frame.body_len:
                    self.window_update(0, frame.body_len)
            elif isinstance(frame, RstStreamFrame):
                waiting.pop(frame.stream_id, None)
            if isinstance(frame, (HeadersFrame, DataFrame)) and "END_STREAM" in frame.flags:
                fields, body = waiting.pop(frame.stream_id)
                yield frame.stream_id, fields, bytes(body)

    def want_requests(self, count: int) -> dict[str, tuple[int, bytes]]:
        """Read until a number of requests are complete; returns by path their stream ids and bodies."""
        requests = itertools.islice(self.requests(), count)
        found = {fields[":path"]: (stream_id, body) for stream_id, fields, body in requests}
        assert len(found) == count, f"of {count} requests came {found!r}"
        return found

    def silent(self) -> bool:
        """Tell whether nothing has come that was not read, SETTINGS and WINDOW_UPDATE(0) excepted.

        It does not wait: it can prove that a client has said something, but not that it never will.
        """
        while True:
            frame = self.reader.next()
            if frame is None:
                if not select.select([self.sock], [], [], 0)[0]:
                    return True
                frame = self.read_frame()
            else:
                self.note(frame)
            if not isinstance(frame, _HOUSEKEEPING) or frame.stream_id:
                return False

    # -- ending --

    def finish(self) -> None:
        """Send FIN, and go on listening."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket: FIN, or RST if something was not read."""
        self.sock.close()

    def abandon(self) -> None:
        """Close the socket so that a thread that reads from it notices."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def reset_tcp(self) -> None:
        """Close the socket with a TCP RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(self.sock, ssl.SSLSocket):
            socket.socket(fileno=self.sock.detach()).close()
        else:
            self.sock.close()


class EnginePeer(_Script):
    """The same script around an engine, without a socket.

    What is sent goes into the engine, whose events are returned; `said()` returns the frames that
    the engine has put out.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.reader = FrameReader()

    def send_raw(self, data: bytes) -> list[Event]:
        """Feed the engine; returns the events that this made."""
        return self.engine.receive(data)

    def said(self) -> list[Frame]:
        """Return the frames that the engine has put out since it was last asked."""
        self.reader.feed(self.engine.take())
        new: list[Frame] = []
        while (frame := self.reader.next()) is not None:
            new.append(frame)
        assert not self.reader.midway, "the engine put out half a frame"
        self.seen += new
        return new

    def said_of(self, kind: type[F], stream_id: int | None = None) -> list[F]:
        """As `said`, but only the frames of a kind, and of a stream if one is given."""
        return [
            frame
            for frame in self.said()
            if isinstance(frame, kind) and (stream_id is None or frame.stream_id == stream_id)
        ]


# -- a listening peer --------------------------------------------------------------------------------


class Task:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[..., Any], *args: Any, **options: Any) -> None:
        self._call = lambda: call(*args, **options)
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error

    @property
    def done(self) -> bool:
        """Whether the call is over."""
        return not self._thread.is_alive()

    def result(self, timeout: float = TIMEOUT) -> Any:
        """Return what the call returned, or raise what it raised."""
        self._thread.join(timeout)
        assert self.done, f"the call did not return within {timeout:g} s"
        if self._error is not None:
            raise self._error
        return self._result

    def join(self, timeout: float = TIMEOUT) -> bool:
        """Wait for the end of the call; tell whether it came."""
        self._thread.join(timeout)
        return self.done


class Peer:
    """Listens on 127.0.0.1 and plays the server on whatever is accepted.

    Args:
        tls: the server's context; None for cleartext. The handshake is part of `accept()`, so the
            client's `connect()` must then run in the background.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT)
        self.port: int = self._listener.getsockname()[1]
        self.wires: list[Wire] = []
        self._connections: list[hyperlite.HTTP20Connection] = []
        self._tasks: list[Task] = []

    def connect(self, **options: Any) -> hyperlite.HTTP20Connection:
        """Return a connection to this peer, which connects with its first request.

        It is closed with the peer. The options are HTTP20Connection's.
        """
        options = {"secure": self.tls is not None, "timeout": TIMEOUT, **options}
        host = options.pop("host", "127.0.0.1")
        conn = hyperlite.HTTP20Connection(host, self.port, **options)
        self._connections.append(conn)
        return conn

    def accept(self) -> Wire:
        """Accept the next connection; it is the one that the peer's other methods now mean."""
        try:
            sock, _ = self._listener.accept()
        except TimeoutError:
            raise AssertionError("the client did not connect") from None
        try:
            sock.settimeout(TIMEOUT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
        except BaseException:
            sock.close()
            raise
        self.wires.append(Wire(sock))
        return self.wires[-1]

    @property
    def waiting(self) -> bool:
        """Whether a connection waits to be accepted."""
        return bool(select.select([self._listener], [], [], 0)[0])

    def stop_listening(self) -> None:
        """Refuse further connections; an `accept()` that waits in a thread fails."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def background(self, call: Callable[..., Any], *args: Any, **options: Any) -> Task:
        """Run a call in a thread; ask its `result()`."""
        self._tasks.append(Task(call, *args, **options))
        return self._tasks[-1]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        assert self.wires, f"{name}: no connection was accepted yet"
        return getattr(self.wires[-1], name)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Close everything. A test that passed must have left nothing of the client's open by itself."""
        with contextlib.ExitStack() as last:  # which runs all of it, whatever fails
            if kind is not None:  # the test has failed already: no ResourceWarnings on top of that
                last.callback(self._end_draining)
            last.callback(self._join)
            for wire in self.wires:
                last.callback(wire.abandon)
            for conn in self._connections:
                last.callback(conn.close)
            last.callback(self.stop_listening)

    def _join(self) -> None:
        stuck = [task for task in self._tasks if not task.join()]
        assert not stuck, f"{len(stuck)} background calls are still waiting"

    def _end_draining(self) -> None:
        for conn in self._connections:
            for mux in transports_of(conn).draining:
                mux.pump()  # which finds the end, for the wires are closed
