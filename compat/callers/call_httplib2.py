"""httplib2: connections that subclass http.client's and connect themselves."""

import json
from typing import Any

import httplib2


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make requests."""
    base = options["url"]
    http = httplib2.Http(ca_certs=options["ca_file"], timeout=10)
    try:
        response, content = http.request(f"{base}/report", headers={"x-mark": "here"})
        missing, nothing = http.request(f"{base}/missing")
        redirected, _ = http.request(f"{base}/found")
        return {
            "version": response.version,
            "seen": json.loads(content),
            "post": json.loads(http.request(f"{base}/report", "POST", body="a=1")[1]),
            "missing": [missing.status, missing["x-why"], nothing.decode()],
            "redirect": redirected["content-location"],
            "large": len(http.request(f"{base}/large")[1]),
            "chunks": len(http.request(f"{base}/chunks")[1]),
            "head": http.request(f"{base}/large", "HEAD")[0].status,
            "several": [http.request(f"{base}/")[0].status for _ in range(20)],
        }
    finally:
        http.close()
