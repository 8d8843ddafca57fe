"""Ways to write a response."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from hyperlite.testing.server import Request, Response

Fields = Sequence[tuple[str, str]]


def as_json(value: Any, status: int = 200, headers: Fields = ()) -> Response:
    """Answer in JSON."""
    return Response(status, [("content-type", "application/json"), *headers], json.dumps(value).encode())


def as_xml(text: str, status: int = 200, headers: Fields = (), kind: str = "text/xml") -> Response:
    """Answer in XML."""
    return Response(status, [("content-type", f"{kind}; charset=utf-8"), *headers], text.encode())


def as_text(text: str, status: int = 200, headers: Fields = (), kind: str = "text/plain") -> Response:
    """Answer in plain text, or in another kind of it."""
    return Response(status, [("content-type", f"{kind}; charset=utf-8"), *headers], text.encode())


def form(request: Request) -> dict[str, str]:
    """Return the fields of a form that was sent in the body, URL-encoded."""
    return {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
