"""Floods."""

import itertools
import os
import struct
from collections.abc import Callable

from hyperframe.frame import (
    ContinuationFrame,
    GoAwayFrame,
    PriorityFrame,
)

from hyperlite.errors import ErrorCode

from .case import BODY, CLEAR, Section
from .judging import Run
from .line import Line
from .scripts import promise

PROTOCOL = ErrorCode.PROTOCOL_ERROR
FRAME_SIZE = ErrorCode.FRAME_SIZE_ERROR
FLOW = ErrorCode.FLOW_CONTROL_ERROR

# What bounds a flood is the timeout or a counter, whichever comes first. After a timeout the flood goes on,
# so the counter may end the connection under the first of the requests that come after it.
flood: Section = Section(
    "flood",
    {
        "timeout": 1.0,
        "after": 2,
        "note": "no END_STREAM ever comes; it runs for 20 s or until the client goes",
        "over": (CLEAR,),
    },
)


def flooding(
    name: str,
    reference: str,
    frame: object,
    *,
    expected: str = "bounded",
    read: bool = True,
    headers: bool = False,
    chunk: int = 65536,
    **options: object,
) -> None:
    """Declare a flood: `frame(line, stream_id)` makes what is repeated."""

    def script(line: Line) -> None:
        stream_id = line.open()
        if headers:
            line.send_headers(stream_id)
        one = frame(line, stream_id)  # type: ignore[operator]
        if callable(one):
            line.flood(one, read=read)
        else:
            line.flood(one * max(1, chunk // len(one)), read=read)

    flood.add(name, expected, reference, script, **options)


flooding("ping-flood", "CVE-2019-9512", lambda line, _: line.frames.ping())
flooding(
    "ping-flood-noread",
    "CVE-2019-9512 (server does not read the ACKs)",
    lambda line, _: line.frames.ping(),
    read=False,
)
flooding("ping-ack-flood", "RFC 9113 10.5", lambda line, _: line.frames.ping(ack=True))
flooding("settings-flood", "CVE-2019-9515", lambda line, _: line.frames.settings(max_concurrent_streams=100))
flooding(
    "settings-flood-noread",
    "CVE-2019-9515",
    lambda line, _: line.frames.settings(max_concurrent_streams=100),
    read=False,
)
flooding("settings-empty-flood", "CVE-2019-9515", lambda line, _: line.frames.settings())
flooding("settings-ack-flood", "RFC 9113 10.5", lambda line, _: line.frames.settings_ack())
flooding(
    "settings-window-flood",
    "RFC 9113 10.5: each changes every stream's window",
    lambda line, _: line.frames.settings(initial_window_size=1) + line.frames.settings(initial_window_size=2),
)
flooding(
    "padding-data-flood",
    "CVE-2019-9518; Go TestTransportReturnsDataPaddingFlowControl",
    lambda line, stream: line.frames.data(stream, b"", padding=255),
    headers=True,
)
flooding("empty-data-flood", "CVE-2019-9518", lambda line, stream: line.frames.data(stream), headers=True)
flooding(
    "one-byte-data-flood",
    "CVE-2019-9511 (receiver); memory: 1 object a byte",
    lambda line, stream: line.frames.data(stream, b"x"),
    headers=True,
)


@flood.case(
    "data-flood-deadline",
    "bounded",
    "curl --max-time: a body without end is no flood, and only a deadline ends it",
    deadline=1.0,
    memory=2048,  # read() takes all of it into memory
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_polite(stream_id, 1 << 40)


flooding(
    "one-byte-padded-flood",
    "CVE-2019-9511: 256 bytes on the wire for each byte",
    lambda line, stream: line.frames.data(stream, b"x", padding=255),
    headers=True,
)
flooding(
    "rst-flood",
    "CVE-2019-9514 / -2023-44487 (as seen by a client)",
    lambda line, stream: line.frames.rst(stream, 8),
)
flooding(
    "rst-idle-flood",
    "RFC 9113 5.1",
    lambda line, stream: line.frames.rst(stream + 2, 8),
    expected="error",
    goaway=PROTOCOL,
)
flooding(
    "window-update-flood",
    "CVE-2019-9513-like; nghttp2 glitch counter",
    lambda line, _: line.frames.window_update(0, 1),
)
flooding(
    "window-update-stream-flood",
    "as window-update-flood",
    lambda line, stream: line.frames.window_update(stream, 1),
)
flooding(
    "priority-flood",
    "CVE-2019-9513",
    lambda line, stream: line.frames.raw(PriorityFrame.type, 0, stream, struct.pack(">LB", 0, 7)),
)


def idle_priorities(line: Line, _stream: int) -> Callable[[], bytes]:
    numbers = itertools.count(101, 2)
    return lambda: b"".join(
        line.frames.raw(PriorityFrame.type, 0, next(numbers), struct.pack(">LB", 0, 7)) for _ in range(1000)
    )


flooding(
    "priority-idle-flood",
    "CVE-2019-9513: each on another stream",
    idle_priorities,
)
flooding("unknown-frame-flood", "RFC 9113 10.5", lambda line, _: line.frames.raw(0xFA, 0, 0, b"x" * 100))
flooding(
    "unknown-frame-large-flood",
    "RFC 9113 10.5",
    lambda line, _: line.frames.raw(0xFA, 0, 0, bytes(line.max_frame)),
)
flooding(
    "settings-large-flood",
    "CVE-2019-9515: 10,922 settings in each frame",
    lambda line, _: line.frames.settings([(3, 100)] * (line.max_frame // 6)),
)
flooding("altsvc-flood", "RFC 7838, 10.5", lambda line, _: line.frames.raw(0xA, 0, 0, b"\0\1a" + b"x" * 50))
flooding("goaway-flood", "nghttp2 glitch counter", lambda line, stream: line.frames.goaway(stream))
flooding(
    "goaway-debug-flood", "RFC 9113 6.8", lambda line, stream: line.frames.goaway(stream, 0, bytes(16000))
)
flooding(
    "informational-flood",
    "urllib3, Go: 1xx are bounded",
    lambda line, stream: line.frames.headers(stream, [(":status", "103")]),
)
flooding(
    "informational-large-flood",
    "Go: 1xx header bytes are bounded together",
    lambda line, stream: line.frames.headers(stream, [(":status", "103"), ("link", "x" * 10000)]),
)


@flood.case("unknown-stream-data-flood", "bounded", "Go processData: returns flow control or errors")
def _(line: Line) -> None:
    stream_id = line.open()
    line.rst(stream_id, ErrorCode.CANCEL)
    late = line.frames.data(stream_id, bytes(1000))
    line.flood(late * 60)


@flood.case("even-stream-data-flood", "error", "RFC 9113 5.1.1", goaway=PROTOCOL)
def _(line: Line) -> None:
    line.open()
    line.flood(line.frames.data(2, bytes(1000)) * 60)


@flood.case("continuation-flood", "bounded", "VU#421644 (CVE-2024-27983/-27919/-28182/2023-45288)")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, end_headers=False)
    field = b"\x40\x03x-a" + b"\x7f\x81\x1f" + b"y" * 4096
    line.flood(line.frames.raw(ContinuationFrame.type, 0, stream_id, field) * 16)


@flood.case("continuation-empty-flood", "bounded", "CVE-2019-9518 / VU#421644")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, end_headers=False)
    line.flood(line.frames.raw(ContinuationFrame.type, 0, stream_id, b"") * 4096)


@flood.case("continuation-1-byte-flood", "bounded", "VU#421644")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, end_headers=False)
    line.flood(line.frames.raw(ContinuationFrame.type, 0, stream_id, b"\x88") * 4096)


@flood.case("trailers-flood", "bounded", "RFC 9113 8.1", note="header block after header block")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.flood(lambda: b"".join(line.frames.headers(stream_id, [("x-trailer", "1")]) for _ in range(500)))


@flood.case("trailers-continuation-flood", "bounded", "VU#421644, in trailers")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_data(stream_id, BODY)
    line.send_headers(stream_id, [("x-a", "b")], end_stream=True, end_headers=False)
    line.flood(
        line.frames.raw(ContinuationFrame.type, 0, stream_id, b"\x40\x03x-a\x7f\x81\x1f" + b"y" * 4096) * 16
    )


def refused_promise(run: Run) -> None:
    codes = {frame.error_code for frame in run.sent(GoAwayFrame)}
    assert codes & {ErrorCode.PROTOCOL_ERROR}, f"GOAWAY {codes}"


@flood.case(
    "push-flood",
    "error",
    "RFC 9113 6.6/8.4: PUSH_PROMISE with ENABLE_PUSH=0 acknowledged is PROTOCOL_ERROR",
    check=refused_promise,
)
def _(line: Line) -> None:
    line.open()
    counter = itertools.count(2, 2)
    line.flood(lambda: b"".join(promise(line, next(counter)) for _ in range(500)))


@flood.case("push-flood-noread", "error", "as push-flood, and the server does not read")
def _(line: Line) -> None:
    line.open()
    counter = itertools.count(2, 2)
    line.flood(lambda: b"".join(promise(line, next(counter)) for _ in range(500)), read=False)


@flood.case("random-flood", "error", "RFC 9113 3.4", goaway=(PROTOCOL, FRAME_SIZE))
def _(line: Line) -> None:
    line.open()
    line.flood(lambda: os.urandom(65536))
