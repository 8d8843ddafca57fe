"""A page is walked as a reader walks it: its programs are saved, its commands typed, their output compared.

- A block of Python whose first line is `# name.py` is saved under that name.
- A block of commands is run by a shell. If it begins with `hyperlite serve`, it runs in a terminal of its
  own, until the next such block or the end of the page. What is exported stays.
- A block of text behind a block of commands is what they print; "…" in it stands for anything.

Commands that install something are left out where the tests have an environment. Another port takes the place
of 8443, one that is free.
"""

import contextlib
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .pages import blocks

INSTALLING = re.compile(r"^(python3 -m venv|\. |pip install) ?.*\n", re.MULTILINE)


def free_port() -> int:
    """Return a port that no program listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def matches(expected: str, printed: str) -> bool:
    """Tell whether a command has printed what the page says."""
    pattern = ".*".join(map(re.escape, expected.rstrip("\n").split("…")))
    return re.fullmatch(pattern, printed.rstrip("\n"), re.DOTALL) is not None


@dataclass
class Walk:
    """A folder in which pages are walked.

    Attributes:
        folder: where programs are saved, and commands are run.
        environment: of the commands.
        installs: type the commands that install something, too.
        exported: what commands have exported.
        port: takes the place of 8443.
        commands: how many blocks of commands were typed.
    """

    folder: Path
    environment: Mapping[str, str]
    server: subprocess.Popen[str] | None = None
    installs: bool = False
    exported: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    commands: int = 0

    def along(self, page: str) -> None:
        """Walk a page, given its text."""
        steps = [*blocks(page.replace("8443", str(self.port)))]
        try:
            for (language, text), (next_language, next_text) in zip(
                steps, [*steps[1:], ("", "")], strict=True
            ):
                expected = next_text if next_language == "text" else None
                if language == "python":
                    self.save(text)
                elif language == "sh":
                    self.type(text if self.installs else INSTALLING.sub("", text), expected)
        finally:
            self.end_server()

    def save(self, program: str) -> None:
        """Save a program."""
        named = re.match(r"# (\w+\.py)\n", program)
        assert named is not None, f"a program without a name: {program}"
        (self.folder / named[1]).write_text(program)

    def type(self, commands: str, expected: str | None) -> None:
        """Type commands."""
        if commands.startswith("hyperlite serve"):
            printed = self.serve(commands)
        elif commands.strip():
            printed = self.run(commands)
        else:
            return
        self.commands += 1
        assert expected is None or matches(expected, printed), f"{commands}\nprinted\n{printed}"

    def run(self, commands: str) -> str:
        """Run commands to their end, and return what they print."""
        for name, value in re.findall(r"^export (\w+)=(.*)$", commands, re.MULTILINE):
            self.exported[name] = value
        done = subprocess.run(
            ["bash", "-ec", commands],
            cwd=self.folder,
            env={**self.environment, **self.exported},
            capture_output=True,
            text=True,
            timeout=600 if self.installs else 110,  # a new environment takes its time
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def serve(self, command: str) -> str:
        """Start a server in a terminal of its own, and return what it prints until it serves."""
        self.end_server()
        self.server = subprocess.Popen(
            shlex.split(command),
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.server.stdout is not None
        lines = []
        for line in self.server.stdout:
            lines.append(line)
            if line.startswith("try: "):
                break
        return "".join(lines)

    def end_server(self) -> None:
        """End the server. (A process in the background of a shell hands down that SIGINT is ignored.)"""
        if self.server is not None:
            self.server.terminate()
            self.server.wait(20)
            if self.server.stdout is not None:
                self.server.stdout.close()
            self.server = None


@contextlib.contextmanager
def programs(folder: Path, python: str, root: Path) -> Iterator[dict[str, str]]:
    """Yield an environment in which `hyperlite` and `python` are those of the tests."""
    folder.mkdir(parents=True)
    for name, command in {"hyperlite": f"{python} -m hyperlite", "python": python}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / name).chmod(0o755)
    taken = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in taken and not name.lower().endswith("_proxy")
    }
    yield kept | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(root)}
