"""`make profile`: where the CPU time of a small GET goes, layer by layer.

cProfile makes calls dear and so lies about code that is made of many small ones.  Here each layer is called
alone instead: the traffic with a real server is recorded once; then the engine is fed with it, then the
whole of hyperlite by a socket that is none, then bare `ssl` calls exchange the same bytes over TLS, and
the rest of what the whole costs against the server is its waiting.  cProfile's list comes last, for the
names and not for the sums.
"""

import argparse
import cProfile
import io
import os
import pstats
import statistics
import time
from collections.abc import Callable, Sequence

import hyperlite
from hyperlite.http2.engine import events, make_engine
from hyperlite.messages.request import NO_HEADERS, Request
from tests.real.servers import Site

from .field_sets import SETS, SITES
from .sites import SERVERS, Missing, serve
from .sizes import FILES
from .tape import Chunk, TapeSocket, call, fetch, floor, play, record

Figures = dict[str, float]

PATHS: dict[str, Sequence[str]] = {
    "same": ["/small?id={}"],
    "different": ["/file/{}"],
    **{name: [f"/fields/{name}?{{}}"] for name in SETS},
    "mixed": [f"/fields/{name}?{{}}" for name in SITES],
}
# In the order of the table: what is measured, and what it is part of.
ROWS = [
    ("whole", "the whole, against the server"),
    ("floor", "  bare ssl calls: the same bytes, no parsing"),
    ("python", "  hyperlite without TLS, fed from a tape"),
    ("request", "    request()"),
    ("make", "      of it: Request(...), fields checked"),
    ("open", "      of it: engine.open() and take()"),
    ("getresponse", "    getresponse(), which receives"),
    ("receive", "      of it: engine.receive()"),
    ("read", "    read(), which receives what came late"),
    ("rest", "  the rest: polling, TLS in a worse rhythm"),
]


def main() -> None:
    """Measure both ways of asking and print the tables."""
    parser = argparse.ArgumentParser(
        prog="make profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", default="nginx", choices=SERVERS, help="(nginx)")
    parser.add_argument("--engine", help="HYPERLITE_ENGINE for this run")
    parser.add_argument(
        "--files", default="same", choices=PATHS, help="one file, 3,000, or header fields (same)"
    )
    parser.add_argument("--n", type=int, default=5000, help="requests (5000)")
    parser.add_argument("--chunk", type=int, default=100, help="of them under way at once (100)")
    parser.add_argument("--rounds", type=int, default=3, help="whose median is shown (3)")
    parser.add_argument("--top", type=int, default=25, help="lines of cProfile's list; 0 for none (25)")
    options = parser.parse_args()
    if options.server == "embedded":
        parser.error("the embedded server would run in the process that is measured")
    if options.engine:
        os.environ["HYPERLITE_ENGINE"] = options.engine
    templates = PATHS[options.files]
    paths = [templates[k % len(templates)].format(k % FILES) for k in range(options.n)]
    try:
        with serve(options.server) as site:
            columns = {
                way: profile(site, paths, options.chunk, options.rounds, many=way == "request_many")
                for way in ("request", "request_many")
            }
            tape = record(site.port, site.context(), paths, options.chunk, many=False)
    except Missing as error:
        parser.error(str(error))
    engine = os.environ.get("HYPERLITE_ENGINE", "default")
    print(f"\nmicroseconds of CPU a request: {options.server}, {options.files}, {engine} engine\n")
    print(f"{'':46}{'request()':>12}{'request_many()':>16}")
    for key, label in ROWS:
        print(f"{label:46}" + "".join(f"{columns[way][key]:{width}.1f}" for way, width in WIDTHS))
    if options.top:
        print(f"\ncProfile, fed from the tape, by request(): the {options.top} dearest by their own time\n")
        print(top(tape, options.top))


WIDTHS = [("request", 12), ("request_many", 16)]


def profile(site: Site, paths: Sequence[str], chunk: int, rounds: int, *, many: bool) -> Figures:
    """Return the medians of all rows, in microseconds a request."""
    tape = record(site.port, site.context(), paths, chunk, many=many)
    taken: list[Figures] = []
    for _ in range(rounds):
        figures: Figures = {
            "whole": whole(site, tape, many=many),
            "floor": bare(tape),
            **from_tape(tape, many=many),
            **engine_alone(tape, many=many),
        }
        figures["python"] = figures["request"] + figures["getresponse"] + figures["read"]
        figures["rest"] = figures["whole"] - figures["floor"] - figures["python"]
        taken.append(figures)
    n = len(paths) - chunk  # the first chunk is the warm-up
    return {key: statistics.median(one[key] for one in taken) / n * 1e6 for key in taken[0]}


def whole(site: Site, tape: Sequence[Chunk], *, many: bool) -> float:
    """Return the seconds of CPU for everything after the first chunk, against the server."""
    with hyperlite.HTTP20Connection("localhost", site.port, context=site.context()) as conn:
        fetch(conn, tape[0].paths, many=many)
        start = time.process_time()
        for chunk in tape[1:]:
            fetch(conn, chunk.paths, many=many)
        return time.process_time() - start


def bare(tape: Sequence[Chunk]) -> float:
    """Return the seconds of CPU for bare ssl calls; a player in another process is the server."""
    with play(tape) as port, call(port) as sock:
        floor(sock, tape[:1])
        start = time.process_time()
        floor(sock, tape[1:])
        return time.process_time() - start


def from_tape(tape: Sequence[Chunk], *, many: bool) -> Figures:
    """Return the seconds of CPU for each of the three calls, with a tape for the socket."""
    sock = TapeSocket(tape)
    seconds = dict.fromkeys(("request", "getresponse", "read"), 0.0)

    def timed(name: str, call: Callable[[], list]) -> list:
        start = time.process_time()
        result = call()
        seconds[name] += time.process_time() - start
        return result

    with tape_connection(sock) as conn:
        for number, chunk in enumerate(tape):
            if many:
                requests = [("GET", path) for path in chunk.paths]
                ids = timed("request", lambda requests=requests: conn.request_many(requests))
            else:
                paths = chunk.paths
                ids = timed("request", lambda paths=paths: [conn.request("GET", path) for path in paths])
            sock.release()
            responses = timed("getresponse", lambda ids=ids: [conn.getresponse(one) for one in ids])
            timed("read", lambda responses=responses: [response.read() for response in responses])
            if not number:
                seconds = dict.fromkeys(seconds, 0.0)
    return seconds


def tape_connection(sock: TapeSocket) -> hyperlite.HTTP20Connection:
    """Return a connection that talks with a tape: cleartext, by http.client's own way to bring a socket."""
    conn = hyperlite.HTTP20Connection("localhost", secure=False, timeout=5)
    conn._create_connection = lambda *_: sock
    return conn


def engine_alone(tape: Sequence[Chunk], *, many: bool) -> Figures:
    """Return the seconds of CPU for making requests, and for the engine without anything around it."""
    engine = make_engine()
    seconds = {}
    for number, chunk in enumerate(tape):
        start = time.process_time()
        requests = [
            Request("GET", path, None, NO_HEADERS, b"https", b"localhost", 65536) for path in chunk.paths
        ]
        made = time.process_time()
        for request in requests:
            engine.open(request.fields, end_stream=True)
            if not many:
                engine.take()
        engine.take()
        opened = time.process_time()
        for piece in chunk.read:
            for event in engine.receive(piece):
                if type(event) is events.DataReceived:
                    engine.credit(event.wire_id, len(event.data))
        received = time.process_time()
        taken = {"make": made - start, "open": opened - made, "receive": received - opened}
        seconds = {key: (seconds.get(key, 0.0) if number > 1 else 0.0) + taken[key] for key in taken}
    return seconds


def top(tape: Sequence[Chunk], lines: int) -> str:
    """Return cProfile's list for the tape."""
    sock = TapeSocket(tape)
    profiler = cProfile.Profile()
    with tape_connection(sock) as conn:
        for chunk in tape:
            with profiler:
                ids = [conn.request("GET", path) for path in chunk.paths]
            sock.release()
            with profiler:
                for stream_id in ids:
                    conn.getresponse(stream_id).read()
    output = io.StringIO()
    pstats.Stats(profiler, stream=output).strip_dirs().sort_stats("tottime").print_stats(lines)
    return output.getvalue().partition("Ordered by")[2].partition("\n")[2].strip("\n")


if __name__ == "__main__":
    main()
