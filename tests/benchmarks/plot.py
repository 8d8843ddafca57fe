"""The plot: what a small request costs each client, on nginx."""

from pathlib import Path

import matplotlib as mpl

from .report import Results

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "hyperlite"  # the same figures, the same file
mpl.rcParams["svg.fonttype"] = "none"  # text, not outlines

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import NullLocator  # noqa: E402

PANELS = [
    ("same", "one file"),
    ("different", "3,000 files"),
    ("one", "one at a time"),
    ("posts", "JSON POSTs"),
]
NAMES = {
    "native": "hyperlite",
    "native-many": "hyperlite, request_many",
    "h2": "hyperlite on h2",
    "h2-many": "hyperlite on h2, request_many",
    "floor-many": "floor: bare ssl, one write",
    "floor": "floor: bare ssl",
}
# Every panel has the same scale: bars that begin anywhere could not be compared.
FROM, TO = 1, 2000
OURS, THEIRS, FLOOR = "#2a6f97", "#b0b0b0", "#d9a441"


def draw(results: Results, file: Path) -> None:
    """Draw a panel for each workload that ran."""
    panels = [(name, title) for name, title in PANELS if costs(results, name)]
    if not panels:
        return
    figure, axes = plt.subplots(1, len(panels), figsize=(3.9 * len(panels), 3.6), squeeze=False)
    for axis, (name, title) in zip(axes[0], panels, strict=True):
        found = costs(results, name)
        labels = [NAMES.get(client, client) for _, client in found]
        drawn = axis.barh(labels, [cost for cost, _ in found], color=[colour(client) for _, client in found])
        axis.bar_label(drawn, fmt="{:,.0f}", padding=2, fontsize=7)
        axis.set_xscale("log")
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlim(FROM, TO)
        axis.invert_yaxis()
        axis.tick_params(labelsize=7)
        axis.set_title(title, fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("microseconds of CPU a request, nginx (logarithmic)", fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def costs(results: Results, workload: str) -> list[tuple[float, str]]:
    """Return (CPU, client), the cheapest first."""
    return sorted(
        (figures["cpu"], client)
        for (name, server, client), figures in results.figures.items()
        if (name, server) == (workload, "nginx")
    )


def colour(client: str) -> str:
    if client.startswith("floor"):
        return FLOOR
    return OURS if client in NAMES else THEIRS
