"""A Pushgateway of Prometheus."""

from hyperlite.testing.server import Request, Response

from .answers import as_text

held: dict[tuple[str, str], str] = {}
"""What was pushed last, by protocol and path."""


def push(request: Request) -> Response:
    key = (request.protocol, request.target)
    if "private" in request.target and request.header("authorization") != "Basic bWU6c2VjcmV0":
        return as_text("no", 401)
    if request.method == "GET":
        return as_text(held.get(key, "nothing"))
    if "full" in request.target:
        return as_text("no room", 507)
    held[key] = f"{request.method} {request.header('content-type')} {request.body.decode()}"
    return Response(202 if request.method == "DELETE" else 200)


ROUTES = push
