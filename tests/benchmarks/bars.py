"""The bars that hyperlite has to clear, as data."""

from collections.abc import Sequence
from dataclasses import dataclass

from .field_sets import SITES
from .workloads import LARGE_FRAMES, REAL

# What hyperlite is held against where that is no other client.
ITSELF, ROUND_TRIPS = "itself", "the round trips"


@dataclass(frozen=True)
class Bar:
    """What hyperlite may cost: its figure divided by the peer's, the median of all rounds.

    Attributes:
        workload, servers, points: where.
        way: "request", "request_many".
        peer: a client; or ITSELF, at `other_point`; or ROUND_TRIPS: see Results.
        pure: the bar for hyperlite alone.
        speedups: the bar with the compiled speedups, where it is another.
        figure: "cpu" or "wall".
    """

    workload: str
    way: str
    peer: str
    pure: float
    speedups: float | None = None
    servers: Sequence[str] = ("nginx",)
    points: Sequence[str] = ("",)
    figure: str = "cpu"
    other_point: str = ""


BARS = [
    Bar("same", "request_many", "pycurl", 0.85, servers=REAL),
    Bar("same", "request", "pycurl", 1.15, servers=REAL),
    Bar("same", "request", "http.client", 0.3, servers=("nginx", "h2o")),  # nghttpd speaks no HTTP/1.1
    Bar("different", "request_many", "pycurl", 1.1, 0.95, servers=REAL),
    Bar("different", "request", "pycurl", 1.4, 1.25, servers=REAL),
    Bar("fresh", "request_many", "pycurl", 2.3, 1.2),
    Bar("fields", "request_many", "pycurl", 3.0, 1.5, servers=("nginx", "node"), points=[*SITES, "mixed"]),
    Bar("posts", "request_many", "pycurl", 1.15, 1.1),
    Bar("one", "request", "http.client", 0.62),
    Bar("one", "request", "http.client", 0.72, servers=LARGE_FRAMES),
    Bar("one", "request", "primp", 1.25, servers=("nginx", *LARGE_FRAMES)),
    Bar("download", "request", "http.client", 1.4),
    Bar("download", "request", "http.client", 1.25, servers=LARGE_FRAMES),
    Bar("mebibytes", "request", "pycurl", 1.3, servers=LARGE_FRAMES),
    Bar("upload", "request", "http.client", 1.1),
    Bar("as-ready", "request", ITSELF, 1.3, points=["10", "1000", "3000", "10000"], other_point="100"),
    Bar("threads", "request", ITSELF, 1.8, points=["250"], other_point="1"),
    Bar("latency", "request", ROUND_TRIPS, 1.12, points=["20"], figure="wall", other_point="0"),
    Bar("import", "import", "http.client, ssl", 1.3, servers=("",)),
]
