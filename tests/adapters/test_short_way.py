"""The short way by which plain requests go does what urllib3's own `urlopen()` would do."""

import gc
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import urllib3
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from hyperlite.adapters._urllib3 import pools
from hyperlite.adapters._urllib3 import response as urllib3_response
from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve

from .conftest import MakeSession

TARGETS = [
    "/report",
    "/report?a=1&b=%C3%A4&c=%2f",
    "/report?a=b c",
    "/report?a=ä",
    "/report?a=%zz",
    "/report?a=[b]{c}|\\^`",
    "//report",
    "/a/../report",
    "/report?a#b",
]


@pytest.fixture(params=["short", "long"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By the short way, and as if a program had patched urllib3."""
    if request.param == "long":
        monkeypatch.setattr(pools, "_URLOPEN", None)
    return request.param


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[object]:
    """Count the calls of a method."""
    calls: list[object] = []
    inner = getattr(owner, name)

    def outer(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        return inner(*arguments, **options)

    monkeypatch.setattr(owner, name, outer)
    return calls


@pytest.mark.parametrize("target", TARGETS)
def test_targets(make_session: MakeSession, serve: Serve, target: str, way: str):
    """They are quoted in the same way; `way` says that both of ours agree."""
    server = serve(routes=lambda request: Response(body=request.target.encode()))
    seen = [make_session(adapter).get(server.url(target)).text for adapter in (None, HTTPAdapter())]
    assert seen[0] == seen[1]


URLS = [
    "https://example.org",
    "https://example.org/",
    "https://example.org?a=b",
    "https://example.org#c",
    "https://example.org/a/b?c=d/e?f#g/h?i",
    "https://example.org/a?",
    "https://example.org/a?#b",
    "https://example.org/a#?b",
    "https://example.org/a;b?c;d",
    "https://example.org//a",
    "https://example.org/a\tb",
    "https://example.org/a?b\nc",
    "https://example.org/ä?ö",
    "https://example.org/a b",
    "https://[::1]:8/a?b",
    "https://user:word@example.org:8/a?b",
    "HTTPS://example.org/a?b",
    "mailto:somebody",
]


@pytest.mark.parametrize("url", URLS)
def test_what_requests_makes_of_a_url(url: str):
    """Prepared or not, the request line is requests' own."""
    request = requests.PreparedRequest()
    request.url = url
    assert HTTP20Adapter().request_url(request, {}) == HTTPAdapter().request_url(request, {})


def test_a_request_with_a_target_of_its_own():
    class Asterisk(requests.PreparedRequest):
        path_url = "*"  # type: ignore[assignment]

    request = Asterisk()
    request.url = "https://example.org/a"
    assert HTTP20Adapter().request_url(request, {}) == "*"


def test_it_is_taken(session: Session, server: Server, monkeypatch: pytest.MonkeyPatch):
    calls = counted(monkeypatch, pools.LeasedConnection, "ask")
    session.get(server.url("/"))
    session.post(server.url("/"), data={"a": "b"})
    assert len(calls) == 2
    session.post(server.url("/"), data=iter([b"in pieces"]))  # not for this
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["urlopen", "_make_request"])
def test_a_program_that_patches_urllib3_sees_all(
    session: Session, h2: Server, monkeypatch: pytest.MonkeyPatch, name: str
):
    """As tracers do."""
    calls = counted(monkeypatch, urllib3.HTTPConnectionPool, name)
    for number in range(3):
        assert session.get(h2.url("/")).content == b"hello"
        assert len(calls) == number + 1


def test_a_program_that_replaces_connections_has_all(
    session: Session, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """As vcrpy does, which plays what it has recorded."""
    made: list[object] = []

    class Plain(urllib3.connection.HTTPConnection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    class Secure(urllib3.connection.HTTPSConnection, Plain):
        pass

    session.get(server.url("/"))
    with monkeypatch.context() as patch:
        patch.setattr(urllib3.HTTPConnectionPool, "ConnectionCls", Plain)
        patch.setattr(urllib3.HTTPSConnectionPool, "ConnectionCls", Secure)
        for _ in range(2):
            assert session.get(server.url("/")).raw.version == 11
        assert len(made) == 1
        with pytest.raises(requests.ReadTimeout):
            session.get(server.url("/slow"), timeout=0.05)
    assert session.get(server.url("/")).ok
    assert len(made) == 1
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_the_log(make_session: MakeSession, h2: Server, caplog: pytest.LogCaptureFixture, way: str):
    session = make_session()
    with caplog.at_level(logging.DEBUG, "urllib3"):
        session.get(h2.url("/sized?n=5"))
    assert [(one.name, one.funcName == "_log", one.getMessage()) for one in caplog.records] == [
        (
            "urllib3.connectionpool",
            way == "short",
            f'https://localhost:{h2.port} "GET /sized?n=5 HTTP/2" 200 5',
        )
    ]


@pytest.mark.parametrize("path", ["/", "/cookies", "/nothing", "/unchanged", "/chunks?n=3", "/sized?n=5"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_response_is_as_urllib3_makes_it(
    session: Session, h2: Server, monkeypatch: pytest.MonkeyPatch, path: str, method: str
):
    """But for what is one's own, attribute for attribute."""
    assert urllib3_response._IS_KNOWN
    seen = []
    for known in (True, False):
        monkeypatch.setattr(urllib3_response, "_IS_KNOWN", known)
        with session.request(method, h2.url(path), stream=True) as response:
            own = response.raw
            assert ("chunked" in vars(own)) is not known
            made = {
                name: getattr(own, name)
                for name in (*urllib3_response._OWN, *vars(urllib3_response.HTTP20Raw))
                if name[:2] != "__"
            }
            differs = {name: value for name, value in made.items() if not _is_ones_own(value)}
            differs["_fp"] = type(own._fp)
            differs["headers"] = list(own.headers.items()), own.headers.getlist("set-cookie")
            seen.append((differs, response.content, own.tell(), own.length_remaining, own.data, own.closed))
    assert seen[0] == seen[1]
    with session.get(h2.url(path), stream=True) as response:
        made = vars(response.raw)
    assert made.keys() - {"_finalizing"} <= urllib3_response._OWN | vars(urllib3_response.HTTP20Raw).keys()


@pytest.mark.parametrize("path", ["/", "/cookies", "/fields"])
def test_requests_makes_the_same_of_a_response(
    make_session: MakeSession, serve: Serve, monkeypatch: pytest.MonkeyPatch, path: str
):
    """Of a summary, as of all of it."""
    cookies = [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")] if path == "/cookies" else []
    fields = [
        ("x-many", "one"),
        ("x-many", "two"),
        ("x-empty", ""),
        ("content-type", "text/plain; charset=x"),
    ]
    server = serve(routes=lambda _: Response(418, headers=cookies + fields, body=b"hello"))
    seen = []
    for known in (True, False):
        monkeypatch.setattr(urllib3_response, "_IS_KNOWN", known)
        session = make_session()
        response = session.get(server.url(path))
        assert type(response.raw) is urllib3_response.HTTP20Raw
        made = {**vars(response), "elapsed": None, "raw": None, "connection": None, "request": None}
        made["cookies"] = [(one.name, one.value) for one in response.cookies]
        made["headers"] = list(response.headers.items())
        assert dict(session.cookies) == dict(response.cookies) == ({"a": "1", "b": "2"} if cookies else {})
        seen.append(made)
    assert seen[0] == seen[1]


def test_a_program_that_patches_requests_sees_all(
    session: Session, h2: Server, monkeypatch: pytest.MonkeyPatch
):
    """As does another library's adapter that comes after ours."""
    calls = counted(monkeypatch, HTTPAdapter, "build_response")
    response = session.get(h2.url("/"))
    assert [one[2] for one in calls] == [response.raw]  # type: ignore[index]

    class Theirs(HTTPAdapter):
        def build_response(self, req: Any, resp: Any) -> requests.Response:
            seen.append(resp)
            return super().build_response(req, resp)

    class Both(HTTP20Adapter, Theirs):
        pass

    seen: list[object] = []
    session.mount("https://", Both())
    response = session.get(h2.url("/"))
    assert seen == [response.raw]
    session.close()


def test_a_later_requests_finds_all(session: Session, h2: Server):
    """What it may want beyond what it wants now is the response's own."""
    with session.get(h2.url("/"), stream=True) as response:
        summary = response.raw.summary()
        assert type(summary) is urllib3_response.Summary
        assert (summary.version, summary.version_string) == (20, "HTTP/2")


def test_a_program_that_wraps_the_file_sees_all(make_session: MakeSession, h2: Server):
    """As CacheControl does."""
    seen: list[bytes] = []

    class Wrapper:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def read(self, *arguments: Any) -> bytes:
            seen.append(self._file.read(*arguments))
            return seen[-1]

    class Adapter(HTTP20Adapter):
        def build_response(self, req: Any, resp: Any) -> requests.Response:
            resp._fp = Wrapper(resp._fp)
            return super().build_response(req, resp)

    session = make_session(Adapter())
    for size in (5, 100_000):
        assert session.get(h2.url(f"/sized?n={size}")).content == b"x" * size
        assert b"".join(seen) == b"x" * size
        seen.clear()


def _is_ones_own(value: object) -> bool:
    """Tell whether it is an object that belongs to one response alone."""
    return callable(value) or isinstance(
        value,
        (
            classmethod,
            urllib3_response.HTTP20Response,
            urllib3_response.Chunks,
            pools.LeasedConnection,
            urllib3_response.BytesQueueBuffer,
        ),
    )


def test_an_unknown_release_of_urllib3(monkeypatch: pytest.MonkeyPatch):
    """Whose responses have an attribute more is left to its constructor."""

    class Later(urllib3.HTTPResponse):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._novelty = True

    assert urllib3_response._is_known()
    monkeypatch.setattr(urllib3_response, "HTTPResponse", Later)
    assert not urllib3_response._is_known()


def test_headers_that_change(session: Session, server: Server):
    """No request gets those of the request before."""

    def get(number: int) -> None:
        headers = {"X-Number": str(number % 3), "Authorization": f"Bearer {number % 3}"}
        seen = dict(session.get(server.url("/report"), headers=headers).json()["headers"])
        assert (seen["x-number"], seen["authorization"]) == (str(number % 3), f"Bearer {number % 3}")

    for number in range(6):
        get(number)
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(get, range(200)))


def test_values_that_are_equal_and_not_the_same(session: Session, h2: Server):
    """1 == True, and True is no value for a header."""

    def auth(value: object) -> Any:
        def change(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["X-Value"] = value  # type: ignore[assignment]
            return request

        return change

    for value, sent in ((1, "1"), (True, "True"), (1, "1"), ("1", "1"), (b"1", "1")):
        seen = dict(session.get(h2.url("/report"), auth=auth(value)).json()["headers"])
        assert seen["x-value"] == sent


def test_statuses_to_be_tried_again(make_session: MakeSession, serve: Serve, way: str):
    """urllib3 hears of the first one, as if it had asked itself; the last one is the answer."""
    asked = []

    def route(request: Request) -> Response:
        asked.append(request.target)
        return Response(503, headers=[("retry-after", "0")], body=b"later")

    server = serve(routes=route)
    adapter = HTTP20Adapter(max_retries=Retry(2, raise_on_status=False, status_forcelist=[503]))
    session = make_session(adapter)
    response = session.get(server.url("/"))
    assert (response.status_code, response.content) == (503, b"later")
    assert len(response.raw.retries.history) == 2
    assert len(asked) == 3
    state = adapter.pool.stats()
    assert (state["requests"], [one["leased"] for one in state["origins"].values()]) == (3, [0])


def test_an_answer_at_last(make_session: MakeSession, serve: Serve, way: str):
    statuses = iter([503, 503, 200])
    server = serve(routes=lambda _: Response(next(statuses), body=b"hello"))
    session = make_session(HTTP20Adapter(max_retries=Retry(2, status_forcelist=[503])))
    response = session.get(server.url("/"))
    assert (response.status_code, response.content) == (200, b"hello")
    assert len(response.raw.retries.history) == 2
    assert response.raw.url is None  # for urllib3 that is where the last try was redirected to


def test_a_dropped_response_is_gone_at_once(session: Session, h2: Server):
    """No cycle keeps it, and its stream, until the collector comes by."""
    adapter = session.get_adapter("https://")
    assert isinstance(adapter, HTTP20Adapter)
    kinds = (pools.LeasedConnection, urllib3_response.HTTP20Raw)
    gc.collect()
    # What other tests have left in threads that are still ending is no garbage of this one.
    others = [one for one in gc.get_objects() if isinstance(one, kinds)]
    gc.disable()
    try:
        session.get(h2.url("/sized?n=10000000"), stream=True)
        session.get(h2.url("/"))
        assert [one["leased"] for one in adapter.pool.stats()["origins"].values()] == [0]
        session.get(h2.url("/"))
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert not [one for one in gc.garbage if isinstance(one, kinds) and one not in others]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("verify", [0, None, ""])
def test_what_means_false_does_not_leak_either(session: Session, h2: Server, verify: Any):
    """Such a request may not share urllib3's pool with those that are verified."""
    adapter = session.get_adapter("https://")
    prepared = session.prepare_request(requests.Request("GET", h2.url("/")))
    unverified = adapter.get_connection_with_tls_context(prepared, verify)
    assert unverified is not adapter.get_connection_with_tls_context(prepared, True)
    assert unverified is adapter.get_connection_with_tls_context(prepared, False)
