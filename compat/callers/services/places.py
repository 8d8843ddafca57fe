"""Geocoders: Nominatim's and Photon's APIs."""

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text

OSLO = {"lat": "59.91", "lon": "10.75", "display_name": "Oslo, Norge"}


def search(request: Request) -> Response:
    wanted = request.query.get("q", [""])[0]
    if request.header("user-agent") != "tester/1":
        return as_text("blocked", 403)
    if wanted == "wait":
        return as_text("slow down", 429, [("retry-after", "7")])
    if wanted in ("busy", "broken"):
        return as_text("sorry ✗", 503 if wanted == "busy" else 500)
    if wanted == "html":
        return as_text("<html>no JSON</html>", kind="text/html")
    if wanted == "later":
        return as_text("not so fast", 429, [("retry-after", "Thu, 01 Jan 2037 00:00:00 GMT")])
    return as_json([] if wanted == "nowhere" else [OSLO, OSLO | {"display_name": "Oslo, Minnesota"}])


def photon(_: Request) -> Response:
    properties = {"name": "Oslo", "country": "Norge"}
    point = {"geometry": {"coordinates": [10.75, 59.91]}, "properties": properties}
    return as_json({"features": [point]})


ROUTES = {
    "/search": search,
    "/reverse": lambda _: as_json(OSLO),
    "/api": photon,
    "/api/": photon,
}
