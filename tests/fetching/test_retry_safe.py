"""retry_safe speaks of a whole fetch: of all its tries and of all its hops."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from hyperframe.frame import HeadersFrame

import hyperlite.messages.replay
from hyperlite import ConnectionPool, FetchResponse, HTTP2Error, RequestTimeout, Retries
from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.errors import ErrorCode, StreamReset
from hyperlite.testing.certificates import certificates
from hyperlite.testing.hostile.frames import Fields
from tests.conftest import MakePool, Serve
from tests.inside import origin_of
from tests.peer import TIMEOUT, Peer

MANY = pytest.mark.parametrize("many", [False, True], ids=["fetch", "fetch_many"])


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperlite.messages.replay, "BACKOFF", 0.001)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(tls=certificates().server_context(("h2",))) as peer:
        yield peer


def fetch(pool: ConnectionPool, url: str, method: str, *, many: bool) -> FetchResponse:
    if many:
        return next(iter(pool.fetch_many([{"url": url, "method": method, "body": b""}]))).result()
    return pool.fetch(url, method, body=b"")


def refuse_everything(peer: Peer, *wire_ids: int) -> None:
    """Refuse three requests on a connection, and three on the next."""
    for wire_id in wire_ids:
        peer.want(HeadersFrame, wire_id)
        peer.rst(wire_id, ErrorCode.REFUSED_STREAM)
    peer.accept()
    peer.greet()
    for wire_id in (1, 3, 5):
        peer.want(HeadersFrame, wire_id)
        peer.rst(wire_id, ErrorCode.REFUSED_STREAM)


@MANY
def test_a_request_that_was_only_refused(peer: Peer, make_pool: MakePool, many: bool) -> None:
    pool = make_pool(timeout=TIMEOUT)
    fetching = peer.background(fetch, pool, f"https://localhost:{peer.port}/", "POST", many=many)
    peer.accept()
    peer.greet()
    refuse_everything(peer, 1, 3, 5)
    with pytest.raises(StreamReset) as caught:
        fetching.result()
    assert caught.value.retry_safe


@MANY
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("POST", [(":status", "303"), ("location", "/made")]),
        ("POST", [(":status", "307"), ("location", "/elsewhere")]),
        ("GET", [(":status", "503"), ("retry-after", "0")]),
    ],
    ids=["made", "elsewhere", "later"],
)
def test_after_an_answer(peer: Peer, make_pool: MakePool, method: str, answer: Fields, many: bool) -> None:
    """Then the server has processed it, whatever becomes of the next hop, or try."""
    pool = make_pool(timeout=TIMEOUT)
    fetching = peer.background(fetch, pool, f"https://localhost:{peer.port}/", method, many=many)
    peer.accept()
    peer.greet()
    peer.want(HeadersFrame, 1)
    peer.send_headers(1, answer, end_stream=True)
    refuse_everything(peer, 3, 5, 7)
    with pytest.raises(StreamReset) as caught:
        fetching.result()
    assert not caught.value.retry_safe


@MANY
def test_after_a_try_that_may_have_been_processed(peer: Peer, make_pool: MakePool, many: bool) -> None:
    pool = make_pool(timeout=TIMEOUT)
    fetching = peer.background(fetch, pool, f"https://localhost:{peer.port}/", "PUT", many=many)
    peer.accept()
    peer.greet()
    peer.want(HeadersFrame, 1)
    peer.rst(1, ErrorCode.INTERNAL_ERROR)
    refuse_everything(peer, 3, 5, 7)
    with pytest.raises(StreamReset) as caught:
        fetching.result()
    assert caught.value.error_code == ErrorCode.REFUSED_STREAM
    assert not caught.value.retry_safe


def test_where_no_connection_was_ever_free(make_pool: MakePool, serve: Serve) -> None:
    server = serve(alpn=("http/1.1",))
    pool = make_pool(max_connections_per_origin=1)
    pool.fetch(server.url("/"))
    origin = origin_of(pool)
    lease = origin.lease(10)
    with pytest.raises(RequestTimeout) as caught:
        pool.fetch(server.url("/"), timeout=0.1)
    lease.end()
    assert caught.value.retry_safe, "nothing was sent"


def test_where_no_connection_is_free_for_the_second_try(make_pool: MakePool) -> None:
    """The first was cut off after the server had read it; then another thread had the only connection."""
    pool = make_pool(max_connections_per_origin=1, retries=Retries(backoff=1.0))
    errors: list[HTTP2Error] = []

    def get(url: str) -> None:
        with pytest.raises(RequestTimeout, match="was free") as caught:
            pool.fetch(url, timeout=0.5)
        errors.append(caught.value)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(2) as threads:
        listener.settimeout(TIMEOUT)
        getting = threads.submit(get, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        first = listener.accept()[0]
        first.recv(65536)
        origin = origin_of(pool)
        holding = threads.submit(origin.lease, TIMEOUT)
        while not origin.state()["waiting"]:
            time.sleep(0.001)
        first.close()
        lease = holding.result(TIMEOUT)
        getting.result(TIMEOUT)
        lease.end()
    assert not errors[0].retry_safe


def test_the_adapter_says_what_happened_to_the_request(peer: Peer) -> None:
    """urllib3 sends again, whatever its method, what has met no more than an error of connecting."""
    with requests.Session() as session:
        session.verify, session.trust_env = certificates().ca_file, False
        session.mount("https://", HTTP20Adapter())
        url = f"https://localhost:{peer.port}/"
        getting = peer.background(session.get, url, timeout=TIMEOUT)
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.answer(1, b"hello")
        assert getting.result().content == b"hello"
        getting = peer.background(session.get, url, timeout=TIMEOUT)
        peer.want(HeadersFrame, 3)
        peer.stop_listening()
        peer.wires[0].close()
        with pytest.raises(requests.ConnectionError) as caught:
            getting.result()
        assert "Connection aborted" in str(caught.value)
