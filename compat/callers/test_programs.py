"""Programs that were chosen unseen, each run whole under `hyperlite run`, and by Python itself to compare."""

import importlib
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hyperlite.testing.server import PlainHandler, Request, Response

from .conftest import HERE, PATIENCE, Serve, clean_environment, need

PROGRAMS = {  # the script of programs/: the module of services/ that answers it, and the package it needs
    "use_slack_sdk": ("slack", "slack_sdk"),
    "use_shopify": ("shop", "shopify"),
    "use_sendgrid": ("mail", "sendgrid"),
    "use_pyjwt": ("keys", "jwt"),
    "use_yt_dlp": ("clips", "yt_dlp"),
    "use_mechanize": ("site", "mechanize"),
    "use_feedparser": ("feeds", "feedparser"),
    "use_biopython": ("entrez", "Bio"),
    "use_suds": ("soap", "suds"),
    "use_sparqlwrapper": ("sparql", "SPARQLWrapper"),
    "use_thrift": ("sums", "thrift"),
    "use_robotframework": ("keywords", "robot"),
    "use_jsonrpclib": ("jsonrpc", "jsonrpclib"),
    "use_prometheus": ("metrics", "prometheus_client"),
    "use_pygelf": ("logs", "pygelf"),
    "use_webob": ("mirror", "webob"),
    "use_geopy": ("places", "geopy"),
    "use_pyvmomi": ("vsphere", "pyVmomi"),
    "use_pyeapi": ("switch", "pyeapi"),
    "use_recurly": ("billing", "recurly"),
    "use_meson": ("wraps", "mesonbuild"),
}
HTTP1 = {"use_yt_dlp"}  # which offer that alone by ALPN, and are taken at their word
DIFFERS = {  # what a program sends otherwise in each run: times, numbers of objects, lengths drawn by lot
    "use_pygelf": "body",
    "use_pyeapi": "body",
    "use_jsonrpclib": "body",
    "use_yt_dlp": "range",
}
OF_THE_CONNECTION = {"connection", "host", "te", "transfer-encoding", "content-length"}


@dataclass
class Seen:
    """What the server has seen of one run."""

    differs: str | None = None
    """What is left out of a request, because it is not the same in any two runs."""
    requests: list[tuple[Any, ...]] = field(default_factory=list)
    """Method, target, header fields but for those of the connection, and body."""
    protocols: set[str] = field(default_factory=set)

    def note(self, request: Request) -> None:
        boundary = (request.header("content-type") or "").partition("boundary=")[2].strip('"')
        headers = [pair for pair in request.headers if pair[0] not in {*OF_THE_CONNECTION, self.differs}]
        body = b"" if self.differs == "body" else request.body
        if boundary:  # which is made anew each time
            headers = [(name, value.replace(boundary, "~")) for name, value in headers]
            body = body.replace(boundary.encode(), b"~")
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


def run(script: Path, url: str, ca_file: str, folder: Path, *before: str) -> tuple[str, int]:
    """Run a script in a process of its own; returns what it has printed, and its ResourceWarnings."""
    environment = clean_environment() | {
        "SSL_CERT_FILE": ca_file, "HOME": str(folder), "PYTHONHASHSEED": "0", "PYTHONIOENCODING": "utf-8",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, *before, str(script), url],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        env=environment,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, f"{before} {script.name}:\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr.count("ResourceWarning: unclosed")


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_does_the_same_over_http2(name: str, serve: Serve, tmp_path: Path) -> None:
    service, package = PROGRAMS[name]
    need(package)
    routes = importlib.import_module(f".services.{service}", __package__).ROUTES
    by_python, seen = Seen(DIFFERS.get(name)), Seen(DIFFERS.get(name))
    runs = [by_python]
    server = serve(watched(routes, runs))
    script = HERE / "programs" / f"{name}.py"
    expected, unclosed_before = run(script, server.url(""), server.ca_file, tmp_path)
    runs.append(seen)
    by_hyperlite = ("-m", "hyperlite", "run", "-q")  # without the line about urllib3, which some import
    printed, unclosed = run(script, server.url(""), server.ca_file, tmp_path, *by_hyperlite)
    assert printed == expected
    assert sorted(seen.requests) == sorted(by_python.requests)
    assert (by_python.protocols, seen.protocols) == ({"http/1.1"}, {"http/1.1"} if name in HTTP1 else {"h2"})
    assert unclosed <= unclosed_before
