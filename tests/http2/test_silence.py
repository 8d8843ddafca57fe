"""A connection that has died costs one timeout, not one for each response that is waited for in turn."""

import threading

import pytest
from hyperframe.frame import HeadersFrame, RstStreamFrame

import hyperlite
from hyperlite import ConnectionPool
from hyperlite.errors import RequestTimeout
from hyperlite.net.sockets import Watch
from hyperlite.testing.certificates import certificates
from tests.peer import Peer

from .conftest import acquaint

# Seconds. Longer than SHORT_SILENCE: what is asked next goes to another connection.
LONG, SHORT = 0.6, 0.1


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds for which the socket was polled, or would have been."""
    seen: list[float] = []
    wait = Watch.wait

    def noting(self: Watch, timeout: float | None) -> bool:
        seen.append(-1.0 if timeout is None else timeout)
        return wait(self, timeout)

    monkeypatch.setattr(Watch, "wait", noting)
    return seen


def sent(peer: Peer, conn: hyperlite.HTTP20Connection, count: int, first: int = 1) -> list[int]:
    """Send so many requests; returns their ids."""
    ids = conn.request_many([("GET", f"/{number}") for number in range(count)])
    if not peer.wires:
        peer.accept()
        peer.greet()
    for wire_id in range(first, first + 2 * count, 2):
        peer.want(HeadersFrame, wire_id)
    return ids


def test_one_timeout_for_all_that_are_under_way(peer: Peer, waits: list[float]) -> None:
    conn = peer.connect(timeout=LONG)
    ids = sent(peer, conn, 20)
    with pytest.raises(RequestTimeout, match=r"within 0\.6 s"):
        conn.getresponse(ids[0])
    assert max(waits) > LONG / 2
    waits.clear()
    for stream_id in ids[1:]:
        with pytest.raises(RequestTimeout, match=r"nothing has moved on the connection for 0\.6 s") as caught:
            conn.getresponse(stream_id)
        assert caught.value.stream_id == stream_id
    assert max(waits, default=0.0) < LONG / 2, "the socket was looked at, and hardly waited for"


def test_what_has_come_meanwhile_counts(peer: Peer) -> None:
    conn = peer.connect(timeout=LONG)
    ids = sent(peer, conn, 3)
    with pytest.raises(RequestTimeout):
        conn.getresponse(ids[0])
    peer.answer(5, b"here")
    assert conn.getresponse(ids[2]).read() == b"here"


def test_after_something_has_moved_it_is_waited_for_again(peer: Peer, waits: list[float]) -> None:
    conn = peer.connect(timeout=LONG)
    ids = sent(peer, conn, 3)
    with pytest.raises(RequestTimeout):
        conn.getresponse(ids[0])
    peer.answer(3, b"here")
    assert conn.getresponse(ids[1]).read() == b"here"
    waits.clear()
    with pytest.raises(RequestTimeout, match=r"within 0\.6 s"):
        conn.getresponse(ids[2])
    assert max(waits) > LONG / 2


def test_a_longer_timeout_is_kept(peer: Peer, waits: list[float]) -> None:
    """A long poll has its time, whatever the others do."""
    conn = peer.connect(timeout=5)
    acquaint(peer, conn)
    short, long = conn.request("GET", "/", timeout=SHORT), conn.request("GET", "/poll")
    peer.want(HeadersFrame, 3)
    peer.want(HeadersFrame, 5)
    with pytest.raises(RequestTimeout):
        conn.getresponse(short)
    waits.clear()
    getting = peer.background(conn.getresponse, long)
    peer.answer(5, b"news")
    assert getting.result().read() == b"news"
    assert all(4 < seconds < 5 for seconds in waits if seconds)


def test_what_is_sent_after_the_silence_has_its_own_time(peer: Peer, waits: list[float]) -> None:
    conn = peer.connect(timeout=SHORT)
    ids = sent(peer, conn, 1)
    with pytest.raises(RequestTimeout):
        conn.getresponse(ids[0])
    peer.want(RstStreamFrame, 1)
    ids = sent(peer, conn, 2, first=3)
    waits.clear()
    with pytest.raises(RequestTimeout, match=r"within 0\.1 s"):
        conn.getresponse(ids[0])
    assert max(waits) > SHORT / 2


def test_bodies(peer: Peer, waits: list[float]) -> None:
    """Each can be read again, and is waited for then."""
    conn = peer.connect(timeout=LONG)
    ids = sent(peer, conn, 3)
    for wire_id in (1, 3, 5):
        peer.send_headers(wire_id)
        peer.send_data(wire_id, b"half")
    responses = [conn.getresponse(stream_id) for stream_id in ids]
    assert [response.read(4) for response in responses] == [b"half"] * 3
    with pytest.raises(RequestTimeout, match="within"):
        responses[0].read(4)
    waits.clear()
    for response in responses[1:]:
        with pytest.raises(RequestTimeout, match="nothing has moved"):
            response.read(4)
    assert not any(waits)
    with pytest.raises(RequestTimeout):
        responses[1].read(4)
    assert max(waits) > LONG / 2
    peer.send_data(5, b"whole", end_stream=True)
    assert responses[2].read() == b"whole"


def test_bodies_of_which_a_part_lies_unread(peer: Peer, waits: list[float]) -> None:
    """To read it gives credit, which the peer did not need: it could have gone on before."""
    conn = peer.connect(timeout=LONG)
    ids = sent(peer, conn, 4)
    for wire_id in (1, 3, 5, 7):
        peer.send_headers(wire_id)
        peer.send_data(wire_id, b"half")
    responses = [conn.getresponse(stream_id) for stream_id in ids]
    with pytest.raises(RequestTimeout):
        responses[0].read()
    waits.clear()
    for response in responses[1:]:
        with pytest.raises(RequestTimeout):
            response.read()
    assert sum(waits) < LONG / 2


def test_a_body_that_waits_for_its_reader(peer: Peer, waits: list[float]) -> None:
    """Its window was full: nothing of it could come before it was read."""
    conn = peer.connect(timeout=LONG)
    ids = sent(peer, conn, 2)
    for wire_id in (1, 3):
        peer.send_headers(wire_id)
    window = 1 << 20
    slow, full = [conn.getresponse(stream_id) for stream_id in ids]
    for _ in range(window // 16384):
        peer.send_data(3, bytes(16384))
    with pytest.raises(RequestTimeout):
        slow.read()
    assert len(full.read(window)) == window
    waits.clear()
    reading = peer.background(full.read)
    peer.send_data(3, b"the rest", end_stream=True)
    assert reading.result() == b"the rest"
    assert all(seconds > LONG / 2 for seconds in waits if seconds)


def test_streamed_fetches(waits: list[float]) -> None:
    pool = ConnectionPool(verify=certificates().ca_file, timeout=LONG, proxies=False)
    with Peer(tls=certificates().server_context(("h2",))) as peer, pool:
        url = f"https://localhost:{peer.port}/"
        fetching = [peer.background(pool.fetch, url, stream=True) for _ in range(5)]
        peer.accept()
        peer.greet()
        for _ in fetching:
            peer.send_headers(peer.want(HeadersFrame).stream_id)
        responses = [one.result() for one in fetching]
        with pytest.raises(RequestTimeout, match="within"):
            _ = responses[0].body
        waits.clear()
        for response in responses[1:]:
            with pytest.raises(RequestTimeout, match="nothing has moved"):
                _ = response.body
        assert not any(waits)


class TestAsReady:
    """as_ready() without a time limit of its own waits no longer than the requests do, as on HTTP/1.1."""

    def test_a_dead_connection_fails_all_that_is_under_way(self, peer: Peer) -> None:
        conn = peer.connect(timeout=LONG)
        ids = sent(peer, conn, 3)
        assert sorted(conn.as_ready(ids)) == ids
        for stream_id in ids:
            with pytest.raises(RequestTimeout, match="no response came") as caught:
                conn.getresponse(stream_id)
            assert caught.value.stream_id == stream_id
            assert not caught.value.retry_safe

    def test_what_is_asked_next_goes_to_another_connection(self, peer: Peer) -> None:
        conn = peer.connect(timeout=LONG)
        assert list(conn.as_ready(sent(peer, conn, 1))) == [1]
        later = conn.request("GET", "/")
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.answer(1, b"there")
        assert list(conn.as_ready([later])) == [later]
        assert conn.getresponse(later).read() == b"there"

    def test_each_request_has_its_own_time(self, peer: Peer) -> None:
        conn = peer.connect(timeout=None)
        patient = conn.request("GET", "/patient")
        hasty = conn.request("GET", "/hasty", timeout=SHORT)
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        ready = conn.as_ready()
        assert next(ready) == hasty
        peer.answer(1, b"at last")
        assert next(ready) == patient
        assert conn.getresponse(patient).read() == b"at last"

    def test_the_time_begins_anew_with_each_answer(self, peer: Peer) -> None:
        conn = peer.connect(timeout=LONG)
        ids = sent(peer, conn, 2)
        ready = conn.as_ready(ids)
        peer.answer(1, b"one")
        assert next(ready) == ids[0]
        waited = peer.background(next, ready)
        assert waited.result() == ids[1]  # it has failed, after a time of its own
        with pytest.raises(RequestTimeout):
            conn.getresponse(ids[1])

    def test_a_time_limit_of_its_own_stands_for_theirs(self, peer: Peer) -> None:
        conn = peer.connect(timeout=SHORT)
        [stream_id] = sent(peer, conn, 1)
        ready = peer.background(lambda: list(conn.as_ready([stream_id], timeout=30)))
        threading.Event().wait(3 * SHORT)
        peer.answer(1, b"late")
        assert ready.result() == [stream_id]
        assert conn.getresponse(stream_id).read() == b"late"
