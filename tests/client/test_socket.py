"""hyperlite.client: `conn.sock` takes the bytes of requests as http.client's does, and tells of its peer."""

import http.client
import io
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hyperframe.frame import HeadersFrame

import hyperlite
from hyperlite import client
from hyperlite.errors import ErrorCode
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Server
from tests.conftest import Serve
from tests.inside import lock_of
from tests.peer import TIMEOUT, Peer

HEAD = b"POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
BODY = b"0123456789"


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(alpn=(request.param,))


@pytest.fixture
def conn(server: Server) -> Iterator[client.HTTPSConnection]:
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
    conn.connect()
    yield conn
    conn.close()


def by_sendfile(sock: Any, folder: Path) -> None:
    (folder / "request").write_bytes(b"before" + HEAD + BODY + b"behind")
    with (folder / "request").open("rb") as file:
        assert sock.sendfile(file, 6, len(HEAD) + 10) == len(HEAD) + 10
        assert file.tell() == 6 + len(HEAD) + 10


def by_makefile(sock: Any, _: Path) -> None:
    with sock.makefile("wb") as file:
        assert isinstance(file, io.BufferedWriter)
        file.write(HEAD)
        file.write(BODY)
    assert sock.makefile("wb", 0).write(b"") == 0


def by_text(sock: Any, _: Path) -> None:
    with sock.makefile("w", encoding="ascii", newline="") as file:
        file.write((HEAD + BODY).decode())


def by_send(sock: Any, _: Path) -> None:
    assert (sock.send(HEAD), sock.send(memoryview(BODY))) == (len(HEAD), 10)


def by_write(sock: Any, _: Path) -> None:
    assert sock.write(bytearray(HEAD + BODY)) == len(HEAD) + 10


class Around:
    """What a program puts around a socket, to watch what is sent."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.sent = bytearray()

    def sendall(self, data: Any) -> None:
        self.sent += data
        self._sock.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Watched(client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock: Any = Around(self.sock)


WAYS: list[Callable[[Any, Path], None]] = [by_send, by_write, by_sendfile, by_makefile, by_text]


def test_one_that_a_subclass_puts_something_around(server: Server) -> None:
    conn = Watched("localhost", server.port, context=server.context(), timeout=10)
    conn.request("POST", "/count", BODY)
    sock = conn.sock
    response = conn.getresponse()
    assert (response.version, response.read()) == (20 if server.log[0][0] == "h2" else 11, b"10")
    conn.request("GET", "/")
    assert conn.getresponse().read() == b"hello"
    assert conn.sock is sock
    assert sock.sent.count(b"HTTP/1.1") == 2
    conn.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "other"})
    response = conn.getresponse()
    assert (response.version, response.read()) == (11, b"hello")
    assert type(conn.sock) is Around
    conn.close()


class StandIn:
    """What a program puts in the place of a socket, as httpretty does; it refuses what it does not know."""

    def __init__(self, sock: socket.socket) -> None:
        self.sendall, self.makefile, self.close = sock.sendall, sock.makefile, sock.close

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"there is no real socket to ask for {name}")


def test_one_that_stands_in_for_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        conn = client.HTTPConnection("localhost", timeout=10)
        conn.sock = StandIn(ours)
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"
        assert theirs.recv(1000).startswith(b"GET / HTTP/1.1\r\n")
        conn.close()


def test_so_is_one_that_is_opened_anew(serve: Serve) -> None:
    server = serve(requests_per_connection=1)
    conn = Watched("localhost", server.port, context=server.context(), timeout=10)
    for _ in range(3):
        conn.request("GET", "/")
        response = conn.getresponse()
        assert (response.version, response.read()) == (20, b"hello")
    assert server.connections == 3
    conn.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_request_that_is_written_by_hand(
    conn: client.HTTPSConnection, tmp_path: Path, way: Callable[[Any, Path], None]
) -> None:
    way(conn.sock, tmp_path)
    response = conn.response_class(conn.sock, method="POST")
    response.begin()
    assert (response.status, response.read()) == (200, b"10")


def test_a_body_that_is_written_by_hand(conn: client.HTTPSConnection) -> None:
    conn.putrequest("POST", "/count")
    conn.putheader("Content-Length", "10")
    conn.endheaders()
    assert conn.sock.sendfile(io.BytesIO(BODY)) == 10
    assert conn.getresponse().read() == b"10"


def test_a_file_that_is_none(conn: client.HTTPSConnection) -> None:
    with pytest.raises(ValueError, match="binary"), Path(__file__).open() as file:
        conn.sock.sendfile(file)
    with pytest.raises(ValueError, match="positive"):
        conn.sock.sendfile(io.BytesIO(b"x"), count=0)
    with pytest.raises(ValueError, match="mode"):
        conn.sock.makefile("x")
    with pytest.raises(ValueError, match="binary"):
        conn.sock.makefile("w", 0)


def test_the_end_of_sending(serve: Serve) -> None:
    """The response comes; the next request goes on another connection."""
    server = serve()
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
    conn.request("GET", "/")
    conn.sock.shutdown(socket.SHUT_WR)
    assert conn.getresponse().read() == b"hello"
    conn.request("GET", "/")
    assert conn.getresponse().read() == b"hello"
    assert server.connections == 2
    conn.close()


def asked(sock: Any) -> list[Any]:
    """Return what programs ask of a socket over TLS, so far as it does not depend on the protocol."""
    return [
        sock.getpeername(),
        sock.getpeercert(),
        sock.getpeercert(binary_form=True),
        sock.version(),
        sock.cipher()[1],
        sock.server_hostname,
        sock.server_side,
        sock.compression(),
        sock.pending(),
        sock.family,
        sock.type,
        isinstance(sock.session, ssl.SSLSession),
    ]


def test_what_urlopen_leaves_of_the_socket(serve: Serve) -> None:
    """urllib.request closes the socket before the response is read; its file still has it."""
    found = []
    for protocol in ("h2", "http/1.1"):
        server = serve(alpn=(protocol,))
        with hyperlite.install(), urllib.request.urlopen(server.url("/"), context=server.context()) as page:
            page.peek()  # it has come, and on HTTP/2 the connection is closed
            sock = page.fp.raw._sock
            sock.settimeout(5)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            assert sock.getpeername()[1] == server.port
            assert sock.selected_alpn_protocol() == protocol
            found.append(asked(sock)[1:])
            assert page.read() == b"hello"
    assert found[0] == found[1]


def test_what_can_be_asked(serve: Serve) -> None:
    found = []
    for protocol in ("h2", "http/1.1"):
        server = serve(alpn=(protocol,))
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        conn.request("GET", "/")
        response = conn.getresponse()
        found += [asked(conn.sock)[1:], asked(response.fp.raw._sock)[1:]]
        assert response.fp.raw._sock.getpeername() == conn.sock.getpeername()
        assert response.read() == b"hello"
        conn.close()
    assert found[0] == found[1] == found[2] == found[3]


# -- on HTTP/2, against a peer that does what the test says --------------------------------------------------


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(tls=certificates().server_context(("h2",))) as peer:
        yield peer


@pytest.fixture
def strict(peer: Peer) -> Iterator[client.HTTPSConnection]:
    context = certificates().client_context()
    conn = client.HTTPSConnection("localhost", peer.port, timeout=TIMEOUT, context=context)
    connecting = peer.background(conn.connect)
    peer.accept()
    peer.greet()
    connecting.result()
    yield conn
    conn.close()


def test_a_waiting_thread_is_broken_off(peer: Peer, strict: client.HTTPSConnection) -> None:
    strict.request("GET", "/")
    waiting = peer.background(strict.getresponse)
    peer.want(HeadersFrame, 1)
    strict.sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(http.client.RemoteDisconnected, match="was shut down"):
        waiting.result()
    peer.want_eof()
    assert len(peer.wires) == 1  # it is not sent again


def test_the_end_of_sending_is_the_end_of_a_body_without_a_length(
    peer: Peer, strict: client.HTTPSConnection
) -> None:
    strict.putrequest("POST", "/")
    strict.endheaders()
    strict.sock.send(b"some")
    strict.sock.shutdown(socket.SHUT_WR)
    peer.want(HeadersFrame, 1)
    assert peer.want_end(1) == b"some"
    peer.answer(1, b"taken")
    assert strict.getresponse().read() == b"taken"
    assert peer.want_eof()[-1].error_code == ErrorCode.NO_ERROR


def test_the_end_of_sending_before_that_of_the_body(strict: client.HTTPSConnection) -> None:
    strict.putrequest("POST", "/")
    strict.putheader("Content-Length", "5")
    strict.endheaders()
    with pytest.raises(http.client.CannotSendRequest, match="5 bytes of its content-length missing"):
        strict.sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("mode", ["r", "rb", "rwb", "b"])
def test_there_is_nothing_to_read_as_in_http_1_1(strict: client.HTTPSConnection, mode: str) -> None:
    with pytest.raises(io.UnsupportedOperation, match="read the response"):
        strict.sock.makefile(mode)
    with pytest.raises(OSError, match="read the response"):
        strict.sock.recv(1)


def test_tls_is_asked_under_the_lock(strict: client.HTTPSConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may be inside the TLS object, and a ticket that comes changes the session."""
    mux: HTTP2Connection = strict.sock.connection
    held = []

    class Watched:
        def __getattribute__(self, name: str) -> Any:
            held.append((name, lock_of(mux).locked()))
            return getattr(real, name)

    real = mux.sock._sslobj
    monkeypatch.setattr(mux.sock, "_sslobj", Watched())
    assert strict.sock.getpeercert()
    assert strict.sock.session is not None
    assert strict.sock.version() == "TLSv1.3"
    monkeypatch.undo()
    assert {name for name, _ in held} >= {"getpeercert", "session", "version"}
    assert all(locked for _, locked in held)
