"""SETTINGS."""

import struct

from hyperframe.frame import (
    SettingsFrame,
)

from hyperlite.errors import ErrorCode

from .case import Section
from .judging import Run
from .line import Line

PROTOCOL = ErrorCode.PROTOCOL_ERROR
FRAME_SIZE = ErrorCode.FRAME_SIZE_ERROR
FLOW = ErrorCode.FLOW_CONTROL_ERROR

# -- settings --------------------------------------------------------------------------------------

settings: Section = Section("settings")
between: Section = Section("settings", {"note": "sent between request and response"})


@settings.case(
    "settings-ack-never", "ok", "RFC 9113 6.5.3", note="client SETTINGS never acknowledged", count=3
)
def _(line: Line) -> None:
    line.auto_ack = False
    line.greet()
    for _ in range(3):
        line.ok(line.request())


@settings.case(
    "max-concurrent-0",
    "ok, ok|error|timeout",
    "RFC 9113 6.5.2",
    note="for ever, sent at once; the first request (raced) is answered, later ones may not be opened",
    count=2,
    timeout=1.0,
    after=False,
    check=lambda run: opened_at_most(run, 1),
)
def _(line: Line) -> None:
    line.ok(line.open(max_concurrent_streams=0))


def opened_at_most(run: Run, count: int) -> None:
    opened = len(run.lines[0].requests_seen)
    assert opened <= count, f"{opened} streams were opened, {count} allowed"


@settings.case("max-concurrent-0-then-10", "ok", "RFC 9113 6.5.2", note="0 for a moment, then 10", count=2)
def _(line: Line) -> None:
    line.ok(line.open(max_concurrent_streams=0))
    line.pause(0.5)
    line.send_settings(max_concurrent_streams=10)


def one_at_a_time(line: Line) -> None:
    """Answer one by one, and see that no second one is opened meanwhile once SETTINGS are known."""
    line.greet(max_concurrent_streams=1)
    line.until(lambda: any("ACK" in frame.flags for frame in line.of(SettingsFrame)))
    raced = len(line.requests_seen)
    for number in range(10):
        stream_id = line.request()
        if number >= raced:
            line.synchronise()
            waiting = set(line.requests_seen) - line.mine
            assert not waiting, f"{waiting} were opened beside {stream_id}"
        line.ok(stream_id)


settings.add(
    "max-concurrent-1",
    "ok",
    "RFC 9113 5.1.2; Go TestTransportRequestsStallAtServerLimit",
    one_at_a_time,
    note="10 at once, limit 1: after SETTINGS are seen no more than 1 may be open",
    count=10,
    together=True,
)


@settings.case(
    "max-concurrent-1-strict",
    "retry",
    "RFC 9113 5.1.2 excess streams are refused with REFUSED_STREAM",
    note="10 at once, all but one REFUSED until it is answered",
    count=10,
    together=True,
)
def _(line: Line) -> None:
    line.greet(max_concurrent_streams=1)
    answered = 0
    while answered < 10:
        first = line.request()
        line.pause(0.02)
        while line.opened:
            line.rst(line.request(), ErrorCode.REFUSED_STREAM)
        line.ok(first)
        answered += 1


@settings.case(
    "max-concurrent-lowered-inflight",
    "ok",
    "pydantic/httpx2#1216 (deadlock), encode/httpcore#652",
    note="with 10 or more open the limit drops from 100 to 2; all must be answered, later ones 2 at a time",
    count=20,
    together=True,
)
def _(line: Line) -> None:
    line.greet(max_concurrent_streams=100)
    ids = [line.request() for _ in range(20)]
    line.send_settings(max_concurrent_streams=2)
    for stream_id in ids:
        line.ok(stream_id)


@settings.case(
    "max-concurrent-raised", "ok", "RFC 9113 6.5.2: from 1 to 100 with nine queued", count=10, together=True
)
def _(line: Line) -> None:
    line.greet(max_concurrent_streams=1)
    first = line.request()
    line.send_settings(max_concurrent_streams=100)
    ids = [line.request() for _ in range(9)]
    for stream_id in [*ids, first]:
        line.ok(stream_id)


def between_request_and_response(
    name: str,
    expected: str,
    reference: str,
    payload: bytes,
    *,
    flags: int = 0,
    stream: int = 0,
    **options: object,
) -> None:
    """Declare a case with SETTINGS of any kind between request and response."""

    def script(line: Line) -> None:
        stream_id = line.open()
        line.send_frame(SettingsFrame.type, flags, stream, payload)
        line.ok(stream_id)

    between.add(name, expected, reference, script, **options)


def pairs(*settings: tuple[int, int]) -> bytes:
    return b"".join(struct.pack(">HL", *pair) for pair in settings)


TABLE, PUSH, STREAMS, WINDOW, FRAME, LIST = range(1, 7)

for _name, _expected, _reference, _payload, _options in (
    (
        "settings-frame-size-16m",
        "error",
        "RFC 9113 6.5.2 PROTOCOL_ERROR",
        pairs((FRAME, 1 << 24)),
        {"goaway": PROTOCOL},
    ),
    ("settings-frame-size-1", "error", "RFC 9113 6.5.2", pairs((FRAME, 1)), {"goaway": PROTOCOL}),
    ("settings-frame-size-16383", "error", "RFC 9113 6.5.2", pairs((FRAME, 16383)), {"goaway": PROTOCOL}),
    ("settings-frame-size-max", "ok", "RFC 9113 6.5.2", pairs((FRAME, (1 << 24) - 1)), {"alive": True}),
    (
        "settings-enable-push-1",
        "ok|error",
        "RFC 9113 6.5.2: ENABLE_PUSH=1 from a server is PROTOCOL_ERROR",
        pairs((PUSH, 1)),
        {},
    ),
    (
        "settings-enable-push-2",
        "error",
        "RFC 9113 6.5.2; h2spec 6.5.2/1",
        pairs((PUSH, 2)),
        {"goaway": PROTOCOL},
    ),
    (
        "settings-window-2-31",
        "error",
        "RFC 9113 6.5.2; h2spec 6.5.2/2",
        pairs((WINDOW, 1 << 31)),
        {"goaway": FLOW},
    ),
    ("settings-window-max", "ok", "RFC 9113 6.5.2", pairs((WINDOW, (1 << 31) - 1)), {"alive": True}),
    ("settings-length-5", "error", "RFC 9113 6.5 FRAME_SIZE_ERROR", b"\0\1\0\0\1", {"goaway": FRAME_SIZE}),
    (
        "settings-length-7",
        "error",
        "RFC 9113 6.5 FRAME_SIZE_ERROR",
        b"\0\1\0\0\1\0\0",
        {"goaway": FRAME_SIZE},
    ),
    (
        "settings-on-stream",
        "error",
        "RFC 9113 6.5 PROTOCOL_ERROR",
        pairs((TABLE, 4096)),
        {"stream": 1, "goaway": PROTOCOL},
    ),
    ("settings-ack-unsolicited", "ok|error", "Go: ConnectionError PROTOCOL", b"", {"flags": 1}),
    (
        "settings-ack-with-payload",
        "error",
        "RFC 9113 6.5; h2spec 6.5/1",
        pairs((TABLE, 4096)),
        {"flags": 1, "goaway": FRAME_SIZE},
    ),
    ("settings-empty", "ok", "RFC 9113 6.5", b"", {"alive": True}),
    (
        "settings-unknown-id",
        "ok",
        "RFC 9113 6.5.2; h2spec 6.5.3/1",
        pairs((0xFFFF, 1), (0, 7)),
        {"alive": True},
    ),
    ("settings-no-rfc7540-priorities", "ok", "RFC 9218 2.1", pairs((9, 1)), {"alive": True}),
    ("settings-connect-protocol", "ok", "RFC 8441 3", pairs((8, 1)), {"alive": True}),
    ("settings-connect-protocol-2", "ok|error", "RFC 8441 3: a value of 0 or 1", pairs((8, 2)), {}),
    ("settings-table-size-0", "ok", "RFC 7541 4.2", pairs((TABLE, 0)), {"alive": True}),
    (
        "settings-table-size-4g",
        "ok",
        "RFC 7541 4.2: encoder caps its own memory; Go MaxEncoderHeaderTableSize 4096; nghttp2 4096",
        pairs((TABLE, 0xFFFFFFFF)),
        {"alive": True},
    ),
    (
        "settings-table-size-0-then-4096",
        "ok",
        "RFC 7541 4.2",
        pairs((TABLE, 0), (TABLE, 4096)),
        {"alive": True},
    ),
    (
        "settings-hlist-10",
        "ok|error",
        "RFC 9113 10.5.1; Go TestTransportChecksRequestHeaderListSize",
        pairs((LIST, 10)),
        {"after": False},
    ),
    (
        "settings-duplicate-ids",
        "ok",
        "RFC 9113 6.5.3 in order, last wins",
        pairs((WINDOW, 0), (STREAMS, 0), (WINDOW, 70000), (STREAMS, 50)),
        {"alive": True},
    ),
    (
        "settings-1000-pairs",
        "ok|error",
        "RFC 9113 10.5: many settings in a frame",
        pairs(*[(0xF000, 1)] * 1000),
        {},
    ),
):
    between_request_and_response(_name, _expected, _reference, _payload, **_options)


@settings.case("settings-first-is-ack", "error", "RFC 9113 3.4", goaway=PROTOCOL)
def _(line: Line) -> None:
    line.send_raw(line.frames.settings_ack())
    line.listen()


@settings.case(
    "settings-never-but-answer", "error", "RFC 9113 3.4: the server preface is SETTINGS", goaway=PROTOCOL
)
def _(line: Line) -> None:
    line.ok(line.request())
    line.listen()


@settings.case("settings-bad-first", "error", "RFC 9113 6.5.2", goaway=PROTOCOL)
def _(line: Line) -> None:
    line.greet([(FRAME, 1)])
    line.listen()


@settings.case(
    "settings-acknowledged",
    "ok",
    "RFC 9113 6.5.3: each is acknowledged, once",
    check=lambda run: acknowledged(run, 6),
)
def _(line: Line) -> None:
    stream_id = line.open()
    for _ in range(5):
        line.send_settings(max_concurrent_streams=7)
    line.ok(stream_id)


def acknowledged(run: Run, count: int) -> None:
    acks = [frame for frame in run.sent(SettingsFrame) if "ACK" in frame.flags]
    assert len(acks) == count, f"{len(acks)} acknowledgements of {count} SETTINGS"
