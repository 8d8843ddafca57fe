"""The command line: `hyperlite`, or `python -m hyperlite`; a module for each command.

A command's module has `main(arguments)`, which returns the exit status; it is imported when the command runs.
"""

import importlib
import os
import sys
from collections.abc import Sequence

HELP = """\
usage: hyperlite [get] [OPTION …] URL …
       hyperlite COMMAND …

Fetch URLs, over HTTP/2 if the server has it:

  hyperlite https://example.org/                     print what is there
  hyperlite -O https://example.org/big.iso           save it as big.iso
  hyperlite -C - -O https://example.org/big.iso      go on with a download
  hyperlite --json '{"a": 1}' https://example.org/   send JSON
  hyperlite -i -L http://example.org/                heads; follow redirects
  hyperlite -v https://example.org/                  heads, TLS, certificate
  hyperlite --frames https://example.org/            each frame of HTTP/2
  hyperlite --timing URL URL …                       where the time goes

Other commands:

  hyperlite crawl FILE …      fetch the URLs in a file, and lose none at a kill
  hyperlite serve [DIR]       serve a bookstore, or a directory
  hyperlite demo              crawl 3,000 books over HTTP/2 and HTTP/1.1
  hyperlite run …             run a program with hyperlite as its http.client
  hyperlite completion SHELL  have bash, zsh or fish complete options
  hyperlite --version         the versions of what takes part

  hyperlite COMMAND --help says more about a command; get is the one above.
"""

# A module for each, and what it does.
COMMANDS = {
    "completion": "print a script that has a shell complete commands and options",
    "crawl": "fetch the URLs in a file, in a way that survives a kill",
    "demo": "crawl 3,000 books over HTTP/2 and over HTTP/1.1",
    "get": "fetch URLs",
    "run": "run a program with hyperlite in the place of http.client",
    "serve": "serve a bookstore, or a directory, to this machine",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status.

    Args:
        arguments: the command and its arguments; by default those of the process.
    """
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # while modules were imported: later, `guarded` has it
        return 130


def _run(given: list[str]) -> int:
    """Run the command that the arguments name; returns the exit status."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # it was closed before the program began
            # Writing to standard output is to fail, as in other programs: what is written would be lost.
            null = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            setattr(sys, name, open(null, mode))  # noqa: SIM115  it is for the rest of the process
    if not given or given[0] in {"-h", "--help"}:
        if given[1:]:  # a topic of the options of `get`
            given.insert(0, "get")
        else:
            try:
                return _help(asked=bool(given))
            except OSError:  # which is said as any other failure to write
                from .exits import guarded  # noqa: PLC0415  help does without it

                return guarded(lambda: _help(asked=bool(given)))
    from .exits import guarded  # noqa: PLC0415  help does without it

    if given[0] in {"-V", "--version"}:
        return guarded(_version)
    name = given.pop(0) if given[0] in COMMANDS else "get"
    if name == "run":  # this process becomes another program
        from .run import run  # noqa: PLC0415  each command when it runs

        return run(given)
    return guarded(
        lambda: importlib.import_module(f".{name}", __name__).main(given), trace="--traceback" in given
    )


def _help(*, asked: bool) -> int:
    """Print the first help; returns the exit status."""
    print(HELP, end="", file=sys.stdout if asked else sys.stderr, flush=True)
    return 0 if asked else 2


def _version() -> int:
    """Print the versions; returns the exit status."""
    from .version import report  # noqa: PLC0415  help does without it

    print(report(), end="")
    return 0
