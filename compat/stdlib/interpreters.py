"""The interpreters on this machine, and an environment for each with what hyperlite needs."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / ".venv" / "compat" / "stdlib"
OLDEST, NEWEST = 11, 19
PROBE = """
import importlib.util, json, platform, sys
try:
    tests = importlib.util.find_spec("test.test_httplib") is not None
except ImportError:
    tests = False
print(json.dumps([sys.executable, platform.python_version(), sys.version_info[:2], tests]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python: where it is, its whole version, and whether it has the standard library's tests."""

    path: str
    version: str
    has_tests: bool


def default() -> Interpreter:
    """Return the interpreter that runs this, in its own environment."""
    found = _probe(sys.executable)
    if found is None:
        raise SystemExit(f"{sys.executable} is not Python 3.{OLDEST} or later")
    return found


def find() -> list[Interpreter]:
    """Return one interpreter for each version found, the default or another; rather one with the tests."""
    found: dict[str, Interpreter] = {}
    for path in (sys.executable, *_candidates()):
        interpreter = _probe(path)
        if interpreter and (
            interpreter.version not in found
            or (interpreter.has_tests and not found[interpreter.version].has_tests)
        ):
            found[interpreter.version] = interpreter
    return sorted(found.values(), key=lambda one: _sort_key(one.version))


def environment(interpreter: Interpreter) -> str:
    """Return a Python of that version which has hyperlite's dependencies; made when there is none.

    Raises:
        subprocess.CalledProcessError: It could not be made.
    """
    if interpreter.path == sys.executable:
        return sys.executable  # `make` has seen to it
    where = ENVIRONMENTS / interpreter.version
    python, stamp = where / "bin" / "python", where / "made-for.json"
    made_for = json.dumps([interpreter.path, dependencies()])
    if not stamp.exists() or stamp.read_text() != made_for:
        shutil.rmtree(where, ignore_errors=True)
        _run(interpreter.path, "-m", "venv", str(where))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *dependencies())
        stamp.write_text(made_for)
    return str(python)


def dependencies() -> list[str]:
    """Return what pyproject.toml says that hyperlite needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def _candidates() -> Iterator[str]:
    for minor in range(OLDEST, NEWEST + 1):
        if path := shutil.which(f"python3.{minor}"):
            yield path
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob("versions/3.1[1-9]*/bin/python")))


def _probe(path: str) -> Interpreter | None:
    """Ask an interpreter what it is; None if it does not run or is too old."""
    try:
        done = subprocess.run([path, "-P", "-c", PROBE], check=False, capture_output=True, timeout=60)
        where, version, (_, minor), tests = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return Interpreter(where, version, tests) if OLDEST <= minor <= NEWEST else None


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _sort_key(version: str) -> list[str]:
    return [part.zfill(4) for part in version.split(".")]
