"""An answered request is not sent again, whatever the peer says of it afterwards."""

from collections.abc import Callable

import pytest
from hyperframe.frame import HeadersFrame

import hyperlite
from hyperlite.errors import ConnectionGoingAway, ConnectionLost, ErrorCode, HTTP2Error, StreamReset
from hyperlite.http2.stream import Stream
from hyperlite.http2.writer import Writer
from hyperlite.messages.request import Request
from hyperlite.testing.certificates import certificates
from hyperlite.testing.hostile.frames import Fields
from tests.inside import http2_of
from tests.peer import TIMEOUT, Peer, Wire

from .conftest import acquaint

CONN = hyperlite.HTTP20Connection
HINT: Fields = [(":status", "103"), ("link", "</a.css>")]
CONTINUE: Fields = [(":status", "100")]

REFUSALS: dict[str, Callable[[Wire], None]] = {
    "GOAWAY": lambda wire: wire.goaway(1),
    "GOAWAY with an error": lambda wire: wire.goaway(1, ErrorCode.ENHANCE_YOUR_CALM),
    "REFUSED_STREAM": lambda wire: wire.rst(3, ErrorCode.REFUSED_STREAM),
}
refused = pytest.mark.parametrize("refusal", REFUSALS)


def post(peer: Peer, conn: CONN) -> int:
    """Send a POST that could be sent again; its wire id is 3."""
    acquaint(peer, conn)
    stream_id = conn.request("POST", "/", b"body")
    peer.want(HeadersFrame, 3)
    assert peer.want_end(3) == b"body"
    return stream_id


def assert_sent_once(peer: Peer, conn: CONN, refusal: str) -> None:
    """Check that nothing more comes of it: the next request is the next that the peer sees."""
    task = peer.background(lambda: conn.getresponse(conn.request("GET", "/next")).read())
    wire = peer.wires[-1]
    if refusal != "REFUSED_STREAM":
        wire = peer.accept()
        wire.greet()
    number, (fields, _) = next((one, (fields, body)) for one, fields, body in wire.requests())
    assert fields[":path"] == "/next"
    wire.answer(number, b"next")
    assert task.result() == b"next"


@refused
class TestRefusedAfterAnAnswer:
    @pytest.mark.parametrize("block", [HINT, CONTINUE], ids=["103", "100"])
    def test_after_a_1xx(self, peer: Peer, conn: CONN, refusal: str, block: Fields) -> None:
        stream_id = post(peer, conn)
        peer.send_headers(3, block)
        REFUSALS[refusal](peer.wires[0])
        with pytest.raises((ConnectionGoingAway, StreamReset)) as caught:
            conn.getresponse(stream_id)
        assert not caught.value.retry_safe
        assert_sent_once(peer, conn, refusal)

    @pytest.mark.parametrize("size", [0, 4])
    def test_after_the_head_and_data(self, peer: Peer, conn: CONN, refusal: str, size: int) -> None:
        stream_id = post(peer, conn)
        peer.send_headers(3)
        peer.send_data(3, bytes(size))
        REFUSALS[refusal](peer.wires[0])
        response = conn.getresponse(stream_id)
        assert response.status == 200
        assert response.read1() == bytes(size) if size else True
        with pytest.raises(HTTP2Error) as caught:
            response.read1()
        assert not caught.value.retry_safe
        with pytest.raises(hyperlite.IncompleteBody) as whole:
            response.read()
        assert not whole.value.retry_safe
        response.close()
        assert_sent_once(peer, conn, refusal)

    def test_before_any_answer_it_is_sent_again(self, peer: Peer, conn: CONN, refusal: str) -> None:
        stream_id = post(peer, conn)
        REFUSALS[refusal](peer.wires[0])
        task = peer.background(lambda: conn.getresponse(stream_id).read())
        if refusal == "REFUSED_STREAM":
            wire = peer.wires[0]
        else:
            wire = peer.accept()
            wire.greet()
        ((number, (wire_id, body)),) = wire.want_requests(1).items()
        assert (number, body) == ("/", b"body")
        wire.answer(wire_id, b"done")
        assert task.result() == b"done"


@pytest.mark.parametrize("refusal", ["GOAWAY", "REFUSED_STREAM"])
def test_fetch_many_sends_an_answered_post_once(refusal: str) -> None:
    """It sees the stream itself, without a response around it."""
    certified = certificates()
    with (
        Peer(tls=certified.server_context(("h2",))) as peer,
        hyperlite.ConnectionPool(timeout=TIMEOUT, verify=certified.ca_file, proxies=False) as pool,
    ):
        request = hyperlite.FetchRequest(f"https://localhost:{peer.port}/", method="POST", body=b"body")
        task = peer.background(lambda: list(pool.fetch_many([request])))
        wire = peer.accept()
        wire.greet()
        wire.want(HeadersFrame, 1)
        assert wire.want_end(1) == b"body"
        wire.send_headers(1)
        wire.send_data(1, b"half")
        if refusal == "GOAWAY":
            wire.goaway(0)
        else:
            wire.rst(1, ErrorCode.REFUSED_STREAM)
        (outcome,) = task.result()
        assert outcome.response is None
        assert isinstance(outcome.error, HTTP2Error)
        assert not outcome.error.retry_safe
        assert not peer.waiting
        assert not wire.of(HeadersFrame, 3)


def test_a_request_that_was_made_on_http11_has_left(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It went out before its HTTP/2 connection began, of which the socket may have taken nothing."""
    conn = peer.connect()
    conn.connect()
    mux = http2_of(conn)
    monkeypatch.setattr(Writer, "send", lambda _writer: False)
    stream = Stream(1, Request("POST", "/", b"body", {}, b"http", b"localhost", 65536))
    mux.adopt(stream)
    peer.accept().close()
    mux.pump()
    assert isinstance(stream.error, ConnectionLost)
    assert not stream.error.retry_safe
