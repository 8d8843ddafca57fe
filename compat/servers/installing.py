"""Installs servers: Debian's packages by apt, those of PyPI and npm into an environment of their own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .catalog import Server
from .running import Missing, program

# No daemon is to start because its package is installed: in runlevel 1, invoke-rc.d starts none.
_APT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
# Seconds for one installation.
_LIMIT = 900


def install(servers: Mapping[str, Server], environments: Path) -> None:
    """Install what is missing, as far as that is possible: `lacking` says what is not there afterwards."""
    packages = [package for server in servers.values() if _absent(server.needs) for package in server.apt]
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update", "-qq"])
        together = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        if not _run([*together, *packages]):
            for package in packages:  # one that is not to be had leaves the others alone
                _run([*together, package])
    for name, server in servers.items():
        made, environment = environments / name / ".made", environments / name
        if server.pip and not made.exists():
            done = _run([sys.executable, "-m", "venv", str(environment)]) and _run(
                [str(environment / "bin" / "python"), "-m", "pip", "install", "-q", *_PIP, *server.pip]
            )
        elif server.npm and not made.exists() and shutil.which("npm"):
            environment.mkdir(parents=True, exist_ok=True)
            done = _run(["npm", "install", "--silent", "--prefix", str(environment), *server.npm])
        else:
            continue
        if done:
            made.touch()


_PIP = ("--disable-pip-version-check", "--no-input")


def lacking(server: Server, environment: Path) -> str:
    """Return why a server cannot be tried; empty: it can."""
    if absent := _absent(server.needs):
        return f"not there: {', '.join(absent)} (Debian: {' '.join(server.apt)})"
    if (server.pip or server.npm) and not (environment / ".made").exists():
        return f"not installed: {' '.join((*server.pip, *server.npm))}"
    return ""


def version(server: Server, environment: Path) -> str:
    """Return the version of a server: of its package of PyPI or npm, or of Debian's that has its program."""
    if server.pip:
        name = re.split(r"[\[<>=]", server.pip[0])[0]
        code = f"import importlib.metadata as m; print(m.version({name!r}))"
        return _printed([str(environment / "bin" / "python"), "-c", code])
    if server.npm:
        code = f"console.log(require('{environment}/node_modules/{server.npm[0]}/package.json').version)"
        return _printed(["node", "-e", code])
    owner = _printed(["dpkg-query", "-S", os.path.realpath(program(server.needs[0]))]).partition(":")[0]
    debian = _printed(["dpkg-query", "-W", "-f", "${Version}", owner])
    return re.sub(r"^\d+:|[-+~].*", "", debian) or "unknown"


def _absent(needs: Sequence[str]) -> list[str]:
    """Return which programs and files are not there."""
    absent = []
    for need in needs:
        try:
            program(need)
        except Missing:
            absent.append(need)
    return absent


def _run(command: Sequence[str]) -> bool:
    """Run an installer; what it says is shown, its failure is told."""
    print("+", " ".join(command), file=sys.stderr, flush=True)
    return subprocess.run(command, check=False, timeout=_LIMIT, env=_APT, stdout=sys.stderr).returncode == 0


def _printed(command: Sequence[str]) -> str:
    """Return what a command prints; empty if it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
