"""What a pool adds to its requests: base_url, params, headers, auth; and to which of them."""

import base64
import http.client
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hyperlite import ConnectionPool, FetchRequest, FetchResponse
from hyperlite.fetching.defaults import Defaults
from hyperlite.fetching.options import Options
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import ROUTES, MakePool, Serve

AUTH = ("me", "s3cret:é")
BASIC = "Basic " + base64.b64encode("me:s3cret:é".encode()).decode()


@pytest.fixture
def servers(serve: Serve) -> tuple[Server, Server]:
    """Two servers of two origins, of which each tells what it was asked, and redirects to the other one."""
    found: list[Server] = []

    def route(request: Request) -> Response:
        path = request.target.partition("?")[0]
        if path.endswith("/away"):
            return Response(302, headers=[("location", found[1].url("/v1/report"))])
        if path.endswith("/away-and-back"):
            return Response(307, headers=[("location", found[1].url("/v1/back"))])
        if path.endswith("/back"):
            return Response(307, headers=[("location", found[0].url("/v1/report"))])
        if path.endswith("/near"):
            return Response(302, headers=[("location", "report?near")])
        return ROUTES["/report"](request)

    found += [serve(routes=route), serve(routes=route)]
    return found[0], found[1]


def by_fetch(pool: ConnectionPool, url: str, **more: Any) -> FetchResponse:
    return pool.fetch(url, **more)


def by_fetch_many(pool: ConnectionPool, url: str, **more: Any) -> FetchResponse:
    (outcome,) = pool.fetch_many([FetchRequest(url, **more)] if more else [url])
    return outcome.result()


def by_request(pool: ConnectionPool, url: str, **more: Any) -> FetchResponse:
    return pool.request("GET", url, **more)


by_each = pytest.mark.parametrize("way", [by_fetch, by_fetch_many, by_request])
by_both = pytest.mark.parametrize("way", [by_fetch, by_fetch_many])
Way = Callable[..., FetchResponse]


def target(response: FetchResponse) -> str:
    said: str = response.json()["target"]
    return said


def sent(response: FetchResponse, name: str) -> list[str]:
    return [value for given, value in response.json()["headers"] if given == name]


# -- base_url and params --------------------------------------------------------------------------


@by_each
@pytest.mark.parametrize(
    ("base", "url", "expected"),
    [
        ("", "/a", "/a"),
        ("/", "a", "/a"),
        ("/v1", "a/b?c=d#e", "/v1/a/b?c=d"),
        ("/v1", "/a", "/v1/a"),
        ("/v1/", "/a", "/v1/a"),
        ("/v1/", "a", "/v1/a"),
        ("/v1/", "", "/v1/"),
        ("/v1", "", "/v1"),
        ("/v1", "?a=b", "/v1?a=b"),
        ("/v1", "é", "/v1/%C3%A9"),
    ],
)
def test_a_url_below_base_url(
    make_pool: MakePool, servers: tuple[Server, Server], way: Way, base: str, url: str, expected: str
):
    pool = make_pool(base_url=servers[0].url(base))
    assert target(way(pool, url)) == expected


@by_each
def test_an_absolute_url_is_taken_as_it_is(make_pool: MakePool, servers: tuple[Server, Server], way: Way):
    pool = make_pool(base_url=servers[0].url("/v1"))
    assert way(pool, servers[1].url("/x")).url == servers[1].url("/x")
    assert way(pool, servers[0].url("/x")).url == servers[0].url("/x")


def test_a_url_with_a_host_and_no_scheme(make_pool: MakePool):
    pool = make_pool(base_url="https://example.org/v1")
    for url in ("//evil.example/x", "/\\evil.example/x", "\\\\evil.example"):
        with pytest.raises(http.client.InvalidURL, match="with base_url= a URL has both, or is a path"):
            pool.fetch(url)
    with pytest.raises(http.client.InvalidURL, match="begins with https:// or http://"):
        pool.fetch("mailto:me")
    with pytest.raises(http.client.InvalidURL) as caught:
        pool.fetch("//me:s3cret@evil.example/x")
    assert "s3cret" not in str(caught.value)


@by_each
def test_params(make_pool: MakePool, servers: tuple[Server, Server], way: Way):
    pool = make_pool(base_url=servers[0].url("/v1"), params={"key": "k", "page": 1, "none": None})
    assert target(way(pool, "x")) == "/v1/x?key=k&page=1"
    assert target(way(pool, "x?a=b")) == "/v1/x?a=b&key=k&page=1"
    assert target(way(pool, servers[0].url("/y"))) == "/y?key=k&page=1"
    assert target(way(pool, servers[1].url("/y"))) == "/y"
    assert target(way(pool, "x", params={"page": 2})) == "/v1/x?key=k&page=2"
    assert target(way(pool, "x", params=[("page", 2)])) == "/v1/x?key=k&page=2"
    assert target(way(pool, "x", params="page=3")) == "/v1/x?key=k&page=1&page=3"
    assert target(way(pool, "x?page=4&key=#part")) == "/v1/x?page=4&key="
    assert target(way(pool, "x?%70age=5")) == "/v1/x?%70age=5&key=k"


@by_both
def test_the_link_to_the_next_page_has_the_params_already(make_pool: MakePool, serve: Serve, way: Way):
    def page(request: Request) -> Response:
        return Response(headers=[("link", f"<{request.target}>; rel=next")])

    pool = make_pool(base_url=serve(routes=page).url(""), params={b"key": "k", "page": 1})
    first = way(pool, "/")
    assert first.url.endswith("/?key=k&page=1")
    assert way(pool, first.links["next"]["url"]).url == first.url


@by_both
def test_params_without_a_base_url(make_pool: MakePool, servers: tuple[Server, Server], way: Way):
    pool = make_pool(params="key=k")
    assert target(way(pool, servers[0].url("/x"))) == "/x?key=k"
    assert target(way(pool, servers[1].url("/x"))) == "/x?key=k"


# -- auth -----------------------------------------------------------------------------------------


@by_each
def test_basic(make_pool: MakePool, servers: tuple[Server, Server], way: Way):
    pool = make_pool(base_url=servers[0].url("/v1"), auth=AUTH)
    assert sent(way(pool, "x"), "authorization") == [BASIC]
    assert sent(way(pool, servers[0].url("/x")), "authorization") == [BASIC]
    assert sent(way(pool, servers[1].url("/x")), "authorization") == []
    own = {"Authorization": "Bearer own"}
    assert sent(way(pool, "x", headers=own), "authorization") == ["Bearer own"]
    theirs = servers[0].url("/x").replace("//", "//you:p@")
    assert sent(way(pool, theirs), "authorization") == ["Basic " + base64.b64encode(b"you:p").decode()]


@by_both
def test_a_redirect_takes_it_to_no_other_origin(
    make_pool: MakePool, servers: tuple[Server, Server], way: Way
):
    def bearer(_: FetchRequest) -> dict[str, str]:
        return {"Authorization": "Bearer t", "X-Key": "k"}

    for auth in (AUTH, bearer):
        pool = make_pool(base_url=servers[0].url("/v1"), auth=auth)
        assert sent(way(pool, "near"), "authorization") == [BASIC if auth is AUTH else "Bearer t"]
        for url in ("away", "away-and-back", servers[1].url("/v1/back")):
            response = way(pool, url)
            assert response.history
            assert sent(response, "authorization") == []
            assert sent(response, "x-key") == []


@by_each
def test_a_function(make_pool: MakePool, servers: tuple[Server, Server], way: Way):
    asked: list[FetchRequest] = []

    def sign(request: FetchRequest) -> list[tuple[str, str]]:
        asked.append(request)
        request.headers = None  # it has a request of its own
        return [("Authorization", f"Signed {len(asked)}"), ("X-Url", request.url)]

    pool = make_pool(base_url=servers[0].url("/v1"), auth=sign, headers={"Authorization": "default"})
    for number in (1, 2):
        response = way(pool, "x")
        assert sent(response, "authorization") == [f"Signed {number}"]
        assert sent(response, "x-url") == [servers[0].url("/v1/x")]
    assert [(one.method, one.url, one.body) for one in asked] == [("GET", servers[0].url("/v1/x"), None)] * 2
    assert sent(way(pool, servers[1].url("/x")), "x-url") == []
    assert sent(way(pool, "x", headers={"authorization": "own"}), "authorization") == ["own"]
    assert len(asked) == 2
    names = [name.lower() for name, _ in response.request.headers]  # type: ignore[union-attr]
    assert names.count("authorization") == 1


@by_both
def test_a_function_is_asked_for_each_hop_and_each_try(make_pool: MakePool, serve: Serve, way: Way):
    answers = [
        Response(503, headers=[("retry-after", "0")]),
        Response(302, headers=[("location", "/there")]),
    ]
    server = serve(routes=lambda request: answers.pop(0) if answers else ROUTES["/report"](request))
    asked: list[str] = []

    def sign(request: FetchRequest) -> dict[str, str]:
        asked.append(request.url)
        return {"X-Count": str(len(asked))}

    response = way(make_pool(base_url=server.url(""), auth=sign), "/here")
    assert sent(response, "x-count") == ["3"]
    assert asked == [server.url("/here"), server.url("/here"), server.url("/there")]


class TokenError(Exception):
    """There is no token."""


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ({"Authorization": "Negotiate YII="}, ValueError),
        ({"Authorization": "Bearer s3cret\n"}, ValueError),
        ("Bearer", TypeError),
        (TokenError("none"), TokenError),
    ],
)
def test_a_function_that_fails(
    make_pool: MakePool, servers: tuple[Server, Server], returned: Any, expected: type[Exception]
):
    def sign(_: FetchRequest) -> Any:
        if isinstance(returned, Exception):
            raise returned
        return returned

    pool = make_pool(base_url=servers[0].url("/v1"), auth=sign)
    with pytest.raises(expected) as caught:
        pool.fetch("x")
    assert "s3cret" not in str(caught.value)
    good = servers[1].url("/x")
    outcomes = list(pool.fetch_many(["x", good], ordered=True))
    assert type(outcomes[0].error) is expected
    assert outcomes[1].ok
    assert pool.stats()["requests"] == 1


@by_both
def test_the_error_of_a_function_is_the_outcome(
    make_pool: MakePool, servers: tuple[Server, Server], way: Way
):
    """Whatever its class: it is no failure of the connection, so nothing is tried again or renamed."""
    asked: list[str] = []

    def sign(request: FetchRequest) -> Any:
        asked.append(request.url)
        try:
            raise KeyError("token")
        except KeyError:
            raise mine  # noqa: B904  the context is the function's

    for mine in (ConnectionResetError("token"), FileNotFoundError(2, "No token"), TimeoutError("token")):
        asked.clear()
        with pytest.raises(type(mine)) as caught:
            way(make_pool(base_url=servers[0].url("/v1"), auth=sign), "x")
        assert caught.value is mine
        assert isinstance(mine.__context__, KeyError)
        assert not mine.__suppress_context__
        assert asked == [servers[0].url("/v1/x")]
    assert servers[0].log == []


def test_credentials_in_base_url(make_pool: MakePool, servers: tuple[Server, Server]):
    pool = make_pool(base_url=servers[0].url("/v1").replace("//", "//me:p@"))
    expected = ["Basic " + base64.b64encode(b"me:p").decode()]
    assert sent(pool.fetch("x"), "authorization") == expected
    assert sent(pool.fetch(servers[0].url("/x")), "authorization") == expected
    assert sent(pool.fetch(servers[1].url("/x")), "authorization") == []
    assert pool.fetch("x").url == servers[0].url("/v1/x")


def test_no_text_of_a_request_or_of_options_shows_credentials():
    """Error reporters record the variables of each function in a traceback."""
    secret = "s3cret"
    asked = FetchRequest(f"https://me:{secret}@example.org/x", headers={"authorization": secret})
    assert repr(asked) == "<FetchRequest GET https://…@example.org/x>"
    assert repr(FetchRequest(None)) == "<FetchRequest GET None>"  # type: ignore[arg-type]
    common: dict[str, Any] = dict.fromkeys(Options._fields)
    options = Options(
        **common
        | {"headers": [("authorization", secret)], "defaults": Defaults(authorization=secret), "timeout": 3}
    )
    assert secret not in repr(options)
    assert "timeout=3" in repr(options)
    assert secret not in repr(options.defaults)


def test_by_many_threads(make_pool: MakePool, servers: tuple[Server, Server]):
    pool = make_pool(
        base_url=servers[0].url("/v1"), auth=lambda request: {"X-Url": request.url}, params="k=v"
    )
    wrong: list[object] = []

    def work(number: int) -> None:
        for path in (f"x{number}", servers[1].url(f"/y{number}")):
            response = pool.fetch(path)
            if sent(response, "x-url") != ([response.url] if path[0] == "x" else []):
                wrong.append(response.json())

    threads = [threading.Thread(target=work, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    urls = [f"x{number}" for number in range(50)] + [servers[1].url(f"/y{number}") for number in range(50)]
    for outcome in pool.fetch_many(urls):
        own = [outcome.result().url] if outcome.request[0] == "x" else []
        if sent(outcome.result(), "x-url") != own:
            wrong.append(outcome)
    assert wrong == []


@pytest.mark.parametrize(
    ("arguments", "expected", "text"),
    [
        ({"auth": AUTH}, ValueError, "auth= is for one origin alone: give its base_url="),
        (
            {"base_url": "https://a/", "auth": "me"},
            TypeError,
            "auth is (name, password), or a function, not str",
        ),
        ({"base_url": "https://a/", "auth": ("me",)}, TypeError, "auth is (name, password), two str"),
        ({"base_url": "https://a/", "auth": ("me", None)}, TypeError, "auth is (name, password), two str"),
        ({"base_url": "https://a/", "auth": ("m:e", "p")}, ValueError, "the name in auth= has a colon"),
        ({"base_url": "https://me@a/", "auth": AUTH}, ValueError, "base_url has a user name already"),
        ({"base_url": "example.org"}, http.client.InvalidURL, "a URL begins with https:// or http://"),
        ({"base_url": 5}, TypeError, "base_url is a str, not int"),
        ({"base_url": "https://a/?b=c"}, ValueError, "base_url has a query or a fragment: use params="),
        ({"params": 5}, TypeError, "params is a mapping, (name, value) pairs or a str, not int"),
        ({"cookies": {"a": "b"}}, TypeError, "cookies is an http.cookiejar.CookieJar, not dict"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], expected: type[Exception], text: str):
    with pytest.raises(expected) as caught:
        ConnectionPool(**arguments)
    assert text in str(caught.value)
    assert "s3cret" not in str(caught.value)
