"""`hyperlite run`: runs a program as `python` does, with `hyperlite.client` instead of http.client.

`hyperlite run ARGUMENTS` becomes `python ARGUMENTS`: this process replaces itself by a new interpreter.  So
`sys.path`, `sys.argv`, `__main__`, tracebacks, signals and the exit status are those of Python itself.  The
new interpreter imports `startup/sitecustomize.py`, which installs hyperlite; so does each Python of the
same environment that the program starts.
"""

import os
import sys
from collections.abc import Sequence

USAGE = "usage: hyperlite run [OPTION ...] (SCRIPT | -m MODULE | -c CODE | -) [ARGUMENT ...]"
HELP = f"""{USAGE}

Runs a Python program as `python` does, with hyperlite.client in the place of http.client. The options are
Python's own. Processes that the program starts with the same Python speak HTTP/2, too.
"""

STARTUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "startup")
# Tells startup/sitecustomize.py which interpreters it is for, and whether the process is the first of them.
MARK = "HYPERLITE_RUN"
# Options with which Python does not import sitecustomize, or does not read PYTHONPATH.
_EXCLUDING = "EIS"
_WITH_VALUE = "WX"
_PROGRAM = "cm"


def run(arguments: Sequence[str]) -> int:
    """Become the interpreter that runs the program; return an exit status if that fails.

    Args:
        arguments: those of `python`: options, then a script, `-m` and a module, `-c` and code, or `-`,
            then the program's own arguments.

    Raises:
        SystemExit: HYPERLITE_PROTOCOLS names no protocols.
    """
    if arguments[:1] in (["-h"], ["--help"]):
        print(HELP, end="")
        return 0
    options, program = split(arguments)
    if not program:
        print(f"{USAGE}\nhyperlite run: error: there is no program to run", file=sys.stderr)
        return 2
    options = split(sys.orig_argv[1:])[0] + options  # those of `python -u -m hyperlite run` hold as well
    if excluding := [option for option in options if _excludes(option)]:
        print(f"hyperlite run: error: {excluding[0]} keeps hyperlite out of the program", file=sys.stderr)
        return 2
    if "HYPERLITE_PROTOCOLS" in os.environ:  # rarely set, and looking costs an import
        _check_protocols()
    command = [sys.executable, *options, *program]
    if os.name != "nt":
        os.execve(sys.executable, command, environment())  # noqa: S606
    import subprocess  # noqa: PLC0415  on Windows exec starts a second process, and the first one ends at once

    return subprocess.call(command, env=environment())  # noqa: S603


def _check_protocols() -> None:
    from ..net.protocols import environment  # noqa: PLC0415

    try:
        environment()
    except ValueError as error:
        raise SystemExit(f"hyperlite run: {error}") from None


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line of Python into its options, and the program with its arguments.

    The program begins with `-c`, `-m`, `-`, `--` or a path, and is empty if there is none.
    """
    options: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in {"-", "--"}:
        word = rest.pop(0)
        letters = "" if word.startswith("--") else word[1:]
        for place, letter in enumerate(letters, 1):
            if letter in _PROGRAM:
                return [*options, *([word[:place]] if place > 1 else [])], ["-" + word[place:], *rest]
            if letter in _WITH_VALUE:
                has_value = len(word) > place + 1
                break
        else:
            has_value = word != "--check-hash-based-pycs"
        options.append(word)
        if not has_value and rest:
            options.append(rest.pop(0))
    return options, rest


def _excludes(option: str) -> bool:
    """Tell whether one of Python's options makes it start without importing `sitecustomize`."""
    if not option.startswith("-") or option.startswith("--"):
        return False
    letters = option[1:]
    for with_value in _WITH_VALUE:
        letters = letters.partition(with_value)[0]
    return any(letter in letters for letter in _EXCLUDING)


def environment() -> dict[str, str]:
    """Return the environment of the process, changed so that Python installs hyperlite at its start."""
    path = [STARTUP, *filter(None, [os.environ.get("PYTHONPATH")])]
    interpreter = f"{sys.implementation.cache_tag} {sys.prefix}"
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), MARK: f"first {interpreter}"}
