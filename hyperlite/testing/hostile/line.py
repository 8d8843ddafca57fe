"""The misbehaving server: one `Line` for each connection, in a thread of its own."""

import contextlib
import itertools
import select
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Never, TypeVar

from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from hyperlite.testing.certificates import certificates

from .case import Case, pattern
from .frames import fields_of
from .wire import Wire

F = TypeVar("F", bound=Frame)

# Seconds that a flood lasts, unless the client goes; it is much longer than any client may stay.
FLOOD = 20.0
# What the server waits for anything. Longer than all that a client may take.
TIMEOUT = 30.0
AFTER = b"after"
# What any client takes in one frame (RFC 9113 section 4.2).
USUAL_FRAME = 16384


class Gone(Exception):
    """The client has closed the connection."""


class Line(Wire):
    """One accepted connection, with what a script may want to know and to do.

    Attributes:
        requests_seen: by stream: (method, path).
        ended: the streams whose request is complete.
        mine: the streams that the script answers, or not; `behave` leaves them alone.
        window: what the client lets us send: by stream, and on the connection (0).
        credited: bytes that the client gave back: by stream, and on the connection (0).
        reset_by_client: the streams that it has reset.
        drained: how many frames of each kind came during a flood.
        max_frame: the longest frame that the client takes, as its SETTINGS say.
        gate: what the client's further requests wait for, where the case says so.
    """

    def __init__(self, sock: socket.socket, case: Case, gate: threading.Event) -> None:
        super().__init__(sock)
        self.case = case
        self.gate = gate
        self.requests_seen: dict[int, tuple[str, str]] = {}
        self.ended: set[int] = set()
        self.mine: set[int] = set()
        self.window: dict[int, int] = {0: 65535}
        self.credited: dict[int, int] = {0: 0}
        self.reset_by_client: set[int] = set()
        self.uploaded: dict[int, int] = {}
        self._initial_window = 65535
        self.drained: Counter[type[Frame]] = Counter()
        self.max_frame: int = 16384
        self._pings = 0
        self.opened: list[int] = []

    # -- listening --------------------------------------------------------------------------------

    def read_frame(self) -> Frame | None:
        """Return the client's next frame, or None when it has gone."""
        while (frame := self.reader.next()) is None:
            try:
                data = self.sock.recv(65536)
            except OSError:  # ssl.SSLError and TimeoutError are
                return None
            if not data:
                return None
            self.reader.feed(data)
        self.note(frame)
        return frame

    def note(self, frame: Frame) -> None:
        """Remember a frame, and what it says."""
        super().note(frame)
        stream_id = frame.stream_id
        if isinstance(frame, HeadersFrame) and stream_id not in self.requests_seen:
            fields = dict(fields_of(frame))
            self.requests_seen[stream_id] = (fields[":method"], fields[":path"])
            self.opened.append(stream_id)
            self.window.setdefault(stream_id, self._initial_window)
        elif isinstance(frame, DataFrame):
            self.uploaded[stream_id] = self.uploaded.get(stream_id, 0) + len(frame.data)
            frame.data = b""  # it may be a large upload
        elif isinstance(frame, RstStreamFrame):
            self.reset_by_client.add(stream_id)
        elif isinstance(frame, WindowUpdateFrame):
            increment = frame.window_increment
            self.window[stream_id] = self.window.get(stream_id, self._initial_window) + increment
            self.credited[stream_id] = self.credited.get(stream_id, 0) + increment
        elif isinstance(frame, SettingsFrame):
            self.max_frame = frame.settings.get(SettingsFrame.MAX_FRAME_SIZE, self.max_frame)
            size = frame.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, self._initial_window)
            for key in self.window:
                if key:
                    self.window[key] += size - self._initial_window
            self._initial_window = size
        if isinstance(frame, (HeadersFrame, DataFrame)) and "END_STREAM" in frame.flags:
            self.ended.add(stream_id)

    def next_frame(self) -> Frame:
        """Return the client's next frame; Gone if there is none."""
        frame = self.read_frame()
        if frame is None:
            raise Gone
        return frame

    def until(self, condition: Callable[[], bool]) -> None:
        """Read frames until a condition holds."""
        while not condition():
            self.next_frame()

    def await_frame(self, kind: type[F], stream_id: int | None = None) -> F:
        """Read up to the next frame of a kind."""
        while True:
            frame = self.next_frame()
            if isinstance(frame, kind) and stream_id in (None, frame.stream_id):
                return frame

    def request(self) -> int:
        """Return the stream of the next request, whose answer is the script's affair."""
        self.until(lambda: bool(self.opened))
        stream_id = self.opened.pop(0)
        self.mine.add(stream_id)
        return stream_id

    def open(self, **settings: int) -> int:
        """Send SETTINGS; return the stream of the first request."""
        self.greet((), **settings)
        return self.request()

    def whole_request(self, **settings: int) -> int:
        """As `open`, but the request's body has come too, and was credited."""
        stream_id = self.open(**settings)
        self.take_body(stream_id)
        return stream_id

    def take_body(self, stream_id: int) -> None:
        """Read a request's body to its end, giving all the credit for it."""
        while stream_id not in self.ended:
            frame = self.next_frame()
            if isinstance(frame, DataFrame) and frame.body_len:
                self.window_update(0, frame.body_len)
                self.window_update(stream_id, frame.body_len)

    def listen(self, seconds: float = TIMEOUT) -> None:
        """Read, and say nothing, until the client goes or the time is over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.sock.settimeout(left)
            if self.read_frame() is None:
                break
        self.sock.settimeout(TIMEOUT)

    def pause(self, seconds: float) -> None:
        """Read for some time, and go on; Gone if the client went meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            while (frame := self.reader.next()) is not None:
                self.note(frame)
            left = deadline - time.monotonic()
            if left <= 0:
                return
            if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
                left = 0
            elif not select.select([self.sock], [], [], left)[0]:
                return
            data = self.sock.recv(65536)
            if not data:
                raise Gone
            self.reader.feed(data)

    def hang_up(self) -> Never:
        """Close the connection, and end the script."""
        self.close()
        self.gate.set()
        raise Gone

    def synchronise(self) -> None:
        """Return when the client has dealt with all that was sent: it answers PING in order."""
        self._pings += 1
        payload = b"%08d" % self._pings
        self.ping(payload)
        self.until(lambda: any(ping.opaque_data == payload for ping in self.of(PingFrame)))

    # -- answering --------------------------------------------------------------------------------

    def ok(self, stream_id: int, body: bytes | None = None, **options: Any) -> None:
        """Send a whole good response: the case's."""
        if body is None:
            body = self.case.body if isinstance(self.case.body, bytes) else pattern(self.case.body)
        fields = options.pop("fields", [("content-length", str(len(body)))])
        method = self.requests_seen.get(stream_id, ("GET", "/"))[0]
        body = b"" if method == "HEAD" else body
        if len(body) <= USUAL_FRAME:
            self.answer(stream_id, body, fields=fields, **options)
        else:
            self.send_headers(stream_id, [(":status", str(options.pop("status", 200))), *fields], **options)
            self.send_body(stream_id, body)

    def send_polite(
        self, stream_id: int, size: int, *, start: int = 0, frame: int = 16384, end_stream: bool = True
    ) -> None:
        """Send `pattern` from `start` to `size` as the windows allow, unless the client resets the stream."""
        sent = start
        while sent < size:
            self.until(
                lambda: min(self.window[0], self.window[stream_id]) > 0 or stream_id in self.reset_by_client
            )
            if stream_id in self.reset_by_client:
                return
            part = min(frame, size - sent, self.window[0], self.window[stream_id])
            self.window[0] -= part
            self.window[stream_id] -= part
            self.send_data(stream_id, pattern(part, sent), end_stream=end_stream and sent + part == size)
            sent += part

    def behave(self) -> None:
        """Answer what is asked, as a server should, until the client goes."""
        answered: set[int] = set()
        frame: Frame | None = None
        while True:
            if isinstance(frame, PingFrame) and "ACK" not in frame.flags:
                self.ping(frame.opaque_data, ack=True)
            elif isinstance(frame, DataFrame) and frame.body_len:
                self.window_update(0, frame.body_len)
                self.window_update(frame.stream_id, frame.body_len)
            for stream_id in sorted(self.ended - answered - self.mine):
                answered.add(stream_id)
                if not self.of(RstStreamFrame, stream_id):
                    after = self.requests_seen[stream_id][1] == "/after"
                    self.ok(stream_id, AFTER if after else None)
            frame = self.read_frame()
            if frame is None:
                return

    def flood(self, chunk: bytes | Callable[[], bytes], *, read: bool = True, seconds: float = FLOOD) -> None:
        """Send without end, reading what comes or not, until the client goes."""
        deadline = time.monotonic() + seconds
        make = chunk if callable(chunk) else lambda: chunk
        rest = memoryview(b"")
        self.sock.setblocking(False)
        self.auto_ack = False
        try:
            while time.monotonic() < deadline:
                rest = rest or memoryview(make())
                can_read, can_write, _ = select.select([self.sock] if read else [], [self.sock], [], 0.1)
                if can_read:
                    self._drain()
                if can_write:
                    with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                        rest = rest[self.sock.send(rest) :]
        except OSError:  # the client has closed; what it said before that is still to be read
            self.listen()
            raise Gone from None
        finally:
            with contextlib.suppress(OSError):
                self.sock.settimeout(TIMEOUT)

    def _drain(self) -> None:
        """Read, and remember only what matters: a flood's acknowledgements are many."""
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            data = self.sock.recv(65536)
            if not data:
                raise Gone
            self.reader.feed(data)
        while (frame := self.reader.next()) is not None:
            self.drained[type(frame)] += 1
            if (
                isinstance(frame, (HeadersFrame, RstStreamFrame, GoAwayFrame))
                and self.drained[type(frame)] <= 100
            ):
                self.note(frame)

    # -- HTTP/1.1 ---------------------------------------------------------------------------------

    @property
    def is_http1(self) -> bool:
        """Whether the client speaks HTTP/1.1 on this connection, which begins."""
        if isinstance(self.sock, ssl.SSLSocket):
            return self.sock.selected_alpn_protocol() != "h2"
        return self.sock.recv(3, socket.MSG_PEEK) != b"PRI"

    def read_head(self) -> bytes:
        """Return the header section of an HTTP/1.1 request, as far as its empty line."""
        head = bytearray()
        while b"\r\n\r\n" not in head:
            data = self.sock.recv(65536)
            if not data:
                raise Gone
            head += data
        return bytes(head)

    def flood_raw(self, chunk: bytes, seconds: float = FLOOD) -> None:
        """Send without end, and do not read, until the client goes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.send_raw(chunk)

    def pause_raw(self, seconds: float) -> None:
        """Wait; Gone if the client closes meanwhile. What it says is lost."""
        if select.select([self.sock], [], [], seconds)[0] and not self.sock.recv(65536):
            raise Gone

    def close_tls(self) -> Never:
        """Close the connection as TLS wants it, with close_notify, and end the script."""
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.settimeout(0.05)  # the client's own is not waited for
            with contextlib.suppress(OSError):
                self.sock.unwrap()
        self.hang_up()

    def behave_http1(self) -> None:
        """Answer HTTP/1.1 requests as a server should, until the client goes."""
        while True:
            target = self.read_head().split(b" ", 2)[1]
            body: bytes | int = AFTER if target == b"/after" else self.case.body
            body = body if isinstance(body, bytes) else pattern(body)
            self.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def _server_context(case: Case) -> ssl.SSLContext:
    if case.server_tls is not None:
        return case.server_tls()
    return certificates().server_context([case.protocol] if case.protocol else [])


class Stage:
    """Listens, and plays a case on what is accepted.

    Attributes:
        lines: the connections, in order; None where the TLS handshake failed.
        failures: what went wrong in the script itself.
    """

    def __init__(self, case: Case, *, tls: bool) -> None:
        self.case = case
        self.lines: list[Line] = []
        self.failures: list[BaseException] = []
        self.gate: threading.Event = threading.Event()
        self.context: ssl.SSLContext | None = _server_context(case) if tls else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        for number in itertools.count():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.context is not None and (number or self.case.handshake):
                sock = self.context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
                self._sockets.append(sock)
            line = Line(sock, self.case, self.gate)
            self.lines.append(line)
            self._play(line, number)
        except (Gone, OSError):  # the client has closed, or we have
            pass
        except BaseException as failure:
            self.failures.append(failure)
        finally:
            sock.close()

    def _play(self, line: Line, number: int) -> None:
        hostile = number == 0 or self.case.every
        if hostile:
            try:
                self.case.script(line)
            except OSError:  # the client has closed; what it said before that is still to be read
                line.listen()
                return
        if self.case.protocol != "h2":
            line.behave_http1()
        if not hostile:
            line.greet()
        line.behave()

    def join(self, timeout: float = 5) -> None:
        """Stop listening, and wait until all has been read that the client, now closed, has sent."""
        self._stop_listening()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))

    def _stop_listening(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        """Close everything; a client that still waits comes to an end."""
        self.gate.set()
        self._stop_listening()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in self._sockets:
            sock.close()
