"""Users of requests that were chosen unseen, each run with requests' own adapter, and with HTTP20Adapter."""

import importlib
from pathlib import Path

import pytest

from .conftest import HERE, Serve, need
from .seen import Seen, run, watched

PROGRAMS = {  # the script of sessions/: the module of services/ that answers it, and the package it needs
    "use_docker": ("daemon", "docker"),
    "use_zeep": ("soap", "zeep"),
    "use_trino": ("cluster", "trino"),
    "use_httpie": ("mirrors", "httpie"),
    "use_azure_blob": ("blobs", "azure.storage.blob"),
    "use_huggingface_hub": ("hub", "huggingface_hub"),
    "use_gitlab": ("forge", "gitlab"),
    "use_google_storage": ("objects", "google.cloud.storage"),
    "use_twine": ("packages", "twine"),
    "use_tweepy": ("tweets", "tweepy"),
}
DIFFERS = {  # what a program sends otherwise in each run: drawn by lot
    "use_httpie": {"authorization"},
    "use_azure_blob": {"authorization", "x-ms-date"},
    "use_tweepy": {"authorization"},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_does_the_same_over_http20adapter(name: str, serve: Serve, tmp_path: Path) -> None:
    service, package = PROGRAMS[name]
    need(package)
    routes = importlib.import_module(f".services.{service}", __package__).ROUTES
    by_requests, seen = Seen(DIFFERS.get(name, ())), Seen(DIFFERS.get(name, ()))
    runs: list[Seen] = []
    server = serve(watched(routes, runs))
    results = []
    for adapter, now in (("requests", by_requests), ("hyperlite", seen)):
        runs.append(now)
        folder = tmp_path / adapter
        folder.mkdir()
        command = [str(HERE / "sessions" / f"{name}.py"), server.url(""), adapter]
        results.append(run(command, server.ca_file, folder))
    (expected, unclosed_before), (printed, unclosed) = results
    assert printed == expected
    assert sorted(seen.requests) == sorted(by_requests.requests)
    assert (by_requests.protocols, seen.protocols) == ({"http/1.1"}, {"h2"})
    assert unclosed <= unclosed_before
