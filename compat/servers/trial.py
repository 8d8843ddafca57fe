"""One server's trial: it is started, and probes of both engines run beside it, in their own processes."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from hyperlite.testing.certificates import certificates

from . import raw
from .capabilities import CAPABILITIES
from .catalog import Server
from .content import write_files
from .running import Place, Running

ENGINES = ("native", "h2")
# Seconds that one process of probes may take, on a machine that has other things to do.
LIMIT = 300


@dataclass(frozen=True)
class Outcome:
    """What came of one capability with one engine."""

    outcome: str
    """pass, fail, not offered."""
    remark: str
    expected: bool = True
    """It is known of the server that it is so."""


@dataclass
class Trial:
    """What came of a server."""

    name: str
    title: str
    version: str
    settings: Mapping[str, int] = field(default_factory=dict)
    outcomes: dict[str, dict[str, Outcome]] = field(default_factory=dict)
    """By the names of capabilities, and then of engines."""
    reproduced: dict[str, bool] = field(default_factory=dict)
    """The faults whose reproduction was run, and whether it shows them."""
    failed: str = ""
    """Why there is no more."""


def run(
    name: str, server: Server, environment: Path, version: str, wanted: Sequence[str], *, quick: bool
) -> Trial:
    """Try a server: these capabilities; with the reproductions of its faults, unless it is to be quick."""
    trial = Trial(name, server.title, version)
    with tempfile.TemporaryDirectory(prefix=f"hyperlite-{name}-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        directory.chmod(0o755)
        (directory / "run").mkdir()
        place = Place(directory / "run", write_files(directory / "root"), environment)
        try:
            with server.start(place) as running:
                _try(trial, server, running, wanted)
                for fault in () if quick else set(server.faults).intersection(wanted):
                    shown = _reproduced(server.faults[fault].reproduction, running)
                    trial.reproduced[fault] = server.faults[fault].shows in shown
        except Exception as error:  # the other servers go on
            trial.failed = f"{type(error).__name__}: {error}"
    return trial


def _try(trial: Trial, server: Server, running: Running, wanted: Sequence[str]) -> None:
    if running.port is not None:
        trial.settings = raw.settings(running.port, certificates().ca_file)
    elif running.clear is not None:
        trial.settings = raw.settings(running.clear)
    asking = {
        "kind": server.kind,
        "port": running.port,
        "clear": running.clear,
        "ca_file": certificates().ca_file,
        "reload": list(running.reload),
    }
    description = json.dumps(asking)
    # What waits begins first; what disturbs the others comes when they are done.
    waiting = [name for name in wanted if name == "idle"]
    disturbing = [name for name in wanted if name == "reload"]
    others = [name for name in wanted if name not in {"idle", "reload"}]
    with ThreadPoolExecutor(2 * len(ENGINES)) as threads:
        idle = [threads.submit(_probe, description, engine, waiting) for engine in ENGINES]
        told = list(threads.map(lambda engine: _probe(description, engine, others), ENGINES))
        told = [now | one.result() for now, one in zip(told, idle, strict=True)]
    told = [now | _probe(description, engine, disturbing) for engine, now in zip(ENGINES, told, strict=True)]
    for capability in CAPABILITIES:
        if capability.name in wanted:
            trial.outcomes[capability.name] = {
                engine: _judged(server, capability.name, *now[capability.name])
                for engine, now in zip(ENGINES, told, strict=True)
            }


def _probe(description: str, engine: str, names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Run the probes with an engine; returns outcome and remark of each."""
    if not names:
        return {}
    command = [sys.executable, "-m", "compat.servers.probe", description, *names]
    output = _run(command, {**os.environ, "HYPERLITE_ENGINE": engine})
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('["')]
    results = {name: (outcome, remark) for name, outcome, remark in lines}
    return {name: results.get(name, ("fail", f"the probe ended: {output[-300:]}")) for name in names}


def _judged(server: Server, name: str, outcome: str, remark: str) -> Outcome:
    """Compare what came with what is known of the server."""
    if outcome == "not offered":
        return Outcome(outcome, server.without.get(name) or remark, name in server.without)
    if outcome == "fail" and name in server.without and name not in server.faults:
        return Outcome(outcome, remark, expected=False)
    if outcome == "fail":
        fault = server.faults.get(name)
        return Outcome(outcome, fault.reason if fault else remark, fault is not None)
    return Outcome(outcome, remark)


def _reproduced(command: str, running: Running) -> str:
    """Run a reproduction; returns what it prints."""
    values = {
        "PORT": running.port,
        "CLEAR": running.clear,
        "CA": certificates().ca_file,
        "RELOAD": shlex.join(running.reload),
    }
    for name, value in values.items():
        command = command.replace(f"${name}", str(value))
    return _run(["sh", "-c", command.replace("python ", f"{sys.executable} ")])


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a command, which ends after some minutes; returns what it prints until then."""
    with subprocess.Popen(
        command,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=LIMIT)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0]
