"""warcio: what its import does to http.client, and what it captures of requests that urllib3 makes."""

import http.client
import io
import json
import ssl
import urllib.request
from typing import Any

from warcio.archiveiterator import ArchiveIterator
from warcio.capture_http import capture_http


def _captured(stream: Any) -> list[Any]:
    stream.seek(0)
    return [
        [record.rec_type, record.rec_headers.get_header("WARC-Target-URI").partition("/report")[2]]
        for record in ArchiveIterator(stream)
    ]


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make requests while warcio captures: by http.client, by urllib.request, by urllib3."""
    import urllib3  # noqa: PLC0415 (after warcio, which wants to be there first)

    context = ssl.create_default_context(cafile=options["ca_file"])
    with capture_http() as writer:
        conn = http.client.HTTPSConnection("localhost", options["port"], context=context)
        conn.request("GET", "/report?by=http.client")
        targets = [json.load(conn.getresponse())["target"]]
        conn.close()
        with urllib.request.urlopen(f"{options['url']}/report?by=urllib", context=context) as response:
            targets.append(json.load(response)["target"])
        with urllib3.PoolManager(ca_certs=options["ca_file"]) as pool:
            targets.append(pool.request("GET", f"{options['url']}/report?by=urllib3").json()["target"])
    return {"targets": targets, "captured": _captured(io.BytesIO(writer.get_stream().read()))}
