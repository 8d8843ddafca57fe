"""`make bench`: hyperlite and its peers, side by side, in one run.

Every client runs in a process of its own; the rounds are interleaved, so that a machine that is busy for a
while is busy for all; the median of the rounds counts.  The whole takes an hour on a machine that has nothing
else to do, --quick a few minutes.  It writes docs/benchmarks/; a run of which something was selected or
changed only prints, unless --output is given.  A run that is interrupted reports what it has measured.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from hyperlite.testing.certificates import certificates
from hyperlite.testing.latency import LatencyProxy
from tests.real.servers import Site

from .children import HERE, Child, measure_import
from .clients import CLIENTS, ELSEWHERE, HTTP1_ONLY
from .report import load, write
from .results import Place, Results
from .servers import Origins
from .sites import SERVERS, Missing, serve
from .workloads import WORKLOADS, Workload

ROUNDS = 15
QUICK_ROUNDS, QUICK_REQUESTS = 3, 300


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for and print it."""
    options = parse(arguments)
    chosen = [workload.scaled(options.n, options.chunk) for workload in options.workloads]
    results = Results()
    try:
        if options.join:
            for file in options.join:
                load(file, results)
        else:
            measure_all(chosen, options, results)
    except KeyboardInterrupt:
        results.left_out["the rest: the run was interrupted"] = []
    print(write(results, chosen, options))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, names replaced by what they name."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--workloads", default=",".join(names), help="of: " + ", ".join(names))
    parser.add_argument("--servers", default=",".join(SERVERS), help="of: " + ", ".join(SERVERS))
    parser.add_argument(
        "--clients", help="of: " + ", ".join(CLIENTS) + "; by default those that a workload has on a server"
    )
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
        "--join",
        type=Path,
        nargs="+",
        metavar="RESULTS",
        help="measure nothing, but report what earlier runs, each of other workloads, have written",
    )
    parser.add_argument(
        "--niquests-python",
        type=Path,
        default=Path(sys.prefix).with_name("bench-niquests") / "bin" / "python",
        help="the interpreter of the environment that has niquests and urllib3-future",
    )
    options = parser.parse_args(arguments)
    options.given = " ".join(sys.argv[1:] if arguments is None else arguments)
    selecting = ("workloads", "servers", "clients", "points", "n", "chunk", "quick", "rounds")
    if all(getattr(options, name) == parser.get_default(name) for name in selecting):
        options.output = options.output or HERE / "docs" / "benchmarks"
    for name, known in [("workloads", names), ("servers", SERVERS), ("clients", list(CLIENTS))]:
        given = getattr(options, name)
        if given is not None and (unknown := set(given.split(",")) - set(known)):
            parser.error(f"no {name} are called {', '.join(sorted(unknown))}")
        setattr(options, name, given and given.split(","))
    options.workloads = [workload for workload in WORKLOADS if workload.name in options.workloads]
    options.points = options.points.split(",") if options.points else None
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.n = options.n or (QUICK_REQUESTS if options.quick else None)
    return options


def measure_all(workloads: Sequence[Workload], options: argparse.Namespace, results: Results) -> None:
    """Run the workloads, server by server."""
    for workload in workloads:
        if workload.kind == "import":
            for _ in range(options.rounds):
                for name in workload.clients:
                    results.add(Place(workload.name, "", name), measure_import(name))
    for server in options.servers:
        wanted = [workload for workload in workloads if server in workload.servers]
        if not wanted:
            continue
        try:
            with serve(server) as site:
                for workload in wanted:
                    measure(workload, server, site, options, results)
        except Missing as error:
            results.left_out.setdefault(f"{server}: {error}", [])


def measure(
    workload: Workload, server: str, site: Site, options: argparse.Namespace, results: Results
) -> None:
    """Run one workload on one server: all points and all clients in turn, round after round."""
    start = time.monotonic()
    clients = [
        name for name in workload.clients_on(server) if options.clients is None or name in options.clients
    ]
    points = [name for name in workload.points if not options.points or not name or name in options.points]
    places = [Place(workload.name, server, client, point) for point in points for client in clients]
    if workload.kind == "memory":
        rounds = lives = 1
    else:
        rounds, lives = options.rounds, workload.lives
    for first in range(0, rounds, lives):
        with ExitStack() as stack:
            children = {place: child(workload, site, place, options, stack) for place in places}
            for _ in range(first, min(first + lives, rounds)):
                for place in [one for one in places if one in children]:
                    take(place, children, results)
        places = [place for place in places if place in children]
    for place in results.places(workload.name, server):
        said = ", ".join(f"{key} {value:,.1f}" for key, value in results.medians(place).items())
        print(f"{place}: {said}", file=sys.stderr)
    print(f"{workload.name} / {server} took {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def take(place: Place, children: dict[Place, Child], results: Results) -> None:
    """Take one round of one client; a client that cannot be measured is left out from then on."""
    if place.server == "nghttpd" and place.client in HTTP1_ONLY:
        figures: dict[str, Any] = {"left out": "nghttpd speaks no HTTP/1.1"}
    else:
        figures = children[place].measure()
    if reason := figures.get("left out"):
        where = f"{place.workload} on {place.server}"
        places = results.left_out.setdefault(f"{place.client}: {reason}", [])
        if where not in places:
            places.append(where)
        del children[place]
    else:
        results.add(place, figures)


def child(
    workload: Workload, site: Site, place: Place, options: argparse.Namespace, stack: ExitStack
) -> Child:
    """Start the process of a client at a point; the stack ends it."""
    at = workload.at(place.point)
    python = options.niquests_python if place.client in ELSEWHERE else Path(sys.executable)
    task = {
        "client": place.client,
        "kind": at.kind,
        "paths": at.paths,
        "n": at.requests(place.client),
        "chunk": at.chunk,
        "latency": at.latency,
        "threads": at.threads,
        "headers": at.headers,
        "origins": at.origins,
        "port": stack.enter_context(reached(site, at.latency)),
        "ports": site.ports if isinstance(site, Origins) else (),
        "ca": certificates().ca_file,
    }
    return stack.enter_context(Child(python, task))


@contextmanager
def reached(site: Site, latency: float) -> Iterator[int]:
    """Yield the port to connect to: the server's own, or one that is farther away."""
    if not latency:
        yield site.port
        return
    with closing(LatencyProxy(site.port, latency)) as proxy:
        yield proxy.port


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers end then, too
    main()
