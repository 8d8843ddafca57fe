"""as_ready() looks at the requests that settle, not at all that it waits for."""

import gc
import math
import threading
from collections.abc import Callable, Iterator

import pytest
from hyperframe.frame import HeadersFrame

import hyperlite
from hyperlite.as_ready import ReadyWait
from hyperlite.errors import RequestTimeout
from hyperlite.http2.stream import Stream
from hyperlite.messages.exchange import Exchange
from hyperlite.pending import Pending
from tests.http2.conftest import acquaint
from tests.inside import leadership_of, pending_of, transport_of
from tests.peer import Peer

CONN = hyperlite.HTTP20Connection
MANY = 60


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def conn(peer: Peer) -> CONN:
    return peer.connect()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Exchange]]:
    """The requests that as_ready() looks at, one after the other."""
    seen: list[Exchange] = []
    usual = Pending._is_ready

    def is_ready(pending: Pending, exchange: Exchange, until: float | None) -> bool:
        seen.append(exchange)
        return usual(pending, exchange, until)

    monkeypatch.setattr(Pending, "_is_ready", is_ready)
    return iter([seen])


def sent(peer: Peer, conn: CONN, count: int) -> list[int]:
    """Send requests that the peer sees; their ids are the numbers of their streams."""
    acquaint(peer, conn)
    ids = conn.request_many([("GET", "/")] * count)
    for stream_id in ids:
        peer.want(HeadersFrame, stream_id)
    return ids


def test_each_request_is_looked_at_a_few_times(
    peer: Peer, conn: CONN, looks: Iterator[list[Exchange]]
) -> None:
    """They are answered one by one, the last first; to look at all each time is 1,830 looks."""
    seen, ids = next(looks), sent(peer, conn, MANY)
    ready = conn.as_ready(ids)
    for stream_id in reversed(ids):
        peer.answer(stream_id, b"here")
        assert next(ready) == stream_id
        assert conn.getresponse(stream_id).read() == b"here"
    assert list(ready) == []
    assert (
        len(seen) < 6 * MANY
    )  # all at first, each that is posted, and all after a quiet quarter of a second


def test_they_come_in_the_order_of_their_arrival(peer: Peer, conn: CONN) -> None:
    ids = sent(peer, conn, 5)
    ready = peer.background(lambda: [(one, conn.getresponse(one).read()) for one in conn.as_ready(ids)])
    order = [7, 3, 11, 5, 9]
    for stream_id in order:
        peer.answer(stream_id, b"%d" % stream_id)
        while not pending_of(conn).requests.keys().isdisjoint({stream_id}):
            threading.Event().wait(0.001)
    assert ready.result() == [(one, b"%d" % one) for one in order]


def test_calls_that_time_out_leave_nothing_behind(peer: Peer, conn: CONN) -> None:
    """A program may call it a thousand times a second, with no time to wait."""
    (stream_id,) = sent(peer, conn, 1)
    exchange = pending_of(conn).requests[stream_id]
    for _ in range(20):
        with pytest.raises(RequestTimeout):
            next(conn.as_ready([stream_id], timeout=0))
    gc.collect()
    assert len(exchange.waiters) <= 1
    peer.answer(stream_id, b"here")
    assert conn.getresponse(stream_id).read() == b"here"
    assert exchange.waiters == ()


def test_one_that_a_thread_reads_while_another_waits(peer: Peer, conn: CONN) -> None:
    """A response that is there is no longer waited for: its unread bytes can be credited."""
    first, second = sent(peer, conn, 2)
    ready = conn.as_ready([first, second])
    peer.answer(first, b"here")
    assert next(ready) == first
    exchanges = pending_of(conn).requests
    assert exchanges[first].waiters == ()
    assert exchanges[second].waiters != ()
    peer.answer(second, b"there")
    assert list(ready) == [second]
    assert exchanges[second].waiters == ()
    for stream_id in (first, second):
        conn.getresponse(stream_id).read()


@pytest.mark.parametrize("leads", [True, False], ids=["as_ready leads", "as_ready follows"])
def test_two_threads(peer: Peer, conn: CONN, leads: bool) -> None:
    """Whichever thread receives, the other is woken by what it waits for."""
    mine, yours = sent(peer, conn, 2)
    calls: list[Callable[[], object]] = [
        lambda: list(conn.as_ready([mine], timeout=20)),
        lambda: conn.getresponse(yours).read(),
    ]
    tasks = []
    leadership = leadership_of(transport_of(conn))
    for call in calls if leads else reversed(calls):
        tasks.append(peer.background(call))
        while not leadership.held:
            threading.Event().wait(0.001)
    for stream_id in (mine, yours):
        peer.answer(stream_id, b"here")
    results = [task.result() for task in tasks]
    assert results == ([[mine], b"here"] if leads else [b"here", [mine]])
    assert conn.getresponse(mine).read() == b"here"


def test_the_same_ids_in_two_threads(peer: Peer, conn: CONN) -> None:
    ids = sent(peer, conn, 4)
    tasks = [peer.background(lambda: list(conn.as_ready(ids, timeout=20))) for _ in range(2)]
    for stream_id in ids:
        peer.answer(stream_id)
    assert [task.result() for task in tasks] == [ids, ids]


class Moved(Stream):
    """A request that counts with how many others it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Moved.compared += 1
        return self is other

    __hash__ = Stream.__hash__


def test_requests_that_another_thread_sends_again_are_found_by_their_ids(peer: Peer, conn: CONN) -> None:
    """Thousands may be sent again at once: to compare each with all takes the square of it."""
    (stream_id,) = sent(peer, conn, 1)
    settled = pending_of(conn).requests[stream_id]
    moved: list[Exchange] = [Moved(number, settled.request) for number in range(101, 201, 2)]
    awaited = ReadyWait({one.stream_id: one for one in (settled, *moved)})
    for one in awaited.all():
        awaited.place(one, math.inf)
    awaited.forget(moved[0])
    for arrivals in awaited.carriers().values():
        arrivals.post(settled)
    assert awaited.news() == [settled, *moved[1:]]
    assert Moved.compared == 0
