"""GOAWAY and REFUSED_STREAM: what the server provably did not process is sent again, and nothing else."""

import http.client
from typing import Any

import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame, RstStreamFrame

import hyperlite
import hyperlite.messages.replay
import hyperlite.transports
from hyperlite.errors import ConnectionGoingAway, ConnectionLost, ErrorCode, StreamReset
from tests.inside import pending_of, transports_of
from tests.peer import Peer

from .conftest import EVERYTHING, acquaint, begin, path_of


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperlite.messages.replay, "BACKOFF", 0.001)


class TestGoAway:
    def three(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> list[int]:
        """Send three requests; their wire ids are 1, 3 and 5."""
        ids = conn.request_many([("GET", "/1"), ("POST", "/2", b"body"), ("GET", "/3")])
        peer.accept()
        peer.greet()
        assert peer.want_requests(3) == {"/1": (1, b""), "/2": (3, b"body"), "/3": (5, b"")}
        return ids

    def test_what_was_not_processed_is_sent_again(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        """A POST too: its body is in memory. The ids stay."""
        ids = self.three(peer, conn)
        old = peer.wires[0]
        old.goaway(1)
        third = peer.background(conn.getresponse, ids[2])
        new = peer.accept()
        new.greet()
        requests = new.want_requests(2)
        assert {path: body for path, (_, body) in requests.items()} == {"/2": b"body", "/3": b""}
        new.answer(requests["/3"][0], b"three")
        new.answer(requests["/2"][0], b"two")
        old.answer(1, b"one")
        response = third.result()
        assert (response.stream_id, response.read()) == (ids[2], b"three")
        assert conn.getresponse(ids[1]).read() == b"two"
        assert conn.getresponse(ids[0]).read() == b"one"
        assert not peer.waiting

    def test_the_old_connection_ends_with_its_last_stream(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        ids = self.three(peer, conn)
        old = peer.wires[0]
        old.goaway(3)
        third = peer.background(conn.getresponse, ids[2])
        new = peer.accept()
        new.greet()
        new.want(HeadersFrame, 1)
        new.answer(1, b"three")
        assert third.result().read() == b"three"
        for wire_id, stream_id in zip((1, 3), ids, strict=False):
            old.answer(wire_id, b"x")
            assert conn.getresponse(stream_id).read() == b"x"
        assert isinstance(old.want_eof()[-1], GoAwayFrame)

    def test_what_was_processed_is_not_sent_again(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        ids = self.three(peer, conn)
        peer.goaway(5)
        for wire_id, stream_id in zip((5, 3, 1), reversed(ids), strict=True):
            peer.answer(wire_id, b"%d" % wire_id)
            assert conn.getresponse(stream_id).read() == b"%d" % wire_id
        assert not peer.waiting

    def test_a_body_goes_on_after_it(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        peer.send_data(1, b"half ")
        response = conn.getresponse(stream_id)
        assert response.read(5) == b"half "
        peer.goaway(1)
        peer.send_data(1, b"whole", end_stream=True)
        assert response.read() == b"whole"

    def test_new_requests_go_elsewhere(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        first = begin(peer, conn)
        old = peer.wires[0]
        old.send_headers(1)
        old.goaway(1)
        response = conn.getresponse(first)
        second = conn.request("GET", "/2")
        new = peer.accept()
        new.greet()
        assert path_of(new.want(HeadersFrame, 1)) == "/2"
        new.answer(1, b"new")
        assert conn.getresponse(second).read() == b"new"
        old.send_data(1, b"old", end_stream=True)
        assert response.read() == b"old"
        assert path_of(old.of(HeadersFrame)[-1]) == "/"

    def test_in_two_steps(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        """RFC 9113 section 6.8: 2^31-1 first, so that nothing under way is lost; the number later."""
        ids = self.three(peer, conn)
        old = peer.wires[0]
        old.goaway(EVERYTHING)
        old.answer(1, b"one")
        assert conn.getresponse(ids[0]).read() == b"one"
        old.goaway(3)
        old.answer(3, b"two")
        third = peer.background(conn.getresponse, ids[2])
        new = peer.accept()
        new.greet()
        assert path_of(new.want(HeadersFrame, 1)) == "/3"
        new.answer(1, b"three")
        assert third.result().read() == b"three"
        assert conn.getresponse(ids[1]).read() == b"two"

    @pytest.mark.parametrize("which", [1, 2], ids=["another", "the one that is waited for"])
    @pytest.mark.parametrize("moment", ["usable", "_submit"])
    def test_what_is_cancelled_meanwhile_is_not(
        self,
        peer: Peer,
        conn: hyperlite.HTTP20Connection,
        monkeypatch: pytest.MonkeyPatch,
        moment: str,
        which: int,
    ) -> None:
        """While another thread connects to send it again, and while no thread has it."""
        ids = self.three(peer, conn)
        old = peer.wires[0]
        part = transports_of(conn) if moment == "usable" else pending_of(conn)
        step = getattr(part, moment)

        def cancel_before(*args: Any) -> Any:
            monkeypatch.undo()
            conn.cancel(ids[which])
            return step(*args)

        monkeypatch.setattr(part, moment, cancel_before)
        old.goaway(1)
        ready = peer.background(lambda: sorted(conn.as_ready(ids[1:])))
        new = peer.accept()
        new.greet()
        if moment == "_submit":  # then it is reset as soon as it is written
            while not new.of(RstStreamFrame):
                new.read_frame()
        else:
            new.want(HeadersFrame, 1)
        seen = {path_of(frame): frame.stream_id for frame in new.of(HeadersFrame)}
        if moment == "_submit":
            assert new.of(RstStreamFrame)[0].stream_id == seen.pop(f"/{which + 1}")
        kept = 3 - which
        assert set(seen) == {f"/{kept + 1}"}
        new.answer(seen.popitem()[1], b"kept")
        assert ready.result() == [ids[kept]]
        assert conn.getresponse(ids[kept]).read() == b"kept"
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse(ids[which])
        old.answer(1, b"one")
        assert conn.getresponse(ids[0]).read() == b"one"

    def test_what_waited_is_not_started_in_the_slot_of_what_is_refused(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        """After GOAWAY a request would be lost, and the caller could not know with what effect."""
        acquaint(peer, conn, max_concurrent_streams=2)
        paths = [f"/{number}" for number in range(4)]
        ids = conn.request_many([("POST", path, b"body") for path in paths])
        old = peer.wires[0]
        old.want_requests(2)
        old.goaway(1)
        last = peer.background(conn.getresponse, ids[3])
        new = peer.accept()
        new.greet()
        for path, (wire_id, _) in new.want_requests(4).items():
            new.answer(wire_id, path.encode())
        assert last.result().read() == b"/3"
        assert [conn.getresponse(stream_id).read() for stream_id in ids[:3]] == [b"/0", b"/1", b"/2"]

    def test_what_waited_for_a_slot_is_sent_elsewhere(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        acquaint(peer, conn, max_concurrent_streams=1)
        ids = [conn.request("GET", f"/{number}") for number in (1, 2, 3)]
        old = peer.wires[0]
        old.want(HeadersFrame, 3)
        old.goaway(3)
        third = peer.background(conn.getresponse, ids[2])
        new = peer.accept()
        new.greet()
        seen = {path_of(new.want(HeadersFrame, wire_id)): wire_id for wire_id in (1, 3)}
        assert set(seen) == {"/2", "/3"}
        for path, wire_id in seen.items():
            new.answer(wire_id, path.encode())
        old.answer(3, b"/1")
        assert third.result().read() == b"/3"
        assert [conn.getresponse(stream_id).read() for stream_id in ids[:2]] == [b"/1", b"/2"]

    def test_the_same_with_an_error(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = begin(peer, conn)
        peer.goaway(0, ErrorCode.ENHANCE_YOUR_CALM, b"slow down")
        getting = peer.background(conn.getresponse, stream_id)
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.answer(1, b"calm")
        assert getting.result().read() == b"calm"

    def test_not_with_auto_open_off(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = begin(peer, conn)
        conn.auto_open = 0
        peer.goaway(0, ErrorCode.ENHANCE_YOUR_CALM, b"slow down")
        with pytest.raises(ConnectionGoingAway, match=r"ENHANCE_YOUR_CALM \(slow down\)") as caught:
            conn.getresponse(stream_id)
        assert (caught.value.error_code, caught.value.stream_id) == (ErrorCode.ENHANCE_YOUR_CALM, stream_id)
        assert caught.value.retry_safe
        assert not peer.waiting

    def test_not_if_the_body_can_be_sent_only_once(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        stream_id = conn.request("POST", "/", iter([b"once"]))
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.want_end(1)
        peer.goaway(0)
        with pytest.raises(ConnectionGoingAway) as caught:
            conn.getresponse(stream_id)
        assert caught.value.retry_safe
        assert not peer.waiting

    def test_not_for_ever(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        def refuse() -> None:
            while True:
                wire = peer.accept()
                wire.greet()
                wire.want(HeadersFrame, 1)
                wire.goaway(0, ErrorCode.ENHANCE_YOUR_CALM)

        refusing = peer.background(refuse)
        stream_id = conn.request("GET", "/")
        with pytest.raises(ConnectionGoingAway) as caught:
            conn.getresponse(stream_id)
        assert caught.value.retry_safe
        assert 2 <= len(peer.wires) <= 10
        peer.stop_listening()
        with pytest.raises(OSError):
            refusing.result()

    def test_the_end_of_the_connection_after_it(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        """What was processed, and not answered, may have happened: it is not sent again."""
        ids = self.three(peer, conn)
        peer.goaway(5, ErrorCode.INTERNAL_ERROR, b"crash")
        peer.close()
        for stream_id in ids:
            with pytest.raises(ConnectionLost, match=r"INTERNAL_ERROR \(crash\)") as caught:
                conn.getresponse(stream_id)
            assert not caught.value.retry_safe
            assert caught.value.error_code == ErrorCode.INTERNAL_ERROR
        assert not peer.waiting


class TestRefusedStream:
    def test_it_is_sent_again_on_the_same_connection(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        stream_id = begin(peer, conn, "POST", "/", b"body")
        assert peer.want_end(1) == b"body"
        peer.rst(1, ErrorCode.REFUSED_STREAM)
        getting = peer.background(conn.getresponse, stream_id)
        peer.want(HeadersFrame, 3)
        assert peer.want_end(3) == b"body"
        peer.answer(3, b"now")
        response = getting.result()
        assert (response.stream_id, response.read()) == (stream_id, b"now")
        assert not peer.waiting

    def test_its_siblings_go_on(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        ids = [begin(peer, conn), conn.request("GET", "/2")]
        peer.want(HeadersFrame, 3)
        peer.rst(1, ErrorCode.REFUSED_STREAM)
        peer.answer(3, b"two")
        assert conn.getresponse(ids[1]).read() == b"two"
        getting = peer.background(conn.getresponse, ids[0])
        peer.want(HeadersFrame, 5)
        peer.answer(5, b"one")
        assert getting.result().read() == b"one"

    def test_all_that_were_refused_are_sent_again_together(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        ids = conn.request_many([("GET", f"/{number}") for number in range(3)])
        peer.accept()
        peer.greet()
        for wire_id in (1, 3, 5):
            peer.want(HeadersFrame, wire_id)
        peer.send_raw(b"".join(peer.frames.rst(wire_id, ErrorCode.REFUSED_STREAM) for wire_id in (1, 3, 5)))
        getting = peer.background(conn.getresponse, ids[0])
        for wire_id in (7, 9, 11):
            frame = peer.want(HeadersFrame, wire_id)
            peer.answer(wire_id, path_of(frame).encode())
        assert getting.result().read() == b"/0"
        assert [conn.getresponse(stream_id).read() for stream_id in ids[1:]] == [b"/1", b"/2"]

    def test_not_for_ever(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        """Three times on one connection, three times on the next."""
        getting = peer.background(lambda: conn.getresponse(conn.request("GET", "/")))
        for _ in range(2):
            peer.accept()
            peer.greet()
            for wire_id in (1, 3, 5):
                peer.want(HeadersFrame, wire_id)
                peer.rst(wire_id, ErrorCode.REFUSED_STREAM)
        with pytest.raises(StreamReset, match="REFUSED_STREAM") as caught:
            getting.result()
        assert caught.value.retry_safe
        assert not peer.waiting

    def test_not_with_auto_open_off(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = begin(peer, conn)
        conn.auto_open = 0
        peer.rst(1, ErrorCode.REFUSED_STREAM)
        with pytest.raises(StreamReset, match="REFUSED_STREAM") as caught:
            conn.getresponse(stream_id)
        assert caught.value.retry_safe
        assert peer.silent()

    def test_not_if_the_body_can_be_sent_only_once(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        stream_id = conn.request("POST", "/", iter([b"once"]))
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.want_end(1)
        peer.rst(1, ErrorCode.REFUSED_STREAM)
        with pytest.raises(StreamReset, match="REFUSED_STREAM") as caught:
            conn.getresponse(stream_id)
        assert caught.value.retry_safe

    def test_not_after_the_response_has_begun(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        response = conn.getresponse(stream_id)
        peer.rst(1, ErrorCode.REFUSED_STREAM)
        with pytest.raises(StreamReset, match="REFUSED_STREAM") as caught:
            response.read()
        assert not caught.value.retry_safe

    @pytest.mark.parametrize("code", set(ErrorCode) - {ErrorCode.REFUSED_STREAM, ErrorCode.HTTP_1_1_REQUIRED})
    def test_no_other_reset_is_a_refusal(
        self, peer: Peer, conn: hyperlite.HTTP20Connection, code: ErrorCode
    ) -> None:
        stream_id = begin(peer, conn)
        peer.rst(1, code)
        with pytest.raises(StreamReset, match=code.name) as caught:
            conn.getresponse(stream_id)
        assert (caught.value.error_code, caught.value.retry_safe) == (code, False)
        assert peer.silent()
