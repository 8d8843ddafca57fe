"""What was measured, in words: Markdown, the figures as JSON, and the plots."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from .about import about
from .bars import ITSELF, ROUND_TRIPS
from .results import Place, Results, Verdict, judge
from .workloads import Workload

LABELS = {
    "native": "**hyperlite**, `request()`",
    "native-many": "**hyperlite**, `request_many()`",
    "speedups": "**hyperlite** with speedups, `request()`",
    "speedups-many": "**hyperlite** with speedups, `request_many()`",
    "h2": "**hyperlite** on h2, `request()`",
    "h2-many": "**hyperlite** on h2, `request_many()`",
    "pycurl": "pycurl, tuned",
    "pycurl-untuned": "pycurl, untuned",
    "floor": "*floor: bare ssl, a write for each request*",
    "floor-many": "*floor: bare ssl, a write for each chunk*",
    "floor-http1": "*floor: bare ssl, HTTP/1.1's records*",
}
PLOTS = "plots"


def write(results: Results, workloads: Sequence[Workload], options: argparse.Namespace) -> str:
    """Return the report; with `--output` it is written as well, with the figures and the plots."""
    by_name = {workload.name: workload for workload in workloads}
    results.about = results.about or about(options)
    verdicts = judge(results, by_name, options.servers)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "results.json").write_text(as_json(results, verdicts))
    plots, complaint = draw(results, workloads, options)
    lines = ["# Results", "", *bars(verdicts, by_name)]
    for workload in workloads:
        lines += ["", *table(results, workload)]
        if workload.name in plots:
            lines += ["", f"![{workload.title}]({PLOTS}/{workload.name}.svg)"]
    lines += ["", "## Where, and with what", "", *results.about]
    left_out = {**results.left_out, **({f"the plots: {complaint}": []} if complaint else {})}
    if fewer := results.fewer_rounds():
        left_out["fewer rounds than the others"] = fewer
    if left_out:
        lines += ["", "## Left out", ""]
        lines += [
            f"- {reason}" + f" ({', '.join(where)})" * bool(where) for reason, where in left_out.items()
        ]
    text = "\n".join(lines) + "\n"
    if options.output:
        (options.output / "results.md").write_text(text)
    return text


def draw(
    results: Results, workloads: Sequence[Workload], options: argparse.Namespace
) -> tuple[set[str], str]:
    """Draw the plots, if there is an output; returns which workloads have one, and what was missing."""
    if not options.output:
        return set(), ""
    (options.output / PLOTS).mkdir(exist_ok=True)
    try:
        from . import plot  # noqa: PLC0415  needs matplotlib
    except ImportError as error:
        return set(), str(error)
    return plot.draw(results, workloads, options.output / PLOTS), ""


def as_json(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Return what the bars say, and all figures: their medians, and round by round, which `load` reads."""
    judged = [
        {
            "workload": one.bar.workload,
            "server": one.server,
            "point": one.point,
            "way": one.bar.way,
            "beside": one.bar.peer,
            "bars": [one.bar.pure, one.bar.speedups or one.bar.pure],
            "measured": [one.pure, one.speedups],
            "met": one.met(),
        }
        for one in verdicts
    ]
    figures = {
        str(place): {
            **{key: round(value, 1) for key, value in results.medians(place).items()},
            "rounds": {key: [round(one[key], 1) for one in taken] for key in taken[0]},
        }
        for place, taken in results.rounds.items()
    }
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in figures.items())
    bar_rows = ",\n".join(f"  {json.dumps(one)}" for one in judged)
    about_rows = ",\n".join(f"  {json.dumps(one)}" for one in results.about)
    return (
        f'{{\n "about": [\n{about_rows}\n ],\n "bars": [\n{bar_rows}\n ],\n "figures": {{\n{rows}\n }}\n}}\n'
    )


def load(file: Path, results: Results) -> None:
    """Add the figures of an earlier run, and what it says of itself."""
    written = json.loads(file.read_text())
    results.joined = True
    results.about += [line for line in written["about"] if line not in results.about]
    for name, figures in written["figures"].items():
        rounds = figures["rounds"]
        for values in zip(*rounds.values(), strict=True):
            results.add(Place(*name.split(" / ")), dict(zip(rounds, values, strict=True)))


# -- the bars ---------------------------------------------------------------------------------------


def bars(verdicts: Sequence[Verdict], workloads: dict[str, Workload]) -> list[str]:
    """Say which bars are met. Those of workloads that did not run are not shown."""
    return [
        "## The bars",
        "",
        "hyperlite's CPU time divided by the other's, the median of all rounds.",
        "",
        "| workload | server | beside | bar | hyperlite | | bar with speedups | with speedups | |",
        "|---|---|---|---|---|---|---|---|---|",
        *(bar_row(one, workloads) for one in verdicts),
    ]


def bar_row(one: Verdict, workloads: dict[str, Workload]) -> str:
    """Return a row: the bars, what was measured, and whether they are met."""
    bar, workload = one.bar, workloads[one.bar.workload]
    title = workload.title + f", `{bar.way}()`" * (bar.way != "import")
    if one.point:
        title += f": {one.point} {workload.axis}"
    beside = {
        ITSELF: f"itself at {bar.other_point} {workload.axis}",
        ROUND_TRIPS: "the round trips, and itself without latency",
    }.get(bar.peer, LABELS.get(bar.peer, bar.peer))
    cells = []
    limits = bar.pure, bar.speedups or bar.pure
    for limit, ratio, met in zip(limits, (one.pure, one.speedups), one.met(), strict=True):
        verdict = {True: "met", False: "**missed**", None: "not measured"}[met]
        cells += [f"≤ {limit:g}", "—" if ratio is None else f"{ratio:.2f}", verdict]
    return f"| {title}{', wall' * (bar.figure == 'wall')} | {one.server} | {beside} | {' | '.join(cells)} |"


# -- the tables -------------------------------------------------------------------------------------


def table(results: Results, workload: Workload) -> list[str]:
    """Return one workload's table: clients down; servers across, or, where it has several, points."""
    title = f"## {workload.title[0].upper()}{workload.title[1:]}"
    if workload.kind == "memory":
        return [title, "", *memory(results, workload)]
    measured = list(results.places(workload.name))
    servers = [name for name in (*workload.servers, "") if any(place.server == name for place in measured)]
    many = workload.n > 1
    how_many = "" if results.joined else f"{workload.n:,} requests, "  # what several runs may differ in
    what = f"{how_many}{workload.chunk} under way at once; microseconds a request" if many else "Milliseconds"
    lines = [title, "", f"{what}: CPU / wall (hyperlite's CPU ÷ this client's).", ""]
    unit = 1 if many else 1000
    if workload.points == {"": {}}:
        columns = [(name, name, "") for name in servers]
        return lines + rows(results, workload, columns, unit)
    for server in servers:
        columns = [(f"{point} {workload.axis}", server, point) for point in workload.points]
        lines += [f"On {server}:", "", *rows(results, workload, columns, unit), ""]
    return lines[:-1]


def rows(
    results: Results, workload: Workload, columns: Sequence[tuple[str, str, str]], unit: int
) -> list[str]:
    """Return a table, its columns given as (title, server, point)."""
    if not columns:
        return ["Nothing was measured."]
    names = {place.client for place in results.places(workload.name)}
    _, server, point = columns[0]

    def cost(client: str) -> float:
        return results.medians(Place(workload.name, server, client, point)).get("cpu", 1e12)

    return [
        "| client | " + " | ".join(title for title, _, _ in columns) + " |",
        "|---" * (1 + len(columns)) + "|",
        *(
            f"| {LABELS.get(name, name)} | "
            + " | ".join(
                cell(results, Place(workload.name, where, name, at), unit) for _, where, at in columns
            )
            + " |"
            for name in sorted(names, key=cost)
        ),
    ]


def cell(results: Results, place: Place, unit: int) -> str:
    """Return CPU / wall (ratio), or a dash."""
    figures = results.medians(place)
    if not figures:
        return "—"
    own = results.ratio(place._replace(client="native"), place)
    own = own or results.ratio(place._replace(client="hyperlite"), place)
    ratio = f" ({own:.2f})" if own else ""
    return f"{figures['cpu'] / unit:,.1f} / {figures['wall'] / unit:,.1f}{ratio}"


def memory(results: Results, workload: Workload) -> list[str]:
    """Return the table of what is held in memory."""
    lines = []
    for place in results.places(workload.name):
        figures = results.medians(place)
        connection, first, second = (
            f"{figures[key] / 1024:,.0f} KiB" for key in ("connection", "first", "second")
        )
        label = LABELS[place.client].partition(", `")[0]
        lines.append(f"| {label} | {connection} | {figures['stream']:,.0f} B | {first} | {second} |")
    return [
        f"Growth: of the process, over {workload.n:,} requests on one connection, and over as many again.",
        "",
        "| client | an idle connection, TLS included | an open stream | growth | growth after that |",
        "|---|---|---|---|---|",
        *lines,
    ]
