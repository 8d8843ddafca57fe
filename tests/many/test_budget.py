"""How many bytes a run of fetch_many() holds, and which requests go on when that is too many."""

import threading
import time
from collections.abc import Callable

import pytest

from hyperlite import ConnectionPool, StreamReset
from hyperlite.many.budget import Budget, weight
from hyperlite.testing.server import Server
from tests.peer import TIMEOUT, Task


def idle() -> None:
    """Wake nothing."""


class TestArithmetic:
    def test_it_is_full_from_the_limit_on(self) -> None:
        budget = Budget(10, idle)
        budget.charge(0, 4)
        budget.charge(1, 5)
        assert not budget.full
        budget.charge(0, 1)
        assert budget.full
        budget.free(1)
        assert not budget.full

    def test_what_is_freed_is_all_that_came_of_a_request(self) -> None:
        budget = Budget(10, idle)
        for _ in range(3):
            budget.charge(7, 4)
        budget.free(7)
        budget.charge(8, 9)
        assert not budget.full
        budget.free(7)  # of which nothing is left
        budget.charge(8, 1)
        assert budget.full

    @pytest.mark.parametrize(("keep", "more"), [(0, 10), (4, 6), (10, 0), (12, -2)])
    def test_a_hop_that_ends_keeps_what_it_is_told(self, keep: int, more: int) -> None:
        """A redirect that is kept counts, and so do its header fields."""
        budget = Budget(10, idle)
        budget.charge(0, 10)
        budget.end_hop(0, keep)
        assert budget.full is (more <= 0)
        budget.charge(0, more - 1)
        assert not budget.full
        budget.charge(0, 1)
        assert budget.full
        budget.free(0)
        budget.charge(1, 9)
        assert not budget.full

    def test_the_favoured_go_on_while_it_is_full(self) -> None:
        budget = Budget(1, idle)
        budget.favour({2})
        assert budget.allows(0)
        budget.charge(0, 1)
        assert [budget.allows(index) for index in range(4)] == [False, False, True, False]
        budget.favour({0, 1})
        assert [budget.allows(index) for index in range(4)] == [True, True, False, False]


class Waiting:
    """A thread that has read a byte of request 0, and may read no further."""

    def __init__(self, deadline: float | None = None) -> None:
        self.begun = threading.Event()
        self.budget = Budget(1, self.begun.set)
        self.task = Task(self.budget.meter(0, deadline), 1)
        assert self.begun.wait(TIMEOUT)


class TestThreads:
    def test_one_within_the_limit_does_not_wait(self) -> None:
        budget = Budget(2, idle)
        budget.meter(0, None)(1)
        assert (budget.waiting, budget.has_new_waiter, budget.full) == (0, False, False)

    @pytest.mark.parametrize(
        "relief",
        [
            lambda budget: budget.favour({0}),
            lambda budget: budget.free(0),
            lambda budget: budget.end_hop(0, 0),
        ],
        ids=["favoured", "freed", "another hop"],
    )
    def test_one_waits_until_it_may_go_on(self, relief: Callable[[Budget], None]) -> None:
        one = Waiting()
        assert (one.budget.waiting, one.budget.has_new_waiter, one.task.done) == (1, True, False)
        relief(one.budget)
        one.task.result()
        assert one.budget.waiting == 0

    def test_another_request_is_favoured(self) -> None:
        one = Waiting()
        one.budget.favour({1})
        assert not one.task.join(0.05)
        one.budget.favour({0})
        one.task.result()

    def test_the_end_of_the_run(self) -> None:
        one = Waiting()
        one.budget.close()
        with pytest.raises(StreamReset, match="cancelled"):
            one.task.result()

    def test_none_waits_after_the_end(self) -> None:
        budget = Budget(1, idle)
        budget.close()
        with pytest.raises(StreamReset, match="cancelled"):
            budget.meter(0, None)(1)

    def test_a_deadline(self) -> None:
        """The next read says that it has passed: here nothing is raised."""
        Waiting(time.monotonic() + 0.05).task.result()


def test_the_weight_of_a_response(pool: ConnectionPool, server: Server) -> None:
    response = pool.fetch(server.url("/echo?x=1"))
    fields = sum(len(name) + len(value) for name, value in response.headers.items())
    assert fields > 0
    assert weight(response) == fields + len(b"/echo?x=1")
    assert weight(response, body=False) == fields
