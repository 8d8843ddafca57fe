"""`make bench`: hyperlite and its peers, side by side, in one run.

Every client runs in a process of its own; the rounds are interleaved, so that a machine that is busy for a
while is busy for all; the median of the rounds counts.  The whole takes some hours; --quick takes minutes and
is good for a first look.  It writes docs/benchmarks/; a run of which something was selected or changed only
prints, unless --output is given.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hyperlite.testing.certificates import certificates
from hyperlite.testing.latency import LatencyProxy
from tests.real.servers import Site

from .clients import CLIENTS, ELSEWHERE, HTTP1_ONLY
from .report import write
from .results import Place, Results
from .servers import Origins
from .sites import SERVERS, Missing, serve
from .workloads import WORKLOADS, Workload

HERE = Path(__file__).parents[2]
# Seconds that one client may take for one round: a hundred thousand requests, on a busy machine.
PATIENCE = 600
ROUNDS = 15
QUICK_ROUNDS, QUICK_REQUESTS = 3, 300

IMPORTING = """
import json, time
wall, cpu = time.perf_counter(), time.process_time()
import {}
print(json.dumps({{"cpu": (time.process_time() - cpu) * 1e6, "wall": (time.perf_counter() - wall) * 1e6}}))
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for and print it."""
    options = parse(arguments)
    chosen = [workload.scaled(options.n, options.chunk) for workload in options.workloads]
    results = Results()
    for workload in chosen:
        if workload.kind == "import":
            measure(workload, "", None, options, results)
    for server in options.servers:
        wanted = [workload for workload in chosen if server in workload.servers]
        if not wanted:
            continue
        try:
            with serve(server) as site:
                for workload in wanted:
                    measure(workload, server, site, options, results)
        except Missing as error:
            results.left_out.setdefault(f"{server}: {error}", [])
    print(write(results, chosen, options))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, names replaced by what they name."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--workloads", default=",".join(names), help="of: " + ", ".join(names))
    parser.add_argument("--servers", default=",".join(SERVERS), help="of: " + ", ".join(SERVERS))
    parser.add_argument("--clients", default=",".join(CLIENTS), help="of: " + ", ".join(CLIENTS))
    parser.add_argument("--points", help="of workloads that have several; by default all")
    parser.add_argument("--rounds", type=int, help=f"whose median counts ({ROUNDS})")
    parser.add_argument("--n", type=int, help="requests, at the most")
    parser.add_argument("--chunk", type=int, help="requests under way at once, at the most")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_ROUNDS} rounds of {QUICK_REQUESTS} requests, at the most",
    )
    parser.add_argument("--output", type=Path, help="a directory for the table, the figures and the plots")
    parser.add_argument(
        "--niquests-python",
        type=Path,
        default=Path(sys.prefix).with_name("bench-niquests") / "bin" / "python",
        help="the interpreter of the environment that has niquests and urllib3-future",
    )
    options = parser.parse_args(arguments)
    selecting = ("workloads", "servers", "clients", "points", "n", "chunk", "quick", "rounds")
    if all(getattr(options, name) == parser.get_default(name) for name in selecting):
        options.output = options.output or HERE / "docs" / "benchmarks"
    for name, known in [("workloads", names), ("servers", SERVERS), ("clients", list(CLIENTS))]:
        given = getattr(options, name).split(",")
        if unknown := set(given) - set(known):
            parser.error(f"no {name} are called {', '.join(sorted(unknown))}")
        setattr(options, name, given)
    options.workloads = [workload for workload in WORKLOADS if workload.name in options.workloads]
    options.points = options.points.split(",") if options.points else None
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.n = options.n or (QUICK_REQUESTS if options.quick else None)
    return options


@contextmanager
def reached(site: Site, latency: float) -> Iterator[int]:
    """Yield the port to connect to: the server's own, or one that is farther away."""
    if not latency:
        yield site.port
        return
    with closing(LatencyProxy(site.port, latency)) as proxy:
        yield proxy.port


def measure(
    workload: Workload, server: str, site: Site | None, options: argparse.Namespace, results: Results
) -> None:
    """Run one workload on one server: all points and all clients in turn, round after round."""
    names = [name for name in workload.clients if name in options.clients or workload.kind == "import"]
    points = [name for name in workload.points if not options.points or not name or name in options.points]
    start = time.monotonic()
    for _ in range(1 if workload.kind == "memory" else options.rounds):
        for point in points:
            for name in list(names):
                figures = take(workload.at(point), server, site, name, options)
                if reason := figures.get("left out"):
                    results.left_out.setdefault(f"{name}: {reason}", []).append(
                        f"{workload.name} on {server}"
                    )
                    names.remove(name)
                else:
                    results.add(Place(workload.name, server, name, point), figures)
    for place in results.places(workload.name, server):
        said = ", ".join(f"{key} {value:,.1f}" for key, value in results.medians(place).items())
        print(f"{place}: {said}", file=sys.stderr)
    print(f"{workload.name} / {server} took {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def take(
    workload: Workload, server: str, site: Site | None, client: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Return what one client takes for one round, or why that cannot be had."""
    if site is None:
        return run(Path(sys.executable), "-c", IMPORTING.format(client))
    if server == "nghttpd" and client in HTTP1_ONLY:
        return {"left out": "nghttpd speaks no HTTP/1.1"}
    python = options.niquests_python if client in ELSEWHERE else Path(sys.executable)
    with reached(site, workload.latency) as port:
        task = {
            "client": client,
            "kind": workload.kind,
            "paths": workload.paths,
            "n": workload.requests(client),
            "chunk": workload.chunk,
            "latency": workload.latency,
            "threads": workload.threads,
            "headers": workload.headers,
            "origins": workload.origins,
            "port": port,
            "ports": site.ports if isinstance(site, Origins) else (),
            "ca": certificates().ca_file,
        }
        return run(python, "-m", "tests.benchmarks.measure", json.dumps(task))


def run(python: Path, *arguments: str) -> dict[str, Any]:
    """Run one client's process; returns what it printed, or why it did not."""
    if not python.exists():
        return {"left out": f"there is no {python.parent.parent.name} environment (make bench makes it)"}
    # Each client's bytecode is to be there already, and none is to take a proxy.
    unwanted = ("_proxy", "pythondontwritebytecode", "hyperlite_engine", "hyperlite_speedups")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith(unwanted)}
    try:
        done = subprocess.run(
            [python, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=HERE,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"left out": f"it took more than {PATIENCE} s"}
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"left out": (done.stderr.strip().splitlines() or ["it said nothing"])[-1]}


if __name__ == "__main__":
    main()
