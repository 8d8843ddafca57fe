"""Which requests go on while a run of fetch_many() holds as much as it may."""

from collections.abc import Iterator
from typing import Any

import pytest

from hyperlite.many.backpressure import Backpressure
from hyperlite.many.budget import Budget
from hyperlite.many.outcomes import OutcomeQueue
from hyperlite.many.poller import Poller
from hyperlite.origins.lease import Attempt


@pytest.fixture
def poller() -> Iterator[Poller]:
    poller = Poller()
    yield poller
    poller.close()


def favoured(poller: Poller, *begun: bool, ordered: bool) -> set[int]:
    """Return which of a run's requests on HTTP/1.1 go on: all of one origin, some with a connection."""
    budget = Budget(1, poller.wake)
    window: Any = object()
    jobs = {}
    for index, has_connection in enumerate(begun):
        attempt = Attempt()
        attempt.begun = has_connection
        jobs[index] = attempt, window
    budget.charge(len(begun), 1)
    Backpressure(budget, OutcomeQueue(ordered), poller, {}, jobs).look()
    return {index for index in jobs if budget.allows(index)}


def test_the_awaited_one_alone_if_it_has_a_connection(poller: Poller) -> None:
    """Also before its response has begun: otherwise two bodies would go on."""
    assert favoured(poller, True, True, True, ordered=True) == {0}


def test_one_that_has_a_connection_for_which_the_awaited_one_waits(poller: Poller) -> None:
    assert favoured(poller, False, False, True, True, ordered=True) == {0, 2}


def test_the_first_with_a_connection_where_there_is_no_order(poller: Poller) -> None:
    assert favoured(poller, False, True, True, ordered=False) == {1}
