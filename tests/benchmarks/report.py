"""What was measured, in words: Markdown, the figures as JSON, and the plot."""

import argparse
import datetime as dt
import importlib.metadata
import json
import os
import platform
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import sites
from .workloads import BARS, Bar, Workload

LABELS = {
    "native": "**hyperlite** (native), `request()`",
    "native-many": "**hyperlite** (native), `request_many()`",
    "h2": "**hyperlite** (h2), `request()`",
    "h2-many": "**hyperlite** (h2), `request_many()`",
    "floor": "*floor: bare ssl, a write for each request*",
    "floor-many": "*floor: bare ssl, a write for each chunk*",
    "plain": "hyperlite",
    "many": "hyperlite, `request_many()`",
    "ideal": "the round trips, connecting and the server's time",
}
PEERS = ["pycurl", "requests", "httpx", "aiohttp", "h2", "hpack"]
PEERS_ELSEWHERE = ["niquests", "urllib3-future", "jh2"]


@dataclass
class Results:
    """Medians by (workload, server, client), and what could not be measured."""

    rounds: int
    figures: dict[tuple[str, str, str], dict[str, float]] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """By the reason: where."""

    def own(self, name: str, workload: str, server: str) -> str:
        """Return the client that `plain` or `many` stands for: the native engine's where it exists."""
        ending = {"plain": "", "many": "-many"}.get(name)
        if ending is None:
            return name
        native = "native" + ending
        return native if (workload, server, native) in self.figures else "h2" + ending

    def figure(self, workload: str, server: str, client: str, which: str) -> float | None:
        """Return a median, or None where there is none."""
        return self.figures.get((workload, server, self.own(client, workload, server)), {}).get(which)


def write(results: Results, workloads: Sequence[Workload], options: argparse.Namespace) -> str:
    """Return the report; with `--output` it is written as well, with the figures and the plot."""
    by_name = {workload.name: workload for workload in workloads}
    lines = ["# Results", "", *about(results, options), "", *bars(results, by_name, options.servers)]
    for workload in workloads:
        lines += ["", *table(results, workload)]
    if results.left_out:
        lines += ["", "## Left out", ""]
        lines += [f"- {reason} ({', '.join(where)})" for reason, where in results.left_out.items()]
    text = "\n".join(lines) + "\n"
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        figures = {" / ".join(key): value for key, value in results.figures.items()}
        (options.output / "results.json").write_text(json.dumps(figures, indent=1) + "\n")
        try:
            from .plot import draw  # noqa: PLC0415

            draw(results, options.output / "results.svg")
            text = text.replace(
                "## The bars", "![CPU time of a small request](results.svg)\n\n## The bars", 1
            )
        except ImportError as error:
            text += f"- the plot: {error}\n"
        (options.output / "results.md").write_text(text)
    return text


# -- where and with what ----------------------------------------------------------------------------


def about(results: Results, options: argparse.Namespace) -> list[str]:
    """Say on what machine, with which versions, of which commit."""
    mine = [f"{name} {version}" for name in PEERS if (version := installed(name))]
    other = options.niquests_python
    command = f"import importlib.metadata as m; [print(n, m.version(n)) for n in {PEERS_ELSEWHERE}]"
    if other.exists():
        told = subprocess.run([other, "-c", command], capture_output=True, text=True, check=False).stdout
        mine += told.splitlines()
    servers = [f"{name} ({sites.version(name)})" for name in options.servers]
    when = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}"
    machine = f"{os.cpu_count()} x {processor()}, {platform.system()} {platform.release()}"
    return [
        f"- {when}, medians of {results.rounds} interleaved rounds",
        f"- {machine}; server and client share the machine",
        f"- Python {platform.python_version()}, {ssl.OPENSSL_VERSION}",
        f"- {', '.join(mine)}{libcurl()}",
        f"- {', '.join(servers)}",
    ]


def installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def libcurl() -> str:
    try:
        import pycurl  # noqa: PLC0415
    except ImportError:
        return ""
    return f" ({pycurl.version.partition(' ')[2]})"


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.processor() or platform.machine()


def commit() -> str:
    """Return the last commit that changed hyperlite, and whether something was changed since."""
    told = [
        subprocess.run(
            ["git", *command], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
        )
        for command in (
            ["log", "-1", "--format=%h", "--", ":/hyperlite"],
            ["status", "--porcelain", "--", ":/hyperlite"],
        )
    ]
    return (told[0].stdout.strip() or "unknown") + (" with changes" if told[1].stdout.strip() else "")


# -- the bars ---------------------------------------------------------------------------------------


def bars(results: Results, workloads: dict[str, Workload], servers: Sequence[str]) -> list[str]:
    """Say which bars hold. Those of workloads that did not run are not shown."""
    rows = [
        judge(results, workloads, bar, server)
        for bar in BARS
        for server in bar.servers
        if bar.workload in workloads and server in (*servers, "")
    ]
    return [
        "## The bars",
        "",
        "| workload | server | hyperlite beside | bar | measured | |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def judge(results: Results, workloads: dict[str, Workload], bar: Bar, server: str) -> str:
    """Return a row: the bar, what was measured, and whether it holds."""
    own = results.figure(bar.workload, server, bar.own, bar.figure)
    if bar.peer == "ideal":
        peer = ideal(results, workloads[bar.workload], server)
    else:
        peer = results.figure(bar.against or bar.workload, server, bar.peer, bar.figure)
    sign, measured, verdict = ("≥" if bar.at_least else "≤"), "—", "not measured"
    if own and peer:
        ratio = peer / own if bar.at_least else own / peer
        measured = f"{ratio:.3f}" if bar.bar < 0.1 else f"{ratio:.2f}"
        good = ratio >= bar.bar if bar.at_least else ratio <= bar.bar
        verdict = "holds" if good else "**does not hold**"
        if good and bar.goal is not None:
            verdict += f"; goal {bar.goal:g} {'reached' if ratio <= bar.goal else 'not reached'}"
    peer_name = LABELS.get(bar.peer, bar.peer)
    if bar.against:
        peer_name += f", {workloads[bar.against].title if bar.against in workloads else bar.against}"
    what = "" if bar.figure == "cpu" else f", {bar.figure}"
    many = ", `request_many()`" if bar.own == "many" else ""
    title = f"{workloads[bar.workload].title}{many}{what}"
    return f"| {title} | {server} | {peer_name} | {sign} {bar.bar:g} | {measured} | {verdict} |"


def ideal(results: Results, workload: Workload, server: str) -> float | None:
    """Return what a request must take on a line with latency, in microseconds of wall time.

    One round trip for each chunk and one each for TCP and TLS; and the server's time, which is what the
    fastest client takes without the latency.
    """
    walls = [
        figures["wall"] for (name, where, _), figures in results.figures.items()
        if name == "same" and where == server and "floor" not in _
    ]  # fmt: skip
    if not walls:
        return None
    trips = -(-workload.n // workload.chunk) + 2
    return trips * workload.latency * 1e6 / workload.n + min(walls)


# -- the tables -------------------------------------------------------------------------------------


def table(results: Results, workload: Workload) -> list[str]:
    """Return one workload's table: clients down, servers across."""
    if workload.kind == "memory":
        return memory(results, workload)
    servers = [server for server in (*workload.servers, "") if any_of(results, workload.name, server)]
    names = {client for name, _, client in results.figures if name == workload.name}
    first = servers[0] if servers else ""
    names = sorted(names, key=lambda name: results.figure(workload.name, first, name, "cpu") or 1e9)
    many = workload.n > 1
    how = f"{workload.n:,} requests, {workload.chunk} under way at once; microseconds a request" * many
    return [
        f"## {workload.title[0].upper()}{workload.title[1:]}",
        "",
        f"{how or 'Milliseconds'}: CPU / wall (hyperlite's CPU ÷ this client's).",
        "",
        "| client | " + " | ".join(servers) + " |",
        "|---" * (1 + len(servers)) + "|",
        *(
            f"| {LABELS.get(name, name)} | "
            + " | ".join(
                cell(results, workload.name, server, name, 1 if many else 1000) for server in servers
            )
            + " |"
            for name in names
        ),
    ]


def any_of(results: Results, workload: str, server: str) -> bool:
    return any(key[:2] == (workload, server) for key in results.figures)


def cell(results: Results, workload: str, server: str, client: str, unit: int) -> str:
    """Return CPU / wall (ratio), or a dash."""
    figures = results.figures.get((workload, server, client))
    if not figures:
        return "—"
    own = results.figure(workload, server, "plain", "cpu") or results.figure(
        workload, server, "hyperlite", "cpu"
    )
    ratio = f" ({own / figures['cpu']:.2f})" if own and figures["cpu"] else ""
    cpu, wall = figures["cpu"] / unit, figures["wall"] / unit
    return f"{cpu:,.1f} / {wall:,.1f}{ratio}"


def memory(results: Results, workload: Workload) -> list[str]:
    """Return the table of what is held in memory."""
    rows = []
    for (name, _, client), figures in results.figures.items():
        if name == workload.name:
            connection, first, second = (
                f"{figures[key] / 1024:,.0f} KiB" for key in ("connection", "first", "second")
            )
            label = LABELS[client].partition(",")[0]
            rows.append(f"| {label} | {connection} | {figures['stream']:,.0f} B | {first} | {second} |")
    return [
        "## Memory",
        "",
        f"Growth: of the process, over {workload.n:,} requests on one connection, and over as many again.",
        "",
        "| client | an idle connection, TLS included | an open stream | growth | growth after that |",
        "|---|---|---|---|---|",
        *rows,
    ]
