"""What does not come in time: the waiting thread gets an error, and no other thread is harmed."""

import http.client
import math
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hyperframe.frame import HeadersFrame, RstStreamFrame, WindowUpdateFrame

import hyperlite
import hyperlite.http2.liveness
from hyperlite.errors import ErrorCode, RequestTimeout
from hyperlite.http2.engine.windows import STREAM_WINDOW
from tests.inside import stream_of, transports_of
from tests.peer import TIMEOUT, Peer

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection
SHORT = 0.2


@contextmanager
def times_out(match: str) -> Iterator[None]:
    start = time.monotonic()
    with pytest.raises(RequestTimeout, match=match) as caught:
        yield
    assert isinstance(caught.value, TimeoutError)
    assert time.monotonic() - start >= SHORT


@pytest.fixture
def conn(peer: Peer) -> CONN:
    return peer.connect(timeout=SHORT)


class TestHeaders:
    def test_they_do_not_come(self, peer: Peer, conn: CONN) -> None:
        ids = [begin(peer, conn), conn.request("GET", "/2")]
        peer.want(HeadersFrame, 3)
        with times_out("no response came within 0.2 s"):
            conn.getresponse(ids[0])
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
        peer.answer(3, b"unharmed")
        assert conn.getresponse(ids[1]).read() == b"unharmed"

    def test_the_error_names_the_request(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        with pytest.raises(RequestTimeout) as caught:
            conn.getresponse(stream_id)
        assert caught.value.stream_id == stream_id

    def test_the_request_is_over(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        with pytest.raises(RequestTimeout):
            conn.getresponse(stream_id)
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse(stream_id)
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse()

    def test_not_even_the_settings_come(self, peer: Peer, conn: CONN) -> None:
        stream_id = conn.request("GET", "/")
        peer.accept()
        with times_out("no response came"):
            conn.getresponse(stream_id)

    def test_other_frames_are_no_answer(self, peer: Peer, conn: CONN) -> None:
        """A timeout for each frame would never end it."""
        stream_id = begin(peer, conn)
        over = threading.Event()

        def chatter() -> None:
            while not over.wait(0.01):
                peer.ping()
                peer.window_update(0, 1)

        chattering = peer.background(chatter)
        try:
            with times_out("no response came"):
                conn.getresponse(stream_id)
        finally:
            over.set()
        chattering.result()

    def test_informational_responses_are_no_answer(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1, [(":status", "103")])
        with times_out("no response came"):
            conn.getresponse(stream_id)

    def test_a_queued_request_times_out_too(
        self, peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hyperlite.http2.liveness, "SHORT_SILENCE", 0.0)
        acquaint(peer, conn, max_concurrent_streams=1)
        ids = [conn.request("GET", "/1"), conn.request("GET", "/2")]
        peer.want(HeadersFrame, 3)
        with times_out("no response came"):
            conn.getresponse(ids[1])
        peer.answer(3, b"one")
        assert conn.getresponse(ids[0]).read() == b"one"
        peer.want_eof()
        assert [frame.stream_id for frame in peer.of(HeadersFrame)] == [1, 3]  # the second was never sent


class TestBody:
    def test_no_more_of_it_comes(self, peer: Peer, conn: CONN) -> None:
        ids = [begin(peer, conn), conn.request("GET", "/2")]
        peer.send_headers(1)
        peer.send_data(1, b"abcd")
        response = conn.getresponse(ids[0])
        with times_out("no more of the body came within 0.2 s"):
            response.read()
        peer.answer(3, b"unharmed")
        assert conn.getresponse(ids[1]).read() == b"unharmed"
        response.close()

    def test_what_had_come_is_not_lost(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        peer.send_data(1, b"abcd")
        response = conn.getresponse(stream_id)
        with pytest.raises(RequestTimeout):
            response.read()
        with pytest.raises(RequestTimeout):
            response.readinto(bytearray(8))
        peer.send_data(1, b"efgh", end_stream=True)
        assert response.read() == b"abcdefgh"

    def test_what_had_come_is_credited_once(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        sending = peer.background(peer.send_body, 1, bytes(STREAM_WINDOW // 2), end_stream=False)
        response = conn.getresponse(stream_id)
        for _ in range(3):
            with pytest.raises(RequestTimeout):
                response.read()
        sending.result()
        peer.send_data(1, b"end", end_stream=True)
        assert len(response.read()) == STREAM_WINDOW // 2 + 3
        conn.close()
        peer.want_eof()
        assert (
            sum(frame.window_increment for frame in peer.of(WindowUpdateFrame, 1)) <= STREAM_WINDOW // 2 + 3
        )

    def test_half_a_frame_is_no_more_of_it(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        peer.send_raw(peer.frames.data(1, bytes(1000))[:500])
        response = conn.getresponse(stream_id)
        with times_out("no more of the body came"):
            response.read()
        response.close()

    def test_other_streams_are_no_more_of_it(self, peer: Peer, conn: CONN) -> None:
        ids = [begin(peer, conn), conn.request("GET", "/2")]
        peer.send_headers(1)
        response = conn.getresponse(ids[0])
        over = threading.Event()

        def feed_the_other() -> None:
            peer.send_headers(3)
            while not over.wait(0.01):
                peer.send_data(3, b"x")
            peer.send_data(3, end_stream=True)

        feeding = peer.background(feed_the_other)
        try:
            with times_out("no more of the body came"):
                response.read()
        finally:
            over.set()
        feeding.result()
        assert set(conn.getresponse(ids[1]).read()) == {ord("x")}
        response.close()


class TestWhoseTimeout:
    def test_each_wait_has_its_own(self, peer: Peer) -> None:
        """A timeout is for one blocking step, as http.client's is, and not for the whole response."""
        conn = peer.connect(timeout=1.5)
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        response = conn.getresponse(stream_id)
        step = threading.Event()

        def drip() -> None:
            for _ in range(4):
                step.wait(0.45)
                peer.send_data(1, b"x")
            peer.send_data(1, end_stream=True)

        dripping = peer.background(drip)
        assert response.read() == b"xxxx"
        dripping.result()

    def test_the_socket_s_settimeout_changes_it(self, peer: Peer) -> None:
        conn = peer.connect(timeout=60)
        stream_id = begin(peer, conn)
        conn.sock.settimeout(SHORT)
        assert conn.sock.gettimeout() == SHORT
        with times_out("within 0.2 s"):
            conn.getresponse(stream_id)

    def test_one_thread_s_is_not_another_s(self, peer: Peer) -> None:
        """The thread that reads for all gives up; the others go on."""
        conn = peer.connect(timeout=SHORT)
        ids = [begin(peer, conn), conn.request("GET", "/2")]
        hopeless = peer.background(conn.getresponse, ids[0])
        with pytest.raises(RequestTimeout):
            hopeless.result()
        peer.answer(3, b"two")
        assert conn.getresponse(ids[1]).read() == b"two"


class TestDeadlinesElsewhere:
    def test_as_ready_knows_of_them(self, peer: Peer) -> None:
        """Though nothing else limits the wait: that the deadline is over is a failure that has arrived."""
        conn = peer.connect(timeout=None)
        stream_id = conn.request("GET", "/", deadline=SHORT)
        peer.accept()
        peer.greet()
        ready = peer.background(lambda: list(conn.as_ready([stream_id])))
        assert ready.result() == [stream_id]
        with pytest.raises(RequestTimeout, match="before the deadline"):
            conn.getresponse(stream_id)

    @pytest.mark.parametrize("way", ["getresponse", "as_ready"])
    def test_nothing_at_all(self, peer: Peer, conn: CONN, way: str) -> None:
        """What has come already needs no time."""
        acquaint(peer, conn)
        stream_id = conn.request("GET", "/", timeout=0 if way == "getresponse" else 5)
        peer.want(HeadersFrame, 3)
        peer.answer(3, b"body")
        select.select([conn.sock], [], [], 5)
        if way == "as_ready":
            assert list(conn.as_ready([stream_id], timeout=0)) == [stream_id]
        assert conn.getresponse(stream_id).read() == b"body"

    def test_none_at_all(self, peer: Peer) -> None:
        conn = peer.connect(timeout=None, deadline=math.inf)
        stream_id = begin(peer, conn)
        getting = peer.background(conn.getresponse, stream_id)
        peer.answer(1, b"body")
        assert getting.result().read() == b"body"


class TestComeInTime:
    """What lies there when the time is over has come in time, though no thread has looked before."""

    @pytest.fixture
    def late(self, peer: Peer) -> tuple[CONN, int]:
        """A connection that had been idle, and a request on it that is sent when its deadline is near."""
        conn = peer.connect(timeout=60)
        acquaint(peer, conn)
        stream_id = conn.request("GET", "/", deadline=SHORT)
        peer.want(HeadersFrame, 3)
        return conn, stream_id

    def let_it_pass(self) -> None:
        threading.Event().wait(SHORT)

    def test_a_response(self, peer: Peer, late: tuple[CONN, int]) -> None:
        conn, stream_id = late
        peer.answer(3, b"in time")
        self.let_it_pass()
        assert conn.getresponse(stream_id).read() == b"in time"

    def test_a_response_by_as_ready(self, peer: Peer, late: tuple[CONN, int]) -> None:
        conn, stream_id = late
        peer.answer(3, b"in time")
        self.let_it_pass()
        assert list(conn.as_ready([stream_id])) == [stream_id]
        assert conn.getresponse(stream_id).read() == b"in time"

    def test_the_end_of_a_body(self, peer: Peer, late: tuple[CONN, int]) -> None:
        conn, stream_id = late
        peer.send_headers(3)
        response = conn.getresponse(stream_id)
        peer.send_data(3, b"in time", end_stream=True)
        self.let_it_pass()
        assert response.read() == b"in time"

    def test_as_ready_that_only_looks(self, peer: Peer) -> None:
        conn = peer.connect(timeout=60)
        acquaint(peer, conn)
        ids = [conn.request("GET", "/1"), conn.request("GET", "/2")]
        peer.want(HeadersFrame, 3)
        peer.want(HeadersFrame, 5)
        peer.answer(5, b"two")
        ready = conn.as_ready(ids, timeout=0)
        assert next(ready) == ids[1]
        with pytest.raises(RequestTimeout, match="1 responses did not come within 0 s"):
            next(ready)
        assert conn.getresponse(ids[1]).read() == b"two"


class TestConnecting:
    """No step of an exchange outlasts its request's own timeout, though the connection has none."""

    def test_a_handshake_that_never_ends(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            conn = hyperlite.HTTP20Connection("127.0.0.1", port, timeout=None)
            too_long = threading.Timer(TIMEOUT, listener.close)  # which resets what nothing has accepted
            too_long.start()
            try:
                with pytest.raises(TimeoutError):
                    conn.request("GET", "/", timeout=0.05)
            finally:
                too_long.cancel()

    @pytest.mark.parametrize("wait", ["getresponse", "as_ready"])
    def test_another_thread_that_sends_it_again(
        self, peer: Peer, conn: hyperlite.HTTP20Connection, wait: str
    ) -> None:
        conn.timeout = None
        stream_id = begin(peer, conn, "GET", "/")
        stream = stream_of(conn, stream_id)
        mux, stream.transport = stream.transport, None  # as it is while another thread connects
        stream.request.timeout = 0.05
        held, over = threading.Event(), threading.Event()

        def connect() -> None:
            with transports_of(conn).dialling:
                held.set()
                over.wait(TIMEOUT)
                stream.transport = mux

        other = threading.Thread(target=connect)
        other.start()
        assert held.wait(TIMEOUT)
        peer.answer(1)
        try:
            with pytest.raises(hyperlite.RequestTimeout):
                if wait == "getresponse":
                    conn.getresponse(stream_id)
                else:
                    next(iter(conn.as_ready([stream_id], timeout=0.05)))
        finally:
            over.set()
            other.join()
