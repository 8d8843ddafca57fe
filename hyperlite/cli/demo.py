"""`hyperlite demo`: a bookstore of 3,000 books, crawled over HTTP/2 and over HTTP/1.1."""

import argparse
import contextlib
import http.client
import json
import math
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..connection import HTTP20Connection
from ..messages.urls import parse
from ..net.trust import create_context

LATENCY_MS = 10


@dataclass
class Site:
    """A bookstore to crawl: where it is, and the path of each book."""

    host: str
    port: int | None
    secure: bool
    ca_file: str | None
    paths: list[str]

    def context(self) -> ssl.SSLContext:
        """Return a context that trusts the site's authority, or the usual ones if it names none."""
        return create_context(cafile=self.ca_file)


@dataclass
class Crawl:
    """What one crawl brought and what it cost."""

    client: str
    protocol: str
    wall: float
    cpu: float
    connections: int
    bodies: list[bytes]

    @property
    def rate(self) -> float:
        """Requests per second of wall time."""
        return len(self.bodies) / self.wall

    def row(self) -> str:
        """Return it as a line of the table."""
        return (
            f"  {self.client:<12} {self.protocol:<9} {self.wall:>7.2f} s {self.cpu:>7.2f} s "
            f"{self.rate:>9,.0f}/s {sum(map(len, self.bodies)):>12,} {self.connections:>6}"
        )


HEADINGS = "  {:<12} {:<9} {:>9} {:>9} {:>11} {:>12} {:>6}".format(
    "client", "protocol", "wall", "CPU", "requests", "body bytes", "conns"
)


class Connects:
    """Counts how often a connection object connects."""

    def __init__(self, conn: http.client.HTTPConnection) -> None:
        self.count: int = 0
        self._connect = conn.connect
        conn.connect = self._counted  # type: ignore[method-assign]

    def _counted(self) -> None:
        self.count += 1
        self._connect()


class Progress:
    """A bar on the terminal, or nothing where standard error is not one."""

    WIDTH = 40

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._shown = sys.stderr.isatty()

    def show(self, done: int) -> None:
        """Draw how much is done."""
        if self._shown:
            filled = self.WIDTH * done // max(1, self._total)
            bar = "█" * filled + "·" * (self.WIDTH - filled)
            print(f"\r  {self._label:<24} {bar} {done:>5}/{self._total}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for what is printed next."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def crawl_with_hyperlite(site: Site, chunk: int, progress: Progress) -> Crawl:
    """Fetch all books, `chunk` at a time on one connection."""
    context = site.context() if site.secure else None
    bodies: list[bytes] = []
    wall, cpu = time.perf_counter(), time.process_time()
    with HTTP20Connection(site.host, site.port, secure=site.secure, context=context, timeout=60) as conn:
        connects, version = Connects(conn), 0
        for start in range(0, len(site.paths), chunk):
            ids = [conn.request("GET", path) for path in site.paths[start : start + chunk]]
            for stream_id in ids:
                response = conn.getresponse(stream_id)
                version = response.version
                bodies.append(_checked(response))
            progress.show(len(bodies))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Crawl("hyperlite", _protocol(version), wall, cpu, connects.count, bodies)


def crawl_with_http_client(site: Site, _chunk: int, progress: Progress) -> Crawl:
    """Fetch all books, one after the other on one kept connection."""
    conn: http.client.HTTPConnection
    if site.secure:
        conn = http.client.HTTPSConnection(site.host, site.port, context=site.context(), timeout=60)
    else:
        conn = http.client.HTTPConnection(site.host, site.port, timeout=60)
    bodies: list[bytes] = []
    connects, version = Connects(conn), 0
    wall, cpu = time.perf_counter(), time.process_time()
    with contextlib.closing(conn):
        for path in site.paths:
            conn.request("GET", path)
            response = conn.getresponse()
            version = response.version
            bodies.append(_checked(response))
            if not len(bodies) % 50:
                progress.show(len(bodies))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Crawl("http.client", _protocol(version), wall, cpu, connects.count, bodies)


def demo(arguments: argparse.Namespace) -> int:
    """Crawl with both clients, on one server or on two, and print a table."""
    if arguments.url:
        rounds: list[tuple[str, Callable[[], contextlib.AbstractContextManager[Site]]]] = [
            (arguments.url, lambda: _given_site(arguments.url, arguments.ca, arguments.count))
        ]
    else:
        rounds = [
            ("no added latency", lambda: _bookstore(0, arguments.count)),
            (f"{arguments.latency:g} ms round trip", lambda: _bookstore(arguments.latency, arguments.count)),
        ]
    print(f"hyperlite demo: up to {arguments.count} books in chunks of {arguments.chunk}\n")
    for title, open_site in rounds:
        with open_site() as site:
            multiplexed, one_by_one = _race(title, site, arguments.chunk)
        if not arguments.url:
            _check_books(multiplexed)
        if multiplexed.bodies != one_by_one.bodies:
            raise SystemExit("the two clients did not get the same bodies")
    return 0


def _race(title: str, site: Site, chunk: int) -> tuple[Crawl, Crawl]:
    """Run both crawls and print their rows and ratios."""
    print(f"{title}\n{HEADINGS}")
    crawls = []
    for crawl in (crawl_with_hyperlite, crawl_with_http_client):
        progress = Progress(crawl.__name__.replace("_", " "), len(site.paths))
        crawls.append(crawl(site, chunk, progress))
        progress.clear()
        print(crawls[-1].row(), flush=True)
    first, second = crawls
    print(
        f"  hyperlite / http.client: wall {first.wall / second.wall:.3f}, CPU {first.cpu / second.cpu:.2f}\n"
    )
    return first, second


@contextlib.contextmanager
def _bookstore(latency_ms: float, count: int) -> Iterator[Site]:
    """Run the bookstore in a process of its own while the block lasts."""
    command = [sys.executable, "-m", "hyperlite.testing.bookstore", "--latency", str(latency_ms / 1000)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
        assert child.stdin is not None
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise SystemExit("the bookstore did not start; it needs the extra hyperlite-http[testing]")
        where = json.loads(line)
        site = Site("localhost", where["port"], secure=True, ca_file=where["ca_file"], paths=[])
        site.paths = _index(site, count)
        try:
            yield site
        finally:
            child.stdin.close()  # at its end the child goes too


@contextlib.contextmanager
def _given_site(url: str, ca_file: str | None, count: int) -> Iterator[Site]:
    """Use the server that the user named: with `{id}` in the URL, or with an index at its root."""
    try:
        parts = parse(url)
    except http.client.InvalidURL as error:
        raise SystemExit(f"--url takes http://… or https://…: {error}") from None
    site = Site(parts.host, parts.port, parts.scheme == "https", ca_file, [])
    if "{id}" in url:
        path = parts.target.replace("%7Bid%7D", "{id}")
        site.paths = [path.replace("{id}", str(number)) for number in range(count)]
    else:
        site.paths = _index(site, count)
    yield site


def _index(site: Site, count: int) -> list[str]:
    """Fetch the list of ids and return the books' paths."""
    context = site.context() if site.secure else None
    with HTTP20Connection(site.host, site.port, secure=site.secure, context=context, timeout=60) as conn:
        conn.request("GET", "/")
        return [f"/book?id={number}" for number in json.loads(_checked(conn.getresponse()))[:count]]


def _checked(response: http.client.HTTPResponse) -> bytes:
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"status {response.status} {response.reason}: {body[:200]!r}")
    return body


def _check_books(crawl: Crawl) -> None:
    """Check every book against what the shop should have."""
    from ..testing.bookstore import books  # noqa: PLC0415  what the demo needs, the library does not

    expected = books()
    for number, body in enumerate(crawl.bodies):
        if json.loads(body) != expected[number]:
            raise SystemExit(f"book {number} is not the book that was asked for")


def _protocol(version: int) -> str:
    return "HTTP/2" if version == 20 else f"HTTP/{version / 10:.1f}"


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    return demo(parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """Return the parser of its options."""
    made = argparse.ArgumentParser(
        "hyperlite demo", description="Crawl 3,000 books over HTTP/2 and over HTTP/1.1."
    )
    made.add_argument("--url", help="a server to crawl instead of the embedded one; {id} stands for a number")
    made.add_argument("--ca", help="a PEM file with the authority that signed its certificate")
    made.add_argument("--chunk", type=_positive, default=100, help="requests under way at once (100)")
    made.add_argument("--count", type=_positive, default=3000, help="how many books (3000)")
    made.add_argument(
        "--latency",
        type=_latency,
        default=LATENCY_MS,
        metavar="MS",
        help=f"round trip of the second round ({LATENCY_MS})",
    )
    return made


def _latency(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number of milliseconds")
    return value


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number
