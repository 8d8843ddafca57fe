"""`python -m compat.stdlib`: is any of Python's own tests lost with hyperlite in http.client's place?"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import interpreters
from .interpreters import Interpreter
from .runner import MODULES, Comparison, Runner

HEADINGS = ["module", "version", "tests", "passed before", "passed with hyperlite", "skipped", "lost"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for and print the table; returns 1 if anything was lost or could not be measured."""
    options = _options(arguments)
    if options.only_default:
        chosen = [interpreters.default()]
    else:
        chosen = [one for one in interpreters.find() if one.version.startswith(options.version)]
    logs = Path(tempfile.mkdtemp(prefix="compat-stdlib-"))
    missing = _without_tests(chosen)
    runners = _runners(chosen, logs, options.limit)
    if not runners:
        print("nothing to run", file=sys.stderr)
        return 1
    results = _compare(runners, options.module or MODULES, options.jobs)
    _print_table(results)
    good = all(result.good for result in results) and not (options.only_default and missing)
    _print_details(results)
    if good:
        shutil.rmtree(logs)
        print(f"\nno test lost: {', '.join(runner.version for runner in runners)}")
        return 0
    print(f"\nthe tests' output is in {logs}")
    return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m compat.stdlib", description=__doc__)
    parser.add_argument("module", nargs="*", help="test modules to run (all): " + ", ".join(MODULES))
    parser.add_argument("--only-default", action="store_true", help="only the interpreter that runs this")
    parser.add_argument("--version", default="", help="only versions that begin like this (3.12)")
    parser.add_argument("--limit", type=float, default=300, help="seconds that a module may take (300)")
    parser.add_argument("--jobs", type=int, default=4, help="modules under way at once (4)")
    options = parser.parse_args(arguments)
    for name in options.module:
        if name not in MODULES:
            parser.error(f"{name} is not among the modules: {', '.join(MODULES)}")
    return options


def _without_tests(chosen: Iterable[Interpreter]) -> list[Interpreter]:
    """Say which interpreters cannot be used, and return them."""
    missing = [one for one in chosen if not one.has_tests]
    for one in missing:
        print(f"SKIPPED {one.version}: {one.path} is built without the test package", file=sys.stderr)
    return missing


def _runners(chosen: Iterable[Interpreter], logs: Path, limit: float) -> list[Runner]:
    """Make an environment for each interpreter that has the tests."""
    runners = []
    for one in chosen:
        if one.has_tests:
            print(f"{one.version}: {one.path}", file=sys.stderr)
            try:
                python = interpreters.environment(one)
            except subprocess.CalledProcessError as error:
                raise SystemExit(f"no environment for {one.version}: {error}") from error
            runners.append(Runner(python, one.version, logs, limit))
    return runners


def _compare(runners: Iterable[Runner], modules: Sequence[str], jobs: int) -> list[Comparison]:
    """Compare each module with each interpreter, some at once, in the table's order."""
    with ThreadPoolExecutor(jobs) as pool:
        pending = [pool.submit(runner.compare, module) for runner in runners for module in modules]
        try:
            return [_show(future.result()) for future in pending]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _show(result: Comparison) -> Comparison:
    """Say that a module is done."""
    print(f"{result.version} {result.module}: {'ok' if result.good else 'NOT OK'}", file=sys.stderr)
    return result


def _print_table(results: Iterable[Comparison]) -> None:
    """Print the table, as Markdown."""
    rows = [HEADINGS, *(result.row() for result in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], "-" * widths[1], *("-" * (width - 1) + ":" for width in widths[2:])]
    for row in (HEADINGS, rule, *rows[1:]):
        texts = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        print("| " + " | ".join(texts + numbers) + " |")


def _print_details(results: Iterable[Comparison]) -> None:
    """Print by name whatever the table only counts."""
    for result in results:
        where = f"{result.module} on {result.version}"
        for problem in result.problems:
            print(f"\nNOT MEASURED {where}: {problem}")
        for test in result.lost:
            print(f"\nLOST {where}: {test}")
        for test in result.gained:
            print(f"\nPASSES ONLY WITH HYPERLITE {where}: {test}")
        for test in result.retried:
            print(f"\npassed alone, at the second attempt, {where}: {test}")


if __name__ == "__main__":
    sys.exit(main())
