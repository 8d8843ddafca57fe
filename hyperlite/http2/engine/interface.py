"""What an engine can do; `native` and `reference` do it."""

from collections.abc import Sequence
from typing import Protocol

from ...messages.fields import Field
from .events import Event
from .limits import PeerSettings


class Engine(Protocol):
    """One HTTP/2 connection, seen from the client."""

    @property
    def pending(self) -> bytes:
        """The bytes of a frame that is not complete yet, or a header for the rest of one."""
        ...

    @property
    def peer(self) -> PeerSettings:
        """What the peer's SETTINGS say."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether the stream numbers of this connection are used up (RFC 9113 section 5.1.1)."""
        ...

    def open(self, fields: Sequence[Field], *, end_stream: bool) -> int:
        """Send a request's header block; returns the wire id."""
        ...

    def send(self, wire_id: int, data: bytes | memoryview, *, end_stream: bool) -> int:
        """Send as much of the body as the windows allow; returns how many bytes that was.

        END_STREAM goes out with the last of them, when all have gone.
        """
        ...

    def trailers(self, wire_id: int, fields: Sequence[Field]) -> None:
        """Send a trailer section, which ends the stream."""
        ...

    def reset(self, wire_id: int, error_code: int) -> None:
        """Send RST_STREAM and forget the stream; nothing if it is over already."""
        ...

    def forget(self, wire_id: int) -> None:
        """Forget a stream without a word, which the peer's GOAWAY has excluded."""
        ...

    def credit(self, wire_id: int, size: int) -> None:
        """Take note that the reader consumed `size` bytes of a body: the peer may send as many again."""
        ...

    def window_left(self, wire_id: int) -> int:
        """Return how many bytes the peer may still send on an open stream."""
        ...

    def grow(self, wire_id: int) -> None:
        """Take note that a stream's reader waits with nothing to read: its window may be too narrow."""
        ...

    def prioritize(self, wire_id: int, value: bytes) -> None:
        """Send PRIORITY_UPDATE (RFC 9218 section 7.1) with a value of the `priority` field."""
        ...

    def ping(self, payload: bytes) -> None:
        """Send a PING of eight bytes."""
        ...

    def pause(self) -> None:
        """Take note that the peer paused before what comes next: it does not flood."""
        ...

    def receive(self, *pieces: bytes) -> list[Event]:
        """Take what came from the socket, in one piece or several; return the events that it makes."""
        ...

    def take(self) -> bytes:
        """Return the bytes to be sent, and forget them."""
        ...

    def close(self, error_code: int = 0) -> None:
        """Send GOAWAY; the connection sends and takes nothing more."""
        ...
