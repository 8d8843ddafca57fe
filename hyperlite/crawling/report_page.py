"""A report as a page of HTML: one file, without scripts, that loads nothing.

Rule: whatever a URL, a host or an error holds is shown as text: `_text()` makes it harmless.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from .placing import placed
from .report import Report, Run, Slice, report_of
from .state import State
from .wording import lasting, sized

# Kinds of errors that have a column of their own.
KINDS = 5
# Workers that are shown.
WORKERS = 200
# Characters of a name that are shown.
_LONGEST = 120
# The colour, the dashes and the name of each line of the chart of times.
_PERCENTILES = ((0.5, "a", "half of them"), (0.9, "b", "90 %"), (0.99, "c", "99 %"))
_WIDTH, _HEIGHT = 1000.0, 200.0


def write_report(state: State, path: Path, name: str) -> None:
    """Write a page of HTML that shows how a crawl went.

    Args:
        state: of the crawl.
        path: of the page.
        name: of the crawl.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    with placed(path) as file:
        file.write(page(report_of(state, name)).encode())


def page(report: Report) -> str:
    """Return the page."""
    sections = [
        _tiles(report),
        _throughput(report.slices),
        _times(report.slices),
        _protocols(report),
        _statuses(report),
        _errors(report),
        _runs(report.runs),
    ]
    template = Template(files(__package__).joinpath("report.html").read_text("utf-8"))
    return template.substitute(
        name=_text(report.name),
        made=_text(_moment(time.time())),
        body="\n".join(section for section in sections if section),
    )


# -- sections -------------------------------------------------------------------------------------


def _tiles(report: Report) -> str:
    summary, total = report.summary, report.total
    seconds = sum(run.seconds for run in report.runs)
    answered = total.protocols.total()
    facts = [
        ("URLs", _number(summary.urls)),
        ("fetched", _number(summary.fetched)),
        ("failed", _number(summary.failed)),
        ("left", _number(summary.left)),
        ("hosts", _number(summary.hosts)),
        ("bodies", sized(total.size)),
        ("time", lasting(seconds)),
        ("rate", f"{_number(total.urls / seconds if seconds else 0)}/s"),
        ("HTTP/2", f"{total.protocols['HTTP/2'] / answered:.0%}" if answered else "none"),
    ]
    tiles = "".join([f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts])
    return f'<dl class="tiles">{tiles}</dl>'


def _throughput(slices: Sequence[Slice]) -> str:
    def rate(one: Slice) -> float:
        return one.figures.urls / max(one.end - one.begin, 1e-3)

    def failures(one: Slice) -> float:
        return one.figures.failed / max(one.end - one.begin, 1e-3)

    if not slices:
        return ""
    most = max(map(rate, slices))
    shapes = _steps(slices, rate, most, "a") + _steps(slices, failures, most, "d")
    legend = _legend([("a", "URLs"), ("d", "of them, without a response")])
    rows = [
        (lasting(one.begin), _number(rate(one)), _number(failures(one)), sized(one.figures.size))
        for one in slices
    ]
    table = _figures(("from", "URLs a second", "failed a second", "bodies"), rows)
    chart = _chart(shapes, [(1.0, _number(most)), (0.5, _number(most / 2)), (0.0, "0")], slices[-1].end)
    return _section("URLs a second", legend + chart + table)


def _times(slices: Sequence[Slice]) -> str:
    """Draw how long responses took, on a logarithmic scale."""
    known = [one for one in slices if one.figures.times]
    if not known:
        return ""
    found = [[one.figures.percentile(share) or 0.0 for share, _, _ in _PERCENTILES] for one in known]
    lowest, highest = (math.log10(choose(map(choose, found))) for choose in (min, max))
    bottom = math.floor(lowest)
    decades = max(1, math.ceil(highest) - bottom)
    end = slices[-1].end or 1.0
    middles = [(one.begin + one.end) / 2 / end for one in known]
    shapes = ""
    for (_, colour, _), values in zip(_PERCENTILES, zip(*found, strict=True), strict=True):
        heights = [(math.log10(value) - bottom) / decades for value in values]
        shapes += _line(list(zip(middles, heights, strict=True)), colour)
    scale = [(step / decades, _seconds(10.0 ** (bottom + step))) for step in range(decades, -1, -1)]
    rows = [(lasting(one.begin), *map(_seconds, values)) for one, values in zip(known, found, strict=True)]
    legend = _legend([(colour, f"{name} at most") for _, colour, name in _PERCENTILES])
    table = _figures(("from", *(name for _, _, name in _PERCENTILES)), rows)
    return _section("Time of a response", legend + _chart(shapes, scale, end) + table)


def _protocols(report: Report) -> str:
    counts = Counter(report.total.protocols)
    if report.total.failed:
        counts["no response"] = report.total.failed
    colours = {"HTTP/2": "a", "HTTP/1.1": "b", "HTTP/1.0": "c", "no response": "d"}
    shares = [(colours.get(name, "c"), name, count) for name, count in counts.most_common()]
    bar = "".join([f'<span class="{colour}" style="flex:{count}"></span>' for colour, _, count in shares])
    legend = _legend([(colour, f"{name}: {_share(count, counts.total())}") for colour, name, count in shares])
    return _section("Protocols", f'{legend}<div class="bar">{bar}</div>') if shares else ""


def _statuses(report: Report) -> str:
    statuses = report.summary.statuses
    total = sum(statuses.values())
    rows = [(str(status), _number(count), _share(count, total)) for status, count in statuses.items()]
    return _section("Statuses", _table(("status", "URLs", "share"), rows)) if rows else ""


def _errors(report: Report) -> str:
    if not report.kinds:
        return ""
    rows = [(kind, _number(count)) for kind, count in report.kinds.most_common()]
    shown = [kind for kind, _ in report.kinds.most_common(KINDS)]
    by_host = [
        (
            host,
            _number(kinds.total()),
            *(_number(kinds[kind]) if kinds[kind] else "" for kind in shown),
        )
        for host, kinds in report.errors.items()
    ]
    hosts = _table(("host", "in all", *shown), by_host)
    return _section("Errors by kind", _table(("kind", "URLs"), rows)) + _section("Errors by host", hosts)


def _runs(runs: Sequence[Run]) -> str:
    rows = [
        (
            _moment(run.began),
            _number(len(run.workers) or 1),
            lasting(run.seconds),
            _number(run.figures.urls),
            _number(run.figures.urls / run.seconds if run.seconds else 0),
            sized(run.figures.size),
            run.how,
        )
        for run in runs
    ]
    names = ("began", "workers", "time", "URLs", "URLs a second", "bodies", "end")
    return _section("Runs and workers", _table(names, rows) + _workers(runs))


def _workers(runs: Sequence[Run]) -> str:
    """Return a table of the workers of executors, those with most URLs; or nothing."""
    found = [(run, worker) for run in runs for worker in run.workers]
    rows = [
        (
            _moment(run.began),
            worker.name,
            _number(worker.tasks),
            _number(worker.urls),
            lasting(worker.seconds),
            lasting(worker.cpu),
            f"{worker.cpu / worker.urls * 1e6:,.0f} µs" if worker.urls else "",
        )
        for run, worker in sorted(found, key=lambda one: (one[0].began, -one[1].urls))[:WORKERS]
    ]
    names = ("run", "worker", "tasks", "URLs", "busy", "CPU", "CPU a URL")
    return _table(names, rows) if rows else ""


# -- charts ---------------------------------------------------------------------------------------


def _steps(slices: Sequence[Slice], value: Callable[[Slice], float], most: float, colour: str) -> str:
    """Draw an area with a step for each slice."""
    end = slices[-1].end or 1.0
    points = [(0.0, 0.0)]
    for one in slices:
        height = value(one) / most
        points += [(one.begin / end, height), (one.end / end, height)]
    points.append((1.0, 0.0))
    return f'<polygon class="area {colour}" points="{_points(points)}"/>'


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    if len(points) == 1:  # a line needs two
        points = [(0.0, points[0][1]), (1.0, points[0][1])]
    return f'<polyline class="line {colour}" points="{_points(points)}"/>'


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join([f"{x * _WIDTH:.1f},{(1 - y) * _HEIGHT:.1f}" for x, y in points])


def _chart(shapes: str, scale: Sequence[tuple[float, str]], end: float) -> str:
    """Return a chart.  The letters are HTML, so they keep their size when the drawing is stretched."""
    heights = [(1 - y) * _HEIGHT for y, _ in scale]
    grid = "".join([f'<line x1="0" x2="{_WIDTH:g}" y1="{y:.1f}" y2="{y:.1f}"/>' for y in heights])
    labels = "".join([f'<span style="bottom:{y:.2%}">{_text(text)}</span>' for y, text in scale])
    times = "".join([f"<span>{lasting(end * share)}</span>" for share in (0.0, 0.25, 0.5, 0.75, 1.0)])
    return (
        f'<div class="chart"><div class="scale">{labels}</div>'
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" preserveAspectRatio="none" aria-hidden="true">'
        f'<g class="grid">{grid}</g>{shapes}</svg><div class="times">{times}</div></div>'
    )


def _legend(names: Iterable[tuple[str, str]]) -> str:
    items = "".join([f'<li class="{colour}">{_text(name)}</li>' for colour, name in names])
    return f'<ul class="legend">{items}</ul>'


# -- pieces ---------------------------------------------------------------------------------------


def _section(title: str, content: str) -> str:
    return f"<section><h2>{_text(title)}</h2>{content}</section>"


def _table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join([f"<th>{_text(name)}</th>" for name in names])
    body = "".join(["<tr>" + "".join([f"<td>{_text(cell)}</td>" for cell in row]) + "</tr>" for row in rows])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _figures(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return f"<details><summary>The figures</summary>{_table(names, rows)}</details>"


def _text(text: str) -> str:
    """Return a text that nothing in it can end, however it was made."""
    shown = "".join([one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text])
    return escape(shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…")


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == round(number) else f"{number:.1f}"


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}"


def _seconds(seconds: float) -> str:
    """Return a time that may be short: "1.2 ms"."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
