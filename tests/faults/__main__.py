"""`python -m tests.faults` tries every moment in every way, and prints a table of what has become of them.

It takes an hour or more on two cores; `--every 10` takes each tenth moment, `--start` another tenth.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from .matrix import Trial, attempt, judge, moments, reason, settings
from .moments import KINDS
from .ways import content


def outcome(trial: Trial) -> str:
    """Return what became of a moment, in words."""
    reasons = {reason(one.error) for one in trial.done if one.error is not None}
    if any(one.error is None and one.body != content(one.target) for one in trial.done):
        reasons.add("half of a head passes for a whole one, as in http.client")
    return "; ".join(sorted(reasons)) or "all requests are answered"


def main() -> int:
    """Try them; returns the exit status: 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of settings: crawl, TLS, h2")
    parser.add_argument("--every", type=int, default=1, help="each so manieth moment alone")
    parser.add_argument("--start", type=int, default=0, help="from which on")
    parser.add_argument("--table", type=Path, help="write the table into a file of Markdown, too")
    options = parser.parse_args()
    table: dict[tuple[str, str], Counter[str]] = {}
    tried = struck = 0
    bad: list[str] = []
    number = options.start
    for setting in settings():
        if not all(word in str(setting) for word in options.words):
            continue
        plain = attempt(setting, None)
        bad += judge(plain)
        for moment in moments(plain.units):
            number += 1
            if number % options.every:
                continue
            trial = attempt(setting, moment)
            tried += 1
            struck += trial.struck
            wrong = judge(trial)
            bad += [f"{setting}: {moment}: {text}" for text in wrong]
            for text in wrong:
                print(f"WRONG: {setting}: {moment}: {text}", flush=True)
            if trial.struck:
                table.setdefault((setting.way, moment.kind), Counter())[outcome(trial)] += 1
        print(f"{setting}: {plain.units[0]} units to the server, {plain.units[1]} from it", flush=True)
    lines = ["| way | fault | what became of the requests |", "|---|---|---|"]
    for way, kind in sorted(table, key=lambda key: (key[0], KINDS.index(key[1]))):
        outcomes = ", ".join(f"{text} ({count})" for text, count in table[way, kind].most_common())
        lines.append(f"| {way} | {kind} | {outcomes} |")
    print("\n".join(lines))
    print(f"{tried} moments, {struck} of them with a fault, {len(bad)} wrong")
    if options.table:
        options.table.write_text("\n".join(lines) + "\n")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
