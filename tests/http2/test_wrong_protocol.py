"""A port that speaks another protocol: the error says which one, or what may be the matter."""

import http.client
import io
import ssl
from collections.abc import Callable
from typing import Any

import pytest

import hyperlite
from hyperlite import client
from hyperlite.errors import ConnectionLost, NotHTTP1, NotHTTP2
from hyperlite.messages.head import HeadReader, LineReader
from hyperlite.testing.certificates import certificates
from hyperlite.testing.hostile.frames import FrameFactory
from tests.peer import Peer

FRAMES = FrameFactory()
# How servers answer an HTTP/1.1 request that take HTTP/2 alone: nghttpd and Node; nginx; Jetty.
HTTP2 = {
    "settings and goaway": FRAMES.settings(max_concurrent_streams=100) + FRAMES.goaway(0, 1),
    "settings": FRAMES.settings(
        max_concurrent_streams=128, initial_window_size=65536, max_frame_size=1 << 20
    ),
    "goaway": FRAMES.goaway(0, 1, b"invalid_preface"),
}
TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
ANSWERS = [*[(answer, "takes HTTP/2 alone") for answer in HTTP2.values()], (TLS_ALERT, "takes TLS alone")]
NAMES = [*HTTP2, "tls alert"]


def by_upgrade(port: int) -> Any:
    with hyperlite.HTTP20Connection("127.0.0.1", port, secure=False, upgrade=True, timeout=5) as conn:
        return conn.getresponse(conn.request("GET", "/"))


def by_http_client(port: int) -> Any:
    conn = client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        conn.request("GET", "/")
        return conn.getresponse()
    finally:
        conn.close()


def by_fetch(port: int) -> Any:
    with hyperlite.ConnectionPool(timeout=5, retries=0) as pool:
        return pool.fetch(f"http://127.0.0.1:{port}/")


WAYS = [by_upgrade, by_http_client, by_fetch]


def play(peer: Peer, call: Callable[[int], Any], answer: bytes) -> None:
    """Make a call to the peer, which reads the request, sends these bytes and hangs up; raise its error."""
    task = peer.background(call, peer.port)
    wire = peer.accept()
    assert wire.sock.recv(65536)
    wire.send_raw(answer)
    wire.close()
    task.result()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("answer", "says"), ANSWERS, ids=NAMES)
def test_an_http11_request_that_is_answered_in_another_protocol(
    peer: Peer, way: Callable[[int], Any], answer: bytes, says: str
) -> None:
    with pytest.raises(NotHTTP1, match=says) as caught:
        play(peer, way, answer)
    assert isinstance(caught.value, http.client.BadStatusLine)
    assert caught.value.line.encode("latin-1") == answer[:100]
    assert not caught.value.retry_safe


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n", bytes(9), b"\0\0\x07\4\0\0\0\0\0\r\n"])
def test_what_is_neither_is_no_status_line(peer: Peer, way: Callable[[int], Any], answer: bytes) -> None:
    with pytest.raises(http.client.BadStatusLine) as caught:
        play(peer, way, answer)
    assert not isinstance(caught.value, hyperlite.HTTP2Error)


class BytewiseFile(io.BytesIO):
    """A file of which one byte at a time has come."""

    def peek(self, _size: int) -> bytes:
        return self.getvalue()[self.tell() : self.tell() + 1]


@pytest.mark.parametrize(("answer", "says"), ANSWERS, ids=NAMES)
def test_an_answer_in_another_protocol_that_comes_in_pieces(answer: bytes, says: str) -> None:
    with pytest.raises(NotHTTP1, match=says):
        HeadReader(LineReader(BytewiseFile(answer))).read()


@pytest.mark.parametrize(("answer", "enough"), [(b"\0\0", 2), (b"\x15rest", 2), (b"SSH-2.0", 1)])
def test_no_more_is_waited_for_than_shows_what_an_answer_is(answer: bytes, enough: int) -> None:
    file = BytewiseFile(answer)
    with pytest.raises(http.client.BadStatusLine) as caught:
        HeadReader(LineReader(file)).read()
    assert not isinstance(caught.value, hyperlite.HTTP2Error)
    assert file.tell() == enough


@pytest.mark.parametrize("size", [2, 7])
def test_http2_on_a_port_that_takes_tls(peer: Peer, size: int) -> None:
    """The alert is shorter than the header of a frame, and the last that comes."""
    conn = peer.connect()
    stream_id = conn.request("GET", "/")
    wire = peer.accept()
    wire.send_raw(TLS_ALERT[:size])
    wire.finish()
    with pytest.raises(NotHTTP2, match="takes TLS alone"):
        conn.getresponse(stream_id)


def test_http2_on_a_port_that_hangs_up_without_a_word(peer: Peer) -> None:
    """So do Apache, Go, Node and nghttpx where they expect TLS."""
    conn = peer.connect()
    stream_id = conn.request("GET", "/")
    peer.accept().close()
    with pytest.raises(ConnectionLost, match="does not take HTTP/2 in cleartext"):
        conn.getresponse(stream_id)


def test_a_connection_that_breaks_later_is_no_wrong_port(peer: Peer) -> None:
    conn = peer.connect()
    stream_id = conn.request("GET", "/")
    peer.accept().greet()
    peer.finish()
    with pytest.raises(ConnectionLost, match=r"closed the connection$"):
        conn.getresponse(stream_id)


def test_tls_on_a_port_that_hangs_up_without_a_word(peer: Peer) -> None:
    """So does HAProxy where it takes HTTP/2 in cleartext alone."""
    context = hyperlite.create_context(cafile=certificates().ca_file)
    conn = hyperlite.HTTP20Connection("127.0.0.1", peer.port, context=context, timeout=5)
    task = peer.background(conn.request, "GET", "/")
    wire = peer.accept()
    assert wire.sock.recv(65536)
    wire.close()
    with pytest.raises(ssl.SSLError, match=f"127.0.0.1:{peer.port} hung up during the TLS handshake"):
        task.result()
