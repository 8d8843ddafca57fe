"""`make bench`: hyperlite and its peers, side by side, in one run.

Every client runs in a process of its own; the rounds are interleaved, so that a machine that is busy for a
while is busy for all; the median of the rounds counts.  The whole takes a quarter of an hour.  It writes
docs/benchmarks/; a run of which something was selected or changed only prints, unless --output is given.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hyperlite.testing.certificates import certificates
from hyperlite.testing.latency import LatencyProxy

from .clients import CLIENTS, ELSEWHERE, HTTP1_ONLY
from .report import Results, write
from .sites import LARGE, SERVERS, Missing, serve
from .workloads import WORKLOADS, Workload

HERE = Path(__file__).parents[2]
# Seconds that one client may take for one round: a hundred thousand requests, on a busy machine.
PATIENCE = 600

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
    results = Results(rounds=options.rounds)
    for workload in chosen:
        if workload.kind == "import":
            measure(workload, "", {}, options, results)
    for server in options.servers:
        wanted = [workload for workload in chosen if server in workload.servers]
        if not wanted:
            continue
        try:
            with serve(server) as site:
                for workload in wanted:
                    with reached(site.port, workload.latency) as port:
                        task = {"port": port, "ca": certificates().ca_file, "size": LARGE}
                        measure(workload, server, task, options, results)
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
    parser.add_argument("--rounds", type=int, default=5, help="whose median counts (5)")
    parser.add_argument("--n", type=int, help="requests, in the place of each workload's own number")
    parser.add_argument("--chunk", type=int, help="requests under way at once, at the most")
    parser.add_argument("--output", type=Path, help="a directory for the table, the figures and the plot")
    parser.add_argument(
        "--niquests-python",
        type=Path,
        default=Path(sys.prefix).with_name("bench-niquests") / "bin" / "python",
        help="the interpreter of the environment that has niquests and urllib3-future",
    )
    options = parser.parse_args(arguments)
    whole = all(getattr(options, name) == parser.get_default(name) for name in ("workloads", "servers", "n"))
    if whole and not options.chunk and options.clients == parser.get_default("clients"):
        options.output = options.output or HERE / "docs" / "benchmarks"
    for name, known in [("workloads", names), ("servers", SERVERS), ("clients", list(CLIENTS))]:
        given = getattr(options, name).split(",")
        if unknown := set(given) - set(known):
            parser.error(f"no {name} are called {', '.join(sorted(unknown))}")
        setattr(options, name, given)
    options.workloads = [workload for workload in WORKLOADS if workload.name in options.workloads]
    return options


@contextmanager
def reached(port: int, latency: float) -> Iterator[int]:
    """Yield the port to connect to: the server's own, or one that is farther away."""
    if not latency:
        yield port
        return
    with closing(LatencyProxy(port, latency)) as proxy:
        yield proxy.port


def measure(
    workload: Workload, server: str, task: dict[str, Any], options: argparse.Namespace, results: Results
) -> None:
    """Run one workload on one server, all clients in turn, round after round."""
    names = [name for name in workload.clients if name in options.clients or workload.kind == "import"]
    rounds: dict[str, list[dict[str, float]]] = {}
    for _ in range(1 if workload.kind == "memory" else options.rounds):
        for name in list(names):
            if server == "nghttpd" and name in HTTP1_ONLY:
                figures: dict[str, Any] = {"left out": "nghttpd speaks no HTTP/1.1"}
            elif workload.kind == "import":
                figures = run(Path(sys.executable), "-c", IMPORTING.format(name))
            else:
                python = options.niquests_python if name in ELSEWHERE else Path(sys.executable)
                figures = run(
                    python, "-m", "tests.benchmarks.measure", json.dumps(task | describe(workload, name))
                )
            if reason := figures.get("left out"):
                results.left_out.setdefault(f"{name}: {reason}", []).append(f"{workload.name} on {server}")
                names.remove(name)
            else:
                rounds.setdefault(name, []).append(figures)
    for name, taken in rounds.items():
        medians = {key: statistics.median(one[key] for one in taken) for key in taken[0]}
        results.figures[workload.name, server, name] = medians
        said = ", ".join(f"{key} {value:,.1f}" for key, value in medians.items())
        print(f"{workload.name} {server} {name}: {said}", file=sys.stderr, flush=True)


def describe(workload: Workload, client: str) -> dict[str, Any]:
    """Return what the client's process has to know."""
    return {
        "client": client,
        "kind": workload.kind,
        "path": workload.path,
        "n": workload.requests(client),
        "chunk": workload.chunk,
        "latency": workload.latency,
        "threads": workload.threads,
    }


def run(python: Path, *arguments: str) -> dict[str, Any]:
    """Run one client's process; returns what it printed, or why it did not."""
    if not python.exists():
        return {"left out": f"there is no {python.parent.parent.name} environment (make bench makes it)"}
    # Each client's bytecode is to be there already, and none is to take a proxy.
    unwanted = ("_proxy", "pythondontwritebytecode", "hyperlite_engine")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith(unwanted)}
    done = subprocess.run(
        [python, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=HERE,
        env=environment,
        check=False,
    )
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"left out": (done.stderr.strip().splitlines() or ["it said nothing"])[-1]}


if __name__ == "__main__":
    main()
