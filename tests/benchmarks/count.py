"""`make bench-count`: the instructions that a request costs, beside those of an earlier commit.

callgrind counts both in this run, side by side: a count does not depend on what else the machine does.
`bench-count.json` names the commit.  Where more instructions are right, a commit makes that file name a
later commit, and says why.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import counted

ROOT = Path(__file__).resolve().parents[2]
NAMED = ROOT / "bench-count.json"
# How many percent more a workload may cost.
MOST = 3.0


def main() -> None:
    """Count, print the table, and fail if a workload costs too much more than it did."""
    parser = argparse.ArgumentParser(
        prog="make bench-count", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", metavar="COMMIT", help="another commit than bench-count.json names")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        parser.error("valgrind is not installed; it does the counting")
    commit = options.against or json.loads(NAMED.read_text())["commit"]
    with _tree(commit) as old, ThreadPoolExecutor(2) as threads:
        before, after = threads.map(_count, (old, ROOT))
    print(f"thousands of instructions for each request; the first column is {commit[:10]}")
    dearer = False
    for workload, first, second in zip(counted.WORKLOADS, before, after, strict=True):
        percent = 100 * (second / first - 1)
        dearer |= percent > MOST
        per_request = " ".join(f"{total / workload.requests / 1000:9.1f}" for total in (first, second))
        print(f"{workload.name:30}{per_request} {percent:+7.2f} %")
    if dearer:
        sys.exit(f"a workload costs more than {MOST:g} % more; bench-count.json says how that is accepted")


@contextlib.contextmanager
def _tree(commit: str) -> Iterator[Path]:
    """Lay out a commit's package; yields the folder that has it."""
    done = subprocess.run(["git", "archive", commit, "hyperlite"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"git has no commit {commit} to compare with: {done.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory(prefix="hyperlite-count-") as folder:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def _count(tree: Path) -> Sequence[int]:
    """Return the instructions of each workload, with the package of a tree."""
    with tempfile.TemporaryDirectory(prefix="hyperlite-count-") as folder:
        command = ["valgrind", "--quiet", "--tool=callgrind", "--dump-before=getppid"]
        command += [f"--callgrind-out-file={folder}/dump", sys.executable, counted.__file__]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HYPERLITE_")},
            "PYTHONPATH": str(tree),
            "PYTHONHASHSEED": "0",
        }
        subprocess.run(command, env=environment, check=True)
        # A dump has what was done since the mark before it: every second one is a workload.
        return [_total(Path(folder, f"dump.{2 * number}")) for number in range(1, len(counted.WORKLOADS) + 1)]


def _total(dump: Path) -> int:
    return next(int(line.split()[1]) for line in dump.read_text().splitlines() if line.startswith("totals:"))


if __name__ == "__main__":
    main()
