"""What shows what it was sent, as httpbin does."""

import re

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text

BOUNDARY = re.compile(rb"[0-9a-f]{32}")


def shown(request: Request) -> Response:
    """Answer with what was asked for."""
    body = BOUNDARY.sub(b"~", request.body)
    mark, coding = request.header("x-many"), request.header("content-encoding")
    seen = {"query": request.query, "mark": mark, "coding": coding, "size": len(body)}
    return as_json(seen | {"cookie": request.header("cookie"), "starts": body[:40].decode("latin-1")})


def private(request: Request) -> Response:
    if request.header("authorization") != "Basic bWU6c2VjcmV0":
        return as_text("no", 401, [("www-authenticate", 'Basic realm="here"')])
    return as_text("yes")


def digest(request: Request) -> Response:
    if not (request.header("authorization") or "").startswith('Digest username="me", realm="here"'):
        return as_text("no", 401, [("www-authenticate", 'Digest realm="here", nonce="n", qop="auth"')])
    return as_text("yes")


def large(request: Request) -> Response:
    kind = [("content-type", "application/octet-stream"), ("accept-ranges", "bytes")]
    if request.header("range"):
        return Response(416, [*kind, ("content-range", "bytes */300000")])
    return Response(200, kind, b"l" * 300_000)


ROUTES = {
    "/get": shown,
    "/post": shown,
    "/moved": lambda _: as_text("there", 302, [("location", "/get?from=moved")]),
    "/loop": lambda _: as_text("again", 302, [("location", "/loop")]),
    "/private": private,
    "/digest": digest,
    "/cookies": lambda _: as_text("set", 200, [("set-cookie", "a=1"), ("set-cookie", "b=2; path=/")]),
    "/lines": lambda _: Response(200, [("content-type", "text/plain")], (b"%d\n" % n for n in range(5))),
    "/large": large,
    "/head": lambda _: as_text("unseen", 200, [("etag", '"1"')]),
}
