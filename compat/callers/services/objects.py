"""Google Cloud Storage: a token, buckets, objects whole and in parts, checksums, a batch."""

import base64
import gzip
import hashlib
import json
import re

import google_crc32c

from hyperlite.testing.server import Request, Response

from .answers import Fields, as_json, as_text

LARGE, SMALL = b"l" * 700_000, ("å" * 1000).encode()
PACKED = gzip.compress(b"packed " * 50_000, mtime=0)
STORED = {"small.txt": SMALL, "large.bin": LARGE, "packed.txt": PACKED, "damaged": b"not what it was"}
received: dict[tuple[str, str], bytes] = {}
"""What has come of the uploads, by their protocol and name."""
busy: set[str] = set()
"""The protocols by which it was found busy already."""


def about(name: str, data: bytes = b"") -> dict[str, object]:
    sums = {"md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(), "crc32c": crc(data)}
    return {
        "kind": "storage#object",
        "name": name,
        "bucket": "mine",
        "size": str(len(data)),
        "generation": "1",
    } | sums


def crc(data: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


def failed(code: int, message: str) -> Response:
    reason = [{"message": message, "domain": "global", "reason": "why"}]
    return as_json({"error": {"code": code, "message": message, "errors": reason}}, code)


def sums(data: bytes) -> Fields:
    digest = base64.b64encode(hashlib.md5(data).digest()).decode()
    return [
        ("x-goog-hash", f"crc32c={crc(data)}"),
        ("x-goog-hash", f"md5={digest}"),
        ("x-goog-generation", "1"),
    ]


def download(request: Request) -> Response:
    name = request.path.rpartition("/")[2]
    data = STORED.get(name)
    if data is None:
        return as_text("No such object", 404)
    fields = [*sums(b"other" if name == "damaged" else data), ("content-type", "application/octet-stream")]
    if name == "packed.txt":
        fields.append(("content-encoding", "gzip"))
    if found := re.fullmatch(r"bytes=(\d+)-(\d*)", request.header("range") or ""):
        first, last = int(found[1]), min(int(found[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return Response(416, [("content-range", f"bytes */{len(data)}")])
        fields.append(("content-range", f"bytes {first}-{last}/{len(data)}"))
        return Response(206, fields, data[first : last + 1])
    return Response(200, fields, data)


def upload(request: Request) -> Response:
    kind = request.query["uploadType"][0]
    if kind == "multipart":
        parts = re.split(rb"\r\n--=+\d+==|--=+\d+==\r\n", request.body)
        told, data = (part.partition(b"\r\n\r\n")[2] for part in parts[1:3])
        return as_json(about(json.loads(told)["name"], data))
    if request.method == "POST":
        name = request.query.get("name", [""])[0] or json.loads(request.body)["name"]
        place = f"https://{request.authority}{request.path}?uploadType=resumable&upload_id={name}"
        return Response(200, [("location", place), ("x-guploader-uploadid", name)])
    name, part = request.query["upload_id"][0], request.header("content-range") or ""
    so_far = received.get((request.protocol, name), b"") + request.body
    if part.endswith("/*") or len(so_far) < int(part.rpartition("/")[2]):
        received[request.protocol, name] = so_far
        return Response(308, [("range", f"bytes=0-{len(so_far) - 1}"), ("content-length", "0")])
    return as_json(about(name, so_far))


def one(request: Request) -> Response:
    name = request.path.rpartition("/")[2]
    if name == "forbidden":
        return failed(403, "not yours")
    if name == "busy" and request.protocol not in busy:
        busy.add(request.protocol)
        return failed(503, "busy")
    return failed(404, "No such object") if name == "none" else as_json(about(name, STORED.get(name, b"")))


def pages(request: Request) -> Response:
    if "pageToken" in request.query:
        return as_json({"items": [about("a3")]})
    return as_json({"items": [about("a1"), about("a2")], "nextPageToken": "n"})


def batch(request: Request) -> Response:
    head = "--b\r\nContent-Type: application/http\r\nContent-ID: <response-{}>\r\n\r\n"
    part = head + "HTTP/1.1 204 No Content\r\n\r\n\r\n"
    body = "".join(part.format(number) for number in range(request.body.count(b"DELETE"))) + "--b--"
    return Response(200, [("content-type", "multipart/mixed; boundary=b")], body.encode())


def answer(request: Request) -> Response:
    """Answer whatever is asked for."""
    path = request.path
    if path == "/token":
        return as_json({"access_token": "granted", "expires_in": 3600, "token_type": "Bearer"})
    if request.header("authorization") != "Bearer granted":
        return failed(401, "no token")
    if path == "/storage/v1/b":
        mine = {"name": "mine", "location": "EU"}
        return as_json(mine if request.method == "POST" else {"items": [mine]})
    handlers = {"/download/": download, "/upload/": upload, "/batch": batch, "/storage/v1/b/mine/o/": one}
    for start, handler in handlers.items():
        if path.startswith(start):
            return handler(request)
    return pages(request) if path == "/storage/v1/b/mine/o" else failed(404, path)


ROUTES = answer
