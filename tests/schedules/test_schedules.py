"""Some schedules of each scenario; `make schedules` tries all."""

from pathlib import Path

import pytest

from hyperlite.testing.server import Server

from . import explorer
from .explorer import Explorer
from .scenarios import NAMES, answer, explore

# Of each scenario, so many schedules, spread over the lines of the first thread.
FEW = 6


@pytest.mark.parametrize("name", NAMES)
def test_some_schedules(name: str):
    with Server(answer, alpn=(name.partition(", ")[2],)) as server:
        lines = explore(name, server, None).lines
        assert lines > 50
        for part in range(FEW):
            explore(name, server, 1 + part * lines // FEW)


def test_a_race_is_found(monkeypatch: pytest.MonkeyPatch):
    """An update is lost if the other thread comes in between reading and writing, and only then."""
    monkeypatch.setattr(explorer, "OWN", str(Path(__file__).parent))
    lost = []
    for stop_at in range(1, 8):
        counter = [0]

        def add(counter: list[int] = counter) -> None:
            before = counter[0]
            after = before + 1
            counter[0] = after

        one = Explorer(stop_at)
        for outcome in one.run(add, add):
            assert outcome.error is None
        lost.append(counter[0] == 1)
    assert lost == [False, False, False, True, True, False, False]  # two lines come before those of add()
