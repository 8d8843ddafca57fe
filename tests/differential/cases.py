"""The calls: each by the API of http.client alone."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from . import idioms_bodies, idioms_connection, idioms_heads, idioms_sending
from .bodies import BAD, DATA, GOOD
from .calls import CHUNKED, HANG, put, read, request, with_body
from .observe import PATIENCE, Case, attempt, head, outcome, state

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def methods() -> Iterator[Case]:
    for method, kind in itertools.product(METHODS, ("None", "b''", "bytes", "str", "list")):
        yield Case(f"{method} with {kind}", with_body(method, GOOD[kind], {}))
    good = ("get", "post", "M-SEARCH", "X", "A" * 200, "!#$%&'*+-.^_`|~")
    bad = ("", " ", "A B", "GET\r\n", "GET\0", "G\tET", "G\xc9T", "G(T", "GET:", b"GET", None, 5)
    for method in good + bad:
        yield Case(f"method {str(method)[:20]!a} {type(method).__name__}", request(method, "/report"))


def targets() -> Iterator[Case]:
    good = (
        "/",
        "",
        "/a?b=c&d",
        "/%20%C3%A9",
        "/a;b/../c",
        "//double",
        "/" + "x" * 5000,
        "/a?b?c",
        "/~'()*!$,:@",
    )
    odd = (
        "*",
        "relative",
        "?query",
        "/a#fragment",
        "http://other.test/a?b",
        "http://other.test",
        '/<>"{}|\\^`',
    )
    bad = ("/a b", "/a\r\nX: y", "/\0", "/\x7f", "/\t", "/\xe9", "/\u20ac", " ", b"/bytes", None, 5)
    for target in good + odd + bad:
        yield Case(f"target {str(target)[:24]!a} {type(target).__name__}", request("GET", target))
    yield Case("OPTIONS *", request("OPTIONS", "*"))
    yield Case("CONNECT host:port", request("CONNECT", "other.test:443"))


VALUES: dict[str, Any] = {
    "str": "value",
    "bytes": b"value",
    "int": 42,
    "negative int": -1,
    "zero": 0,
    "True": True,
    "empty": "",
    "empty bytes": b"",
    "Latin-1": "caf\xe9",
    "Latin-1 bytes": b"caf\xe9",
    "inner spaces": "a  b\tc",
    "outer spaces": "  a  ",
    "outer tabs": "\ta\t",
    "colon": "a: b",
    "comma": "a, b",
    "quotes": '"a;b"',
    "long": "x" * 8000,
    "folded": "a\r\n b",
    "folded with tab": "a\r\n\tb",
    "folded with LF": "a\n b",
    "folded, with a colon": "a\r\n b: c",
    "CRLF": "a\r\nb: c",
    "LF": "a\nb",
    "CR": "a\rb",
    "CR before space": "a\r b",
    "trailing CRLF": "a\r\n",
    "NUL": "a\0b",
    "BEL": "a\x07b",
    "DEL": "a\x7fb",
    "beyond Latin-1": "\u20ac",
    "None": None,
    "float": 1.5,
    "list": ["a"],
    "bytearray": bytearray(b"a"),
}
NAMES: tuple[Any, ...] = (
    "X-Name", b"X-Name", "x", "X_Y", "X.Y", "!#$%&'*+-.^_`|~", "1",
    "", " X", "X ", "X Y", ":X", "X:Y", "X\n", "X\r\nY", "X\0", "X(Y)", "X/Y", "\xe9", "\u20ac", ":path",
    None, 5, ("a",),
)  # fmt: skip


def headers() -> Iterator[Case]:
    for kind, value in VALUES.items():
        yield Case(f"header value {kind}", request("GET", "/report", headers={"X-Value": value}))
    for name in NAMES:
        call = request("GET", "/report", headers={name: "value"})
        yield Case(f"header name {str(name)!a} {type(name).__name__}", call)
    special = {
        "Host": ("other.test", "other.test:99", b"other.test", ""),
        "Accept-Encoding": ("gzip", ""),
        "Connection": ("keep-alive", "X-Mine", "close"),
        "Keep-Alive": ("timeout=5",),
        "Proxy-Connection": ("keep-alive",),
        "Upgrade": ("h2c",),
        "TE": ("trailers", "gzip", "trailers, deflate"),
        "Cookie": ("a=1", "a=1; b=2; c=3"),
        "Authorization": ("Basic eA==",),
        "Expect": ("something",),
        "Content-Length": ("0",),
    }
    for name, values in special.items():
        for value in values:
            yield Case(f"{name}: {value!r}", request("GET", "/report", headers={name: value}))
    twice = {"X-A": "1", "x-a": "2", "X-B": "3"}
    yield Case("one name in two cases", request("GET", "/report", headers=twice))
    yield Case("100 headers", request("GET", "/report", headers={f"X-{n}": n for n in range(100)}))
    yield Case("headers None", request("GET", "/report", headers=None))
    yield Case("headers list", request("GET", "/report", headers=[("X-A", "1")]))
    for label, values in {
        "two": ("a", "b"),
        "mixed": ("a", b"b", 3),
        "none": (),
        "bad second": ("a", "b\n"),
    }.items():
        yield Case(f"putheader with {label} values", put(("X-Value", *values)))
    yield Case("putheader twice", put(("X-Value", "a"), ("X-Value", "b")))
    yield Case("putheader cookies twice", put(("Cookie", "a=1"), ("Cookie", "b=2")))
    yield Case("putheader Host twice", put(("Host", "one.test"), ("Host", "two.test")))
    yield Case("skip_host", put(skip_host=True))
    yield Case("skip_host, Host put", put(("Host", "other.test"), skip_host=True))
    yield Case("skip_accept_encoding", put(skip_accept_encoding=True))
    yield Case("content-length twice, equal", put(("Content-Length", "0"), ("Content-Length", "0")))
    for label, fields in {
        "twice, different": (("Content-Length", "5"), ("Content-Length", "4")),
        "beside chunks": (("Content-Length", "5"), ("Transfer-Encoding", "chunked")),
    }.items():
        yield Case(f"content-length {label}", put(*fields, pieces=(b"5\r\nhello\r\n0\r\n\r\n",)))


def bodies() -> Iterator[Case]:
    for kind, make in GOOD.items():
        yield Case(f"body {kind}", with_body("POST", make, {}))
        # http.client sends pieces unframed here; a sized body is what makes sense of it
        if kind not in ("None", "b''", "empty str"):
            yield Case(f"body {kind}, chunked", with_body("POST", make, CHUNKED, encode_chunked=True))
    for kind, make in BAD.items():
        yield Case(f"body {kind}", with_body("POST", make, {}))
        yield Case(f"body {kind}, chunked", with_body("POST", make, CHUNKED, encode_chunked=True))
    for kind in ("bytes", "str", "bytearray", "BytesIO", "file", "reader", "list", "generator", "mmap"):
        for flag in (False, True):
            call = with_body("PUT", GOOD[kind], {"Content-Length": "5"}, encode_chunked=flag)
            yield Case(f"body {kind}, its content-length, encode_chunked={flag}", call)
    yield from _lengths()
    yield from _chunks()


def _lengths() -> Iterator[Case]:
    for value in ("9", "3", "-1", "five", "5, 5", "+5", " 5 "):
        call = with_body("POST", GOOD["bytes"], {"Content-Length": value})
        yield Case(f"body bytes, content-length {value!r}", call, HANG if value == "9" else PATIENCE)
    yield Case("content-length put, body sent", put(("Content-Length", "5"), pieces=(DATA,)))
    yield Case("content-length put, sent in pieces", put(("Content-Length", 5), pieces=(b"he", b"", b"llo")))
    yield Case("content-length put, file sent", put(("Content-Length", "5"), pieces=([b"he", b"llo"],)))
    yield Case("content-length put, too little sent", put(("Content-Length", "5"), pieces=(b"he",)), HANG)
    yield Case("content-length put, too much sent", put(("Content-Length", "2"), pieces=(DATA,)))
    yield Case("no length put, body sent", put(pieces=(DATA,)))
    yield Case("send str", put(("Content-Length", "5"), pieces=("hello",)))
    yield Case("send int", put(("Content-Length", "5"), pieces=(5,)))


def _chunks() -> Iterator[Case]:
    framed = {
        "whole": (b"5\r\nhello\r\n0\r\n\r\n",),
        "each": (b"2\r\nhe\r\n", b"3\r\nllo\r\n", b"0\r\n\r\n"),
        "cut anywhere": tuple(bytes([byte]) for byte in b"5\r\nhello\r\n0\r\n\r\n"),
        "with an extension": (b"5;a=b\r\nhello\r\n0\r\n\r\n",),
        "with trailers": (b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n",),
        "empty": (b"0\r\n\r\n",),
        "upper case": (b"A\r\n0123456789\r\n0\r\n\r\n",),
        "without the last": (b"5\r\nhello\r\n",),
        "no chunks at all": (b"hello",),
        "size not a number": (b"hello\r\n",),
        "negative size": (b"-5\r\nhello\r\n0\r\n\r\n",),
        "signed size": (b"+5\r\nhello\r\n0\r\n\r\n",),
        "longer than it says": (b"2\r\nhello\r\n0\r\n\r\n",),
        "more after the last": (b"0\r\n\r\n", b"5\r\nhello\r\n"),
    }
    for label, pieces in framed.items():
        hangs = label in ("without the last", "no chunks at all")
        call = put(("Transfer-Encoding", "chunked"), pieces=pieces)
        yield Case(f"chunks by hand, {label}", call, HANG if hangs else PATIENCE)
    yield Case("chunks by hand, in request()", _framed_request)
    for kind in ("bytes", "generator"):
        call = with_body("POST", GOOD[kind], CHUNKED)
        yield Case(f"body {kind}, chunked said and not done", call, HANG)


def _framed_request(conn: Any) -> Any:
    conn.request("POST", "/report", iter([b"5\r\nhello\r\n", b"0\r\n\r\n"]), CHUNKED)
    return outcome(conn)


READS: dict[str, Callable[[Any], Any]] = {
    "read()": lambda r: r.read(),
    "read(None)": lambda r: r.read(None),
    "read(0)": lambda r: [r.read(0), state(r)],
    "read(5)": lambda r: [r.read(5), state(r)],
    "read(5) to the end": lambda r: list(iter(lambda: r.read(5), b"")),
    "read(all)": lambda r: [r.read(18), state(r)],
    "read(more)": lambda r: [r.read(10_000_000), state(r)],
    "read1()": lambda r: b"".join(iter(r.read1, b"")),
    "read1(3)": lambda r: [r.read1(3), state(r)],
    "read1(0)": lambda r: [r.read1(0), state(r)],
    "readinto": lambda r: [r.readinto(buffer := bytearray(7)), bytes(buffer), state(r)],
    "readinto, empty": lambda r: [r.readinto(bytearray()), state(r)],
    "readinto, longer": lambda r: [
        r.readinto(buffer := bytearray(400_000)),
        bytes(buffer).strip(b"\0"),
        state(r),
    ],
    "peek": lambda r: [r.peek(3)[:3], r.read(3), state(r)],
    "readline": lambda r: [r.readline(), r.readline(), state(r)],
    "readline(3)": lambda r: [r.readline(3), r.readline(0), state(r)],
    "readlines": lambda r: [len(lines := r.readlines()), lines[0], state(r)],
    "iteration": lambda r: [len(lines := list(r)), lines[-1:], state(r)],
    "context manager": lambda r: [r.__enter__() is r, r.read(2), r.__exit__(None, None, None), state(r)],
    "close() early": lambda r: [r.close(), state(r), attempt(r.read)],
    "close() twice": lambda r: [r.close(), r.close(), state(r)],
    "mixed": lambda r: [r.read(2), r.readline(), r.read1(1), r.read(), state(r)],
    "fileno": lambda r: r.fileno() > 2,
    "seek, tell, write": lambda r: [
        attempt(lambda: r.seek(0)),
        attempt(r.tell),
        attempt(lambda: r.write(b"")),
    ],
    "flush, writable, seekable": lambda r: [r.flush(), r.writable(), r.seekable(), r.isatty()],
    "detach": lambda r: attempt(r.detach),
    "geturl": lambda r: attempt(r.geturl),
    "begin again": lambda r: [r.begin(), r.status],
}


def reading() -> Iterator[Case]:
    for (style, how), target in itertools.product(READS.items(), ("/lines", "/pieces", "/empty")):
        hangs = (target, style) == ("/empty", "peek")
        yield Case(f"{target} by {style}", read(target, how), HANG if hangs else PATIENCE)
    for style, target in itertools.product(("read()", "read(5)", "readline", "readinto", "iteration"), (
        "/large", "/large-pieces", "/cut-sized", "/cut-chunked", "/unchanged", "/empty-pieces",
    )):  # fmt: skip
        yield Case(f"{target} by {style}", read(target, READS[style]))
    for style in ("read()", "read(5)", "read1()", "peek", "readline", "readinto", "close() early"):
        yield Case(f"HEAD by {style}", read("/lines", READS[style], "HEAD"))


def responses() -> Iterator[Case]:
    for number in (200, 201, 202, 204, 206, 299, 301, 304, 400, 401, 404, 405, 418, 429, 500, 503, 599):
        yield Case(f"status {number}", request("GET", f"/status?n={number}"))
    for target in (
        "/cookies",
        "/latin",
        "/fields",
        "/spelt",
        "/trailers",
        "/hints",
        "/100",
        "/close",
        "/cut-before",
    ):
        yield Case(f"response {target}", request("GET", target))
    for target in ("/lines", "/pieces", "/empty", "/unchanged", "/status?n=204", "/status?n=404"):
        yield Case(f"HEAD {target}", request("HEAD", target))
    yield Case("version", lambda conn: (conn.request("GET", "/"), conn.getresponse().version)[1])
    yield Case("chunked", lambda conn: (conn.request("GET", "/pieces"), conn.getresponse().chunked)[1])
    yield Case("transfer-encoding", _transfer_encoding)
    yield Case("expect: 100-continue", _expect)


def _transfer_encoding(conn: Any) -> Any:
    conn.request("GET", "/pieces")
    response = conn.getresponse()
    return response.getheader("Transfer-Encoding"), response.read()


def _expect(conn: Any) -> Any:
    conn.putrequest("POST", "/continued")
    conn.putheader("Expect", "100-continue")
    conn.putheader("Content-Length", "5")
    conn.endheaders()
    conn.send(DATA)
    return outcome(conn)


# Each step is a method and its arguments; what each returns, or raises, is compared.
GET = ("request", "GET", "/lines")
RESPONSE, CLOSE, CONNECT = ("getresponse",), ("close",), ("connect",)
PUT, PUT_HEADER, END = ("putrequest", "GET", "/lines"), ("putheader", "X-A", "1"), ("endheaders",)
ORDERS: dict[str, list[tuple[Any, ...]]] = {
    "getresponse first": [RESPONSE],
    "getresponse twice": [GET, RESPONSE, RESPONSE],
    "getresponse, read, getresponse": [GET, RESPONSE, ("read",), RESPONSE],
    "two requests": [GET, GET, RESPONSE],
    "request before read": [GET, RESPONSE, GET, RESPONSE],
    "request before read, then read": [GET, RESPONSE, GET, ("read",), RESPONSE, ("read",)],
    "three in a row": [GET, RESPONSE, ("read",)] * 3,
    "response closed early": [GET, RESPONSE, ("close_response",), GET, RESPONSE, ("read",)],
    "close before read": [GET, RESPONSE, CLOSE, ("read",)],
    "close between": [GET, CLOSE, RESPONSE],
    "close between, again": [GET, CLOSE, GET, RESPONSE, ("read",)],
    "close first": [CLOSE, CLOSE],
    "close twice": [GET, RESPONSE, ("read",), CLOSE, CLOSE],
    "request after close": [GET, RESPONSE, ("read",), CLOSE, GET, RESPONSE, ("read",)],
    "connect first": [CONNECT, GET, RESPONSE, ("read",)],
    "connect, no request": [CONNECT, CLOSE],
    "putheader first": [PUT_HEADER],
    "putheader late": [PUT, END, PUT_HEADER, RESPONSE, ("read",)],
    "endheaders first": [END],
    "endheaders twice": [PUT, END, END, RESPONSE, ("read",)],
    "endheaders with a body": [
        ("putrequest", "POST", "/report"), ("putheader", "Content-Length", "5"), ("endheaders", DATA),
        RESPONSE, ("read",),
    ],
    "endheaders, encode_chunked": [
        ("putrequest", "POST", "/report"), ("putheader", "Transfer-Encoding", "chunked"),
        ("endheaders_chunked", [b"he", b"llo"]),
        RESPONSE, ("read",),
    ],
    "putrequest twice": [PUT, PUT],
    "putrequest, request": [PUT, GET],
    "putrequest, getresponse": [PUT, RESPONSE],
    "putrequest, close, request": [PUT, CLOSE, GET, RESPONSE, ("read",)],
    "putrequest bad, again": [("putrequest", "GET", "/ "), PUT, CLOSE, PUT, END, RESPONSE, ("read",)],
    "request bad, close, request": [("request", "GE\nT", "/"), CLOSE, GET, RESPONSE, ("read",)],
    "bad header, close, request": [PUT, ("putheader", "X", "\n"), CLOSE, GET, RESPONSE, ("read",)],
    "send without a connection, closed for good": [("set", "auto_open", 0), ("send", b"x")],
    "request, closed for good": [("set", "auto_open", 0), GET],
    "debuglevel": [("set_debuglevel", 1), GET, RESPONSE, ("read",)],
    "timeout set": [("set", "timeout", 5), GET, RESPONSE, ("read",)],
    "sock before and after": [("is_open",), CONNECT, ("is_open",), CLOSE, ("is_open",)],
    "sock after a response": [GET, ("is_open",), RESPONSE, ("is_open",), ("read",), ("is_open",)],
    "sock after will_close": [("request", "GET", "/close"), RESPONSE, ("is_open",), ("read",)],
    "sock after a cut": [("request", "GET", "/cut-before"), RESPONSE, ("is_open",)],
    "socket taken away, then read": [GET, RESPONSE, ("take_socket",), ("read",)],
    "set_tunnel when connected": [CONNECT, ("set_tunnel", "other.test")],
    "response first, then body": [PUT, END, RESPONSE, ("send", b""), ("read",)],
    "HEAD, then GET": [("request", "HEAD", "/lines"), RESPONSE, ("read",), GET, RESPONSE, ("read",)],
    "HEAD unread, then GET": [("request", "HEAD", "/lines"), RESPONSE, GET, RESPONSE],
    "204 unread, then GET": [("request", "GET", "/status?n=204"), RESPONSE, GET, RESPONSE],
    "empty unread, then GET": [("request", "GET", "/empty"), RESPONSE, GET, RESPONSE],
}  # fmt: skip


class Stepper:
    """Makes the calls of a list one after the other."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn
        self.response: Any = None

    def step(self, name: str, *args: Any) -> Any:
        own = getattr(self, f"do_{name}", None)
        return own(*args) if own else getattr(self.conn, name)(*args)

    def do_getresponse(self) -> Any:
        self.response = self.conn.getresponse()
        return head(self.response)

    def do_read(self) -> Any:
        return [self.response.read(), state(self.response)]

    def do_close_response(self) -> None:
        self.response.close()

    def do_set(self, name: str, value: Any) -> None:
        setattr(self.conn, name, value)

    def do_is_open(self) -> bool:
        return self.conn.sock is not None

    def do_take_socket(self) -> None:
        self.conn.sock.close()
        self.conn.sock = None

    def do_endheaders_chunked(self, body: Any) -> None:
        self.conn.endheaders(body, encode_chunked=True)


def _steps(steps: list[tuple[Any, ...]]) -> Callable[[Any], Any]:
    def call(conn: Any) -> Any:
        stepper = Stepper(conn)
        return [attempt(lambda s=step: stepper.step(*s)) for step in steps]

    return call


def orders() -> Iterator[Case]:
    for name, steps in ORDERS.items():
        yield Case(f"order: {name}", _steps(steps), own=True)


CASES = [
    *methods(),
    *targets(),
    *headers(),
    *bodies(),
    *reading(),
    *responses(),
    *orders(),
    *idioms_bodies.cases(),
    *idioms_connection.cases(),
    *idioms_heads.cases(),
    *idioms_sending.cases(),
]
