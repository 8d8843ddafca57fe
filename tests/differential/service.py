"""The server of the differential test: whatever is not a route of its own is reported as received."""

import gzip
import json
import threading
import xmlrpc.client
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hyperlite.testing.server import Exchange, Handler, Request, Response, streaming

from .calls import DOCUMENTS
from .observe import LINES, PATIENCE

# They belong to one HTTP/1.1 connection, or are `authority` already.
UNSEEN = {"host", "connection", "transfer-encoding", "keep-alive", "proxy-connection", "upgrade"}
HERE = "{authority}"  # in a header value: replaced by the authority that the request named


def answer(
    body: bytes | Iterable[bytes] = b"", *headers: tuple[str, str], status: int = 200, **more: Any
) -> Response:
    """Return a response whose field names are as servers of HTTP/1.1 write them."""
    fields = list(headers)
    if isinstance(body, bytes) and status not in (204, 304):
        fields.append(("Content-Length", str(len(body))))
    return Response(status, fields, body, **more)


def report(request: Request) -> Response:
    """Say what was received."""
    seen = {
        "method": request.method,
        "target": request.target,
        "authority": request.authority.rpartition(":")[0] or request.authority,
        "headers": [[name, value] for name, value in request.headers if name not in UNSEEN],
        "body": request.body.decode("latin-1"),
        "trailers": request.trailers,
    }
    return answer(json.dumps(seen).encode(), ("Content-Type", "application/json"))


def status(request: Request) -> Response:
    return answer(b"told", ("Location", "/report"), status=int(request.query["n"][0]))


def redirect(request: Request) -> Response:
    """Redirect to `?to=` with the status `?n=`."""
    to = request.query["to"][0].replace(HERE, request.authority)
    return answer(b"moved", ("Location", to), status=int(request.query["n"][0]))


def secret(request: Request) -> Response:
    """Answer those that know the password, by the scheme that the path names."""
    given = request.header("authorization") or ""
    if request.path == "/basic":
        challenge, known = 'Basic realm="books"', given == "Basic dXNlcjpwYXNz"
    else:
        challenge = 'Digest realm="books", nonce="n", qop="auth", algorithm=MD5'
        known = given.startswith('Digest username="user"') and 'uri="/digest"' in given
    if not known:
        return answer(b"no", ("WWW-Authenticate", challenge), status=401)
    return answer(b"welcome", ("Content-Type", "text/plain"))


def rpc(request: Request) -> Response:
    """Answer a call of XML-RPC: `add`, `echo`; `fail` is a fault, what is unknown a 404."""
    body = gzip.decompress(request.body) if request.header("content-encoding") == "gzip" else request.body
    arguments, method = xmlrpc.client.loads(body, use_builtin_types=True)
    results: dict[str | None, Callable[..., Any]] = {
        "add": lambda *numbers: sum(numbers),
        "echo": lambda *values: list(values),
        "fail": lambda *values: xmlrpc.client.Fault(4, "too bad"),
        "agent": lambda: [request.header("user-agent"), request.header("content-type")],
        "system.multicall": lambda calls: [[call["params"]] for call in calls],
    }
    if method not in results:
        return answer(b"no such method", status=404)
    result = results[method](*arguments)
    fault = isinstance(result, xmlrpc.client.Fault)
    text = xmlrpc.client.dumps(result if fault else (result,), methodresponse=True, allow_none=True)
    return answer(text.encode(), ("Content-Type", "text/xml"))


def part(request: Request) -> Response:
    """Answer a request for a range."""
    first, last = (int(number) for number in (request.header("range") or "=0-9")[6:].split("-"))
    data = b"0123456789"
    return answer(
        data[first : last + 1],
        ("Content-Range", f"bytes {first}-{min(last, 9)}/10"),
        ("Accept-Ranges", "bytes"),
        status=206,
    )


def unless_known(request: Request) -> Response:
    """Answer 304 to a request that knows the entity."""
    tag = ("ETag", '"v1"')
    return answer(b"", tag, status=304) if request.header("if-none-match") == '"v1"' else answer(b"v1", tag)


def document(request: Request) -> Response:
    """Return one of the documents, with its length, or in pieces of at most 7 bytes without one."""
    _, framing, name = request.path.split("/")
    kind, data = DOCUMENTS[name]
    headers = ("Content-Type", kind), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
    if framing == "sized":
        return answer(data, *headers)
    size = max(7, len(data) // 40)
    return answer((data[start : start + size] for start in range(0, len(data), size)), *headers)


@streaming
def cut_before(exchange: Exchange) -> None:
    exchange.reset()


def _cut(exchange: Exchange, headers: list[tuple[str, str]]) -> None:
    exchange.start(200, headers)
    exchange.send(b"half")
    exchange.reset()


@streaming
def cut_sized(exchange: Exchange) -> None:
    _cut(exchange, [("Content-Length", "8")])


@streaming
def cut_chunked(exchange: Exchange) -> None:
    _cut(exchange, [])


@streaming
def continued(exchange: Exchange) -> None:
    body = exchange.read()
    exchange.start(200, [("Content-Length", str(len(body)))])
    exchange.send(body)
    exchange.end()


@streaming
def silent(exchange: Exchange) -> None:
    """Never answer: until the client has gone away."""
    with suppress(ConnectionError):
        while exchange.read():
            pass


_late = threading.Event()


@contextmanager
def late() -> Iterator[None]:
    """Have what is late come at the end of the block, and no earlier."""
    _late.clear()
    try:
        yield
    finally:
        _late.set()


@streaming
def late_pieces(exchange: Exchange) -> None:
    exchange.start(200, [])
    with suppress(ConnectionError):
        exchange.send(b"first")
        _late.wait(PATIENCE)
        exchange.send(b"last")


COOKIES = [("Set-Cookie", "a=1; Path=/"), ("X-One", "1"), ("Set-Cookie", "b=2"), ("X-One", "2")]
# Names as servers write them: registered ones, those of three clouds, and others.
FIELDS = [
    ("Content-Type", 'text/html; charset="UTF-8"'),
    ("Content-Disposition", 'attachment; filename="book 1.html"'),
    ("ETag", '"5d41"'),
    ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ("Set-Cookie", "a=1; Path=/; Secure"),
    ("Set-Cookie", "b=2; HttpOnly"),
    ("WWW-Authenticate", 'Basic realm="x"'),
    ("Content-MD5", "XUFAKrxLKna5cZ2REBfFkg=="),
    ("Link", '</2>; rel="next"'),
    ("Vary", "Accept"),
    ("Vary", "Origin"),
    ("DAV", "1, 2"),
    ("P3P", 'CP="NOI"'),
    ("X-Content-Type-Options", "nosniff"),
    ("Strict-Transport-Security", "max-age=1"),
    ("x-amz-request-id", "A1"),
    ("x-goog-generation", "7"),
    ("x-ms-version", "2020"),
    ("grpc-status", "0"),
    ("X-Request-Id", "r-1"),
    ("X-Ratelimit-Remaining", "59"),
    ("X-Latin", "caf\xe9"),
    ("X-Empty", ""),
]
# And names that no rule gives.
SPELT = [("X-XSS-Protection", "0"), ("etag", '"x"'), ("X-RateLimit-Limit", "60"), ("CF-RAY", "1")]


class Routes(dict[str, Handler]):
    """A path that has no handler is reported."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, report)


ROUTES = Routes(
    {
        **{f"/{framing}/{name}": document for framing in ("sized", "chunked") for name in DOCUMENTS},
        "/lines": lambda _: answer(LINES),
        "/pieces": lambda _: answer(iter([LINES])),
        "/large": lambda _: answer(b"0123456789abcde\n" * 20_000),
        "/large-pieces": lambda _: answer(iter([b"0123456789abcde\n" * 1000] * 20)),
        "/empty": lambda _: answer(b""),
        "/empty-pieces": lambda _: answer(iter(())),
        "/unchanged": lambda _: answer(b"", ("Content-Length", "1000"), status=304),
        "/status": status,
        "/cookies": lambda _: answer(b"jar", *COOKIES),
        "/latin": lambda _: answer(b"ok", ("X-Latin", "caf\xe9"), ("X-Empty", "")),
        "/fields": lambda _: answer(b"<html>", *FIELDS),
        "/spelt": lambda _: answer(b"ok", *SPELT),
        "/trailers": lambda _: answer(iter([b"body"]), trailers=[("X-Sum", "4")]),
        "/hints": lambda _: answer(b"page", informational=[(103, [("Link", "</a.css>")])]),
        "/100": lambda _: answer(b"page", informational=[(100, [])]),
        "/close": lambda _: (
            answer(b"bye", ("Connection", "close")) if _.protocol == "http/1.1" else answer(b"bye")
        ),
        "/redirect": redirect,
        "/loop": lambda _: answer(b"", ("Location", "/loop"), status=302),
        "/basic": secret,
        "/digest": secret,
        "/rpc": rpc,
        "/range": part,
        "/etag": unless_known,
        "/echo": lambda _: answer(_.body, ("Content-Type", _.header("content-type") or "text/plain")),
        "/silent": silent,
        "/late": lambda _: answer(b"late" if _late.wait(PATIENCE) else b"never"),
        "/late-pieces": late_pieces,
        "/cut-before": cut_before,
        "/cut-sized": cut_sized,
        "/cut-chunked": cut_chunked,
        "/continued": continued,
    }
)
