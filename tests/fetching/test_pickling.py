"""What a program hands to another process, or copies: responses, outcomes, requests and errors."""

import contextlib
import copy
import copyreg
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

import hyperlite
from hyperlite import ConnectionPool, FetchRequest, FetchResponse, errors
from hyperlite.errors import HTTP2Error
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import MakePool, Serve


@streaming
def with_trailers(exchange: Exchange) -> None:
    exchange.inform(103, [("link", "</style.css>")])
    exchange.start(200, [("content-type", "text/plain"), ("x-two", "1"), ("x-two", "2")])
    exchange.send(b"hello")
    exchange.end([("x-sum", "5")])


ROUTES = {
    "/": with_trailers,
    "/moved": lambda _: Response(302, headers=[("location", "/")], body=b"there"),
    "/far": lambda _: Response(302, headers=[("location", "/")], body=bytes(100_000)),
    "/gzip": lambda _: Response(headers=[("content-encoding", "gzip")], body=b"nope"),
    "/nowhere": lambda _: Response(302, headers=[("location", "ftp://x/")]),
    "/empty": lambda _: Response(204),
    "/gone": lambda _: Response(410),
    "/missing": lambda _: Response(404, body=b"no such thing"),
}


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(routes=ROUTES, alpn=(request.param,))


@pytest.fixture(params=["pickle", "deepcopy", "copy"])
def other(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    ways = {
        "pickle": lambda one: pickle.loads(pickle.dumps(one)),
        "deepcopy": copy.deepcopy,
        "copy": copy.copy,
    }
    return ways[request.param]


def test_a_response(pool: ConnectionPool, server: Server, other: Callable[[Any], Any]):
    response = pool.fetch(server.url("/moved#part"), "POST", json={"a": 1}, headers={"x-a": "b"})
    again = other(response)
    assert isinstance(again, FetchResponse)
    assert (again.status, again.reason, again.url) == (200, "OK", server.url("/#part"))
    assert again.body == b"hello"
    assert again.text == "hello"
    assert list(again) == [b"hello"]
    assert again.headers.items() == response.headers.items()
    assert again.headers.get_all("x-two") == ["1", "2"]
    assert again.http_version == response.http_version
    assert again.elapsed == response.elapsed
    assert again.request == response.request
    assert [(one.status, one.body) for one in again.history] == [(302, b"there")]
    assert again.history[0].request.body == b'{"a":1}'
    assert repr(again) == repr(response)
    raw = again.raw
    assert raw.getheaders() == response.raw.getheaders()
    assert (raw.status, raw.reason, raw.version) == (200, "OK", response.raw.version)
    assert raw.trailers.items() == response.raw.trailers.items()
    assert [(status, fields.items()) for status, fields in raw.informational] == [
        (status, fields.items()) for status, fields in response.raw.informational
    ]
    assert raw.read() == b""
    assert raw.isclosed()
    again.close()
    assert again.body == b"hello"
    assert other(again).body == b"hello"


def test_no_connection_is_kept(pool: ConnectionPool, server: Server):
    response = pool.fetch(server.url("/"))
    pickled = pickle.dumps(response)
    assert b"s3cret" not in pickle.dumps(pool.fetch(server.url("/").replace("//", "//me:s3cret@")).url)
    pool.close()
    server.close()
    assert pickle.loads(pickled).body == b"hello"


def test_a_body_that_another_one_followed(pool: ConnectionPool, server: Server, other: Callable[[Any], Any]):
    (redirect,) = other(pool.fetch(server.url("/far"))).history
    with pytest.raises(hyperlite.BodyTooLarge):
        _ = redirect.body


def test_an_empty_body(pool: ConnectionPool, server: Server, other: Callable[[Any], Any]):
    assert other(pool.fetch(server.url("/empty"))).body == b""


def test_a_response_that_is_being_streamed(pool: ConnectionPool, server: Server, other: Callable[[Any], Any]):
    with pool.fetch(server.url("/"), stream=True) as response:
        with pytest.raises(TypeError, match="is being streamed: read its `body` before it is copied"):
            other(response)
        assert response.body == b"hello"
        assert other(response).body == b"hello"
    with pool.fetch(server.url("/"), stream=True) as response:
        assert b"".join(response) == b"hello"
        with pytest.raises(ValueError, match="was read already"):
            _ = other(response).body


def test_a_streamed_response_with_an_empty_body(
    pool: ConnectionPool, server: Server, other: Callable[[Any], Any]
):
    with pool.fetch(server.url("/gone"), stream=True) as response:
        assert other(response).body == b""
    assert other(response).body == b""
    with pool.fetch(server.url("/gone"), stream=True) as response:
        pass
    assert other(response).status == 410


@pytest.mark.parametrize("taken", [b"", b"no such"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_of_a_streamed_response(
    pool: ConnectionPool, server: Server, copied: Callable[[Any], Any], taken: bytes
):
    with pool.fetch(server.url("/missing"), stream=True) as response:
        assert response.read(len(taken)) == taken
        with pytest.raises(hyperlite.HTTPStatusError) as status:
            response.raise_for_status()
        again = copied(status.value)
        assert str(again) == f"GET {server.url('/missing')} : 404 Not Found"
        assert again.response.status == 404
        with pytest.raises(ValueError, match="was not read before it was copied"):
            _ = again.response.body
        assert taken + response.read() == b"no such thing"  # the original goes on


def test_outcomes(pool: ConnectionPool, server: Server, other: Callable[[Any], Any]):
    requests = [FetchRequest(server.url("/"), tag=("a", 1)), FetchRequest(server.url("/gzip"))]
    good, bad = (other(outcome) for outcome in pool.fetch_many(requests, ordered=True))
    assert good.ok
    assert good.request == requests[0]
    assert good.request.tag == ("a", 1)
    assert good.result().body == b"hello"
    assert good.error is None
    assert not bad.ok
    assert bad.index == 1
    assert bad.response is None
    assert isinstance(bad.error, hyperlite.DecodingError)
    assert bad.error.url == server.url("/gzip")
    with pytest.raises(hyperlite.FetchError):
        bad.result()


def test_errors_with_a_response(pool: ConnectionPool, server: Server, other: Callable[[Any], Any]):
    with pytest.raises(hyperlite.HTTPStatusError) as status:
        pool.fetch(server.url("/missing")).raise_for_status()
    again = other(status.value)
    assert isinstance(again, hyperlite.HTTPStatusError)
    assert str(again) == f"GET {server.url('/missing')} : 404 Not Found"
    assert again.response.body == b"no such thing"
    with pytest.raises(hyperlite.RedirectError) as redirect:
        pool.fetch(server.url("/nowhere"))
    again = other(redirect.value)
    assert str(again) == str(redirect.value)
    assert (again.response.status, again.response.body) == (302, b"")


ERRORS = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, HTTP2Error)
]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_each_error_of_our_own(
    kind: type[HTTP2Error], other: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
):
    # Dask, which other tests import, has tblib pickle all errors in its own way.
    monkeypatch.delitem(copyreg.dispatch_table, kind, raising=False)
    error = kind("text", error_code=8, stream_id=3, retry_safe=True)
    error.__dict__["extra"] = [1]
    again = other(error)
    assert type(again) is kind
    assert str(again) == "text"
    assert again.args == error.args
    assert vars(again) == vars(error)
    assert getattr(again, "errno", None) == getattr(error, "errno", None)


def work(url: str, ca_file: str) -> FetchResponse:
    with ConnectionPool(verify=ca_file, proxies=False, timeout=10) as pool:
        return pool.fetch(url).raise_for_status()


@contextlib.contextmanager
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        yield executor


def test_from_another_process(serve: Serve):
    server = serve(routes=ROUTES)
    with processes() as executor:
        assert executor.submit(work, server.url("/"), server.ca_file).result().body == b"hello"
        with pytest.raises(hyperlite.HTTPStatusError, match="404 Not Found") as caught:
            executor.submit(work, server.url("/missing"), server.ca_file).result()
    assert caught.value.response.body == b"no such thing"


def test_a_request(other: Callable[[Any], Any]):
    request = FetchRequest("https://a/", "POST", headers={"a": "b"}, json=[1], timeout=3, tag="t")
    assert other(request) == request
    assert other(request).tag == "t"


def test_a_pool_is_not_copied(make_pool: MakePool):
    with pytest.raises(TypeError):
        pickle.dumps(make_pool())
