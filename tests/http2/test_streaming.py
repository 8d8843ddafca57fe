"""Both directions at once, trailers and 100 Continue, on HTTP/2."""

import http.client
import io
import socket
import threading
from typing import Any

import pytest
from hyperframe.frame import DataFrame, HeadersFrame, RstStreamFrame

import hyperlite
import hyperlite.http2.uploads
from tests.inside import http2_of
from tests.peer import Peer

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection


def open_stream(peer: Peer, conn: CONN, **options: Any) -> int:
    """Begin a request whose body comes later, as the connection's first; its wire id is 1."""
    stream_id = conn.request("POST", "/", end_stream=False, **options)
    peer.accept()
    peer.greet()
    assert "END_STREAM" not in peer.want(HeadersFrame, 1).flags
    return stream_id


class TestSend:
    def test_pieces_go_out_at_once_and_the_end_when_it_is_said(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn)
        conn.send(b"one", stream_id)
        frame = peer.want(DataFrame, 1)
        assert (frame.data, set(frame.flags)) == (b"one", set())
        conn.end(stream_id)
        frame = peer.want(DataFrame, 1)
        assert (frame.data, set(frame.flags)) == (b"", {"END_STREAM"})
        peer.answer(1, b"done")
        assert conn.getresponse(stream_id).read() == b"done"

    @pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="the kernel gathers nothing by itself")
    def test_a_piece_lets_go_of_what_was_gathered(self, peer: Peer, conn: CONN) -> None:
        """What follows the first of many requests may wait for more of them; a body is wanted at once."""
        acquaint(peer, conn)
        for number in range(3):
            conn.request("GET", f"/{number}")
        stream_id = conn.request("POST", "/", end_stream=False)
        sock = http2_of(conn).sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK)
        conn.send(b"piece", stream_id)
        assert not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK)
        for wire_id in (3, 5, 7, 9):
            peer.want(HeadersFrame, wire_id)
        assert peer.want(DataFrame, 9).data == b"piece"
        conn.close()

    @pytest.mark.parametrize(
        "data",
        [b"abc", "abc", bytearray(b"abc"), io.BytesIO(b"abc"), iter([b"a", b"bc"])],
        ids=lambda data: type(data).__name__,
    )
    def test_all_that_can_be_a_body(self, peer: Peer, conn: CONN, data: Any) -> None:
        stream_id = open_stream(peer, conn)
        conn.send(data)
        conn.end()
        assert peer.want_end(1) == b"abc"
        peer.answer(1)
        conn.getresponse(stream_id).read()

    def test_a_conversation(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn)
        peer.send_headers(1)
        response = conn.getresponse(stream_id)
        for number in range(10):
            conn.send(b"%d" % number, stream_id)
            assert peer.want(DataFrame, 1).data == b"%d" % number
            peer.send_data(1, b"answer %d" % number)
            assert response.read1() == b"answer %d" % number
        conn.end(stream_id)
        peer.want_end(1)
        peer.send_data(1, b"", end_stream=True)
        assert response.read1() == b""

    def test_readinto1_style_reading(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn)
        peer.send_headers(1)
        response = conn.getresponse(stream_id)
        peer.send_data(1, b"hello")
        buffer = bytearray(100)
        assert response.readinto1(buffer) == 5
        assert buffer[:5] == b"hello"
        conn.end(stream_id)
        peer.send_data(1, b"", end_stream=True)
        assert response.readinto1(buffer) == 0

    def test_without_an_id_it_is_the_latest(self, peer: Peer, conn: CONN) -> None:
        first = open_stream(peer, conn)
        second = conn.request("POST", "/2", end_stream=False)
        peer.want(HeadersFrame, 3)
        conn.send(b"second")
        conn.end()
        assert peer.want_end(3) == b"second"
        conn.send(b"first")
        conn.end()
        assert peer.want_end(1) == b"first"
        peer.answer(3)
        peer.answer(1)
        assert [conn.getresponse(one).read() for one in (second, first)] == [b"", b""]

    def test_another_thread_s_stream_needs_its_id(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn)
        errors: list[Exception] = []

        def other() -> None:
            try:
                conn.send(b"x")
            except http.client.CannotSendRequest as error:
                errors.append(error)
            conn.send(b"y", stream_id)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(errors) == 1
        assert peer.want(DataFrame, 1).data == b"y"
        conn.cancel(stream_id)

    @pytest.mark.parametrize("call", ["send", "end"])
    def test_after_the_end(self, peer: Peer, conn: CONN, call: str) -> None:
        stream_id = open_stream(peer, conn)
        conn.end(stream_id)
        with pytest.raises(http.client.CannotSendRequest, match=f"id {stream_id}"):
            conn.send(b"x", stream_id) if call == "send" else conn.end(stream_id)
        with pytest.raises(http.client.CannotSendRequest, match="this thread"):
            conn.send(b"x")
        conn.cancel(stream_id)

    def test_a_body_cannot_be_given_twice(self, conn: CONN) -> None:
        with pytest.raises(ValueError, match="end_stream"):
            conn.request("POST", "/", b"body", end_stream=False)

    def test_the_answer_was_complete_before(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn)
        peer.answer(1, b"enough")
        response = conn.getresponse(stream_id)
        assert response.read() == b"enough"
        conn.send(b"not wanted", stream_id)
        assert peer.want(RstStreamFrame, 1).error_code == 0
        assert not peer.of(DataFrame)

    def test_a_reset_is_told(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn)
        peer.rst(1, 8)
        with pytest.raises(hyperlite.StreamReset):
            conn.getresponse(stream_id)
        acquaint_again(peer, conn)

    def test_it_waits_for_the_window(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn)
        task = peer.background(conn.send, bytes(100_000), stream_id)
        assert len(peer.want_body(1, 65535)) == 65535
        assert not task.done
        peer.window_update(0, 100_000)
        peer.window_update(1, 100_000)
        assert len(peer.want_body(1, 100_000 - 65535)) == 100_000 - 65535
        task.result()
        conn.cancel(stream_id)


def acquaint_again(peer: Peer, conn: CONN) -> None:
    """Have one more exchange on the same connection, the second one."""
    stream_id = conn.request("GET", "/")
    peer.want(HeadersFrame, 3)
    peer.answer(3, b"again")
    assert conn.getresponse(stream_id).read() == b"again"


class TestTrailers:
    TRAILERS = ((b"checksum", b"abc"),)

    def trailers_of(self, peer: Peer) -> list[tuple[str, str]]:
        frame = peer.want(HeadersFrame, 1)
        assert "END_STREAM" in frame.flags
        return list(frame.fields)

    @pytest.mark.parametrize(
        "body", [b"abc", io.BytesIO(b"abc"), [b"abc"]], ids=lambda body: type(body).__name__
    )
    def test_behind_a_body(self, peer: Peer, conn: CONN, body: Any) -> None:
        task = peer.background(conn.request, "POST", "/", body, trailers={"Checksum": "abc"})
        peer.accept()
        peer.greet()
        assert "END_STREAM" not in peer.want(HeadersFrame, 1).flags
        assert peer.want_body(1, 3) == b"abc"
        assert self.trailers_of(peer) == [("checksum", "abc")]
        peer.answer(1, b"ok")
        assert conn.getresponse(task.result()).read() == b"ok"

    def test_behind_no_body(self, peer: Peer, conn: CONN) -> None:
        stream_id = conn.request("POST", "/", trailers={"Checksum": "abc"})
        peer.accept()
        peer.greet()
        assert "END_STREAM" not in peer.want(HeadersFrame, 1).flags
        assert self.trailers_of(peer) == [("checksum", "abc")]
        peer.answer(1)
        conn.getresponse(stream_id).read()

    def test_at_the_end(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn, trailers={"A": "1"})
        conn.send(b"abc")
        conn.end(trailers={"B": "2"})
        assert peer.want(DataFrame, 1).data == b"abc"
        assert self.trailers_of(peer) == [("a", "1"), ("b", "2")]
        peer.answer(1)
        conn.getresponse(stream_id).read()

    def test_they_are_sent_once_although_the_end_came_too_early(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn, headers={"Content-Length": "3"}, trailers={"A": "1"})
        conn.send(b"ab")
        with pytest.raises(http.client.CannotSendRequest, match="1 bytes"):
            conn.end(trailers={"B": "2"})
        conn.send(b"c")
        conn.end(trailers={"B": "2"})
        assert [peer.want(DataFrame, 1).data for _ in range(2)] == [b"ab", b"c"]
        assert self.trailers_of(peer) == [("a", "1"), ("b", "2")]
        peer.answer(1)
        conn.getresponse(stream_id).read()

    @pytest.mark.parametrize("name", ["Content-Length", "Host", "Transfer-Encoding", "TE", "Authorization"])
    def test_what_may_not_be_one(self, conn: CONN, name: str) -> None:
        with pytest.raises(ValueError, match=name.lower()):
            conn.request("POST", "/", b"", trailers={name: "x"})

    def test_a_bad_one_leaves_the_request_open(self, peer: Peer, conn: CONN) -> None:
        stream_id = open_stream(peer, conn)
        with pytest.raises(ValueError, match="Invalid header value"):
            conn.end(trailers={"X": "a\r\nb"})
        conn.end()
        assert peer.want_end(1) == b""
        conn.cancel(stream_id)

    def test_received_after_a_whole_content_length(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1, [(":status", "200"), ("content-length", "3")])
        peer.send_data(1, b"abc")
        peer.send_headers(1, [("checksum", "xyz")], end_stream=True)
        response = conn.getresponse(stream_id)
        assert response.read() == b"abc"
        assert response.trailers["Checksum"] == "xyz"


class TestContinue:
    EXPECT = {"Expect": "100-continue"}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hyperlite.http2.uploads, "EXPECT_WAIT", 30.0)

    def begin(self, peer: Peer, conn: CONN, body: Any = b"body") -> Any:
        acquaint(peer, conn)
        task = peer.background(conn.request, "POST", "/", body, self.EXPECT)
        assert "END_STREAM" not in peer.want(HeadersFrame, 3).flags
        return task

    @pytest.mark.parametrize("body", [b"body", [b"body"]], ids=lambda body: type(body).__name__)
    def test_the_body_waits_for_it(self, peer: Peer, conn: CONN, body: Any) -> None:
        task = self.begin(peer, conn, body)
        assert peer.silent()
        peer.send_headers(3, [(":status", "100")])
        assert peer.want_end(3) == b"body"
        peer.answer(3, b"thanks")
        response = conn.getresponse(task.result())
        assert response.read() == b"thanks"
        assert [status for status, _ in response.informational] == [100]

    def test_but_not_for_ever(self, peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hyperlite.http2.uploads, "EXPECT_WAIT", 0.05)
        task = self.begin(peer, conn)
        assert peer.want_end(3) == b"body"
        peer.answer(3)
        conn.getresponse(task.result()).read()

    def test_a_refusal_comes_instead(self, peer: Peer, conn: CONN) -> None:
        task = self.begin(peer, conn)
        peer.answer(3, b"no", status=417)
        response = conn.getresponse(task.result())
        assert (response.status, response.read()) == (417, b"no")
        assert peer.want(RstStreamFrame, 3).error_code == 0
        assert not peer.of(DataFrame, 3)

    def test_a_reset_comes_instead(self, peer: Peer, conn: CONN) -> None:
        task = self.begin(peer, conn)
        peer.rst(3, 2)
        with pytest.raises(hyperlite.StreamReset):
            task.result()

    def begin_open(self, peer: Peer, conn: CONN) -> Any:
        acquaint(peer, conn)
        task = peer.background(conn.request, "POST", "/", headers=self.EXPECT, end_stream=False)
        peer.want(HeadersFrame, 3)
        return task

    def test_a_body_that_comes_by_send_waits_too(self, peer: Peer, conn: CONN) -> None:
        task = self.begin_open(peer, conn)
        assert not task.join(0.1)
        peer.send_headers(3, [(":status", "100")])
        stream_id = task.result()
        conn.send(b"body", stream_id)
        conn.end(stream_id)
        assert peer.want_end(3) == b"body"
        peer.answer(3, b"thanks")
        assert conn.getresponse(stream_id).read() == b"thanks"

    def test_after_a_refusal_what_is_sent_goes_nowhere(self, peer: Peer, conn: CONN) -> None:
        task = self.begin_open(peer, conn)
        peer.send_headers(3, [(":status", "417")])
        stream_id = task.result()
        conn.send(b"body", stream_id)
        conn.end(stream_id, trailers={"X-Sum": "4"})
        peer.send_data(3, b"no", end_stream=True)
        response = conn.getresponse(stream_id)
        assert (response.status, response.read()) == (417, b"no")
        assert peer.want(RstStreamFrame, 3).error_code == 0
        assert not peer.of(DataFrame, 3)

    def test_a_body_that_comes_by_send_does_not_wait_for_ever(
        self, peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hyperlite.http2.uploads, "EXPECT_WAIT", 0.05)
        stream_id = self.begin_open(peer, conn).result()
        conn.send(b"body", stream_id)
        conn.end(stream_id)
        assert peer.want_end(3) == b"body"
        peer.answer(3)
        conn.getresponse(stream_id).read()

    @pytest.mark.parametrize("body", [None, b"", ""])
    def test_without_a_body_there_is_nothing_to_wait_for(
        self, peer: Peer, conn: CONN, body: bytes | str | None
    ) -> None:
        acquaint(peer, conn)
        conn.request("GET" if body is None else "POST", "/", body, headers=self.EXPECT)
        assert "END_STREAM" in peer.want(HeadersFrame, 3).flags
        conn.close()


class TestPriority:
    @pytest.mark.parametrize(
        ("priority", "value"), [(0, "u=0"), (7, "u=7"), ((3, False), "u=3"), ((1, True), "u=1, i")]
    )
    def test_it_is_a_field(self, peer: Peer, conn: CONN, priority: Any, value: str) -> None:
        conn.request("GET", "/", priority=priority)
        peer.accept()
        peer.greet()
        frame = peer.want(HeadersFrame, 1)
        assert dict(frame.fields)["priority"] == value
        assert "PRIORITY" not in frame.flags
        conn.close()

    @pytest.mark.parametrize(("priority", "kind"), [(8, ValueError), (-1, ValueError), ("u=1", TypeError)])
    def test_nonsense(self, conn: CONN, priority: Any, kind: type[Exception]) -> None:
        with pytest.raises(kind, match="urgency"):
            conn.request("GET", "/", priority=priority)
