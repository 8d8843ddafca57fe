"""Servers that other runtimes bring along, and h2o: Node's http2, Go's net/http, grpcio.

The programs in `programs/` listen on a port of their own choice and write its number to a file.
"""

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hyperlite.testing.certificates import certificates

from .servers import Process, Site, find_program

PROGRAMS = Path(__file__).parent / "programs"
# Seconds that Go may take to build a program and, on its first run of all, its standard library.
BUILDING = 110
# Nothing but the standard library that is installed: nothing is to be fetched, and no C compiler is needed.
GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOPROXY": "off", "GOTOOLCHAIN": "local"}


@dataclass(frozen=True)
class ProgramSite(Site):
    """A program of ours that runs."""

    pid: int = 0


@contextmanager
def node(directory: Path, *, secure: bool = True) -> Iterator[ProgramSite]:
    """Run programs/server.js."""
    program = find_program("node", "nodejs")
    with _program([program, str(PROGRAMS / "server.js")], directory, secure=secure) as site:
        yield site


def build_go(program: Path, directory: Path) -> Path:
    """Return the server that Go's compiler makes of a program, in this directory."""
    compiler = find_program("go", "golang-go")
    built = directory / "server"
    subprocess.run(
        [compiler, "build", "-o", str(built), str(program)],
        env={"HOME": str(directory), **os.environ, **GO_ENVIRONMENT},
        cwd=directory,
        check=True,
        timeout=BUILDING,
    )
    return built


@contextmanager
def go(directory: Path) -> Iterator[dict[str, ProgramSite]]:
    """Build and run programs/server.go: "h2", which has HTTP/2, and "h1", which has not."""
    built, http1_port = build_go(PROGRAMS / "server.go", directory), directory / "http1-port"
    with _program([str(built)], directory, http1_port, secure=True) as site:
        yield {"h2": site, "h1": replace(site, port=int(http1_port.read_text()))}


@contextmanager
def grpc_server(directory: Path, *, secure: bool = True) -> Iterator[ProgramSite]:
    """Run programs/grpc_server.py."""
    for module, package in (("grpc", "grpcio"), ("google.protobuf", "protobuf")):
        require_module(module, package)
    command = [sys.executable, str(PROGRAMS / "grpc_server.py")]
    with _program(command, directory, secure=secure) as site:
        yield site


def require_module(module: str, package: str) -> None:
    """Skip the test without a Python package of other people's, or fail where CI has to have it."""
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # nor what it lies in
        found = False
    if not found:
        complaint = f"{package} is not installed (pip install {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)


@contextmanager
def _program(
    command: Sequence[str], directory: Path, *more_files: Path, secure: bool
) -> Iterator[ProgramSite]:
    """Run a program of ours until the end of the `with`.

    Args:
        command: what it is started with, before its port files and the key and the certificate.
        directory: an empty one, to write to.
        more_files: those that it writes besides, before it serves.
        secure: with TLS.
    """
    port_files = [directory / "port", *more_files]
    tls_files = [certificates().key_file, certificates().cert_file] if secure else []
    with Process([*command, *map(str, port_files), *tls_files], directory / "log") as process:
        ready = process.wait_until(lambda: all(file.exists() for file in port_files))
        assert ready, process.complaint()
        yield ProgramSite(int(port_files[0].read_text()), directory, secure, process.pid)


# -- h2o --------------------------------------------------------------------------------------------

H2O_CONF = """\
num-threads: 1
pid-file: {pid_file}
{user}
listen:
  host: 127.0.0.1
  port: {secure}
  ssl:
    certificate-file: {certificate}
    key-file: {key}
listen:
  host: 127.0.0.1
  port: {cleartext}
hosts:
  default:
    paths:
      /:
        file.dir: {root}
"""


@contextmanager
def h2o(directory: Path, root: Path) -> Iterator[dict[str, Site]]:
    """Run an h2o that serves files, with TLS ("h2") and without ("cleartext").

    The listening sockets are ours, and handed over as Server::Starter does: no other process gets the ports.
    """
    program = find_program("h2o", "h2o")
    with (
        socket.create_server(("127.0.0.1", 0), backlog=511) as first,
        socket.create_server(("127.0.0.1", 0), backlog=511) as second,
    ):
        listeners = (first, second)
        ports = [listener.getsockname()[1] for listener in listeners]
        pid_file = directory / "h2o.pid"
        text = H2O_CONF.format(
            pid_file=pid_file,
            user="user: root" if os.geteuid() == 0 else "",
            secure=ports[0],
            cleartext=ports[1],
            certificate=certificates().cert_file,
            key=certificates().key_file,
            root=root,
        )
        (directory / "h2o.conf").write_text(text)
        handed = [
            f"127.0.0.1:{port}={listener.fileno()}" for port, listener in zip(ports, listeners, strict=True)
        ]
        with Process(
            [program, "-m", "worker", "-c", str(directory / "h2o.conf")],
            directory / "log",
            environment={"SERVER_STARTER_PORT": ";".join(handed)},
            descriptors=[listener.fileno() for listener in listeners],
        ) as process:
            assert process.wait_until(pid_file.exists), process.complaint()
            yield {"h2": Site(ports[0], root), "cleartext": Site(ports[1], root, secure=False)}
