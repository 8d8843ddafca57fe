"""Type checkers: an editor knows the arguments of the pool, and what comes back."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONSUMER = Path(__file__).parent / "typed" / "consumer.py"


def run(*command: str) -> str:
    places = [str(ROOT), sysconfig.get_path("purelib")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    return done.stdout


def pyright(*arguments: str) -> dict[str, object]:
    """Return what pyright says; it needs node, and fetches itself when it first runs."""
    there = importlib.util.find_spec("pyright") is not None
    said = run("pyright", "--outputjson", *arguments) if there else ""
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


@pytest.mark.long
@pytest.mark.timeout(300)
def test_pyright_refuses_the_lines_that_are_wrong_and_no_others() -> None:
    said = pyright(str(CONSUMER))
    found = {
        problem["range"]["start"]["line"] + 1
        for problem in said["generalDiagnostics"]  # type: ignore[attr-defined]
        if problem["severity"] == "error"
    }
    assert sorted(found) == wrong_lines(), said


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_type_of_each_public_name_is_known() -> None:
    said = pyright("--ignoreexternal", "--verifytypes", "hyperlite")
    found: dict[str, Any] = said["typeCompleteness"]  # type: ignore[assignment]
    unknown = [
        f"{symbol['name']}: {problem['message']}"
        for symbol in found["symbols"]
        for problem in symbol["diagnostics"]
        if problem["severity"] == "error"
    ]
    assert unknown == []
    assert found["completenessScore"] == 1
    assert found["exportedSymbolCounts"]["withKnownType"] > 2000
