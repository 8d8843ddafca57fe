"""Graylog's input for GELF over HTTP."""

import json
import threading
import zlib

from hyperlite.testing.server import Request, Response

from .answers import as_json

EXPECTED = 14
taken: dict[str, list[str]] = {"h2": [], "http/1.1": []}
"""The messages of each protocol that were not told yet."""
changed = threading.Condition()


def take(request: Request) -> Response:
    body = zlib.decompress(request.body) if request.body[:1] == b"\x78" else request.body
    record = json.loads(body)
    with changed:
        taken[request.protocol].append(f"{record['level']} {record['short_message']} {record.get('_job')}")
        changed.notify_all()
    return Response(202)


def tell(request: Request) -> Response:
    """Tell all messages, when all are there: each has come on a connection of its own."""
    mine = taken[request.protocol]
    with changed:
        changed.wait_for(lambda: len(mine) >= EXPECTED, 30)
        told = sorted(mine)
        mine.clear()
    return as_json(told)


ROUTES = {"/gelf": take, "/told": tell}
