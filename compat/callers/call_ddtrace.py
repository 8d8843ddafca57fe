"""ddtrace: the spans that its patches of http.client make of a few requests."""

import http.client
import json
import os
import ssl
import urllib.request
from typing import Any

os.environ |= {"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false"}

import ddtrace  # which reads the environment when it is imported
from ddtrace.trace import TraceFilter, tracer


class _Kept(TraceFilter):
    """Keeps what would be sent to the agent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def process_trace(self, trace: list[Any]) -> None:
        self.spans += trace


def _requests(options: dict[str, Any]) -> list[Any]:
    context = ssl.create_default_context(cafile=options["ca_file"])
    marks = []
    for body in (None, b"a=1"):
        with urllib.request.urlopen(f"{options['url']}/traced", body, context=context) as response:
            marks.append(json.load(response))
    conn = http.client.HTTPSConnection("localhost", options["port"], context=context)
    for target in ("/traced", "/missing"):
        conn.request("GET", target)
        response = conn.getresponse()
        body = response.read()
        if response.status == 200:
            marks.append(json.loads(body))
    conn.close()
    return marks


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make requests in a trace."""
    kept = _Kept()
    tracer.configure(trace_processors=[kept])
    ddtrace.patch(httplib=True)
    with tracer.trace("calls") as root:
        marks = _requests(options)
    spans = [span for span in kept.spans if span.name == "http.client.request"]
    return {
        "spans": [
            [span.get_tag("http.method"), span.get_tag("http.url"), span.get_tag("http.status_code")]
            for span in spans
        ],
        "children": [span.parent_id == root.span_id for span in spans],
        "traced": [mark["trace"] == str(root.trace_id & (1 << 64) - 1) for mark in marks],
        "bodies": [mark["body"] for mark in marks],
    }
