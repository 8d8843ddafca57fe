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
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from hyperframe.frame import (
    Frame,
    SettingsFrame,
    WindowUpdateFrame,
)

import hyperlite
from hyperlite.http2.engine import Engine
from hyperlite.http2.engine.events import Event
from hyperlite.testing.hostile.frames import FrameReader
from hyperlite.testing.hostile.wire import Script, Wire
from tests.inside import transports_of

# How long the peer, or a task, waits for the client before the test fails.
TIMEOUT = 5.0

F = TypeVar("F", bound=Frame)

# What a client sends at times of its own choosing, and most scripts do not care about.
_HOUSEKEEPING = (SettingsFrame, WindowUpdateFrame)


class EnginePeer(Script):
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
