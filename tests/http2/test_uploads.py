"""Requests with bodies: by the peer's windows, and until it has enough of them."""

import http.client
import time
from collections.abc import Iterator

import pytest
from hyperframe.frame import DataFrame, HeadersFrame, RstStreamFrame

import hyperlite
from hyperlite.errors import ErrorCode, RequestTimeout, StreamReset
from tests.inside import stream_of
from tests.peer import Peer, Task

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection
DEFAULT_WINDOW = 65535


def finishes(peer: Peer, conn: CONN, wire_id: int) -> bool:
    """Tell whether the connection is whole: another request on it is answered."""
    stream_id = conn.request("GET", "/alive")
    peer.want(HeadersFrame, wire_id)
    peer.answer(wire_id, b"alive")
    return conn.getresponse(stream_id).read() == b"alive"


class TestWindows:
    def test_within_the_window_a_request_is_sent_at_once(self, peer: Peer, conn: CONN) -> None:
        body = bytes(range(256)) * 200
        stream_id = begin(peer, conn, "POST", "/", body)
        assert peer.want_end(1) == body
        assert max(len(frame.data) for frame in peer.of(DataFrame)) <= 16384
        peer.answer(1)
        assert conn.getresponse(stream_id).status == 200

    def test_an_empty_body_ends_with_its_headers(self, peer: Peer, conn: CONN) -> None:
        begin(peer, conn, "POST", "/", b"")
        (headers,) = peer.of(HeadersFrame)
        assert "END_STREAM" in headers.flags
        assert ("content-length", "0") in headers.fields

    def test_a_tiny_window(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, initial_window_size=10)
        uploading = peer.background(conn.request, "POST", "/", b"0123456789" * 10)
        peer.want(HeadersFrame, 3)
        received = peer.want_body(3, 10)
        for increment in (1, 9, 30, 49):
            assert peer.silent()
            peer.window_update(3, increment)
            received += peer.want_body(3, increment)
        peer.window_update(3, 100)
        received += peer.want_end(3)
        assert received == b"0123456789" * 10
        peer.answer(3, b"done")
        assert conn.getresponse(uploading.result()).read() == b"done"

    def test_a_window_of_nothing_that_settings_open(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, initial_window_size=0)
        uploading = peer.background(conn.request, "POST", "/", b"x" * 100)
        peer.want(HeadersFrame, 3)
        assert peer.silent()
        peer.send_settings(initial_window_size=DEFAULT_WINDOW)
        assert peer.want_end(3) == b"x" * 100
        peer.answer(3)
        assert conn.getresponse(uploading.result()).status == 200

    def test_a_window_that_is_narrowed_below_nothing(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        uploading = peer.background(conn.request, "POST", "/", b"x" * 70_000)
        peer.want(HeadersFrame, 3)
        peer.want_body(3, DEFAULT_WINDOW)
        peer.send_settings(initial_window_size=0)
        peer.window_update(0, 100_000)
        peer.window_update(3, DEFAULT_WINDOW)
        peer.window_update(3, 65)
        assert len(peer.want_body(3, 65)) == 65
        peer.window_update(3, 10_000)
        assert len(peer.want_end(3)) == 70_000 - DEFAULT_WINDOW - 65
        peer.answer(3)
        assert conn.getresponse(uploading.result()).status == 200

    def test_the_connection_s_window_is_shared(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, initial_window_size=1_000_000)
        first = peer.background(conn.request, "POST", "/", b"a" * 100_000)
        peer.want(HeadersFrame, 3)
        peer.want_body(3, DEFAULT_WINDOW)
        assert peer.silent()
        peer.window_update(0, 100_000)
        peer.want_end(3)
        peer.answer(3)
        assert conn.getresponse(first.result()).status == 200

    def test_a_download_goes_on_while_an_upload_waits(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, initial_window_size=0)
        uploading = peer.background(conn.request, "POST", "/", b"x")
        peer.want(HeadersFrame, 3)
        assert finishes(peer, conn, 5)
        peer.window_update(3, 1)
        assert peer.want_end(3) == b"x"
        peer.answer(3)
        assert conn.getresponse(uploading.result()).status == 200


class TestPieces:
    def test_each_piece_is_sent_as_it_comes(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn, "POST", "/", iter([b"one", b"", b"two"]))
        assert peer.want_end(1) == b"onetwo"
        frames = peer.of(DataFrame)
        assert [(frame.data, "END_STREAM" in frame.flags) for frame in frames] == [
            (b"one", False),
            (b"two", False),
            (b"", True),
        ]
        peer.answer(1)
        assert conn.getresponse(stream_id).status == 200

    def test_no_pieces_at_all(self, peer: Peer, conn: CONN) -> None:
        begin(peer, conn, "POST", "/", iter([]))
        assert peer.want_end(1) == b""

    def test_the_next_piece_is_asked_for_when_the_last_was_sent(self, peer: Peer, conn: CONN) -> None:
        asked = []

        def body() -> Iterator[bytes]:
            for number in range(3):
                asked.append(number)
                yield b"x" * 10

        acquaint(peer, conn, initial_window_size=15)
        uploading = peer.background(conn.request, "POST", "/", body())
        peer.want(HeadersFrame, 3)
        peer.want_body(3, 15)
        assert asked == [0, 1]
        peer.window_update(3, 15)
        assert len(peer.want_end(3)) == 15
        peer.answer(3)
        assert conn.getresponse(uploading.result()).status == 200

    def test_one_that_raises_cancels_the_request(self, peer: Peer, conn: CONN) -> None:
        def body() -> Iterator[bytes]:
            yield b"beginning"
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            conn.request("POST", "/", body())
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        assert peer.want_body(1, 9) == b"beginning"
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
        assert finishes(peer, conn, 3)


class TestEarlyAnswers:
    """RFC 9113 section 8.1: a client must not discard a response because its request was cut short."""

    BIG = b"x" * 200_000  # more than the window of 65,535 that the peer does not widen

    @pytest.fixture(params=["bytes", "iterator"])
    def uploading(self, request: pytest.FixtureRequest, peer: Peer, conn: CONN) -> Task:
        acquaint(peer, conn)
        body = self.BIG if request.param == "bytes" else iter([self.BIG] * 3)
        uploading = peer.background(conn.request, "POST", "/", body)
        peer.want(HeadersFrame, 3)
        peer.want_body(3, DEFAULT_WINDOW)
        return uploading

    def test_with_a_reset_behind_it(self, peer: Peer, conn: CONN, uploading: Task) -> None:
        """As servers do that want no more: RST_STREAM with NO_ERROR."""
        answer = peer.frames.headers(3, [(":status", "413"), ("content-length", "8")])
        peer.send_raw(answer + peer.frames.data(3, b"too much", end_stream=True) + peer.frames.rst(3))
        response = conn.getresponse(uploading.result())
        assert (response.status, response.read()) == (413, b"too much")
        stream_id = conn.request("GET", "/")
        peer.want(HeadersFrame, 5)  # a reset is not answered by another: RFC 9113 section 5.4.2
        peer.answer(5, b"alive")
        assert conn.getresponse(stream_id).read() == b"alive"

    def test_with_nothing_behind_it(self, peer: Peer, conn: CONN, uploading: Task) -> None:
        peer.answer(3, b"forbidden", status=403)
        response = conn.getresponse(uploading.result())
        assert (response.status, response.read()) == (403, b"forbidden")
        assert peer.want(RstStreamFrame, 3).error_code == ErrorCode.NO_ERROR
        assert finishes(peer, conn, 5)

    def test_without_a_body(self, peer: Peer, conn: CONN, uploading: Task) -> None:
        peer.answer(3, status=401)
        assert conn.getresponse(uploading.result()).status == 401
        peer.want(RstStreamFrame, 3)
        assert finishes(peer, conn, 5)

    def test_that_is_not_complete_is_not_taken_for_complete(
        self, peer: Peer, conn: CONN, uploading: Task
    ) -> None:
        peer.send_headers(3, [(":status", "413"), ("content-length", "8")])
        peer.send_data(3, b"too")
        peer.rst(3, ErrorCode.NO_ERROR)
        try:
            stream_id = uploading.result()
        except StreamReset:  # an iterator could go no further
            return
        with pytest.raises(StreamReset, match="NO_ERROR"):
            conn.getresponse(stream_id).read()

    def test_whose_headers_come_first_does_not_end_the_upload(
        self, peer: Peer, conn: CONN, uploading: Task
    ) -> None:
        """It may be an echo."""
        peer.send_headers(3)
        peer.window_update(0, 1_000_000)
        peer.window_update(3, 1_000_000)
        rest = peer.want_end(3)
        assert len(rest) in (200_000 - DEFAULT_WINDOW, 600_000 - DEFAULT_WINDOW)
        peer.send_data(3, b"got it", end_stream=True)
        assert conn.getresponse(uploading.result()).read() == b"got it"

    def test_an_iterator_is_asked_no_further(self, peer: Peer, conn: CONN) -> None:
        asked = []

        def body() -> Iterator[bytes]:
            while True:
                asked.append(1)
                yield self.BIG

        acquaint(peer, conn)
        uploading = peer.background(conn.request, "POST", "/", body())
        peer.want(HeadersFrame, 3)
        peer.want_body(3, DEFAULT_WINDOW)
        peer.answer(3, b"enough")
        assert conn.getresponse(uploading.result()).read() == b"enough"
        assert asked == [1]

    def test_one_that_another_thread_has_read_ends_the_upload(self, peer: Peer, conn: CONN) -> None:
        """Between two pieces: no thread asks for the next."""
        asked = []

        def body() -> Iterator[bytes]:
            asked.append(1)
            yield b"one"
            peer.want(HeadersFrame, 5)
            assert peer.want_body(5, 3) == b"one"
            peer.answer(5, b"enough")
            peer.answer(3)
            sibling.result()  # and with it, the answer before it has been read
            asked.append(2)
            yield b"two"
            asked.append(3)

        acquaint(peer, conn)
        sibling = peer.background(conn.getresponse, conn.request("GET", "/"))
        peer.want(HeadersFrame, 3)
        assert conn.getresponse(conn.request("POST", "/", body())).read() == b"enough"
        assert asked == [1, 2]
        assert peer.want(RstStreamFrame, 5).error_code == ErrorCode.NO_ERROR


class TestFailures:
    def test_the_peer_resets_the_upload(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        uploading = peer.background(conn.request, "POST", "/", bytes(100_000))
        peer.want(HeadersFrame, 3)
        peer.want_body(3, DEFAULT_WINDOW)
        peer.rst(3, ErrorCode.CANCEL)
        with pytest.raises(StreamReset, match="CANCEL") as caught:
            conn.getresponse(uploading.result())
        assert not caught.value.retry_safe
        assert finishes(peer, conn, 5)

    def test_the_peer_resets_the_upload_between_two_pieces(self, peer: Peer, conn: CONN) -> None:
        def body() -> Iterator[bytes]:
            yield b"one"
            peer.want(HeadersFrame, 5)
            assert peer.want_body(5, 3) == b"one"
            peer.rst(5, ErrorCode.CANCEL)
            peer.answer(3)
            sibling.result()  # and with it, the reset before it has been read
            yield b"two"

        acquaint(peer, conn)
        sibling = peer.background(conn.getresponse, conn.request("GET", "/"))
        peer.want(HeadersFrame, 3)
        with pytest.raises(StreamReset, match="CANCEL"):
            conn.request("POST", "/", body())
        assert finishes(peer, conn, 7)

    def test_the_window_is_opened_too_far(self, peer: Peer, conn: CONN) -> None:
        """RFC 9113 section 6.9.1: an error of the stream."""
        acquaint(peer, conn)
        uploading = peer.background(conn.request, "POST", "/", bytes(100_000))
        peer.want(HeadersFrame, 3)
        peer.want_body(3, DEFAULT_WINDOW)
        peer.window_update(3, 2**31 - 1)
        peer.window_update(3, 2**31 - 1)
        assert peer.want(RstStreamFrame, 3).error_code == ErrorCode.FLOW_CONTROL_ERROR
        with pytest.raises(StreamReset, match="FLOW_CONTROL_ERROR"):
            conn.getresponse(uploading.result())
        assert finishes(peer, conn, 5)

    @pytest.mark.parametrize("body", [bytes(100_000), [bytes(100_000)]], ids=["bytes", "list"])
    def test_the_window_stays_shut(self, peer: Peer, conn: CONN, body: object) -> None:
        acquaint(peer, conn)
        sibling = conn.request("GET", "/")
        peer.want(HeadersFrame, 3)
        conn.sock.settimeout(0.2)
        with pytest.raises(RequestTimeout, match=r"could not be sent within 0\.2 s"):
            conn.request("POST", "/", body)
        peer.want(HeadersFrame, 5)
        peer.want_body(5, DEFAULT_WINDOW)
        assert peer.want(RstStreamFrame, 5).error_code == ErrorCode.CANCEL
        peer.answer(3, b"unharmed")
        assert conn.getresponse(sibling).read() == b"unharmed"
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse()  # nothing is left of the one that failed

    def test_the_peer_does_not_read(self, peer: Peer) -> None:
        """The windows are wide, and the socket takes no more."""
        conn = peer.connect(timeout=0.3)
        acquaint(peer, conn, initial_window_size=2**31 - 1)
        peer.window_update(0, 2**31 - 1 - DEFAULT_WINDOW)
        with pytest.raises(TimeoutError):
            conn.request("POST", "/", bytes(50_000_000))

    def test_the_connection_ends(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        uploading = peer.background(conn.request, "POST", "/", bytes(100_000))
        peer.want(HeadersFrame, 3)
        peer.want_body(3, DEFAULT_WINDOW)
        peer.close()
        with pytest.raises(ConnectionResetError) as caught:
            conn.getresponse(uploading.result())
        assert not caught.value.retry_safe
        assert not peer.waiting


def test_two_threads_send_a_body(peer: Peer, conn: CONN) -> None:
    """The piece of the second waits for that of the first, and does not take its place."""
    acquaint(peer, conn, initial_window_size=0)
    stream_id = conn.request("POST", "/", end_stream=False)
    stream = stream_of(conn, stream_id)
    peer.want(HeadersFrame, 3)
    tasks = [peer.background(conn.send, b"aaaa", stream_id)]
    while not stream.sending:
        time.sleep(0)
    tasks.append(peer.background(conn.send, b"bbbb", stream_id))
    while not stream.waiters:
        time.sleep(0)
    peer.window_update(3, 100)
    for task in tasks:
        task.result()
    conn.end(stream_id)
    assert peer.want_end(3) == b"aaaabbbb"
    peer.answer(3)
    assert conn.getresponse(stream_id).status == 200
