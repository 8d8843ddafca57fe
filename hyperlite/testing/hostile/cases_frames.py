"""Frames that are wrong, or only strange."""

import random
import struct

from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    WindowUpdateFrame,
)

from hyperlite.errors import ErrorCode

from .case import BODY, CLEAR, Section, pattern
from .judging import Run
from .line import Gone, Line
from .scripts import promise

PROTOCOL = ErrorCode.PROTOCOL_ERROR
FRAME_SIZE = ErrorCode.FRAME_SIZE_ERROR
CLOSED = ErrorCode.STREAM_CLOSED
# A payload as long as the client takes, and one that is longer.
LARGEST, TOO_LARGE = 0, 1
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8
MB = 1 << 20

frames: Section = Section("frames")


@frames.case(
    "garbage", "error", "RFC 9113 3.4", note="random bytes in place of frames", goaway=(PROTOCOL, FRAME_SIZE)
)
def _(line: Line) -> None:
    line.send_raw(random.Random(1).randbytes(1000))
    line.listen()


@frames.case("garbage-after-settings", "error", "RFC 9113 4.1", goaway=(PROTOCOL, FRAME_SIZE))
def _(line: Line) -> None:
    line.open()
    line.send_raw(b"\xff" * 1000)
    line.listen()


@frames.case("zeros", "error", "RFC 9113 3.4", note="a DATA frame of no bytes on stream 0", goaway=PROTOCOL)
def _(line: Line) -> None:
    line.send_raw(bytes(9))
    line.listen()


def names_http1(run: Run) -> None:
    detail = run.outcomes[0].detail
    assert "NotHTTP2" in detail, detail
    assert "HTTP/1" in detail, detail


@frames.case("http11-reply", "error", "Go TestTransportFailureErrorForHTTP1Response", check=names_http1)
def _(line: Line) -> None:
    line.send_raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    line.hang_up()


@frames.case(
    "http11-reply-open",
    "error",
    'as http11-reply; "HTT" parses as a 4.7 MB frame: must not wait for it',
    note="the same, connection kept open",
    goaway=PROTOCOL,
    check=names_http1,
)
def _(line: Line) -> None:
    line.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    line.listen()


@frames.case("http10-reply-drip", "error", "as http11-reply", check=names_http1)
def _(line: Line) -> None:
    for byte in b"HTTP/1.0 200 OK\r\n\r\n":
        line.send_raw(bytes([byte]))
        line.pause(0.001)
    line.listen()


@frames.case("http11-reply-no-newline", "error", "the line need not be whole", goaway=PROTOCOL)
def _(line: Line) -> None:
    line.send_raw(b"HTTP/1.1 4")
    line.listen()


@frames.case("smtp-greeting", "error", "another protocol altogether", goaway=PROTOCOL)
def _(line: Line) -> None:
    line.send_raw(b"220 mail.example ESMTP\r\n")
    line.listen()


@frames.case("tls-alert-in-cleartext", "error", "a TLS server spoken to in cleartext", over=(CLEAR,))
def _(line: Line) -> None:
    line.send_raw(b"\x15\x03\x01\x00\x02\x02\x46")
    line.hang_up()


def single(
    name: str,
    expected: str,
    reference: str,
    kind: int,
    flags: int,
    stream: int | None,
    payload: bytes | int,
    **options: object,
) -> None:
    """Declare a case with one odd frame between request and response.

    `stream` None is the request's; a payload that is a number has so many bytes more than the client takes.
    """

    def script(line: Line) -> None:
        stream_id = line.open()
        data = bytes(line.max_frame + payload) if isinstance(payload, int) else payload
        line.send_frame(kind, flags, stream_id if stream is None else stream, data)
        line.ok(stream_id)

    frames.add(name, expected, reference, script, **options)


DATA, HEADERS, PRIORITY, RST = DataFrame.type, HeadersFrame.type, PriorityFrame.type, RstStreamFrame.type
PUSH, PING, GOAWAY = PushPromiseFrame.type, PingFrame.type, GoAwayFrame.type
WINDOW, CONTINUATION = WindowUpdateFrame.type, ContinuationFrame.type

for _name, _reference, _kind, _flags, _stream, _payload, _code in (
    ("headers-stream-0", "RFC 9113 6.2; h2spec 6.2/3", HEADERS, END_HEADERS, 0, b"\x88", PROTOCOL),
    ("data-stream-0", "RFC 9113 6.1; h2spec 6.1/1", DATA, 0, 0, b"x", PROTOCOL),
    ("data-idle-stream", "RFC 9113 5.1; h2spec 5.1/1", DATA, 0, 99, b"x", PROTOCOL),
    ("headers-idle-stream", "RFC 9113 5.1.1", HEADERS, END_HEADERS, 99, b"\x88", PROTOCOL),
    ("rst-length-3", "RFC 9113 6.4; h2spec 6.4/3", RST, 0, None, b"\0\0\0", FRAME_SIZE),
    ("rst-length-5", "RFC 9113 6.4", RST, 0, None, bytes(5), FRAME_SIZE),
    ("rst-stream-0", "RFC 9113 6.4; h2spec 6.4/1", RST, 0, 0, bytes(4), PROTOCOL),
    ("window-update-length-3", "RFC 9113 6.9; h2spec 6.9/3", WINDOW, 0, 0, b"\0\0\1", FRAME_SIZE),
    ("window-update-length-5", "RFC 9113 6.9", WINDOW, 0, None, b"\0\0\0\1\1", FRAME_SIZE),
    ("goaway-length-7", "RFC 9113 6.8", GOAWAY, 0, 0, bytes(7), FRAME_SIZE),
    ("goaway-on-stream", "RFC 9113 6.8; h2spec 6.8/1", GOAWAY, 0, 1, bytes(8), PROTOCOL),
    ("ping-length-7", "RFC 9113 6.7; h2spec 6.7/4", PING, 0, 0, bytes(7), FRAME_SIZE),
    ("ping-length-9", "RFC 9113 6.7", PING, 0, 0, bytes(9), FRAME_SIZE),
    ("ping-on-stream", "RFC 9113 6.7; h2spec 6.7/3", PING, 0, 1, bytes(8), PROTOCOL),
    ("priority-stream-0", "RFC 9113 6.3; h2spec 6.3/1", PRIORITY, 0, 0, bytes(5), PROTOCOL),
    (
        "continuation-alone",
        "RFC 9113 6.10; h2spec 6.10/5",
        CONTINUATION,
        END_HEADERS,
        None,
        b"\x88",
        PROTOCOL,
    ),
    (
        "continuation-stream-0",
        "RFC 9113 6.10; h2spec 6.10/4",
        CONTINUATION,
        END_HEADERS,
        0,
        b"\x88",
        PROTOCOL,
    ),
    (
        "padding-too-long-data",
        "RFC 9113 6.1 PROTOCOL_ERROR; h2spec 6.1/3",
        DATA,
        PADDED,
        None,
        b"\x05abc",
        PROTOCOL,
    ),
    ("push-promise-stream-0", "RFC 9113 6.6", PUSH, END_HEADERS, 0, bytes(4) + b"\x88", PROTOCOL),
    ("push-promise-short", "RFC 9113 6.6", PUSH, END_HEADERS, None, b"\0\0", (FRAME_SIZE, PROTOCOL)),
):
    single(_name, "error", _reference, _kind, _flags, _stream, _payload, goaway=_code)

single(
    "padding-empty-data",
    "error",
    "RFC 9113 6.1: no room for the pad length",
    DATA,
    PADDED,
    None,
    b"",
    goaway=(PROTOCOL, FRAME_SIZE),
)
single("headers-even-stream", "ok|error", "RFC 9113 5.1.1", HEADERS, END_HEADERS, 2, b"\x88")
single("rst-even-stream", "ok|error", "RFC 9113 5.1.1", RST, 0, 2, bytes(4))
single("window-update-even-stream", "ok|error", "RFC 9113 5.1.1", WINDOW, 0, 2, b"\0\0\0\1")
single("priority-length-4", "ok|error", "RFC 9113 6.3", PRIORITY, 0, 1, bytes(4))
single("priority-self", "ok|error", "RFC 9113 5.3; h2spec 5.3.1/2", PRIORITY, 0, 1, struct.pack(">LB", 1, 1))
single("priority-idle", "ok", "RFC 9113 6.3: in any state", PRIORITY, 0, 99, bytes(5), alive=True)
single("priority-update", "ok|error", "RFC 9218 7: from clients only", 0x10, 0, 0, b"\0\0\0\1u=1")
single(
    "ping-ack-unsolicited",
    "ok",
    "RFC 9113 6.7",
    PING,
    1,
    0,
    b"whatever",
    note="okhttp unexpectedPongIsNotReturned",
    alive=True,
)
single("unknown-frame", "ok", "RFC 9113 5.5 ignored; h2spec 4.1/1", 0xFA, 0xFF, 0, b"anything", alive=True)
single("unknown-frame-on-stream", "ok", "RFC 9113 5.5", 0xFA, 0, None, b"anything", alive=True)
single("unknown-frame-16k", "ok", "RFC 9113 4.2", 0xFA, 0, 0, bytes(16384), alive=True)
single("unknown-frame-largest", "ok", "RFC 9113 4.2", 0xFA, 0, 0, LARGEST, alive=True)
single("unknown-frame-too-large", "error", "RFC 9113 4.2", 0xFA, 0, 0, TOO_LARGE, goaway=FRAME_SIZE)
single(
    "frame-too-large-data", "error", "RFC 9113 4.2; h2spec 4.2/2", DATA, 0, None, TOO_LARGE, goaway=FRAME_SIZE
)
single(
    "frame-too-large-headers",
    "error",
    "RFC 9113 4.2; h2spec 4.2/3",
    HEADERS,
    END_HEADERS,
    None,
    TOO_LARGE,
    goaway=FRAME_SIZE,
)
single("ping-unknown-flags", "ok", "RFC 9113 4.1; h2spec 4.1/2", PING, 0xFE, 0, b"whatever", alive=True)


@frames.case("altsvc-origin", "ok", "RFC 7838, 8336", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_frame(0xA, 0, 0, b"\0\x09localhost" + b'h2=":1"')
    line.send_frame(0xA, 0, stream_id, b"\0\0" + b'h2=":1"')
    line.send_frame(0xC, 0, 0, b"\0\x13https://example.com")
    line.ok(stream_id)


@frames.case("altsvc-truncated", "ok|error", "RFC 7838 4: invalid frames are ignored")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_frame(0xA, 0, 0, b"\0\xff")
    line.send_frame(0xA, 0, 0, b"")
    line.ok(stream_id)


@frames.case("unknown-flags", "ok", "RFC 9113 4.1 ignored", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_frame(HEADERS, END_HEADERS | 0xC2, stream_id, line.frames.block([(":status", "200")]))
    line.send_frame(DATA, END_STREAM | 0xF6, stream_id, BODY)


@frames.case("reserved-bit", "ok|error", "RFC 9113 4.1 ignored")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id | 1 << 31)
    line.send_data(stream_id | 1 << 31, BODY, end_stream=True)


@frames.case("reserved-bit-window-update", "ok", "RFC 9113 6.9: ignored", upload=100_000)
def _(line: Line) -> None:
    stream_id = line.open()
    for one in (0, stream_id):
        line.send_frame(WINDOW, 0, one, struct.pack(">L", 1 << 31 | 100_000))
    line.until(lambda: stream_id in line.ended)
    line.ok(stream_id)


@frames.case(
    "frame-too-large-stalled",
    "error",
    "RFC 9113 4.2: refuse at the header, do not buffer or wait",
    note="frame header of 16777215 and 10 bytes, then silence",
    goaway=FRAME_SIZE,
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_raw(b"\xff\xff\xff\0\0" + struct.pack(">L", stream_id) + bytes(10))
    line.listen()


@frames.case("frame-too-large-first", "error", "RFC 9113 4.2: SETTINGS of 16 MB", goaway=FRAME_SIZE)
def _(line: Line) -> None:
    line.send_raw(b"\xff\xff\xff\x04\0\0\0\0\0")
    line.listen()


@frames.case(
    "padding-ok", "ok", "RFC 9113 6.1; Go TestTransportReturnsDataPaddingFlowControl", body=2_000_000
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    for start in range(0, 2_000_000, 1000):
        line.until(lambda: min(line.window[0], line.window[stream_id]) >= 1256)
        line.window[0] -= 1256
        line.window[stream_id] -= 1256
        line.send_data(stream_id, pattern(1000, start), padding=255, end_stream=start == 1_999_000)


@frames.case("padding-only-frames", "ok", "RFC 9113 6.1", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_data(stream_id, b"", padding=0)
    line.send_data(stream_id, b"", padding=255)
    line.send_data(stream_id, BODY)
    line.send_data(stream_id, b"", padding=10, end_stream=True)


@frames.case("padding-non-zero", "ok|error", "RFC 9113 6.1: MAY be verified")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_frame(DATA, PADDED | END_STREAM, stream_id, b"\x03" + BODY + b"abc")


@frames.case("headers-after-end-stream", "ok|error", 'RFC 9113 5.1; Go "headers after END_STREAM"', count=2)
def _(line: Line) -> None:
    stream_id = line.open()
    line.ok(stream_id)
    line.send_headers(stream_id, end_stream=True)


@frames.case("data-after-end-stream", "ok|error", "RFC 9113 5.1; h2spec 5.1/7", count=2)
def _(line: Line) -> None:
    stream_id = line.open()
    line.ok(stream_id)
    line.send_data(stream_id, BODY)


@frames.case("headers-after-end-stream-upload", "ok|error", "RFC 9113 5.1 half-closed (remote)", upload=MB)
def _(line: Line) -> None:
    stream_id = line.open()
    line.ok(stream_id)
    line.send_headers(stream_id)
    line.send_data(stream_id, BODY)
    line.window_update(0, MB)


@frames.case(
    "data-after-client-rst",
    "ok",
    "RFC 9113 5.1: frames in flight after our RST are ignored but counted; Go processData",
    count=2,
)
def _(line: Line) -> None:
    line.greet()
    for _ in range(2):
        line.ok(line.request())


@frames.case("late-frames-after-malformed", "error,ok", "RFC 9113 5.1", count=2, rst=PROTOCOL)
def _(line: Line) -> None:
    first = line.open()
    line.send_headers(first, [(":status", "20")])
    line.send_data(first, bytes(10000))
    line.window_update(first, 1000)
    line.until(lambda: bool(line.of(RstStreamFrame)))
    line.send_data(first, bytes(10000))
    line.send_headers(first, [("late", "trailer")], end_stream=True)
    line.rst(first, ErrorCode.CANCEL)
    line.ok(line.request())


@frames.case("push-promise-unasked", "error", "RFC 9113 6.6: ENABLE_PUSH=0 was acknowledged", goaway=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_raw(promise(line, 2, stream_id))
    line.ok(stream_id)


@frames.case(
    "push-promise-before-ack", "error", "RFC 9113 6.6", goaway=PROTOCOL, note="ENABLE_PUSH=0 not acknowledged"
)
def _(line: Line) -> None:
    line.auto_ack = False
    stream_id = line.open()
    line.send_raw(promise(line, 2, stream_id))
    line.ok(stream_id)


def interrupted(name: str, reference: str, make: object) -> None:
    """Declare a header block with another frame in its midst."""

    def script(line: Line) -> None:
        stream_id = line.open()
        line.send_headers(stream_id, end_headers=False)
        line.send_raw(make(line, stream_id))  # type: ignore[operator]
        line.send_raw(line.frames.continuation(stream_id, line.frames.block([("x", "y")])))
        line.send_data(stream_id, BODY, end_stream=True)

    frames.add(name, "error", reference, script, goaway=PROTOCOL)


interrupted(
    "block-interrupted-by-data",
    "RFC 9113 6.10; h2spec 6.10/6",
    lambda line, stream: line.frames.data(stream, b"x"),
)
interrupted("block-interrupted-by-headers", "RFC 9113 6.10", lambda line, stream: line.frames.headers(stream))
interrupted("block-interrupted-by-ping", "RFC 9113 6.10", lambda line, _: line.frames.ping())
interrupted("block-interrupted-by-goaway", "RFC 9113 6.10", lambda line, _: line.frames.goaway(1))
interrupted("block-interrupted-by-rst", "RFC 9113 6.10", lambda line, stream: line.frames.rst(stream))
interrupted("block-interrupted-by-unknown", "RFC 9113 5.5", lambda line, _: line.frames.raw(0xFA))
interrupted(
    "block-continued-elsewhere",
    "RFC 9113 6.10; h2spec 6.10/3",
    lambda line, _: line.frames.continuation(99, b""),
)


@frames.case("continuation-after-end-headers", "error", "RFC 9113 6.10; h2spec 6.10/2", goaway=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_raw(line.frames.continuation(stream_id, line.frames.block([("x", "y")])))
    line.listen()


@frames.case("client-preface-back", "error", "RFC 9113 3.4", goaway=(PROTOCOL, FRAME_SIZE))
def _(line: Line) -> None:
    line.send_raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    line.listen()


@frames.case("echo", "error", "everything that the client says comes back", goaway=(PROTOCOL, FRAME_SIZE))
def _(line: Line) -> None:
    while data := line.sock.recv(65536):
        line.reader.feed(data)
        line.send_raw(data)
        while (frame := line.reader.next()) is not None:
            line.note(frame)
    raise Gone
