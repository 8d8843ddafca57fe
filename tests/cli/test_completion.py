"""`hyperlite completion`: the scripts, run by the shells that are here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hyperlite.cli import main
from tests.real.servers import find_program

# Calls the function that the script has registered, as bash does for the words of a command line.
BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shtab_hyperlite
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the script of each shell, by its name."""
    directory = tmp_path_factory.mktemp("scripts")
    for shell in ("bash", "zsh", "fish"):
        command = [sys.executable, "-m", "hyperlite", "completion", shell]
        done = subprocess.run(command, capture_output=True, check=True, timeout=60)
        (directory / shell).write_bytes(done.stdout)
    return directory


def in_bash(scripts: Path, *words: str) -> list[str]:
    command = [find_program("bash", "bash"), "-c", BASH, "-", str(scripts / "bash"), "hyperlite", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=scripts)
    assert done.stderr == ""
    return done.stdout.split()


def in_fish(scripts: Path, *words: str) -> list[str]:
    line = " ".join(["hyperlite", *words])
    command = [
        find_program("fish", "fish"),
        "--no-config",
        "-c",
        f"source {scripts / 'fish'}; complete -C '{line}'",
    ]
    home = {
        **os.environ,
        "HOME": str(scripts),
        "XDG_DATA_HOME": str(scripts),
        "XDG_CONFIG_HOME": str(scripts),
    }
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, cwd=scripts, env=home
    )
    return [found.split("\t")[0] for found in done.stdout.splitlines()]


@pytest.mark.parametrize("complete", [in_bash, in_fish])
def test_commands_options_and_files(scripts: Path, complete: object) -> None:
    assert callable(complete)
    assert set(complete(scripts, "s")) >= {"serve"}
    assert {"--http1.1", "--http2", "--http2-prior-knowledge"} <= set(complete(scripts, "--http"))
    assert {"--http1.1", "--http2"} <= set(complete(scripts, "get", "--http"))
    assert set(complete(scripts, "serve", "--wr")) == {"--write-ca"}
    assert {"bash", "zsh", "fish"} <= set(
        complete(scripts, "completion", "''" if complete is in_fish else "")
    )
    assert "zsh" in complete(scripts, "--cacert", "z")


def test_zsh_takes_the_script(scripts: Path) -> None:
    text = f"""
        autoload -Uz compinit; compinit -D
        eval "$(cat {scripts / "zsh"})"
        whence -w _shtab_hyperlite; print $_comps[hyperlite]
    """
    command = [find_program("zsh", "zsh"), "-f", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert done.stdout.split() == ["_shtab_hyperlite:", "function", "_shtab_hyperlite"]


def test_a_shell_that_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "csh"]) == 2
    assert "'csh' (choose from" in capsys.readouterr().err


def test_without_shtab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == "hyperlite: completion needs shtab, the extra hyperlite-http[cli]\n"
