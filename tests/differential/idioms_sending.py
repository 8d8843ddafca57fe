"""How programs send: the fields that they set, the bodies that they have, and requests made by hand."""

import array
import base64
import binascii
import codecs
import collections
import contextlib
import ctypes
import datetime as dt
import email.message
import email.utils
import gzip
import hashlib
import http.client
import http.cookies
import io
import itertools
import json
import mmap
import os
import pathlib
import tarfile
import tempfile
import types
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .bodies import DATA
from .calls import CHUNKED, put, request, with_body
from .observe import Case, outcome

Make = Callable[[], AbstractContextManager[Any]]

# -- fields ---------------------------------------------------------------------------------------

AWS = (
    "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + "0" * 64
)
FIELDS: dict[str, Any] = {
    "User-Agent": "program/1.0 (+https://example.test)",
    "Accept": "text/html, application/json;q=0.9, */*;q=0.1",
    "Accept-Language": "de, en;q=0.5",
    "Accept-Encoding": "gzip, deflate",
    "Accept-Charset": "utf-8",
    "Authorization": "Bearer abc.def-_~+/=",
    "Authorization, AWS": ("Authorization", AWS),
    "Authorization, Basic": ("Authorization", b"Basic " + base64.b64encode(b"user:p\xe4ss")),
    "Authorization, Basic, encodebytes": (
        "Authorization",
        "Basic " + base64.encodebytes(b"user:pass").decode().strip(),
    ),
    "Authorization, a newline left": ("Authorization", "Basic " + base64.encodebytes(b"u:p").decode()),
    "Authorization, Digest": ("Authorization", 'Digest username="u", realm="r", uri="/", nc=00000001'),
    "Proxy-Authorization": "Basic eA==",
    "Cookie": http.cookies.SimpleCookie("a=1; b=two").output(header="", sep=";").strip(),
    "Cookie, quoted": ("Cookie", 'session="a b\\"c"; $Version=1'),
    "If-None-Match": '"5d41", W/"x"',
    "If-Match": "*",
    "If-Modified-Since": email.utils.formatdate(0, usegmt=True),
    "If-Unmodified-Since": email.utils.format_datetime(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), usegmt=True),
    "If-Range": '"5d41"',
    "Range": "bytes=0-4",
    "Range, from": ("Range", f"bytes={len(DATA)}-"),
    "Referer": "https://example.test/a?b#c",
    "Origin": "null",
    "X-Requested-With": "XMLHttpRequest",
    "X-HTTP-Method-Override": "PATCH",
    "SOAPAction": '"urn:example#Do"',
    "SOAPAction, empty": ("SOAPAction", '""'),
    "X-Forwarded-For": "10.0.0.1, ::1",
    "Forwarded": 'for="[2001:db8::1]:80";proto=https',
    "Via": "1.1 proxy",
    "Cache-Control": "no-cache, max-age=0",
    "Pragma": "no-cache",
    "DNT": 1,
    "Max-Forwards": 0,
    "From": "a@b.test",
    "Prefer": "return=minimal, respond-async",
    "Depth": "infinity",
    "Destination": "https://localhost/%C3%A9",
    "Lock-Token": "<urn:uuid:1>",
    "Date": email.utils.formatdate(1e9, usegmt=True),
    "Content-Type": "application/json; charset=utf-8",
    "Content-Disposition": "attachment; filename*=UTF-8''%e2%82%ac.txt",
    "Content-Language": "de",
    "traceparent": "00-" + "0" * 32 + "-" + "1" * 16 + "-01",
    "x-amz-date": "20260101T000000Z",
    "X-Date": dt.date(2026, 1, 1).isoformat(),
    "X-Flag": str(True),
    "X-Big": 2**70,
    "X-Comma": ",,",
    "X-Percent": "%0d%0aX: y",
    "X-Json": json.dumps({"a": ["b", 'c"'], "d": None}),
}
# What request() and putrequest() look for, in other spellings.
SPELLINGS = (
    *(("Host", name) for name in ("host", "HOST", b"Host")),
    *(("Accept-Encoding", name) for name in ("accept-encoding", "ACCEPT-ENCODING", b"Accept-Encoding")),
    *(("Content-Length", name) for name in ("content-length", "CONTENT-LENGTH", "Content-length")),
    *(("Transfer-Encoding", name) for name in ("transfer-encoding", "TRANSFER-ENCODING")),
    *(("Content-Type", name) for name in ("content-type", "CONTENT-TYPE", b"Content-type")),
)
SPELT_VALUES = {
    "Host": "other.test",
    "Accept-Encoding": "br",
    "Content-Length": "5",
    "Content-Type": "text/x",
}


class _Headers(dict[str, str]):
    """A class of a program's own."""


def _message(kind: type[Any]) -> Any:
    message = kind()
    message["X-A"], message["X-B"] = "1", "2"
    message["X-A"] = "3"
    return message


MAPPINGS: dict[str, Callable[[], Any]] = {
    "HTTPMessage": lambda: _message(http.client.HTTPMessage),
    "email's Message": lambda: _message(email.message.Message),
    "EmailMessage": lambda: _message(email.message.EmailMessage),
    "OrderedDict": lambda: collections.OrderedDict([("X-B", "2"), ("X-A", "1")]),
    "mappingproxy": lambda: types.MappingProxyType({"X-A": "1"}),
    "UserDict": lambda: collections.UserDict({"X-A": "1"}),
    "ChainMap": lambda: collections.ChainMap({"X-A": "1"}, {"X-A": "2", "X-B": "3"}),
    "defaultdict": lambda: collections.defaultdict(str, {"X-A": "1"}),
    "a dict's subclass": lambda: _Headers({"X-A": "1"}),
    "dict of bytes": lambda: {b"X-A": b"1", "X-B": b"2", b"X-C": "3"},
    "empty dict": dict,
    "a tuple of pairs": lambda: (("X-A", "1"),),
    "a str": lambda: "X-A: 1",
    "dict with a tuple": lambda: {"X-A": ("1", "2")},
}


def fields() -> Iterator[Case]:
    for label, value in FIELDS.items():
        name, sent = value if isinstance(value, tuple) else (label, value)
        yield Case(f"field {label}", request("GET", "/report", headers={name: sent}))
    for name, spelling in SPELLINGS:
        sent = SPELT_VALUES.get(name, "chunked")
        options = {"encode_chunked": True} if name == "Transfer-Encoding" else {}
        call = request("POST", "/report", DATA, {spelling: sent}, **options)
        yield Case(f"{name} spelt {spelling!r}", call)
    for label, make in MAPPINGS.items():
        call = lambda conn, make=make: (conn.request("GET", "/report", headers=make()), outcome(conn))[1]  # noqa: E731
        yield Case(f"headers in {label}", call)


# -- bodies ---------------------------------------------------------------------------------------


class _Bytes(bytes):
    """A class of a program's own."""


class _WithBytes:
    def __bytes__(self) -> bytes:
        return DATA


class _Pieces:
    """An iterable that can be asked for its length, and sent more than once."""

    def __len__(self) -> int:
        return len(DATA)

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"he", b"llo"])


class _ReadAndIterated(io.BytesIO):
    """As multipart encoders are: a length, read() and iteration."""

    def __len__(self) -> int:
        return len(self.getvalue())


class _ReadsStr:
    def __init__(self) -> None:
        self._left = ["caf\xe9", ""]

    def read(self, _size: int) -> str:
        return self._left.pop(0)


class _ReadFails:
    def read(self, _size: int) -> bytes:
        raise ZeroDivisionError("the body's own")


class _Progress:
    """As programs wrap files to show how far an upload is."""

    def __init__(self) -> None:
        self._file = io.BytesIO(DATA * 3000)
        self.seen: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.seen.append(len(piece))
        return piece


@contextlib.contextmanager
def _opened(mode: str = "rb", **options: Any) -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "body")
        path.write_bytes("caf\xe9\nx\n".encode("latin-1"))
        with path.open(mode, **options) as file:
            yield file


@contextlib.contextmanager
def _mapped() -> Iterator[Any]:
    with _opened("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        yield mapped


@contextlib.contextmanager
def _pipe() -> Iterator[Any]:
    reading, writing = os.pipe()
    os.write(writing, DATA)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        yield file


@contextlib.contextmanager
def _spooled() -> Iterator[Any]:
    with tempfile.SpooledTemporaryFile() as file:
        file.write(DATA)
        file.seek(0)
        yield file


@contextlib.contextmanager
def _member_of_zip() -> Iterator[Any]:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", DATA)
        with archive.open("a") as member:
            yield member


@contextlib.contextmanager
def _member_of_tar() -> Iterator[Any]:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("a")
        member.size = len(DATA)
        archive.addfile(member, io.BytesIO(DATA))
    file.seek(0)
    with tarfile.open(fileobj=file) as archive:
        yield archive.extractfile("a")


def _plain(make: Callable[[], Any]) -> Make:
    return lambda: nullcontext(make())


def _at(position: int) -> io.BytesIO:
    file = io.BytesIO(DATA)
    file.seek(position)
    return file


MULTIPART = b"\r\n".join((
    b"--boundary", b'Content-Disposition: form-data; name="a"', b"", b"1",
    b"--boundary", b'Content-Disposition: form-data; name="f"; filename="x.bin"',
    b"Content-Type: application/octet-stream", b"", bytes(range(256)), b"--boundary--", b"",
))  # fmt: skip
KINDS: dict[str, Make] = {
    "json text": _plain(lambda: json.dumps({"a": "\xe9", "b": [1, None]})),
    "json bytes": _plain(lambda: json.dumps({"a": "\xe9"}, ensure_ascii=False).encode()),
    "form text": _plain(lambda: urllib.parse.urlencode({"a": "b c", "d": "\xe9&"})),
    "form bytes": _plain(lambda: urllib.parse.urlencode([("a", 1), ("a", 2)], doseq=True).encode("ascii")),
    "multipart": _plain(lambda: MULTIPART),
    "xml text": _plain(lambda: "<?xml version='1.0' encoding='latin-1'?><a>\xe9</a>"),
    "gzip": _plain(lambda: gzip.compress(DATA * 100, mtime=0)),
    "zlib": _plain(lambda: zlib.compress(DATA)),
    "hexlify": _plain(lambda: binascii.hexlify(DATA)),
    "base64 lines": _plain(lambda: base64.encodebytes(DATA * 40)),
    "CRLF alone": _plain(lambda: b"\r\n\r\n"),
    "a request": _plain(lambda: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "zeros": _plain(lambda: bytes(300)),
    "a chunk's look": _plain(lambda: b"5\r\nhello\r\n0\r\n\r\n"),
    "BytesIO in its middle": _plain(lambda: _at(2)),
    "BytesIO at its end": _plain(lambda: _at(5)),
    "BytesIO.getbuffer": _plain(lambda: io.BytesIO(DATA).getbuffer()),
    "open file": _opened,
    "unbuffered file": lambda: _opened(buffering=0),
    "text file, Latin-1": lambda: _opened("r", encoding="latin-1"),
    "text file, newlines": lambda: _opened("r", encoding="latin-1", newline=""),
    "mmap of a file": _mapped,
    "pipe": _pipe,
    "SpooledTemporaryFile": _spooled,
    "member of a zip": _member_of_zip,
    "member of a tar": _member_of_tar,
    "GzipFile": _plain(lambda: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(DATA)))),
    "BufferedReader": _plain(lambda: io.BufferedReader(io.BytesIO(DATA))),
    "BufferedRandom": _plain(lambda: io.BufferedRandom(io.BytesIO(DATA))),
    "TextIOWrapper": _plain(lambda: io.TextIOWrapper(io.BytesIO("caf\xe9".encode()), "utf-8")),
    "StreamReader": _plain(lambda: codecs.getreader("utf-8")(io.BytesIO("caf\xe9".encode()))),
    "progress": _plain(_Progress),
    "read() of str": _plain(_ReadsStr),
    "read() that fails": _plain(_ReadFails),
    "read, len and iteration": _plain(lambda: _ReadAndIterated(DATA)),
    "pieces with a length": _plain(_Pieces),
    "bytes of a subclass": _plain(lambda: _Bytes(DATA)),
    "memoryview's slice": _plain(lambda: memoryview(b"xhellox")[1:-1]),
    "memoryview with steps": _plain(lambda: memoryview(b"h-e-l-l-o-")[::2]),
    "ctypes' buffer": _plain(lambda: ctypes.create_string_buffer(DATA, len(DATA))),
    "array of chars": _plain(lambda: array.array("b", DATA)),
    "deque": _plain(lambda: collections.deque([b"he", b"llo"])),
    "set": _plain(lambda: {DATA}),
    "dict's values": _plain({"a": b"he", "b": b"llo"}.values),
    "map": _plain(lambda: map(bytes, ([104, 101], [108, 108, 111]))),
    "chain": _plain(lambda: itertools.chain([b"he"], [b"llo"])),
    "iter of a file": _plain(lambda: iter(io.BytesIO(b"a\nb\nc"))),
    "iter(callable)": _plain(lambda f=io.BytesIO: (lambda file: iter(lambda: file.read(2), b""))(f(DATA))),  # noqa: PLC3002
    "memoryview pieces": _plain(lambda: [memoryview(b"he"), memoryview(b"llo")]),
    "pieces of one byte": _plain(lambda: [b"x"] * 300),
    "path": _plain(lambda: pathlib.Path("/")),
    "__bytes__": _plain(_WithBytes),
    "bool": _plain(lambda: True),
    "False": _plain(lambda: False),
    "class": _plain(lambda: bytes),
    "function": _plain(lambda: lambda: DATA),
    "range": _plain(lambda: range(3)),
}
SENT = (
    *("form bytes", "open file", "unbuffered file", "text file, Latin-1", "mmap of a file", "pipe"),
    *(
        "BytesIO in its middle",
        "BytesIO at its end",
        "read() of str",
        "read() that fails",
        "bytes of a subclass",
    ),
    *("memoryview's slice", "ctypes' buffer", "deque", "map", "iter of a file", "pieces of one byte", "path"),
    *("bool", "range", "member of a zip", "pieces with a length"),
)


def _ends(make: Make, *fields: tuple[str, Any], **options: Any) -> Callable[[Any], Any]:
    """Make a call that gives endheaders() the body."""

    def call(conn: Any) -> Any:
        conn.putrequest("PUT", "/report")
        for field in fields:
            conn.putheader(*field)
        with make() as body:
            conn.endheaders(body, **options)
            return outcome(conn)

    return call


def _sends(make: Make, length: int) -> Callable[[Any], Any]:
    """Make a call that gives send() the body."""

    def call(conn: Any) -> Any:
        conn.putrequest("PUT", "/report")
        conn.putheader("Content-Length", length)
        conn.endheaders()
        with make() as body:
            conn.send(body)
            return outcome(conn)

    return call


def _length(kind: str) -> int | None:
    """Return how many bytes a kind of body sends; None: it fails."""
    with KINDS[kind]() as body:
        try:
            pieces = [body.read()] if hasattr(body, "read") else [body] if _is_buffer(body) else list(body)
            return sum(
                len(p.encode("latin-1")) if isinstance(p, str) else memoryview(p).nbytes for p in pieces
            )
        except Exception:
            return None


def _is_buffer(body: Any) -> bool:
    try:
        memoryview(body)
    except TypeError:
        return False
    return True


def bodies() -> Iterator[Case]:
    for kind, make in KINDS.items():
        yield Case(f"{kind} posted", with_body("POST", make, {"Content-Type": "x/y"}))
    for kind in SENT:
        yield Case(f"{kind} in chunks", with_body("PUT", KINDS[kind], CHUNKED, encode_chunked=True))
        yield Case(f"{kind} by endheaders, in chunks", _ends(
            KINDS[kind], ("Transfer-Encoding", "chunked"), encode_chunked=True
        ))  # fmt: skip
    for kind in (kind for kind in SENT if kind not in ("read() of str", "read() that fails")):
        length = _length(kind)
        if length is not None:
            yield Case(f"{kind} by send()", _sends(KINDS[kind], length))
            yield Case(f"{kind} by endheaders", _ends(KINDS[kind], ("Content-Length", str(length))))


# -- by hand --------------------------------------------------------------------------------------


def _loop(conn: Any) -> Any:
    """As programs send a file themselves, to show how far they are."""
    data = io.BytesIO(DATA * 5000)
    conn.putrequest("PUT", "/report", skip_accept_encoding=True)
    conn.putheader("Content-Length", str(len(data.getvalue())))
    conn.endheaders()
    for piece in iter(lambda: data.read(8192), b""):
        conn.send(piece)
    return outcome(conn)


def _own_chunks(conn: Any) -> Any:
    """As programs frame chunks themselves, with a digest behind them."""
    digest = hashlib.md5()
    conn.putrequest("PUT", "/report")
    conn.putheader("Transfer-Encoding", "chunked")
    conn.putheader("Trailer", "Content-MD5")
    conn.endheaders()
    for piece in (b"some ", b"data ", b"x" * 5000):
        digest.update(piece)
        conn.send(b"%x;\r\n" % len(piece))
        conn.send(piece)
        conn.send(b"\r\n")
    conn.send(b"0\r\n")
    conn.send(b"Content-MD5: " + base64.b64encode(digest.digest()) + b"\r\n")
    conn.send(b"\r\n")
    return outcome(conn)


HANDS: dict[str, Callable[[Any], Any]] = {
    "a file in a loop": _loop,
    "chunks with a digest behind them": _own_chunks,
    "everything skipped, and put": put(
        ("Host", "here.test"), ("Accept-Encoding", "x"), skip_host=True, skip_accept_encoding=True
    ),
    "skip_host as 1": put(("Host", "here.test"), skip_host=1),
    "skip_accept_encoding as 1": put(skip_accept_encoding=1),
    "values of all kinds": put(("X-A", 1), ("X-B", b"b"), ("X-C", "c"), ("X-D", True), ("X-E", "")),
    "names of bytes": put((b"X-A", "1"), (b"X-B", b"2")),
    "many fields": put(*((f"X-{number}", "v" * number) for number in range(60))),
    "one field many times": put(*(("X-Same", str(number)) for number in range(20))),
    "one name in many spellings": put(("X-a", "1"), ("x-A", "2"), ("X-A", "3")),
    "a cookie for each": put(*(("Cookie", f"c{number}=v") for number in range(4))),
    "content-length 0": put(("Content-Length", "0")),
    "content-length as an int": put(("Content-Length", 5), pieces=(DATA,)),
    "content-length of bytes": put(("Content-Length", b"5"), pieces=(DATA,)),
    "send of nothing": put(("Content-Length", "5"), pieces=(b"", DATA, b"")),
    "send byte by byte": put(("Content-Length", "5"), pieces=tuple(DATA[n : n + 1] for n in range(5))),
    "send of bytearrays": put(("Content-Length", "5"), pieces=(bytearray(b"he"), memoryview(b"llo"))),
    "send of a generator": put(("Content-Length", "4"), pieces=([b"a", b"b"], [b"cd"])),
    "send of None": put(("Content-Length", "5"), pieces=(None,)),
    "send of floats": put(("Content-Length", "5"), pieces=([1.5],)),
    "send of a dict": put(("Content-Length", "5"), pieces=({b"he": 1, b"llo": 2},)),
    "endheaders of None": _ends(_plain(lambda: None)),
    "endheaders of nothing": _ends(_plain(lambda: b""), ("Content-Length", "0")),
    "endheaders by keyword": lambda conn: [
        conn.putrequest(method="PUT", url="/report"), conn.putheader("Content-Length", "5"),
        conn.endheaders(message_body=DATA, encode_chunked=False), outcome(conn),
    ][-1],
    "endheaders of str": _ends(_plain(lambda: "hello"), ("Content-Length", "5")),
    "endheaders, chunked said, not done": _ends(
        _plain(lambda: [b"2\r\nhe\r\n", b"0\r\n\r\n"]), ("Transfer-Encoding", "chunked")
    ),
    "endheaders, no pieces, in chunks": _ends(
        _plain(lambda: iter(())), ("Transfer-Encoding", "chunked"), encode_chunked=True
    ),
    "putrequest's url None": lambda conn: [
        conn.putrequest("GET", None),
        conn.endheaders(),
        outcome(conn),
    ][-1],
    "request by keywords": request(method="POST", url="/report", body=DATA, headers={"X-A": "1"}),
    "request by position": request("POST", "/report", DATA, {"X-A": "1"}),
    "request, encode_chunked for nothing": request("POST", "/report", DATA, {}, encode_chunked=True),
    "request of an HTTPMethod": request(http.HTTPMethod.PUT, "/report", DATA),
    "expect, body in request()": request("PUT", "/continued", DATA, {"Expect": "100-continue"}),
    "expect, body in endheaders()": lambda conn: [
        conn.putrequest("PUT", "/continued"), conn.putheader("Expect", "100-continue"),
        conn.putheader("Content-Length", "5"), conn.endheaders(DATA), outcome(conn),
    ][-1],
    "a chunked request is answered early": request("PUT", "/lines", [b"x" * 3000] * 5),
    "echoed": request("POST", "/echo", MULTIPART, {"Content-Type": "multipart/form-data; boundary=boundary"}),
    "echoed in chunks": request("POST", "/echo", [b"a" * 9000, b"b"], {"Content-Type": "a/b"}),
    "a range": request("GET", "/range", headers={"Range": "bytes=2-5"}),
    "an entity that is known": request("GET", "/etag", headers={"If-None-Match": '"v1"'}),
    "an entity that is not": request("GET", "/etag", headers={"If-None-Match": '"v0"'}),
    "HEAD with a body": request("HEAD", "/report", DATA),
    "GET with json": request(
        "GET", "/report", json.dumps({"query": {}}), {"Content-Type": "application/json"}
    ),
    "DELETE with json": request("DELETE", "/report", b"{}", {"Content-Type": "application/json"}),
    "PROPFIND": request("PROPFIND", "/report", "<propfind/>", {"Depth": "1"}),
    "REPORT, MKCOL": request("MKCOL", "/report/new"),
}  # fmt: skip
TARGETS = {
    "urlencode": "/report?" + urllib.parse.urlencode({"q": "a b/\xe9", "n": 1}),
    "urlencode, doseq": "/report?" + urllib.parse.urlencode({"q": ["a", "b"]}, doseq=True),
    "quote": urllib.parse.quote("/a b/\xe9/%"),
    "quote_plus": "/" + urllib.parse.quote_plus("a b/c?d"),
    "urlunsplit": urllib.parse.urlunsplit(("", "", "/report", "a=b", "frag")),
    "urljoin": urllib.parse.urljoin("/a/b/c", "../d?e"),
    "dots": "/a/./b/../c/...",
    "query of a question mark": "/report??",
    "query without a path": "?a",
    "fragment alone": "#a",
    "IPv6 in a query": "/report?u=http://[::1]:80/",
    "percent alone": "/%",
    "percent of nothing": "/%zz",
    "long query": "/report?" + "a=b&" * 3000,
    "equals and plus": "/report?a+b==+",
    "backslash": "/a\\b",
}


def by_hand() -> Iterator[Case]:
    for label, call in HANDS.items():
        yield Case(f"by hand: {label}", call)
    for label, target in TARGETS.items():
        yield Case(f"target by {label}", request("GET", target))


def cases() -> Iterator[Case]:
    yield from fields()
    yield from bodies()
    yield from by_hand()
