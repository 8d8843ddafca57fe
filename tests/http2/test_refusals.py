"""A connection on which everything is refused takes no further requests; one that takes a few goes on."""

from collections.abc import Iterator

import pytest
from hyperframe.frame import HeadersFrame, RstStreamFrame

import hyperlite
import hyperlite.messages.replay
from hyperlite import ConnectionPool
from hyperlite.errors import ErrorCode, StreamReset
from hyperlite.testing.certificates import certificates
from tests.peer import TIMEOUT, Peer

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection
CODES = pytest.mark.parametrize("code", [ErrorCode.REFUSED_STREAM, ErrorCode.ENHANCE_YOUR_CALM])


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperlite.messages.replay, "BACKOFF", 0.001)


def refuse(peer: Peer, *wire_ids: int, code: ErrorCode = ErrorCode.REFUSED_STREAM) -> None:
    """Refuse requests, one after the other."""
    for wire_id in wire_ids:
        peer.want(HeadersFrame, wire_id)
        peer.rst(wire_id, code)


def test_a_request_goes_to_another_connection(peer: Peer, conn: CONN) -> None:
    getting = peer.background(lambda: conn.getresponse(conn.request("POST", "/", b"body")))
    peer.accept()
    peer.greet()
    for wire_id in (1, 3, 5):
        peer.want(HeadersFrame, wire_id)
        assert peer.want_end(wire_id) == b"body"
        peer.rst(wire_id, ErrorCode.REFUSED_STREAM)
    peer.accept()
    peer.greet()
    peer.want(HeadersFrame, 1)
    assert peer.want_end(1) == b"body"
    peer.answer(1, b"here")
    assert getting.result().read() == b"here"


def test_what_is_not_sent_again_counts_too(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn)
    for wire_id in (3, 5, 7):
        stream_id = conn.request("GET", "/")
        refuse(peer, wire_id, code=ErrorCode.ENHANCE_YOUR_CALM)
        with pytest.raises(StreamReset) as caught:
            conn.getresponse(stream_id)
        assert not caught.value.retry_safe
    stream_id = begin(peer, conn)
    peer.answer(1, b"here")
    assert conn.getresponse(stream_id).read() == b"here"


@CODES
def test_with_an_answer_in_between_it_goes_on(peer: Peer, conn: CONN, code: ErrorCode) -> None:
    acquaint(peer, conn)
    for wire_id in range(3, 27, 2):
        stream_id = conn.request("GET", "/")
        peer.want(HeadersFrame, wire_id)
        if wire_id % 3:
            peer.rst(wire_id, ErrorCode.ENHANCE_YOUR_CALM)
            with pytest.raises(StreamReset):
                conn.getresponse(stream_id)
        else:
            peer.answer(wire_id, b"here")
            assert conn.getresponse(stream_id).read() == b"here"
    assert not peer.waiting


def test_side_by_side_they_count_once(peer: Peer, conn: CONN) -> None:
    """A server may not have said yet how many it takes."""
    ids = conn.request_many([("GET", "/")] * 5)
    peer.accept()
    peer.greet()
    for wire_id in (1, 3, 5, 7, 9):
        peer.want(HeadersFrame, wire_id)
    for wire_id in (1, 3, 5, 7, 9):
        peer.rst(wire_id, ErrorCode.ENHANCE_YOUR_CALM)
    for stream_id in ids:
        with pytest.raises(StreamReset):
            conn.getresponse(stream_id)
    stream_id = conn.request("GET", "/")
    peer.want(HeadersFrame, 11)
    peer.answer(11, b"here")
    assert conn.getresponse(stream_id).read() == b"here"
    assert not peer.waiting


def test_a_server_that_takes_one_at_a_time(peer: Peer, conn: CONN) -> None:
    """What it has under way unanswered was sent before: it does not refuse everything."""
    first = begin(peer, conn)
    for wire_id in (3, 5, 7, 9):
        stream_id = conn.request("GET", "/")
        refuse(peer, wire_id, code=ErrorCode.ENHANCE_YOUR_CALM)
        with pytest.raises(StreamReset):
            conn.getresponse(stream_id)
    peer.answer(1, b"first")
    assert conn.getresponse(first).read() == b"first"
    stream_id = conn.request("GET", "/")
    peer.want(HeadersFrame, 11)
    peer.answer(11, b"here")
    assert conn.getresponse(stream_id).read() == b"here"
    assert not peer.waiting


def test_what_is_under_way_ends_in_peace(peer: Peer, conn: CONN) -> None:
    """A download is read to its end on the connection that takes no more."""
    stream_id = begin(peer, conn)
    peer.send_headers(1)
    download = conn.getresponse(stream_id)
    old = peer.wires[0]
    getting = peer.background(lambda: conn.getresponse(conn.request("GET", "/")))
    refuse(peer, 3, 5, 7)
    peer.accept()
    peer.greet()
    peer.want(HeadersFrame, 1)
    peer.answer(1, b"here")
    assert getting.result().read() == b"here"
    old.send_data(1, b"the rest", end_stream=True)
    assert download.read() == b"the rest"
    old.want_eof()


class TestPool:
    @pytest.fixture
    def peer(self) -> Iterator[Peer]:
        with Peer(tls=certificates().server_context(("h2",))) as peer:
            yield peer

    @pytest.fixture
    def pool(self) -> Iterator[ConnectionPool]:
        with ConnectionPool(verify=certificates().ca_file, timeout=TIMEOUT, proxies=False) as pool:
            yield pool

    @CODES
    @pytest.mark.parametrize("many", [False, True], ids=["fetch", "fetch_many"])
    def test_a_get_is_answered(self, peer: Peer, pool: ConnectionPool, code: ErrorCode, many: bool) -> None:
        url = f"https://localhost:{peer.port}/"

        def get() -> bytes:
            if many:
                return next(iter(pool.fetch_many([url]))).result().body
            return pool.fetch(url).body

        getting = peer.background(get)
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.answer(1, b"hello")
        assert getting.result() == b"hello"
        getting = peer.background(get)
        refuse(peer, 3, 5, 7, code=code)
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.answer(1, b"here")
        assert getting.result() == b"here"
        assert not peer.of(RstStreamFrame)
        [state] = pool.stats()["origins"].values()
        assert (state["connections"], state["leased"]) == (1, 0)
