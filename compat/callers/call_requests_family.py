"""Libraries that stand on requests: with HTTP20Adapter mounted, or with requests' own adapter to compare."""

# ruff: noqa: PLC0415  each needs only its own library

import io
import tempfile
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter

HANDLERS: dict[str, Callable[[requests.Session, str], Any]] = {}


def call(options: dict[str, Any]) -> Any:
    """Call the library that the options name."""
    return HANDLERS[options["library"]](_prepare(requests.Session(), options), options["url"])


def _prepare(session: requests.Session, options: dict[str, Any]) -> requests.Session:
    """Give a session the adapter of `options["adapter"]`."""
    from hyperlite.adapters.requests import HTTP20Adapter

    adapter = HTTP20Adapter() if options["adapter"] == "hyperlite" else HTTPAdapter(pool_maxsize=50)
    session.mount("https://", adapter)
    session.verify, session.trust_env = options["ca_file"], False
    return session


def _handler(function: Callable[[requests.Session, str], Any]) -> Callable[[requests.Session, str], Any]:
    HANDLERS[function.__name__] = function
    return function


@_handler
def toolbelt(session: requests.Session, url: str) -> Any:
    """Multipart that is read as it is sent, with its progress; a download to a file; a chunked upload."""
    from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor
    from requests_toolbelt.downloadutils.stream import stream_response_to_file
    from requests_toolbelt.streaming_iterator import StreamingIterator

    encoder = MultipartEncoder(
        {"field": "value", "file": ("name", io.BytesIO(b"data" * 100_000), "text/plain")}, boundary="bound"
    )
    progress: list[int] = []
    monitor = MultipartEncoderMonitor(encoder, lambda monitor: progress.append(monitor.bytes_read))
    with session:
        sent = session.post(f"{url}/report", data=monitor, headers={"Content-Type": monitor.content_type})
        with session.get(f"{url}/large", stream=True) as response, tempfile.TemporaryDirectory() as folder:
            path = stream_response_to_file(response, path=f"{folder}/large")
            with open(path, "rb") as file:
                large = len(file.read())
        pieces = StreamingIterator(6, iter([b"abc", b"def"]))
        echoed = session.post(f"{url}/echo", data=pieces).text
    return [sent.json()["type"], len(sent.json()["body"]), progress[-1], large, echoed]


@_handler
def oauthlib(session: requests.Session, url: str) -> Any:
    """A token, and a request that it signs; OAuth 1 signs one by itself."""
    from oauthlib.oauth2 import BackendApplicationClient
    from requests_oauthlib import OAuth1, OAuth2Session

    with session, OAuth2Session(client=BackendApplicationClient(client_id="me")) as oauth:
        oauth.adapters, oauth.verify, oauth.trust_env = session.adapters, session.verify, False
        token = oauth.fetch_token(f"{url}/token", client_id="me", client_secret="secret")
        signed = oauth.get(f"{url}/authorization").text
        first = session.get(f"{url}/authorization", auth=OAuth1("key", "secret", "owner", "secret"))
    return [token["access_token"], signed, first.text.partition(" ")[0]]


@_handler
def cachecontrol(session: requests.Session, url: str) -> Any:
    """Fresh from the cache, validated by ETag, and not cached; its adapter with ours beneath."""
    from cachecontrol import CacheControlAdapter

    class Adapter(CacheControlAdapter, type(session.get_adapter(url))):  # type: ignore[misc]
        pass

    with session:
        session.mount("https://", Adapter())
        seen = []
        for path in ("/fresh", "/fresh", "/validated", "/validated", "/report", "/report"):
            response = session.get(url + path)
            seen.append([response.status_code, len(response.content), response.from_cache])
    return seen


@_handler
def cache(session: requests.Session, url: str) -> Any:
    """requests-cache: the second time from memory."""
    from requests_cache import CachedSession

    with session, CachedSession(backend="memory") as cached:
        cached.adapters, cached.verify, cached.trust_env = session.adapters, session.verify, False
        responses = [cached.get(f"{url}{path}") for path in ("/large", "/large", "/cookies", "/cookies")]
        with cached.cache_disabled():
            responses.append(cached.get(f"{url}/large"))
        return [[one.status_code, len(one.content), getattr(one, "from_cache", False)] for one in responses]


@_handler
def responses(session: requests.Session, url: str) -> Any:
    """Intercepts, and lets through what it is told to."""
    import responses as library

    with session, library.RequestsMock() as mock:
        mock.get(f"{url}/mocked", json={"mocked": True}, headers={"X-A": "b"})
        mock.add_passthru(f"{url}/report")
        mocked = session.get(f"{url}/mocked")
        try:
            session.get(f"{url}/unknown")
        except requests.ConnectionError as error:
            refused = type(error).__name__
        through = session.get(f"{url}/report?through").json()
    return [mocked.json(), mocked.headers["X-A"], refused, through["target"]]


@_handler
def futures(session: requests.Session, url: str) -> Any:
    """Many at once."""
    from requests_futures.sessions import FuturesSession

    with session, FuturesSession(max_workers=20, session=session) as sessions:
        promises = [sessions.get(f"{url}/report?n={n}") for n in range(200)]
        return [promise.result().json()["target"] for promise in promises]
