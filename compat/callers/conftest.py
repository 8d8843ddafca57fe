"""What the callers' tests share: the embedded server with a few routes, and a way to run a caller."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hyperlite.testing.server import Exchange, Request, Response, Server, streaming

from .relay import Relay

HERE = Path(__file__).parent
PATIENCE = 60.0


@dataclass(frozen=True)
class Outcome:
    """What came of running a caller once."""

    result: Any
    """What its `call` returned."""
    log: list[tuple[str, int, str, str]]
    """What the server logged meanwhile: protocol, connection, method and target of each request."""
    unclosed: int = 0
    """How often the interpreter complained of something that was dropped without being closed."""

    @property
    def protocols(self) -> set[str]:
        """The protocols that the server saw."""
        return {protocol for protocol, *_ in self.log}

    @property
    def connections(self) -> int:
        """How many connections the requests came on."""
        return len({number for _, number, *_ in self.log})

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and target of each request, without its query."""
        return [(method, target.partition("?")[0]) for *_, method, target in self.log]


def report(request: Request) -> Response:
    """Say what was received, so far as it does not depend on the protocol."""
    seen = {
        "method": request.method,
        "target": request.target,
        "authority": request.authority,
        "type": request.header("content-type"),
        "agent": request.header("user-agent"),
        "mark": request.header("x-mark"),
        "body": request.body.decode("latin-1"),
    }
    return Response(headers=[("content-type", "application/json")], body=json.dumps(seen).encode())


@streaming
def echo(exchange: Exchange) -> None:
    """Send back what comes, while it comes."""
    exchange.start(200, [("content-type", "application/octet-stream")])
    while data := exchange.read():
        exchange.send(data)
    exchange.end()


ROUTES = {
    "/": lambda _: Response(body=b"hello"),
    "/report": report,
    "/echo": echo,
    "/found": lambda _: Response(302, headers=[("location", "/report?from=found")], body=b"elsewhere"),
    "/temporary": lambda _: Response(307, headers=[("location", "/report?from=temporary")]),
    "/missing": lambda _: Response(404, headers=[("X-Why", "none")], body=b"no such thing"),
    "/nothing": lambda _: Response(204),
    "/cookies": lambda _: Response(headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")]),
    "/large": lambda _: Response(body=b"0123456789abcdef" * (1 << 17)),  # 2 MiB: more than a stream's window
    "/chunks": lambda _: Response(body=(b"%09d\n" % number for number in range(1000))),
}

Serve = Callable[..., Server]
Run = Callable[..., Outcome]


def need(*libraries: str) -> None:
    """Skip the test where a library is missing; fail where CI has to have it."""
    missing = [name for name in libraries if not _is_there(name)]
    if missing:
        complaint = f"{', '.join(missing)} missing here: make compat-callers installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)


def _is_there(name: str) -> bool:
    """Tell whether a module can be imported, without importing it, but for the packages that it is in."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def clean_environment() -> dict[str, str]:
    """Return the environment without what sends requests elsewhere, trusts others, or configures pip."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith(("_proxy", "_ca_bundle"))
        and not name.startswith(("PIP_", "AWS_", "SENTRY_"))
    }
    return kept | {"PIP_CONFIG_FILE": os.devnull, "PYTHONWARNINGS": "always::ResourceWarning"}


def run_caller(caller: str, client: str, options: Mapping[str, Any]) -> tuple[Any, int]:
    """Run a caller in an interpreter of its own; returns its result and the number of ResourceWarnings."""
    command = [sys.executable, str(HERE / "run.py"), caller, client, json.dumps(options)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, env=clean_environment(), check=False
    )
    assert done.returncode == 0, f"{caller} with {client}:\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1]), done.stderr.count("ResourceWarning: unclosed")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start embedded servers, which the end of the test stops."""
    with ExitStack() as stack:
        yield lambda routes=ROUTES, **options: stack.enter_context(Server(routes, **options))


@pytest.fixture
def server(serve: Serve) -> Server:
    """A server that offers HTTP/2 and HTTP/1.1."""
    return serve()


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A CONNECT proxy that leads to wherever it is told."""
    with Relay() as relay:
        yield relay


@pytest.fixture
def run() -> Run:
    """Run a caller against a server, with `hyperlite` or `stock` http.client."""

    def make(caller: str, server: Server, client: str = "hyperlite", **options: Any) -> Outcome:
        before = len(server.log)
        options = {"url": server.url(""), "port": server.port, "ca_file": server.ca_file} | options
        result, unclosed = run_caller(caller, client, options)
        return Outcome(result, server.log[before:], unclosed)

    return make


@pytest.fixture
def compare(run: Run) -> Run:
    """Run a caller with hyperlite, and check that stock http.client gives the same but for the protocol."""

    def make(caller: str, server: Server, **options: Any) -> Outcome:
        outcome = run(caller, server, **options)
        stock = run(caller, server, "stock", **options)
        assert outcome.result == stock.result
        assert outcome.requests == stock.requests
        assert stock.protocols == {"http/1.1"}
        assert outcome.protocols == {"h2"} or outcome.connections == stock.connections
        assert outcome.unclosed <= stock.unclosed
        return outcome

    return make
