"""`hyperlite completion SHELL`: prints a script that has a shell complete commands and options."""

import argparse
import importlib
from collections.abc import Sequence

from . import COMMANDS, get
from .exits import Exit, Failure
from .options import Group, Parser

_INTRODUCTION = """
Prints a script that has a shell complete commands, options and files.

  eval "$(hyperlite completion bash)"     in ~/.bashrc
  eval "$(hyperlite completion zsh)"      in ~/.zshrc, after compinit
  hyperlite completion fish | source      in ~/.config/fish/config.fish
"""
SHELLS = ("bash", "zsh", "fish")


def parser() -> Parser:
    """Return the parser of the command's options."""
    made = Parser("completion", "hyperlite completion bash | zsh | fish", _INTRODUCTION, GROUPS)
    made.add_argument("shell", choices=SHELLS, metavar="SHELL")
    return made


GROUPS: dict[str, Group] = {}


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    shell = parser().parse(arguments).shell
    try:
        import shtab  # noqa: PLC0415  an extra has it
    except ImportError as error:
        raise Failure("completion needs shtab, the extra hyperlite-http[cli]", Exit.USAGE) from error
    print(shtab.complete(_every_command(shtab.FILE, shtab.DIRECTORY), shell))
    return Exit.DONE


def _every_command(file: object, directory: object) -> argparse.ArgumentParser:
    """Return a parser of all commands; the options of `get` need no command before them.

    Args:
        file, directory: what completes the options that take one; help calls it FILE, or DIRECTORY.
    """
    every = argparse.ArgumentParser("hyperlite")
    for group in get.GROUPS.values():
        group.declare(every)
    commands, parsers = every.add_subparsers(parser_class=argparse.ArgumentParser), [every]
    for name in sorted(COMMANDS):
        module = importlib.import_module(f".{name}", __package__)
        parents = [module.parser()] if hasattr(module, "parser") else []
        parsers.append(commands.add_parser(name, parents=parents, add_help=False, help=COMMANDS[name]))
    for action in (action for parser in parsers for action in parser._actions):
        if action.metavar in {"FILE", "DIRECTORY"}:
            action.complete = file if action.metavar == "FILE" else directory  # type: ignore[attr-defined]
    return every
