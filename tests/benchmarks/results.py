"""What was measured: every round, its medians, ratios of them, and what the bars say of them."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .bars import BARS, ITSELF, ROUND_TRIPS, Bar
from .workloads import Workload

Figures = dict[str, float]
# The clients that a bar's way stands for: hyperlite alone, and with the compiled speedups.
WAYS = {
    "request": ("native", "speedups"),
    "request_many": ("native-many", "speedups-many"),
    "import": ("hyperlite", "hyperlite"),
}


class Place(NamedTuple):
    """Where something was measured."""

    workload: str
    server: str
    client: str
    point: str = ""

    def __str__(self) -> str:
        return " / ".join(self)


@dataclass
class Results:
    """What each client took, round by round, and what could not be measured."""

    rounds: dict[Place, list[Figures]] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """By the reason: where."""
    about: list[str] = field(default_factory=list)
    """What was measured with what, where and when."""
    joined: bool = False
    """Whether they are of several runs."""

    def add(self, place: Place, figures: Figures) -> None:
        """Take what a client took in a further round."""
        self.rounds.setdefault(place, []).append(figures)

    def medians(self, place: Place) -> Figures:
        """Return the medians of the rounds; empty where nothing was measured."""
        taken = self.rounds.get(place, [])
        return {key: statistics.median(one[key] for one in taken) for key in taken[0]} if taken else {}

    def fewer_rounds(self) -> list[str]:
        """Say where fewer rounds were measured than elsewhere; a client's memory is measured once."""
        most = max(map(len, self.rounds.values()), default=0)
        return list(
            dict.fromkeys(
                f"{place.workload} on {place.server}: {len(taken)}"
                for place, taken in self.rounds.items()
                if len(taken) < most and place.workload != "memory"
            )
        )

    def ratio(self, own: Place, peer: Place, figure: str = "cpu") -> float | None:
        """Return the median of the rounds' ratios: what was measured at about the same time is divided.

        None where one of them was not measured.
        """
        pairs = zip(self.rounds.get(own, []), self.rounds.get(peer, []), strict=False)
        ratios = [mine[figure] / theirs[figure] for mine, theirs in pairs if theirs[figure]]
        return statistics.median(ratios) if ratios else None

    def places(self, workload: str, server: str | None = None, point: str | None = None) -> Iterator[Place]:
        """Yield where something was measured of a workload."""
        for place in self.rounds:
            if place.workload == workload and server in (None, place.server) and point in (None, place.point):
                yield place


class Verdict(NamedTuple):
    """What a bar says: of hyperlite alone, and with the compiled speedups."""

    bar: Bar
    server: str
    point: str
    pure: float | None
    speedups: float | None

    def met(self) -> tuple[bool | None, bool | None]:
        """Tell for both whether the bar is met; None where nothing was measured."""
        limits = self.bar.pure, self.bar.speedups or self.bar.pure
        measured = self.pure, self.speedups
        pure, speedups = (
            None if ratio is None else ratio <= limit for ratio, limit in zip(measured, limits, strict=True)
        )
        return pure, speedups


def judge(results: Results, workloads: Mapping[str, Workload], servers: Sequence[str]) -> list[Verdict]:
    """Return what the bars of these workloads say."""
    return [
        Verdict(
            bar,
            server,
            point,
            *(_measured(results, workloads, bar, server, point, own) for own in WAYS[bar.way]),
        )
        for bar in BARS
        if bar.workload in workloads
        for server in bar.servers
        if server in (*servers, "")
        for point in bar.points
    ]


def _measured(
    results: Results, workloads: Mapping[str, Workload], bar: Bar, server: str, point: str, client: str
) -> float | None:
    own = Place(bar.workload, server, client, point)
    if bar.peer == ROUND_TRIPS:
        return _beside_the_round_trips(results, workloads[bar.workload], own, bar.other_point)
    if bar.peer == ITSELF:
        return results.ratio(own, own._replace(point=bar.other_point), bar.figure)
    return results.ratio(own, own._replace(client=bar.peer), bar.figure)


def _beside_the_round_trips(
    results: Results, workload: Workload, own: Place, without_latency: str
) -> float | None:
    """Return how long a client took, divided by how long it must take.

    It must take a round trip for each chunk, one each for TCP and TLS, and what the same takes it without
    latency, through the same proxy.
    """
    at = workload.at(own.point)
    trips = -(-at.n // at.chunk) + 2
    taken, without = results.medians(own), results.medians(own._replace(point=without_latency))
    if not taken or not without:
        return None
    return taken["wall"] / (trips * at.latency * 1e6 / at.n + without["wall"])
