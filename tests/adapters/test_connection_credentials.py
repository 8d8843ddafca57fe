"""NTLM and Negotiate through `HTTP20Adapter`: a connection that carried them serves them alone."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import urllib3

from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.testing.server import Response, Server
from tests.conftest import Serve
from tests.ntlm import NEGOTIATE, Auth, Domain, authenticate

from .conftest import MakeSession

HANDSHAKE = ["nothing", "negotiate", "authenticate"]


@pytest.fixture
def domain() -> Domain:
    return Domain()


@pytest.fixture
def server(serve: Serve, domain: Domain) -> Server:
    """It has HTTP/2, and requires HTTP/1.1."""
    return serve(routes={"/": domain.handler, "/public": lambda _: Response(body=b"public")})


def carried(domain: Domain) -> list[str]:
    return [what for _, what, _ in domain.log]


def by_hand(
    session: requests.Session, url: str, token: str, name: str = "Authorization"
) -> requests.Response:
    return session.get(url, headers={name: f"NTLM {token}"}, timeout=10)


def token_of(response: requests.Response, name: str = "www-authenticate") -> str:
    return response.headers[name].partition(" ")[2]


@pytest.mark.parametrize("patched", [True, False])
@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_messages_go_out_on_one_connection(
    server: Server,
    session: requests.Session,
    domain: Domain,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    reads: bool,
    patched: bool,
) -> None:
    if patched:  # so that urllib3's own way is gone
        make_request = urllib3.HTTPConnectionPool._make_request

        def watched(*args: Any, **options: Any) -> Any:
            return make_request(*args, **options)

        monkeypatch.setattr(urllib3.HTTPConnectionPool, "_make_request", watched)
    session.auth = Auth("ann", reads=reads)
    data = b"body" if method == "POST" else None
    for _ in range(2):
        response = session.request(method, server.url(), data=data, timeout=10)
        assert (response.status_code, response.text) == (200, "ann")
        assert response.raw.version_string == "HTTP/1.1"
    numbers = [number for number, _, _ in domain.log]
    assert numbers[1] == numbers[2]
    if reads:  # or else the connection is that of a response which is still unread
        assert carried(domain) == [*HANDSHAKE, "nothing"]
        assert len(set(numbers)) == 1
        assert server.connections == 2  # one of HTTP/2 before it
    assert not domain.errors


def test_it_serves_no_other_credentials_and_no_request_without(
    server: Server, session: requests.Session, domain: Domain
) -> None:
    ann, bob = Auth("ann"), Auth("bob")
    for auth in (ann, bob, ann, bob):
        assert session.get(server.url(), auth=auth).text == auth.user
    assert carried(domain) == [*HANDSHAKE, *HANDSHAKE, "nothing", "nothing"]
    assert session.get(server.url()).status_code == 401
    assert session.get(server.url("/public")).text == "public"
    assert session.get(server.url(), auth=("ann", "password")).status_code == 401
    assert session.get(server.url(), headers={"Authorization": "NTLM " + NEGOTIATE}).status_code == 401
    assert sorted(domain.users.values()) == ["ann", "bob"]
    assert not domain.errors


def test_it_serves_no_other_session(server: Server, make_session: MakeSession, domain: Domain) -> None:
    adapter = HTTP20Adapter()
    one, other = make_session(adapter), make_session(adapter)
    one.auth = Auth("ann")
    assert one.get(server.url()).text == "ann"
    assert other.get(server.url()).status_code == 401
    other.auth = Auth("ann")
    assert other.get(server.url()).text == "ann"
    assert carried(domain).count("authenticate") == 2
    assert len(domain.users) == 2


@pytest.mark.parametrize("block", [True, False])
def test_threads_do_not_disturb_each_other(
    server: Server, make_session: MakeSession, domain: Domain, block: bool
) -> None:
    """All are between the same two messages at the same time; or wait for a place, where there are few."""
    threads = 8
    places = 2 if block else threads
    session = make_session(HTTP20Adapter(pool_maxsize=places, pool_block=block))
    barrier = threading.Barrier(1 if block else threads, timeout=10)
    shared = Auth("shared", between=barrier.wait)

    def fetch(number: int) -> tuple[str, str]:
        auth = shared if number % 2 else Auth(str(number), between=barrier.wait)
        return auth.user, session.get(server.url(), auth=auth, timeout=20).text

    with ThreadPoolExecutor(threads) as executor:
        for user, text in executor.map(fetch, range(threads)):
            assert text == user
        if not block:
            assert len(domain.users) == threads
    assert not domain.errors


@pytest.mark.parametrize("name", ["Authorization", b"AUTHORIZATION"])
def test_by_hand(server: Server, session: requests.Session, domain: Domain, name: Any) -> None:
    first = by_hand(session, server.url(), NEGOTIATE, name)
    assert session.get(server.url()).status_code == 401  # in between, on another connection
    last = authenticate("ann", token_of(first))
    assert by_hand(session, server.url(), last, name).text == "ann"
    assert session.get(server.url()).status_code == 401
    again = by_hand(session, server.url(), NEGOTIATE, name)
    assert by_hand(session, server.url(), authenticate("bob", token_of(again)), name).text == "bob"
    assert sorted(domain.users.values()) == ["ann", "bob"]
    assert not domain.errors


def test_a_thread_does_not_go_on_with_the_handshake_of_another(
    server: Server, session: requests.Session, domain: Domain
) -> None:
    for _ in range(3):
        thread = threading.Thread(target=by_hand, args=(session, server.url(), NEGOTIATE))
        thread.start()
        thread.join()
    first = by_hand(session, server.url(), NEGOTIATE)
    assert by_hand(session, server.url(), authenticate("ann", token_of(first))).text == "ann"
    assert len({number for number, _, _ in domain.log}) == 4
    assert not domain.errors


def test_an_unfinished_handshake_starves_no_other(
    server: Server, make_session: MakeSession, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hyperlite.origins.bonds.HELD", 0.2)
    session = make_session(HTTP20Adapter(pool_maxsize=1, pool_block=True))
    by_hand(session, server.url(), NEGOTIATE)
    assert session.get(server.url(), timeout=20).status_code == 401
    assert session.get(server.url(), auth=Auth("ann"), timeout=20).text == "ann"
    assert session.get(server.url(), timeout=20).status_code == 401  # at once: that of ann is idle
    assert session.get_adapter("https://").pool.stats()["origins"][server.url("")]["connections"] == 1


def test_what_is_of_no_more_use_is_closed(
    server: Server, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hyperlite.origins.bonds.MAX_BOUND", 3)
    pool = session.get_adapter("https://").pool

    def connections() -> int:
        session.get(server.url("/public"))
        session.get(server.url("/public"))
        return int(pool.stats()["origins"][server.url("")]["connections"])

    for _ in range(5):
        session.get(server.url(), auth=Auth("ann"))
    gc.collect()
    assert connections() == 1
    kept = [Auth(str(number)) for number in range(6)]
    for auth in kept:
        assert session.get(server.url(), auth=auth).text == auth.user
    assert connections() == 4
    for _ in range(6):  # begun, and never gone on with
        by_hand(session, server.url(), NEGOTIATE)
    assert connections() == 4


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_over_http2_the_connection_is_not_shared_either(
    serve: Serve, session: requests.Session, scheme: str
) -> None:
    domain = Domain(scheme, http2=True)
    server = serve(routes={"/": domain.handler}, alpn=("h2",))
    auth = Auth("ann", scheme)
    for _ in range(2):
        response = session.get(server.url(), auth=auth)
        assert (response.text, response.raw.version_string) == ("ann", "HTTP/2")
        assert session.get(server.url()).status_code == 401
    assert list(domain.users.values()) == ["ann"]
    assert not domain.errors


def test_over_http2_an_unread_response_holds_up_no_other(serve: Serve, make_session: MakeSession) -> None:
    domain = Domain("Negotiate", http2=True)
    server = serve(routes={"/": domain.handler}, alpn=("h2",))
    session = make_session(HTTP20Adapter(pool_maxsize=1))
    users = [Auth(name, "Negotiate") for name in ("ann", "bob")]
    unread = [session.get(server.url(), auth=auth, stream=True, timeout=10) for auth in users]
    assert session.get(server.url(), timeout=10).status_code == 401
    assert [response.text for response in unread] == ["ann", "bob"]


def test_to_a_proxy(serve: Serve, session: requests.Session) -> None:
    domain = Domain(proxy=True)
    proxy = serve(routes=domain.handler, secure=False)
    options: Any = {"proxies": {"http": proxy.url("")}, "timeout": 10}
    auth = Auth("ann")
    for _ in range(2):
        assert session.get("http://origin.test/", auth=auth, **options).text == "ann"
        assert session.get("http://origin.test/", **options).status_code == 407
    assert carried(domain).count("authenticate") == 1
    assert not domain.errors


def test_a_redirect_goes_along(serve: Serve, session: requests.Session, domain: Domain) -> None:
    server = serve(
        routes={
            "/": domain.handler,
            "/moved": lambda _: Response(302, [("location", "/")]),
        }
    )
    session.auth = Auth("ann")
    assert session.get(server.url("/moved")).text == "ann"
    assert session.get(server.url("/moved")).text == "ann"
    assert carried(domain) == [*HANDSHAKE, "nothing"]
