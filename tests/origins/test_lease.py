"""A request's share of a connection, and the try that is made on it."""

import gc
import select

import pytest

from hyperlite import ConnectionPool, StreamReset
from hyperlite.messages.replay import UNSENT, Tried
from hyperlite.origins.lease import Attempt, Lease
from hyperlite.origins.origin import Origin
from tests.conftest import Serve
from tests.inside import origin_of


@pytest.fixture(params=["h2", "http/1.1"])
def origin(request: pytest.FixtureRequest, pool: ConnectionPool, serve: Serve) -> Origin:
    """An origin to which one connection is open, that is idle."""
    pool.fetch(serve(alpn=(request.param,)).url("/"))
    return origin_of(pool)


def get(lease: Lease) -> int:
    response = lease.connection.ask("GET", "/", None, [], timeout=10)
    response.read()
    return response.status


class TestLease:
    def test_it_counts_until_it_ends_and_ends_once(self, origin: Origin) -> None:
        lease = origin.lease(10)
        assert (lease.over, origin.state()["leased"]) == (False, 1)
        assert get(lease) == 200
        for _ in range(2):
            lease.end()
            assert (lease.over, origin.state()["leased"]) == (True, 0)

    def test_the_next_has_the_same_connection(self, origin: Origin) -> None:
        first = origin.lease(10)
        first.end()
        second = origin.lease(10)
        assert second.connection is first.connection
        second.end()

    def test_one_that_is_dropped_is_collected(self, origin: Origin) -> None:
        """A finalizer takes no lock: what it leaves is dealt with by the next that asks."""
        lease = origin.lease(10)
        assert get(lease) == 200
        del lease
        gc.collect()
        assert len(origin.abandoned) == 1
        assert origin.state()["leased"] == 0
        assert not origin.abandoned

    def test_one_that_has_ended_leaves_nothing_to_collect(self, origin: Origin) -> None:
        lease = origin.lease(10)
        lease.end()
        del lease
        gc.collect()
        assert not origin.abandoned

    def test_on_http_1_1_a_connection_of_which_more_may_come_is_not_used_again(self, origin: Origin) -> None:
        """On HTTP/2 it is: a stream ends by itself."""
        lease = origin.lease(10)
        lease.end(reusable=False)
        assert origin.state()["connections"] == (1 if origin.protocol == "h2" else 0)

    def test_its_end_is_that_of_its_attempt(self, origin: Origin) -> None:
        lease = origin.lease(10)
        lease.attempt = attempt = Attempt()
        attempt.begin(lease.connection)
        lease.end()
        attempt.break_off()  # too late: the connection is another's
        again = origin.lease(10)
        assert again.connection is lease.connection
        assert get(again) == 200
        again.end()


class TestAttempt:
    def test_what_it_knows_of_its_connection(self, origin: Origin) -> None:
        attempt, lease = Attempt(), origin.lease(10)
        assert attempt.tried == UNSENT
        attempt.begin(lease.connection)
        assert attempt.tried == Tried(reused=True)
        get(lease)
        assert attempt.tried.progress is (origin.protocol == "h2")
        lease.end()

    def test_broken_off_before_it_has_begun(self, origin: Origin) -> None:
        attempt, lease = Attempt(), origin.lease(10)
        attempt.break_off()
        with pytest.raises(StreamReset, match="cancelled"):
            attempt.begin(lease.connection)
        lease.end()

    def test_broken_off(self, origin: Origin) -> None:
        """On HTTP/1.1 the socket is shut down; on HTTP/2 other requests use it."""
        attempt, lease = Attempt(), origin.lease(10)
        attempt.begin(lease.connection)
        attempt.break_off()
        if origin.protocol == "h2":
            assert get(lease) == 200
        else:
            assert select.select([lease.connection.sock], [], [], 10)[0]
            assert not lease.connection.healthy
        lease.end()
        assert origin.state()["connections"] == (1 if origin.protocol == "h2" else 0)
