"""Which streams may be on the wire, which wait, and what frees a slot: by the frames that the peer sees."""

import gc
import http.client

import pytest
from hyperframe.frame import HeadersFrame, RstStreamFrame, WindowUpdateFrame

import hyperlite
from hyperlite.errors import BufferLimitExceeded, ErrorCode, MalformedResponse, StreamReset
from hyperlite.http2 import unread
from hyperlite.http2.engine.windows import STREAM_WINDOW
from tests.peer import Peer

from .conftest import acquaint, begin, path_of

CONN = hyperlite.HTTP20Connection


class TestQueue:
    def test_what_exceeds_the_limit_waits(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, max_concurrent_streams=2)
        ids = [conn.request("GET", f"/{number}") for number in range(4)]
        assert [path_of(peer.want(HeadersFrame, wire_id)) for wire_id in (3, 5)] == ["/0", "/1"]
        assert peer.silent()
        assert "2 streams, 2 queued" in repr(conn)
        for wire_id, number in [(5, 1), (3, 0), (7, 2), (9, 3)]:
            peer.answer(wire_id, b"%d" % number)
            assert conn.getresponse(ids[number]).read() == b"%d" % number
            if wire_id in (5, 3):
                assert path_of(peer.want(HeadersFrame, {5: 7, 3: 9}[wire_id])) == {5: "/2", 3: "/3"}[wire_id]

    def test_never_more_are_open_than_allowed(self, peer: Peer, conn: CONN) -> None:
        """Answered one at a time, the oldest last."""
        acquaint(peer, conn, max_concurrent_streams=3)

        def serve() -> int:
            opened, most = [], 0
            for received in range(1, 21):
                opened.append(peer.want(HeadersFrame).stream_id)
                most = max(most, len(opened))
                if len(opened) == 3 or received == 20:
                    peer.answer(opened.pop(), b"x")
            while opened:
                peer.answer(opened.pop(), b"x")
            return most

        most = peer.background(serve)
        ids = [conn.request("GET", "/") for _ in range(20)]
        assert [conn.getresponse(stream_id).read() for stream_id in ids] == [b"x"] * 20
        assert most.result() == 3

    def test_before_the_settings_a_hundred_are_sent(self, peer: Peer, conn: CONN) -> None:
        ids = conn.request_many([("GET", f"/{number}") for number in range(150)])
        peer.accept()
        for number in range(100):
            assert path_of(peer.want(HeadersFrame)) == f"/{number}"
        assert peer.silent()
        peer.greet()
        peer.answer(1)
        assert conn.getresponse(ids[0]).status == 200
        for number in range(100, 150):
            assert path_of(peer.want(HeadersFrame)) == f"/{number}"

    def test_settings_alone_start_what_waits(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, max_concurrent_streams=0)
        stream_id = conn.request("GET", "/")
        waiting = peer.background(conn.getresponse, stream_id)
        assert peer.silent()
        peer.send_settings(max_concurrent_streams=10)
        peer.want(HeadersFrame, 3)
        peer.answer(3, b"x")
        assert waiting.result().read() == b"x"

    def test_a_limit_that_is_lowered_holds_for_new_streams(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, max_concurrent_streams=4)
        ids = [conn.request("GET", "/") for _ in range(6)]
        for wire_id in (3, 5, 7, 9):
            peer.want(HeadersFrame, wire_id)
        peer.send_settings(max_concurrent_streams=2)
        for wire_id, stream_id in zip((3, 5), ids, strict=False):
            peer.answer(wire_id)
            conn.getresponse(stream_id)
        assert peer.of(HeadersFrame)[-1].stream_id == 9  # two are open, none was added
        peer.answer(7)
        conn.getresponse(ids[2])
        peer.want(HeadersFrame, 11)
        peer.answer(9)
        conn.getresponse(ids[3])
        peer.want(HeadersFrame, 13)
        for wire_id, stream_id in zip((11, 13), ids[4:], strict=True):
            peer.answer(wire_id)
            assert conn.getresponse(stream_id).status == 200

    def test_an_upload_waits_for_a_slot(self, peer: Peer, conn: CONN) -> None:
        """One whose body comes in pieces is not queued: `request()` itself waits."""
        acquaint(peer, conn, max_concurrent_streams=1)
        first = conn.request("GET", "/")
        peer.want(HeadersFrame, 3)
        uploading = peer.background(conn.request, "PUT", "/", iter([b"ab", b"cd"]))
        getting = peer.background(conn.getresponse, first)
        peer.answer(3, b"x")
        assert getting.result().read() == b"x"
        peer.want(HeadersFrame, 5)
        assert peer.want_end(5) == b"abcd"
        peer.answer(5, b"y")
        assert conn.getresponse(uploading.result()).read() == b"y"

    def test_bodies_in_memory_are_queued(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, max_concurrent_streams=1)
        ids = [conn.request("PUT", f"/{number}", b"%d" % number) for number in range(2)]
        for wire_id, stream_id in zip((3, 5), ids, strict=True):
            peer.want(HeadersFrame, wire_id)
            assert peer.want_end(wire_id) == b"%d" % (wire_id == 5)
            peer.answer(wire_id)
            assert conn.getresponse(stream_id).status == 200


class TestWhatFreesASlot:
    """With one slot, a second request is on the wire as soon as the first is over."""

    @pytest.fixture
    def two(self, peer: Peer, conn: CONN) -> tuple[int, int]:
        acquaint(peer, conn, max_concurrent_streams=1)
        ids = conn.request("GET", "/1"), conn.request("GET", "/2")
        peer.want(HeadersFrame, 3)
        return ids

    def second_is_answered(self, peer: Peer, conn: CONN, second: int) -> None:
        assert path_of(peer.want(HeadersFrame, 5)) == "/2"
        peer.answer(5, b"two")
        assert conn.getresponse(second).read() == b"two"

    def test_its_response(self, peer: Peer, conn: CONN, two: tuple[int, int]) -> None:
        peer.answer(3, b"one")
        conn.getresponse(two[0])
        self.second_is_answered(peer, conn, two[1])

    def test_its_cancellation(self, peer: Peer, conn: CONN, two: tuple[int, int]) -> None:
        conn.cancel(two[0])
        assert peer.want(RstStreamFrame, 3).error_code == ErrorCode.CANCEL
        self.second_is_answered(peer, conn, two[1])
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse(two[0])

    def test_the_peer_s_reset(self, peer: Peer, conn: CONN, two: tuple[int, int]) -> None:
        peer.rst(3, ErrorCode.INTERNAL_ERROR)
        with pytest.raises(StreamReset, match="INTERNAL_ERROR") as caught:
            conn.getresponse(two[0])
        assert (caught.value.stream_id, caught.value.error_code) == (two[0], ErrorCode.INTERNAL_ERROR)
        assert not caught.value.retry_safe
        self.second_is_answered(peer, conn, two[1])

    def test_a_malformed_response(self, peer: Peer, conn: CONN, two: tuple[int, int]) -> None:
        peer.send_headers(3, [(":status", "nonsense")])
        with pytest.raises(MalformedResponse, match="status b'nonsense'"):
            conn.getresponse(two[0])
        assert peer.want(RstStreamFrame, 3).error_code == ErrorCode.PROTOCOL_ERROR
        self.second_is_answered(peer, conn, two[1])

    def test_a_response_that_is_closed(self, peer: Peer, conn: CONN, two: tuple[int, int]) -> None:
        peer.send_headers(3)
        peer.send_data(3, b"beginning")
        response = conn.getresponse(two[0])
        assert response.read(5) == b"begin"
        response.close()
        assert peer.want(RstStreamFrame, 3).error_code == ErrorCode.CANCEL
        self.second_is_answered(peer, conn, two[1])

    def test_a_response_that_is_dropped(self, peer: Peer, conn: CONN, two: tuple[int, int]) -> None:
        peer.send_headers(3)
        conn.getresponse(two[0])  # and the caller drops it
        gc.collect()
        waiting = peer.background(conn.getresponse, two[1])
        assert peer.want(RstStreamFrame, 3).error_code == ErrorCode.CANCEL
        peer.want(HeadersFrame, 5)
        peer.answer(5, b"two")
        assert waiting.result().read() == b"two"

    def test_an_early_answer_to_an_upload(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn, max_concurrent_streams=1, initial_window_size=10)
        uploading = peer.background(conn.request, "POST", "/1", bytes(100))
        peer.want(HeadersFrame, 3)
        peer.want_body(3, 10)
        peer.answer(3, b"enough", status=413)
        assert conn.getresponse(uploading.result()).read() == b"enough"
        peer.want(RstStreamFrame, 3)
        self.second_is_answered(peer, conn, conn.request("GET", "/2"))

    def test_one_that_was_queued_is_never_sent(self, peer: Peer, conn: CONN, two: tuple[int, int]) -> None:
        conn.cancel(two[1])
        third = conn.request("GET", "/3")
        peer.answer(3, b"one")
        assert conn.getresponse(two[0]).read() == b"one"
        assert path_of(peer.want(HeadersFrame, 5)) == "/3"
        peer.answer(5, b"three")
        assert conn.getresponse(third).read() == b"three"
        assert peer.of(RstStreamFrame) == []


class TestProgress:
    """A wait for a stream that cannot start gives credit to those that hold the slots."""

    def fill(self, peer: Peer, conn: CONN) -> tuple[int, int]:
        """Fill the window of the stream in the only slot; returns its id, and the id of one that waits."""
        acquaint(peer, conn, max_concurrent_streams=1)
        first, second = conn.request("GET", "/1"), conn.request("GET", "/2")
        peer.want(HeadersFrame, 3)
        peer.send_headers(3)
        self.filling = peer.background(peer.send_body, 3, b"a" * STREAM_WINDOW, end_stream=False)
        return first, second

    def test_the_last_can_be_read_first(self, peer: Peer, conn: CONN) -> None:
        first, second = self.fill(peer, conn)
        waiting = peer.background(conn.getresponse, second)
        credit = peer.want(WindowUpdateFrame, 3).window_increment
        self.filling.result()
        assert 0 < credit <= STREAM_WINDOW
        peer.send_data(3, b"b" * 10, end_stream=True)
        assert path_of(peer.want(HeadersFrame, 5)) == "/2"
        peer.answer(5, b"second")
        assert waiting.result().read() == b"second"
        assert conn.getresponse(first).read() == b"a" * STREAM_WINDOW + b"b" * 10

    def test_what_was_credited_ahead_is_not_credited_again(self, peer: Peer, conn: CONN) -> None:
        first, second = self.fill(peer, conn)
        waiting = peer.background(conn.getresponse, second)
        while sum(frame.window_increment for frame in peer.of(WindowUpdateFrame, 3)) < STREAM_WINDOW:
            peer.want(WindowUpdateFrame, 3)
        response = conn.getresponse(first)
        assert len(response.read(STREAM_WINDOW)) == STREAM_WINDOW
        peer.send_data(3, b"b", end_stream=True)
        peer.want(HeadersFrame, 5)  # and no further WINDOW_UPDATE before it
        peer.answer(5, b"second")
        assert waiting.result().read() == b"second"
        assert response.read() == b"b"

    def test_past_max_buffered_the_error_names_it(self, peer: Peer) -> None:
        conn = peer.connect(max_buffered=1000)
        first, second = self.fill(peer, conn)
        with pytest.raises(BufferLimitExceeded, match=rf"^{STREAM_WINDOW} bytes lie unread .* max_buffered"):
            conn.getresponse(second)
        self.filling.result()
        response = conn.getresponse(first)
        assert response.read(STREAM_WINDOW) == b"a" * STREAM_WINDOW
        peer.want(WindowUpdateFrame, 3)
        peer.send_data(3, end_stream=True)
        assert response.read() == b""

    def test_a_wait_for_a_stream_that_is_open_gives_no_credit_to_others(self, peer: Peer, conn: CONN) -> None:
        """What a slow reader does not read, the server need not send."""
        first = begin(peer, conn)
        second = conn.request("GET", "/2")
        peer.want(HeadersFrame, 3)
        peer.send_headers(1)
        filling = peer.background(peer.send_body, 1, b"a" * STREAM_WINDOW, end_stream=False)
        waiting = peer.background(conn.getresponse, second)
        filling.result()
        peer.answer(3, b"second")
        assert waiting.result().read() == b"second"
        conn.getresponse(first).close()
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL  # and no WINDOW_UPDATE before it

    def test_an_answer_that_a_server_holds_back_until_others_are_read(
        self, peer: Peer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So does Apache, which begins with six workers for a connection."""
        monkeypatch.setattr(unread, "STALLED", 0.01)
        conn = peer.connect(max_buffered=2 * STREAM_WINDOW)
        first = begin(peer, conn)
        second, third = conn.request("GET", "/2"), conn.request("GET", "/3")
        for wire_id in (3, 5):
            peer.want(HeadersFrame, wire_id)
        peer.send_headers(1)
        waiting = peer.background(conn.getresponse, second)
        credit = STREAM_WINDOW
        for _ in range(3):  # the window, and what may be buffered beyond it
            while credit < STREAM_WINDOW:
                credit += peer.want(WindowUpdateFrame, 1).window_increment
            peer.send_body(1, b"a" * STREAM_WINDOW, end_stream=False)
            credit = 0
        peer.answer(3, b"second")  # before which there is no further WINDOW_UPDATE
        assert waiting.result().read() == b"second"
        response = conn.getresponse(first)
        assert response.read(3 * STREAM_WINDOW) == b"a" * (3 * STREAM_WINDOW)
        peer.answer(5, b"third")
        assert conn.getresponse(third).read() == b"third"
        peer.send_data(1, b"b", end_stream=True)
        assert response.read() == b"b"

    def test_a_ping_gives_no_credit_and_needs_none(self, peer: Peer) -> None:
        """The server can answer it whatever lies unread."""
        conn = peer.connect(max_buffered=0, timeout=2)
        first = begin(peer, conn)
        peer.send_headers(1)
        filling = peer.background(peer.send_body, 1, b"a" * STREAM_WINDOW, end_stream=False)
        with pytest.raises(TimeoutError):
            conn.ping(timeout=0.3)
        filling.result()
        conn.getresponse(first).close()
        conn.close()
        peer.want_eof()
        assert peer.of(WindowUpdateFrame, 1) == []
