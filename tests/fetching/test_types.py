"""Type checkers: an editor knows the arguments of the pool, and what comes back."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONSUMER = Path(__file__).parent / "typed" / "consumer.py"


def run(*command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    return done.stdout


def pyright(*arguments: str) -> dict[str, object]:
    """Return what pyright says; it needs node, and fetches itself when it first runs."""
    there = importlib.util.find_spec("pyright") is not None
    said = run("pyright", "--outputjson", "--pythonpath", sys.executable, *arguments) if there else ""
    if not said.startswith("{"):
        if os.environ.get("CI") == "true":
            pytest.fail(f"pyright does not run: {said}")
        pytest.skip("pyright is not installed, or does not run")
    found: dict[str, object] = json.loads(said)
    return found


def wrong_lines() -> Sequence[int]:
    lines = CONSUMER.read_text().splitlines()
    marked = [number for number, line in enumerate(lines, 1) if line.endswith("# error")]
    assert len(marked) > 20
    return marked


def test_mypy_refuses_the_lines_that_are_wrong_and_no_others() -> None:
    pytest.importorskip("mypy")
    said = run("mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml"), str(CONSUMER))
    found = [int(number) for number in re.findall(r"consumer\.py:(\d+): error: ", said)]
    assert sorted(set(found)) == wrong_lines(), said


def test_pyright_refuses_the_lines_that_are_wrong_and_no_others() -> None:
    said = pyright(str(CONSUMER))
    found = {
        problem["range"]["start"]["line"] + 1
        for problem in said["generalDiagnostics"]  # type: ignore[attr-defined]
        if problem["severity"] == "error"
    }
    assert sorted(found) == wrong_lines(), said
