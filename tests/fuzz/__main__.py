"""`python -m tests.fuzz [target …] --seconds N` fuzzes targets one after the other, each for so long.

What it learns stays in `.fuzz/`, so the next run goes on from there: the inputs that lead to new code, those
that have broken something (`finds/`), and how long each target was fuzzed (`figures.json`).
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from .corpus import load, save
from .target import Target
from .targets import TARGETS, together

FOLDER = Path(".fuzz")
# The name of all targets in one process.
TOGETHER = "together"
FIGURES = FOLDER / "figures.json"
# Seconds, and MiB, that one input may cost.
SLOW, LARGE = 20, 2048
# What `--keep` puts into the repository: so many inputs of a target, none longer than so many bytes.
KEPT, LONGEST = 60, 400
_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_DONE = re.compile(r"Done (\d+) runs? in (\d+) second")


def fuzz(name: str, target: Target, given: Iterable[bytes], seconds: int) -> bool:
    """Fuzz a target; tell whether nothing was found."""
    folder = FOLDER / name
    inputs, finds = folder / "inputs", folder / "finds"
    for made in (inputs, finds):
        made.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(given):
        (inputs / f"given-{number}").write_bytes(data)
    words = folder / "words"
    wanted = [word for word in target.words.split(b"|") if word] or [b"0"]
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in wanted))
    log = folder / "log"
    command = [
        *(sys.executable, "-m", "tests.fuzz.one", name),
        *(f"-max_total_time={seconds}", f"-max_len={target.longest}", f"-artifact_prefix={finds}/"),
        *(f"-timeout={SLOW}", f"-rss_limit_mb={LARGE}", f"-dict={words}", "-print_final_stats=1"),
        str(inputs),
    ]
    with log.open("wb") as file:
        status = subprocess.run(command, stdout=file, stderr=file, check=False).returncode
    said = log.read_text(errors="replace")
    executions = sum(map(int, _EXECUTIONS.findall(said)[-1:]))
    done = _DONE.search(said)
    _add(name, executions, int(done[2]) if done else seconds)
    print(f"{name:10} {seconds:6} s {executions:12,} executions  {'ok' if not status else log}", flush=True)
    if status:
        print(said[-3000:])
    return not status


def _escaped(word: bytes) -> str:
    """Return a word as a dictionary of libFuzzer's has it."""
    data = word.decode("unicode_escape").encode("latin-1")
    return "".join(chr(one) if 32 <= one < 127 and one not in b'"\\' else f"\\x{one:02x}" for one in data)


def _add(name: str, executions: int, seconds: int) -> None:
    """Add to the figures."""
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    before = figures.get(name, {"executions": 0, "seconds": 0})
    figures[name] = {
        "executions": before["executions"] + executions,
        "seconds": before["seconds"] + seconds,
    }
    FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True))


def keep(name: str) -> None:
    """Put the shortest inputs that lead to all the code that is known into the repository's corpus."""
    folder = FOLDER / name
    least = folder / "least"
    least.mkdir(exist_ok=True)
    for old in least.iterdir():
        old.unlink()
    command = [sys.executable, "-m", "tests.fuzz.one", name, "-merge=1", str(least), str(folder / "inputs")]
    subprocess.run(command, check=True, capture_output=True)
    named = {key: data for key, data in load(name).items() if not key.startswith("learnt-")}
    known = set(named.values())
    learnt = sorted((path.read_bytes() for path in least.iterdir()), key=len)
    learnt = [data for data in learnt if len(data) <= LONGEST and data not in known][:KEPT]
    save(name, named | {f"learnt-{number:03}": data for number, data in enumerate(learnt)})


def main() -> int:
    """Fuzz; returns the exit status: 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="of each target (default: 60)")
    parser.add_argument("--keep", action="store_true", help="put what was learnt into the repository")
    parser.add_argument("--figures", action="store_true", help="tell how long each target was fuzzed")
    parser.add_argument("--together", action="store_true", help="all targets in one process, for --seconds")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if options.figures:
        print(FIGURES.read_text())
        return 0
    if options.together:
        inputs = [bytes([at]) + one for at, name in enumerate(TARGETS) for one in load(name).values()]
        return int(not fuzz(TOGETHER, Target(together, 2048), inputs, options.seconds))
    good = [
        fuzz(name, TARGETS[name], load(name).values(), options.seconds) for name in options.targets or TARGETS
    ]
    if options.keep:
        for name in options.targets or TARGETS:
            keep(name)
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
