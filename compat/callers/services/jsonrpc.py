"""A JSON-RPC service, versions 1 and 2, with batches."""

import json
from typing import Any

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text


def one(call: dict[str, Any], request: Request) -> dict[str, Any] | None:
    result, error = None, None
    if call["method"] == "add":
        result = sum(call["params"])
    elif call["method"] == "echo":
        result = call["params"]
    elif call["method"] == "mark":
        result = request.header("x-mark")
    else:
        error = {"code": -32601, "message": f"no method {call['method']}"}
    if "id" not in call:
        return None
    return {"jsonrpc": "2.0", "id": call["id"], **({"error": error} if error else {"result": result})}


def answer(request: Request) -> Response:
    sent = json.loads(request.body)
    if isinstance(sent, list):
        return as_json([answered for call in sent if (answered := one(call, request))])
    answered = one(sent, request)
    return as_json(answered) if answered else Response(200)


ROUTES = {"/rpc": answer, "/broken": lambda _: as_text("down", 502)}
