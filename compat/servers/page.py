"""What came of the trials, in words: a line on the terminal, and the page of the documentation."""

import datetime as dt
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import hyperlite

from .capabilities import CAPABILITIES
from .catalog import SERVERS, UNFIT, Server
from .trial import ENGINES, Trial

MARKS = {"pass": "✓", "fail": "✗", "not offered": " "}
GROUPS = {"requests": "Requests", "bodies": "Bodies and trailers", "connections": "Connections"}

HEAD = """\
# The matrix of servers

This page says what hyperlite does with each HTTP/2 server that Debian, PyPI and npm have. `make
compat-servers` installs the servers, starts them on loopback, tries everything below with both engines, and
writes this page. It did so on {date}, with hyperlite {version}, Python {python} and {system}.
[Servers](servers.md) says what is special about some of them.

✓ works, ✗ fails for a reason [below](#what-fails), and an empty cell is [not offered](#what-is-not-offered)
by the server. Two marks stand for the two engines, native and h2.
"""


def line(trial: Trial) -> str:
    """Return what the terminal shows of a server."""
    if trial.failed:
        return f"{trial.name:12} NOT TRIED {trial.failed}"
    counts = dict.fromkeys(MARKS, 0)
    for outcomes in trial.outcomes.values():
        for one in outcomes.values():
            counts[one.outcome] += 1
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    return f"{trial.name:12} {trial.version:10} {told}"


def surprises(trial: Trial) -> Iterator[str]:
    """Yield what is otherwise than is known of the server."""
    if trial.failed:
        yield f"{trial.name}: {trial.failed}"
    for name, outcomes in trial.outcomes.items():
        for engine, one in outcomes.items():
            if not one.expected:
                yield f"{trial.name}, {name}, {engine}: {one.outcome}: {one.remark}"
    for name, shown in trial.reproduced.items():
        if not shown:
            yield f"{trial.name}, {name}: the reproduction shows nothing"


def write(path: Path, trials: Sequence[Trial], missing: Mapping[str, str]) -> None:
    """Write the page."""
    tried = sorted((one for one in trials if not one.failed), key=lambda one: one.title.lower())
    head = HEAD.format(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        version=hyperlite.__version__,
        python=platform.python_version(),
        system=_system(),
    )
    parts = [head, _servers(tried)]
    parts += [f"## {title}\n\n{_matrix(tried, group)}" for group, title in GROUPS.items()]
    parts += [_fails(tried), _not_offered(tried), _remarks(tried)]
    left_out = {SERVERS[name].title: why for name, why in missing.items()}
    left_out |= {one.title: one.failed.splitlines()[0][:60] for one in trials if one.failed} | UNFIT
    parts.append("## Left out\n\n" + "".join(f"- {name}: {why}\n" for name, why in left_out.items()))
    path.write_text("\n".join(parts))


def _system() -> str:
    """Return the name of the operating system's release."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _servers(trials: Sequence[Trial]) -> str:
    rows = []
    for one in trials:
        told = ", ".join(f"{name} {value}" for name, value in one.settings.items())
        rows.append([one.title, one.version, _from(SERVERS[one.name]), told or "none"])
    return "## The servers\n\n" + _table(["server", "version", "from", "its SETTINGS"], rows)


def _from(server: Server) -> str:
    """Return which packages a server comes from."""
    sources = {"PyPI": server.pip, "npm": server.npm, "Debian": server.apt}
    return next(f"{where}: {', '.join(packages)}" for where, packages in sources.items() if packages)


def _matrix(trials: Sequence[Trial], group: str) -> str:
    columns = [one for one in CAPABILITIES if one.group == group]
    rows = [[one.title, *(_mark(one, column.name) for column in columns)] for one in trials]
    return _table(["server", *(column.title for column in columns)], rows)


def _mark(trial: Trial, name: str) -> str:
    marks = [MARKS[trial.outcomes[name][engine].outcome] for engine in ENGINES]
    return marks[0] if len(set(marks)) == 1 else " ".join(marks)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _fails(trials: Sequence[Trial]) -> str:
    parts = ["## What fails\n"]
    for one in trials:
        for name, outcomes in one.outcomes.items():
            if fault := SERVERS[one.name].faults.get(name):
                parts.append(_fault(one, name, fault.reason, fault.reproduction, fault.shows))
            elif failed := [outcome for outcome in outcomes.values() if outcome.outcome == "fail"]:
                parts.append(f"**{one.title}, {_title(name)}**: {failed[0].remark}\n")
    return "\n".join(parts if len(parts) > 1 else [*parts, "Nothing.\n"])


def _fault(trial: Trial, name: str, reason: str, reproduction: str, shows: str) -> str:
    seen = "prints" if trial.reproduced.get(name) else "prints now and then, and not this time,"
    return (
        f"**{trial.title}, {_title(name)}**: {reason}\nThe same without hyperlite {seen} `{shows}`:\n\n"
        f"```sh\n{reproduction}\n```\n"
    )


def _title(name: str) -> str:
    return next(one.title for one in CAPABILITIES if one.name == name)


def _not_offered(trials: Sequence[Trial]) -> str:
    rows = []
    for one in trials:
        reasons = [
            f"{_title(name)}: {outcomes[ENGINES[0]].remark}"
            for name, outcomes in one.outcomes.items()
            if outcomes[ENGINES[0]].outcome == "not offered"
        ]
        rows.append([one.title, "; ".join(reasons) or "everything is"])
    return "## What is not offered\n\n" + _table(["server", "what, and how that is seen"], rows)


def _remarks(trials: Sequence[Trial]) -> str:
    rows = []
    for one in trials:
        remarks = [
            f"{_title(name)}: {outcomes[ENGINES[0]].remark}"
            for name, outcomes in one.outcomes.items()
            if outcomes[ENGINES[0]].outcome == "pass" and outcomes[ENGINES[0]].remark
        ]
        rows.append([one.title, "; ".join(remarks)])
    return "## Remarks on what works\n\n" + _table(["server", "what was seen"], rows)
