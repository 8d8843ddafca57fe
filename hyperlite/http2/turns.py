"""Request bodies, made into frames when the peer's windows and the socket have room: each stream in turn."""

from ..messages.waiters import wake
from .engine import Engine
from .stream import Stream

# Once so many bytes of frames wait for the socket, no more frames of bodies are made.
WRITE_AHEAD = 256 << 10
# A body up to this size goes out with its header block. The slots limit how many do.
SMALL_BODY = 16 << 10
# Bytes that one stream writes in a turn.
BODY_TURN = 64 << 10


class Turns:
    """The streams with a piece of a body still to be sent. The connection's lock guards it.

    Attributes:
        senders: the streams by wire id; the first has the next turn.
    """

    __slots__ = ("senders",)

    def __init__(self) -> None:
        self.senders: dict[int, Stream] = {}

    def begin(self, stream: Stream, engine: Engine, ahead: int) -> None:
        """Send a body behind its header block: at once if it is small and in memory, otherwise by turns.

        Args:
            stream: the stream; its header block was sent.
            engine: makes the frames.
            ahead: how many bytes wait for the socket.
        """
        request = stream.request
        if stream.sending:  # its first piece was given before the stream had a slot
            self.senders[stream.wire_id] = stream
            return
        if request.bare or request.pieces is not None or (request.expects and not stream.tries.repeats):
            return
        body = request.body or b""
        if len(body) <= SMALL_BODY and not request.trailers and ahead < WRITE_AHEAD:
            sent = engine.send(stream.wire_id, body, end_stream=True)
            if sent == len(body):
                stream.upload = None
                return
            body = body[sent:]
        self.put(stream, body, last=True)

    def put(self, stream: Stream, data: bytes | memoryview, *, last: bool) -> None:
        """Take a piece of a body, to be sent when the stream has its turn, after its header block."""
        assert stream.upload is not None
        stream.upload.piece, stream.upload.last = memoryview(data), last
        if stream.wire_id:
            self.senders[stream.wire_id] = stream

    def forget(self, stream: Stream) -> None:
        """Send no further bytes of a body."""
        self.senders.pop(stream.wire_id, None)
        stream.upload = None

    def feed(self, engine: Engine, ahead: int) -> None:
        """Make frames of the bodies, each stream in turn; for the arguments see `begin`."""
        for wire_id, stream in list(self.senders.items()):
            if ahead >= WRITE_AHEAD:
                return
            upload, trailers = stream.upload, stream.request.trailers
            assert upload is not None
            assert upload.piece is not None
            turn = upload.piece[:BODY_TURN]
            last = upload.last and len(turn) == len(upload.piece)
            sent = engine.send(wire_id, turn, end_stream=last and not trailers)
            ahead += sent
            if sent < len(upload.piece):
                upload.piece = upload.piece[sent:]
                if sent:  # the other streams have their turn first
                    self.senders[wire_id] = self.senders.pop(wire_id)
                continue
            if last and trailers:
                engine.trailers(wire_id, trailers)
            upload.piece = None
            if upload.last:
                stream.upload = None
            del self.senders[wire_id]
            wake(stream)
