"""Fuzzes one target with atheris, which must be there before what it is to watch is imported."""

import sys

import atheris

with atheris.instrument_imports(include=["hyperlite", "protego"]):
    from tests.fuzz.targets import TARGETS, together

TOGETHER = "together"


def main() -> None:
    """Hand over to libFuzzer, which ends the process; the arguments behind the first are its own."""
    name, *options = sys.argv[1:]
    run = together if name == TOGETHER else TARGETS[name].run
    atheris.Setup([sys.argv[0], *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
