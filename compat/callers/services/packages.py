"""An index of packages that takes uploads."""

from hyperlite.testing.server import Request, Response

from .answers import as_text

busy: set[str] = set()
"""The protocols by which the index was found busy already."""


def legacy(request: Request) -> Response:
    if request.header("authorization") != "Basic bWU6c2VjcmV0":
        return as_text("no such user", 403)
    assert len(request.body) > 300_000
    if b"there-1.0" in request.body:
        return as_text("File already exists", 400)
    if b"busy-1.0" in request.body and request.protocol not in busy:
        busy.add(request.protocol)
        return as_text("busy", 503)
    if b"moved-1.0" in request.body:
        return as_text("over there", 301, [("location", "/elsewhere/")])
    return as_text(f"taken: {request.body.count(b'Content-Disposition')} parts")


ROUTES = {"/legacy/": legacy}
