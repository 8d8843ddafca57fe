"""What a peer can say, and one accepted connection: frames by hand, valid or not.

A peer is not a server: it sends what it is told, broken or not, checks nothing, and does only two things by
itself: it acknowledges SETTINGS (`auto_ack`), and it reads header blocks in order, so that its HPACK table
stays the client's.
"""

import contextlib
import itertools
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from hyperframe.frame import (
    DataFrame,
    Frame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from .frames import OK, Fields, FrameFactory, FrameReader, fields_of

F = TypeVar("F", bound=Frame)

# What a client sends at times of its own choosing, and most scripts do not care about.
_HOUSEKEEPING = (SettingsFrame, WindowUpdateFrame)


# -- a script ----------------------------------------------------------------------------------------


class Script:
    """What a peer can say. Every method returns what `send_raw` returns."""

    def __init__(self) -> None:
        self.frames: FrameFactory = FrameFactory()
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


class Wire(Script):
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
        self.reader: FrameReader = FrameReader()
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
        """Remember a frame."""
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
                waiting[frame.stream_id] = (dict(fields_of(frame)), bytearray())
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
