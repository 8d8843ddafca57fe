"""Which connections a pool makes, shares and keeps."""

import gc
import gzip
import json
import os
import ssl
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from h2.settings import SettingCodes

import hyperlite
from hyperlite import ConnectionPool, RequestTimeout
from hyperlite.net.trust import MAX_CONTEXTS
from hyperlite.origins import origin as origin_module
from hyperlite.origins.connection import PooledConnection, dial
from hyperlite.origins.origin import Origin
from hyperlite.pool import default_pool
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import ROUTES, MakePool, Serve


def test_verify_never_leaks(make_pool: MakePool, server: Server):
    """A connection that was not verified serves no caller that wants it verified."""
    pool = make_pool(verify=True)
    assert pool.fetch(server.url("/"), verify=False).body == b"hello"
    with pytest.raises(ssl.SSLCertVerificationError):
        pool.fetch(server.url("/"))
    with pytest.raises(ssl.SSLCertVerificationError):
        pool.fetch(server.url("/"), verify=True)
    [outcome] = pool.fetch_many([server.url("/")])
    assert isinstance(outcome.error, ssl.SSLCertVerificationError)
    [outcome] = pool.fetch_many([server.url("/")], verify=False)
    assert outcome.result().body == b"hello"
    assert pool.fetch(server.url("/"), verify=server.ca_file).body == b"hello"
    assert server.connections >= 2
    assert [line[1] for line in server.log[:2]] == [1, 1]

    # Nor does one on a context that was changed since.
    context = server.context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    first = server.connections
    pool.fetch(server.url("/"), context=context)
    context.verify_mode, context.check_hostname = ssl.CERT_REQUIRED, True
    pool.fetch(server.url("/"), context=context)
    assert server.connections == first + 2


def test_no_two_threads_dial_a_new_origin(pool: ConnectionPool, serve: Serve):
    server = serve(latency=0.05)
    with ThreadPoolExecutor(50) as threads:
        bodies = list(threads.map(lambda n: pool.fetch(server.url(f"/?{n}")).body, range(200)))
    assert bodies == [b"hello"] * 200
    assert server.connections == 1


def test_several_connections_where_there_is_no_http2(make_pool: MakePool, serve: Serve):
    server = serve(alpn=("http/1.1",), delay=0.05)
    pool = make_pool(max_connections_per_origin=5)
    with ThreadPoolExecutor(50) as threads:
        bodies = list(threads.map(lambda n: pool.fetch(server.url(f"/?{n}")).body, range(100)))
    assert bodies == [b"hello"] * 100
    assert server.connections == 5
    [state] = pool.stats()["origins"].values()
    assert state == {"protocol": "http/1.1", "connections": 5, "leased": 0, "dialling": 0, "waiting": 0}


@pytest.mark.parametrize("limits", [(1, 5), (9, 5)], ids=["more", "fewer"])
def test_as_many_as_there_may_be_of_an_origin_without_http2(
    make_pool: MakePool, serve: Serve, limits: tuple[int, int]
):
    """fetch_many() has so many threads at work there, whatever HTTP/2 would be allowed."""
    together = threading.Barrier(5)

    def wait(request: Request) -> Response:
        together.wait(10)
        return Response(body=b"together")

    server = serve(routes={"/": wait}, alpn=("http/1.1",))
    pool = make_pool(max_connections_per_origin=limits[0], max_http1_connections_per_origin=limits[1])
    outcomes = list(pool.fetch_many([server.url()] * 10, timeout=5))
    assert [outcome.result().body for outcome in outcomes] == [b"together"] * 10
    assert server.connections == 5


def test_a_further_connection_where_the_streams_are_used_up(make_pool: MakePool, serve: Serve):
    server = serve(settings={SettingCodes.MAX_CONCURRENT_STREAMS: 5}, delay=0.2)
    pool = make_pool(max_connections_per_origin=3)
    pool.fetch(server.url("/"))
    with ThreadPoolExecutor(15) as threads:
        list(threads.map(lambda n: pool.fetch(server.url(f"/?{n}")).body, range(30)))
    assert server.connections == 3


def test_waiting_for_a_connection_ends(make_pool: MakePool, serve: Serve):
    server = serve(alpn=("http/1.1",))
    pool = make_pool(max_connections_per_origin=1)
    with (
        pool.fetch(server.url("/sized?n=1000000"), stream=True),
        pytest.raises(RequestTimeout, match="was free"),
    ):
        pool.fetch(server.url("/"), timeout=0.2)
    assert pool.fetch(server.url("/")).body == b"hello"


def test_idle_connections_are_closed(make_pool: MakePool, serve: Serve):
    server = serve()
    pool = make_pool(idle_timeout=0)
    for _ in range(3):
        assert pool.fetch(server.url("/")).body == b"hello"
    assert server.connections == 3


def test_no_more_idle_connections_than_allowed(make_pool: MakePool, serve: Serve):
    servers = [serve(secure=False) for _ in range(5)]
    pool = make_pool(max_idle=2)
    for server in servers:
        pool.fetch(server.url("/"))
    assert [state["connections"] for state in pool.stats()["origins"].values()] == [0, 0, 0, 1, 1]


def test_a_failed_dial_fails_all_threads_that_waited_for_it(make_pool: MakePool, serve: Serve):
    """Fifty threads do not wait one after the other for the same dead server."""
    server = serve(routes=lambda _: Response(), latency=0.3)
    pool = make_pool(verify=True, retries=0)

    def fails(_: int) -> bool:
        with pytest.raises(OSError):
            pool.fetch(server.url("/"))
        return True

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(fails, range(20)))
    assert pool.stats()["failed_dials"] < 10


def test_a_dial_whose_time_is_up_fails_its_own_thread_alone(
    make_pool: MakePool, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    """A thread that has more time, or no end of it, dials for itself."""
    server, pool = serve(), make_pool(retries=0)
    dials, waits = threading.Event(), threading.Event()
    wait = origin_module.Origin._wait_locked

    def dialling(*arguments: Any, **options: Any) -> PooledConnection:
        if dials.is_set():
            return dial(*arguments, **options)
        dials.set()
        assert waits.wait(10)
        raise TimeoutError("the time is up")

    def waiting(*arguments: Any) -> int:
        waits.set()
        return wait(*arguments)

    monkeypatch.setattr(origin_module, "dial", dialling)
    monkeypatch.setattr(origin_module.Origin, "_wait_locked", waiting)
    with ThreadPoolExecutor(2) as threads:
        hasty = threads.submit(pool.fetch, server.url("/"), timeout=1)
        assert dials.wait(10)
        patient = threads.submit(pool.fetch, server.url("/"), timeout=10)
        with pytest.raises(TimeoutError, match="the time is up"):
            hasty.result()
        assert patient.result().body == b"hello"


def test_contexts_do_not_add_up(pool: ConnectionPool, server: Server, tmp_path: Path):
    """Where a program has a client certificate in a file of its own for each request."""
    own = certificates()
    files = [tmp_path / f"{number}.pem" for number in range(MAX_CONTEXTS + 3)]
    made = []
    for file in files:
        file.write_bytes(Path(own.cert_file).read_bytes() + Path(own.key_file).read_bytes())
        made.append(weakref.ref(pool.options(verify=server.ca_file, cert=str(file)).context))
    gc.collect()
    assert [one() is not None for one in made] == [False] * 3 + [True] * MAX_CONTEXTS
    assert pool.options(verify=server.ca_file, cert=str(files[-1])).context is made[-1]()
    for file in (files[0], files[-1]):
        assert pool.fetch(server.url("/"), verify=server.ca_file, cert=str(file)).body == b"hello"


def test_http_urls(pool: ConnectionPool, serve: Serve):
    server = serve(secure=False)
    assert pool.fetch(server.url("/")).http_version == "HTTP/1.1"
    assert (
        pool.fetch(f"http://127.0.0.1:{server.port}/report").json()["authority"] == f"127.0.0.1:{server.port}"
    )


def test_the_state_in_words(make_pool: MakePool, serve: Serve):
    pool = make_pool()
    assert repr(pool) == "<ConnectionPool, 0 origins, 0 connections, 0 requests under way>"
    with pool.fetch(serve().url("/chunks?n=100000"), stream=True):
        assert repr(pool) == "<ConnectionPool, 1 origins, 1 connections, 1 requests under way>"
    pool.close()
    assert repr(pool) == "<ConnectionPool, closed>"
    with pytest.raises(ValueError, match="closed"):
        pool.fetch("https://localhost:1/")


def test_request_is_below_all_that(pool: ConnectionPool, serve: Serve):
    packed = gzip.compress(b"x")
    routes = ROUTES | {
        "/away": lambda _: Response(302, headers=[("location", "/")]),
        "/packed": lambda _: Response(headers=[("content-encoding", "gzip")], body=packed),
    }
    server = serve(routes=routes)
    with pool.request("GET", server.url("/away")) as response:
        assert response.status == 302
    with pool.request("GET", server.url("/packed")) as response:
        assert response.raw.read() == packed
    seen = json.loads(pool.request("GET", server.url("/report"), headers={"a": "b"}).body)
    assert {name for name, _ in seen["headers"]} == {"a", "accept-encoding"}


def test_the_functions_share_a_pool(serve: Serve):
    server = serve(secure=False)
    assert hyperlite.fetch(server.url("/")).body == b"hello"
    assert [outcome.result().body for outcome in hyperlite.fetch_many([server.url("/")] * 3)] == [
        b"hello"
    ] * 3
    assert hyperlite.fetch(server.url("/report"), "POST", json=1).json()["body"] == "1"
    default_pool().close()


def test_importing_hyperlite_does_not_import_this():
    script = "import sys, hyperlite; print([n for n in sys.modules if n in ('hyperlite.pool', 'h2', 'json')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_in_a_forked_child(pool: ConnectionPool, serve: Serve):
    server = serve()
    assert pool.fetch(server.url("/")).body == b"hello"
    child = os.fork()
    if not child:
        code = 1
        try:
            code = int(pool.fetch(server.url("/")).body != b"hello")
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pool.fetch(server.url("/")).body == b"hello"
    assert server.connections == 2


def test_many_threads_many_origins(make_pool: MakePool, serve: Serve):
    servers = [serve(alpn=(alpn,)) for alpn in ("h2", "http/1.1", "h2", "http/1.1")]
    pool = make_pool()
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for number in range(30):
                server = servers[(seed + number) % 4]
                n = (seed * 31 + number * 17) % 5000
                assert len(pool.fetch(server.url(f"/sized?n={n}")).body) == n
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert "0 requests under way" in repr(pool)


@pytest.mark.parametrize(("recent", "looks"), [(0.0, 2), (1000.0, 0)])
def test_what_was_just_used_needs_no_look(
    make_pool: MakePool, serve: Serve, monkeypatch: pytest.MonkeyPatch, recent: float, looks: int
):
    looked = []
    monkeypatch.setattr(origin_module, "RECENT", recent)
    pool, server = make_pool(), serve(alpn=("h2",))
    assert pool.fetch(server.url("/")).body == b"hello"
    inner = PooledConnection.healthy.fget
    monkeypatch.setattr(PooledConnection, "healthy", property(lambda one: looked.append(one) or inner(one)))
    for _ in range(2):
        assert pool.fetch(server.url("/")).body == b"hello"
    assert len(looked) == looks
    assert server.connections == 1


def test_what_is_told_of_a_pool_is_asked_without_its_lock(
    pool: ConnectionPool, server: Server, monkeypatch: pytest.MonkeyPatch
):
    """To ask an origin is to close what finalizers have left there; others need not wait for that."""
    pool.fetch(server.url("/"))
    state, held = Origin.state, []

    def ask(origin: Origin) -> dict[str, Any]:
        held.append(pool._origins._lock.locked())
        return state(origin)

    monkeypatch.setattr(Origin, "state", ask)
    assert "1 connections" in repr(pool)
    pool.stats()
    assert held == [False, False]
