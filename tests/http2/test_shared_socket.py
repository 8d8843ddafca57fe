"""`conn.sock` and `response.fp.raw._sock` on HTTP/2: what can be asked of them, and what they end."""

import http.client
import io
import socket
import ssl
import threading
from typing import Any

import pytest
import trustme
from hyperframe.frame import GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame

import hyperlite
from hyperlite.errors import ConnectionLost, ErrorCode
from hyperlite.http2.socket_facade import SharedSocket
from tests.inside import http2_of
from tests.peer import TIMEOUT, Peer

from .conftest import acquaint, begin
from .test_lifetime import ended

CONN = hyperlite.HTTP20Connection


@pytest.fixture
def sock(peer: Peer, conn: CONN) -> Any:
    acquaint(peer, conn)
    assert isinstance(conn.sock, SharedSocket)
    return conn.sock


def test_it_answers_for_its_peer(peer: Peer, sock: socket.socket) -> None:
    assert sock.getpeername() == ("127.0.0.1", peer.port)
    assert sock.getsockname() == peer.sock.getpeername()
    assert sock.fileno() >= 0
    assert (sock.family, sock.type & socket.SOCK_STREAM) == (socket.AF_INET, socket.SOCK_STREAM)
    assert not sock.get_inheritable()
    assert not hasattr(sock, "getpeercert")  # as a plain socket
    assert not hasattr(sock, "nonsense")


def test_options_can_be_set(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize(
    "name",
    [
        *("recv", "recv_into", "read", "makefile", "send", "sendall", "sendfile", "sendmsg", "write"),
        *("detach", "dup", "unwrap", "connect", "do_handshake"),
    ],
)
def test_what_it_cannot_do_says_what_to_do_instead(sock: socket.socket, name: str) -> None:
    method = getattr(sock, name)
    with pytest.raises(OSError, match=rf"^{name}: on HTTP/2 the socket is shared by .*; .+") as caught:
        method(b"x")
    assert isinstance(caught.value, io.UnsupportedOperation)


def test_timeouts_leave_the_socket_itself_alone(conn: CONN, sock: socket.socket) -> None:
    sock.settimeout(3)
    assert (sock.gettimeout(), sock.timeout, sock.getblocking()) == (3, 3, True)
    sock.setblocking(False)
    assert (sock.gettimeout(), sock.getblocking()) == (0, False)
    sock.setblocking(True)
    assert (sock.gettimeout(), sock.getblocking()) == (None, True)
    assert http2_of(conn).sock.gettimeout() == 0


def test_repr(sock: socket.socket) -> None:
    assert repr(sock) == "<SharedSocket of <HTTP2Connection idle, 0 streams, 0 queued>>"


def test_a_with_block_closes_it(peer: Peer, sock: socket.socket) -> None:
    with sock as entered:
        assert entered is sock
    assert ended(peer.wires[0])


@pytest.mark.parametrize("how", [socket.SHUT_RDWR, socket.SHUT_RD])
def test_shutdown_breaks_what_other_threads_wait_for(peer: Peer, conn: CONN, how: int) -> None:
    ids = [begin(peer, conn), conn.request("GET", "/2")]
    peer.want(HeadersFrame, 3)
    peer.send_headers(1)
    peer.send_data(1, b"some")
    response = conn.getresponse(ids[0])
    assert response.read(4) == b"some"
    reading, waiting = peer.background(response.read), peer.background(conn.getresponse, ids[1])
    conn.sock.shutdown(how)
    with pytest.raises(http.client.IncompleteRead, match="was shut down"):
        reading.result()
    with pytest.raises(ConnectionLost, match="was shut down") as caught:
        waiting.result()
    assert not caught.value.retry_safe
    assert ended(peer.wires[0])
    conn.sock.shutdown(how)  # again, of what is closed
    stream_id = begin(peer, conn)
    peer.answer(1, b"new")
    assert conn.getresponse(stream_id).read() == b"new"


def test_shutdown_of_the_sending_side_lets_responses_come(peer: Peer, conn: CONN) -> None:
    stream_id = begin(peer, conn)
    conn.sock.shutdown(socket.SHUT_WR)
    peer.answer(1, b"last")
    assert conn.getresponse(stream_id).read() == b"last"
    assert ended(peer.wires[0])


def test_shutdown_of_nothing(sock: socket.socket) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        sock.shutdown(7)


class TestTheSocketOfAResponse:
    """`response.fp.raw._sock` is an idiom: http.client's file has it."""

    @pytest.fixture
    def response(self, peer: Peer, conn: CONN) -> Any:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        return conn.getresponse(stream_id)

    def test_it_answers_for_its_peer(self, peer: Peer, response: Any) -> None:
        sock = response.fp.raw._sock
        assert sock.getpeername() == ("127.0.0.1", peer.port)
        assert sock.fileno() == response.fileno() == response.fp.raw.fileno() == response.fp.raw.name
        assert response.fp.raw is response.fp.raw
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer.send_data(1, b"the rest", end_stream=True)
        assert response.read() == b"the rest"

    def test_its_timeout_is_that_response_s(self, peer: Peer, conn: CONN, response: Any) -> None:
        response.fp.raw._sock.settimeout(0.01)
        assert response.fp.raw._sock.gettimeout() == 0.01
        with pytest.raises(TimeoutError, match=r"0\.01 s"):
            response.read(1)
        assert conn.sock.gettimeout() > 1

    def test_shutdown_ends_that_response_alone(
        self, peer: Peer, conn: CONN, response: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = conn.request("GET", "/2")
        peer.want(HeadersFrame, 3)
        polling, poll = threading.Event(), http2_of(conn)._io.watch.wait
        monkeypatch.setattr(http2_of(conn)._io.watch, "wait", lambda left: (polling.set(), poll(left))[1])
        reading = peer.background(response.read)
        assert polling.wait(TIMEOUT)
        response.fp.raw._sock.shutdown(socket.SHUT_WR)
        response.fp.raw._sock.close()
        assert not reading.done
        response.fp.raw._sock.shutdown(socket.SHUT_RDWR)
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
        peer.ping(peer.want(PingFrame).opaque_data, ack=True)  # it wakes the thread that polls
        with pytest.raises(http.client.IncompleteRead, match="was shut down"):
            reading.result()
        peer.answer(3, b"unharmed")
        assert conn.getresponse(other).read() == b"unharmed"

    def test_the_body_without_the_file(self, peer: Peer, response: Any) -> None:
        peer.send_data(1, b"abc")
        assert response.fp.raw.read(2) == b"ab"
        peer.send_data(1, b"d", end_stream=True)
        assert io.BufferedReader(response.fp.raw).read() == b"cd"

    def test_to_close_the_body_is_to_give_it_up(self, peer: Peer, response: Any) -> None:
        response.fp.raw.close()
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
        assert peer.of(GoAwayFrame) == []

    def test_what_it_cannot_do(self, response: Any) -> None:
        with pytest.raises(io.UnsupportedOperation, match="read the response"):
            response.fp.raw._sock.recv(1)


def test_over_tls() -> None:
    ca = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(server)
    server.set_alpn_protocols(["h2"])
    client = ssl.create_default_context()
    ca.configure_trust(client)
    with Peer(tls=server) as peer:
        conn = peer.connect(host="localhost", context=client)
        connecting = peer.background(conn.connect)
        peer.accept()
        connecting.result()
        sock = conn.sock
        assert (sock.version(), sock.selected_alpn_protocol()) == ("TLSv1.3", "h2")
        assert sock.cipher()[1] == "TLSv1.3"
        assert dict(sock.getpeercert())["subjectAltName"] == (("DNS", "localhost"),)
        assert (sock.context, sock.server_hostname) == (client, "localhost")
        stream_id = conn.request("GET", "/")
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.answer(1, b"secret")
        assert conn.getresponse(stream_id).read() == b"secret"
        conn.close()
        assert ended(peer.wires[0])
