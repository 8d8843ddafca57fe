"""Every call whose outcome on HTTP/2 is not that on HTTP/1.1, with the reason.

docs/explanation/differences.md shows it.

What differs and is not here is a defect, and its test fails.
"""

from typing import NamedTuple


class Group(NamedTuple):
    """Cases that differ for one reason."""

    old: str
    new: str
    reason: str
    cases: tuple[str, ...]


_STALE_VALUES = ("CRLF", "LF", "CR", "trailing CRLF", "beyond Latin-1", "None", "float", "list")
_STALE_NAMES = ("''", "' X'", "':X'", "'X:Y'", "'X\\n'", "'X\\r\\nY'", "'\\xe9'", "'\\u20ac'", "':path'")
_CUT = ("read()", "read(5)", "readline", "readinto", "iteration")

GROUPS = (
    Group(
        "`version` is 11; `chunked` says how the body was framed",
        "`version` is 20; `chunked` is False",
        "The protocol is another one, and HTTP/2 has no chunks (RFC 9113 section 8.2.2).",
        ("version", "chunked"),
    ),
    Group(
        "a response without a length says `Transfer-Encoding: chunked`",
        "no response has `Transfer-Encoding`",
        "HTTP/2 has no chunks, and forbids the field (RFC 9113 section 8.2.2). A program can recognize a "
        "body of unknown length by the lack of a Content-Length instead.",
        ("transfer-encoding",),
    ),
    Group(
        "a response that says `Connection: close` makes `will_close` true and `sock` None",
        "no response says it, and the connection stays open; a request with `Connection: close` closes it "
        "after the response",
        "The field belongs to HTTP/1.1 connections and is not sent on HTTP/2 (RFC 9113 section 8.2.2).",
        ("response /close", "order: sock after will_close"),
    ),
    Group(
        "the names of a response's fields are spelt as the server has spelt them",
        "they are spelt as IANA has registered them (`ETag`, `WWW-Authenticate`); other names have each word "
        "capitalised (`X-Request-Id`), or are in lower case if they begin with `x-amz-`, `x-goog-`, "
        "`x-ms-` or `grpc-`",
        "HTTP/2 carries names in lower case (RFC 9113 section 8.2.1); this is how most servers spell them.",
        ("response /spelt",),
    ),
    Group(
        "sends a method that is no token",
        "ValueError",
        "RFC 9110 section 9.1 forbids it: an intermediary that speaks HTTP/1.1 might read another request.",
        ("method '' str", "method ' ' str", "method 'A B' str", "method 'G(T' str", "method 'GET:' str"),
    ),
    Group(
        "an absolute target is sent unchanged",
        "its scheme and authority are sent as `:scheme` and `:authority`, its path as `:path`",
        "RFC 9113 section 8.3.1.",
        ("target 'http://other.test/a?b' str", "target 'http://other.test' str"),
    ),
    Group(
        "CONNECT has a target, and the server's own host",
        "CONNECT has `:authority` and no `:path`",
        "RFC 9113 section 8.5.",
        ("CONNECT host:port",),
    ),
    Group(
        "several values, or folded ones, are sent on several lines, which servers may refuse",
        "they are joined by a space on one line",
        "HTTP/2 has no lines, and RFC 9112 section 5.2 gives the space as their meaning.",
        (
            "header value folded",
            "header value folded with tab",
            "header value folded with LF",
            "header value folded, with a colon",
            "putheader with two values",
            "putheader with mixed values",
        ),
    ),
    Group(
        "sends CR before a space, and other control characters, in a header value",
        "ValueError",
        "RFC 9110 section 5.5 forbids them; the next hop may be HTTP/1.1 (RFC 9113 section 10.3).",
        ("header value CR before space", "header value NUL", "header value BEL", "header value DEL"),
    ),
    Group(
        "sends a header name that is no token",
        "ValueError",
        "RFC 9113 section 8.2.1 forbids such names.",
        tuple(f"header name {name} str" for name in ("'X '", "'X Y'", "'X\\x00'", "'X(Y)'", "'X/Y'")),
    ),
    Group(
        "after an unfinished request and `close()`, the next request is sent behind the rest of the "
        "first: the server answers 400",
        "ValueError when the next request is sent",
        "http.client's `close()` does not empty its buffer, so what it sends next is no valid request.",
        (
            *(f"header value {kind}" for kind in _STALE_VALUES),
            *(f"header name {name} str" for name in _STALE_NAMES),
            "putheader with bad second values",
            "body str beyond Latin-1",
            "body str beyond Latin-1, chunked",
            "order: putrequest twice",
            "order: putrequest, request",
            "order: putrequest, getresponse",
            "order: putrequest, close, request",
            "order: bad header, close, request",
            "field Authorization, a newline left",
            "headers in a str",
            "headers in dict with a tuple",
        ),
    ),
    Group(
        "sends any `TE`",
        "sends `TE: trailers` only",
        "RFC 9113 section 8.2.2 allows no other value.",
        ("TE: 'gzip'", "TE: 'trailers, deflate'"),
    ),
    Group(
        "two `Host` fields are sent as two lines; with `skip_host` none is sent",
        "two are a ValueError; without any, `:authority` is the connection's host",
        "A request has exactly one `:authority` (RFC 9113 section 8.3.1); servers differ in which of two "
        "they believe.",
        ("putheader Host twice", "skip_host", "Host spelt b'Host'"),
    ),
    Group(
        "sends a body that is shorter or longer than its content-length: the server waits, or reads "
        "the rest as a request",
        "CannotSendRequest",
        "Such a request is malformed (RFC 9113 section 8.1.1).",
        (
            "body bytes, content-length '9'",
            "body bytes, content-length '3'",
            "content-length put, too little sent",
            "content-length put, too much sent",
        ),
    ),
    Group(
        "sends a content-length that is no number",
        "ValueError",
        "Neither hyperlite nor the next hop could tell where the body ends.",
        tuple(f"body bytes, content-length {value!r}" for value in ("-1", "five", "5, 5", "+5")),
    ),
    Group(
        "several `Content-Length` fields are sent as several lines, and one beside "
        "`Transfer-Encoding` is sent too",
        "equal ones are sent once; anything else is a ValueError",
        "Servers differ in which of them they believe: what one takes for the body, another takes for "
        "the next request (RFC 9110 section 8.6, RFC 9112 section 6.3).",
        ("content-length twice, equal", "content-length twice, different", "content-length beside chunks"),
    ),
    Group(
        "the server does not see a body that is sent without a length",
        "the body is sent",
        "END_STREAM ends a body; HTTP/2 needs no length.",
        ("no length put, body sent",),
    ),
    Group(
        "malformed or unfinished chunks below `Transfer-Encoding: chunked` are sent unchanged",
        "CannotSendRequest if chunks are missing or too many, otherwise ValueError",
        "HTTP/2 has no chunks, so hyperlite unwraps them: they must be valid.",
        (
            "chunks by hand, without the last",
            "chunks by hand, no chunks at all",
            "chunks by hand, size not a number",
            "chunks by hand, negative size",
            "chunks by hand, signed size",
            "chunks by hand, longer than it says",
            "chunks by hand, more after the last",
            "body bytes, chunked said and not done",
            "body generator, chunked said and not done",
            "body array of 16 bits, chunked",  # http.client counts its items, not its bytes
        ),
    ),
    Group(
        "`peek()` on an empty body that was not read waits for bytes that never come",
        'returns b""',
        "http.client reads the socket without looking at the length. A stream knows its end.",
        ("/empty by peek",),
    ),
    Group(
        "`readline(limit)` of a chunked response may return more than `limit` bytes",
        "it never returns more",
        "io's readline(), which http.client inherits there, starts to count again with each chunk.",
        ("chunked text by readline(5) until empty",),
    ),
    Group(
        "a chunked response that is closed early spoils the connection (BadStatusLine)",
        "the next request is answered",
        "Only the stream is reset.",
        ("/pieces by context manager", "/pieces by close() early", "/pieces by close() twice"),
    ),
    Group(
        "a body that is cut off raises IncompleteRead, or just ends, and spoils the connection",
        "StreamReset (a ConnectionResetError and HTTPException); `read()` to the end raises one that is an "
        "IncompleteRead as well, with what had come in `partial`; after any other read, `read1()` returns "
        "what had come; the next request is answered",
        "The server has reset the stream and given a code; the connection is unharmed.",
        tuple(f"/cut-{kind} by {style}" for kind in ("sized", "chunked") for style in _CUT),
    ),
    Group(
        "no response: RemoteDisconnected",
        "no response: StreamReset, a ConnectionResetError as well, but no BadStatusLine",
        "The server has reset one stream. It has not closed the connection, so `sock` stays.",
        ("response /cut-before", "order: sock after a cut"),
    ),
    Group(
        "a timeout is a TimeoutError",
        "a timeout is a RequestTimeout, which is a TimeoutError and an HTTPException",
        "All errors of HTTP/2 share one base, which programs catch as HTTPException.",
        ("connection: a timeout, then again", "connection: a timeout in the body"),
    ),
    Group(
        "a 103 is returned as the response",
        "a 103 is in `informational`, and the response is the final one",
        "RFC 9110 section 15.2: a 1xx response is followed by the final one.",
        ("response /hints",),
    ),
)

DIFFERENCES = {case: group.reason for group in GROUPS for case in group.cases}


def row(group: Group) -> str:
    """Return the group's row of the table in docs/explanation/differences.md."""
    cases = ", ".join(f"`{case}`" for case in group.cases)
    return f"| {group.old} | {group.new} | {group.reason} | {cases} |"
