"""What goes well, GOAWAY and resets."""

from hyperframe.frame import RstStreamFrame

from hyperlite.errors import ErrorCode

from .case import BODY, Section, pattern
from .judging import Run
from .line import Line
from .scripts import KB, LATER, MB, give_back

# -- baseline --------------------------------------------------------------------------------------

baseline: Section = Section("baseline", {"alive": True})


@baseline.case("ok", "ok", "RFC 9113 8.1")
def _(line: Line) -> None:
    line.ok(line.open())


def large(line: Line) -> None:
    stream_id = line.open()
    assert isinstance(line.case.body, int)
    line.send_headers(stream_id, [(":status", "200"), ("content-length", str(line.case.body))])
    line.send_polite(stream_id, line.case.body)


def credit_was_returned(run: Run) -> None:
    size = run.case.body
    assert isinstance(size, int)
    line = run.lines[0]
    assert line.credited.get(1, 0) >= size - (17 << 20), f"only {line.credited} of {size} bytes"
    assert line.window[0] > 0


baseline.add("ok-1mb", "ok", "RFC 9113 5.2", large, body=MB)
baseline.add(
    "ok-50mb",
    "ok",
    "RFC 9113 6.9 window must be refilled",
    large,
    body=50 * MB,
    check=credit_was_returned,
    timeout=20,
)


@baseline.case("ok-upload-1mb", "ok", "RFC 9113 6.9", upload=MB)
def _(line: Line) -> None:
    stream_id = line.whole_request()
    assert line.uploaded[stream_id] == MB
    line.ok(stream_id)


@baseline.case("ok-10-parallel", "ok", "RFC 9113 5", count=10, together=True)
def _(line: Line) -> None:
    line.greet()
    for stream_id in reversed([line.request() for _ in range(10)]):
        line.ok(stream_id)


@baseline.case("ok-head", "ok", "RFC 9110 9.3.2", method="HEAD")
def _(line: Line) -> None:
    line.ok(line.open())


@baseline.case("ok-100-in-turn", "ok", "RFC 9113 5.1.1", count=100)
def _(line: Line) -> None:
    line.greet()
    for _ in range(100):
        line.ok(line.request())


@baseline.case("ok-interleaved", "ok", "RFC 9113 5", count=3, together=True, body=30000)
def _(line: Line) -> None:
    line.greet()
    ids = [line.request() for _ in range(3)]
    for stream_id in ids:
        line.send_headers(stream_id)
    for start in range(0, 30000, 1000):
        for stream_id in ids:
            line.send_data(stream_id, pattern(1000, start), end_stream=start == 29000)


@baseline.case("ok-empty-data-at-the-end", "ok", "RFC 9113 6.1")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_data(stream_id, BODY)
    line.send_data(stream_id, b"", end_stream=True)


@baseline.case("ok-trailers", "ok", "RFC 9113 8.1")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", str(len(BODY)))])
    line.send_data(stream_id, BODY)
    line.send_headers(stream_id, [("x-sum", "1")], end_stream=True)


# -- goaway ----------------------------------------------------------------------------------------

goaway: Section = Section("goaway", {"alive": False})


@goaway.case(
    "goaway-before-response",
    "retry",
    "RFC 9113 6.8; Go TestTransportRetryAfterGOAWAYRetry; okhttp Http2ConnectionTest.receiveGoAway",
    note="GOAWAY(last=0, NO_ERROR) then close; 2nd connection behaves",
)
def _(line: Line) -> None:
    line.open()
    line.goaway(0)
    line.hang_up()


@goaway.case(
    "goaway-error-first-stream",
    "error",
    "Go setGoAway: stream 1 with an error code is not retried",
    note="GOAWAY(last=0, ENHANCE_YOUR_CALM, debug) on every connection",
    every=True,
    after=False,
)
def _(line: Line) -> None:
    line.open()
    line.goaway(0, ErrorCode.ENHANCE_YOUR_CALM, b"too many")
    line.hang_up()


@goaway.case("goaway-two-step", "ok", "RFC 9113 6.8 graceful shutdown: GOAWAY(2^31-1), later GOAWAY(n)")
def _(line: Line) -> None:
    stream_id = line.open()
    line.goaway(2**31 - 1)
    line.synchronise()
    line.goaway(stream_id)
    line.ok(stream_id)


@goaway.case("goaway-mid-body", "ok", "RFC 9113 6.8", note="half of the body, GOAWAY(last=1), the rest")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", str(len(BODY)))])
    line.send_data(stream_id, BODY[:7])
    line.goaway(stream_id)
    line.send_data(stream_id, BODY[7:], end_stream=True)


@goaway.case("goaway-error-mid-body", "ok", "RFC 9113 6.8: what is at or below last may still finish")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", str(len(BODY)))])
    line.goaway(stream_id, ErrorCode.INTERNAL_ERROR)
    line.send_data(stream_id, BODY, end_stream=True)


@goaway.case("goaway-mid-body-close", "error", "RFC 9113 8.1.1: no END_STREAM ever came")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_data(stream_id, BODY)
    line.goaway(stream_id)
    line.hang_up()


@goaway.case("goaway-unprocessed-sibling", "ok", "RFC 9113 6.8", count=2, together=True)
def _(line: Line) -> None:
    line.greet()
    first, _ = line.request(), line.request()
    line.goaway(first)
    line.ok(first)


@goaway.case(
    "goaway-then-silence", "timeout", "RFC 9113 6.8", timeout=LATER, note="GOAWAY(last=1), nothing more"
)
def _(line: Line) -> None:
    line.goaway(line.open())


@goaway.case("goaway-huge-debug", "ok", "RFC 9113 6.8: any length that fits a frame")
def _(line: Line) -> None:
    stream_id = line.open()
    line.goaway(stream_id, 0, bytes(16384 - 8))
    line.ok(stream_id)


@goaway.case("goaway-unknown-code", "retry", "RFC 9113 7: unknown codes mean nothing special")
def _(line: Line) -> None:
    line.open()
    line.goaway(0, 0xDEADBEEF, b"\xff\x00\r\n")
    line.hang_up()


@goaway.case(
    "goaway-last-id-grows",
    "ok|error",
    "RFC 9113 6.8: MUST NOT increase the value; Go: connection error",
    alive=None,
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.goaway(0)
    line.goaway(stream_id + 100)
    line.ok(stream_id)


@goaway.case("goaway-last-id-even", "ok", "RFC 9113 6.8; Go TestTransportHandlesGOAWAY")
def _(line: Line) -> None:
    stream_id = line.open()
    line.goaway(2)
    line.ok(stream_id)


@goaway.case("goaway-first-of-all", "retry", "RFC 9113 3.4, 6.8: GOAWAY right after SETTINGS")
def _(line: Line) -> None:
    line.greet()
    line.goaway(0)
    line.open()


@goaway.case("goaway-before-settings", "error", "RFC 9113 3.4: SETTINGS come first", alive=False)
def _(line: Line) -> None:
    line.goaway(0)
    line.listen()


@goaway.case(
    "goaway-on-every-connection",
    "error",
    "Go TestTransportRetryHasLimit: a bounded number of tries",
    every=True,
    after=False,
)
def _(line: Line) -> None:
    line.open()
    line.goaway(0)
    line.hang_up()


@goaway.case("goaway-while-idle", "ok", "okhttp: an idle connection that got GOAWAY is replaced", count=2)
def _(line: Line) -> None:
    stream_id = line.open()
    line.ok(stream_id)
    line.goaway(stream_id)
    line.until(lambda: False)


# -- rst -------------------------------------------------------------------------------------------

rst: Section = Section("rst", {"alive": True})


def tries_are_bounded(run: Run) -> None:
    tries = sum(len(line.requests_seen) for line in run.lines)
    assert 1 < tries <= 7, f"{tries} tries"


@rst.case(
    "refused-stream-forever",
    "error",
    "Go TestTransportRetryHasLimit (6 retries, exponential backoff)",
    note="every stream REFUSED_STREAM",
    every=True,
    after=False,
    check=tries_are_bounded,
)
def _(line: Line) -> None:
    line.greet()
    while True:
        line.rst(line.request(), ErrorCode.REFUSED_STREAM)


@rst.case("refused-stream-once", "retry", "RFC 9113 8.7; Go TestTransportRetryAfterRefusedStream")
def _(line: Line) -> None:
    line.rst(line.open(), ErrorCode.REFUSED_STREAM)


@rst.case("refused-stream-post", "retry", "RFC 9113 8.7: whatever the method", upload=1000)
def _(line: Line) -> None:
    line.rst(line.open(), ErrorCode.REFUSED_STREAM)


@rst.case("refused-after-headers", "error", "RFC 9113 8.7: it was processed, whatever it says")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.rst(stream_id, ErrorCode.REFUSED_STREAM)


@rst.case("rst-cancel", "error", "RFC 9113 6.4", note="RST_STREAM(CANCEL) before headers")
def _(line: Line) -> None:
    line.rst(line.open(), ErrorCode.CANCEL)


@rst.case("rst-unknown-code", "error", "RFC 9113 7")
def _(line: Line) -> None:
    line.rst(line.open(), 0xDEADBEEF)


@rst.case("rst-no-error-before-headers", "error", "RFC 9113 8.1: it is no response")
def _(line: Line) -> None:
    line.rst(line.open(), ErrorCode.NO_ERROR)


@rst.case("rst-http11-required", "ok", "RFC 9113 7 HTTP_1_1_REQUIRED", alive=None, every=True)
def _(line: Line) -> None:
    if line.is_http1:
        line.behave_http1()
    line.rst(line.open(), ErrorCode.HTTP_1_1_REQUIRED)


@rst.case("rst-http11-required-of-none", "error", "it has no HTTP/1.1", alive=None, every=True, after=0)
def _(line: Line) -> None:
    if line.is_http1:
        line.greet()
        line.hang_up()
    line.rst(line.open(), ErrorCode.HTTP_1_1_REQUIRED)


@rst.case("rst-mid-body", "error", "RFC 9113 8.1.1")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_data(stream_id, BODY)
    line.rst(stream_id, ErrorCode.INTERNAL_ERROR)


@rst.case("rst-no-error-mid-body", "error", "RFC 9113 8.1: NO_ERROR only after a complete response")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200")])
    line.send_data(stream_id, BODY)
    line.rst(stream_id, ErrorCode.NO_ERROR)


@rst.case("rst-after-whole-length", "error", "RFC 9113 8.1.1: content-length came, END_STREAM did not")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", str(len(BODY)))])
    line.send_data(stream_id, BODY)
    line.rst(stream_id, ErrorCode.INTERNAL_ERROR)


@rst.case("rst-after-end-stream", "ok", "RFC 9113 5.1: RST_STREAM on a closed stream is harmless")
def _(line: Line) -> None:
    stream_id = line.open()
    line.ok(stream_id)
    line.rst(stream_id, ErrorCode.INTERNAL_ERROR)


@rst.case("rst-twice", "error", "RFC 9113 5.1")
def _(line: Line) -> None:
    stream_id = line.open()
    line.rst(stream_id, ErrorCode.INTERNAL_ERROR)
    line.rst(stream_id, ErrorCode.INTERNAL_ERROR)


@rst.case("headers-after-rst", "error", "RFC 9113 5.1 closed: STREAM_CLOSED; h2spec 5.1/9", alive=None)
def _(line: Line) -> None:
    stream_id = line.open()
    line.rst(stream_id, ErrorCode.INTERNAL_ERROR)
    line.ok(stream_id)


@rst.case("rst-sibling", "error,ok", "RFC 9113 5.4.2", count=2, together=True)
def _(line: Line) -> None:
    line.greet()
    first, second = line.request(), line.request()
    line.rst(first, ErrorCode.INTERNAL_ERROR)
    line.ok(second)


def stopped_uploading(run: Run) -> None:
    line = run.lines[0]
    assert line.uploaded[1] < run.case.upload, "the whole body was sent"
    assert line.of(RstStreamFrame, 1), "no RST_STREAM: the server must think that more comes"


@rst.case(
    "early-response-413",
    "ok",
    "RFC 9113 8.1: response before the request is complete, RST_STREAM(NO_ERROR); MUST NOT discard it",
    note="complete 413 + RST_STREAM(NO_ERROR) after the first 30 KB of a 4 MB upload",
    upload=4 * MB,
    status=413,
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.until(lambda: line.uploaded.get(stream_id, 0) >= 30 * KB)
    line.ok(stream_id, status=413)
    line.rst(stream_id, ErrorCode.NO_ERROR)
    give_back(line)


@rst.case(
    "early-response-no-rst",
    "ok",
    "RFC 9113 8.1; Go TestTransportReqBodyAfterResponse_403",
    note="complete 403 while the window for a 4 MB upload stays shut; nothing more",
    upload=4 * MB,
    status=403,
    check=stopped_uploading,
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.ok(stream_id, status=403)
    line.until(lambda: bool(line.of(RstStreamFrame, stream_id)))
    give_back(line)


@rst.case("early-rst-cancel", "error", "RFC 9113 6.4: an upload broken off", upload=4 * MB)
def _(line: Line) -> None:
    stream_id = line.open()
    line.until(lambda: line.uploaded.get(stream_id, 0) >= 30 * KB)
    line.rst(stream_id, ErrorCode.CANCEL)
    give_back(line)


@rst.case("rst-idle-stream", "ok|error", "RFC 9113 6.4 RST on an idle stream: connection error", alive=None)
def _(line: Line) -> None:
    stream_id = line.open()
    line.rst(stream_id + 100, ErrorCode.CANCEL)
    line.ok(stream_id)
