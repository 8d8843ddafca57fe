"""Twitter: what its two interfaces answer, and a stream."""

import json
from collections.abc import Iterator

from hyperlite.testing.server import Request, Response

from .answers import as_json

LIMITS = [("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1767225600")]


def signed(request: Request) -> bool:
    return (request.header("authorization") or "").startswith("OAuth oauth_nonce=")


def me(request: Request) -> Response:
    if not signed(request):
        return as_json({"errors": [{"code": 32, "message": "no"}]}, 401)
    return as_json({"id": 1, "screen_name": "me"})


def timeline(request: Request) -> Response:
    last = int(request.query.get("max_id", ["9"])[0])
    return as_json([{"id": number, "text": "t"} for number in (last, last - 1)])


def upload(request: Request) -> Response:
    return as_json({"media_id": len(request.body) - len(request.body) % 1000, "media_id_string": "1"})


def tweets(request: Request) -> Response:
    if "pagination_token" in request.query:
        return as_json({"data": [{"id": "3", "text": "three"}], "meta": {"result_count": 1}})
    found = [{"id": "1", "text": "one"}, {"id": "2", "text": "two"}]
    return as_json({"data": found, "meta": {"result_count": 2, "next_token": "n"}})


def flow() -> Iterator[bytes]:
    """Yield tweets whose ends are not those of the pieces, and what keeps a stream alive."""
    for text in ("first", "s" * 20_000):
        line = json.dumps({"data": {"id": "1", "text": text}}).encode() + b"\r\n"
        yield line[:7]
        yield line[7:]
        yield b"\r\n"


ROUTES = {
    "/1.1/account/verify_credentials.json": me,
    "/1.1/statuses/home_timeline.json": timeline,
    "/1.1/media/upload.json": upload,
    "/1.1/statuses/update.json": lambda request: as_json({"id": 1, "text": request.query["status"][0]}),
    "/2/users/by/username/me": lambda _: as_json({"data": {"id": "1", "name": "Me", "username": "me"}}),
    "/2/tweets": lambda request: as_json({"data": {"id": "5", **json.loads(request.body)}}, 201),
    "/2/users/1/tweets": tweets,
    "/2/tweets/404": lambda _: as_json({"title": "Not Found", "detail": "gone"}, 404),
    "/2/tweets/429": lambda _: as_json({"title": "Too Many Requests"}, 429, LIMITS),
    "/2/tweets/500": lambda _: Response(500),
    "/2/tweets/search/stream/rules": lambda _: as_json(
        {"data": [{"id": "1", "value": "cats"}], "meta": {}}, 201
    ),
    "/2/tweets/search/stream": lambda _: Response(200, [("content-type", "application/json")], flow()),
}
