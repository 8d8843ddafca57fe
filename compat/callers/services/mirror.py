"""Says what was received, and a few other things."""

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text


def mirror(request: Request) -> Response:
    seen = {
        name: request.header(name)
        for name in ("content-type", "content-length", "x-mark", "cookie", "accept", "user-agent")
    }
    value = {
        "method": request.method,
        "target": request.target,
        "body": request.body.decode("latin-1")[:100],
        **seen,
    }
    return as_json(value, headers=[("x-length", str(len(request.body)))])


ROUTES = {
    "/mirror": mirror,
    "/cookies": lambda _: Response(
        200, [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2"), ("content-type", "text/plain")], b"set"
    ),
    "/moved": lambda _: Response(302, [("location", "/mirror")]),
    "/nothing": lambda _: Response(204),
    "/pieces": lambda _: Response(
        200, [("content-type", "text/plain")], (b"%09d\n" % n for n in range(1000))
    ),
    "/broken": lambda _: as_text("down", 503, [("retry-after", "5")]),
}
