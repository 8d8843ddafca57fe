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
    given = list(sys.argv[1:] if arguments is None else arguments)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before the program began
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  it is for the rest of the process
    if not given or given[0] in {"-h", "--help"}:
        if given[1:]:  # a topic of the options of `get`
            given.insert(0, "get")
        else:
            print(HELP, end="", file=sys.stdout if given else sys.stderr)
            return 0 if given else 2
    if given[0] in {"-V", "--version"}:
        from .version import report  # noqa: PLC0415  help does without it

        print(report(), end="")
        return 0
    name = given.pop(0) if given[0] in COMMANDS else "get"
    command = importlib.import_module(f".{name}", __name__)
    if name == "run":  # this process becomes another program
        status: int = command.run(given)
        return status
    from .exits import guarded  # noqa: PLC0415  help does without it

    return guarded(lambda: command.main(given), trace="--traceback" in given)
