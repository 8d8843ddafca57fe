"""Sending again comes to an end: with the connection, after five tries, and within the caller's time."""

import http.client
import socket
import time
from typing import Any

import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame

import hyperlite
import hyperlite.messages.replay
import hyperlite.transports
from hyperlite.errors import ConnectionLost, ErrorCode, RequestTimeout
from hyperlite.http2.engine import make_engine
from tests.inside import http2_of, stream_of
from tests.peer import Peer

from .conftest import EVERYTHING, acquaint, begin, path_of


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperlite.messages.replay, "BACKOFF", 0.001)


class TestTheEndOfTheConnection:
    """A request that was written may have been processed, whatever its method."""

    @pytest.mark.parametrize("end", ["close", "reset_tcp", "finish"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_what_was_sent_is_not_sent_again(
        self, peer: Peer, conn: hyperlite.HTTP20Connection, end: str, method: str
    ) -> None:
        stream_id = begin(peer, conn, method, "/")
        getattr(peer, end)()
        with pytest.raises(http.client.RemoteDisconnected) as caught:
            conn.getresponse(stream_id)
        assert isinstance(caught.value, ConnectionLost)
        assert (caught.value.stream_id, caught.value.retry_safe) == (stream_id, False)
        assert not peer.waiting

    def test_before_the_settings(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = conn.request("GET", "/")
        peer.accept().close()
        with pytest.raises(ConnectionLost):
            conn.getresponse(stream_id)
        assert not peer.waiting

    def test_what_waited_for_a_slot_is_sent_elsewhere(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        acquaint(peer, conn, max_concurrent_streams=1)
        first, second = conn.request("POST", "/1"), conn.request("POST", "/2")
        peer.want(HeadersFrame, 3)
        peer.close()
        getting = peer.background(conn.getresponse, second)
        new = peer.accept()
        new.greet()
        assert path_of(new.want(HeadersFrame, 1)) == "/2"
        new.answer(1, b"two")
        assert getting.result().read() == b"two"
        with pytest.raises(ConnectionLost) as caught:
            conn.getresponse(first)
        assert not caught.value.retry_safe

    def test_the_next_request_connects_anew(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        first = begin(peer, conn)
        peer.close()
        with pytest.raises(ConnectionLost):
            conn.getresponse(first)
        second = begin(peer, conn)
        peer.answer(1, b"new")
        assert conn.getresponse(second).read() == b"new"

    def test_a_request_that_never_left_is_sent_again(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        """A request that is still in the client's memory when the connection ends is not processed.

        Small socket buffers see to it: they hold less than the body that is queued ahead of the request.
        """
        acquaint(peer, conn, initial_window_size=2**31 - 1)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.window_update(0, 2**30)
        first = peer.background(conn.request, "POST", "/1", bytes(20_000_000))
        peer.want(HeadersFrame, 3)  # and the peer reads no further: the socket fills up
        while not http2_of(conn).wants_write:
            assert not first.join(0.01)
        second = peer.background(conn.request, "GET", "/2")
        while http2_of(conn).counts != (2, 0):
            assert not second.join(0.01)
        peer.reset_tcp()
        with pytest.raises(ConnectionLost) as caught:
            conn.getresponse(first.result())
        assert not caught.value.retry_safe
        getting = peer.background(lambda: conn.getresponse(second.result()))
        new = peer.accept()
        new.greet()
        assert path_of(new.want(HeadersFrame, 1)) == "/2"
        new.answer(1, b"two")
        assert getting.result().read() == b"two"


class TestExhaustion:
    """RFC 9113 section 5.1.1: the stream numbers of a connection end."""

    @pytest.fixture(autouse=True)
    def _almost_exhausted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        engines = [make_engine(first_wire_id=2**31 - 3)]
        monkeypatch.setattr(
            hyperlite.transports, "make_engine", lambda **_: engines.pop() if engines else make_engine()
        )

    def test_the_next_request_goes_elsewhere(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        ids = [conn.request("GET", f"/{number}") for number in range(3)]
        assert ids == [1, 3, 5]
        old, new = peer.accept(), peer.accept()
        for wire in (old, new):
            wire.greet()
        answers = [(old, 2**31 - 3), (old, 2**31 - 1), (new, 1)]
        for number, (wire, wire_id) in enumerate(answers):
            assert path_of(wire.want(HeadersFrame, wire_id)) == f"/{number}"
            wire.answer(wire_id, b"%d" % number)
        assert [conn.getresponse(stream_id).read() for stream_id in ids] == [b"0", b"1", b"2"]
        assert isinstance(old.want_eof()[-1], GoAwayFrame)

    def test_what_waits_for_a_slot_goes_elsewhere(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        ids = conn.request_many([("GET", f"/{number}") for number in range(3)])
        old = peer.accept()
        old.greet()
        for wire_id in (2**31 - 3, 2**31 - 1):
            old.want(HeadersFrame, wire_id)
            old.answer(wire_id, b"old")
        getting = peer.background(conn.getresponse, ids[2])
        new = peer.accept()
        new.greet()
        assert path_of(new.want(HeadersFrame, 1)) == "/2"
        new.answer(1, b"new")
        assert getting.result().read() == b"new"
        assert [conn.getresponse(stream_id).read() for stream_id in ids[:2]] == [b"old", b"old"]


class TestMeanwhile:
    def test_the_deadline_holds_for_the_next_connection(self, peer: Peer) -> None:
        conn = peer.connect(timeout=5)
        stream_id = conn.request("GET", "/", deadline=0.3)
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        timeouts = []

        def create_connection(address: Any, timeout: float, source_address: Any) -> Any:
            timeouts.append(timeout)
            return socket.create_connection(address, timeout, source_address)

        conn._create_connection = create_connection
        peer.goaway(0)
        with pytest.raises(RequestTimeout, match="before the deadline"):
            conn.getresponse(stream_id)
        assert timeouts
        assert timeouts[0] <= 0.3

    def test_a_body_that_waits_for_100_continue(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        """The request is refused instead: as with any other, that is getresponse()'s to mend."""
        acquaint(peer, conn)
        headers = {"Expect": "100-continue"}
        sending = peer.background(conn.request, "PUT", "/", b"body", headers)
        peer.want(HeadersFrame, 3)
        peer.rst(3, ErrorCode.REFUSED_STREAM)
        getting = peer.background(conn.getresponse, sending.result())
        peer.want(HeadersFrame, 5)
        assert peer.want_end(5) == b"body"
        peer.answer(5, b"thanks")
        assert getting.result().read() == b"thanks"

    def test_a_thread_that_still_writes_a_request_leaves_it_to_the_one_that_sends_it_again(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        """Another thread was faster, and the first finds the stream elsewhere."""
        acquaint(peer, conn, initial_window_size=EVERYTHING)
        peer.window_update(0, EVERYTHING - 65535)
        mux = http2_of(conn)
        sending = peer.background(conn.request, "POST", "/", bytes(20 << 20))
        while not mux.table.writer.backlog:  # it waits for the socket
            time.sleep(0)
        stream = stream_of(conn, 3)
        with mux._io.lock:
            mux._io.shut(ConnectionLost("the server is gone", retry_safe=True))
            stream.reset()
            stream.wire_id = 1
        assert sending.result(1) == 3
