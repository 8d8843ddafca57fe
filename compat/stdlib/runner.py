"""Runs a test module with the standard library and with hyperlite, each time in a fresh interpreter."""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .child import ERROR, OK, SEVERITY, SKIP
from .interpreters import ROOT

CHILD = Path(__file__).with_name("child.py")
MODULES = (
    "test_httplib",
    "test_urllib2_localnet",
    "test_urllib2",
    "test_urllib",
    "test_xmlrpc",
    "test_docxmlrpc",
    "test_httpservers",
    "test_robotparser",
    "test_logging",
    "test_wsgiref",
    "test_ssl",
)


@dataclass
class Run:
    """What one child has reported: each test's outcome, and what keeps them from being the whole truth."""

    outcomes: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    log: Path | None = None

    def passed(self) -> set[str]:
        """Return the tests that passed."""
        return {test for test, outcome in self.outcomes.items() if outcome == OK}


@dataclass
class Comparison:
    """A module on one version, before and with hyperlite."""

    module: str
    version: str
    before: Run
    after: Run
    lost: list[str] = field(default_factory=list)
    gained: list[str] = field(default_factory=list)  # passes with hyperlite only: a difference all the same
    retried: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What makes this comparison worth nothing, whatever its tests say."""
        found = [
            f"{name}: {run.problem} (see {run.log})"
            for name, run in (("before", self.before), ("with hyperlite", self.after))
            if run.problem
        ]
        if not self.before.problem and not self.before.passed():
            found.append(f"before: not one test passed (see {self.before.log})")
        return found

    @property
    def good(self) -> bool:
        """Whether the same tests pass with the one and with the other."""
        return not (self.lost or self.gained or self.problems)

    def row(self) -> list[str]:
        """Return it as a row of the table."""
        skipped = sum(outcome == SKIP for outcome in self.after.outcomes.values())
        counts = [
            len(self.before.outcomes),
            len(self.before.passed()),
            len(self.after.passed()),
            skipped,
            len(self.lost),
        ]
        return [self.module, self.version, *map(str, counts)]


@dataclass(frozen=True)
class Runner:
    """Runs children of one interpreter, their logs and reports in one directory."""

    python: str
    version: str
    logs: Path
    limit: float

    def compare(self, module: str) -> Comparison:
        """Run a module both ways, and what differs once more, alone."""
        before, after = self.run(module, hyperlite=False), self.run(module, hyperlite=True)
        result = Comparison(module, self.version, before, after)
        for test in sorted(before.passed() - after.passed()):
            self._judge(result, test, after, result.lost, hyperlite=True)
        for test in sorted(after.passed() - before.passed()):
            self._judge(result, test, before, result.gained, hyperlite=False)
        return result

    def _judge(
        self, result: Comparison, test: str, run: Run, differing: list[str], *, hyperlite: bool
    ) -> None:
        """Run a test once more where it has not passed: it has passed now, or it differs."""
        if run.problem or not self.run(result.module, hyperlite=hyperlite, only=test).passed():
            differing.append(test)
        else:
            run.outcomes[test] = OK
            result.retried.append(f"{test} ({'with hyperlite' if hyperlite else 'before'})")

    def run(self, module: str, *, hyperlite: bool, only: str | None = None) -> Run:
        """Run a module, or one test of it, in a fresh interpreter and an empty directory."""
        name = f"{self.version}-{module}-{'hyperlite' if hyperlite else 'before'}"
        if only is not None:
            name += "-" + re.sub(r"\W+", "_", only)[-120:]
        log, report = self.logs / f"{name}.log", self.logs / f"{name}.jsonl"
        command = [self.python, "-P", str(CHILD), module, str(report), "--limit", str(self.limit - 1)]
        command += ["--hyperlite", str(ROOT)] if hyperlite else []
        command += ["--only", only] if only is not None else []
        report.touch()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory, log.open("w") as output:
            status = _run_for(self.limit, command, directory, output.fileno())
        result = read_report(report.read_text(encoding="utf-8"), hyperlite=hyperlite)
        result.log = log
        if status is None:
            result.problem = f"not at its end after {self.limit:g} s"
        elif status and not result.problem:
            result.problem = f"exit status {status}"
        return result


def read_report(text: str, *, hyperlite: bool) -> Run:
    """Make sense of what a child wrote, up to where it got."""
    run, end = Run(), None
    for line in text.splitlines():
        entry: Mapping[str, str] = json.loads(line)
        if "end" in entry:
            end = entry
        else:
            test, outcome = entry["test"], entry["outcome"]
            # A test that is run twice under one name has passed if it has passed both times.
            worst = max(run.outcomes.get(test, OK), outcome, key=SEVERITY.index)
            run.outcomes[test] = worst
    if end is None:
        run.problem = "it died before its end"
    elif end["hyperlite"] != hyperlite:
        run.problem = "hyperlite was not in the place of http.client at the end"
    if any("_FailedTest" in test and outcome == ERROR for test, outcome in run.outcomes.items()):
        run.problem = "the module cannot be imported"
    return run


def _run_for(limit: float, command: list[str], directory: str, output: int) -> int | None:
    """Run a command and whatever it starts; returns its status, None if it took longer than the limit."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with subprocess.Popen(
        command,
        cwd=directory,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as child:
        try:
            return child.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
