"""The processes that measure: each does one workload with one client, as often as it is told to."""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parents[2]
# Seconds that a client may take for a round, on a busy machine: a hundred thousand requests for the memory.
PATIENCE = 120
PATIENCE_FOR_MEMORY = 900
# Seconds in which it is to end.
GRACE = 10

IMPORTING = """
import json, time
wall, cpu = time.perf_counter(), time.process_time()
import {}
print(json.dumps({{"cpu": (time.process_time() - cpu) * 1e6, "wall": (time.perf_counter() - wall) * 1e6}}))
"""


class Child:
    """A process that waits for a line, makes its client anew, measures, and answers with a line."""

    def __init__(self, python: Path, task: Mapping[str, Any]) -> None:
        self._patience = PATIENCE_FOR_MEMORY if task["kind"] == "memory" else PATIENCE
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed at the exit
        self._process: subprocess.Popen[str] | None = None
        self._missing = ""
        if not python.exists():
            self._missing = f"there is no {python.parent.parent.name} environment (make bench makes it)"
            return
        self._process = subprocess.Popen(
            [python, "-m", "tests.benchmarks.measure", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            cwd=HERE,
            env=environment(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):
                self._process.stdin.close()  # it is to end by itself, as what it has started ends with it
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
        self._complaints.close()

    def measure(self) -> dict[str, Any]:
        """Return what one round took, or why that cannot be had."""
        if self._process is None:
            return {"left out": self._missing}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return self._complaint()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            deadline = time.monotonic() + self._patience
            while not selector.select(max(0.0, deadline - time.monotonic())):
                if time.monotonic() >= deadline:
                    return {"left out": f"it took more than {self._patience} s"}
        try:
            return json.loads(self._process.stdout.readline())
        except ValueError:
            return self._complaint()

    def _complaint(self) -> dict[str, Any]:
        assert self._process is not None
        self._process.wait()
        self._complaints.seek(0)
        return {"left out": (self._complaints.read().strip().splitlines() or ["it said nothing"])[-1]}


def measure_import(name: str) -> dict[str, Any]:
    """Return what it takes to import something."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING.format(name)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=HERE,
        env=environment(),
        check=True,
    )
    return json.loads(done.stdout)


def environment() -> dict[str, str]:
    """Return what a measuring process is told: its bytecode is to be there already, and it takes no proxy."""
    unwanted = ("_proxy", "pythondontwritebytecode", "hyperlite_engine", "hyperlite_speedups")
    return {name: value for name, value in os.environ.items() if not name.lower().endswith(unwanted)}
