"""A stream is open, complete or failed: what is complete stays whole, what is cancelled has an error."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from hyperframe.frame import HeadersFrame, RstStreamFrame

import hyperlite
from hyperlite.errors import ErrorCode, RequestTimeout, StreamReset
from hyperlite.http2 import socket_io
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.http2.socket_io import SocketIO
from hyperlite.http2.stream import Stream
from hyperlite.http2.waiting import Waiting
from hyperlite.net.heap import GIVEN_BACK
from hyperlite.testing.certificates import certificates
from tests.inside import connection_of, http2_of, origin_of, stream_of
from tests.peer import TIMEOUT, Peer

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection


def pump_until(mux: HTTP2Connection | Waiting, done: Callable[[], object]) -> None:
    """Do what another thread does that reads for all."""
    end = time.monotonic() + TIMEOUT
    while not done():
        assert time.monotonic() < end
        mux.pump()


@pytest.fixture
def overtaken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Stream], None]], None]:
    """Have every stream answered, and completed by another thread, just before it is cancelled."""
    cancel = Waiting.cancel

    def overtake(answer: Callable[[Stream], None]) -> None:
        def cancelled(waiting: Waiting, stream: Stream, *args: Any) -> Any:
            answer(stream)
            pump_until(waiting, lambda: stream.inbox.complete)
            return cancel(waiting, stream, *args)

        monkeypatch.setattr(Waiting, "cancel", cancelled)

    return overtake


class TestComplete:
    def test_one_that_loses_bytes_that_a_read_puts_back_has_failed(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.answer(1, b"whole")
        mux, stream = http2_of(conn), stream_of(conn, stream_id)
        pump_until(mux, lambda: stream.inbox.complete)
        ahead = mux.read(stream, 100)  # as peek() does
        mux.drop(stream)  # and another thread closes the response meanwhile
        mux.put_back(stream, ahead)
        with pytest.raises(StreamReset, match="cancelled"):
            mux.read(stream, 100)
        assert (mux.table.unread.total, mux.table.unread.advanced) == (0, 0)

    @pytest.mark.parametrize("error", [None, RequestTimeout("too late")])
    def test_cancelling_it_changes_nothing(
        self, peer: Peer, conn: CONN, error: RequestTimeout | None
    ) -> None:
        stream_id = begin(peer, conn)
        peer.answer(1, b"whole")
        mux, stream = http2_of(conn), stream_of(conn, stream_id)
        pump_until(mux, lambda: stream.inbox.complete)
        mux.cancel(stream, error)
        assert (stream.inbox.complete, stream.error) == (True, None)
        assert conn.getresponse(stream_id).read() == b"whole"
        assert mux.table.unread.total == 0

    def test_a_timeout_of_fetch_many_that_comes_too_late(self, overtaken: Any) -> None:
        certified = certificates()
        with (
            Peer(tls=certified.server_context(("h2",))) as peer,
            hyperlite.ConnectionPool(timeout=0.05, verify=certified.ca_file, proxies=False) as pool,
        ):
            overtaken(lambda stream: peer.answer(stream.wire_id, b"whole"))
            url = f"https://localhost:{peer.port}/"
            warming = peer.background(pool.fetch, url, timeout=TIMEOUT)
            peer.accept().greet()
            peer.want(HeadersFrame, 1)
            peer.answer(1, b"warm")
            assert warming.result().body == b"warm"
            (outcome,) = pool.fetch_many([url], retries=0)
            assert outcome.error is None
            assert (outcome.response.status, outcome.response.body) == (200, b"whole")

    @pytest.mark.parametrize("read", ["read", "read1", "readline"])
    def test_a_deadline_that_passes_too_late(self, peer: Peer, overtaken: Any, read: str) -> None:
        conn = peer.connect(deadline=0.05)
        stream_id = begin(peer, conn)
        peer.send_headers(1, [(":status", "200")])
        response = conn.getresponse(stream_id)
        overtaken(lambda _: peer.send_data(1, b"whole", end_stream=True))
        deadline = response._stream.request.deadline
        pump_until(http2_of(conn), lambda: time.monotonic() >= deadline)
        assert getattr(response, read)() == b"whole"

    def test_an_upload_that_times_out_too_late(self, peer: Peer, overtaken: Any) -> None:
        """The server has answered without the rest: that is the outcome."""
        conn = peer.connect(timeout=0.05)
        acquaint(peer, conn, initial_window_size=0)
        overtaken(lambda stream: stream.inbox.complete or peer.answer(3, b"enough"))
        stream_id = conn.request("POST", "/", b"body")
        assert conn.getresponse(stream_id).read() == b"enough"

    def test_given_up_it_has_failed(self, peer: Peer, conn: CONN) -> None:
        """A thread that reads it nevertheless learns of it: the end of the file would be a lie."""
        stream_id = begin(peer, conn)
        peer.answer(1, b"whole")
        response = conn.getresponse(stream_id)
        mux, stream = http2_of(conn), response._stream
        pump_until(mux, lambda: stream.inbox.complete)
        mux.drop(stream)
        assert not stream.inbox.complete
        with pytest.raises(StreamReset, match="cancelled"):
            response.read()
        assert (mux.table.unread.total, mux.table.unread.advanced) == (0, 0)

    def test_given_up_after_its_end_it_is_still_complete(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.answer(1, b"whole")
        response = conn.getresponse(stream_id)
        assert response.read() == b"whole"
        stream = response._stream
        response.close()
        assert (stream.inbox.complete, stream.error) == (True, None)


class TestCancelled:
    def test_what_had_come_is_read_and_then_the_error(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        peer.send_data(1, b"some")
        response = conn.getresponse(stream_id)
        mux, stream = http2_of(conn), response._stream
        pump_until(mux, lambda: stream.inbox.size)
        assert mux.cancel(stream)
        assert not mux.cancel(stream, RequestTimeout("once more"))
        assert response.read1() == b"some"
        for _ in range(2):
            with pytest.raises(StreamReset, match="cancelled"):
                response.read1()
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
        response.close()
        assert (mux.table.unread.total, mux.table.unread.advanced) == (0, 0)

    def test_the_body_is_incomplete_when_its_deadline_is_over(self, peer: Peer) -> None:
        conn = peer.connect(deadline=0.05)
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        peer.send_data(1, b"some")
        response = conn.getresponse(stream_id)
        with pytest.raises(RequestTimeout, match="before the deadline"):
            response.read()
        assert response.read1() == b"some"
        with pytest.raises(RequestTimeout, match="before the deadline"):
            response.read1()

    def test_a_read_that_another_thread_gives_up_puts_nothing_back(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        peer.send_data(1, b"some")
        response = conn.getresponse(stream_id)
        mux, stream = http2_of(conn), response._stream
        pump_until(mux, lambda: stream.inbox.size)
        taken = mux.read(stream, 4)
        response.close()
        mux.put_back(stream, taken)
        assert (stream.inbox.size, mux.table.unread.total, mux.table.unread.advanced) == (0, 0, 0)


class TestAccounts:
    """What nothing reads any more counts no more: requests would wait for it in vain."""

    @pytest.mark.parametrize("end", ["rst", "cancel", "close", "complete"])
    def test_however_it_ended(self, peer: Peer, conn: CONN, end: str) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1)
        peer.send_data(1, b"unread", end_stream=end == "complete")
        mux, stream = http2_of(conn), stream_of(conn, stream_id)
        pump_until(mux, lambda: mux.table.unread.total)
        if end == "rst":
            peer.rst(1, ErrorCode.INTERNAL_ERROR)
            pump_until(mux, lambda: stream.error)
            conn.getresponse(stream_id).close()
        elif end == "cancel":
            conn.cancel(stream_id)
        elif end == "close":
            conn.getresponse(stream_id).close()
        else:
            pump_until(mux, lambda: stream.inbox.complete)
            conn.cancel(stream_id)
        assert mux.table.unread.total == 0

    def test_of_what_fetch_many_gave_up(self) -> None:
        certified = certificates()
        with (
            Peer(tls=certified.server_context(("h2",))) as peer,
            hyperlite.ConnectionPool(timeout=TIMEOUT, verify=certified.ca_file, proxies=False) as pool,
        ):
            post = hyperlite.FetchRequest(f"https://localhost:{peer.port}/", method="POST", body=b"x")
            task = peer.background(lambda: list(pool.fetch_many([post] * 3)))
            peer.accept().greet()
            for _ in range(3):
                peer.want_end(peer.want(HeadersFrame).stream_id)
            for wire_id in (1, 3, 5):
                peer.send_headers(wire_id)
                peer.send_data(wire_id, b"unread")
                peer.rst(wire_id, ErrorCode.INTERNAL_ERROR)
            assert all(isinstance(outcome.error, StreamReset) for outcome in task.result())
            connection = connection_of(origin_of(pool))
            assert connection.http2 is not None
            assert connection.http2.table.unread.total == 0

    def test_what_waited_for_it_is_started(self, peer: Peer) -> None:
        conn = peer.connect(max_buffered=1000)
        stream_id = begin(peer, conn)
        peer.answer(1, bytes(5000))
        mux, stream = http2_of(conn), stream_of(conn, stream_id)
        pump_until(mux, lambda: stream.inbox.complete)
        response = conn.getresponse(stream_id)
        second = conn.request("GET", "/2")
        assert mux.counts == (0, 1)
        response.close()
        peer.want(HeadersFrame, 3)
        peer.answer(3, b"two")
        assert conn.getresponse(second).read() == b"two"


class _Interrupt(BaseException):
    pass


@pytest.mark.parametrize("read", ["read", "read1", "readinto"])
def test_a_read_that_is_interrupted_while_its_credit_is_written_loses_nothing(
    peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    stream_id = begin(peer, conn)
    peer.answer(1, b"whole")
    response = conn.getresponse(stream_id)
    mux, stream = http2_of(conn), response._stream
    pump_until(mux, lambda: stream.inbox.complete)

    def interrupt(_io: SocketIO) -> None:
        raise _Interrupt

    with monkeypatch.context() as patched:
        patched.setattr(SocketIO, "linger", interrupt)
        patched.setattr(mux.table.writer, "out", bytearray(b"credit"))
        with pytest.raises(_Interrupt):
            response.readinto(bytearray(3)) if read == "readinto" else getattr(response, read)()
    assert response.read() == b"whole"


@pytest.mark.parametrize(("size", "kept"), [(1000, False), (GIVEN_BACK + 1, True)])
def test_the_memory_of_much_that_lies_unread_is_kept_for_what_comes_next(
    peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch, size: int, kept: bool
) -> None:
    calls: list[None] = []
    monkeypatch.setattr(socket_io, "keep_heap", lambda: calls.append(None))
    stream_id = begin(peer, conn)
    peer.send_headers(1)
    sending = peer.background(peer.send_body, 1, bytes(size))
    stream = stream_of(conn, stream_id)
    pump_until(http2_of(conn), lambda: stream.inbox.complete)
    sending.result()
    assert bool(calls) is kept
    assert len(conn.getresponse(stream_id).read()) == size
