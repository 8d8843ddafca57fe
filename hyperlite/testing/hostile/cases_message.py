"""What makes a message malformed."""

from hyperlite.errors import ErrorCode

from .case import BODY, Section
from .frames import Fields, Text
from .line import Line

COMPRESSION = ErrorCode.COMPRESSION_ERROR
PROTOCOL = ErrorCode.PROTOCOL_ERROR
CALM = ErrorCode.ENHANCE_YOUR_CALM
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20

# A malformed response is the error of its stream: its siblings and the connection live on.
message: Section = Section("message")


def reply(
    name: str,
    expected: str,
    reference: str,
    fields: Fields,
    data: bytes | None = BODY,
    *,
    trailers: Fields | None = None,
    end_with_headers: bool = False,
    **options: object,
) -> None:
    """Declare the case of a response with these fields; what is malformed must be answered by RST_STREAM."""

    def script(line: Line) -> None:
        stream_id = line.open()
        line.send_headers(stream_id, fields, end_stream=end_with_headers)
        if data is not None:
            line.send_data(stream_id, data, end_stream=trailers is None)
        if trailers is not None:
            line.send_headers(stream_id, trailers, end_stream=True)

    # Where both sides have ended the stream there is nothing left to reset.
    if expected == "error" and trailers is None and not end_with_headers:
        options.setdefault("rst", PROTOCOL)
    else:
        options.setdefault("alive", True)
    message.add(name, expected, reference, script, **options)


def with_field(name: Text, value: Text) -> Fields:
    return [(":status", "200"), (name, value)]


def with_status(value: Text) -> Fields:
    return [(":status", value), ("x", "y")]


LENGTH = str(len(BODY))

for _name, _reference, _fields in (
    ("status-missing", "RFC 9113 8.3.2; Go TestTransportHandlesInvalidStatuslessResponse", [("x", "y")]),
    ("status-duplicate", "RFC 9113 8.3", [(":status", "200"), (":status", "200")]),
    ("status-duplicate-different", "RFC 9113 8.3", [(":status", "200"), (":status", "404")]),
    ("status-empty", "RFC 9113 8.3.2", with_status("")),
    ("status-plus200", "RFC 9110 15", with_status("+200")),
    ("status-minus200", "RFC 9110 15", with_status("-200")),
    ("status-2000", "RFC 9110 15: 3 digits", with_status("2000")),
    ("status-20", "RFC 9110 15: 3 digits", with_status("20")),
    ("status-099", "RFC 9110 15", with_status("099")),
    ("status-000", "RFC 9110 15", with_status("000")),
    ("status-2e2", "RFC 9110 15", with_status("2e2")),
    ("status-0x200", "RFC 9110 15", with_status("0xc")),
    ("status-underscore", "int() of Python takes 2_0", with_status("2_0")),
    ("status-space", "int() of Python takes these", with_status(" 20")),
    ("status-text", "RFC 9110 15", with_status("200 OK")),
    ("status-unicode-digits", "int() of Python takes these", with_status("\u0662\u0660\u0660".encode())),
    ("status-crlf", "RFC 9113 8.2.1", with_status("200\r\nx: y")),
    ("status-after-field", "RFC 9113 8.3: pseudo-header fields come first", [("x", "y"), (":status", "200")]),
    ("status-uppercase", "RFC 9113 8.2.1", [(":Status", "200")]),
    ("pseudo-unknown", "RFC 9113 8.3", [(":status", "200"), (":unknown", "1")]),
    ("pseudo-request-in-response", "RFC 9113 8.3", [(":status", "200"), (":path", "/")]),
    ("pseudo-method-in-response", "RFC 9113 8.3", [(":status", "200"), (":method", "GET")]),
    ("pseudo-empty", "RFC 9113 8.3", [(":status", "200"), (":", "1")]),
    ("pseudo-protocol", "RFC 8441 4: of requests", [(":status", "200"), (":protocol", "websocket")]),
    ("name-uppercase", "RFC 9113 8.2.1; curl test; Go InvalidTrailer_Capital", with_field("X-Upper", "1")),
    ("name-space", "RFC 9113 8.2.1", with_field("x y", "1")),
    ("name-trailing-space", "RFC 9113 8.2.1", with_field("x ", "1")),
    ("name-empty", "RFC 9113 8.2.1", with_field("", "1")),
    ("name-colon", "RFC 9113 8.2.1", with_field("x:y", "1")),
    ("name-crlf", "RFC 9113 8.2.1", with_field("x\r\ny", "1")),
    ("name-nul", "RFC 9113 8.2.1", with_field("x\0y", "1")),
    ("name-del", "RFC 9113 8.2.1", with_field("x\x7f", "1")),
    ("name-non-ascii", "RFC 9113 8.2.1", with_field("é".encode(), "1")),
    ("value-nul", "RFC 9113 8.2.1", with_field("x", "a\0b")),
    ("value-cr", "RFC 9113 8.2.1", with_field("x", "a\rb")),
    ("value-lf", "RFC 9113 8.2.1", with_field("x", "a\nb")),
    ("value-crlf-field", "RFC 9113 8.2.1, 10.3", with_field("x", "a\r\nset-cookie: b=c")),
    ("value-obs-fold", "RFC 9113 8.2.1", with_field("x", "a\r\n b")),
    ("value-lead-space", "RFC 9113 8.2.1", with_field("x", " a")),
    ("value-trail-space", "RFC 9113 8.2.1", with_field("x", "a ")),
    ("value-lead-tab", "RFC 9113 8.2.1", with_field("x", "\ta")),
    ("connection-close", "RFC 9113 8.2.2", with_field("connection", "close")),
    ("connection-keep-alive", "RFC 9113 8.2.2", with_field("keep-alive", "timeout=5")),
    ("connection-proxy", "RFC 9113 8.2.2", with_field("proxy-connection", "close")),
    ("connection-transfer-encoding", "RFC 9113 8.2.2", with_field("transfer-encoding", "chunked")),
    ("connection-upgrade", "RFC 9113 8.2.2", with_field("upgrade", "websocket")),
    ("status-101", "RFC 9113 8.6", [(":status", "101")]),
    ("1xx-then-nothing", "RFC 9113 8.1", [(":status", "100")]),
):
    reply(_name, "error", _reference, _fields)

for _name, _reference, _value in (
    ("cl-minus", "RFC 9110 8.6", "-1"),
    ("cl-minus-zero", "RFC 9110 8.6", "-0"),
    ("cl-empty", "RFC 9110 8.6", ""),
    ("cl-text", "RFC 9110 8.6", "many"),
    ("cl-hex", "RFC 9110 8.6", "0xf"),
    ("cl-float", "RFC 9110 8.6", "15.0"),
    ("cl-underscore", "int() of Python takes it", "1_5"),
    ("cl-unicode-digits", "int() of Python takes these", "\u0661\u0665".encode()),
    ("cl-100-digits", "int() of 4,300 digits is a ValueError", "1" * 100),
    ("cl-5000-digits", "int() of 4,300 digits is a ValueError", "1" * 5000),
    ("cl-too-long", "RFC 9113 8.1.1; Go TestTransportBodyLargerThanSpecifiedContentLength", "3"),
    ("cl-too-short", "RFC 9113 8.1.1", "1000"),
    ("cl-zero-with-body", "RFC 9113 8.1.1", "0"),
    ("cl-huge", "RFC 9113 8.1.1; CVE-2025-13836: never allocate from content-length", str(10**18)),
    ("cl-2-63", "RFC 9113 8.1.1", str(2**63)),
    ("cl-list-different", "RFC 9110 8.6", f"{LENGTH}, 16"),
):
    reply(_name, "error", _reference, with_field("content-length", _value))

reply(
    "cl-plus",
    "ok|error",
    "RFC 9110 8.6; Go TestTransportRejectsContentLengthWithSign",
    with_field("content-length", f"+{LENGTH}"),
)
reply("cl-leading-zeros", "ok|error", "RFC 9110 8.6: 1*DIGIT", with_field("content-length", f"000{LENGTH}"))
reply(
    "cl-conflict",
    "ok|error",
    "RFC 9110 8.6",
    [(":status", "200"), ("content-length", LENGTH), ("content-length", "16")],
)
reply(
    "cl-same-twice",
    "ok|error",
    "RFC 9110 8.6 may accept",
    [(":status", "200"), ("content-length", LENGTH), ("content-length", LENGTH)],
)
reply("cl-list", "ok|error", "RFC 9110 8.6 may accept", with_field("content-length", f"{LENGTH}, {LENGTH}"))
reply(
    "cl-end-stream-on-headers",
    "error",
    "RFC 9113 8.1.1",
    with_field("content-length", "10"),
    None,
    end_with_headers=True,
)
reply(
    "value-latin1",
    "ok",
    "RFC 9110 5.5 obs-text is allowed; http.client decodes latin-1",
    with_field("x", b"caf\xe9"),
)
reply("value-utf8", "ok", "RFC 9110 5.5", with_field("x", "café".encode()))
reply("value-empty", "ok", "RFC 9110 5.5", with_field("x", ""))
reply(
    "value-control",
    "ok|error",
    "RFC 9113 8.2.1 forbids NUL, CR and LF only; RFC 9110 5.5 more",
    with_field("x", "a\x01b"),
)
reply("name-odd-token", "ok", "RFC 9110 5.6.2", with_field("!#$%&'*+-.^_`|~09az", "1"))
reply("te-in-response", "ok|error", "RFC 9113 8.2.2 speaks of requests", with_field("te", "trailers"))
reply("status-999", "ok", "RFC 9110 15: clients treat it as 5xx", with_status("999"), status=999)
reply("status-600", "ok", "RFC 9110 15", with_status("600"), status=600)

for _status in ("204", "304"):
    reply(
        f"{_status}-with-body",
        "ok|error",
        "RFC 9110 15.3.5",
        with_status(_status),
        status=int(_status),
        body=b"",
        alive=None,
    )
reply("205-with-body", "ok|error", "RFC 9110 15.3.6", with_status("205"), status=205)
reply(
    "204-with-cl-0",
    "ok",
    "RFC 9110 8.6",
    [(":status", "204"), ("content-length", "0")],
    None,
    end_with_headers=True,
    status=204,
    body=b"",
)
reply(
    "304-with-cl",
    "ok",
    "RFC 9113 8.1.1 a 304 may carry content-length",
    [(":status", "304"), ("content-length", "1000")],
    None,
    end_with_headers=True,
    note="content-length: 1000 and END_STREAM on HEADERS",
    status=304,
    body=b"",
)
reply(
    "304-with-cl-empty-data",
    "ok",
    "RFC 9113 8.1.1",
    [(":status", "304"), ("content-length", "1000")],
    b"",
    note="as above with END_STREAM on an empty DATA frame",
    status=304,
    body=b"",
)
reply(
    "head-with-cl-empty-data",
    "ok",
    "Go TestTransportReadHeadResponse",
    with_field("content-length", "1000"),
    b"",
    method="HEAD",
)
reply(
    "head-with-body",
    "ok|error",
    "RFC 9110 9.3.2; Go TestTransportReadHeadResponseWithBody",
    with_field("content-length", LENGTH),
    method="HEAD",
    alive=None,
)
reply(
    "204-with-body-and-cl",
    "ok|error",
    "RFC 9110 8.6",
    [(":status", "204"), ("content-length", LENGTH)],
    status=204,
    body=b"",
    alive=None,
)

# Trailers, by which a response that looked good is malformed after all.
for _name, _reference, _trailers in (
    ("trailer-uppercase", "RFC 9113 8.2.1; Go InvalidTrailer_Capital", [("X-Sum", "1")]),
    ("trailer-status", "RFC 9113 8.1; Go InvalidTrailer_PseudoHeader", [(":status", "200")]),
    ("trailer-pseudo", "RFC 9113 8.1", [(":path", "/")]),
    ("trailer-empty-name", "RFC 9113 8.2.1; Go InvalidTrailer_EmptyFieldName", [("", "1")]),
    ("trailer-value-crlf", "RFC 9113 8.2.1; Go InvalidTrailer_BinaryFieldValue", [("x", "a\r\nb")]),
    ("trailer-connection", "RFC 9113 8.2.2", [("connection", "close")]),
):
    reply(_name, "error", _reference, [(":status", "200")], trailers=_trailers)
reply(
    "trailer-content-length",
    "ok|error",
    "RFC 9110 6.5.1",
    [(":status", "200")],
    trailers=[("content-length", "3")],
)
reply("trailer-none", "ok", "RFC 9113 8.1: an empty block ends the stream", [(":status", "200")], trailers=[])
reply(
    "trailer-cl-too-short",
    "error",
    "RFC 9113 8.1.1",
    with_field("content-length", "1000"),
    trailers=[("x", "1")],
)
reply(
    "trailer-1001-fields",
    "error",
    "a bound on fields holds for trailers",
    [(":status", "200")],
    trailers=[("x", "")] * 1001,
)
reply("fields-1000", "ok", "the bound itself", [(":status", "200")] + [("x", "")] * 999)
reply(
    "fields-1001", "error", "curl 5,000, http.client 100", [(":status", "200")] + [("x", "")] * 1000, rst=CALM
)
reply("set-cookie-500", "ok", "repeats are kept", [(":status", "200")] + [("set-cookie", "a=b")] * 500)


@message.case("trailers-without-end-stream", "error", "RFC 9113 8.1", rst=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_data(stream_id, BODY)
    line.send_headers(stream_id, [("x-sum", "1")])


@message.case("second-response", "error", "RFC 9113 8.1: one final response; Go", rst=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_headers(stream_id)
    line.send_data(stream_id, BODY, end_stream=True)


@message.case("1xx-after-response", "error", "RFC 9113 8.1", rst=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_headers(stream_id, [(":status", "103")])
    line.send_data(stream_id, BODY, end_stream=True)


@message.case("data-before-headers", "error", "RFC 9113 8.1; Go: DATA before HEADERS", rst=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_data(stream_id, BODY)
    line.ok(stream_id)


@message.case("data-instead-of-headers", "error", "RFC 9113 8.1", rst=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_data(stream_id, BODY, end_stream=True)


@message.case("data-between-1xx", "error", "RFC 9113 8.1", rst=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "103")])
    line.send_data(stream_id, BODY)
    line.ok(stream_id)


@message.case("100-then-200", "ok", "RFC 9113 8.1", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "100")])
    line.ok(stream_id)


@message.case("100-without-expect-upload", "ok", "RFC 9110 15.2.1", upload=100_000, alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "100")])
    line.take_body(stream_id)
    line.ok(stream_id)


@message.case("103-three-times", "ok", "RFC 8297", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    for _ in range(3):
        line.send_headers(stream_id, [(":status", "103"), ("link", "</a>")])
    line.ok(stream_id)


@message.case("199-unknown-1xx", "ok", "RFC 9110 15.2: unknown 1xx are ignored", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "199")])
    line.ok(stream_id)


@message.case("103-end-stream", "error", "RFC 9113 8.1: 1xx with END_STREAM is malformed", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "103")], end_stream=True)


@message.case("103-with-cl", "ok|error", "RFC 9110 8.6: no content-length in 1xx")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "103"), ("content-length", "5")])
    line.ok(stream_id)


@message.case("1xx-101-times", "error", "Go, urllib3: 1xx are bounded", rst=CALM)
def _(line: Line) -> None:
    stream_id = line.open()
    for _ in range(101):
        line.send_headers(stream_id, [(":status", "103")])
    line.ok(stream_id)


@message.case(
    "malformed-sibling", "error,ok,ok", "RFC 9113 8.1.1: a stream error", count=3, together=True, rst=PROTOCOL
)
def _(line: Line) -> None:
    line.greet()
    first, second, third = (line.request() for _ in range(3))
    line.send_headers(second)
    line.send_headers(first, [(":status", "20")])
    line.send_data(second, BODY, end_stream=True)
    line.ok(third)
