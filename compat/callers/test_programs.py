"""Programs that were chosen unseen, each run whole under `hyperlite run`, and by Python itself to compare."""

import importlib
from pathlib import Path

import pytest

from .conftest import HERE, Serve, need
from .seen import Seen, run, watched

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
    "use_pygelf": {"body"},
    "use_pyeapi": {"body"},
    "use_jsonrpclib": {"body"},
    "use_yt_dlp": {"range"},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_does_the_same_over_http2(name: str, serve: Serve, tmp_path: Path) -> None:
    service, package = PROGRAMS[name]
    need(package)
    routes = importlib.import_module(f".services.{service}", __package__).ROUTES
    by_python, seen = Seen(DIFFERS.get(name, ())), Seen(DIFFERS.get(name, ()))
    runs = [by_python]
    server = serve(watched(routes, runs))
    # Python drops a connection with an unread ticket by a reset, and what was sent last may be lost (pygelf).
    server.tls.num_tickets = 0  # type: ignore[union-attr]
    command = [str(HERE / "programs" / f"{name}.py"), server.url("")]
    expected, unclosed_before = run(command, server.ca_file, tmp_path)
    runs.append(seen)
    by_hyperlite = ["-m", "hyperlite", "run", "-q"]  # without the line about urllib3, which some import
    printed, unclosed = run([*by_hyperlite, *command], server.ca_file, tmp_path)
    assert printed == expected
    assert sorted(seen.requests) == sorted(by_python.requests)
    assert (by_python.protocols, seen.protocols) == ({"http/1.1"}, {"http/1.1"} if name in HTTP1 else {"h2"})
    assert unclosed <= unclosed_before
