"""HTTP/2 without a socket: bytes in, events out; calls in, bytes out.

An engine is a plain object.  It never blocks, sleeps, locks or reads a clock, and it never raises
for what a peer sends: an error is an event, the last of its list.  The connection owns the engine and
calls it under its lock.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...messages.fields import Field
from ...messages.response_rules import MAX_FIELDS
from .interface import Engine
from .limits import Limits
from .windows import MAX_STREAM_WINDOW, STREAM_WINDOW

if TYPE_CHECKING:
    from ...observing import Frame

__all__ = ["Engine", "make_engine", "make_upgrading_engine", "with_trace", "without_trace"]

# Of one header list, by the measure of RFC 9113 section 10.5.1. okhttp 256 KiB, curl 300 KB, Go 10 MB.
MAX_HEADER_LIST = 256 << 10


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
    limits = Limits(stream_window, max_stream_window, max_header_list, max_fields)
    kind, options = _kind(os.environ.get("HYPERLITE_ENGINE", "native")), {"first_wire_id": first_wire_id}
    engine = _kind("h2")(limits, **options, enable_push=True) if enable_push else kind(limits, **options)
    return with_trace(engine, fresh=True) if trace else engine


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

    limits = Limits(STREAM_WINDOW, MAX_STREAM_WINDOW, max_header_list, max_fields)
    engine = H2Engine(limits, enable_push=enable_push, upgrade=fields)
    return with_trace(engine, fresh=True) if trace else engine, engine.upgrade_settings


def _kind(name: str) -> Callable[..., Engine]:
    """Return the class of an engine, imported here so that `import hyperlite` does not import h2."""
    if name == "native":
        from .native import NativeEngine  # noqa: PLC0415

        return NativeEngine
    if name == "h2":
        from .reference import H2Engine  # noqa: PLC0415

        return H2Engine
    raise ValueError(f"HYPERLITE_ENGINE={name!r} names no engine; there are: native, h2")


def with_trace(
    engine: Engine, sink: "Callable[[Frame], None] | None" = None, *, fresh: bool = False
) -> Engine:
    """Return the engine as one that tells each frame as it passes.

    Args:
        engine: the engine.
        sink: is given each frame; None: each is printed, as `set_debuglevel()` has it.
        fresh: nothing has passed yet.
    """
    from .trace import TracedEngine, show  # noqa: PLC0415  seldom needed

    sink = sink or show
    if not isinstance(engine, TracedEngine):
        return TracedEngine(engine, (sink,), fresh=fresh)
    if sink not in engine.sinks:
        engine.sinks += (sink,)
    return engine


def without_trace(engine: Engine) -> Engine:
    """Return the engine as one that prints nothing."""
    from .trace import TracedEngine, show  # noqa: PLC0415  seldom needed

    if not isinstance(engine, TracedEngine):
        return engine
    engine.sinks = tuple(sink for sink in engine.sinks if sink is not show)
    return engine if engine.sinks else engine.untraced
