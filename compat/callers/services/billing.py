"""Recurly's API: accounts in pages, one to make, change and delete, and an invoice in PDF."""

import json

from hyperlite.testing.server import Request, Response

from .answers import as_json

LIMITS = [
    ("x-request-id", "r1"),
    ("x-ratelimit-limit", "2000"),
    ("x-ratelimit-remaining", "1999"),
    ("x-ratelimit-reset", "1767225600"),
    ("recurly-total-records", "3"),
]


def account(code: str) -> dict[str, str]:
    return {"object": "account", "id": code, "code": code, "state": "active"}


def accounts(request: Request) -> Response:
    if request.method == "POST":
        sent = json.loads(request.body)
        if "code" not in sent:
            error = {
                "type": "validation",
                "message": "The code is missing",
                "params": [{"param": "code", "message": "missing"}],
            }
            return as_json({"error": {"object": "error", **error}}, 422, LIMITS)
        return as_json(account(sent["code"]), 201, LIMITS)
    if request.method == "HEAD":
        return Response(200, [("content-type", "application/json"), *LIMITS])
    second = "cursor" in request.query
    page = {"object": "list", "has_more": not second, "next": None if second else "/accounts?cursor=2"}
    return as_json(
        page | {"data": [account("c")] if second else [account("a"), account("b")]}, headers=LIMITS
    )


def one(request: Request) -> Response:
    if request.header("authorization") != "Basic a2V5Og==":
        return as_json({"error": {"type": "unauthorized", "message": "bad key", "params": []}}, 401, LIMITS)
    code = request.path.rpartition("/")[2]
    return as_json(
        account(code) | {"state": "closed" if request.method == "DELETE" else "active"}, headers=LIMITS
    )


ROUTES = {
    "/accounts": accounts,
    "/accounts/a": one,
    "/accounts/gone": lambda _: as_json(
        {"error": {"type": "not_found", "message": "no account", "params": []}}, 404, LIMITS
    ),
    "/accounts/proxy": lambda _: Response(502, [("content-type", "text/html"), *LIMITS], b""),
    "/invoices/i1.pdf": lambda _: Response(
        200, [("content-type", "application/pdf"), *LIMITS], b"%PDF" + b"x" * 100_000
    ),
}
