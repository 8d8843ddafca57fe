"""docs/examples/tested_project: a project with an environment of its own, where the wheel is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "docs" / "examples" / "tested_project"
# What pip says where it has no index to ask.
OFFLINE = ("No matching distribution found", "NewConnectionError", "ConnectTimeoutError")


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program, without what this environment has in its variables."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV"))
    }
    return subprocess.run(
        [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        cwd=PROJECT,
        env=kept | environment,
    )


def pip(*arguments: object) -> None:
    """Run pip; skip the test where it has no index to ask, but not in CI."""
    done = command(sys.executable, "-m", "pip", "--quiet", "--retries=1", *arguments)
    if done.returncode and any(text in done.stderr for text in OFFLINE) and os.environ.get("CI") != "true":
        pytest.skip("pip has no index to ask for what the project needs")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_project_passes(tmp_path: Path) -> None:
    """One test, as each of several processes would make an environment of its own."""
    pip("wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    made = command(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    assert made.returncode == 0, made.stderr
    python = tmp_path / "venv" / "bin" / "python"
    packages = f"hyperlite-http[testing] @ {wheel.as_uri()}", "pytest>=8.2"
    pip("--python", python, "install", "--no-compile", *packages)

    def run(*arguments: str) -> str:
        done = command(python, *arguments, PYTHONPYCACHEPREFIX=str(tmp_path / "cache"))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    quiet = ("-p", "no:cacheprovider")
    assert "15 passed" in run("-m", "pytest", *quiet)
    assert "fixtures defined from hyperlite.testing.plugin" in run(
        "-m", "pytest", *quiet, "--fixtures", "tests"
    )
    # Pytest would warn that it is too late to rewrite the asserts of a package that brings a plugin.
    program = "import hyperlite, pytest; raise SystemExit(pytest.main(['-W', 'error', '--collect-only']))"
    assert "15 tests collected" in run("-c", program)
