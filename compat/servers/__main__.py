"""`make compat-servers`: hyperlite against every HTTP/2 server that can be installed, one by one."""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import installing, page, trial
from .capabilities import CAPABILITIES
from .catalog import SERVERS

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the servers; returns 1 if anything is otherwise than is known of them."""
    options = _options(arguments)
    chosen = options.server or list(SERVERS)
    wanted = [one.name for one in CAPABILITIES if not (options.quick and one.name == "idle")]
    if options.only:
        wanted = options.only
    environments = ROOT / ".venv" / "servers"
    if not options.no_install:
        installing.install({name: SERVERS[name] for name in chosen}, environments)
    lacking = {name: installing.lacking(SERVERS[name], environments / name) for name in chosen}
    missing = {name: why for name, why in lacking.items() if why}
    with ThreadPoolExecutor(options.jobs) as threads:
        pending = [
            threads.submit(
                trial.run,
                name,
                SERVERS[name],
                environments / name,
                installing.version(SERVERS[name], environments / name),
                wanted,
                quick=options.quick,
            )
            for name in chosen
            if name not in missing
        ]
        trials = [_said(one.result()) for one in pending]
    for name, why in missing.items():
        print(f"left out: {name}: {why}")
    if not options.server and not options.quick and not options.only:
        page.write(next((ROOT / "docs").rglob("servers-matrix.md")), trials, missing)
    wrong = [line for one in trials for line in page.surprises(one)]
    print("\n".join(wrong) or f"{len(trials)} servers, each as it is known")
    return bool(wrong)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m compat.servers", description=__doc__)
    parser.add_argument("server", nargs="*", help="those to try (all, into the page): " + ", ".join(SERVERS))
    parser.add_argument("--quick", action="store_true", help="without what takes more than a minute")
    parser.add_argument("--only", action="append", help="this capability alone; may be given again")
    parser.add_argument("--no-install", action="store_true", help="those that are installed")
    parser.add_argument("--jobs", type=int, default=4, help="servers under trial at once (4)")
    options = parser.parse_args(arguments)
    for name in options.server:
        if name not in SERVERS:
            parser.error(f"{name} is not among the servers: {', '.join(SERVERS)}")
    for name in options.only or ():
        if name not in {one.name for one in CAPABILITIES}:
            parser.error(f"{name} is no capability: {', '.join(one.name for one in CAPABILITIES)}")
    return options


def _said(one: trial.Trial) -> trial.Trial:
    """Print what came of a server."""
    print(page.line(one), flush=True)
    return one


if __name__ == "__main__":
    sys.exit(main())
