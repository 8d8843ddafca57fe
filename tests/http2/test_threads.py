"""Several threads on one connection: one reads for all, and a leader that stops passes the lead on."""

import pytest
from hyperframe.frame import HeadersFrame

import hyperlite
from hyperlite.errors import ConnectionLost, ErrorCode, StreamReset
from tests.peer import Peer, Task

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection
THREADS, REQUESTS = 50, 20


@pytest.mark.parametrize("limit", [None, 10])
def test_fifty_threads(peer: Peer, conn: CONN, limit: int | None) -> None:
    """Each gets the answers to its own requests, in whatever order it asks."""
    stream_id = conn.request("GET", "/")
    wire = peer.accept()
    wire.greet(**({} if limit is None else {"max_concurrent_streams": limit}))

    def echo() -> None:
        for wire_id, fields, body in wire.requests():
            wire.answer(wire_id, body or fields[":path"].encode())

    echoing = peer.background(echo)
    conn.getresponse(stream_id).read()

    def work(number: int) -> list[bytes]:
        ids = []
        for count in range(REQUESTS):
            if count % 2:
                ids.append(conn.request("POST", "/", b"%d %d" % (number, count)))
            else:
                ids.append(conn.request("GET", f"/{number}/{count}"))
        backwards = [conn.getresponse(stream_id).read() for stream_id in reversed(ids)]
        return backwards[::-1]

    tasks = [peer.background(work, number) for number in range(THREADS)]
    for number, task in enumerate(tasks):
        assert task.result(60) == [
            b"%d %d" % (number, count) if count % 2 else b"/%d/%d" % (number, count)
            for count in range(REQUESTS)
        ]
    conn.close()
    echoing.result()
    assert not peer.waiting  # all of it on one connection


class TestBaton:
    """Two threads wait for a response each; one of them reads."""

    @pytest.fixture
    def two(self, peer: Peer, conn: CONN) -> list[Task]:
        ids = [begin(peer, conn), conn.request("GET", "/2")]
        peer.want(HeadersFrame, 3)
        return [peer.background(conn.getresponse, stream_id) for stream_id in ids]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_whichever_is_answered_first(self, peer: Peer, two: list[Task], order: tuple[int, int]) -> None:
        for which in order:
            peer.answer(2 * which + 1, b"%d" % which)
            assert two[which].result().read() == b"%d" % which

    @pytest.mark.parametrize("which", [0, 1])
    def test_one_is_reset(self, peer: Peer, two: list[Task], which: int) -> None:
        peer.rst(2 * which + 1, ErrorCode.INTERNAL_ERROR)
        with pytest.raises(StreamReset):
            two[which].result()
        peer.answer(3 - 2 * which, b"other")
        assert two[1 - which].result().read() == b"other"

    def test_both_at_once(self, peer: Peer, two: list[Task]) -> None:
        frames = peer.frames
        peer.send_raw(frames.headers(1, end_stream=True) + frames.headers(3, end_stream=True))
        assert [task.result().status for task in two] == [200, 200]

    @pytest.mark.parametrize("end", ["close", "reset_tcp"])
    def test_the_end_of_the_connection_wakes_all(self, peer: Peer, two: list[Task], end: str) -> None:
        getattr(peer, end)()
        for task in two:
            with pytest.raises(ConnectionLost):
                task.result()


def test_a_body_is_read_while_another_thread_uploads(peer: Peer, conn: CONN) -> None:
    acquaint(peer, conn, initial_window_size=0)
    uploading = peer.background(conn.request, "POST", "/up", b"x" * 10)
    peer.want(HeadersFrame, 3)
    stream_id = conn.request("GET", "/down")
    peer.want(HeadersFrame, 5)
    reading = peer.background(lambda: conn.getresponse(stream_id).read())
    peer.answer(5, b"down")
    assert reading.result() == b"down"
    peer.window_update(3, 10)
    assert peer.want_end(3) == b"x" * 10
    peer.answer(3, b"up")
    assert conn.getresponse(uploading.result()).read() == b"up"


def test_replayed_requests_of_several_threads(peer: Peer, conn: CONN) -> None:
    """Each thread that waited on the old connection goes on waiting on the new one."""
    ids = [begin(peer, conn), *(conn.request("GET", f"/{number}") for number in range(1, 8))]
    old = peer.wires[0]
    tasks = [peer.background(lambda i=stream_id: conn.getresponse(i).read()) for stream_id in ids]
    for wire_id in range(3, 17, 2):
        old.want(HeadersFrame, wire_id)
    old.goaway(0)
    new = peer.accept()
    new.greet()
    for path, (wire_id, _) in new.want_requests(8).items():
        new.answer(wire_id, path.encode())
    assert [task.result() for task in tasks] == [b"/", *(b"/%d" % number for number in range(1, 8))]
    assert not peer.waiting
