"""HTTP/2 without a socket: bytes in, events out; calls in, bytes out.

An engine is a plain object.  It never blocks, sleeps, locks or reads a clock, and it never raises
for what a peer sends: an error is an event, the last of its list.  The connection owns the engine and
calls it under its lock.
"""

import os
from collections.abc import Callable, Sequence
from typing import Protocol

from ...messages.fields import Field
from ...messages.response_rules import MAX_FIELDS
from .events import Event
from .windows import MAX_STREAM_WINDOW, STREAM_WINDOW

__all__ = ["Engine", "make_engine", "make_upgrading_engine", "with_trace", "without_trace"]

# Of one header list, by the measure of RFC 9113 section 10.5.1. okhttp 256 KiB, curl 300 KB, Go 10 MB.
MAX_HEADER_LIST = 256 << 10


class Engine(Protocol):
    """One HTTP/2 connection, seen from the client."""

    @property
    def pending(self) -> bytes:
        """The bytes of a frame that is not complete yet, or a header for the rest of one."""
        ...

    @property
    def max_concurrent_streams(self) -> int:
        """How many streams the peer lets us have open at once; 100 until its SETTINGS come."""
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

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the socket; return the events that they make."""
        ...

    def take(self) -> bytes:
        """Return the bytes to be sent, and forget them."""
        ...

    def close(self, error_code: int = 0) -> None:
        """Send GOAWAY; the connection sends and takes nothing more."""
        ...


def make_engine(
    *,
    stream_window: int = STREAM_WINDOW,
    max_stream_window: int = MAX_STREAM_WINDOW,
    max_header_list: int = MAX_HEADER_LIST,
    max_fields: int = MAX_FIELDS,
    first_wire_id: int = 1,
    enable_push: bool = False,
    trace: bool = False,
) -> Engine:
    """Return the engine that HYPERLITE_ENGINE names, or the default one.

    Args:
        stream_window: bytes that the peer may send on a stream before its reader has read any.
        max_stream_window: bytes that the window may grow to while its reader waits.
        max_header_list: bytes of one decoded header list (RFC 9113 section 10.5.1).
        max_fields: fields of one header block.
        first_wire_id: the number of the first stream, odd.
        enable_push: let the peer push responses (RFC 9113 section 8.4); H2Engine alone can.
        trace: print each frame as it passes.

    Raises:
        ValueError: HYPERLITE_ENGINE names no engine.
    """
    options = {
        "stream_window": stream_window,
        "max_stream_window": max_stream_window,
        "max_header_list": max_header_list,
        "max_fields": max_fields,
        "first_wire_id": first_wire_id,
    }
    kind = _kind(os.environ.get("HYPERLITE_ENGINE", "native"))
    engine = _kind("h2")(**options, enable_push=True) if enable_push else kind(**options)
    return with_trace(engine) if trace else engine


def make_upgrading_engine(
    fields: Sequence[Field],
    *,
    max_header_list: int = MAX_HEADER_LIST,
    max_fields: int = MAX_FIELDS,
    enable_push: bool = False,
    trace: bool = False,
) -> tuple[Engine, bytes]:
    """Return an engine for a connection whose first request was made on HTTP/1.1 (RFC 7540 section 3.2).

    Args:
        fields: of that request; its response comes on stream 1.
        max_header_list, max_fields, enable_push, trace: as for `make_engine`.

    Returns:
        An H2Engine, and the value of the `HTTP2-Settings` field that the request must have.
    """
    from .reference import H2Engine  # noqa: PLC0415

    engine = H2Engine(
        stream_window=STREAM_WINDOW,
        max_stream_window=MAX_STREAM_WINDOW,
        max_header_list=max_header_list,
        max_fields=max_fields,
        first_wire_id=1,
        enable_push=enable_push,
        upgrade=fields,
    )
    return with_trace(engine) if trace else engine, engine.upgrade_settings


def _kind(name: str) -> Callable[..., Engine]:
    """Return the class of an engine, imported here so that `import hyperlite` does not import h2."""
    if name == "native":
        from .native import NativeEngine  # noqa: PLC0415

        return NativeEngine
    if name == "h2":
        from .reference import H2Engine  # noqa: PLC0415

        return H2Engine
    raise ValueError(f"HYPERLITE_ENGINE={name!r} names no engine; there are: native, h2")


def with_trace(engine: Engine) -> Engine:
    """Return the engine as one that prints each frame as it passes."""
    from .trace import TracedEngine  # noqa: PLC0415  seldom needed

    return engine if isinstance(engine, TracedEngine) else TracedEngine(engine)


def without_trace(engine: Engine) -> Engine:
    """Return the engine as one that prints nothing."""
    from .trace import TracedEngine  # noqa: PLC0415  seldom needed

    return engine.untraced if isinstance(engine, TracedEngine) else engine
