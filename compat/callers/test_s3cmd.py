"""s3cmd, against the little of S3 that it needs: it reads heads by code of its own, and stays on HTTP/1.1."""

import hashlib
from email.utils import formatdate

import pytest

from hyperlite.testing.server import Request, Response, Server

from .conftest import Run, Serve, need


def _xml(text: str, status: int = 200) -> Response:
    return Response(status, headers=[("content-type", "application/xml")], body=text.encode())


def _error(code: str, status: int) -> Response:
    return _xml(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status)


class Buckets:
    """Buckets in memory, whose objects come whole or in parts."""

    def __init__(self) -> None:
        self._buckets: dict[str, dict[str, bytes]] = {}
        self._parts: dict[str, bytes] = {}

    def __call__(self, request: Request) -> Response:
        bucket, _, key = request.path.strip("/").partition("/")
        if not key:
            return self._bucket(request, bucket)
        objects = self._buckets[bucket]
        if "uploads" in request.query:
            self._parts.clear()
            return _xml(
                "<InitiateMultipartUploadResult><UploadId>up</UploadId></InitiateMultipartUploadResult>"
            )
        if "partNumber" in request.query:
            self._parts[request.query["partNumber"][0]] = request.body
            return self._stored(request.body)
        if request.method == "POST":
            objects[key] = b"".join(self._parts[number] for number in sorted(self._parts))
            return _xml(
                f"<CompleteMultipartUploadResult><ETag>&quot;{self._etag(objects[key])}-2&quot;</ETag></CompleteMultipartUploadResult>"
            )
        if request.target.endswith("?acl"):
            return _xml("<AccessControlPolicy><Owner><ID>me</ID></Owner></AccessControlPolicy>")
        if request.method == "PUT":
            objects[key] = request.body
            return self._stored(request.body)
        if key not in objects:
            return _error("NoSuchKey", 404)
        if request.method == "DELETE":
            del objects[key]
            return Response(204)
        fields = [("last-modified", formatdate(0, usegmt=True)), ("etag", f'"{self._etag(objects[key])}"')]
        return Response(headers=[*fields, ("content-type", "text/plain")], body=objects[key])

    def _bucket(self, request: Request, bucket: str) -> Response:
        if request.method == "PUT":
            self._buckets[bucket] = {}
        elif request.method == "DELETE":
            del self._buckets[bucket]
        elif request.method == "POST":  # ?delete
            self._buckets[bucket].clear()
            return _xml(
                "<DeleteResult><Deleted><Key>small</Key></Deleted><Deleted><Key>large</Key></Deleted></DeleteResult>"
            )
        elif "location" in request.query:
            return _xml("<LocationConstraint/>")
        elif request.target.partition("?")[2] in ("", "delimiter=%2F") or "list-type" in request.query:
            listed = "".join(
                f"<Contents><Key>{key}</Key><LastModified>1970-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;{self._etag(data)}&quot;</ETag><Size>{len(data)}</Size></Contents>"
                for key, data in sorted(self._buckets[bucket].items())
            )
            return _xml(
                f"<ListBucketResult><Name>{bucket}</Name>{listed}<IsTruncated>false</IsTruncated></ListBucketResult>"
            )
        else:
            return _error("NoSuchConfiguration", 404)
        return Response(200 if request.method == "PUT" else 204)

    def _stored(self, body: bytes) -> Response:
        return Response(headers=[("etag", f'"{self._etag(body)}"')])

    def _etag(self, body: bytes) -> str:
        return hashlib.md5(body).hexdigest()


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve(Buckets())


def test_objects(compare: Run, server: Server) -> None:
    need("S3")
    outcome = compare("call_s3cmd", server)
    assert outcome.protocols == {"http/1.1"}
    done, same = outcome.result
    assert same
    assert [(word, status) for word, status, _ in done if status] == [("get", 64)]
