"""Run a script whole in a process of its own, and see what the server sees of it."""

import re
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hyperlite.testing.server import PlainHandler, Request, Response

from .conftest import PATIENCE, clean_environment

OF_THE_CONNECTION = {"connection", "host", "te", "transfer-encoding", "content-length"}

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UUID, _UUID_IN_BODY = re.compile(UUID), re.compile(UUID.encode())


@dataclass
class Seen:
    """What the server has seen of one run."""

    differs: Collection[str] = ()
    """What is left out of a request, because it is not the same in any two runs: fields, or `body`."""
    requests: list[tuple[Any, ...]] = field(default_factory=list)
    """Method, target, header fields but for those of the connection, and body."""
    protocols: set[str] = field(default_factory=set)

    def note(self, request: Request) -> None:
        """Add a request."""
        boundary = (request.header("content-type") or "").partition("boundary=")[2].strip('"')
        headers = [pair for pair in request.headers if pair[0] not in {*OF_THE_CONNECTION, *self.differs}]
        body = b"" if "body" in self.differs else request.body
        if boundary:  # which is made anew each time
            headers = [(name, value.replace(boundary, "~")) for name, value in headers]
            body = body.replace(boundary.encode(), b"~")
        headers, body = (
            [(name, _UUID.sub("~", value)) for name, value in headers],
            _UUID_IN_BODY.sub(b"~", body),
        )
        self.requests.append((request.method, request.target, sorted(headers), body))
        self.protocols.add(request.protocol)


SPELT = {"etag": "ETag", "www-authenticate": "WWW-Authenticate"}


def spelt(response: Response) -> Response:
    """Write the names of fields as servers of HTTP/1.1 do, where programs may be particular."""
    headers = [(SPELT.get(name, name.title()), value) for name, value in response.lengthy_headers()]
    return replace(response, headers=headers)


def watched(routes: Mapping[str, PlainHandler] | PlainHandler, runs: list[Seen]) -> PlainHandler:
    """Return a handler that notes each request in the latest of the runs, and hands it on."""

    def answer(request: Request) -> Response:
        runs[-1].note(request)
        handler = routes if callable(routes) else routes.get(request.path)
        nothing = Response(404, [("content-type", "text/plain")], b"nothing here")
        response = handler(request) if handler else nothing
        return spelt(response) if request.protocol == "http/1.1" else response

    return answer


def run(arguments: list[str], ca_file: str, folder: Path) -> tuple[str, int]:
    """Run Python with these arguments; returns what it has printed, and its ResourceWarnings."""
    environment = clean_environment() | {
        "SSL_CERT_FILE": ca_file,
        "REQUESTS_CA_BUNDLE": ca_file,
        "HOME": str(folder),
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        env=environment,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}:\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr.count("ResourceWarning: unclosed")
