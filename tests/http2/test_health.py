"""Is the peer still there: deadlines, time-outs on a silent connection, PING after a silence."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
from hyperframe.frame import DataFrame, HeadersFrame, PingFrame, RstStreamFrame

import hyperlite
import hyperlite.http2.liveness
from tests.inside import http2_of
from tests.peer import Peer

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection


@contextlib.contextmanager
def late(at_least: float = 0.0) -> Iterator[None]:
    """Expect a time-out, not before its time and not long after it."""
    start = time.monotonic()
    with pytest.raises(hyperlite.RequestTimeout):
        yield
    assert at_least <= time.monotonic() - start < at_least + 4


class TestDeadline:
    def test_no_response(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        with late(0.1):
            stream_id = conn.request("GET", "/", deadline=0.1)
            peer.want(HeadersFrame, 3)
            conn.getresponse(stream_id)
        assert peer.want(RstStreamFrame, 3).error_code == 8

    def test_a_body_that_drips(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        stream_id = conn.request("GET", "/", deadline=0.2)
        peer.want(HeadersFrame, 3)
        peer.send_headers(3)
        response = conn.getresponse(stream_id)
        with pytest.raises(hyperlite.RequestTimeout, match="deadline"):
            while True:
                peer.send_data(3, b"x")
                assert response.read1() == b"x"
        assert peer.want(RstStreamFrame, 3).error_code == 8

    def test_read_to_the_end(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        stream_id = conn.request("GET", "/", deadline=0.1)
        peer.want(HeadersFrame, 3)
        peer.send_headers(3)
        peer.send_data(3, b"half")
        with late():
            conn.getresponse(stream_id).read()

    def test_an_upload(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        with late(0.1):
            conn.request("POST", "/", [bytes(1 << 20)], deadline=0.1)
        peer.want(HeadersFrame, 3)
        assert len(peer.want_body(3, 65535)) == 65535
        assert peer.want(RstStreamFrame, 3).error_code == 8

    def test_waiting_for_a_slot_counts(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, max_concurrent_streams=1)
        conn.request("GET", "/1")
        queued = conn.request("GET", "/2", deadline=0.1)
        with late():
            conn.getresponse(queued)
        conn.close()

    def test_what_came_in_time_can_be_read_later(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        stream_id = conn.request("GET", "/", deadline=0.1)
        peer.want(HeadersFrame, 3)
        peer.answer(3, b"whole")
        response = conn.getresponse(stream_id)
        ping = peer.background(conn.ping)
        peer.ping(peer.want(PingFrame).opaque_data, ack=True)
        ping.result()
        time.sleep(0.1)  # for the deadline to pass
        assert response.read() == b"whole"

    def test_siblings_are_unharmed(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        hasty, patient = conn.request("GET", "/1", deadline=0.05), conn.request("GET", "/2")
        peer.want(HeadersFrame, 3)
        with late():
            conn.getresponse(hasty)
        peer.answer(5, b"here")
        assert conn.getresponse(patient).read() == b"here"

    def test_of_the_connection(self, peer: Peer) -> None:
        conn = peer.connect(deadline=0.1)
        stream_id = begin(peer, conn)
        with late():
            conn.getresponse(stream_id)

    def test_connecting_counts(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:  # takes no TLS hello
            conn = CONN("127.0.0.1", listener.getsockname()[1], timeout=30)
            start = time.monotonic()
            with pytest.raises(TimeoutError):
                conn.request("GET", "/", deadline=0.1)
            assert time.monotonic() - start < 20
            conn.close()


class TestTimeoutOfARequest:
    def test_it_is_the_request_s_own(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        stream_id = conn.request("GET", "/", timeout=0.1)
        with late(0.1):
            conn.getresponse(stream_id)

    def test_none_is_no_limit(self, peer: Peer) -> None:
        conn = peer.connect(timeout=0.1)
        acquaint(peer, conn)
        stream_id = conn.request("GET", "/", timeout=None)
        task = peer.background(conn.getresponse, stream_id)
        assert not task.join(0.3)
        peer.answer(3)
        task.result().read()


class TestASilentConnection:
    @pytest.fixture(autouse=True)
    def _any_silence_tells(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hyperlite.http2.liveness, "SHORT_SILENCE", 0.0)

    def test_is_not_used_again_after_a_time_out(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        first = peer.wires[-1]
        stream_id = conn.request("GET", "/", timeout=0.1)
        with late():
            conn.getresponse(stream_id)
        stream_id = conn.request("GET", "/again")
        second = peer.accept()
        assert second is not first
        second.greet()
        second.answer(1, b"here")
        assert conn.getresponse(stream_id).read() == b"here"
        first.want_eof()

    def test_what_waits_for_a_slot_there_moves(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, max_concurrent_streams=1)
        stuck = conn.request("GET", "/1", timeout=0.1)
        queued = conn.request("GET", "/2")
        with late():
            conn.getresponse(stuck)
        task = peer.background(conn.getresponse, queued)
        peer.accept()
        peer.greet()
        peer.answer(1, b"moved")
        assert task.result().read() == b"moved"

    def test_one_that_talks_is(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        slow, other = conn.request("GET", "/1", timeout=0.3), conn.request("GET", "/2")
        task = peer.background(conn.getresponse, slow)
        while not task.join(0.05):
            peer.send_headers(5, [(":status", "103")])
        with pytest.raises(hyperlite.RequestTimeout):
            task.result()
        peer.answer(5)
        conn.getresponse(other).read()
        again = conn.request("GET", "/3")
        assert len(peer.wires) == 1
        conn.cancel(again)


class TestAShortSilence:
    def poll(self, peer: Peer, conn: CONN, wire_id: int) -> None:
        """Ask for what does not come in a moment."""
        stream_id = conn.request("GET", "/poll", timeout=0.01)
        peer.want(HeadersFrame, wire_id)
        with late():
            conn.getresponse(stream_id)
        assert peer.want(RstStreamFrame, wire_id).error_code == 8

    @pytest.fixture(autouse=True)
    def _far_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hyperlite.http2.liveness, "SHORT_SILENCE", 30.0)

    def test_says_nothing(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        for wire_id in range(3, 43, 2):
            self.poll(peer, conn, wire_id)
        stream_id = conn.request("GET", "/")
        peer.want(HeadersFrame, 43)
        peer.answer(43, b"still here")
        assert conn.getresponse(stream_id).read() == b"still here"
        assert len(peer.wires) == 1

    def test_however_long_nothing_was_asked(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        http2_of(conn).table.liveness.moved -= 100
        self.poll(peer, conn, 3)
        assert http2_of(conn).usable

    def test_many_of_them_are_a_long_one(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        first = peer.wires[-1]
        self.poll(peer, conn, 3)
        http2_of(conn).table.liveness.moved -= 100
        http2_of(conn).table.liveness.asked -= 100
        self.poll(peer, conn, 5)
        stream_id = conn.request("GET", "/again")
        peer.accept()
        peer.greet()
        peer.answer(1, b"here")
        assert conn.getresponse(stream_id).read() == b"here"
        first.want_eof()


class TestPingAfterASilence:
    def connect(self, peer: Peer, **options: float) -> CONN:
        """Return a connection that has been silent for long."""
        conn = peer.connect(**options)
        acquaint(peer, conn)
        http2_of(conn).table.liveness.heard -= 100
        return conn

    def test_it_goes_with_the_request(self, peer: Peer) -> None:
        conn = self.connect(peer)
        stream_id = conn.request("GET", "/")
        ping = peer.want(PingFrame)
        peer.want(HeadersFrame, 3)
        peer.ping(ping.opaque_data, ack=True)
        peer.answer(3, b"alive")
        assert conn.getresponse(stream_id).read() == b"alive"

    def test_any_answer_will_do(self, peer: Peer) -> None:
        conn = self.connect(peer, ping_timeout=0.2)
        stream_id = conn.request("GET", "/")
        peer.want(PingFrame)
        peer.want(HeadersFrame, 3)
        task = peer.background(conn.getresponse, stream_id)
        peer.send_headers(3, [(":status", "103")])
        assert not task.join(0.4)  # no sign of life is asked for any more
        peer.answer(3)
        task.result().read()

    def test_no_answer_and_what_is_safe_goes_elsewhere(self, peer: Peer) -> None:
        conn = self.connect(peer, ping_timeout=0.1)
        first = peer.wires[-1]
        stream_id = conn.request("GET", "/")
        task = peer.background(conn.getresponse, stream_id)
        peer.accept()
        peer.greet()
        peer.answer(1, b"elsewhere")
        assert task.result().read() == b"elsewhere"
        first.want_eof()

    def test_no_answer_to_a_post_is_an_error(self, peer: Peer) -> None:
        conn = self.connect(peer, ping_timeout=0.1)
        stream_id = conn.request("POST", "/", b"once")
        with pytest.raises(hyperlite.ConnectionLost, match="PING") as caught:
            conn.getresponse(stream_id)
        assert not caught.value.retry_safe
        assert not peer.waiting

    def test_only_waiting_counts(self, peer: Peer) -> None:
        conn = self.connect(peer, ping_timeout=0.5)
        stream_id = conn.request("GET", "/")
        ping = peer.want(PingFrame)
        peer.want(HeadersFrame, 3)
        time.sleep(0.6)  # the program does something else
        peer.ping(ping.opaque_data, ack=True)
        peer.answer(3, b"alive")
        assert conn.getresponse(stream_id).read() == b"alive"
        assert len(peer.wires) == 1

    def test_none_without_a_silence(self, peer: Peer) -> None:
        conn = peer.connect()
        acquaint(peer, conn)
        conn.request("GET", "/")
        peer.want(HeadersFrame, 3)
        assert not peer.of(PingFrame)
        conn.close()

    def test_none_while_no_request_can_go_out(self, peer: Peer) -> None:
        conn = peer.connect()
        acquaint(peer, conn, max_concurrent_streams=1)
        ids = [conn.request("GET", "/")]
        peer.want(HeadersFrame, 3)
        http2_of(conn).table.liveness.heard -= 100
        ids.append(conn.request("GET", "/"))  # which waits for a slot
        peer.answer(3)
        conn.getresponse(ids[0]).read()
        peer.answer(5)
        conn.getresponse(ids[1]).read()
        assert not peer.of(PingFrame)

    def test_none_where_it_is_turned_off(self, peer: Peer) -> None:
        conn = peer.connect(keepalive_idle=None)
        acquaint(peer, conn)
        http2_of(conn).table.liveness.heard -= 1e6
        conn.request("GET", "/")
        peer.want(HeadersFrame, 3)
        conn.close()

    def test_what_may_have_been_processed_is_not_said_to_be_safe(self, peer: Peer) -> None:
        """A GET may be sent again, but the server may have processed it the first time."""
        conn = self.connect(peer, ping_timeout=0.1)
        conn.auto_open = 0
        stream_id = conn.request("GET", "/")
        with pytest.raises(hyperlite.ConnectionLost, match="no answer to a PING") as caught:
            conn.getresponse(stream_id)
        assert not caught.value.retry_safe

    def test_nor_is_a_refusal_of_the_second_try(self, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hyperlite.messages.replay.BACKOFF", 0.001)
        conn = self.connect(peer, ping_timeout=0.1)
        stream_id = conn.request("GET", "/")
        getting = peer.background(conn.getresponse, stream_id)
        for wire_ids in ((1, 3, 5), (1, 3)):
            peer.accept()
            peer.greet()
            for wire_id in wire_ids:
                peer.want(HeadersFrame, wire_id)
                peer.rst(wire_id, 7)
        with pytest.raises(hyperlite.StreamReset) as caught:
            getting.result()
        assert caught.value.error_code == 7
        assert not caught.value.retry_safe


def test_a_body_of_no_bytes_is_not_complete_before_its_end(peer: Peer, conn: CONN) -> None:
    stream_id = begin(peer, conn)
    peer.send_headers(1, [(":status", "200"), ("content-length", "0")])
    response = conn.getresponse(stream_id)
    peer.send_data(1, b"smuggled", end_stream=True)
    with pytest.raises(hyperlite.MalformedResponse, match="more body than content-length"):
        response.read()
    assert not peer.of(DataFrame)
