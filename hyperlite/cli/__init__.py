"""The command line: `hyperlite`, or `python -m hyperlite`; a module for each command."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status.

    Args:
        arguments: the command and its arguments; by default those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["run"]:  # argparse would remove a `--` from the program's own arguments
        from .run import run  # noqa: PLC0415  each command imports what it needs

        return run(given[1:])
    import argparse  # noqa: PLC0415

    from .demo import declare  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="hyperlite")
    commands = parser.add_subparsers(dest="command", required=True)
    declare(commands)
    commands.add_parser("run", help="run a program with hyperlite in the place of http.client")
    options = parser.parse_args(given)
    status: int = options.run(options)
    return status
