"""TCP, and silence."""

import time

from hyperframe.frame import RstStreamFrame, SettingsFrame

from hyperlite.errors import ErrorCode

from .case import BODY, BOTH, CLEAR, Section, pattern
from .judging import Run
from .line import Gone, Line
from .scripts import KB, LATER, MB, give_back, short

# -- tcp -------------------------------------------------------------------------------------------

tcp: Section = Section("tcp", {"alive": False})


@tcp.case("tcp-close-before-settings", "error", "RFC 9113 9.1", every=True, after=False)
def _(line: Line) -> None:
    line.hang_up()


@tcp.case("tcp-reset-before-settings", "error", "RFC 9113 9.1", every=True, after=False)
def _(line: Line) -> None:
    line.reset_tcp()
    raise Gone


@tcp.case("tcp-close-after-settings", "error", "RFC 9113 9.1", every=True, after=False)
def _(line: Line) -> None:
    line.greet()
    line.hang_up()


@tcp.case("tcp-close-after-request", "error", "RFC 9113 8.7 (may have been processed)")
def _(line: Line) -> None:
    line.open()
    line.finish()
    line.hang_up()


@tcp.case("tcp-reset-after-request", "error", "RFC 9113 8.7")
def _(line: Line) -> None:
    line.open()
    line.reset_tcp()
    raise Gone


@tcp.case("tcp-close-mid-upload", "error", "RFC 9113 8.7", upload=4 * MB)
def _(line: Line) -> None:
    stream_id = line.open()
    line.until(lambda: line.uploaded.get(stream_id, 0) >= 30 * KB)
    line.hang_up()


@tcp.case(
    "stale-fin",
    "ok",
    "okhttp/Go/urllib3: an idle connection closed by the peer is replaced",
    note="answers 1, FIN while idle; the 2nd request must go to a new connection",
    count=2,
    gated=True,
)
def _(line: Line) -> None:
    line.ok(line.open())
    line.hang_up()


@tcp.case("stale-rst", "ok", "as stale-fin, with TCP RST", count=2, gated=True, over=(CLEAR,))
def _(line: Line) -> None:
    line.ok(line.open())
    line.until(lambda: any("ACK" in frame.flags for frame in line.of(SettingsFrame)))
    line.reset_tcp()
    line.gate.set()
    raise Gone


@tcp.case(
    "stale-blackhole",
    "ok, ok|timeout|retry",
    "Go ReadIdleTimeout/PingTimeout 15 s; okhttp pingInterval",
    note="answers 1 then never again, socket open; 2nd request must time out, or be retried elsewhere",
    count=2,
    timeout=LATER,
    alive=None,
)
def _(line: Line) -> None:
    line.ok(line.open())
    line.listen()


@tcp.case(
    "stale-blackhole-reuse",
    "ok|timeout|error, ok",
    "okhttp streamTimeoutDegradesConnectionAfterNoPong; Go TestTransportConnBecomesUnresponsive",
    note="1st connection: stalls; others behave. Not reused unseen after a timeout",
    count=2,
    timeout=LATER,
)
def _(line: Line) -> None:
    line.open()
    line.listen()


@tcp.case("tcp-fin-mid-body-cl", "error", "RFC 9113 8.1.1", body=1000)
def _(line: Line) -> None:
    short(line)
    line.finish()
    line.hang_up()


@tcp.case("tcp-fin-mid-body-no-cl", "error", "RFC 9113 8.1.1: no END_STREAM")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_data(stream_id, BODY)
    line.hang_up()


@tcp.case(
    "tcp-fin-after-whole-length", "error", "RFC 9113 8.1.1: all of content-length, no END_STREAM", body=1000
)
def _(line: Line) -> None:
    short(line, 1000)
    line.hang_up()


@tcp.case("tcp-fin-before-trailers", "error", "RFC 9113 8.1: a header block without its end")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_data(stream_id, BODY)
    line.send_headers(stream_id, [("x-sum", "1")], end_stream=True, end_headers=False)
    line.hang_up()


@tcp.case("tcp-fin-mid-frame", "error", "RFC 9113 4.1", body=1000)
def _(line: Line) -> None:
    stream_id = short(line)
    line.send_raw(line.frames.data(stream_id, pattern(500, 500), end_stream=True)[:100])
    line.hang_up()


@tcp.case("tcp-fin-mid-frame-header", "error", "RFC 9113 4.1", body=1000)
def _(line: Line) -> None:
    stream_id = short(line)
    line.send_raw(line.frames.data(stream_id, pattern(500, 500), end_stream=True)[:5])
    line.hang_up()


@tcp.case("tcp-reset-mid-body", "error", "RFC 9113 8.1.1", body=1000, over=(CLEAR,))
def _(line: Line) -> None:
    short(line)
    line.reset_tcp()
    raise Gone


@tcp.case(
    "tcp-half-close-mid-body", "error", "RFC 9113 8.1.1", note="FIN, and the socket stays open", body=1000
)
def _(line: Line) -> None:
    short(line)
    line.finish()
    line.listen()


# -- stall -----------------------------------------------------------------------------------------

stall: Section = Section("stall", {"timeout": LATER, "over": (CLEAR,)})


def assert_cancelled(run: Run) -> None:
    codes = [frame.error_code for frame in run.sent(RstStreamFrame, 1)]
    assert codes == [ErrorCode.CANCEL], f"RST_STREAM {codes}"


@stall.case(
    "stall-headers",
    "timeout",
    "Go TestTransportResponseHeaderTimeout_NoBody",
    note="SETTINGS + ACK, no response",
    over=BOTH,
    check=assert_cancelled,
)
def _(line: Line) -> None:
    line.open()


@stall.case("stall-nothing-at-all", "timeout", "RFC 9113 3.4: not even SETTINGS", after=False)
def _(line: Line) -> None:
    line.listen()


@stall.case(
    "stall-mid-body", "timeout", "okhttp readTimesOut, readTimeoutOnSlowConnection", body=1000, over=BOTH
)
def _(line: Line) -> None:
    short(line)


@stall.case(
    "stall-mid-frame",
    "timeout",
    "okhttp testTruncatedDataFrame",
    body=1000,
    over=BOTH,
    note="DATA says 1000, 500 arrive",
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", "1000")])
    line.send_raw(line.frames.data(stream_id, pattern(1000), end_stream=True)[:509])
    line.listen()


@stall.case("stall-mid-frame-header", "timeout", "RFC 9113 4.1", note="five of nine bytes")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_raw(line.frames.headers(stream_id)[:5])
    line.listen()


@stall.case("stall-mid-header-block", "timeout", "RFC 9113 6.10: CONTINUATION never comes")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, end_headers=False)
    line.listen()


@stall.case("stall-before-trailers", "timeout", "RFC 9113 8.1: all of the body, and no END_STREAM")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", str(len(BODY)))])
    line.send_data(stream_id, BODY)


@stall.case(
    "stall-upload-window",
    "timeout",
    "okhttp writeTimesOutAwaitingStreamWindow/-ConnectionWindow; Go WriteByteTimeout does not see this",
    note="window never opened during a 1 MB upload",
    over=BOTH,
    upload=MB,
)
def _(line: Line) -> None:
    line.open()
    line.until(lambda: bool(line.of(RstStreamFrame)))
    give_back(line)


@stall.case(
    "stall-upload-no-read",
    "timeout",
    "okhttp writeTimeoutOnSlowConnection",
    note="windows are open, and the server does not read its socket",
    upload=40 * MB,
    memory=128,
    after=False,
)
def _(line: Line) -> None:
    line.greet(initial_window_size=2**31 - 1)
    line.window_update(0, 2**31 - 1 - 65535)
    line.request()
    time.sleep(3 * LATER)  # does nothing else: this is the case itself


@stall.case(
    "stall-pings-only",
    "bounded",
    "Go ResponseHeaderTimeout counts total time",
    note="no response, but a PING every 0.1 s: a per-recv timeout never fires",
)
def _(line: Line) -> None:
    line.open()
    drip(line, lambda _: line.ping())


@stall.case("stall-settings-only", "bounded", "as stall-pings-only, with SETTINGS")
def _(line: Line) -> None:
    line.open()
    drip(line, lambda _: line.send_settings())


@stall.case("stall-window-updates-only", "bounded", "as stall-pings-only, with WINDOW_UPDATE", upload=0)
def _(line: Line) -> None:
    stream_id = line.open()
    drip(line, lambda _: line.window_update(stream_id, 1))


@stall.case("stall-1xx-only", "bounded", "as stall-pings-only, with 103")
def _(line: Line) -> None:
    stream_id = line.open()
    drip(line, lambda _: line.send_headers(stream_id, [(":status", "103")]))


@stall.case("stall-upload-pings-only", "bounded", "as stall-pings-only, while an upload waits", upload=MB)
def _(line: Line) -> None:
    line.open()
    drip(line, lambda _: line.ping())
    give_back(line)


@stall.case(
    "stall-sibling-data-only", "timeout,ok", "a sibling's bytes are not ours", count=2, together=True, body=60
)
def _(line: Line) -> None:
    line.greet()
    _, second = line.request(), line.request()
    line.send_headers(second)
    for number in range(60):
        line.send_data(second, pattern(1, number), end_stream=number == 59)
        line.pause(LATER / 40)


@stall.case("stall-head-drip", "bounded", "a header block one byte at a time: slow, and still bounded")
def _(line: Line) -> None:
    stream_id = line.open()
    block = line.frames.headers(stream_id, [(":status", "200"), ("x", "y" * 200)], end_stream=True)
    drip(line, lambda number: line.send_raw(block[number : number + 1]))
    line.listen()


@stall.case(
    "stall-body-drip",
    "bounded",
    "curl --speed-limit; a body that drips for ever",
    note="a byte each 0.1 s: only a deadline ends that",
    deadline=LATER,
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    drip(line, lambda _: line.send_data(stream_id, b"x"))


def drip(line: Line, say: object, *, count: int = 100, step: float = 0.1) -> None:
    """Say something at every step, listening in between, until the client has reset the stream or gone."""
    for number in range(count):
        say(number)  # type: ignore[operator]
        line.pause(step)
        if line.of(RstStreamFrame):
            return


@stall.case(
    "dribble-frames", "ok", "httpcore/Go: many tiny frames", note="1000 DATA frames of one byte", body=1000
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    for number in range(1000):
        line.send_data(stream_id, pattern(1, number), end_stream=number == 999)


@stall.case("dribble-tcp", "ok", "partial reads at any byte", note="every byte in its own TCP segment")
def _(line: Line) -> None:
    stream_id = line.open()
    reply = line.frames.headers(stream_id, [(":status", "200"), ("content-length", str(len(BODY)))])
    for byte in reply + line.frames.data(stream_id, BODY, end_stream=True):
        line.send_raw(bytes([byte]))


@stall.case("dribble-tcp-settings", "ok", "the first frame a byte at a time")
def _(line: Line) -> None:
    for byte in line.frames.settings(max_concurrent_streams=10):
        line.send_raw(bytes([byte]))
    line.ok(line.request())
