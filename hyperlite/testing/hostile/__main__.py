"""`python -m hyperlite.testing.hostile --client CMD [word …]` tries a client program; `protocol` says how."""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .protocol import Program
from .trying import attempt, selected


def main() -> int:
    """Try the program; returns the exit status: 1 if any case did not end as hyperlite promises."""
    parser = argparse.ArgumentParser(prog="python -m hyperlite.testing.hostile", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="word", help="parts of cases' names, or sections")
    parser.add_argument("--client", metavar="CMD", help="starts the client program")
    parser.add_argument("--over", choices=["clear", "tls"], help="default: TLS where the case has it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes, by the case's name")
    parser.add_argument("--list", action="store_true", help="list the cases")
    options = parser.parse_args()
    if options.list:
        for case, over in selected(options.words, options.over):
            print(f"{case.section:10} {case.name:40} {over:6} {case.expected:12} {case.reference}")
        return 0
    if options.client is None:
        parser.error("--client is needed")
    return _try(options)


def _try(options: argparse.Namespace) -> int:
    outcomes: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    program: Program | None = None
    print(f"{'case':40} {'over':6} {'expected':18} {'outcome':18} {'s':>6} {'MiB':>6}")
    try:
        for case, over in selected(options.words, options.over):
            program = program or Program(options.client)
            start = time.monotonic()
            trial = attempt(case, over, program)
            seconds = time.monotonic() - start
            problems = [] if trial.skipped else trial.problems
            verdict = "skipped" if trial.skipped else "as expected" if not problems else "otherwise"
            counts[verdict] += 1
            mark = trial.skipped or "; ".join(problems[:2])
            row = f"{case.name:40} {over:6} {case.expected:18} {trial.summary:18}"
            print(f"{row} {seconds:6.2f} {trial.growth:6.1f}  {mark}".rstrip(), flush=True)
            outcomes[case.name] = {
                "section": case.section,
                "expected": case.expected,
                "outcome": trial.summary,
                "problems": problems,
                "skipped": trial.skipped,
            }
            if trial.summary in {"hang", "crash"}:
                program.close()
                program = None
    finally:
        if program is not None:
            program.close()
    if options.json:
        options.json.write_text(json.dumps(outcomes, indent=1))
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return int(counts["otherwise"] > 0)


if __name__ == "__main__":
    sys.exit(main())
