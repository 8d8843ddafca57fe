"""One client, one workload, in a process of its own: `python -m tests.benchmarks.measure '{…}'`.

Each round has a new client, and so a new connection.
"""

# ruff: noqa: PLC0415  some environments have no hyperlite

import contextlib
import gc
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .clients import Client, Target, Unfit, make
from .sizes import FILES, LARGE

EMPTY = "/bytes/0?0"  # the one path whose body is empty
ORDER = {"title": "a small order", "items": [1, 2, 3], "paid": True}
IDLE_CONNECTIONS = 50
FIRST_REQUESTS = 10  # one in ten is the warm-up before the growth of the memory is measured


def main() -> None:
    """For each line of the standard input, print what was measured, or why that was not possible."""
    task = json.loads(sys.argv[1])
    for _ in sys.stdin:
        try:
            client = make(task["client"], Target(task["port"], task["ca"], task["chunk"], task["headers"]))
            print(json.dumps(KINDS[task["kind"]](client, task)), flush=True)
        except (ImportError, Unfit) as error:
            print(json.dumps({"left out": f"{type(error).__name__}: {error}"}), flush=True)


class Clock:
    """What a `with` block took, for each of `n`: microseconds of CPU (user and system) and of wall time."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __enter__(self) -> "Clock":
        gc.collect()
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.perf_counter() - self._start[0], time.process_time() - self._start[1]
        self.figures = {"cpu": cpu / self._n * 1e6, "wall": wall / self._n * 1e6}


def check(body: bytes) -> None:
    assert body


def paths_of(task: dict[str, Any], n: int) -> list[str]:
    templates = task["paths"]
    return [templates[k % len(templates)].format(k % FILES) for k in range(n)]


def gets(client: Client, task: dict[str, Any]) -> dict[str, float]:
    """Fetch n files; the first chunk is not counted, unless connecting is to be."""
    paths = paths_of(task, task["n"])
    warm_up = [] if task["latency"] else paths[: task["chunk"]]
    sink = check if paths[0] != EMPTY else len
    if hasattr(client, "prepare"):
        run: Callable[[], None] = client.prepare(warm_up, paths)
    else:
        client.get(warm_up, sink)

        def run() -> None:
            client.get(paths, sink)

    with Clock(task["n"]) as clock:
        run()
    return clock.figures


def as_ready(client: Any, task: dict[str, Any]) -> dict[str, float]:
    """Fetch n files, as many in one call of as_ready() as there are in a chunk."""
    paths = paths_of(task, task["n"])
    client.get_as_ready(paths[: task["chunk"]], check)
    with Clock(len(paths)) as clock:
        client.get_as_ready(paths, check)
    return clock.figures


def fetch_many(client: Any, task: dict[str, Any]) -> dict[str, float]:
    """Fetch n files by the pool, of so many origins in turn, each of which is connected to."""
    origins = [f"https://localhost:{port}" for port in task["ports"][: task["origins"]]]
    urls = [origins[k % len(origins)] + path for k, path in enumerate(paths_of(task, task["n"]))]
    run = client.fetch_many(urls, [origin + "/small" for origin in origins])
    with Clock(len(urls)) as clock:
        run()
    return clock.figures


def posts(client: Client, task: dict[str, Any]) -> dict[str, float]:
    bodies = [json.dumps({"number": k, **ORDER}).encode() for k in range(task["n"])]
    path = task["paths"][0]
    client.post(path, bodies[: task["chunk"]])
    with Clock(len(bodies)) as clock:
        client.post(path, bodies)
    return clock.figures


def download(client: Client, task: dict[str, Any]) -> dict[str, float]:
    path = task["paths"][0]
    if hasattr(client, "prepare"):
        run = client.prepare(["/mebibyte"], [path])
        with Clock(1) as clock:
            run()
        return clock.figures
    client.download("/mebibyte")
    with Clock(1) as clock:
        assert client.download(path) == LARGE
    return clock.figures


def upload(client: Client, task: dict[str, Any]) -> dict[str, float]:
    path = task["paths"][0]
    client.upload(path, 1 << 16)
    with Clock(1) as clock:
        client.upload(path, LARGE)
    return clock.figures


def bookstore(client: Client, task: dict[str, Any]) -> dict[str, float]:
    """Read the list, then the books, and parse them."""
    found: list[Any] = []
    client.get(["/"], lambda body: found.extend(json.loads(body)))
    paths = [task["paths"][0].format(number) for number in found[: task["n"]]]
    books: list[Any] = []
    with Clock(len(paths)) as clock:
        client.get(paths, lambda body: books.append(json.loads(body)))
    assert [book["id"] for book in books] == found[: task["n"]]
    return clock.figures


def threads(client: Client, task: dict[str, Any]) -> dict[str, float]:
    """Let many threads use one connection at once, each for one request after the other."""
    paths = paths_of(task, task["n"])
    client.get(paths[:1], check)
    count = task["threads"]
    failures: list[BaseException] = []

    def work(own: list[str]) -> None:
        try:
            client.get(own, check)
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(paths[number::count],)) for number in range(count)]
    with Clock(len(paths)) as clock:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    if failures:
        raise failures[0]
    return clock.figures


def resident() -> int:
    """Return the bytes of memory that this process occupies."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def memory(client: Any, task: dict[str, Any]) -> dict[str, float]:
    """Return bytes: of an idle connection, of an open stream, and the growth over n requests, twice."""
    import tracemalloc

    import hyperlite

    if not sys.platform.startswith("linux"):
        raise Unfit("a process's memory is read from Linux's /proc")
    paths, chunk = paths_of(task, task["n"]), task["chunk"]
    client.get(paths[:chunk], check)
    client.get(paths[: len(paths) // FIRST_REQUESTS], check)
    sizes = [resident()]
    for _ in range(2):
        client.get(paths, check)
        sizes.append(resident())

    # Beside as many others, which have used up what was free in the memory of this process.
    with connections(client, IDLE_CONNECTIONS):
        before = resident()
        with connections(client, IDLE_CONNECTIONS):
            connection = (resident() - before) / IDLE_CONNECTIONS

    tracemalloc.start()
    with hyperlite.HTTP20Connection("localhost", client.target.port, context=client.target.context()) as conn:
        conn.request("GET", paths[0])
        conn.getresponse().read()
        before, _ = tracemalloc.get_traced_memory()
        ids = [conn.request("GET", path) for path in paths[:chunk]]
        stream = (tracemalloc.get_traced_memory()[0] - before) / len(ids)
        for stream_id in ids:
            conn.getresponse(stream_id).read()
    return {
        "connection": connection,
        "stream": stream,
        "first": sizes[1] - sizes[0],
        "second": sizes[2] - sizes[1],
    }


@contextlib.contextmanager
def connections(client: Any, count: int) -> Iterator[None]:
    """Open connections, use each once, and leave them idle."""
    import hyperlite

    context = client.target.context()
    opened = [
        hyperlite.HTTP20Connection("localhost", client.target.port, context=context) for _ in range(count)
    ]
    for conn in opened:
        conn.request("GET", "/small")
        conn.getresponse().read()
    yield
    for conn in opened:
        conn.close()


KINDS: dict[str, Callable[[Any, dict[str, Any]], dict[str, float]]] = {
    "gets": gets,
    "posts": posts,
    "download": download,
    "upload": upload,
    "bookstore": bookstore,
    "threads": threads,
    "memory": memory,
    "as_ready": as_ready,
    "fetch_many": fetch_many,
}


if __name__ == "__main__":
    main()
