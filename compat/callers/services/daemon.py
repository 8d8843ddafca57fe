"""A Docker daemon: its API of version 1.47, where streams have no length."""

import base64
import json
import struct
from collections.abc import Iterable
from typing import Any

from hyperlite.testing.server import Request, Response

from .answers import as_json

BOX = {"Id": "c1", "Name": "/box", "State": {"Status": "running"}, "Config": {"Tty": False, "Image": "i1"}}
IMAGE = {"Id": "sha256:i1", "RepoTags": ["tiny:1"]}
ABOUT = base64.b64encode(json.dumps({"name": "big", "size": 300_000, "mode": 420}).encode()).decode()


def lines(*entries: Any) -> Response:
    """Answer with lines of JSON, each of them when it comes."""
    pieces = (json.dumps(entry).encode() + b"\r\n" for entry in entries)
    return Response(headers=[("content-type", "application/json")], body=pieces)


def stream(pieces: Iterable[bytes]) -> Response:
    """Answer with bytes as they come."""
    return Response(headers=[("content-type", "application/vnd.docker.raw-stream")], body=pieces)


def logs(_: Request) -> Response:
    """Answer with frames of standard output and standard error."""
    said = ((1, b"first\n"), (2, b"a warning\n"), (1, b"x" * 70_000), (1, b"last\n"))
    return stream(struct.pack(">BxxxL", where, len(text)) + text for where, text in said)


def pull(request: Request) -> Response:
    if request.query["fromImage"] == ["broken"]:
        return as_json({"message": "no space left"}, 500)
    states = ["Pulling", "Downloading", "Extracting", "Done"]
    return lines(*({"status": state, "id": request.query["tag"][0]} for state in states))


def archive(request: Request) -> Response:
    if request.method == "PUT":
        return Response(200 if len(request.body) == 10240 else 400)
    return Response(
        headers=[("x-docker-container-path-stat", ABOUT)], body=(b"t" * 30_000 for _ in range(10))
    )


def events(_: Request) -> Response:
    return lines(*({"Type": "container", "Action": action} for action in ("create", "start", "die")))


V = "/v1.47"
ROUTES = {
    f"{V}/version": lambda _: as_json({"Version": "27.3", "ApiVersion": "1.47"}),
    f"{V}/_ping": lambda _: Response(body=b"OK"),
    f"{V}/containers/json": lambda _: as_json([{"Id": "c1"}]),
    f"{V}/containers/c1/json": lambda _: as_json(BOX),
    f"{V}/containers/gone/json": lambda _: as_json({"message": "No such container: gone"}, 404),
    f"{V}/images/create": pull,
    f"{V}/images/tiny:1/json": lambda _: as_json(IMAGE),
    f"{V}/images/1a2b/json": lambda _: as_json(IMAGE),
    f"{V}/images/sha256:i1/get": lambda _: stream(b"l" * 50_000 for _ in range(10)),
    f"{V}/build": lambda _: lines({"stream": "Step 1/1\n"}, {"stream": "Successfully built 1a2b\n"}),
    f"{V}/containers/create": lambda _: as_json({"Id": "c1", "Warnings": []}, 201),
    f"{V}/containers/c1/start": lambda _: Response(204),
    f"{V}/containers/c1/logs": logs,
    f"{V}/containers/c1/archive": archive,
    f"{V}/containers/c1/stats": lambda _: lines({"read": "1"}, {"read": "2"}),
    f"{V}/containers/c1/wait": lambda _: as_json({"StatusCode": 0}),
    f"{V}/containers/c1": lambda _: Response(204),
    f"{V}/events": events,
}
