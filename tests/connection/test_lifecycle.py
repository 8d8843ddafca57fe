"""Interrupts, forks, exits, garbage, other people's patches: what happens besides requests."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from h2.settings import SettingCodes

import hyperlite
from hyperlite.testing.server import Exchange, Server, streaming
from tests.conftest import ROUTES, Connect, Serve
from tests.inside import http2_of, lock_of, pending_of, transport_of, transports_of
from tests.interrupts import Struck

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


class TestKeyboardInterrupt:
    """In each wait; the connection goes on, and the interrupted request is over."""

    @pytest.fixture(params=["h2", "http/1.1"])
    def conn(self, request: pytest.FixtureRequest, serve: Serve, connect: Connect) -> Any:
        over = threading.Event()

        @streaming
        def silent(exchange: Exchange) -> None:
            """Take nothing of an upload, and go no further than the beginning of an answer."""
            exchange.start(200, [])
            exchange.send(b"beginning")
            over.wait(30)

        limit = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        conn = connect(
            serve(routes={**ROUTES, "/silent": silent}, alpn=(request.param,), settings=limit), timeout=20
        )
        conn.getresponse(conn.request("GET", "/")).read()
        yield conn
        over.set()

    def goes_on(self, conn: hyperlite.HTTP20Connection) -> bool:
        return conn.getresponse(conn.request("GET", "/")).read() == b"hello"

    def test_while_waiting_for_a_response(
        self, conn: hyperlite.HTTP20Connection, interrupt_soon: Callable[[], None]
    ) -> None:
        stream_id = conn.request("GET", "/slow")
        interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            conn.getresponse(stream_id)
        assert self.goes_on(conn)

    def test_while_waiting_for_a_slot(
        self, conn: hyperlite.HTTP20Connection, interrupt_soon: Callable[[], None]
    ) -> None:
        first, second = conn.request("GET", "/slow"), conn.request("GET", "/")
        interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            conn.getresponse(second)
        if pending_of(conn).requests:
            conn.cancel(first)
        assert self.goes_on(conn)

    def test_while_reading(
        self, conn: hyperlite.HTTP20Connection, interrupt_soon: Callable[[], None]
    ) -> None:
        response = conn.getresponse(conn.request("GET", "/silent"))
        interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            response.read()
        response.close()
        assert self.goes_on(conn)

    def test_while_uploading(
        self, conn: hyperlite.HTTP20Connection, interrupt_soon: Callable[[], None]
    ) -> None:
        interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            conn.request("POST", "/silent", (b"x" * 65536 for _ in range(2000)))
        assert self.goes_on(conn)

    def test_in_as_ready(self, conn: hyperlite.HTTP20Connection, interrupt_soon: Callable[[], None]) -> None:
        stream_id = conn.request("GET", "/slow")
        interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            list(conn.as_ready([stream_id]))
        if stream_id in pending_of(conn).requests:
            conn.cancel(stream_id)
        assert self.goes_on(conn)


def test_interrupted_in_the_middle_of_a_frame(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a state is none: the connection is closed, and the next request opens another."""
    server = serve()
    conn = connect(server)
    conn.getresponse(conn.request("GET", "/")).read()
    engine = http2_of(conn).table.engine
    taken, waiting = conn.request("GET", "/late"), conn.request("GET", "/late")

    def strike(_: bytes) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "receive", strike)
        with pytest.raises(KeyboardInterrupt):
            conn.getresponse(taken)
    with pytest.raises(hyperlite.ConnectionLost, match="interrupted"):
        conn.getresponse(waiting)
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
    assert server.connections == 2


def test_interrupted_when_its_turn_to_dial_has_come(serve: Serve, connect: Connect) -> None:
    """Other threads have theirs all the same."""
    conn = connect(serve(), timeout=2)
    transports = transports_of(conn)
    transports.dialling = Struck(transports.dialling)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        conn.request("GET", "/")
    bodies: list[bytes] = []
    thread = threading.Thread(target=lambda: bodies.append(conn.getresponse(conn.request("GET", "/")).read()))
    thread.start()
    thread.join()
    assert bodies == [b"hello"]


@needs_fork
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_fork(serve: Serve, connect: Connect, alpn: str) -> None:
    """The child opens a connection of its own, and its end does not disturb the parent's."""
    server = serve(alpn=(alpn,))
    conn = connect(server)
    conn.getresponse(conn.request("GET", "/")).read()
    parents = conn.request("GET", "/late")
    child = os.fork()
    if not child:
        status = 1
        try:
            assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
            with pytest.raises(hyperlite.ConnectionLost, match="parent"):
                conn.getresponse(parents)
            conn.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert conn.getresponse(parents).read() == b"late"
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
    assert server.connections == 2


@needs_fork
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_fork_while_another_thread_holds_the_locks(serve: Serve, connect: Connect, alpn: str) -> None:
    conn = connect(serve(alpn=(alpn,)))
    conn.getresponse(conn.request("GET", "/")).read()
    with transports_of(conn).dialling, pending_of(conn).lock, lock_of(transport_of(conn)):
        child = os.fork()
        if not child:
            status = 1
            try:
                assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
                status = 0
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def run_script(
    script: str, *arguments: str, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


EXIT_SCRIPT = """
    import sys, hyperlite
    conn = hyperlite.HTTP20Connection("localhost", int(sys.argv[1]), timeout=20,
                                      context=hyperlite.create_context(cafile=sys.argv[2]))
    unread = conn.getresponse(conn.request("GET", "/sized?n=3000000"))
    untaken = conn.request("GET", "/sized?n=3000000")
    print(unread.status)
"""


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_exit_with_everything_open(serve: Serve, alpn: str) -> None:
    server = serve(alpn=(alpn,))
    done = run_script(EXIT_SCRIPT, str(server.port), server.ca_file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "200\n", "")


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_connection_dropped_unclosed_is_warned_of(serve: Serve, alpn: str) -> None:
    """As http.client's is, by its socket; nothing hangs, nothing else is said."""
    server = serve(alpn=(alpn,))
    conn = hyperlite.HTTP20Connection("localhost", server.port, context=server.context(), timeout=10)
    response = conn.getresponse(conn.request("GET", "/sized?n=3000000"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del conn, response
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert "unclosed" in str(caught[0].message)


def connect_only(conn: hyperlite.HTTP20Connection) -> None:
    conn.connect()


def read_it(conn: hyperlite.HTTP20Connection) -> None:
    conn.getresponse(conn.request("GET", "/")).read()


def leave_it_unread(conn: hyperlite.HTTP20Connection) -> None:
    conn.getresponse(conn.request("GET", "/sized?n=3000000"))


def leave_it_untaken(conn: hyperlite.HTTP20Connection) -> None:
    conn.request("GET", "/")
    conn.request("GET", "/")


@pytest.mark.parametrize("use", [connect_only, read_it, leave_it_unread, leave_it_untaken])
@pytest.mark.parametrize("secure", [True, False])
def test_a_connection_in_http_1_1_that_is_dropped_needs_no_garbage_collector(
    serve: Serve, secure: bool, use: Callable[[hyperlite.HTTP20Connection], None]
) -> None:
    server = serve(alpn=("http/1.1",), secure=secure)
    options = {"context": server.context()} if secure else {"protocols": ("http/1.1",)}
    gc.collect()
    gc.disable()
    try:
        conn = hyperlite.HTTP20Connection("localhost", server.port, secure=secure, timeout=10, **options)
        use(conn)
        sock = weakref.ref(conn.sock)
        with pytest.warns(ResourceWarning, match="unclosed"):
            del conn
        assert sock() is None
    finally:
        gc.enable()


def test_a_response_in_http_1_1_outlives_its_connection(serve: Serve) -> None:
    server = serve(alpn=("http/1.1",))
    conn = hyperlite.HTTP20Connection("localhost", server.port, context=server.context(), timeout=10)
    response = conn.getresponse(conn.request("GET", "/sized?n=3000000"))
    conn.request("GET", "/")
    del conn
    gc.collect()
    assert len(response.read()) == 3_000_000
    with pytest.warns(ResourceWarning, match="unclosed"):  # as with http.client
        del response


GEVENT_SCRIPT = """
    from gevent import monkey; monkey.patch_all()
    import sys, gevent, hyperlite
    conn = hyperlite.HTTP20Connection("localhost", int(sys.argv[1]), timeout=20,
                                      context=hyperlite.create_context(cafile=sys.argv[2]))
    ticks = 0
    def tick():
        global ticks
        while True:
            gevent.sleep(0.005)
            ticks += 1
    gevent.spawn(tick)
    def fetch(number):
        for turn in range(5):
            assert conn.getresponse(conn.request("GET", "/sized?n=%d" % number)).read() == b"x" * number
    workers = [gevent.spawn(fetch, number) for number in range(50)]
    gevent.joinall(workers, raise_error=True)
    response = conn.getresponse(conn.request("GET", "/late"))
    assert response.read() == b"late" and ticks > 3, ticks
    with gevent.Timeout(0.1, False):
        conn.getresponse(conn.request("GET", "/slow"))
        raise AssertionError("it answered")
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
    conn.close()
    print("done", response.version)
"""


@pytest.mark.parametrize(("alpn", "version"), [("h2", 20), ("http/1.1", 11)])
def test_under_gevent(serve: Serve, alpn: str, version: int) -> None:
    """With everything monkey-patched, greenlets share a connection and none blocks the hub."""
    pytest.importorskip("gevent", reason="pip install gevent")
    server: Server = serve(alpn=(alpn,))
    done = run_script(GEVENT_SCRIPT, str(server.port), server.ca_file)
    assert (done.stderr, done.stdout) == ("", f"done {version}\n")
