"""The order in which fetch_many() yields what is done."""

import itertools

import pytest

from hyperlite import ConnectionPool, Outcome
from hyperlite.fetching.task import Task, make_task
from hyperlite.many.order import Order
from hyperlite.many.window import Window
from hyperlite.messages.urls import parse
from hyperlite.origins.key import Key
from tests.inside import registry_of

URL = "http://localhost:1/"


@pytest.fixture
def window(pool: ConnectionPool) -> Window:
    return Window(registry_of(pool).get(Key.of(parse(URL), None, None)))


def task(pool: ConnectionPool, index: int) -> Task:
    return make_task(URL, "GET", pool.options(), index=index)


def taken(order: Order) -> list[int]:
    indices = []
    while order:
        indices.append(order.take()[0].index)
    return indices


def test_as_it_comes(window: Window) -> None:
    order = Order(kept=False)
    assert not order
    for index in (2, 0, 1):
        assert order.put(Outcome(URL, index), window) is None
        assert order
    assert order.awaited is None
    assert taken(order) == [2, 0, 1]
    assert order.taken == 3


@pytest.mark.parametrize("arrival", [*itertools.permutations(range(4))])
def test_in_order_whatever_comes_first(window: Window, arrival: tuple[int, ...]) -> None:
    order, seen = Order(kept=True), []
    for index in arrival:
        order.put(Outcome(URL, index), window)
        seen += taken(order)
        assert order.awaited == order.taken == len(seen)
    assert seen == [0, 1, 2, 3]


def test_an_outcome_comes_with_its_window(window: Window) -> None:
    order = Order(kept=True)
    order.put(Outcome(URL, 1), window)
    order.put(Outcome(URL, 0), None)  # which has failed before it got so far
    assert [order.take()[1] for _ in range(2)] == [None, window]


def test_where_the_one_that_all_wait_for_waits(pool: ConnectionPool, window: Window) -> None:
    order = Order(kept=True)
    tasks = [task(pool, index) for index in range(3)]
    for one in tasks:
        order.park(one, window)
    assert order.where is window
    order.unpark(tasks[0])
    assert order.where is None
    assert [order.waits_for(one) for one in tasks] == [True, False, False]
    assert order.put(Outcome(URL, 2), window) is None  # not before its turn
    assert order.put(Outcome(URL, 0), window) is window
    assert [order.waits_for(one) for one in tasks] == [False, True, False]
    order.unpark(tasks[1])
    assert order.put(Outcome(URL, 1), window) is None  # the last, of which the outcome is there
    assert taken(order) == [0, 1, 2]


def test_without_an_order_none_waits_for_another(pool: ConnectionPool, window: Window) -> None:
    order, one = Order(kept=False), task(pool, 0)
    order.park(one, window)
    assert (order.where, order.waits_for(one)) == (None, False)
    order.unpark(one)
