"""Sockets that the program opens: by a `connect()` of its own, or put in `sock`, as with http.client."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

import hyperlite
from hyperlite.testing.server import Response, Server
from tests.conftest import Serve
from tests.ntlm import Domain

WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket"}
BOTH = "h2", "http/1.1"


def open_socket(server: Server, offer: tuple[str, ...] = ()) -> socket.socket:
    """Open a TLS socket to a server as programs do, with ALPN or without."""
    context = server.context()
    if offer:
        context.set_alpn_protocols(offer)
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    return context.wrap_socket(plain, server_hostname="localhost")


def brings(open_it: Callable[[], Any]) -> Any:
    """Return a subclass whose `connect()` opens the socket, and notes each."""

    class Own(hyperlite.HTTP20Connection):
        opened = 0

        def connect(self) -> None:
            self.opened += 1
            self.sock = open_it()

    return Own


# The name is none, so what does not use the program's socket fails.
def make(kind: Any, **options: Any) -> Any:
    return kind("origin.invalid", timeout=10, **options)


def ask(conn: Any, headers: Any = (), method: str = "GET") -> tuple[int, bytes]:
    conn.request(method, "/", headers=dict(headers))
    response = conn.getresponse()
    return response.version, response.read()


@pytest.mark.parametrize(("offer", "version"), [((), 11), (("http/1.1",), 11), (BOTH, 20)])
def test_a_subclass_opens_the_socket(serve: Serve, offer: tuple[str, ...], version: int) -> None:
    server = serve()
    with make(brings(lambda: open_socket(server, offer))) as conn:
        assert [ask(conn), ask(conn)] == [(version, b"hello")] * 2
        conn.close()
        assert ask(conn) == (version, b"hello")
        assert (conn.opened, server.connections) == (2, 2)


@pytest.mark.parametrize(("offer", "version"), [((), 11), (BOTH, 20)])
def test_a_socket_is_put_in_its_place(serve: Serve, offer: tuple[str, ...], version: int) -> None:
    server = serve()
    with make(hyperlite.HTTP20Connection) as conn:
        conn.sock = open_socket(server, offer)
        address = conn.sock.getsockname()
        assert ask(conn) == (version, b"hello")
        assert conn.sock.getsockname() == address
        assert conn.sock.gettimeout() == 10


@pytest.mark.parametrize(("protocols", "version"), [(None, 20), (("http/1.1",), 11)])
def test_in_cleartext_the_caller_says_what_is_spoken_on_it(protocols: Any, version: int) -> None:
    with Server(lambda _: Response(body=b"hello"), secure=False) as server:

        def open_it() -> socket.socket:
            return socket.create_connection(("127.0.0.1", server.port), timeout=10)

        with make(brings(open_it), secure=False, protocols=protocols) as conn:
            assert ask(conn) == (version, b"hello")


def test_auto_open_off_is_for_those_that_put_the_socket_there(serve: Serve) -> None:
    server = serve()
    with make(hyperlite.HTTP20Connection) as conn:
        conn.auto_open, conn.sock = 0, open_socket(server, BOTH)
        assert ask(conn) == (20, b"hello")


def test_further_sockets_in_http1_are_opened_by_the_subclass_too(serve: Serve) -> None:
    server = serve(alpn=("http/1.1",), requests_per_connection=1)
    with make(brings(lambda: open_socket(server))) as conn:
        assert [ask(conn) for _ in range(3)] == [(11, b"hello")] * 3
        assert conn.opened == 3


def test_so_are_those_in_http2(serve: Serve) -> None:
    server = serve(requests_per_connection=1)
    with make(brings(lambda: open_socket(server, BOTH))) as conn:
        assert [ask(conn) for _ in range(3)] == [(20, b"hello")] * 3
        conn.sock = None
        assert ask(conn) == (20, b"hello")
        assert conn.opened == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_subclass_decides_what_is_offered_where_the_server_requires_http1(
    serve: Serve, method: str
) -> None:
    domain = Domain()
    server = serve(routes={"/": domain.handler})
    offers = iter([BOTH, BOTH, ()])
    with make(brings(lambda: open_socket(server, next(offers)))) as conn:
        with pytest.raises(ConnectionError, match="chose HTTP/2, which may not be spoken here"):
            ask(conn, method=method)
        assert ask(conn, method=method) == (11, domain.body)


def test_a_subclass_that_does_more_is_called_for_each_socket(serve: Serve) -> None:
    server = serve(alpn=("http/1.1",), requests_per_connection=1)

    class More(hyperlite.HTTP20Connection):
        def connect(self) -> None:
            super().connect()
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            seen.append(self.sock.getsockname())

    seen: list[Any] = []
    with More("localhost", server.port, context=server.context(), timeout=10) as conn:
        assert [ask(conn) for _ in range(3)] == [(11, b"hello")] * 3
        assert len(set(seen)) == 3


class Wrapper:
    """What a program puts around a socket."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


@pytest.mark.parametrize("alpn", [("h2",), ("http/1.1",)])
def test_what_a_subclass_puts_around_the_socket_does_no_harm(serve: Serve, alpn: tuple[str, ...]) -> None:
    server = serve(alpn=alpn, requests_per_connection=1)

    class Around(hyperlite.HTTP20Connection):
        def connect(self) -> None:
            super().connect()
            self.sock: Any = Wrapper(self.sock)

    with Around("localhost", server.port, context=server.context(), timeout=10) as conn:
        assert [ask(conn)[1] for _ in range(3)] == [b"hello"] * 3
        assert type(conn.sock) is Wrapper


def test_a_subclass_that_fails_leaves_nothing_open(serve: Serve) -> None:
    server = serve(alpn=("http/1.1",), requests_per_connection=1)

    class Fails(hyperlite.HTTP20Connection):
        fails = False

        def connect(self) -> None:
            super().connect()
            if self.fails:
                raise OSError("not today")

    with Fails("localhost", server.port, context=server.context(), timeout=10) as conn:
        assert ask(conn) == (11, b"hello")
        conn.fails = True
        with pytest.raises(OSError, match="not today"):
            ask(conn)
        conn.fails = False
        assert ask(conn) == (11, b"hello")


def test_a_request_with_upgrade_goes_over_a_socket_of_the_subclass(serve: Serve) -> None:
    server = serve()
    offers = iter([BOTH, ("http/1.1",)])
    with make(brings(lambda: open_socket(server, next(offers)))) as conn:
        assert ask(conn) == (20, b"hello")
        shared = conn.sock
        assert ask(conn, WEBSOCKET) == (11, b"hello")
        assert conn.sock is shared
        assert ask(conn) == (20, b"hello")
        assert (conn.opened, server.connections) == (2, 2)


def test_what_may_not_be_spoken_on_it_is_an_error(serve: Serve) -> None:
    server = serve(alpn=("http/1.1",))
    kind = brings(lambda: open_socket(server))
    with make(kind, protocols=("h2",)) as conn, pytest.raises(hyperlite.NotHTTP2):
        ask(conn)


@pytest.mark.parametrize("sock", [None, object()])
def test_what_is_no_socket_is_an_error_that_says_so(sock: Any) -> None:
    with make(brings(lambda: sock)) as conn, pytest.raises(TypeError, match="needs a socket"):
        conn.request("GET", "/")


def test_one_that_no_request_has_used_is_closed_with_the_connection(serve: Serve) -> None:
    with make(hyperlite.HTTP20Connection) as conn:
        conn.sock = sock = open_socket(serve())
    assert (conn.sock, sock.fileno()) == (None, -1)


def test_a_socket_that_a_closed_transport_has_opened_is_not_the_programs(serve: Serve) -> None:
    """A thread opens a further socket in HTTP/1.1 while another closes the connection."""
    server = serve(alpn=("http/1.1",), requests_per_connection=1)
    dialling, go_on = threading.Event(), threading.Event()

    def create_connection(*args: Any) -> socket.socket:
        if threading.current_thread() is not threading.main_thread():
            dialling.set()
            go_on.wait(10)
        return socket.create_connection(*args)

    with (
        hyperlite.HTTP20Connection("localhost", server.port, context=server.context(), timeout=10) as conn,
        ThreadPoolExecutor(2) as threads,
    ):
        conn._create_connection = create_connection  # type: ignore[attr-defined]
        assert ask(conn) == (11, b"hello")
        asking = threads.submit(ask, conn)
        assert dialling.wait(10)
        closing = threads.submit(conn.close)
        wait([closing], timeout=0.1)  # it has to wait, or it has closed the transport meanwhile
        go_on.set()
        closing.result()
        wait([asking])
        # The thread has its answer, or an error; the next request has a socket of its own in any case.
        assert asking.exception() is None or isinstance(asking.exception(), hyperlite.ConnectionLost)
        assert ask(conn) == (11, b"hello")
