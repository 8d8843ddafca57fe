"""The server of the differential test: whatever is not a route of its own is reported as received."""

import json
from typing import Any

from hyperlite.testing.server import Exchange, Handler, Request, Response, streaming

# They belong to one HTTP/1.1 connection, or are `authority` already.
UNSEEN = {"host", "connection", "transfer-encoding", "keep-alive", "proxy-connection", "upgrade"}


def report(request: Request) -> Response:
    """Say what was received."""
    seen = {
        "method": request.method,
        "target": request.target,
        "authority": request.authority.rpartition(":")[0] or request.authority,
        "headers": [[name, value] for name, value in request.headers if name not in UNSEEN],
        "body": request.body.decode("latin-1"),
        "trailers": request.trailers,
    }
    return Response(headers=[("content-type", "application/json")], body=json.dumps(seen).encode())


def status(request: Request) -> Response:
    return Response(int(request.query["n"][0]), headers=[("location", "/report")], body=b"told")


@streaming
def cut_before(exchange: Exchange) -> None:
    exchange.reset()


def _cut(exchange: Exchange, headers: list[tuple[str, str]]) -> None:
    exchange.start(200, headers)
    exchange.send(b"half")
    exchange.reset()


@streaming
def cut_sized(exchange: Exchange) -> None:
    _cut(exchange, [("content-length", "8")])


@streaming
def cut_chunked(exchange: Exchange) -> None:
    _cut(exchange, [])


@streaming
def continued(exchange: Exchange) -> None:
    body = exchange.read()
    exchange.start(200, [("content-length", str(len(body)))])
    exchange.send(body)
    exchange.end()


LINES = b"first\nsecond\n\nlast"
COOKIES = [("set-cookie", "a=1; Path=/"), ("x-one", "1"), ("set-cookie", "b=2"), ("x-one", "2")]


class Routes(dict[str, Handler]):
    """A path that has no handler is reported."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, report)


ROUTES = Routes(
    {
        "/lines": lambda _: Response(body=LINES),
        "/pieces": lambda _: Response(body=iter([LINES])),
        "/large": lambda _: Response(body=b"0123456789abcde\n" * 20_000),
        "/large-pieces": lambda _: Response(body=iter([b"0123456789abcde\n" * 1000] * 20)),
        "/empty": lambda _: Response(body=b""),
        "/empty-pieces": lambda _: Response(body=iter(())),
        "/unchanged": lambda _: Response(304, headers=[("content-length", "1000")]),
        "/status": status,
        "/cookies": lambda _: Response(headers=COOKIES, body=b"jar"),
        "/latin": lambda _: Response(headers=[("x-latin", "caf\xe9"), ("x-empty", "")], body=b"ok"),
        "/trailers": lambda _: Response(body=iter([b"body"]), trailers=[("x-sum", "4")]),
        "/hints": lambda _: Response(informational=[(103, [("link", "</a.css>")])], body=b"page"),
        "/100": lambda _: Response(informational=[(100, [])], body=b"page"),
        "/close": lambda _: (
            Response(headers=[("connection", "close")], body=b"bye")
            if _.protocol == "http/1.1"
            else Response(body=b"bye")
        ),
        "/cut-before": cut_before,
        "/cut-sized": cut_sized,
        "/cut-chunked": cut_chunked,
        "/continued": continued,
    }
)
