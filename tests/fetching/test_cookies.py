"""Cookies: off unless a jar is given; kept across redirects, and sent to the site that has set them alone."""

import pathlib
import threading
import time
from collections.abc import Callable
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy, LWPCookieJar

import pytest

from hyperlite import ConnectionPool, FetchRequest, FetchResponse
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import ROUTES, MakePool, Serve


def login(_: Request) -> Response:
    return Response(302, headers=[("set-cookie", "session=s1; Path=/"), ("location", "/report")])


def evil(_: Request) -> Response:
    values = [
        "a=\x01b; Path=/",
        "good=1; Path=/",
        "other=2; Path=/; Domain=example.com",
        "far=3; Path=/elsewhere",
    ]
    return Response(headers=[("set-cookie", value) for value in values])


ROUTES = ROUTES | {
    "/login": login,
    "/evil": evil,
    "/secure": lambda _: Response(headers=[("set-cookie", "safe=1; Path=/; Secure")]),
    "/logout": lambda _: Response(headers=[("set-cookie", "session=; Path=/; Max-Age=0")]),
}


def by_fetch(pool: ConnectionPool, url: str) -> FetchResponse:
    return pool.fetch(url)


def by_fetch_many(pool: ConnectionPool, url: str) -> FetchResponse:
    (outcome,) = pool.fetch_many([url])
    return outcome.result()


Way = Callable[[ConnectionPool, str], FetchResponse]
by_both = pytest.mark.parametrize("way", [by_fetch, by_fetch_many])


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(routes=ROUTES, alpn=(request.param,))


def cookies(response: FetchResponse) -> list[str]:
    return [value for name, value in response.json()["headers"] if name == "cookie"]


@by_both
def test_off_by_default(pool: ConnectionPool, server: Server, way: Way):
    assert cookies(way(pool, server.url("/login"))) == []
    assert cookies(way(pool, server.url("/report"))) == []


@by_both
def test_kept_across_a_redirect_and_after_it(make_pool: MakePool, server: Server, way: Way):
    jar = CookieJar()
    pool = make_pool(cookies=jar)
    assert cookies(way(pool, server.url("/login"))) == ["session=s1"]
    assert cookies(way(pool, server.url("/report"))) == ["session=s1"]
    assert [(cookie.name, cookie.value) for cookie in jar] == [("session", "s1")]
    way(pool, server.url("/logout"))
    assert cookies(way(pool, server.url("/report"))) == []


def test_of_pool_request_too(make_pool: MakePool, server: Server):
    pool = make_pool(cookies=CookieJar())
    pool.request("GET", server.url("/login")).close()
    with pool.request("GET", server.url("/report")) as response:
        assert cookies(response) == ["session=s1"]


@by_both
def test_another_site_gets_none(make_pool: MakePool, serve: Serve, way: Way):
    other = serve(routes=ROUTES)
    away = [("set-cookie", "session=s1; Path=/"), ("location", other.url("/report"))]
    server = serve(routes=ROUTES | {"/away": lambda _: Response(302, headers=away)})
    there = server.url("/away").replace("localhost", "127.0.0.1")  # names differ; to cookies ports do not
    pool = make_pool(cookies=CookieJar())
    assert cookies(way(pool, there)) == []
    assert cookies(way(pool, other.url("/report"))) == []
    assert cookies(way(pool, server.url("/report").replace("localhost", "127.0.0.1"))) == ["session=s1"]


@by_both
def test_what_a_server_may_not_set(make_pool: MakePool, server: Server, way: Way):
    pool = make_pool(cookies=CookieJar())
    way(pool, server.url("/evil"))
    assert cookies(way(pool, server.url("/report"))) == ["good=1"]


def test_a_secure_cookie_goes_over_tls_alone(make_pool: MakePool, serve: Serve):
    secure, plain = serve(routes=ROUTES), serve(routes=ROUTES, secure=False)
    pool = make_pool(cookies=CookieJar())
    pool.fetch(secure.url("/secure"))
    assert cookies(pool.fetch(secure.url("/report"))) == ["safe=1"]
    assert cookies(pool.fetch(plain.url("/report"))) == []


def test_a_requests_own_cookie_goes_before(make_pool: MakePool, server: Server):
    pool = make_pool(cookies=CookieJar())
    pool.fetch(server.url("/login"))
    own = {"cookie": "own=1"}
    assert cookies(pool.fetch(server.url("/report"), headers=own)) == ["own=1"]
    assert cookies(pool.fetch(server.url("/report"))) == ["session=s1"]
    (outcome,) = pool.fetch_many([FetchRequest(server.url("/report"), headers=own)])
    assert cookies(outcome.result()) == ["own=1"]


def test_a_jar_with_a_policy_and_cookies_of_its_own(make_pool: MakePool, server: Server):
    jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    pool = make_pool(cookies=jar)
    assert cookies(pool.fetch(server.url("/login"))) == []
    jar.set_policy(DefaultCookiePolicy())
    rest: dict[str, str] = {}
    domain, soon = "localhost.local", int(time.time()) + 100
    jar.set_cookie(
        Cookie(
            0, "mine", "1", None, False, domain, True, False, "/", True, False, soon, False, None, None, rest
        )
    )
    assert cookies(pool.fetch(server.url("/report"))) == ["mine=1"]


def test_requests_of_one_run_see_what_was_set_before(make_pool: MakePool, server: Server):
    pool = make_pool(cookies=CookieJar())
    urls = [server.url("/login"), *[server.url(f"/report?{n}") for n in range(5)]]
    outcomes = list(pool.fetch_many(urls, ordered=True, concurrency=1))
    assert [cookies(outcome.result()) for outcome in outcomes] == [["session=s1"]] * 6


# -- hostile servers ------------------------------------------------------------------------------


def hostile(request: Request) -> Response:
    kind, _, page = request.target.removeprefix("/hostile/").partition("?")
    values = {
        "many": [f"c{page}x{n}=1; Path=/{page}" for n in range(60)],
        "large": [f"l{n}={'x' * 400}; Path=/" for n in range(40)],
        "long": [
            f"value={'x' * 5000}; Path=/",
            f"attribute=1; Path=/; x={'y' * 1100}",
            f"year=1; Path=/; Expires=Fri, 01-Jan-{'9' * 4400} 00:00:00 GMT",
            f"age=1; Path=/; Max-Age={'9' * 400}",
            "aeon=1; Path=/; MAX-AGE = 999_999_999_999",
            f"good=1; Path=/; Expires=Fri, 01-Jan-{'9' * 900} 00:00:00 GMT; Max-Age=99999999999",
        ],
        "old": ["new=1; Path=/"],
    }
    old = [("set-cookie2", 'old="1"; Version="1"; Path="/"')] if kind == "old" else []
    return Response(headers=[*old, *[("set-cookie", value) for value in values[kind]]])


@pytest.fixture
def hostile_server(serve: Serve) -> Server:
    return serve(
        routes=lambda request: (hostile if "hostile" in request.target else ROUTES["/report"])(request)
    )


@by_both
def test_a_server_cannot_fill_the_jar(make_pool: MakePool, hostile_server: Server, way: Way):
    jar = CookieJar()
    pool = make_pool(cookies=jar)
    elsewhere = hostile_server.url("/hostile/old").replace("localhost", "127.0.0.1")
    way(pool, elsewhere)
    way(pool, hostile_server.url("/hostile/many?0"))
    assert len(jar) == 1 + 50, "so many of one response"
    for page in range(1, 6):
        way(pool, hostile_server.url(f"/hostile/many?{page}"))
    assert len(jar) == 1 + 150, "so many of one host, and those of others stay"
    assert {cookie.name for cookie in jar if cookie.path == "/5"} == {f"c5x{n}" for n in range(50)}
    assert {cookie.name for cookie in jar if "127" in cookie.domain} == {"new"}


@by_both
def test_a_server_cannot_make_requests_large(make_pool: MakePool, hostile_server: Server, way: Way):
    pool = make_pool(cookies=CookieJar())
    way(pool, hostile_server.url("/hostile/large"))
    (sent,) = cookies(way(pool, hostile_server.url("/report")))
    each = 406
    assert [len(one) for one in sent.split("; ")][:10] == [each - 3] * 10
    assert 8190 - each < len(sent) <= 8190
    assert {len(one.partition("=")[2]) for one in sent.split("; ")} == {400}, "each is whole"


@by_both
def test_long_cookies_and_odd_dates(
    make_pool: MakePool, hostile_server: Server, way: Way, tmp_path: pathlib.Path
):
    jar = LWPCookieJar(str(tmp_path / "jar"))
    way(make_pool(cookies=jar), hostile_server.url("/hostile/long"))
    assert [cookie.name for cookie in jar] == ["good"]
    jar.save()


@by_both
def test_set_cookie2_is_out_of_use(make_pool: MakePool, hostile_server: Server, way: Way):
    jar = CookieJar(DefaultCookiePolicy(rfc2965=True))
    way(make_pool(cookies=jar), hostile_server.url("/hostile/old"))
    assert [cookie.name for cookie in jar] == ["new"]


def test_many_threads_share_a_jar(make_pool: MakePool, serve: Serve):
    def counted(request: Request) -> Response:
        name = request.target.rpartition("?")[2]
        return Response(headers=[("set-cookie", f"c{name}=1; Path=/")])

    server = serve(routes=ROUTES | {"/counted": counted})
    jar = CookieJar()
    pool = make_pool(cookies=jar)
    threads = [
        threading.Thread(
            target=lambda n=n: [
                outcome.result()
                for outcome in pool.fetch_many(server.url(f"/counted?{n}x{m}") for m in range(10))
            ]
        )
        for n in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jar) == 100
    (sent,) = cookies(pool.fetch(server.url("/report")))
    assert len(sent.split("; ")) == 100
