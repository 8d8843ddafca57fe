"""HTTP/1.1, where ALPN does not choose h2: http.client does the talking, and is judged all the same."""

import itertools
import random
from collections.abc import Callable

from hyperlite.errors import ErrorCode

from .case import BODY, TLS, Section
from .line import Gone, Line
from .scripts import LATER, MB

fallback: Section = Section("fallback", {"protocol": "http/1.1", "over": (TLS,)})

LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GOOD = b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY


def says(*pieces: bytes, close: bool = False) -> Callable[[Line], None]:
    """Answer the first request with some bytes, and then close, or wait for what comes."""

    def script(line: Line) -> None:
        line.read_head()
        for piece in pieces:
            line.send_raw(piece)
        if close:
            line.close_tls()

    return script


def reply(
    name: str, expected: str, reference: str, *pieces: bytes, close: bool = False, **options: object
) -> None:
    # A connection that looks kept may be closed under the next request: that is HTTP/1.1.
    options.setdefault("after", 2 if close else 1)
    fallback.add(name, expected, reference, says(*pieces, close=close), **options)


# -- which protocol ----------------------------------------------------------------------------------

reply("alpn-none", "ok", "RFC 7301: no ALPN answer means HTTP/1.1", GOOD, protocol=None)
reply("h1-ok", "ok", "RFC 9112", GOOD)
reply("h1-ok-http10", "ok", "RFC 9112 2.3", b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\n" + BODY, close=True)
reply("h1-ok-chunked", "ok", "RFC 9112 7.1", CHUNKED + b"5\r\nhello\r\na\r\n from afar\r\n0\r\n\r\n")
reply(
    "h1-ok-chunk-extensions",
    "ok",
    "RFC 9112 7.1.1; Apache 1.3 fills sizes up with spaces",
    CHUNKED + b'005;a;b="c d"\r\nhello\r\nA  \r\n from afar\r\n0 ;e\r\n\r\n',
)
reply("h1-ok-trailers", "ok", "RFC 9112 7.1.2", CHUNKED + b"f;x=y\r\n" + BODY + b"\r\n0\r\nX-Sum: 1\r\n\r\n")


@fallback.case("h1-ok-in-turn", "ok", "RFC 9112 9.3", count=10)
def _(line: Line) -> None:
    line.behave_http1()


@fallback.case("h1-ok-queued", "ok", "RFC 9112 9.3", count=10, together=True)
def _(line: Line) -> None:
    line.behave_http1()


@fallback.case("h1-dribble", "ok", "partial reads at any byte")
def _(line: Line) -> None:
    line.read_head()
    for byte in GOOD:
        line.send_raw(bytes([byte]))


@fallback.case(
    "alpn-h11-speaks-h2", "error", "framing follows ALPN only", every=True, after=False, timeout=2.0
)
def _(line: Line) -> None:
    line.send_raw(line.frames.settings(max_concurrent_streams=100))
    line.read_head()
    line.send_raw(line.frames.headers(1))
    line.sock.recv(1)
    raise Gone


@fallback.case(
    "alpn-h11-speaks-h2-and-closes", "error", "as alpn-h11-speaks-h2", every=True, after=False, timeout=2.0
)
def _(line: Line) -> None:
    line.send_raw(line.frames.settings(max_concurrent_streams=100))
    line.read_head()
    line.goaway(0, ErrorCode.PROTOCOL_ERROR, b"bad preface")
    line.close_tls()


@fallback.case("alpn-h2-speaks-h11", "error", "Go TestTransportFailureErrorForHTTP1Response", protocol="h2")
def _(line: Line) -> None:
    line.send_raw(GOOD)
    line.listen()
    raise Gone


reply("h1-garbage", "error", "RFC 9112 4", random.Random(2).randbytes(2000), close=True)
reply("h1-http09", "error", "RFC 9112 4: no status line", b"<html>hello</html>\r\n", close=True)
reply("h1-version-2", "error", "RFC 9112 2.3", b"HTTP/2.0 200 OK\r\n" + LENGTH + b"\r\n" + BODY)
reply("h1-icy", "error", "RFC 9112 4", b"ICY 200 OK\r\n\r\n" + BODY, close=True)

# -- the head ----------------------------------------------------------------------------------------

for _name, _line_ in (
    ("empty", b"\r\n\r\n"),
    ("no-status", b"HTTP/1.1\r\n\r\n"),
    ("text", b"HTTP/1.1 OK\r\n\r\n"),
    ("20", b"HTTP/1.1 20 OK\r\n\r\n"),
    ("2000", b"HTTP/1.1 2000 OK\r\n\r\n"),
    ("099", b"HTTP/1.1 099 OK\r\n\r\n"),
    ("plus200", b"HTTP/1.1 +200 OK\r\n\r\n"),
    ("minus", b"HTTP/1.1 -200 OK\r\n\r\n"),
    ("underscore", b"HTTP/1.1 2_0_0 OK\r\n\r\n"),
    ("unicode", b"HTTP/1.1 \xb2\xb0\xb0 OK\r\n\r\n"),
):
    reply(f"h1-status-{_name}", "error", "RFC 9112 4: 3DIGIT", _line_, close=True)
reply("h1-status-no-reason", "ok", "RFC 9112 4", GOOD.replace(b" OK", b" "))
reply("h1-status-no-reason-no-space", "ok", "seen in the field", GOOD.replace(b" OK", b""))
reply("h1-lf-only", "ok|error", "RFC 9112 2.2: MAY be recognised", GOOD.replace(b"\r\n", b"\n"))
reply("h1-empty-lines-before", "ok|error", "RFC 9112 2.2 speaks of servers", b"\r\n\r\n" + GOOD)

reply("h1-close-before-status", "error", "RFC 9112 9.6", b"", close=True)
reply("h1-close-mid-status", "error", "RFC 9112 8: an incomplete head", b"HTTP/1.1 20", close=True)
reply("h1-close-after-status", "error", "RFC 9112 8: an incomplete head", b"HTTP/1.1 200 OK\r\n", close=True)
reply(
    "h1-close-mid-headers",
    "error",
    "RFC 9112 8: an incomplete head",
    b"HTTP/1.1 200 OK\r\nX: y\r\n",
    close=True,
)
reply("h1-close-mid-header-line", "error", "RFC 9112 8", b"HTTP/1.1 200 OK\r\nContent-Len", close=True)


def endless(start: bytes, more: bytes, **options: object) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.read_head()
        line.send_raw(start)
        line.flood_raw(more)

    return script


for _name, _expected, _reference, _start, _more in (
    ("h1-endless-status-line", "error", "CVE-2013-1752; _MAXLINE 65536", b"HTTP/1.1 200 ", b"x" * 65536),
    (
        "h1-endless-header-line",
        "error",
        "CVE-2013-1752; _MAXLINE 65536",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"x" * 65536,
    ),
    ("h1-endless-header-name", "error", "CVE-2013-1752", b"HTTP/1.1 200 OK\r\n", b"x" * 65536),
    (
        "h1-endless-headers",
        "error",
        "http.client _MAXHEADERS 100",
        b"HTTP/1.1 200 OK\r\n",
        b"X: y\r\n" * 8192,
    ),
    ("h1-endless-obs-fold", "error", "RFC 9112 5.2", b"HTTP/1.1 200 OK\r\nX: y\r\n", b" z\r\n" * 8192),
    ("h1-chunk-size-line-endless", "error", "CVE-2013-1752", CHUNKED, b"0" * 65536),
    ("h1-chunk-extension-endless", "error", "CVE-2023-39326 (Go)", CHUNKED + b"1;", b"x" * 65536),
    (
        "h1-endless-trailers",
        "bounded",
        "http.client's trailers have no bound",
        CHUNKED + b"0\r\n",
        b"X: y\r\n" * 8192,
    ),
    ("h1-endless-trailer-line", "error", "CVE-2013-1752", CHUNKED + b"0\r\nX: ", b"x" * 65536),
    (
        "h1-100-flood",
        "bounded",
        "http.client's loop over 100 has no bound",
        b"",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2048,
    ),
    ("h1-103-flood", "bounded", "RFC 9110 15.2", b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2048),
    (
        "h1-100-endless-headers",
        "error",
        "bpo-44022, CVE-2021-3737",
        b"HTTP/1.1 100 Continue\r\n",
        b"X: y\r\n" * 8192,
    ),
):
    fallback.add(_name, _expected, _reference, endless(_start, _more), timeout=1.0)

reply(
    "h1-obs-fold", "ok|error", "RFC 9112 5.2", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n" + LENGTH + b"\r\n" + BODY
)
for _name, _field in (
    ("space-before-colon", b"X : y"),
    ("no-colon", b"nonsense"),
    ("empty-name", b": y"),
    ("nul", b"X: a\0b"),
    ("bare-cr", b"X: a\rb"),
    ("non-ascii-name", b"\xe9: y"),
):
    reply(
        f"h1-header-{_name}",
        "ok|error",
        "RFC 9112 5.1",
        b"HTTP/1.1 200 OK\r\n" + LENGTH + _field + b"\r\n\r\n" + BODY,
    )

# Where http.client's parser stops at a line that is none, what follows is lost: the length above all.
reply(
    "h1-length-after-nonsense",
    "ok|error",
    "RFC 9112 5; http.client's parser stops there: bpo-31822",
    b"HTTP/1.1 200 OK\r\nnonsense\r\n" + LENGTH + b"\r\n" + BODY,
    timeout=LATER,
)
reply(
    "h1-header-injected-by-bare-cr",
    "ok|error",
    "RFC 9112 2.2: a bare CR is invalid or a space, and no line's end",
    b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 3\r\n" + LENGTH + b"\r\n" + BODY,
)

# -- 1xx ---------------------------------------------------------------------------------------------

reply("h1-100-then-200", "ok", "RFC 9110 15.2", b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD)
reply(
    "h1-103-then-200",
    "ok",
    "RFC 9110 15.2: one or more 1xx",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + GOOD,
)
reply("h1-102-103-then-200", "ok", "RFC 9110 15.2", b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\n\r\n" + GOOD)
reply("h1-100-close", "error", "RFC 9110 15.2", b"HTTP/1.1 100 Continue\r\n\r\n", close=True)

# -- the length --------------------------------------------------------------------------------------


def with_length(value: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: " + value + b"\r\n\r\n" + BODY


reply("h1-cl-too-short", "error", "RFC 9112 8: incomplete", with_length(b"1000"), close=True)
reply("h1-cl-too-short-reset", "error", "RFC 9112 8", with_length(b"1000"), close=True)
for _name, _value in (
    ("minus", b"-1"),
    ("plus", b"+15"),
    ("text", b"many"),
    ("empty", b""),
    ("underscore", b"1_5"),
    ("hex", b"0xf"),
    ("list-different", b"15, 16"),
):
    reply(f"h1-cl-{_name}", "error", "RFC 9112 6.3: unrecoverable", with_length(_value), close=True)
reply("h1-cl-list-same", "ok|error", "RFC 9112 6.3: may be taken for one", with_length(b"15, 15"), close=True)
reply(
    "h1-cl-huge",
    "error",
    "CVE-2025-13836: never allocate from content-length",
    with_length(b"1" * 18),
    close=True,
)
reply("h1-cl-2gb", "error", "CVE-2025-13836", with_length(b"2000000000"), close=True)
reply("h1-cl-100-digits", "error", "int() and ssize_t", with_length(b"1" * 100), close=True)
reply(
    "h1-cl-5000-digits",
    "error",
    "int() of 4,300 digits is a ValueError",
    with_length(b"1" * 5000),
    close=True,
)
reply(
    "h1-cl-conflict",
    "error",
    "RFC 9112 6.3: unrecoverable",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + LENGTH + b"\r\n" + BODY,
    close=True,
)
reply("h1-cl-same-twice", "ok|error", "RFC 9112 6.3", b"HTTP/1.1 200 OK\r\n" + LENGTH * 2 + b"\r\n" + BODY)
reply(
    "h1-cl-and-te",
    "ok|error",
    "RFC 9112 6.3: Transfer-Encoding overrides, or it is an error",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n"
    + BODY
    + b"\r\n0\r\n\r\n",
)
reply("h1-204-with-body", "ok|error", "RFC 9112 6.3", b"HTTP/1.1 204 No\r\n\r\n" + BODY, status=204, body=b"")
reply(
    "h1-304-with-cl",
    "ok",
    "RFC 9112 6.3",
    b"HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n",
    status=304,
    body=b"",
)
reply("h1-head", "ok", "RFC 9112 6.3", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", method="HEAD")
reply(
    "h1-101-unasked",
    "ok|error",
    "RFC 9110 15.2.2",
    b"HTTP/1.1 101 S\r\n\r\n",
    status=101,
    body=b"",
    close=True,
)

# -- what comes too much, too late, or never ---------------------------------------------------------

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"


def then_extra(first: bytes, extra: bytes) -> Callable[[Line], None]:
    """Send more than was asked for; the next request must not be answered by it."""

    def script(line: Line) -> None:
        line.read_head()
        line.send_raw(first)
        line.pause_raw(0.05)
        line.send_raw(extra)
        line.gate.set()

    return script


fallback.add("h1-extra-response", "ok", "response splitting", says(GOOD + POISON), count=2)
fallback.add(
    "h1-extra-response-later", "ok", "response splitting", then_extra(GOOD, POISON), count=2, gated=True
)
fallback.add("h1-extra-bytes", "ok", "as h1-extra-response", then_extra(GOOD, b"x"), count=2, gated=True)
fallback.add("h1-head-with-body", "ok", "RFC 9112 6.3", says(GOOD), method="HEAD", count=2)
fallback.add("h1-stale-fin", "ok", "as stale-fin", says(GOOD, close=True), count=2)


@fallback.case(
    "h1-unasked-408",
    "ok",
    "Go TestTransportReadToEndReusesConn: 408 on an idle connection",
    count=2,
    gated=True,
)
def _(line: Line) -> None:
    line.read_head()
    line.send_raw(GOOD)
    line.send_raw(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    line.close_tls()


@fallback.case("h1-response-before-request", "ok|error", "an answer to no request", body=b"POISON")
def _(line: Line) -> None:
    line.send_raw(POISON)
    line.read_head()


reply("h1-stall-status", "timeout", "RFC 9112", b"HTTP/1.1 ", timeout=LATER)
reply("h1-stall-headers", "timeout", "RFC 9112", b"HTTP/1.1 200 OK\r\nX: y\r\n", timeout=LATER)
reply("h1-stall-body", "timeout", "okhttp readTimesOut", with_length(b"1000"), timeout=LATER)
reply("h1-stall-chunk", "timeout", "RFC 9112 7.1", CHUNKED + b"f\r\nhello", timeout=LATER)
reply("h1-stall-nothing", "timeout", "RFC 9112", timeout=LATER)


def drips(start: bytes, drop: bytes) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.read_head()
        line.send_raw(start)
        for _ in itertools.repeat(None, 100):
            line.send_raw(drop)
            line.pause_raw(0.1)

    return script


fallback.add(
    "h1-drip-status",
    "bounded",
    "Go ResponseHeaderTimeout is total",
    drips(b"HTTP/1.1 200 ", b"x"),
    timeout=LATER,
)
fallback.add(
    "h1-drip-headers",
    "bounded",
    "Go ResponseHeaderTimeout is total",
    drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    timeout=LATER,
)
fallback.add(
    "h1-drip-100",
    "bounded",
    "Go ResponseHeaderTimeout is total",
    drips(b"", b"HTTP/1.1 100 C\r\n\r\n"),
    timeout=LATER,
)
fallback.add(
    "h1-drip-body",
    "bounded",
    "curl --speed-limit",
    drips(with_length(b"1000"), b"x"),
    timeout=LATER,
    deadline=LATER,
)


@fallback.case(
    "h1-early-413",
    "ok|error",
    "RFC 9112 9.3: a response before the request is complete",
    upload=4 * MB,
    status=413,
)
def _(line: Line) -> None:
    line.read_head()
    line.send_raw(b"HTTP/1.1 413 C\r\nConnection: close\r\n" + LENGTH + b"\r\n" + BODY)
    line.pause_raw(0.1)
    line.close_tls()


@fallback.case("h1-close-mid-upload", "error", "RFC 9112 9.5", upload=16 * MB)
def _(line: Line) -> None:
    line.read_head()
    line.sock.close()
    raise Gone


@fallback.case(
    "h1-stall-upload", "timeout", "okhttp writeTimesOut", upload=40 * MB, timeout=LATER, memory=128
)
def _(line: Line) -> None:
    line.read_head()
    line.gate.wait(3 * LATER)
