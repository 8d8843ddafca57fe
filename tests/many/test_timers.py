"""When a run of fetch_many() has to go on by itself."""

from typing import Any, cast

import pytest

from hyperlite.many.timers import LONGEST_TICK, SHORTEST_TICK, Timers


class Sleeper:
    """Stands for a task."""

    def __init__(self, index: int) -> None:
        self.index = index


def sleeper(index: int) -> Any:
    return cast("Any", Sleeper(index))


def test_tasks_awake_in_the_order_of_their_times() -> None:
    timers = Timers(0.0)
    tasks = [sleeper(index) for index in range(3)]
    for task, until in zip(tasks, (3.0, 1.0, 1.0), strict=True):
        timers.put_to_sleep(task, until)
    assert timers.timeout(0.5, looks=False) == 0.5
    assert list(timers.awake(0.9)) == []
    assert list(timers.awake(1.0)) == [tasks[1], tasks[2]]
    assert timers.timeout(5.0, looks=False) == 0.0
    assert list(timers.awake(5.0)) == [tasks[0]]
    assert timers.timeout(5.0, looks=False) is None


def test_looks_at_the_clock() -> None:
    timers = Timers(10.0)
    assert timers.timeout(10.0, looks=True) == LONGEST_TICK
    assert not timers.is_time_to_look(10.5)
    assert timers.is_time_to_look(11.0)
    assert not timers.is_time_to_look(11.5)
    assert timers.timeout(11.5, looks=True) == LONGEST_TICK - 0.5


@pytest.mark.parametrize(
    ("limits", "tick"),
    [((None, 2.0), 0.2), ((5.0, 3.0), 0.3), ((0.001, None), SHORTEST_TICK), ((60.0,), 1.0)],
)
def test_the_shortest_limit_decides_how_often(limits: tuple[float | None, ...], tick: float) -> None:
    timers = Timers(0.0)
    timers.quicken(*limits)
    assert timers.timeout(0.0, looks=True) == pytest.approx(tick)
