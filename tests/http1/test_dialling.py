"""A further connection on HTTP/1.1 is opened by a thread only as long as that thread may wait itself."""

import socket
import threading
from collections.abc import Iterator

import pytest

import hyperlite
import hyperlite.pending
from hyperlite.testing.certificates import certificates
from tests.peer import Task

from .conftest import Script, Scripted, Wire, response

CONN = hyperlite.HTTP20Connection


class Held(Scripted):
    """A server that holds up the handshakes of all connections but the first."""

    def __init__(self, *scripts: Script) -> None:
        self.go_on = threading.Event()
        super().__init__(*scripts)

    def _run(self, sock: socket.socket, script: Script) -> None:
        if self.connections > 1:
            self.go_on.wait()
        super()._run(sock, script)


def closes(wire: Wire) -> None:
    wire.head()
    wire.send(response(b"first", b"Connection: close"))


def answers(wire: Wire) -> None:
    wire.head()
    wire.send(response(b"second"))
    wire.wait()


@pytest.fixture
def server() -> Iterator[Held]:
    server = Held(closes, answers)
    try:
        yield server
    finally:
        server.go_on.set()
        server.stop()


@pytest.fixture
def conn(server: Held) -> Iterator[CONN]:
    """A connection without a time limit of its own."""
    context = certificates().client_context()
    with hyperlite.HTTP20Connection("localhost", server.port, context=context, timeout=None) as conn:
        yield conn


def check(server: Held, conn: CONN, first: int, second: int) -> None:
    """Both have an answer, now that the server takes connections."""
    server.go_on.set()
    assert conn.getresponse(second).read() == b"second"
    assert conn.getresponse(first).read() == b"first"


def test_for_another_exchange(server: Held, conn: CONN) -> None:
    """The one whose turn it is has no limit, and does not fail."""
    first, second = conn.request("GET", "/1"), conn.request("GET", "/2")
    short = conn.request("GET", "/3", timeout=0.05)
    with pytest.raises(hyperlite.RequestTimeout, match=r"no response came within 0\.05 s"):
        Task(conn.getresponse, short).result()
    check(server, conn, first, second)


def test_while_another_thread_waits_for_that_exchange(server: Held, conn: CONN) -> None:
    """The thread without a limit connects when the other has given up."""
    first, second = conn.request("GET", "/1"), conn.request("GET", "/2")
    short = conn.request("GET", "/3", timeout=0.05)
    giving_up = Task(conn.getresponse, short)
    while server.connections < 2:
        threading.Event().wait(0.001)
    waiting = Task(conn.getresponse, second)
    with pytest.raises(hyperlite.RequestTimeout, match=r"no response came within 0\.05 s"):
        giving_up.result()
    server.go_on.set()
    assert waiting.result().read() == b"second"
    assert conn.getresponse(first).read() == b"first"


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_in_as_ready(server: Held, conn: CONN, timeout: float) -> None:
    first, second = conn.request("GET", "/1"), conn.request("GET", "/2")
    assert list(conn.as_ready([first])) == [first]
    for _ in range(2):
        with pytest.raises(hyperlite.RequestTimeout, match="1 responses did not come within"):
            Task(lambda: list(conn.as_ready([second], timeout=timeout))).result()
    check(server, conn, first, second)


def test_as_ready_without_a_limit_connects_in_one_go(server: Held, conn: CONN) -> None:
    """However often it looks at what else there is meanwhile."""
    first, second = conn.request("GET", "/1"), conn.request("GET", "/2")
    assert list(conn.as_ready([first])) == [first]
    ready = Task(lambda: list(conn.as_ready([second])))
    threading.Event().wait(2 * hyperlite.pending.LOOK)
    server.go_on.set()
    assert ready.result() == [second]
    assert server.connections == 2
    check(server, conn, first, second)
