"""What is measured: the workloads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .field_sets import COUNTS, SITES
from .sizes import BODIES, FILES, KIBIBYTE, LARGE, MEBIBYTE, ORIGINS

OURS = ["native", "native-many", "speedups", "speedups-many", "h2", "h2-many"]
PLAIN = ["native", "speedups", "h2"]
# Without the reference engine, which costs several times as much and is not what is asked about.
FAST = ["native", "native-many", "speedups", "speedups-many"]
CURL = ["pycurl", "pycurl-untuned", "curl_cffi"]
RUST = ["ry", "wreq", "pyreqwest", "primp", "httpr"]
EVERY_CLIENT = [
    *OURS, *CURL, *RUST, "http.client", "aiohttp", "urllib3.future", "niquests", "requests", "httpx"
]  # fmt: skip
FLOORS = ["floor", "floor-many"]
# The clients that most bars name.
NAMED = [*FAST, "pycurl", "http.client"]
BULK = ["native", "speedups", "pycurl", "http.client"]
ONE_EACH = ["native", "speedups", "pycurl", "primp", "http.client"]
# A request costs these so much, or takes them so long, that the median does not need so many.
SLOW = dict.fromkeys(
    ["requests", "httpx", "urllib3.future", "niquests", "pycurl-untuned", "curl_cffi", "httpr"], 6
)

REAL = ("nginx", "nghttpd", "h2o")
EVERY_SERVER = (*REAL, "envoy", "caddy", "node", "haproxy", "apache", "go")
LARGE_FRAMES = ("h2o", "envoy", "caddy")


@dataclass(frozen=True)
class Workload:
    """What several clients do on several servers, at one point or, in turn, at several."""

    name: str
    title: str
    clients: Sequence[str]
    kind: str = "gets"
    """What the child does: see measure.py."""
    paths: Sequence[str] = ("/small?id={}",)
    """Taken in turn, with the number of the request."""
    n: int = FILES
    chunk: int = 100
    servers: Sequence[str] = ("nginx",)
    latency: float = 0.0
    """Seconds of a round trip, in a proxy between them. Connecting is then part of what is measured."""
    threads: int = 0
    headers: str = "none"
    """What the program wants of each response's header: "none", "one" field or "all"."""
    origins: int = 0
    points: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    """By its name, in what each point differs: other values of the above."""
    axis: str = ""
    """What the points are."""
    elsewhere: Sequence[str] = ()
    """The clients on all servers but the first; without it they are the same."""
    lives: int = 5
    """The rounds of one process: the fewer, the more processes, where their memory makes a difference."""

    def at(self, point: str) -> "Workload":
        """Return what is done at a point."""
        return replace(self, **self.points[point])

    def scaled(self, n: int | None, chunk: int | None) -> "Workload":
        """Return it with fewer requests, at each point, or fewer under way."""

        def less(values: Mapping[str, Any]) -> dict[str, Any]:
            limits = {"n": n if values.get("n", 0) > 1 else None, "threads": n, "origins": n, "chunk": chunk}
            return {
                key: min(value, limit) if (limit := limits.get(key)) else value
                for key, value in values.items()
            }

        own = less({key: getattr(self, key) for key in ("n", "chunk", "threads", "origins")})
        return replace(self, points={name: less(values) for name, values in self.points.items()}, **own)

    def clients_on(self, server: str) -> Sequence[str]:
        """Return which clients are measured on a server."""
        return self.elsewhere if self.elsewhere and server != self.servers[0] else self.clients

    def requests(self, client: str) -> int:
        """Return how many requests a client makes: the costly ones fewer, but at least one chunk."""
        return max(self.chunk, self.n // SLOW.get(client, 1))


def _gets(*paths: str) -> dict[str, Any]:
    """Return what a point differs in: these paths are taken in turn, with another query each time."""
    return {"paths": [f"{path}?{{}}" for path in paths]}


WORKLOADS = [
    Workload(
        "same",
        "small GETs of one file (600 bytes)",
        [*EVERY_CLIENT, *FLOORS],
        servers=(*EVERY_SERVER, "embedded"),
        elsewhere=NAMED,
    ),
    Workload(
        "different",
        "GETs of 3,000 different files (200 to 4,000 bytes)",
        [*EVERY_CLIENT, *FLOORS],
        paths=["/file/{}"],
        servers=REAL,
        elsewhere=NAMED,
        lives=1,  # a file that is fetched again has nothing new
    ),
    Workload(
        "fresh",
        "ten values in each response that are new",
        [*FAST, "pycurl", *RUST, "http.client", "httpx", *FLOORS],
        paths=["/fields/fresh?{}"],
        servers=("nginx", "node"),
        elsewhere=NAMED,
    ),
    Workload(
        "fields",
        "the fields of ten kinds of real sites",
        [*FAST, "pycurl"],
        n=1000,
        servers=("nginx", "node"),
        points={
            **{name: _gets(f"/fields/{name}") for name in SITES},
            "mixed": _gets(*[f"/fields/{name}" for name in SITES]),
        },
        axis="site",
    ),
    Workload(
        "count",
        "responses of so many fields, the same each time",
        [*FAST, "pycurl"],
        n=1000,
        servers=("nginx", "node"),
        points={str(count): _gets(f"/count/{count}") for count in COUNTS},
        axis="fields",
    ),
    Workload(
        "headers",
        "what the program wants of the header: nothing, one field, all of them",
        [*NAMED, "primp"],
        points={name: {"headers": name} for name in ("none", "one", "all")},
        axis="wanted",
    ),
    Workload(
        "one",
        "small GETs, one at a time",
        [*PLAIN, *CURL, *RUST, "http.client", "aiohttp", "requests", "httpx", "floor"],
        n=1000,
        chunk=1,
        servers=(*REAL, "envoy", "caddy", "node"),
        elsewhere=ONE_EACH,
    ),
    Workload(
        "posts",
        "small JSON POSTs",
        EVERY_CLIENT,
        kind="posts",
        paths=["/post"],
        servers=("nginx", "envoy", "caddy", "node", "go", "embedded"),
        elsewhere=NAMED,
    ),
    Workload(
        "bodies",
        "GETs of bodies of so many KiB",
        NAMED,
        n=400,
        points={str(size // KIBIBYTE): _gets(f"/bytes/{size}") for size in BODIES},
        axis="KiB",
    ),
    Workload(
        "mebibytes",
        "30 x 1 MiB at once",
        [*FAST, "h2", *CURL, *RUST, "http.client", "aiohttp", "httpx", "floor", "floor-http1"],
        paths=["/mebibyte?{}"],
        n=30,
        chunk=30,
        servers=("nginx", *LARGE_FRAMES, "go"),
        elsewhere=BULK,
        lives=1,
    ),
    Workload(
        "download",
        f"one download of {LARGE // MEBIBYTE} MiB",
        [*PLAIN, *CURL, *RUST, "http.client", "aiohttp", "requests", "httpx", "floor", "floor-http1"],
        kind="download",
        paths=["/large"],
        n=1,
        chunk=1,
        servers=("nginx", *LARGE_FRAMES, "go"),
        elsewhere=BULK,
        lives=1,
    ),
    Workload(
        "upload",
        f"one upload of {LARGE // MEBIBYTE} MiB",
        [*PLAIN, "pycurl", "http.client", "requests", "httpx", "floor"],
        kind="upload",
        paths=["/upload/it"],
        n=1,
        chunk=1,
        lives=1,
    ),
    Workload(
        "as-ready",
        "so many ids in one as_ready()",
        ["native", "speedups"],
        kind="as_ready",
        n=10_000,
        points={str(ids): {"chunk": ids} for ids in (10, 100, 1000, 3000, 10_000)},
        axis="ids",
    ),
    Workload(
        "fetch-many",
        "fetch_many() on so many connections",
        ["native", "speedups"],
        kind="fetch_many",
        servers=("nginx-origins",),
        points={str(origins): {"origins": origins} for origins in (1, 10, 50, 100, ORIGINS)},
        axis="connections",
    ),
    Workload(
        "threads",
        "so many threads on one connection, one GET at a time each",
        [*PLAIN],
        kind="threads",
        n=5000,
        chunk=1,
        points={str(threads): {"threads": threads} for threads in (1, 250)},
        axis="threads",
    ),
    Workload(
        "latency",
        "small GETs through so many ms of latency",
        [*OURS, "pycurl"],
        points={"0": {"latency": 1e-9}, "20": {"latency": 0.02}, "100": {"latency": 0.1, "n": 1000}},
        axis="ms",
    ),
    Workload(
        "bookstore",
        "the bookstore: the list and 3,000 books, parsed",
        [*OURS, "pycurl", "http.client", "httpx"],
        kind="bookstore",
        paths=["/book?id={}"],
    ),
    Workload("import", "import", ["hyperlite", "http.client, ssl"], kind="import", n=1, chunk=1, servers=()),
    Workload("memory", "memory", PLAIN, kind="memory", n=100_000),
]
