"""A server with routes that redirect, echo and refuse, for runs of `fetch_many()`."""

import pytest

from hyperlite.testing.server import Request, Response, Server
from tests.conftest import ROUTES, Serve


def echo(request: Request) -> Response:
    """Answer with the target, late if it says so."""
    return Response(body=request.target.encode(), delay=float(request.query.get("delay", ["0"])[0]))


def late_503(request: Request) -> Response:
    return Response(503, headers=[("retry-after", "0")])


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    routes = ROUTES | {
        "/echo": echo,
        "/loop": lambda _: Response(302, headers=[("location", "/loop")]),
        "/away": lambda _: Response(302, headers=[("location", "/echo?from=away")]),
        "/busy": late_503,
    }
    return serve(routes=routes, alpn=(request.param,))
