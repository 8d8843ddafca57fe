"""How a crawl went: what the state knows of it, over the time in which it ran, for `report_page`."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from .figures import Figures
from .state import State
from .summary import CrawlSummary

# Slices of the time at most, and hosts whose errors are shown.
SLICES, HOSTS = 60, 20


class Slice(NamedTuple):
    """A slice of the time in which a crawl ran, in seconds, and what was written down in it."""

    begin: float
    end: float
    figures: Figures


class Worker(NamedTuple):
    """What a worker has done in a run: tasks, URLs, and in how many seconds, and seconds of CPU."""

    name: str
    tasks: int
    urls: int
    seconds: float
    cpu: float


class Run(NamedTuple):
    """A run: when it began, in seconds since 1970; how long it took; how it ended; what it has done.

    `workers` are those of an executor; none: the process fetched itself.
    """

    began: float
    seconds: float
    how: str
    figures: Figures
    workers: list[Worker]


class Report(NamedTuple):
    """What a report shows.

    Attributes:
        name: of the crawl.
        summary: what has become of its URLs.
        runs: each run of the crawl.
        slices: the time of all runs, one behind the other.
        total: the figures of all runs.
        errors: by host, how many URLs have failed, or have a status of 400 and above, of each kind; the
            hosts with most of them.
        kinds: the same of all hosts.
    """

    name: str
    summary: CrawlSummary
    runs: list[Run]
    slices: list[Slice]
    total: Figures
    errors: dict[str, Counter[str]]
    kinds: Counter[str]


def report_of(state: State, name: str) -> Report:
    """Return what is known of a crawl."""
    turns: dict[int, list[tuple[float, Figures]]] = {}
    for number, at, text in state.turns():
        turns.setdefault(number, []).append((at, Figures.parse(text)))
    runs: list[Run] = []
    pieces: list[Slice] = []
    workers: dict[int, list[Worker]] = {}
    for number, worker, tasks, urls, busy, cpu in state.workers():
        workers.setdefault(number, []).append(Worker(worker, tasks, urls, busy, cpu))
    total, elapsed = Figures(), 0.0
    for number, (began, ended, how, _) in enumerate(state.runs(), 1):
        own, at = Figures(), began
        for written, figures in turns.get(number, ()):
            until = max(written, at)  # the clock may have been set back
            pieces.append(Slice(elapsed + at - began, elapsed + until - began, figures))
            own.add(figures)
            at = until
        seconds = max(at, ended or at) - began
        runs.append(Run(began, seconds, how or "goes on, or was killed", own, workers.get(number, [])))
        elapsed += seconds
        total.add(own)
    errors, kinds = _errors(state)
    return Report(name, state.summary(), runs, _merged(pieces, elapsed / SLICES), total, errors, kinds)


def _merged(pieces: Iterable[Slice], least: float) -> list[Slice]:
    """Return slices that are at least so long."""
    merged: list[Slice] = []
    for piece in pieces:
        if merged and merged[-1].end - merged[-1].begin < least:
            merged.append(_joined(merged.pop(), piece))
        else:
            merged.append(piece)
    if len(merged) > 1 and merged[-1].end - merged[-1].begin < least:
        last = merged.pop()
        merged.append(_joined(merged.pop(), last))
    return merged


def _joined(one: Slice, other: Slice) -> Slice:
    one.figures.add(other.figures)
    return one._replace(end=other.end)


def _errors(state: State) -> tuple[dict[str, Counter[str]], Counter[str]]:
    summary = state.summary()
    kinds = Counter(summary.errors)
    kinds.update({f"status {status}": many for status, many in summary.statuses.items() if status >= 400})
    errors: dict[str, Counter[str]] = {}
    for host, kind, count in state.troubles(HOSTS):
        errors.setdefault(host or "(no host)", Counter())[kind] += count
    return dict(sorted(errors.items(), key=lambda one: -one[1].total())), kinds
