"""The plots: a file for each workload, what a request costs each client."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from .results import Place, Results
from .workloads import Workload

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "hyperlite"  # the same figures, the same file
mpl.rcParams["svg.fonttype"] = "none"  # text, not outlines

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import NullLocator  # noqa: E402

NAMES = {
    "native": "hyperlite",
    "native-many": "hyperlite, request_many",
    "speedups": "hyperlite + speedups",
    "speedups-many": "hyperlite + speedups, request_many",
    "h2": "hyperlite on h2",
    "h2-many": "hyperlite on h2, request_many",
    "pycurl": "pycurl, tuned",
    "pycurl-untuned": "pycurl, untuned",
    "floor": "floor: bare ssl",
    "floor-many": "floor: bare ssl, one write",
    "floor-http1": "floor: bare ssl, HTTP/1.1",
}
OURS, THEIRS, FLOOR = "#2a6f97", "#b0b0b0", "#d9a441"
ACROSS = 3
"""Panels in a row."""


def draw(results: Results, workloads: Sequence[Workload], directory: Path) -> set[str]:
    """Draw each workload that has something to compare; returns the names of those."""
    drawn = set()
    for workload in workloads:
        servers = [name for name in (*workload.servers, "") if any(results.places(workload.name, name))]
        if not servers or workload.kind == "memory":
            continue
        wide = min(len(servers), ACROSS)
        high = -(-len(servers) // wide)
        clients = max(
            len({place.client for place in results.places(workload.name, name)}) for name in servers
        )
        size = (4.4 * wide, (1.2 + 0.22 * clients if workload.points == {"": {}} else 3.4) * high)
        figure, axes = plt.subplots(high, wide, figsize=size, squeeze=False)
        panels = list(axes.flat)
        for axis, server in zip(panels, servers, strict=False):
            (bars if workload.points == {"": {}} else lines)(axis, results, workload, server)
            axis.tick_params(labelsize=7)
            axis.set_title(server, fontsize=9)
            axis.spines[["top", "right"]].set_visible(False)
        for axis in panels[len(servers) :]:
            axis.set_visible(False)
        figure.suptitle(f"{workload.title}: {unit(workload)}", fontsize=9)
        figure.tight_layout()
        figure.savefig(directory / f"{workload.name}.svg", metadata={"Date": None})
        plt.close(figure)
        drawn.add(workload.name)
    return drawn


def unit(workload: Workload) -> str:
    return "microseconds of CPU a request" if workload.n > 1 else "milliseconds of CPU"


def cost(results: Results, workload: Workload, place: Place) -> float:
    return results.medians(place)["cpu"] / (1 if workload.n > 1 else 1000)


def bars(axis: Any, results: Results, workload: Workload, server: str) -> None:
    """Draw a bar for each client, the cheapest first."""
    found = sorted(
        (cost(results, workload, place), place.client) for place in results.places(workload.name, server)
    )
    labels = [NAMES.get(client, client) for _, client in found]
    drawn = axis.barh(labels, [value for value, _ in found], color=[colour(client) for _, client in found])
    axis.bar_label(drawn, fmt="{:,.3g}" if found[0][0] < 10 else "{:,.0f}", padding=2, fontsize=7)
    axis.set_xscale("log")
    axis.xaxis.set_minor_locator(NullLocator())
    # Every panel has the same scale, from a power of ten on: bars that begin anywhere could not be compared.
    costs = [cost(results, workload, place) for place in results.places(workload.name)]
    axis.set_xlim(10 ** math.floor(math.log10(min(costs))), max(costs) * 3)
    axis.invert_yaxis()


def lines(axis: Any, results: Results, workload: Workload, server: str) -> None:
    """Draw a line for each client, over the points; only markers where those are no numbers."""
    by_number = all(point.isdigit() for point in workload.points)
    for client in dict.fromkeys(place.client for place in results.places(workload.name, server)):
        places = [Place(workload.name, server, client, point) for point in workload.points]
        there = [place for place in places if place in results.rounds]
        at: list[Any] = [int(place.point) if by_number else place.point for place in there]
        axis.plot(
            at,
            [cost(results, workload, place) for place in there],
            marker="o",
            markersize=3 if by_number else 5,
            linestyle="-" if by_number else "",
            linewidth=1.6 if client in NAMES and "pycurl" not in client else 1,
            label=NAMES.get(client, client),
        )
    if by_number and int(list(workload.points)[-1]) >= 1000:
        axis.set_xscale("log")
    if not by_number:
        axis.tick_params(axis="x", rotation=30)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(workload.axis, fontsize=7)
    axis.legend(fontsize=6, frameon=False)


def colour(client: str) -> str:
    if client.startswith("floor"):
        return FLOOR
    return OURS if client in NAMES and "pycurl" not in client else THEIRS
