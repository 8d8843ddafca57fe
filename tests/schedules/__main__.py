"""`python -m tests.schedules` tries all schedules of all scenarios; `--every 10` a tenth of them."""

import argparse
import sys
import traceback

from hyperlite.testing.server import Server

from .scenarios import NAMES, answer, explore


def main() -> int:
    """Try them; returns the exit status: 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.schedules", description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of scenarios' names")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--start", type=int, default=1)
    options = parser.parse_args()
    tried = bad = 0
    for name in NAMES:
        if not all(word in name for word in options.words):
            continue
        protocol = name.partition(", ")[2]
        with Server(answer, alpn=(protocol,)) as server:
            lines = max(explore(name, server, None).lines for _ in range(3))
            for stop_at in range(options.start, lines + 1, options.every):
                tried += 1
                try:
                    explore(name, server, stop_at)
                except AssertionError:
                    bad += 1
                    traceback.print_exc()
        print(f"{name}: {lines} lines", flush=True)
    print(f"{tried} schedules, {bad} wrong")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
