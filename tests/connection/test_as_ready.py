"""as_ready(): which ids it yields, and what the caller's own code may do meanwhile."""

import http.client
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import hyperlite
from tests.inside import leadership_of, pending_of, transport_of
from tests.peer import Task

PATIENCE = 20.0


def in_time(call: Any) -> Any:
    """Return what a call in another thread returns; a deadlock fails the test."""
    return Task(call).result(PATIENCE)


class TestTheIdsThatAreGiven:
    def test_a_generator_that_makes_requests(self, conn: hyperlite.HTTP20Connection) -> None:
        def ids() -> Iterator[int]:
            for _ in range(3):
                yield conn.request("GET", "/")

        assert sorted(in_time(lambda: list(conn.as_ready(ids(), timeout=10)))) == [1, 3, 5]

    def test_a_generator_that_uses_the_connection(self, conn: hyperlite.HTTP20Connection) -> None:
        """It may call whatever there is."""
        wanted = [conn.request("GET", "/") for _ in range(4)]

        def ids() -> Iterator[int]:
            assert conn.getresponse(wanted[0]).read() == b"hello"
            conn.cancel(wanted[1])
            yield from sorted(conn.as_ready(wanted[2:], timeout=10))
            conn.connect()  # the former connection finishes what was not taken

        assert sorted(in_time(lambda: list(conn.as_ready(ids(), timeout=10)))) == wanted[2:]

    def test_a_generator_that_closes_the_connection(self, conn: hyperlite.HTTP20Connection) -> None:
        def ids() -> Iterator[int]:
            yield conn.request("GET", "/")
            conn.close()

        with pytest.raises(http.client.ResponseNotReady):
            in_time(lambda: list(conn.as_ready(ids(), timeout=10)))
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"

    def test_a_generator_that_raises(self, conn: hyperlite.HTTP20Connection) -> None:
        def ids() -> Iterator[int]:
            yield conn.request("GET", "/")
            raise LookupError("no more of them")

        with pytest.raises(LookupError, match="no more of them"):
            in_time(lambda: list(conn.as_ready(ids(), timeout=10)))
        assert in_time(lambda: list(conn.as_ready([1], timeout=10))) == [1]

    def test_an_id_given_twice_is_yielded_once(self, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = conn.request("GET", "/")
        assert list(conn.as_ready([stream_id, stream_id], timeout=10)) == [stream_id]

    @pytest.mark.parametrize("other", [99, 2, -1, "1", None], ids=repr)
    def test_an_unknown_one_among_them(self, conn: hyperlite.HTTP20Connection, other: Any) -> None:
        stream_id = conn.request("GET", "/")
        with pytest.raises(http.client.ResponseNotReady):
            list(conn.as_ready([stream_id, other]))
        assert conn.getresponse(stream_id).read() == b"hello"

    def test_none(self, conn: hyperlite.HTTP20Connection) -> None:
        assert list(conn.as_ready([])) == []
        assert list(conn.as_ready()) == []


class TestWhatBecameOfThemMeanwhile:
    def test_one_that_the_caller_cancels_is_not_yielded(self, h2: hyperlite.HTTP20Connection) -> None:
        """All have come when the first is yielded."""
        ids = [h2.request("GET", "/") for _ in range(4)]
        last = h2.getresponse(h2.request("GET", "/late"))
        ready = h2.as_ready(ids, timeout=10)
        first = next(ready)
        cancelled, taken, left = (one for one in ids if one != first)
        h2.cancel(cancelled)
        assert h2.getresponse(taken).read() == b"hello"
        assert list(ready) == [left]
        assert last.read() == b"late"

    def test_one_that_is_cancelled_before_it_came(self, conn: hyperlite.HTTP20Connection) -> None:
        first, slow = conn.request("GET", "/"), conn.request("GET", "/slow")
        ready = conn.as_ready()
        assert next(ready) == first
        conn.cancel(slow)
        assert list(ready) == []

    def test_it_ends_when_another_thread_cancels_all(self, conn: hyperlite.HTTP20Connection) -> None:
        ids = [conn.request("GET", "/slow") for _ in range(2)]
        leadership = leadership_of(transport_of(conn))
        task = Task(lambda: list(conn.as_ready(ids)))
        while not (leadership.held or task.done):
            threading.Event().wait(0.001)
        for stream_id in ids:
            conn.cancel(stream_id)
        assert task.result(PATIENCE) == []

    def test_one_that_another_thread_takes(self, h2: hyperlite.HTTP20Connection) -> None:
        late, slow = h2.request("GET", "/late"), h2.request("GET", "/slow")
        taken = Task(lambda: h2.getresponse(late).read())
        while late in pending_of(h2).requests:
            threading.Event().wait(0.001)
        with pytest.raises(http.client.ResponseNotReady):
            list(h2.as_ready([late]))
        assert taken.result(PATIENCE) == b"late"
        h2.cancel(slow)

    def test_one_within_another(self, conn: hyperlite.HTTP20Connection) -> None:
        ids = [conn.request("GET", "/") for _ in range(3)]
        seen = []
        for outer in conn.as_ready(ids, timeout=10):
            seen.append(outer)
            conn.getresponse(outer).read()
            for inner in conn.as_ready(timeout=10):
                seen.append(inner)
                conn.getresponse(inner).read()
        assert sorted(seen) == ids
