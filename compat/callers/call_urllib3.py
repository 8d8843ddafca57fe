"""urllib3: a pool of connections, which it connects itself."""

import io
import json
from collections.abc import Iterator
from typing import Any

import urllib3


def _pieces() -> Iterator[bytes]:
    yield b"one "
    yield b"two"


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make requests; with a `proxy` among the options, one through that."""
    base = options["url"]
    if "proxy" in options:
        with urllib3.ProxyManager(options["proxy"], ca_certs=options["ca_file"]) as proxied:
            return {"seen": proxied.request("GET", f"{base}/report?by=proxy").json()}
    with urllib3.PoolManager(ca_certs=options["ca_file"], timeout=10) as pool:
        plain = pool.request("GET", f"{base}/report", headers={"X-Mark": "here"})
        missing = pool.request("GET", f"{base}/missing")
        redirect = pool.request("GET", f"{base}/found")
        streamed = pool.request("GET", f"{base}/chunks", preload_content=False)
        lines = sum(1 for _ in streamed)
        streamed.release_conn()
        return {
            "version": plain.version,
            "seen": plain.json(),
            "post": json.loads(pool.request("POST", f"{base}/report", body=b"a=1").data),
            "file": pool.request("PUT", f"{base}/echo", body=io.BytesIO(b"f" * 100_000)).data.decode(),
            "chunked": pool.request("POST", f"{base}/echo", body=_pieces(), chunked=True).data.decode(),
            "fields": len(pool.request("POST", f"{base}/echo", fields={"n": "v"}).data) > 0,
            "missing": [missing.status, missing.headers["x-why"], missing.data.decode()],
            "redirect": redirect.geturl(),
            "lines": lines,
            "large": len(pool.request("GET", f"{base}/large").data),
            "head": pool.request("HEAD", f"{base}/large").status,
            "several": [pool.request("GET", f"{base}/").status for _ in range(20)],
        }
