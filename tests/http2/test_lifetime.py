"""When a connection ends: which side closes it, and what can still be read."""

import gc
import http.client
import ssl

import pytest
import trustme
from hyperframe.frame import GoAwayFrame, HeadersFrame, RstStreamFrame

import hyperlite
from hyperlite.errors import ErrorCode
from tests.peer import Peer, Wire

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection


def ended(wire: Wire) -> bool:
    """Tell whether the client says GOAWAY with NO_ERROR, and closes; waits for it."""
    last = wire.want_eof()[-1]
    return isinstance(last, GoAwayFrame) and last.error_code == ErrorCode.NO_ERROR


class TestClose:
    def test_an_idle_connection(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        conn.close()
        assert conn.sock is None
        assert ended(peer.wires[0])

    def test_one_that_was_never_opened(self, peer: Peer, conn: CONN) -> None:
        conn.close()
        conn.close()
        assert not peer.waiting

    def test_a_response_that_was_taken_can_be_read(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        response = conn.getresponse(stream_id)
        conn.close()
        assert peer.silent()
        peer.send_data(1, b"still here", end_stream=True)
        assert response.read() == b"still here"
        assert ended(peer.wires[0])

    def test_the_last_response_closes_the_socket(self, peer: Peer, conn: CONN) -> None:
        ids = [begin(peer, conn), conn.request("GET", "/2")]
        peer.want(HeadersFrame, 3)
        for wire_id in (1, 3):
            peer.send_headers(wire_id)
        first, second = (conn.getresponse(stream_id) for stream_id in ids)
        conn.close()
        peer.send_data(1, b"one", end_stream=True)
        assert first.read() == b"one"
        assert peer.silent()
        peer.send_data(3, b"two", end_stream=True)
        assert second.read() == b"two"
        assert ended(peer.wires[0])

    def test_a_response_that_is_closed_closes_the_socket(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        response = conn.getresponse(stream_id)
        conn.close()
        response.close()
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
        assert ended(peer.wires[0])

    def test_a_response_that_is_dropped_closes_the_socket(self, peer: Peer, conn: CONN) -> None:
        """And no warning names a socket that was left open."""
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        response = conn.getresponse(stream_id)
        conn.close()
        del response
        gc.collect()
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
        assert ended(peer.wires[0])

    def test_what_was_not_taken_is_cancelled(self, peer: Peer, conn: CONN) -> None:
        ids = [begin(peer, conn), conn.request("GET", "/2")]
        peer.want(HeadersFrame, 3)
        peer.send_headers(1)
        response = conn.getresponse(ids[0])
        conn.close()
        assert peer.want(RstStreamFrame, 3).error_code == ErrorCode.CANCEL
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse(ids[1])
        peer.send_data(1, b"taken", end_stream=True)
        assert response.read() == b"taken"
        assert ended(peer.wires[0])

    def test_what_waited_for_a_slot_is_never_sent(self, peer: Peer, conn: CONN) -> None:
        """No caller would ever read its response."""
        acquaint(peer, conn, max_concurrent_streams=1)
        for _ in range(3):
            conn.request("GET", "/")
        peer.want(HeadersFrame, 3)
        conn.close()
        assert not [frame for frame in peer.want_eof() if isinstance(frame, HeadersFrame)]

    def test_the_next_request_opens_it_again(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        conn.close()
        stream_id = begin(peer, conn)
        assert stream_id == 3
        peer.answer(1, b"again")
        assert conn.getresponse(stream_id).read() == b"again"

    def test_not_with_auto_open_off(self, peer: Peer, conn: CONN) -> None:
        """As http.client: NotConnected."""
        acquaint(peer, conn)
        conn.auto_open = 0
        conn.close()
        with pytest.raises(http.client.NotConnected):
            conn.request("GET", "/")
        assert not peer.waiting

    def test_with_auto_open_off_it_must_be_connected_first(self, peer: Peer, conn: CONN) -> None:
        conn.auto_open = 0
        with pytest.raises(http.client.NotConnected):
            conn.request("GET", "/")
        assert not peer.waiting
        conn.connect()
        stream_id = begin(peer, conn)
        peer.answer(1, b"connected")
        assert conn.getresponse(stream_id).read() == b"connected"

    def test_a_with_block_closes_it(self, peer: Peer) -> None:
        with peer.connect() as conn:
            acquaint(peer, conn)
        assert ended(peer.wires[0])

    def test_connecting_again_lets_the_old_one_finish(self, peer: Peer, conn: CONN) -> None:
        first = begin(peer, conn)
        old = peer.wires[0]
        conn.connect()
        second = begin(peer, conn)
        old.answer(1, b"old")
        peer.answer(1, b"new")
        assert conn.getresponse(second).read() == b"new"
        assert conn.getresponse(first).read() == b"old"
        assert ended(old)


class TestTheSocketIsTakenAway:
    """urllib.request does it before the body is read."""

    def test_closed_and_forgotten(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        response = conn.getresponse(stream_id)
        conn.sock.close()
        conn.sock = None
        peer.send_data(1, b"body", end_stream=True)
        assert response.read() == b"body"
        assert ended(peer.wires[0])

    def test_closed_it_takes_no_further_request(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        conn.sock.close()
        assert ended(peer.wires[0])
        stream_id = begin(peer, conn)
        peer.answer(1, b"new")
        assert conn.getresponse(stream_id).read() == b"new"

    def test_forgotten_it_is_replaced(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        conn.sock = None
        stream_id = begin(peer, conn)
        assert ended(peer.wires[0])
        peer.answer(1, b"new")
        assert conn.getresponse(stream_id).read() == b"new"


def test_over_tls_a_close_without_notice_is_no_end_of_a_body() -> None:
    """Python's ssl module hides that the peer did not say close_notify."""
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
        stream_id = conn.request("GET", "/")
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.send_headers(1)
        peer.send_data(1, b"abcd")
        peer.finish()
        with pytest.raises(http.client.IncompleteRead) as caught:
            conn.getresponse(stream_id).read()
        assert caught.value.partial == b"abcd"
