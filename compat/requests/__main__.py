"""`python -m compat.requests`: is any of requests' own tests lost with HTTP20Adapter mounted by default?"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from .lost import LOST

ROOT = Path(__file__).parents[2]
PATIENCE = 900.0
# What sends requests elsewhere or trusts others.
_DROPPED = ("_proxy", "_ca_bundle", "ssl_cert_file", "ssl_cert_dir")

Results = dict[str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the four combinations and print the table; returns 1 if anything was lost that is not listed."""
    options = _options(arguments)
    release = version("requests")
    with tempfile.TemporaryDirectory(prefix="compat-requests-") as directory:
        source = _fetch(release, Path(directory))
        runs = [(adapter, protocol) for protocol in options.over for adapter in ("stock", "hyperlite")]
        with ThreadPoolExecutor(options.jobs) as executor:
            results = list(executor.map(lambda run: _run(source, *run, options.pytest), runs))
    table = dict(zip(runs, results, strict=True))
    print(f"\nrequests {release}, urllib3 {version('urllib3')}, Python {sys.version.split()[0]}\n")
    print("| over | adapter | passed | failed | skipped | lost |\n|---|---|---|---|---|---|")
    good = True
    details = []
    for (adapter, protocol), found in table.items():
        before = table["stock", protocol]
        lost = sorted(name for name, what in before.items() if what == "passed" != found.get(name))
        counts = Counter(found.values())
        print(
            f"| {protocol} | {adapter} | {counts['passed']} | {counts['failed']} | {counts['skipped']} "
            f"| {len(lost) if adapter != 'stock' else '-'} |"
        )
        for name in lost:
            reason = LOST.get(name.rpartition("::")[2])
            good = good and reason is not None
            details.append(f"lost over {protocol}: {name}: {reason or 'NOT LISTED'}")
        good = good and bool(counts["passed"])
    print("\n".join(["", *details]))
    return 0 if good else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m compat.requests", description=__doc__)
    parser.add_argument("--over", action="append", choices=["HTTP/1.1", "HTTP/2"], help="only this protocol")
    parser.add_argument("--jobs", type=int, default=2, help="runs under way at once (2)")
    parser.add_argument("pytest", nargs="*", help="what goes to pytest, behind --")
    options = parser.parse_args(arguments)
    options.over = options.over or ["HTTP/1.1", "HTTP/2"]
    return options


def _fetch(release: str, directory: Path) -> Path:
    """Return the folder of the source distribution of the release that is installed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", "requests", "--dest", str(directory), f"requests=={release}"]
    subprocess.run(command, check=True)
    with tarfile.open(directory / f"requests-{release}.tar.gz") as archive:
        archive.extractall(directory, filter="data")
    return directory / f"requests-{release}"


def _run(source: Path, adapter: str, protocol: str, extra: list[str]) -> Results:
    """Run the tests once; returns what became of each."""
    report = source.parent / f"{adapter}-{protocol.replace('/', '')}.xml"
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith(_DROPPED)}
    environment |= {"COMPAT_ADAPTER": adapter, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "tests", "-q", "-p", "compat.requests.plugin", "--timeout=60"]
    command += ["-p", "no:cacheprovider", "--tb=short", "-W", "ignore", f"--junitxml={report}", *extra]
    if protocol == "HTTP/2":
        environment["COMPAT_HTTP2"] = "1"
        command += ["-p", "no:httpbin"]
    done = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    print(f"== {adapter} over {protocol}\n{done.stdout[-6000:]}{done.stderr[-2000:]}", flush=True)
    return _read(report)


def _read(report: Path) -> Results:
    results: Results = {}
    for case in ET.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        bad = kinds & {"failure", "error"}
        outcome = "failed" if bad else "skipped" if "skipped" in kinds else "passed"
        results[f"{case.get('classname')}::{case.get('name')}"] = outcome
    return results


if __name__ == "__main__":
    sys.exit(main())
