"""Libraries that stand in for servers in tests: which of hyperlite's ways to make a request they see.

Each way asks for one URL of the embedded server. The library makes an answer up, or records and plays one.
A way that the library does not see gets the answer of the server.
"""

import http.client
import os
import ssl
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import requests

import hyperlite
import hyperlite.client
from hyperlite.adapters.requests import HTTP20Adapter

Way = Callable[[str], list[Any]]


def _ways(ca_file: str) -> dict[str, Way]:
    """Return the ways to make a GET; each returns a status and a text."""
    context = ssl.create_default_context(cafile=ca_file)

    def by_requests(adapter: requests.adapters.HTTPAdapter) -> Way:
        def get(url: str) -> list[Any]:
            with requests.Session() as session:
                session.verify = ca_file
                session.mount("https://", adapter)
                response = session.get(url)
                return [response.status_code, response.text]

        return get

    def by_http_client(module: Any) -> Way:
        def get(url: str) -> list[Any]:
            parts = urlsplit(url)
            connection = module.HTTPSConnection(parts.hostname, parts.port, context=context)
            try:
                connection.request("GET", parts.path)
                response = connection.getresponse()
                return [response.status, response.read().decode()]
            finally:
                connection.close()

        return get

    def by_fetch(url: str) -> list[Any]:
        with hyperlite.ConnectionPool(context=context) as pool:
            response = pool.fetch(url)
            return [response.status, response.text]

    return {
        "HTTP20Adapter": by_requests(HTTP20Adapter()),
        "http.client": by_http_client(http.client),  # which is hyperlite's where it is installed
        "hyperlite.client": by_http_client(hyperlite.client),
        "fetch": by_fetch,
    }


def _responses(url: str) -> AbstractContextManager[Any]:
    import responses  # noqa: PLC0415 (each test needs one library)

    mock = responses.RequestsMock(assert_all_requests_are_fired=False)
    mock.get(url, body="made up")
    return mock


def _requests_mock(url: str) -> AbstractContextManager[Any]:
    import requests_mock  # noqa: PLC0415

    mock = requests_mock.Mocker()
    mock.get(url, text="made up")
    return mock


def _asked(library: Callable[[str], AbstractContextManager[Any]], way: Way, url: str) -> list[Any]:
    with library(url):
        return way(url)


def _recorded(way: Way, url: str) -> list[Any]:
    """Return what comes with an empty cassette, and how many answers the cassette then has and plays."""
    import vcr  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cassette.yaml")
        with vcr.use_cassette(path, record_mode=vcr.mode.ONCE) as cassette:
            first = way(url)
            kept = len(cassette)
        with vcr.use_cassette(path, record_mode=vcr.mode.NONE) as cassette:
            assert way(url) == first
            return [*first, kept, cassette.play_count]


def _served(ways: dict[str, Way], ca_file: str, key_files: list[str]) -> dict[str, list[Any]]:
    """Return what pytest-httpserver, a server of its own, answers."""
    from pytest_httpserver import HTTPServer  # noqa: PLC0415

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*key_files)
    with HTTPServer(host="localhost", ssl_context=context) as server:
        server.expect_request("/page").respond_with_data("made up")
        answers = {name: way(server.url_for("/page")) for name, way in ways.items()}
        server.check_assertions()
        assert len(server.log) == len(ways)
    return answers


def call(options: dict[str, Any]) -> dict[str, list[Any]]:
    """Ask by each way, with the library in between."""
    ways = _ways(options["ca_file"])
    url = f"{options['url']}/"
    match options["library"]:
        case "responses":
            return {name: _asked(_responses, way, url) for name, way in ways.items()}
        case "requests_mock":
            return {name: _asked(_requests_mock, way, url) for name, way in ways.items()}
        case "vcr":
            return {name: _recorded(way, url) for name, way in ways.items()}
        case _:
            return _served(ways, options["ca_file"], options["key_files"])
