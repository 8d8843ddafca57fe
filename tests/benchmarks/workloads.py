"""What is measured: the workloads, and the bars that hyperlite has to clear."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .clients import ONE_BY_ONE
from .sites import FILES, LARGE, MEBIBYTE, SERVERS

OURS = ["native", "native-many", "h2", "h2-many"]
PLAIN = ["native", "h2"]
EVERYBODY = [
    *OURS, "pycurl", "http.client", "aiohttp", "urllib3.future", "niquests", "requests", "httpx"
]  # fmt: skip
# A request costs these so much that the median does not need so many.
SLOW = {"requests": 6, "httpx": 6, "urllib3.future": 6, "niquests": 6}


@dataclass(frozen=True)
class Workload:
    """One row of work, for several clients on several servers."""

    name: str
    title: str
    clients: Sequence[str]
    kind: str = "gets"
    """What the child does: see measure.py."""
    path: str = "/small?id={}"
    n: int = FILES
    chunk: int = 100
    servers: Sequence[str] = ("nginx",)
    latency: float = 0.0
    """Seconds of a round trip. Connecting is then part of what is measured."""
    threads: int = 0

    def scaled(self, n: int | None, chunk: int | None) -> "Workload":
        """Return it with another number of requests, or of requests under way."""
        many = self.n > 1
        return replace(
            self,
            n=n if n and many else self.n,
            chunk=min(chunk, self.chunk) if chunk else self.chunk,
            threads=min(self.threads, n) if n else self.threads,
        )

    def requests(self, client: str) -> int:
        """Return how many requests a client makes: the costly ones fewer, in whole chunks."""
        share = 20 if self.latency and client in ONE_BY_ONE else SLOW.get(client, 1)
        return min(self.n, max(self.chunk, self.n // share))


WORKLOADS = [
    Workload(
        "same", "small GETs of one file (600 bytes)", [*EVERYBODY, "floor", "floor-many"], servers=SERVERS
    ),
    Workload(
        "different",
        "GETs of 3,000 different files (200 to 4,000 bytes)",
        [*EVERYBODY, "floor", "floor-many"],
        path="/file/{}",
        servers=SERVERS,
    ),
    Workload(
        "one",
        "small GETs, one at a time",
        [*PLAIN, "pycurl", "http.client", "aiohttp", "requests", "httpx", "floor"],
        n=1000,
        chunk=1,
        servers=SERVERS,
    ),
    Workload(
        "posts", "small JSON POSTs", EVERYBODY, kind="posts", path="/post", servers=("nginx", "embedded")
    ),
    Workload("mebibytes", "100 x 1 MiB", [*EVERYBODY, "floor"], path="/mebibyte?{}", n=100),
    Workload(
        "download",
        f"one download of {LARGE // MEBIBYTE} MiB",
        [*PLAIN, "pycurl", "http.client", "aiohttp", "requests", "httpx", "floor"],
        kind="download",
        path="/large",
        n=1,
        chunk=1,
    ),
    Workload(
        "upload",
        f"one upload of {LARGE // MEBIBYTE} MiB",
        [*PLAIN, "pycurl", "http.client", "requests", "httpx", "floor"],
        kind="upload",
        path="/upload/it",
        n=1,
        chunk=1,
    ),
    Workload(
        "latency-20", "small GETs through 20 ms of latency", [*OURS, "pycurl", "http.client"], latency=0.02
    ),
    Workload(
        "latency-100",
        "small GETs through 100 ms of latency",
        [*OURS, "pycurl", "http.client"],
        latency=0.1,
        n=1000,
    ),
    Workload(
        "bookstore",
        "the bookstore: the list and 3,000 books, parsed",
        [*OURS, "pycurl", "http.client", "httpx"],
        kind="bookstore",
        path="/book?id={}",
    ),
    Workload(
        "threads",
        "250 threads on one connection, one GET at a time each",
        PLAIN,
        kind="threads",
        n=5000,
        chunk=1,
        threads=250,
    ),
    Workload("import", "import", ["hyperlite", "http.client, ssl"], kind="import", n=1, chunk=1, servers=()),
    Workload("memory", "memory", PLAIN, kind="memory", n=100_000),
]


@dataclass(frozen=True)
class Bar:
    """What hyperlite may cost: `measured` is its figure divided by the peer's.

    `own` and `peer` name clients; "plain" and "many" are hyperlite's fastest engine that exists. `against`
    is the peer's workload where that is another. With `at_least` it is speeds that are
    divided: the peer's cost by ours.
    """

    workload: str
    own: str
    peer: str
    bar: float
    servers: Sequence[str] = ("nginx",)
    figure: str = "cpu"
    against: str = ""
    at_least: bool = False
    goal: float | None = None


REAL = ("nginx", "nghttpd", "h2o")

BARS = [
    Bar("same", "plain", "pycurl", 1.2, REAL, goal=1.0),
    Bar("same", "plain", "http.client", 0.3, ("nginx", "h2o")),  # nghttpd speaks no HTTP/1.1
    Bar("same", "plain", "httpx", 0.05, REAL),
    Bar("same", "many", "pycurl", 0.9, REAL, goal=0.6),
    Bar("different", "plain", "pycurl", 2.0, REAL),
    Bar("different", "plain", "http.client", 0.5, ("nginx", "h2o")),
    Bar("one", "plain", "http.client", 0.6, ("nginx", "h2o")),
    Bar("posts", "plain", "pycurl", 1.2),
    Bar("download", "plain", "http.client", 0.9, at_least=True),
    Bar("download", "plain", "httpx", 4.0, at_least=True),
    Bar("upload", "plain", "http.client", 0.9, at_least=True),
    Bar("upload", "plain", "httpx", 4.0, at_least=True),
    # "ideal": 30 round trips, two more for TCP and TLS, and the server's time. See report.py.
    Bar("latency-20", "plain", "ideal", 1.15, figure="wall"),
    Bar("latency-20", "plain", "http.client", 1 / 20, figure="wall"),
    # A single thread that does what each of these does, and one in the cheapest way that it has.
    Bar("threads", "plain", "plain", 2.0, against="one"),
    Bar("threads", "plain", "plain", 2.0, against="same"),
    Bar("import", "hyperlite", "http.client, ssl", 1.3, servers=("",)),
]
