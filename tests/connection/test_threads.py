"""Many threads on one connection."""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from h2.settings import SettingCodes

import hyperlite
from hyperlite.testing.server import Response
from tests.conftest import Connect, Serve


def mirror(request: Any) -> Response:
    return Response(body=request.target.encode() * 20)


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run `work(number)` in so many threads at once, and raise the first error of any."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


@pytest.mark.parametrize(("alpn", "limit"), [("h2", 100), ("h2", 3), ("h2", 1), ("http/1.1", 1)], ids=str)
def test_250_threads_share_a_connection(serve: Serve, connect: Connect, alpn: str, limit: int) -> None:
    server = serve(routes=mirror, alpn=(alpn,), settings={SettingCodes.MAX_CONCURRENT_STREAMS: limit})
    conn = connect(server, timeout=60)

    def work(number: int) -> None:
        for turn in range(20):
            target = f"/{number}/{turn}"
            assert conn.getresponse(conn.request("GET", target)).read() == target.encode() * 20

    in_threads(250, work)
    assert len(server.log) == 5000
    assert server.connections == 1
    assert "0 streams, 0 queued, 0 untaken" in repr(conn)


def test_each_thread_has_its_own_order(serve: Serve, connect: Connect) -> None:
    conn = connect(serve(routes=mirror))

    def work(number: int) -> None:
        for turn in range(10):
            conn.request("GET", f"/{number}/{turn}")
        for turn in range(10):
            assert conn.getresponse().read() == f"/{number}/{turn}".encode() * 20
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse()

    in_threads(20, work)


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_others_read_what_one_has_sent(serve: Serve, connect: Connect, alpn: str) -> None:
    conn = connect(serve(routes=mirror, alpn=(alpn,)))
    ids = [conn.request("GET", f"/{number}") for number in range(100)]

    def work(number: int) -> None:
        for place in range(number, 100, 10):
            assert conn.getresponse(ids[place]).read() == f"/{place}".encode() * 20

    in_threads(10, work)


def test_only_one_thread_dials(serve: Serve, connect: Connect) -> None:
    server = serve()
    conn = connect(server)
    start = threading.Barrier(20)

    def work(_: int) -> None:
        start.wait()
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"

    in_threads(20, work)
    assert server.connections == 1


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_uploads_and_downloads_at_once(serve: Serve, connect: Connect, alpn: str) -> None:
    conn = connect(serve(alpn=(alpn,)), timeout=30)

    def work(number: int) -> None:
        if number % 2:
            body = (b"u" * 40_000 for _ in range(25))
            assert conn.getresponse(conn.request("POST", "/count", body)).read() == b"1000000"
        else:
            response = conn.getresponse(conn.request("GET", "/sized?n=1000000"))
            assert sum(len(piece) for piece in iter(lambda: response.read(30_000), b"")) == 1_000_000

    in_threads(12, work)


def test_a_waiter_that_times_out_hands_the_lead_on(serve: Serve, connect: Connect) -> None:
    """The thread that reads for all gives up; one that sleeps meanwhile must go on reading."""

    def handler(request: Any) -> Response:
        return Response(body=b"late", delay=0.5 if request.target == "/late" else 30)

    conn = connect(serve(routes=handler), timeout=0.2)
    never, late = conn.request("GET", "/never"), conn.request("GET", "/late")
    start = threading.Barrier(2)

    def work(number: int) -> None:
        start.wait()
        if number:
            assert list(conn.as_ready([late], timeout=10)) == [late]
        else:
            with pytest.raises(hyperlite.RequestTimeout):
                conn.getresponse(never)

    in_threads(2, work)
    assert conn.getresponse(late).read() == b"late"


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_close_while_others_wait(serve: Serve, connect: Connect, alpn: str) -> None:
    conn = connect(serve(alpn=(alpn,)), timeout=30)
    ids = [conn.request("GET", "/slow") for _ in range(5)]
    ready = threading.Barrier(6)

    def work(number: int) -> None:
        ready.wait()
        if number == 5:
            conn.close()
            return
        with pytest.raises((hyperlite.HTTP2Error, http.client.ResponseNotReady)):
            conn.getresponse(ids[number])

    in_threads(6, work)
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"


def test_a_thread_that_waits_for_another_s_handshake_has_a_timeout_too() -> None:
    """A server that never shakes hands: the second thread does not wait for all that came before it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        conn = hyperlite.HTTP20Connection("127.0.0.1", silent.getsockname()[1], timeout=1.0)

        def work(_: int) -> None:
            start = time.monotonic()
            with pytest.raises(TimeoutError):
                conn.request("GET", "/")
            assert time.monotonic() - start < 1.0 * 2 + 2.5

        in_threads(6, work)


def test_a_ping_beside_another_thread_that_reads(serve: Serve, connect: Connect) -> None:
    conn = connect(serve(), timeout=20)
    slow = conn.request("GET", "/slow")
    reading = threading.Barrier(2)

    def work(number: int) -> None:
        if number:
            reading.wait()
            with pytest.raises(hyperlite.RequestTimeout):
                list(conn.as_ready([slow], timeout=2))
        else:
            reading.wait()
            assert all(conn.ping(10) < 1.5 for _ in range(5))

    in_threads(2, work)
    conn.cancel(slow)


def test_uploads_side_by_side_do_not_stall(serve: Serve, connect: Connect) -> None:
    """Whose bytes another thread writes learns of it."""
    conn = connect(serve(), timeout=10)
    slow = conn.request("GET", "/slow")
    over = threading.Event()

    def read_for_all() -> None:
        while not over.is_set():
            with pytest.raises(hyperlite.RequestTimeout):
                list(conn.as_ready([slow], timeout=0.5))

    reader = threading.Thread(target=read_for_all)
    reader.start()

    def work(_: int) -> None:
        pieces = (b"u" * 50_000 for _ in range(40))
        assert conn.getresponse(conn.request("POST", "/count", pieces)).read() == b"2000000"

    start = time.monotonic()
    in_threads(6, work)
    assert time.monotonic() - start < 9
    over.set()
    reader.join()
    conn.cancel(slow)
