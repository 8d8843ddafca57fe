"""A hub of models: pages of them, files here and in a store elsewhere, uploads, and a chat."""

import hashlib
import json
import re
from collections.abc import Iterator

from hyperlite.testing.server import Request, Response

from .answers import as_json

SHA = "0123456789abcdef0123456789abcdef01234567"
CONFIG, WEIGHTS = b'{"size": 1}', bytes(range(250)) * 2000
FILES = {"config.json": CONFIG, "weights.bin": WEIGHTS}
COMMIT = [("x-repo-commit", SHA), ("x-request-id", "r1"), ("accept-ranges", "bytes")]


def part(request: Request, data: bytes, fields: list[tuple[str, str]]) -> Response:
    """Answer with a range of a file, or with all of it."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.header("range") or "")
    if found is None:
        return Response(200, fields, data)
    first, last = int(found[1]), min(int(found[2] or len(data)), len(data) - 1)
    return Response(
        206, [*fields, ("content-range", f"bytes {first}-{last}/{len(data)}")], data[first : last + 1]
    )


def resolve(request: Request) -> Response:
    repository, name = request.path.split("/")[2], request.path.rpartition("/")[2]
    if repository == "gated":
        return Response(403, [*COMMIT, ("x-error-code", "GatedRepo"), ("x-error-message", "ask first")])
    if repository == "none":
        return Response(404, [*COMMIT, ("x-error-code", "RepoNotFound")])
    if name not in FILES:
        return Response(404, [*COMMIT, ("x-error-code", "EntryNotFound")])
    digest = hashlib.sha256(FILES[name]).hexdigest()
    if name == "config.json":
        return part(request, CONFIG, [*COMMIT, ("etag", f'"{digest[:40]}"')])
    linked = [("x-linked-etag", f'"{digest}"'), ("x-linked-size", str(len(WEIGHTS)))]
    place = f"https://{request.authority}/store/weights.bin?signed=1"
    return Response(302, [*COMMIT, *linked, ("location", place)], b"elsewhere")


def models(request: Request) -> Response:
    if "cursor" in request.query:
        return as_json([{"id": "me/c"}])
    more = f'<https://{request.authority}/api/models?cursor=2>; rel="next"'
    return as_json([{"id": "me/a"}, {"id": "me/b"}], headers=[("link", more)])


def tree(_: Request) -> Response:
    return as_json(
        [{"type": "file", "path": name, "size": len(FILES[name]), "oid": "0" * 40} for name in FILES]
    )


def batch(request: Request) -> Response:
    one = json.loads(request.body)["objects"][0]
    upload = {"href": f"https://{request.authority}/store/upload", "header": {"x-store": "s"}}
    verify = {"href": f"https://{request.authority}/store/verify"}
    return as_json(
        {"transfer": "basic", "objects": [one | {"actions": {"upload": upload, "verify": verify}}]}
    )


def modes(request: Request) -> Response:
    files = json.loads(request.body)["files"]
    mode = {True: "lfs", False: "regular"}
    return as_json(
        {
            "files": [
                {"path": f["path"], "uploadMode": mode[f["size"] > 1000], "shouldIgnore": False}
                for f in files
            ]
        }
    )


def commit(request: Request) -> Response:
    assert request.header("content-type") == "application/x-ndjson"
    lines = len(request.body.splitlines())
    return as_json(
        {"commitUrl": f"https://{request.authority}/me/model/commit/{lines}", "commitOid": str(lines)}
    )


def chat(_: Request) -> Response:
    def said() -> Iterator[bytes]:
        for word in ("hello", " wörld"):
            choice = {"index": 0, "delta": {"role": "assistant", "content": word}}
            event = {"choices": [choice], "created": 1, "id": "", "model": "m"}
            line = f"data: {json.dumps(event)}\n\n".encode()
            yield line[:20]
            yield line[20:]
        yield b"data: [DONE]\n\n"

    return Response(200, [("content-type", "text/event-stream")], said())


def info(_: Request) -> Response:
    return as_json(
        {"id": "me/model", "sha": SHA, "siblings": [{"rfilename": name} for name in FILES]}, headers=COMMIT
    )


EXACT = {
    "/api/whoami-v2": lambda _: as_json({"name": "me", "type": "user"}),
    "/api/models": models,
    "/api/models/me/model/preupload/main": modes,
    "/api/models/me/model/commit/main": commit,
    "/me/model.git/info/lfs/objects/batch": batch,
    "/store/upload": lambda request: Response(200 if len(request.body) == 300_000 else 400),
    "/store/verify": lambda _: Response(200),
    "/store/weights.bin": lambda request: part(request, WEIGHTS, [("accept-ranges", "bytes")]),
    "/chat/chat/completions": chat,
    "/chat/v1/chat/completions": chat,
}


def answer(request: Request) -> Response:
    """Answer whatever is asked for."""
    path = request.path
    if handler := EXACT.get(path):
        return handler(request)
    if "/resolve/" in path:
        return resolve(request)
    if "/paths-info/" in path or "/tree/" in path:
        return tree(request)
    if re.fullmatch("/api/models/me/model(/revision/.*)?", path):
        return info(request)
    return as_json({"error": "nothing here"}, 404)


ROUTES = answer
