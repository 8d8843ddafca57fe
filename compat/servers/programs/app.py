"""The site for Python's servers: `app` by ASGI, `application` by WSGI."""

import hashlib
import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from content import FILES

JSON = [("content-type", "application/json")]


def answer(path: str, names: Iterable[str], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, fields and body of a response; of the request's fields only the names matter."""
    if path[1:] in FILES:
        return 200, [("content-type", "text/plain")], FILES[path[1:]]
    if path == "/fields":
        count = sum(name.startswith("x-many-") for name in names)
        return 200, JSON, json.dumps({"count": count}).encode()
    if path == "/echo":
        told = {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        return 200, JSON, json.dumps(told).encode()
    if path == "/trailers":
        return 200, [], b"body"
    return (413 if path == "/refuse" else 404), [], b""


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]
) -> None:
    """Answer, by ASGI."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = bytearray(), scope["method"] == "POST" and scope["path"] != "/refuse"
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        body += event.get("body", b"")
        more = event.get("more_body", False)
    names = [name.decode() for name, _ in scope["headers"]]
    status, fields, content = answer(scope["path"], names, bytes(body))
    trailers = scope["path"] == "/trailers" and "http.response.trailers" in scope.get("extensions", {})
    pairs = [*fields, ("content-length", str(len(content)))] if not trailers else fields
    headers = [(name.encode(), value.encode()) for name, value in pairs]
    await send(
        {"type": "http.response.start", "status": status, "headers": headers}
        | ({"trailers": True} if trailers else {})
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})
    if trailers:
        await send(
            {"type": "http.response.trailers", "headers": [(b"checksum", b"abc")], "more_trailers": False}
        )


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer, by WSGI."""
    path, posts = environ["PATH_INFO"], environ["REQUEST_METHOD"] == "POST"
    body = environ["wsgi.input"].read() if posts and path != "/refuse" else b""
    names = [name[5:].lower().replace("_", "-") for name in environ if name.startswith("HTTP_")]
    status, fields, content = answer(path, names, body)
    start_response(f"{status} It", [*fields, ("content-length", str(len(content)))])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else content]
