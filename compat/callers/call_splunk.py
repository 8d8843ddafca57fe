"""splunk-sdk: a session, collections of entities, a search, events."""

import io
import ssl
from typing import Any

from splunklib import client
from splunklib.results import JSONResultsReader


def _refused(options: dict[str, Any], **how: Any) -> str:
    try:
        client.connect(**how | {"password": "wrong"})
    except client.AuthenticationError as error:
        return type(error).__name__
    raise AssertionError("no AuthenticationError")


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Log in and use the service."""
    how = {
        "host": "localhost",
        "port": options["port"],
        "username": "admin",
        "password": "secret",
        "verify": True,
        "context": ssl.create_default_context(cafile=options["ca_file"]),
    }
    service = client.connect(**how)
    results = JSONResultsReader(io.BufferedReader(service.jobs.oneshot("search *", output_mode="json")))
    index = service.indexes["main"]
    index.submit("an event", sourcetype="test")
    raw = service.get("/services/raw")
    headers = {
        name: value
        for name, value in raw.headers
        if name not in ("connection", "content-length", "Content-Length")
    }
    first = raw.body.peek(5).decode()
    try:
        service.get("/services/nothing")
        missing = None
    except client.HTTPError as error:
        missing = [error.status, error.reason, str(error)]
    result = {
        "version": service.info["version"],
        "apps": [app.name for app in service.apps],
        "index": [index.name, index["totalEventCount"]],
        "results": [dict(row) for row in results],
        "raw": [raw.status, raw.reason, headers, first, raw.body.read().decode()],
        "missing": missing,
        "refused": _refused(options, **how),
    }
    service.logout()
    return result
