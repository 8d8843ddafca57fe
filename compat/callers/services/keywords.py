"""A remote library of Robot Framework: keywords by XML-RPC."""

import xmlrpc.client
from typing import Any

from hyperlite.testing.server import Request, Response

from .answers import as_xml


def run(name: str, arguments: list[Any], named: dict[str, Any] | None = None) -> dict[str, Any]:
    if name == "fail_now":
        return {"status": "FAIL", "error": f"no {arguments[0]}", "output": "*WARN* careful"}
    return {"status": "PASS", "return": [*arguments, named or {}], "output": "*INFO* done"}


METHODS = {
    "get_keyword_names": lambda: ["give_back", "fail_now"],
    "get_keyword_arguments": lambda name: ["*items", "**named"] if name == "give_back" else ["what"],
    "get_keyword_documentation": lambda name: f"about {name}",
    "get_keyword_types": lambda name: {},
    "get_keyword_tags": lambda name: [],
    "run_keyword": run,
}


def call(request: Request) -> Response:
    arguments, name = xmlrpc.client.loads(request.body.decode())
    if name not in METHODS:
        return as_xml(xmlrpc.client.dumps(xmlrpc.client.Fault(1, f"no method {name}")))
    return as_xml(xmlrpc.client.dumps((METHODS[name](*arguments),), methodresponse=True))


ROUTES = {"/": call, "/RPC2": call}
