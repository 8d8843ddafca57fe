"""What a finalizer leaves is dealt with at once, wherever it runs: no request waits for it in vain."""

import contextlib
import gc
from typing import Any

import pytest
from hyperframe.frame import HeadersFrame, PingFrame, RstStreamFrame

import hyperlite
from hyperlite.errors import ErrorCode
from hyperlite.http2.stream import Inbox
from hyperlite.http2.streams import StreamTable
from hyperlite.http2.waiting import Waiting
from hyperlite.http2.writer import Writer
from hyperlite.messages.response import HTTP20Response
from tests.inside import http2_of, sleepers_on
from tests.interrupts import Struck
from tests.peer import Peer

from .conftest import begin

CONN = hyperlite.HTTP20Connection


class Garbage:
    """Holds the last reference to a response whose body is not read, and lets go of it when it is told."""

    def __init__(self, peer: Peer, conn: CONN, **settings: int) -> None:
        stream_id = begin(peer, conn, **settings)
        peer.send_headers(1)
        self._held: list[HTTP20Response] = [conn.getresponse(stream_id)]
        self.mux = http2_of(conn)

    def drop(self) -> None:
        """Have the finalizer run here, as the collector might."""
        if self._held:
            assert self.mux._io.lock.locked()
            self._held.clear()

    def drop_unlocked(self) -> None:
        """Have the finalizer run where the lock is free."""
        self._held.clear()

    @property
    def is_dropped(self) -> bool:
        return not self._held


@pytest.fixture(autouse=True)
def _no_collector() -> Any:
    gc.disable()
    yield
    gc.enable()


def assert_started(peer: Peer, wire_id: int) -> None:
    """Check that the slot of the dropped response is given back, and taken by the request that waits."""
    assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
    peer.want(HeadersFrame, wire_id)
    peer.answer(wire_id, b"started")


@pytest.mark.parametrize(("part", "step"), [(StreamTable, "credit_ahead"), (Waiting, "want")])
def test_by_the_thread_that_is_about_to_poll(
    peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch, part: type, step: str
) -> None:
    """After it has tidied, and before it has let go of the lock."""
    garbage = Garbage(peer, conn, max_concurrent_streams=1)
    second = conn.request("GET", "/2")
    usual = getattr(part, step)

    def drop(*args: Any) -> Any:
        outcome = usual(*args)
        garbage.drop()
        return outcome

    monkeypatch.setattr(part, step, drop)
    task = peer.background(lambda: conn.getresponse(second).read())
    assert_started(peer, 3)
    assert task.result() == b"started"


def test_by_the_thread_that_is_about_to_sleep(
    peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage = Garbage(peer, conn, max_concurrent_streams=2)
    second = conn.request("GET", "/2")
    peer.want(HeadersFrame, 3)
    polling = peer.background(lambda: conn.getresponse(second).read())
    third = conn.request("GET", "/3")
    while not garbage.mux._io.pollers:
        assert not polling.done
    leadership = garbage.mux._io.leadership
    usual = leadership._lie_down

    def drop(*args: Any) -> None:
        usual(*args)
        garbage.drop()

    monkeypatch.setattr(leadership, "_lie_down", drop)
    task = peer.background(lambda: conn.getresponse(third).read())
    assert_started(peer, 5)
    assert task.result() == b"started"
    peer.answer(3, b"two")
    assert polling.result() == b"two"


def test_by_a_thread_that_waits_for_nothing(peer: Peer, conn: CONN) -> None:
    """It has the lock for a moment, and goes on with something else; another thread polls."""
    garbage = Garbage(peer, conn, max_concurrent_streams=2)
    second = conn.request("GET", "/2")
    peer.want(HeadersFrame, 3)
    peer.send_headers(3)
    peer.send_data(3, b"ahead")
    response = conn.getresponse(second)
    third = conn.request("GET", "/3")

    class Dropping(Inbox):
        def put_back(self, data: bytes) -> None:
            super().put_back(data)
            garbage.drop()

    inbox = response._stream.inbox
    while not inbox.size:
        garbage.mux.pump()
    dropping = response._stream.inbox = Dropping()
    dropping.fields, dropping.length = inbox.fields, inbox.length
    dropping.put(inbox.take(5))
    task = peer.background(lambda: conn.getresponse(third).read())
    while not garbage.mux._io.pollers:
        assert not task.done
    assert response.peek() == b"ahead"
    assert garbage.is_dropped
    assert_started(peer, 5)
    assert task.result() == b"started"
    response.close()


def test_an_exception_passes_by(peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is let go by way of an error, and the next request need not be made for it."""
    garbage = Garbage(peer, conn, max_concurrent_streams=1)
    second = conn.request("GET", "/2")

    def drop(*_: Any) -> None:
        garbage.drop()
        raise RuntimeError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(StreamTable, "credit_ahead", drop)
        with pytest.raises(RuntimeError, match="defect"):
            garbage.mux.ping(1)
    peer.want(PingFrame)
    assert_started(peer, 3)
    assert conn.getresponse(second).read() == b"started"


def test_what_the_socket_does_not_take_is_not_forgotten(
    peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that polls does not know of it, so one that sleeps watches for the socket."""
    garbage = Garbage(peer, conn, max_concurrent_streams=2)
    second = conn.request("GET", "/2")
    peer.want(HeadersFrame, 3)
    polling = peer.background(lambda: conn.getresponse(second).read())
    third = conn.request("GET", "/3")
    while not garbage.mux._io.pollers:
        assert not polling.done
    sleeping = peer.background(lambda: conn.getresponse(third).read())
    while not sleepers_on(garbage.mux):
        assert not sleeping.done
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "send", lambda _writer: False)
        garbage.drop_unlocked()
    assert_started(peer, 5)
    assert sleeping.result() == b"started"
    peer.answer(3, b"two")
    assert polling.result() == b"two"


def test_an_interrupt_in_a_finalizer(h2: CONN) -> None:
    """Python reports it and goes on; so does the connection."""
    response = h2.getresponse(h2.request("GET", "/chunks?n=100000"))
    mux = http2_of(h2)
    mux._io.lock = lock = Struck(mux._io.lock)  # type: ignore[assignment]
    with contextlib.suppress(KeyboardInterrupt):
        mux.abandon(response._stream)  # type: ignore[arg-type]
    assert not lock.locked()
