"""Fuzzes one target with atheris, which must be there before what it is to watch is imported."""

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hyperlite", "protego"]):
    from tests.fuzz.targets import TARGETS, together

TOGETHER = "together"


def main() -> None:
    """Hand over to libFuzzer, which ends the process; the arguments behind the first are its own."""
    name, *options = sys.argv[1:]
    run = together if name == TOGETHER else TARGETS[name].run
    finds = Path(".fuzz") / name / "finds"

    def kept(data: bytes) -> None:
        try:
            run(data)
        except BaseException:  # libFuzzer does not always come to it
            (finds / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
            raise

    atheris.Setup([sys.argv[0], *options], kept)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
