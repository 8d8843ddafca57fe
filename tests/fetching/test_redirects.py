"""Redirects and credentials: what the next hop is asked, and what it is told."""

import json
from typing import Any

import pytest

from hyperlite import ConnectionPool, RedirectError, TooManyRedirects
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import ROUTES, MakePool, Serve

SECRETS = {"Authorization": "Bearer x", "Cookie": "a=b", "Proxy-Authorization": "Basic y", "X-Other": "z"}


def to(request: Request) -> Response:
    """Redirect as the query says."""
    status, location = int(request.query["status"][0]), request.query["to"][0]
    return Response(status, headers=[("location", location)], body=b"moved")


@pytest.fixture(params=["h2", "http/1.1"])
def here(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(routes=ROUTES | {"/to": to}, alpn=(request.param,))


@pytest.fixture
def there(serve: Serve) -> Server:
    return serve(routes=ROUTES | {"/to": to})


def fetch(pool: ConnectionPool, server: Server, status: int, location: str, **arguments: Any):
    arguments.setdefault("headers", SECRETS)
    return pool.fetch(server.url("/to"), params={"status": status, "to": location}, **arguments)


@pytest.mark.parametrize(
    ("method", "status", "becomes", "keeps_body"),
    [
        ("GET", 301, "GET", True),
        ("GET", 302, "GET", True),
        ("GET", 303, "GET", True),
        ("GET", 307, "GET", True),
        ("GET", 308, "GET", True),
        ("POST", 301, "GET", False),
        ("POST", 302, "GET", False),
        ("POST", 303, "GET", False),
        ("POST", 307, "POST", True),
        ("POST", 308, "POST", True),
        ("PUT", 301, "PUT", True),
        ("PUT", 302, "PUT", True),
        ("PUT", 303, "GET", False),
        ("PUT", 307, "PUT", True),
        ("DELETE", 302, "DELETE", True),
        ("DELETE", 303, "GET", False),
        ("PATCH", 301, "PATCH", True),
        ("PATCH", 303, "GET", False),
    ],
)
def test_method_and_body(
    pool: ConnectionPool, here: Server, method: str, status: int, becomes: str, keeps_body: bool
):
    headers = {"Content-Type": "text/x", "Content-Language": "en", "X-Other": "z"}
    response = fetch(pool, here, status, "/report", method=method, body=b"data", headers=headers)
    seen = response.json()
    assert (seen["method"], seen["body"]) == (becomes, "data" if keeps_body else "")
    names = {name for name, _ in seen["headers"]}
    assert names >= {"x-other"}
    assert ("content-type" in names, "content-language" in names) == (keeps_body, keeps_body)
    assert [earlier.status for earlier in response.history] == [status]
    assert response.history[0].body == b"moved"


def test_head_stays_head(pool: ConnectionPool, here: Server):
    response = fetch(pool, here, 303, "/report", method="HEAD")
    assert (response.status, response.body) == (200, b"")
    assert [method for _, _, method, _ in here.log] == ["HEAD", "HEAD"]


@pytest.mark.parametrize("status", [300, 304, 305, 306, 201])
def test_other_statuses_are_answers(pool: ConnectionPool, here: Server, status: int):
    assert fetch(pool, here, status, "/report").status == status


def test_without_a_location_it_is_an_answer(pool: ConnectionPool, here: Server):
    assert fetch(pool, here, 302, "").status == 302


def test_not_followed_with_redirects_0(pool: ConnectionPool, here: Server):
    response = fetch(pool, here, 302, "/report", redirects=0)
    assert (response.status, response.body, response.history) == (302, b"moved", [])


def _kept(response: Any) -> set[str]:
    return {name for name, _ in response.json()["headers"]} & {name.lower() for name in SECRETS}


ALL = {"authorization", "cookie", "proxy-authorization", "x-other"}


def test_credentials_stay_within_the_origin(pool: ConnectionPool, here: Server):
    assert _kept(fetch(pool, here, 302, "/report")) == ALL
    assert _kept(fetch(pool, here, 302, here.url("/report"))) == ALL


def test_another_port_is_another_origin(pool: ConnectionPool, here: Server, there: Server):
    assert _kept(fetch(pool, here, 302, there.url("/report"))) == {"x-other"}
    assert _kept(fetch(pool, here, 307, there.url("/report"), method="POST", body=b"x")) == {"x-other"}


def test_another_host_is_another_origin(pool: ConnectionPool, here: Server):
    assert _kept(fetch(pool, here, 302, f"https://127.0.0.1:{here.port}/report")) == {"x-other"}


def test_credentials_do_not_come_back(pool: ConnectionPool, here: Server, there: Server):
    response = fetch(pool, here, 302, there.url(f"/to?status=302&to={here.url('/report')}"))
    assert _kept(response) == {"x-other"}
    assert len(response.history) == 2


def test_another_scheme_is_another_origin(make_pool: MakePool, serve: Serve, here: Server):
    clear = serve(routes=ROUTES | {"/to": to}, secure=False)
    pool = make_pool(allow_downgrade=True)
    assert _kept(fetch(pool, here, 302, clear.url("/report"))) == {"x-other"}
    assert _kept(fetch(pool, clear, 302, here.url("/report"))) == {"x-other"}


def test_http_to_http(pool: ConnectionPool, serve: Serve):
    clear = serve(routes=ROUTES | {"/to": to}, secure=False)
    assert fetch(pool, clear, 302, clear.url("/")).body == b"hello"


def test_https_to_http_only_where_allowed(pool: ConnectionPool, serve: Serve, here: Server):
    clear = serve(secure=False)
    with pytest.raises(RedirectError, match="not encrypted") as caught:
        fetch(pool, here, 302, clear.url("/"))
    assert caught.value.response.status == 302
    assert not clear.log
    assert fetch(pool, here, 302, clear.url("/"), allow_downgrade=True).body == b"hello"


@pytest.mark.parametrize("location", ["ftp://localhost/x", "file:///etc/passwd", "https://", "http://[::1"])
def test_to_what_is_no_http(pool: ConnectionPool, here: Server, location: str):
    with pytest.raises(RedirectError):
        fetch(pool, here, 302, location)


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_to_several_places(pool: ConnectionPool, serve: Serve, alpn: str):
    """Some follow the first of them, and others the last."""

    def moved(request: Request) -> Response:
        headers = [("location", place) for place in request.query["to"]]
        return Response(302, headers=headers, body=b"moved")

    server = serve(routes=ROUTES | {"/to": moved}, alpn=(alpn,))
    assert pool.fetch(server.url("/to"), params={"to": ["/", "/"]}).body == b"hello"
    for places in (["/", "/report"], ["/", ""], ["", "/"]):
        with pytest.raises(RedirectError, match="2 Locations that differ") as caught:
            pool.fetch(server.url("/to"), params={"to": places})
        assert caught.value.response.body == b"moved"
        (outcome,) = pool.fetch_many([server.url("/to?to=/&to=/report")])
        assert isinstance(outcome.error, RedirectError)


def test_a_loop_ends(pool: ConnectionPool, serve: Serve):
    server = serve(routes={"/": lambda _: Response(302, headers=[("location", "/")])})
    with pytest.raises(TooManyRedirects) as caught:
        pool.fetch(server.url("/"), redirects=4)
    assert len(server.log) == 5
    assert len(caught.value.response.history) == 4


def test_as_many_as_are_allowed(pool: ConnectionPool, serve: Serve):
    def down(request: Request) -> Response:
        left = int(request.path[1:])
        return Response(302, headers=[("location", f"{left - 1}")]) if left else Response(body=b"there")

    server = serve(routes=down)
    assert pool.fetch(server.url("/10")).body == b"there"
    with pytest.raises(TooManyRedirects):
        pool.fetch(server.url("/11"))


@pytest.mark.parametrize(
    ("url", "location", "end"),
    [
        ("/to#a", "/report", "/report#a"),
        ("/to#a", "/report#b", "/report#b"),
        ("/to", "/report#b", "/report#b"),
        ("/to", "report?x=1", "/report?x=1"),
        ("/to", "?status=200&to=x", "/to?status=200&to=x"),
    ],
)
def test_relative_and_fragments(pool: ConnectionPool, here: Server, url: str, location: str, end: str):
    response = pool.fetch(here.url(url), params={"status": 302, "to": location})
    assert response.url == here.url(end)


def test_credentials_in_urls(pool: ConnectionPool, here: Server, there: Server):
    def sent(response: Any) -> list[str]:
        return [value for name, value in response.json()["headers"] if name == "authorization"]

    def with_user(server: Server, target: str, user: str) -> str:
        return server.url(target).replace("//", f"//{user}@", 1)

    response = pool.fetch(with_user(here, "/report", "a:b"))
    assert sent(response) == ["Basic YTpi"]
    assert "a:b" not in response.url
    # What a caller says explicitly goes before.
    assert sent(pool.fetch(with_user(here, "/report", "a:b"), headers={"authorization": "X y"})) == ["X y"]
    # They are the origin's, like any others, and a Location may bring its own.
    assert sent(pool.fetch(with_user(here, "/to?status=302&to=/report", "a:b"))) == ["Basic YTpi"]
    assert sent(pool.fetch(with_user(here, f"/to?status=302&to={there.url('/report')}", "a:b"))) == []
    assert sent(fetch(pool, here, 302, with_user(there, "/report", "c:d"))) == ["Basic Yzpk"]


def test_a_host_header_is_for_its_origin(pool: ConnectionPool, here: Server, there: Server):
    response = fetch(pool, here, 302, there.url("/report"), headers={"Host": "virtual.example"})
    assert response.json()["authority"] == f"localhost:{there.port}"
    response = fetch(pool, here, 302, "/report", headers={"Host": "virtual.example"})
    assert response.json()["authority"] == "virtual.example"


def test_a_file_is_read_again(pool: ConnectionPool, here: Server, tmp_path: Any):
    path = tmp_path / "body"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.seek(2)
        assert fetch(pool, here, 307, "/report", method="POST", body=file).json()["body"] == "23456789"


def test_what_can_be_read_once_is_not_sent_twice(pool: ConnectionPool, here: Server):
    with pytest.raises(RedirectError, match="cannot be sent again"):
        fetch(pool, here, 307, "/report", method="POST", body=iter([b"a", b"b"]))
    assert fetch(pool, here, 303, "/report", method="POST", body=iter([b"a", b"b"])).json()["body"] == ""


def test_a_long_body_of_a_redirect_is_not_read(pool: ConnectionPool, serve: Serve):
    routes = ROUTES | {
        "/long": lambda _: Response(302, headers=[("location", "/report")], body=b"x" * 10_000_000)
    }
    for alpn in ("h2", "http/1.1"):
        response = pool.fetch(serve(routes=routes, alpn=(alpn,)).url("/long"))
        assert json.loads(response.body)["target"] == "/report"
