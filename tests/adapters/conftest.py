"""Sessions that trust the embedded server, and are closed at the end of the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests
from requests.adapters import HTTPAdapter

from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Server
from tests.conftest import Serve

MakeSession = Callable[..., requests.Session]


@pytest.fixture
def make_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeSession]:
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "requests_ca_bundle",
        "curl_ca_bundle",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with ExitStack() as stack:

        def make(adapter: HTTPAdapter | None = None) -> requests.Session:
            session = stack.enter_context(requests.Session())
            session.verify = certificates().ca_file
            adapter = HTTP20Adapter() if adapter is None else adapter
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            return session

        yield make


@pytest.fixture
def session(make_session: MakeSession) -> requests.Session:
    return make_session()


@pytest.fixture(params=["h2", "http/1.1", "cleartext"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    """The embedded server, by each protocol."""
    if request.param == "cleartext":
        return serve(secure=False)
    return serve(alpn=(request.param,))


@pytest.fixture
def h2(serve: Serve) -> Server:
    """A server that speaks HTTP/2 and nothing else."""
    return serve(alpn=("h2",))
