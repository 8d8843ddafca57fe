"""A child leaves its parent's connections alone, whenever it is forked and whatever other threads do then."""

import contextlib
import gc
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hyperframe.frame import HeadersFrame

import hyperlite
import hyperlite.http1.connection
import hyperlite.http2.streams
import hyperlite.net.forking
from hyperlite import ConnectionPool
from hyperlite.testing.server import Response, Server
from tests.conftest import Connect, Serve
from tests.http2.conftest import acquaint, begin
from tests.inside import http2_of
from tests.peer import Peer

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


FORKS = 15  # while threads upload
FINE, CHECK_FAILED, REPORTED = range(3)


def fork(check: Callable[[], object]) -> int:
    """Fork; return whether the check succeeded in the child, and without a report of what failed there."""
    failures: list[Any] = []
    usual, sys.unraisablehook = sys.unraisablehook, failures.append
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, since 3.12
            child = os.fork()
        if not child:
            status = CHECK_FAILED
            with contextlib.suppress(BaseException):
                check()
                status = REPORTED if failures else FINE
            os._exit(status)
    finally:
        sys.unraisablehook = usual
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Watched:
    """Something that does as it is told in a child."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        hyperlite.net.forking.watch(self)

    def after_fork(self) -> None:
        self._do()


@pytest.fixture
def plain() -> Iterator[tuple[Peer, hyperlite.HTTP20Connection]]:
    with Peer() as peer:
        yield peer, peer.connect()


class TestEach:
    """What one raises is not another's loss."""

    def test_one_that_fails_keeps_no_other_from_being_told(self) -> None:
        told: list[int] = []

        def fail() -> None:
            raise KeyboardInterrupt

        watched = [Watched(fail), *(Watched(lambda n=n: told.append(n)) for n in range(20)), Watched(fail)]

        def check() -> None:
            assert sorted(told) == list(range(20))

        assert fork(check) == REPORTED
        del watched

    def test_what_they_raise_is_reported(self) -> None:
        def fail() -> None:
            raise ValueError("a defect")

        watched = Watched(fail)
        assert fork(lambda: None) == REPORTED
        del watched
        gc.collect()
        assert fork(lambda: None) == FINE

    def test_equal_ones_and_those_without_a_hash(self) -> None:
        class Equal(Watched):
            __hash__ = None  # type: ignore[assignment]

            def __eq__(self, other: object) -> bool:
                return isinstance(other, Equal)

        told: list[int] = []
        watched = [Equal(lambda n=n: told.append(n)) for n in range(3)]

        def check() -> None:
            assert told == [0, 1, 2]

        assert fork(check) == FINE
        del watched


class TestInTheMiddle:
    """A fork by one thread while another is at work."""

    @pytest.fixture
    def uploading(self) -> Iterator[Server]:
        with Server(lambda request: Response(body=b"%d" % len(request.body)), alpn=("h2",)) as server:
            yield server

    @pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
    def test_of_a_constructor(
        self, serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, alpn: str
    ) -> None:
        conn = connect(serve(alpn=(alpn,)))
        outcomes: list[int] = []
        module, name = (
            (hyperlite.http2.streams, "deque") if alpn == "h2" else (hyperlite.http1.connection, "Leadership")
        )
        usual = getattr(module, name)

        def forking(*args: Any) -> Any:
            outcomes.append(fork(lambda: None))
            return usual(*args)

        with monkeypatch.context() as patched:
            patched.setattr(module, name, forking)
            conn.connect()
        assert set(outcomes) == {FINE}
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"

    def test_of_sending(self, plain: tuple[Peer, hyperlite.HTTP20Connection]) -> None:
        """The thread that sends has the buffer, whose size is fixed until it is back: never, in the child."""
        peer, conn = plain
        acquaint(peer, conn)
        mux = http2_of(conn)
        outcomes: list[int] = []

        def check() -> None:
            assert mux.closed
            assert mux.fileno() < 0

        class Sending:
            """The socket, but for what happens while it sends."""

            def __init__(self, sock: socket.socket) -> None:
                self._sock = sock

            def send(self, data: bytearray) -> int:
                with memoryview(data):
                    outcomes.append(fork(check))
                return self._sock.send(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._sock, name)

        mux.table.writer._sock = Sending(mux.sock)  # type: ignore[assignment]
        stream_id = conn.request("GET", "/")
        assert outcomes == [FINE]
        peer.want(HeadersFrame, 3)
        peer.answer(3, b"answer")
        assert conn.getresponse(stream_id).read() == b"answer"

    def test_of_uploads(self, uploading: Server) -> None:
        """Forks as they come, and children that use what they have: the server sees valid HTTP/2."""
        server = uploading
        conn = hyperlite.HTTP20Connection("localhost", server.port, context=server.context(), timeout=20)
        conn.getresponse(conn.request("GET", "/")).read()
        unread = conn.getresponse(conn.request("GET", "/"))
        mux, over, sent = http2_of(conn), threading.Event(), [0, 0]
        failures: list[BaseException] = []

        def upload(number: int) -> None:
            try:
                while not over.is_set():
                    stream_id = conn.request("POST", "/", bytes(300_000))
                    assert conn.getresponse(stream_id).read() == b"300000"
                    sent[number] += 1
            except BaseException as error:
                failures.append(error)

        def use() -> None:
            nonlocal unread
            assert mux.closed
            del unread
            mux.pump()
            conn.close()

        threads = [threading.Thread(target=upload, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        try:
            outcomes = [fork(use) for _ in range(FORKS)]
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert not failures
        assert outcomes == [FINE] * FORKS
        assert all(sent)
        assert unread.read() == b"0"
        assert server.connections == 1
        conn.close()


def test_garbage_of_the_first_moment(plain: tuple[Peer, hyperlite.HTTP20Connection]) -> None:
    """A finalizer may run in the child before the connection is let go of: it writes nothing either."""
    held: list[Any] = []
    first = Watched(held.clear)
    peer, conn = plain
    stream_id = begin(peer, conn)
    peer.send_headers(1)
    response = conn.getresponse(stream_id)
    held.append(response)
    del response

    def check() -> None:
        assert not held

    assert fork(check) == FINE
    assert peer.silent()
    peer.send_data(1, b"whole", end_stream=True)
    assert held[0].read() == b"whole"
    del first


class TestHttp11:
    def test_the_child_takes_no_byte_of_a_response(self, serve: Serve, connect: Connect) -> None:
        conn = connect(serve(alpn=("http/1.1",)))
        response = conn.getresponse(conn.request("GET", "/sized?n=3000000"))

        def check() -> None:
            with pytest.raises(hyperlite.HTTP2Error, match="parent"):
                response.read()
            assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
            conn.close()

        assert fork(check) == FINE
        assert len(response.read()) == 3_000_000

    def test_a_run_of_fetch_many_that_ends_in_the_child(self) -> None:
        """What it breaks off is the parent's."""
        under_way, over = threading.Semaphore(0), threading.Event()

        def answer(request: Any) -> Response:
            if "quick" in request.path:
                for _ in range(2):
                    assert under_way.acquire(timeout=10)
            else:
                under_way.release()
                assert over.wait(10)
            return Response(body=b"answer")

        with (
            Server(answer, alpn=("http/1.1",)) as server,
            ConnectionPool(verify=server.ca_file, timeout=10, proxies={}) as pool,
        ):
            url = f"https://localhost:{server.port}/"
            run = pool.fetch_many([f"{url}quick", f"{url}1", f"{url}2"], retries=0)
            outcomes = [next(run)]
            assert fork(run.close) == FINE
            over.set()
            outcomes += run
        assert [outcome.response.body for outcome in outcomes] == [b"answer"] * 3
