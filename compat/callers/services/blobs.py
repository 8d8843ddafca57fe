"""Azure's blob storage: containers, blobs whole, in blocks and in ranges, conditions."""

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator

from hyperlite.testing.server import Request, Response

from .answers import as_xml

STORED = {
    "small.txt": ("å" * 100).encode(), "large.bin": b"l" * 450_000, "checked": b"c" * 1000,
    "pieces.bin": b"p" * 200_000, "packed": gzip.compress(b"packed " * 1000, mtime=0), "busy": b"b",
    "torn": b"t" * 50_000,
}  # fmt: skip
ALWAYS = [
    ("etag", '"0x1"'),
    ("last-modified", "Sun, 29 Nov 2026 08:00:00 GMT"),
    ("x-ms-request-id", "r1"),
    ("x-ms-version", "1"),
]
busy: set[str] = set()
"""The protocols by which it was found busy already."""

torn: set[str] = set()
"""The protocols by which a body was cut off already."""


def failed(request: Request, status: int, code: str) -> Response:
    text = (
        ""
        if request.method == "HEAD"
        else f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>why</Message></Error>"
    )
    return as_xml(text, status, [*ALWAYS, ("x-ms-error-code", code)], "application/xml")


def signed(request: Request) -> bool:
    return (request.header("authorization") or "").startswith("SharedKey account:")


def put(request: Request, name: str) -> Response:
    if request.header("if-none-match") == "*" and name == "there":
        return failed(request, 409, "BlobAlreadyExists")
    digest = base64.b64encode(hashlib.md5(request.body).digest()).decode()
    return Response(201, [*ALWAYS, ("content-md5", digest), ("x-ms-request-server-encrypted", "true")])


def get(request: Request, name: str) -> Response:
    data = STORED.get(name)
    if data is None:
        return failed(request, 404, "BlobNotFound")
    if name == "busy" and request.protocol not in busy:
        busy.add(request.protocol)
        return failed(request, 503, "ServerBusy")
    if request.header("if-none-match") == '"x"':
        return Response(304, ALWAYS)
    fields = [*ALWAYS, ("content-type", "application/octet-stream"), ("x-ms-blob-type", "BlockBlob")]
    fields.append(("content-md5", base64.b64encode(hashlib.md5(data).digest()).decode()))
    if name == "packed":
        fields.append(("content-encoding", "gzip"))
    if request.method == "HEAD":
        return Response(200, [*fields, ("content-length", str(len(data)))])
    first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", request.header("x-ms-range") or "").groups()  # type: ignore[union-attr]
    data_of_range = data[int(first) : int(last) + 1]
    fields.append(("content-range", f"bytes {first}-{int(first) + len(data_of_range) - 1}/{len(data)}"))
    if name == "torn" and request.protocol not in torn:
        torn.add(request.protocol)
        return Response(206, [*fields, ("content-length", str(len(data_of_range)))], cut_off(data_of_range))
    return Response(206, fields, data_of_range)


def cut_off(data: bytes) -> Iterator[bytes]:
    """Yield a part, and then fail."""
    yield data[:20_000]
    raise ConnectionError


def blobs(request: Request) -> Response:
    kept = "<Properties><Etag>1</Etag><BlobType>BlockBlob</BlobType></Properties>"
    name = "".join(f"<Blob><Name>{name}</Name>{kept}</Blob>" for name in ("b1", "b2"))
    marker = "" if "marker" in request.query else "m"
    head = '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="box"><Blobs>'
    return as_xml(
        f"{head}{name}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>",
        200,
        ALWAYS,
        "application/xml",
    )


def answer(request: Request) -> Response:
    """Answer whatever is asked for, if it is signed."""
    if not signed(request):
        return failed(request, 403, "AuthenticationFailed")
    what = (request.query.get("comp") or [""])[0]
    name = request.path.rpartition("/")[2]
    if what == "list":
        return blobs(request)
    if request.method == "DELETE":
        return Response(202, ALWAYS)
    if "account" in request.query.get("restype", []):
        return Response(200, [*ALWAYS, ("x-ms-sku-name", "Standard_LRS"), ("x-ms-account-kind", "StorageV2")])
    if what == "metadata":
        return Response(200, ALWAYS)
    if what == "lease":
        return Response(
            201 if request.header("x-ms-lease-action") == "acquire" else 200,
            [*ALWAYS, ("x-ms-lease-id", request.header("x-ms-proposed-lease-id") or "")],
        )
    return put(request, name) if request.method == "PUT" else get(request, name)


ROUTES = answer
