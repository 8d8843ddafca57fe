"""The queue in which fetch_many() yields what is done."""

import itertools

import pytest

from hyperlite import ConnectionPool, Failed
from hyperlite.fetching.task import Task, make_task
from hyperlite.many.outcomes import OutcomeQueue
from hyperlite.many.window import Window
from hyperlite.messages.urls import parse
from hyperlite.origins.key import Key
from tests.inside import registry_of

URL = "http://localhost:1/"


@pytest.fixture
def window(pool: ConnectionPool) -> Window:
    return Window(
        ("http", "localhost", 1, None, False), registry_of(pool).get(Key.of(parse(URL), None, None))
    )


def task(pool: ConnectionPool, index: int) -> Task:
    return make_task(URL, "GET", pool.options(), index=index)


def taken(queue: OutcomeQueue) -> list[int]:
    indices = []
    while queue:
        indices.append(queue.take()[0].index)
    return indices


def test_as_it_comes(window: Window) -> None:
    queue = OutcomeQueue(kept=False)
    assert not queue
    for index in (2, 0, 1):
        assert queue.put(Failed(URL, index, ValueError()), window) is None
        assert queue
    assert queue.awaited is None
    assert taken(queue) == [2, 0, 1]
    assert queue.taken == 3


@pytest.mark.parametrize("arrival", [*itertools.permutations(range(4))])
def test_in_order_whatever_comes_first(window: Window, arrival: tuple[int, ...]) -> None:
    queue, seen = OutcomeQueue(kept=True), []
    for index in arrival:
        queue.put(Failed(URL, index, ValueError()), window)
        seen += taken(queue)
        assert queue.awaited == queue.taken == len(seen)
    assert seen == [0, 1, 2, 3]


def test_an_outcome_comes_with_its_window(window: Window) -> None:
    queue = OutcomeQueue(kept=True)
    queue.put(Failed(URL, 1, ValueError()), window)
    queue.put(Failed(URL, 0, ValueError()), None)  # which has failed before it got so far
    assert [queue.take()[1] for _ in range(2)] == [None, window]


def test_where_the_one_that_all_wait_for_waits(pool: ConnectionPool, window: Window) -> None:
    queue = OutcomeQueue(kept=True)
    tasks = [task(pool, index) for index in range(3)]
    for one in tasks:
        queue.note_queued(one, window)
    assert queue.awaited_window is window
    queue.note_begun(tasks[0])
    assert queue.awaited_window is None
    assert [queue.waits_for(one) for one in tasks] == [True, False, False]
    assert queue.put(Failed(URL, 2, ValueError()), window) is None  # not before its turn
    assert queue.put(Failed(URL, 0, ValueError()), window) is window
    assert [queue.waits_for(one) for one in tasks] == [False, True, False]
    queue.note_begun(tasks[1])
    assert queue.put(Failed(URL, 1, ValueError()), window) is None  # the last, of which the outcome is there
    assert taken(queue) == [0, 1, 2]


def test_without_an_order_none_waits_for_another(pool: ConnectionPool, window: Window) -> None:
    queue, one = OutcomeQueue(kept=False), task(pool, 0)
    queue.note_queued(one, window)
    assert (queue.awaited_window, queue.waits_for(one)) == (None, False)
    queue.note_begun(one)
