"""`python -m tests.hostile [word …]` runs the cases whose names hold a word, and prints the table."""

import argparse
import sys
from collections import Counter

from .catalogue import combinations
from .known import known
from .run import run


def main() -> int:
    """Run them; returns the exit status: 1 if any failed that is not known to."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--times", type=int, default=1, help="run each so many times")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    print(f"{'case':34} {'engine':7} {'over':6} {'expected':18} {'outcome':18} {'s':>6} {'MiB':>6}")
    for case, engine, over in combinations():
        if options.words and not any(word in case.name or word == case.section for word in options.words):
            continue
        for _ in range(options.times):
            result = run(case, engine, over)
            reason = known(case.name, engine, over)
            verdict = "pass" if not result.problems else "known" if reason else "FAIL"
            if not result.problems and reason:
                verdict, result.problems = "FAIL", ["passes, but known.py says that it fails"]
            counts[verdict] += 1
            row = f"{case.name:34} {engine:7} {over:6} {case.expected:18} {result.summary:18}"
            mark = "" if verdict == "pass" else f"  {verdict}: {'; '.join(result.problems)}"
            print(f"{row} {result.seconds:6.2f} {result.growth:6.1f}{mark}", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return int(counts["FAIL"] > 0)


if __name__ == "__main__":
    sys.exit(main())
