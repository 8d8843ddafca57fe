"""as_ready() keeps its time limit while it sends a request again, and the request stays pending."""

import contextlib

import pytest
from hyperframe.frame import HeadersFrame

import hyperlite
import hyperlite.messages.replay
from hyperlite.errors import ErrorCode, RequestTimeout
from hyperlite.testing.certificates import certificates
from tests.inside import http2_of, stream_of
from tests.peer import Peer, Task, Wire

from .conftest import begin

CONN = hyperlite.HTTP20Connection


def in_time(conn: CONN, stream_id: int, timeout: float | None) -> list[int]:
    """Return what `as_ready()` yields; a thread that waits for ever fails the test."""
    ids: list[int] = Task(lambda: list(conn.as_ready([stream_id], timeout=timeout))).result()
    return ids


class TestASlowHandshake:
    """The server takes no further connection: the handshake does not begin, and nothing else has a limit."""

    @pytest.fixture
    def peer(self) -> Peer:
        return Peer(tls=certificates().server_context(("h2",)))

    def refused(self, peer: Peer, **options: float) -> tuple[CONN, int]:
        """Return a connection that has to be opened anew for its request, and the request's id."""
        context = certificates().client_context()
        conn = peer.connect(host="localhost", context=context, timeout=None)
        connecting = peer.background(conn.connect)
        peer.accept().greet()
        connecting.result()
        stream_id = conn.request("POST", "/", b"body", **options)
        peer.want(HeadersFrame, 1)
        peer.goaway(0)
        peer.wires[0].close()
        return conn, stream_id

    def accept(self, peer: Peer) -> Wire:
        """Accept the connection that the client has not given up."""
        while True:
            with contextlib.suppress(OSError):
                return peer.accept()

    @pytest.mark.parametrize("timeout", [0, 0.05])
    def test_the_request_stays_pending(self, peer: Peer, timeout: float) -> None:
        with peer:
            conn, stream_id = self.refused(peer)
            for _ in range(3):
                with pytest.raises(RequestTimeout, match="1 responses did not come within"):
                    in_time(conn, stream_id, timeout)
            ready = peer.background(in_time, conn, stream_id, 10)
            self.accept(peer).greet()
            peer.want(HeadersFrame, 1)
            assert peer.want_body(1, 4) == b"body"
            peer.answer(1, b"at last")
            assert ready.result() == [stream_id]
            assert conn.getresponse(stream_id).read() == b"at last"

    def test_getresponse_goes_on_with_it(self, peer: Peer) -> None:
        with peer:
            conn, stream_id = self.refused(peer)
            with pytest.raises(RequestTimeout, match="1 responses did not come within"):
                in_time(conn, stream_id, 0)
            response = peer.background(conn.getresponse, stream_id)
            self.accept(peer).greet()
            peer.want(HeadersFrame, 1)
            peer.answer(1, b"at last")
            assert response.result().read() == b"at last"

    def test_the_limits_of_the_request_are_its_own(self, peer: Peer) -> None:
        """Its time is over before that of `as_ready()`: that is a failure, which is ready."""
        with peer:
            conn, stream_id = self.refused(peer, timeout=0.05)
            assert in_time(conn, stream_id, 10) == [stream_id]
            with pytest.raises(TimeoutError):
                conn.getresponse(stream_id)


def test_a_pause_between_two_tries(peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over of it does not begin again."""
    monkeypatch.setattr(hyperlite.messages.replay, "BACKOFF", 3600.0)
    stream_id = begin(peer, conn)
    stream = stream_of(conn, stream_id)

    def refuse(wire_id: int) -> None:
        peer.rst(wire_id, ErrorCode.REFUSED_STREAM)
        while stream.error is None:
            http2_of(conn).pump()

    refuse(1)
    with pytest.raises(RequestTimeout, match="1 responses did not come within 0 s"):
        in_time(conn, stream_id, 0)  # which sends it once more, as there is nothing to wait for
    peer.want(HeadersFrame, 3)
    refuse(3)
    for timeout in (0.05, 0):
        with pytest.raises(RequestTimeout, match=f"1 responses did not come within {timeout} s"):
            in_time(conn, stream_id, timeout)
    stream.tries = stream.tries._replace(again_at=1e-9)  # as after an hour
    ready = peer.background(in_time, conn, stream_id, 10)
    peer.want(HeadersFrame, 5)
    peer.answer(5, b"at last")
    assert ready.result() == [stream_id]
    assert conn.getresponse(stream_id).read() == b"at last"
