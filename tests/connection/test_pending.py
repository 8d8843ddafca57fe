"""The requests of a connection object, whose responses no thread has taken."""

import http.client
from typing import Any

import pytest

from hyperlite import HTTP20Response, RequestTimeout
from hyperlite.messages.exchange import give_up
from hyperlite.messages.request import NO_HEADERS, Request
from hyperlite.pending import Pending
from hyperlite.testing.server import Server
from tests.peer import Task

from .test_transports import Owner, owner

__all__ = ["owner"]


@pytest.fixture
def pending(owner: Owner) -> Pending:
    return Pending(owner.transports)


def read(pending: Pending, stream_id: int | None = None) -> bytes:
    """Take a response, and read it."""
    response = pending.answered(pending.take(stream_id)).make_response(HTTP20Response)
    body: bytes = response.read()
    return body


def test_ids_are_odd_and_grow(pending: Pending, owner: Owner) -> None:
    assert pending.begin([owner.request(), owner.request()]) == [1, 3]
    assert pending.begin([owner.request()]) == [5]
    assert pending.begin([]) == []
    assert [read(pending, stream_id) for stream_id in (5, 1, 3)] == [b"hello"] * 3


def test_ids_go_on_when_the_connection_is_another(pending: Pending, owner: Owner) -> None:
    pending.begin([owner.request()])
    assert read(pending, 1) == b"hello"
    owner.transports.retire()
    assert pending.begin([owner.request()]) == [3]
    assert read(pending, 3) == b"hello"
    assert owner.server.connections == 2


def test_without_an_id_it_is_the_oldest_of_this_thread(pending: Pending, owner: Owner) -> None:
    theirs = Task(pending.begin, [owner.request("/report")]).result()
    pending.begin([owner.request("/sized?n=1"), owner.request("/sized?n=2")])
    assert [read(pending), read(pending)] == [b"x", b"xx"]
    with pytest.raises(http.client.ResponseNotReady, match="this thread"):
        pending.take(None)
    assert b"/report" in read(pending, *theirs)


def test_each_is_taken_once(pending: Pending, owner: Owner) -> None:
    pending.begin([owner.request()])
    taken = pending.take(1)
    for _ in range(2):
        with pytest.raises(http.client.ResponseNotReady):
            pending.take(1)
    assert pending.answered(taken).make_response(HTTP20Response).read() == b"hello"


def test_what_is_cancelled_is_over(pending: Pending, owner: Owner) -> None:
    pending.begin([owner.request("/slow"), owner.request()])
    pending.cancel(1)
    with pytest.raises(http.client.ResponseNotReady):
        pending.take(1)
    with pytest.raises(http.client.ResponseNotReady):
        pending.cancel(1)
    assert read(pending, 3) == b"hello"


def test_what_is_taken_and_given_up_is_over(pending: Pending, owner: Owner) -> None:
    """On either protocol; the next request goes on."""
    pending.begin([owner.request("/slow")])
    exchange = pending.take(1)
    give_up(exchange)
    assert exchange.given_up
    pending.begin([owner.request()])
    assert read(pending, 3) == b"hello"


def test_a_body_that_comes_later(pending: Pending, owner: Owner) -> None:
    request = Request("POST", "/count", None, NO_HEADERS, b"https", b"localhost", 65536, end_stream=False)
    (stream_id,) = pending.begin([request])
    pending.send(b"abc", None, 65536)
    pending.send([b"d", b"ef"], stream_id, 65536)
    pending.end(stream_id, ())
    for call in (lambda: pending.send(b"more", stream_id, 65536), lambda: pending.end(None, ())):
        with pytest.raises(http.client.CannotSendRequest):
            call()
    assert read(pending, stream_id) == b"6"


def test_a_request_that_cannot_be_sent_leaves_nothing(pending: Pending, owner: Owner, server: Server) -> None:
    server.close()
    with pytest.raises(ConnectionRefusedError):
        pending.begin([owner.request()])
    with pytest.raises(http.client.ResponseNotReady):
        pending.take(None)
    assert list(pending.as_ready(None, None)) == []


class TestAsReady:
    def test_each_when_it_has_come(self, pending: Pending, owner: Owner) -> None:
        ids = pending.begin([owner.request(f"/sized?n={number}") for number in range(5)])
        seen: dict[int, Any] = {
            stream_id: read(pending, stream_id) for stream_id in pending.as_ready(ids, 10)
        }
        assert {stream_id: len(body) for stream_id, body in seen.items()} == dict(
            zip(ids, range(5), strict=True)
        )

    def test_some_of_them(self, pending: Pending, owner: Owner) -> None:
        ids = pending.begin([owner.request(), owner.request()])
        assert list(pending.as_ready(ids[:1], 10)) == ids[:1]
        assert [read(pending, stream_id) for stream_id in ids] == [b"hello"] * 2

    def test_those_of_this_thread(self, pending: Pending, owner: Owner) -> None:
        theirs = Task(pending.begin, [owner.request()]).result()
        mine = pending.begin([owner.request()])
        assert list(pending.as_ready(None, 10)) == mine
        assert [read(pending, *ids) for ids in (mine, theirs)] == [b"hello"] * 2

    def test_one_that_is_unknown(self, pending: Pending, owner: Owner) -> None:
        pending.begin([owner.request()])
        with pytest.raises(http.client.ResponseNotReady):
            list(pending.as_ready([1, 99], 10))
        assert read(pending) == b"hello"

    def test_the_time_is_over(self, pending: Pending, owner: Owner) -> None:
        """The request goes on."""
        pending.begin([owner.request("/late")])
        with pytest.raises(RequestTimeout, match="1 responses did not come within 0 s"):
            list(pending.as_ready(None, 0))
        assert read(pending) == b"late"
