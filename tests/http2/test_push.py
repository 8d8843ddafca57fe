"""Server push, where it is wanted, and priorities that change (RFC 9113 section 8.4, RFC 9218 section 7)."""

import gc
import http.client
from typing import Any

import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame, RstStreamFrame

import hyperlite
import hyperlite.messages.replay
from hyperlite.testing.hostile.frames import OK
from tests.inside import http2_of
from tests.peer import Peer, Wire

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection
CANCEL, REFUSED, PROTOCOL_ERROR, CALM = 8, 7, 1, 11


@pytest.fixture
def conn(peer: Peer) -> CONN:
    return peer.connect(enable_push=True)


def promise(conn: CONN, path: str = "/style.css", **changes: str) -> list[tuple[str, str]]:
    """Return the fields of a promise."""
    fields = {
        ":method": "GET",
        ":scheme": "http",
        ":authority": f"{conn.host}:{conn.port}",
        ":path": path,
        "accept": "*/*",
    }
    fields.update((f":{name}", value) for name, value in changes.items())
    return list(fields.items())


def push(peer: Peer | Wire, conn: CONN, promised: int = 2, **changes: Any) -> None:
    peer.send_raw(peer.frames.push_promise(1, promised, promise(conn, **changes)))


class TestPush:
    def test_it_is_promised_and_comes(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        push(peer, conn)
        peer.answer(1, b"page")
        peer.answer(2, b"style", fields=[("content-type", "text/css")])
        response = conn.getresponse(stream_id)
        assert response.read() == b"page"
        (pushed,) = response.pushes
        assert (pushed.method, pushed.scheme, pushed.path) == ("GET", "http", "/style.css")
        assert pushed.request_headers["Accept"] == "*/*"
        answer = pushed.getresponse()
        assert (answer.status, answer.getheader("content-type"), answer.read()) == (200, "text/css", b"style")
        assert response.pushes == []
        with pytest.raises(http.client.ResponseNotReady):
            pushed.getresponse()

    def test_it_is_waited_for(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        push(peer, conn)
        peer.answer(1, b"page")
        response = conn.getresponse(stream_id)
        response.read()
        task = peer.background(response.pushes[0].getresponse)
        peer.answer(2, b"style")
        assert task.result().read() == b"style"

    def test_it_is_cancelled(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        push(peer, conn)
        peer.answer(1, b"page")
        response = conn.getresponse(stream_id)
        response.read()
        pushed = response.pushes[0]
        pushed.cancel()
        assert peer.want(RstStreamFrame, 2).error_code == CANCEL
        with pytest.raises(http.client.ResponseNotReady):
            pushed.cancel()

    def test_untaken_pushes_are_refused(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        push(peer, conn)
        peer.answer(1, b"page")
        response = conn.getresponse(stream_id)
        response.read()
        del response
        gc.collect()
        assert peer.want(RstStreamFrame, 2).error_code == CANCEL

    @pytest.mark.parametrize("way", ["refused", "going away"])
    def test_with_a_request_that_is_sent_again_it_is_given_up(
        self, peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        """The caller cannot take it: what is promised with the answer that comes then is another."""
        monkeypatch.setattr(hyperlite.messages.replay, "BACKOFF", 0.001)
        stream_id = begin(peer, conn)
        old = peer.wires[0]
        push(old, conn)
        push(old, conn, 4)
        old.answer(4, b"whole")
        task = peer.background(conn.getresponse, stream_id)
        if way == "refused":
            old.rst(1, REFUSED)
            assert old.want(RstStreamFrame, 2).error_code == CANCEL
            new = old
            new.want(HeadersFrame, 3)
            new.answer(3, b"page")
        else:
            old.goaway(0)
            assert {frame.stream_id for frame in old.want_eof() if frame.type == 3} == {
                2
            }  # GOAWAY says what becomes of 1
            new = peer.accept()
            new.greet()
            new.want(HeadersFrame, 1)
            new.answer(1, b"page")
        response = task.result()
        assert (response.read(), response.pushes) == (b"page", [])
        assert not http2_of(conn).table.open
        assert not http2_of(conn).table.unread.total

    def test_the_server_may_leave_when_it_has_come(self, peer: Peer, conn: CONN) -> None:
        """GOAWAY names the last of our streams (RFC 9113 section 6.8): of its own it says nothing."""
        stream_id = begin(peer, conn)
        push(peer, conn)
        peer.goaway(1)
        peer.answer(1, b"page")
        response = conn.getresponse(stream_id)
        assert response.read() == b"page"
        peer.answer(2, b"style")
        assert response.pushes[0].getresponse().read() == b"style"

    def test_it_takes_no_slot(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn, max_concurrent_streams=1)
        push(peer, conn)
        peer.answer(1, b"page")
        response = conn.getresponse(stream_id)
        response.read()
        again = conn.request("GET", "/2")
        peer.want(HeadersFrame, 3)
        peer.answer(3)
        conn.getresponse(again).read()
        assert len(response.pushes) == 1
        conn.close()

    def test_it_gives_none_back_either(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn, max_concurrent_streams=1)
        push(peer, conn)
        peer.answer(2, b"style")
        peer.answer(1, b"page")
        assert conn.getresponse(stream_id).read() == b"page"
        ids = [conn.request("GET", path) for path in ("/2", "/3")]
        peer.want(HeadersFrame, 3)
        assert peer.silent()
        for wire_id, one in zip((3, 5), ids, strict=True):
            peer.answer(wire_id)
            assert conn.getresponse(one).read() == b""

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"authority": "elsewhere"}, REFUSED),
            ({"method": "POST"}, PROTOCOL_ERROR),
            ({"path": "a\r\nb"}, PROTOCOL_ERROR),
        ],
        ids=str,
    )
    def test_what_may_not_be_promised(
        self, peer: Peer, conn: CONN, changes: dict[str, str], code: int
    ) -> None:
        stream_id = begin(peer, conn)
        push(peer, conn, **changes)
        peer.answer(1, b"page")
        response = conn.getresponse(stream_id)
        assert response.read() == b"page"
        assert response.pushes == []
        assert peer.want(RstStreamFrame, 2).error_code == code

    def test_there_are_not_too_many(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        for number in range(2, 222, 2):
            push(peer, conn, number)
        peer.answer(1, b"page")
        response = conn.getresponse(stream_id)
        response.read()
        assert len(response.pushes) == 100
        assert peer.want(RstStreamFrame).error_code == REFUSED
        conn.close()

    def test_nor_with_too_long_fields(self, peer: Peer, conn: CONN) -> None:
        """Of the request or of its answer: nothing but the peer decides how many of them there are."""
        stream_id = begin(peer, conn)
        long = [("x", "x" * 10_000), ("y", "y" * 7000)]
        peer.send_raw(peer.frames.headers(1))
        peer.send_raw(peer.frames.push_promise(1, 2, [*promise(conn), long[0]]))
        peer.send_raw(peer.frames.push_promise(1, 4, promise(conn)) + peer.frames.headers(4, [*OK, *long]))
        peer.send_raw(peer.frames.push_promise(1, 6, [*promise(conn), *long]))
        peer.answer(2, b"style", fields=[("etag", "z")])
        peer.send_data(1, b"page", end_stream=True)
        response = conn.getresponse(stream_id)
        assert response.read() == b"page"
        first, second = response.pushes
        assert first.getresponse().read() == b"style"
        with pytest.raises(hyperlite.MalformedResponse, match="16384 bytes"):
            second.getresponse()
        assert [peer.want(RstStreamFrame).error_code for _ in range(2)] == [CALM, REFUSED]

    def test_nor_too_many_untaken_ones(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        for number in range(2, 222, 2):
            push(peer, conn, number)
            peer.answer(number, b"style")
        peer.answer(1, b"page")
        response = conn.getresponse(stream_id)
        response.read()
        assert len(response.pushes) == 100
        assert http2_of(conn).table.unread.total == 100 * len(b"style")
        conn.close()

    def test_nor_too_much_of_them(self, peer: Peer) -> None:
        conn = peer.connect(enable_push=True, max_buffered=1000)
        stream_id = begin(peer, conn)
        for number in range(2, 12, 2):
            push(peer, conn, number)
            peer.answer(number, bytes(600))
        peer.answer(1, b"page")
        response = conn.getresponse(stream_id)
        response.read()
        assert len(response.pushes) == 2
        assert http2_of(conn).table.unread.total == 1200
        conn.close()

    @pytest.mark.parametrize("number", [3, 4])
    def test_numbers_must_be_even_and_grow(self, peer: Peer, conn: CONN, number: int) -> None:
        stream_id = begin(peer, conn)
        push(peer, conn, 4)
        push(peer, conn, number)
        with pytest.raises(hyperlite.ProtocolError):
            conn.getresponse(stream_id)
        assert peer.want(GoAwayFrame).error_code == PROTOCOL_ERROR

    def test_a_promise_is_an_error_where_push_is_off(self, peer: Peer) -> None:
        conn = peer.connect()
        stream_id = begin(peer, conn)
        push(peer, conn)
        with pytest.raises(hyperlite.ProtocolError, match="ENABLE_PUSH"):
            conn.getresponse(stream_id)
        assert peer.want(GoAwayFrame).error_code == PROTOCOL_ERROR

    def test_the_setting_is_sent(self, peer: Peer, conn: CONN) -> None:
        begin(peer, conn)
        settings = next(frame for frame in peer.seen if frame.type == 4)
        assert settings.settings[2] == 1
        conn.close()


class TestPrioritize:
    def test_by_a_frame(self, peer: Peer) -> None:
        conn = peer.connect()
        stream_id = begin(peer, conn)
        conn.prioritize(stream_id, (6, True))
        frame = peer.read_frame()
        assert frame.type == 0x10
        assert frame.stream_id == 0
        assert frame.body == b"\0\0\0\x01u=6, i"
        peer.answer(1)
        conn.getresponse(stream_id).read()
        conn.prioritize(stream_id, 0)  # it is over: nothing to do

    def test_of_a_request_that_waits_for_a_slot(self, peer: Peer) -> None:
        conn = peer.connect()
        acquaint(peer, conn, max_concurrent_streams=1)
        first, second = conn.request("GET", "/1"), conn.request("GET", "/2", priority=1)
        conn.prioritize(second, 7)
        peer.want(HeadersFrame, 3)
        peer.answer(3)
        conn.getresponse(first).read()
        assert dict(peer.want(HeadersFrame, 5).fields)["priority"] == "u=7"
        peer.answer(5)
        conn.getresponse(second).read()

    @pytest.mark.parametrize("stream_id", [0, 2, 99, -1])
    def test_an_id_that_is_none(self, peer: Peer, stream_id: int) -> None:
        conn = peer.connect()
        acquaint(peer, conn)
        with pytest.raises(ValueError, match="no request"):
            conn.prioritize(stream_id, 1)
