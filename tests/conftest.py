"""What all tests share: the embedded server with a few routes, and a connection to it."""

import gc
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import hyperlite
from hyperlite import ConnectionPool
from hyperlite.net import tls
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Exchange, Request, Response, Server, streaming

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background; programs inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each of several processes begin with its share of the tests that take long.

    pytest-xdist gives each process a run of the list, and none has to wait at the end for the others then.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes == 1:
        return
    long = [item for item in items if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    runs = [round(len(short) * number / processes) for number in range(processes + 1)]
    items[:] = [
        item
        for number in range(processes)
        for item in (*long[number::processes], *short[runs[number] : runs[number + 1]])
    ]


def pytest_collection_finish() -> None:
    """Have the collector leave out what pytest has made of ten thousand tests: many tests call it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _few_sessions_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test find that the tests before it have read as many TLS sessions as a process may."""
    monkeypatch.setattr(tls, "sessions_read", 0)


def report(request: Request) -> Response:
    """Say what was received, so that tests can compare."""
    seen = {
        "method": request.method,
        "target": request.target,
        "authority": request.authority,
        "headers": request.headers,
        "body": request.body.decode("latin-1"),
        "trailers": request.trailers,
    }
    return Response(headers=[("content-type", "application/json")], body=json.dumps(seen).encode())


def sized(request: Request) -> Response:
    """Return `?n=` bytes, in one piece."""
    return Response(body=b"x" * int(request.query["n"][0]))


def chunks(request: Request) -> Response:
    """Return `?n=` pieces of ten bytes, without a content-length."""
    return Response(body=(b"%09d\n" % number for number in range(int(request.query["n"][0]))))


@streaming
def count(exchange: Exchange) -> None:
    """Count the bytes of the request's body as they come."""
    total = 0
    while data := exchange.read():
        total += len(data)
    exchange.start(200, [])
    exchange.send(str(total).encode())
    exchange.end()


@streaming
def echo(exchange: Exchange) -> None:
    """Send back what comes, while it comes."""
    exchange.start(200, [])
    while data := exchange.read():
        exchange.send(data)
    exchange.end()


ROUTES = {
    "/": lambda _: Response(body=b"hello"),
    "/report": report,
    "/sized": sized,
    "/chunks": chunks,
    "/count": count,
    "/echo": echo,
    "/slow": lambda _: Response(body=b"at last", delay=30),
    "/late": lambda _: Response(body=b"late", delay=0.05),
    "/nothing": lambda _: Response(204),
    "/unchanged": lambda _: Response(304, headers=[("content-length", "1000")]),
    "/cookies": lambda _: Response(headers=[("set-cookie", "a=1"), ("x-one", "1"), ("set-cookie", "b=2")]),
    "/trailers": lambda _: Response(body=iter([b"body"]), trailers=[("x-sum", "4")]),
    "/hints": lambda _: Response(informational=[(103, [("link", "</style.css>")])], body=b"page"),
    "/missing": lambda _: Response(404, body=b"no such thing"),
}

Serve = Callable[..., Server]
Connect = Callable[..., hyperlite.HTTP20Connection]
MakePool = Callable[..., ConnectionPool]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start embedded servers, which the end of the test stops."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Server(options.pop("routes", ROUTES), **options))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make connections to embedded servers, which the end of the test closes."""
    with ExitStack() as stack:

        def make(server: Server, **options: object) -> hyperlite.HTTP20Connection:
            if options.get("secure", True):
                options.setdefault("context", server.context())
            options.setdefault("timeout", 10)
            return stack.enter_context(hyperlite.HTTP20Connection("localhost", server.port, **options))

        yield make


@pytest.fixture(params=["h2", "http/1.1", "no alpn"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    """The embedded server, by each of the ways in which a protocol is agreed on."""
    return serve(alpn={"h2": ("h2", "http/1.1"), "http/1.1": ("http/1.1",), "no alpn": ()}[request.param])


@pytest.fixture
def conn(server: Server, connect: Connect) -> hyperlite.HTTP20Connection:
    """A connection to `server`."""
    return connect(server)


@pytest.fixture
def h2(serve: Serve, connect: Connect) -> hyperlite.HTTP20Connection:
    """A connection that speaks HTTP/2."""
    return connect(serve())


@pytest.fixture
def make_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePool]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with ExitStack() as stack:

        def make(**options: object) -> ConnectionPool:
            options.setdefault("verify", certificates().ca_file)
            options.setdefault("timeout", 10)
            return stack.enter_context(ConnectionPool(**options))

        yield make


@pytest.fixture
def pool(make_pool: MakePool) -> ConnectionPool:
    return make_pool()


@pytest.fixture
def interrupt_soon() -> Iterator[Callable[[], None]]:
    """Have KeyboardInterrupt raised in the main thread, as by Ctrl-C, a moment after this is called."""

    def strike(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.1)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
