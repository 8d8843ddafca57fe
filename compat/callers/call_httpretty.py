"""httpretty: answers of its own to urllib.request and http.client, and one of the real server afterwards."""

import http.client
import json
import ssl
import urllib.request
from typing import Any

import httpretty


def _by_http_client(context: ssl.SSLContext) -> list[Any]:
    conn = http.client.HTTPSConnection("pretty.test", context=context, timeout=10)
    conn.request("POST", "/made-up?n=1", body=b"a=1", headers={"X-Mark": "here"})
    response = conn.getresponse()
    answer = [response.status, response.getheader("x-made"), response.read().decode()]
    conn.close()
    asked = httpretty.last_request()
    return [*answer, asked.method, asked.path, asked.headers["X-Mark"], asked.body.decode()]


def _by_urllib(url: str, context: ssl.SSLContext) -> list[Any]:
    with urllib.request.urlopen(url, context=context) as response:
        return [response.status, response.read().decode()]


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make requests to what httpretty makes up, and to the real server when it is off again."""
    context = ssl.create_default_context(cafile=options["ca_file"])
    real = f"{options['url']}/report"
    with httpretty.enabled(allow_net_connect=False):
        httpretty.register_uri(
            httpretty.POST, "https://pretty.test/made-up", body="made up", adding_headers={"X-Made": "up"}
        )
        httpretty.register_uri(httpretty.GET, "https://pretty.test/page", body="page", status=203)
        made_up = [_by_http_client(context), _by_urllib("https://pretty.test/page", context)]
    with urllib.request.urlopen(real, context=context) as response:
        afterwards = json.load(response)["target"]
    return {"made up": made_up, "afterwards": afterwards}
