"""SendGrid's v3 API."""

import json

from hyperlite.testing.server import Request, Response

from .answers import as_json


def send(request: Request) -> Response:
    if request.header("authorization") != "Bearer SG.1":
        complaint = {"errors": [{"message": "The provided authorization grant is invalid", "field": None}]}
        return as_json(complaint, 401)
    assert json.loads(request.body)["from"]["email"] == "from@example.com"
    return Response(202, [("x-message-id", "m-1"), ("access-control-allow-methods", "POST")])


def keys(request: Request) -> Response:
    if request.method == "GET":
        return as_json({"result": [{"name": "one"}], "limit": request.query.get("limit")})
    return as_json(json.loads(request.body) | {"api_key_id": "k1"}, 201)


ROUTES = {
    "/v3/mail/send": send,
    "/v3/api_keys": keys,
    "/v3/api_keys/k1": lambda _: Response(204),
    "/v3/stats": lambda _: as_json(
        {"errors": [{"message": "too many requests"}]}, 429, [("x-ratelimit-reset", "5")]
    ),
}
