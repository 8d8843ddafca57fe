"""Flow control."""

from hyperframe.frame import (
    RstStreamFrame,
    SettingsFrame,
)

from hyperlite.errors import ErrorCode

from .case import CLEAR, Section, pattern
from .judging import Run
from .line import Line
from .scripts import MB

PROTOCOL = ErrorCode.PROTOCOL_ERROR
FRAME_SIZE = ErrorCode.FRAME_SIZE_ERROR
FLOW = ErrorCode.FLOW_CONTROL_ERROR

# -- flow ------------------------------------------------------------------------------------------

flow: Section = Section("flow")


@flow.case(
    "iws-0-then-grow",
    "ok",
    "RFC 9113 6.9.2; okhttp peerSetsZeroFlowControl",
    note="INITIAL_WINDOW_SIZE=0, after a moment 65535 by SETTINGS, POST 100 KB",
    upload=100_000,
)
def _(line: Line) -> None:
    stream_id = line.open(initial_window_size=0)
    line.window_update(0, 100_000)
    line.synchronise()
    raced = line.uploaded.get(stream_id, 0)
    line.synchronise()
    assert line.uploaded.get(stream_id, 0) == raced, "sent into a window of 0"
    line.send_settings(initial_window_size=65535)
    line.synchronise()
    assert line.uploaded[stream_id] == 65535
    line.window_update(stream_id, 100_000)
    line.until(lambda: stream_id in line.ended)
    line.ok(stream_id)


@flow.case(
    "iws-shrink-negative",
    "ok",
    "RFC 9113 6.9.2 windows can become negative; okhttp peerHttp2ServerLowersInitialWindowSize",
    note="65535 -> 0 after 20 KB were sent; then WINDOW_UPDATEs",
    upload=200_000,
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.until(lambda: line.uploaded.get(stream_id, 0) >= 20_000)
    line.send_settings(initial_window_size=0)
    line.window_update(0, 400_000)
    for _ in range(40):
        if stream_id in line.ended:
            break
        line.window_update(stream_id, 10_000)
        line.synchronise()
    line.until(lambda: stream_id in line.ended)
    line.ok(stream_id)


def within_window(limit: int) -> object:
    def check(run: Run) -> None:
        sent = run.lines[0].uploaded.get(1, 0)
        assert sent <= limit, f"{sent} bytes were sent into a window of {limit}"

    return check


@flow.case(
    "upload-honours-window",
    "timeout",
    "RFC 9113 6.9.1",
    upload=MB,
    timeout=0.6,
    after=False,
    over=(CLEAR,),
    check=within_window(1000),
)
def _(line: Line) -> None:
    line.greet(initial_window_size=1000)
    line.until(lambda: any("ACK" in frame.flags for frame in line.of(SettingsFrame)))
    # What was sent before these SETTINGS came is not held against the client.
    line.uploaded.clear()
    line.listen()


@flow.case("upload-window-one-byte-at-a-time", "ok", "RFC 9113 6.9", upload=300)
def _(line: Line) -> None:
    line.greet(initial_window_size=0)
    stream_id = line.request()
    while stream_id not in line.ended:
        line.window_update(stream_id, 1)
        line.pause(0.0005)
    line.ok(stream_id)


@flow.case("window-overflow-conn", "ok|error", "RFC 9113 6.9.1 >2^31-1: FLOW_CONTROL_ERROR (conn)")
def _(line: Line) -> None:
    stream_id = line.open()
    line.window_update(0, 2**31 - 1)
    line.ok(stream_id)


@flow.case(
    "window-overflow-conn-upload", "error", "RFC 9113 6.9.1; h2spec 6.9.1/2", upload=200_000, goaway=FLOW
)
def _(line: Line) -> None:
    line.open()
    line.window_update(0, 2**31 - 1)
    line.window_update(0, 2**31 - 1)
    line.listen()


@flow.case(
    "window-overflow-stream",
    "error",
    "RFC 9113 6.9.1 stream FLOW_CONTROL_ERROR; Go TestTransportWindowUpdateBeyondLimit",
    upload=200_000,
    rst=FLOW,
)
def _(line: Line) -> None:
    stream_id = line.open()
    for _ in range(2):
        line.window_update(stream_id, 2**31 - 1)
    line.until(lambda: bool(line.of(RstStreamFrame)))
    line.window_update(0, 200_000)


@flow.case(
    "window-overflow-by-settings",
    "error",
    "RFC 9113 6.9.2; h2spec 6.9.2: connection error",
    upload=200_000,
    goaway=FLOW,
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.window_update(stream_id, 2**31 - 1 - 65535)
    line.send_settings(initial_window_size=2**31 - 1)
    line.listen()


@flow.case("window-update-0-stream", "ok|error", "RFC 9113 6.9 increment 0: stream error; h2spec 6.9/2")
def _(line: Line) -> None:
    stream_id = line.open()
    line.window_update(stream_id, 0)
    line.ok(stream_id)


@flow.case("window-update-0-conn", "error", "RFC 9113 6.9; h2spec 6.9/1", goaway=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.window_update(0, 0)
    line.ok(stream_id)


@flow.case(
    "window-update-closed-stream", "ok", "RFC 9113 5.1: late WINDOW_UPDATE is ignored", count=2, alive=True
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.ok(stream_id)
    line.window_update(stream_id, 1000)
    line.ok(line.request())


@flow.case("window-update-idle-stream", "error", "RFC 9113 5.1; h2spec 5.1/3", goaway=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.window_update(stream_id + 100, 1000)
    line.ok(stream_id)


def ignore_window(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    size = line.case.body
    assert isinstance(size, int)
    for start in range(0, size, 16384):
        line.send_data(stream_id, pattern(16384, start), end_stream=start + 16384 == size)


flow.add(
    "client-window-ignored",
    "ok|error",
    "RFC 9113 6.9.1 FLOW_CONTROL_ERROR; Go takeInflows",
    ignore_window,
    note="the server sends the window + 8 MB without waiting",
    body=24 * MB,
    timeout=20,
)


@flow.case(
    "client-window-ignored-unread",
    "ok|error,error",
    "RFC 9113 6.9.1: a body that is not read must be an error, and memory bounded",
    note="60 MB on a stream that is not read, while a sibling is waited for",
    count=2,
    together=True,
)
def _(line: Line) -> None:
    line.greet()
    second, first = line.request(), line.request()
    line.send_headers(first)
    for _ in range(60):
        line.send_raw(line.frames.data(first, bytes(16384)) * 64)
        line.pause(0)
        if line.of(RstStreamFrame, first):
            break
    line.ok(second)


@flow.case(
    "stream-window-overrun-by-one", "ok|error", "RFC 9113 6.9.1", body=MB + 1, note="window + 1 byte at once"
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_raw(
        b"".join(line.frames.data(stream_id, pattern(16384, at)) for at in range(0, MB, 16384))
        + line.frames.data(stream_id, pattern(1, MB), end_stream=True)
    )


@flow.case(
    "hol-window",
    "ok",
    "okhttp blockedStreamDoesntStarveNewStream: the connection window must exceed the stream windows",
    note="A sends as much as its windows allow (<= 20 MB), B answers only after A is blocked",
    count=2,
    together=True,
    body=2 * MB,
)
def _(line: Line) -> None:
    line.greet()
    second, first = line.request(), line.request()  # the client asks for `second` before it reads `first`
    line.until(lambda: line.window[first] > 65535)
    window = min(line.window[first], line.window[0], 2 * MB)
    line.send_headers(first)
    line.send_headers(second)
    line.send_polite(first, window, end_stream=False)
    line.send_polite(second, 2 * MB)
    line.send_polite(first, 2 * MB, start=window)
