"""A switch's command API: JSON-RPC over HTTPS."""

import json

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text

KNOWN = {
    "show version": {"modelName": "vEOS", "version": "4.30.0F"},
    "show hostname": {"hostname": "leaf1", "fqdn": "leaf1.example.com"},
    "enable": {},
    "configure": {},
    "end": {},
}


def command(request: Request) -> Response:
    if request.header("authorization") != "Basic bWU6c2VjcmV0":
        return as_text("Unable to authenticate user: Bad username/password combination", 401)
    sent = json.loads(request.body)
    results = []
    for number, name in enumerate(sent["params"]["cmds"], 1):
        text = name["cmd"] if isinstance(name, dict) else name
        if text.startswith("wrong"):
            error = {
                "code": 1002,
                "message": f"CLI command {number} of 2 '{text}' failed: invalid command",
                "data": [{}, {"errors": ["Invalid input"]}],
            }
            return as_json({"jsonrpc": "2.0", "id": None, "error": error})
        if sent["params"]["format"] == "text":
            results.append({"output": f"! {text}\n" + "interface Ethernet1\n" * 500})
        else:
            results.append(KNOWN.get(text, {}))
    return as_json({"jsonrpc": "2.0", "id": None, "result": results})


ROUTES = {"/command-api": command}
