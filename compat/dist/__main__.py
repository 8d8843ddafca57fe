"""Builds the distributions twice, compares them, and checks them: `make dist`.

`dist/` then has hyperlite's wheel and source, and those of the compiled decoder. The same commit gives the same
bytes: times are that of the commit (SOURCE_DATE_EPOCH), and the wheel is built from the source distribution.
"""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"


def epoch() -> int:
    """Return the time of the commit, or what SOURCE_DATE_EPOCH says."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        given = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True)
    return int(given)


def repack(path: Path, time: int) -> None:
    """Write a source distribution anew, with nothing in it of the machine and the hour: setuptools leaves both."""
    packed = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = time, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=time) as file:
        file.write(packed.getvalue())


def build(source: Path, target: Path, time: int) -> None:
    """Build the source distribution of a folder, and from that the wheel."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(time)}
    # A copy, so that nothing lies in it that was not committed.
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place, "source")
        files = subprocess.check_output(["git", "ls-files", "-z"], cwd=source, text=True).split("\0")
        for name in filter(None, files):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, copy / name)
        made, unpacked = Path(place, "made"), Path(place, "unpacked")
        run("-m", "build", "--no-isolation", "--sdist", "--outdir", made, copy, environment=environment)
        (packed,) = made.iterdir()
        repack(packed, time)
        with tarfile.open(packed) as file:
            file.extractall(unpacked, filter="data")
        (folder,) = unpacked.iterdir()
        # The compiler notes where the sources lie, in what is for debuggers.
        environment["CFLAGS"] = f"-g0 -ffile-prefix-map={folder}=."
        run("-m", "build", "--no-isolation", "--wheel", "--outdir", made, folder, environment=environment)
        for path in made.iterdir():
            shutil.move(path, target / path.name)


def run(*arguments: object, environment: dict[str, str] | None = None) -> None:
    """Run Python, quietly unless it fails."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def build_all(target: Path, time: int) -> dict[str, str]:
    """Build everything; return the checksums of the files."""
    target.mkdir(exist_ok=True)
    for source in (ROOT, ROOT / "speedups"):
        build(source, target, time)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(target.iterdir())}


def main() -> None:
    """Build twice, compare, check."""
    shutil.rmtree(DIST, ignore_errors=True)
    time = epoch()
    with tempfile.TemporaryDirectory() as first:
        sums = build_all(Path(first), time)
    again = build_all(DIST, time)
    if sums != again:
        sys.exit(f"built twice, and not the same: {sorted(sums.items() ^ again.items())}")
    run("-m", "twine", "check", "--strict", *DIST.iterdir())
    # Pure ones alone: it would ask the compiled module for a package.
    run("-m", "check_wheel_contents", *DIST.glob("*-none-any.whl"))
    for name, checksum in again.items():
        print(f"{checksum}  dist/{name}")


if __name__ == "__main__":
    main()
