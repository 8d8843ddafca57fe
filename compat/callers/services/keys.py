"""A JSON Web Key Set, as an identity provider publishes it."""

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text

SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ"


def keys(request: Request) -> Response:
    if request.header("x-tenant") != "one":
        return as_json({"error": "which tenant?"}, 403)
    made = [{"kty": "oct", "kid": f"k{n}", "k": SECRET, "alg": "HS256", "use": "sig"} for n in (1, 2)]
    return as_json({"keys": made}, headers=[("cache-control", "max-age=300")])


ROUTES = {
    "/keys": keys,
    "/moved": lambda _: Response(301, [("location", "/keys")]),
    "/text": lambda _: as_text("<html>"),
    "/broken": lambda _: as_text("broken", 500),
}
